"""Large values are freed a piece at a time, and completely."""

from __future__ import annotations

import time
from typing import Any

import pytest

from kedis.store.keyspace import Keyspace
from kedis.store.lazyfree import PIECE, SLICE_NS, SMALL, LazyFree
from kedis.structures.key_numbers import KeyNumbers
from kedis.structures.packed import Hash, List, Set, SortedSet
from kedis.structures.scan_index import ScanIndex

COUNT = 10 * SMALL
NAMES = [b"element:%d" % number for number in range(COUNT)]


class Clock:
    """A tick a reading, so that a budget of n ticks allows n pieces."""

    def __init__(self) -> None:
        self.ticks = 0

    def __call__(self) -> int:
        self.ticks += 1
        return self.ticks


def sorted_set() -> SortedSet:
    return SortedSet.from_scores({name: float(number) for number, name in enumerate(NAMES)})


MAKERS = {
    "list": lambda: List(NAMES),
    "hash": lambda: Hash((name, b"v") for name in NAMES),
    "set": lambda: Set(NAMES),
    "sorted set": sorted_set,
}


@pytest.fixture
def lazy_free() -> LazyFree:
    lazy_free = LazyFree()
    lazy_free.enabled = True
    return lazy_free


@pytest.mark.parametrize("kind", MAKERS)
def test_a_large_value_goes_piece_by_piece_until_nothing_is_left(lazy_free: LazyFree, kind: str) -> None:
    value: Any = MAKERS[kind]()
    lazy_free.free_later(value)
    calls = 0
    while lazy_free.free(Clock(), budget_ns=1):
        calls += 1
        assert calls <= 3 * COUNT // PIECE + 10
    assert len(value) == 0 and len(lazy_free) == 0
    assert calls >= COUNT // PIECE


@pytest.mark.parametrize("kind", MAKERS)
def test_the_size_of_a_value_is_given_back_step_by_step(kind: str) -> None:
    steps: list[int] = []
    lazy_free = LazyFree(steps.append)
    lazy_free.enabled = True
    assert lazy_free.free_later(MAKERS[kind](), 1_000_003)
    assert lazy_free.pending == 1
    while lazy_free.free(Clock(), budget_ns=1):
        assert sum(steps) <= 1_000_003
    assert sum(steps) == 1_000_003 and max(steps) < 100_000
    assert (lazy_free.pending, lazy_free.freed_objects) == (0, 1)


def test_a_database_is_given_back_key_by_key() -> None:
    keyspace = Keyspace(2)
    keyspace.lazy_free.enabled = True
    one, other = keyspace.databases
    for name in NAMES:
        one.set_value(name, b"v")
        one.set_expiry(name, 10**15)
    one.set_value(b"large", Set(NAMES))
    one.set_value(b"small", Set(NAMES[:10]))
    one.lookup_write_buffer(NAMES[0])
    other.set_value(b"stays", b"v")
    full = keyspace.used
    assert one.clear(later=True) == COUNT + 2
    assert full - 200 < keyspace.used <= full  # but for the string that was modified in place
    assert keyspace.lazy_free.pending == COUNT + 2
    while keyspace.lazy_free.free(Clock(), budget_ns=1):
        pass
    assert (keyspace.lazy_free.pending, keyspace.lazy_free.freed_objects) == (0, COUNT + 2)
    keyspace.check()
    assert keyspace.used == other.footprint()


def test_small_values_and_strings_are_not_kept(lazy_free: LazyFree) -> None:
    for value in (b"x" * 10_000, bytearray(10_000), List(NAMES[:SMALL]), Set(), 5, None):
        lazy_free.free_later(value)
    assert len(lazy_free) == 0
    assert lazy_free.free(Clock()) is False


def test_without_anybody_to_tend_it_nothing_is_kept() -> None:
    lazy_free = LazyFree()
    lazy_free.free_later(List(NAMES))
    assert len(lazy_free) == 0


def test_what_a_large_value_contains_is_freed_too(lazy_free: LazyFree) -> None:
    values = [Set(NAMES), sorted_set(), Hash((name, b"v") for name in NAMES)]
    data: dict[bytes, Any] = dict.fromkeys(NAMES, b"v")
    data.update((b"large:%d" % number, value) for number, value in enumerate(values))
    lazy_free.free_keys_later(data, KeyNumbers(), [ScanIndex(data).free_in_steps(PIECE)])
    while lazy_free.free(Clock(), budget_ns=1):
        pass
    assert [len(value) for value in values] == [0, 0, 0]
    assert not data


def test_a_slice_takes_a_few_milliseconds_at_a_million_elements(lazy_free: LazyFree) -> None:
    lazy_free.free_keys_later(
        dict.fromkeys([b"k%d" % number for number in range(1_000_000)], b"v"), KeyNumbers(), ()
    )
    longest, more = 0.0, True
    while more:
        began = time.process_time()
        more = lazy_free.free(time.process_time_ns)
        longest = max(longest, time.process_time() - began)
    assert longest < 25 * SLICE_NS / 1e9  # generous: a busy machine has cold caches


def test_flushing_later_leaves_an_empty_working_database() -> None:
    keyspace = Keyspace(2)
    keyspace.lazy_free.enabled = True
    database = keyspace.databases[0]
    for name in NAMES:
        database.set_value(name, b"v")
        database.set_expiry(name, 10**15)
    assert database.clear(later=True) == COUNT
    assert len(keyspace.lazy_free) == 3
    database.set_value(b"new", b"v")
    while keyspace.lazy_free.free(Clock(), budget_ns=3):
        database.check()
    assert list(database.data) == [b"new"]
