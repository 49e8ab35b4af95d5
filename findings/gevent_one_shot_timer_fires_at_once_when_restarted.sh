#!/usr/bin/env bash
# gevent 26.9.0 on CPython 3.11, Linux, with the libev that it brings.
#
# A timer watcher made with a delay and no repetition, loop.timer(0.2), waits that long the first time. Started again
# after it has fired it fires at once, and so does every later start: the delay is used up, and start() takes no new one
# into account. A pause between attempts that is made so is one pause and then none. A watcher with the delay as its repetition,
# loop.timer(0.2, 0.2), that is started by again() and stopped in its callback waits each time.
#
# Exits 0 while that is so. Installs into a temporary folder; nothing is left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'gevent==26.9.0'
cat >"$folder/waits.py" <<'PY'
import time

import gevent

DELAY = 0.2
hub = gevent.get_hub()


def waits(timer, start):
    """How long three waits take, one after the other."""
    found = []
    for _ in range(3):
        began = time.monotonic()
        greenlet = gevent.getcurrent()

        def fired():
            timer.stop()
            greenlet.switch()

        start(fired)
        hub.switch()
        found.append(time.monotonic() - began)
    return found


once = hub.loop.timer(DELAY)
again = hub.loop.timer(DELAY, DELAY)
for name, found in (("start", waits(once, once.start)), ("again", waits(again, again.again))):
    print(name, *("waited" if seconds > DELAY / 2 else "fired at once" for seconds in found), sep=", ")
PY
"$folder/venv/bin/python" "$folder/waits.py" | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
start, waited, fired at once, fired at once
again, waited, waited, waited
SEEN
# Output:
#   start, waited, fired at once, fired at once
#   again, waited, waited, waited
