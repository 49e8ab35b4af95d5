"""Empty pools of Python's allocator are given back, and nothing else changes; in processes of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kedis import native

pytestmark = pytest.mark.skipif(not native.LOOP, reason="the native path of Linux")

#: Values of all sizes come and go at random, and a few stay; every value is compared with what it must be.
_CHURN = """
import random, sys
from kedis.native import pools

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

pools.watch()
pools.watch()  # once is enough
rng = random.Random(int(sys.argv[1]))
live, given = {}, 0
for number in range(20):
    for _ in range(20_000):
        key = rng.randrange(100_000)
        live[key] = bytes([key % 256]) * rng.randrange(2, 470)
    rare = number % 5 == 4
    left = rng.sample(sorted(live), 20 if rare else len(live) // 2)
    live = {key: live[key] for key in left}
    before = resident()
    while not pools.release():
        pass
    given += before - resident() if rare else 0
    for key, value in live.items():
        assert value == bytes([key % 256]) * len(value)
arenas, used, size = pools.figures()
assert arenas >= 5, "a few values keep arenas"
assert used < 40 * arenas and 20 * 30 < size < used << 14
print(given)
"""


def run(source: str, *words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source, *words],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", ["1", "2"])
def test_values_stay_and_memory_comes_back(seed: str) -> None:
    assert int(run(_CHURN, seed)) > 4 * (5 << 20)


def test_a_step_is_bounded_and_a_round_ends() -> None:
    source = """
from kedis.native import pools
pools.watch()
kept = [bytes(470) for _ in range(300_000)]
last = kept[::1000]
del kept
steps = 1
while not pools.release():
    steps += 1
assert steps >= 4, steps  # 150 MB, 12 in a step
assert pools.release(), "nothing is left to do"
steps = 1
while not pools.withhold():
    steps += 1
assert 6 <= steps <= 12, steps  # 64 pools in each of 150 arenas, 1,024 in a step
steps = 1
while not pools.put_back():
    steps += 1
assert steps >= 2, steps
kept = [bytes(470) for _ in range(300_000)]
del kept
assert pools.release(True), "all at once"
assert pools.release()
"""
    run(source)


#: As above, with pools that are withheld and put back in turns.
_WITHHELD = """
import random, sys
from kedis.native import pools

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

pools.watch()
rng = random.Random(int(sys.argv[1]))
live = {}
for number in range(12):
    for _ in range(30_000):
        key = rng.randrange(100_000)
        live[key] = bytes([key % 256]) * rng.randrange(2, 470)
    live = {key: live[key] for key in rng.sample(sorted(live), 20 if number % 3 else 3000)}
    while not pools.release():
        pass
    before = resident()
    while not pools.withhold():
        pass
    arenas, used, size = pools.figures()
    if number % 3 and number % 2 == 0:  # none was withheld before
        # 64 pools of an arena, of which all but a few are withheld; a page is 4 KB.
        assert before - resident() > arenas * 30 * 4096, (before - resident(), arenas)
    assert pools.withhold(), "nothing is left"
    for key in rng.sample(sorted(live), 10):  # in arenas of which pools are withheld
        del live[key]
    if number % 2:
        while not pools.put_back():
            pass
        assert pools.put_back()
    for key, value in live.items():
        assert value == bytes([key % 256]) * len(value)
while not pools.put_back():
    pass
many = [bytes([number % 256]) * (number % 500) for number in range(200_000)]
assert all(value == bytes([number % 256]) * (number % 500) for number, value in enumerate(many))
del many, live, value
assert pools.figures()[0] < 10, "arenas in which nothing is left have gone"
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_pools_are_withheld_and_put_back(seed: str) -> None:
    run(_WITHHELD, seed)


def test_pools_of_unknown_arenas_are_not_withheld() -> None:
    source = """
import sys
kept = [bytes(470) for _ in range(20_000)]
last = kept[::1000]
del kept
from kedis.native import pools
assert pools.withhold() and pools.put_back()
before = sys.getallocatedblocks()
pools.watch()
assert pools.withhold() and pools.withhold(True) and pools.put_back()
assert abs(sys.getallocatedblocks() - before) < 500
"""
    run(source)


def test_empty_pools_of_unknown_arenas_do_not_end_it() -> None:
    """What was freed while the program started is no reason to withhold nothing."""
    source = """
from kedis.native import pools
kept = [bytes(470) for _ in range(6_000)]
last = kept[::1500]
del kept
pools.watch()
kept = [bytes(470) for _ in range(100_000)]
last += kept[::1000]
del kept
steps = 1
while not pools.withhold():
    steps += 1
assert steps >= 3, steps  # 3,200 pools, 1,024 in a step
while not pools.put_back():
    pass
"""
    run(source)


#: The kernel of a machine with larger pages, as far as this code sees it.
_LARGE_PAGES = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static size_t page(void) { return strtoul(getenv("PAGE"), NULL, 10); }

long sysconf(int name) {
    if (name == _SC_PAGESIZE) return page();
    return ((long (*)(int))dlsym(RTLD_NEXT, "sysconf"))(name);
}

int madvise(void *address, size_t length, int advice) {
    if ((uintptr_t)address % page()) {
        errno = EINVAL;
        return -1;
    }
    length = (length + page() - 1) / page() * page();
    return ((int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "madvise"))(address, length, advice);
}
"""

#: Everything is given back in turns, and every value stays what it is.
_EVERYTHING = """
import os, random
from kedis.native import pools
assert os.sysconf("SC_PAGESIZE") == int(os.environ["PAGE"])
pools.watch()
rng = random.Random(1)
live = {}
for number in range(4):
    for _ in range(100_000):
        key = rng.randrange(200_000)
        live[key] = bytes([key % 256]) * rng.randrange(2, 470)
    removed = range(1000, 150_000) if number % 2 else range(0, 200_000, 2)
    for key in removed:
        if key % 50 != 7:
            live.pop(key, None)
    expected = sorted(live)
    assert pools.release(True) and pools.withhold(True)
    at = pools.release_entries(live)
    while at:
        at = pools.release_entries(live, at)
    assert sorted(live) == expected
    for key, value in live.items():
        assert value == bytes([key % 256]) * len(value)
    while not pools.put_back():
        pass
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler")
@pytest.mark.parametrize("size", [4096, 16384, 65536])
def test_pages_of_any_size(size: int, tmp_path: Path) -> None:
    (tmp_path / "pages.c").write_text(_LARGE_PAGES)
    library = str(tmp_path / "pages.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, str(tmp_path / "pages.c"), "-ldl"], check=True)
    run(_EVERYTHING, LD_PRELOAD=library, PAGE=str(size))


def test_another_allocator_is_left_alone() -> None:
    source = """
from kedis.native import pools
pools.watch()
kept = [bytes(100) for _ in range(100_000)]
del kept[::2]
assert pools.release() and pools.figures() == (0, 0, 0)
assert pools.withhold() and pools.put_back()
"""
    run(source, PYTHONMALLOC="malloc")
    run(source.replace("pools.figures() == (0, 0, 0)", "True"), PYTHONMALLOC="pymalloc_debug")


def test_nothing_is_known_before_it_watches() -> None:
    run("from kedis.native import pools; assert pools.release() and pools.figures() == (0, 0, 0)")


def test_the_stacks_of_frames_are_no_arenas() -> None:
    """CPython takes them from the same hooks: a deep recursion in a greenlet, while arenas come and go."""
    source = """
import gevent
from kedis.native import pools
pools.watch()

def deep(left):
    if left:
        return deep(left - 1)
    kept = [bytes(400) for _ in range(20_000)]
    gevent.sleep(0)
    last = kept[::1000]
    del kept
    assert pools.release(True)
    gevent.sleep(0)
    return last

made = [gevent.spawn(deep, 900) for _ in range(20)]
gevent.joinall(made)
assert all(each == bytes(400) for greenlet in made for each in greenlet.value)
arenas, used, size = pools.figures()
assert arenas > 5 and 20 * 20 * 400 < size < used << 14
"""
    run(source)


#: A dict is compared with a model after pages of it are given back, and goes on as any other.
_ENTRIES = """
import random, sys
from kedis.native import pools

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

rng = random.Random(int(sys.argv[1]))
table = {b"%d" % number: number for number in range(600_000)}
gone = rng.choice([range(300_000), range(200_000, 500_000), range(310_000, 600_000)])
for number in gone:
    if number % 50_000 != 7:
        del table[b"%d" % number]
expected = dict(table)
before, at, steps = resident(), pools.release_entries(table), 1
while at:
    at, steps = pools.release_entries(table, at), steps + 1
assert steps == 5, steps
assert before - resident() > 250_000 * 24 * 0.9, before - resident()
assert table == expected and list(table) == list(expected) and dict(table) == expected
for number in rng.sample(range(700_000), 200_000):
    key = b"%d" % number
    assert table.get(key) == expected.get(key)
    table[key] = expected[key] = -number
    if number % 3:
        assert table.pop(key) == expected.pop(key) == -number
    if number % 5000 == 0:
        at = pools.release_entries(table, at)
assert list(table.items()) == list(expected.items())
while table:
    assert table.popitem() == expected.popitem()
assert not expected and pools.release_entries(table) == 0
table.update(dict.fromkeys(range(1000), 1))
assert len(table) == 1000
"""


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_pages_of_a_dict_with_removed_keys_alone(seed: str) -> None:
    run(_ENTRIES, seed)


def test_tables_that_are_small_full_or_otherwise() -> None:
    source = """
from kedis.native.pools import release_entries

class Owner:
    pass

full = {b"%d" % number: 1 for number in range(100_000)}
texts = {str(number): 1 for number in range(100_000)}
for number in range(50_000):
    del texts[str(number)]
for table in ({}, {b"a": 1}, vars(Owner()), full, full.copy(), texts):
    expected = dict(table)
    assert release_entries(table) == 0 == release_entries(table, 10**9) and table == expected
"""
    run(source)
