#!/usr/bin/env bash
# gevent 26.9.0, greenlet 3.5.6, CPython 3.11.
#
# CPython caches attribute lookups on types, 4,096 of them, by the type and the *address* of the name's string object; each
# entry owns a reference to that object. Names in Python code are interned, so there is one string for each. C code that
# looks an attribute up by a C string makes a new string object each time, and each may take an entry of its own. gevent
# does that once a timer has fired: it looks up the watcher's method "stop". So a program that only sleeps piles up
# hundreds of four-letter strings that no Python object refers to, that gc cannot show and tracemalloc blames on no line,
# until the entries are overwritten by others. It is no leak, since the cache is bounded. But each string stands
# where the allocator had room at that moment: in a program whose data come and go, thirty of them keep thirty arenas of
# 1 MB that would otherwise have been returned. Emptying the cache frees them at once.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet --disable-pip-version-check 'gevent==26.9.0' 'greenlet==3.5.6'
cat >"$folder/try.py" <<'PY'
import gc
import sys

import gevent


def blocks_freed_by_clearing(sleeps: int) -> int:
    """Allocated blocks that emptying the cache frees, after so many timers; the garbage collector frees none."""
    sys._clear_type_cache()
    data = []
    for number in range(sleeps):
        data.append([str(1_000_000_000 + number + other) for other in range(10)])
        gevent.sleep(0.0001)
    del data
    gc.collect()
    before = sys.getallocatedblocks()
    sys._clear_type_cache()
    return before - sys.getallocatedblocks()


blocks_freed_by_clearing(10)
few, many = blocks_freed_by_clearing(10), blocks_freed_by_clearing(1000)
print("after 10 timers at most 40 blocks:", few <= 40)
print("after 1,000 timers at least 300 blocks:", many >= 300)
assert few <= 40 and many >= 300, (few, many)
PY
"$folder/venv/bin/python" "$folder/try.py"
# Output:
#   after 10 timers at most 40 blocks: True
#   after 1,000 timers at least 300 blocks: True
