"""Large values are freed a piece at a time, and completely."""

from __future__ import annotations

import time
from typing import Any

import pytest

from kedis.store.database import List
from kedis.store.graveyard import PIECE, SLICE_NS, SMALL, Graveyard
from kedis.store.keyspace import Keyspace
from kedis.structures.containers import Hash, Set
from kedis.structures.scan_index import ScanIndex
from kedis.structures.sorted_set import SortedSet

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
    "dict": lambda: dict.fromkeys(NAMES, b"v"),
    "scan index": lambda: ScanIndex(NAMES),
}


@pytest.fixture
def graveyard() -> Graveyard:
    graveyard = Graveyard()
    graveyard.tended = True
    return graveyard


@pytest.mark.parametrize("kind", MAKERS)
def test_a_large_value_goes_piece_by_piece_until_nothing_is_left(graveyard: Graveyard, kind: str) -> None:
    value: Any = MAKERS[kind]()
    graveyard.bury(value)
    calls = 0
    while graveyard.free(Clock(), budget_ns=1):
        calls += 1
        assert calls <= 3 * COUNT // PIECE + 10
    assert len(value) == 0 and len(graveyard) == 0
    # Buckets of a scan index count as one element each.
    assert calls >= 2 if kind == "scan index" else calls >= COUNT // PIECE


def test_small_values_and_strings_are_not_kept(graveyard: Graveyard) -> None:
    for value in (b"x" * 10_000, bytearray(10_000), List(NAMES[:SMALL]), Set(), 5, None):
        graveyard.bury(value)
    assert len(graveyard) == 0
    assert graveyard.free(Clock()) is False


def test_without_anybody_to_tend_it_nothing_is_kept() -> None:
    graveyard = Graveyard()
    graveyard.bury(List(NAMES))
    assert len(graveyard) == 0


def test_what_a_large_value_contains_is_freed_too(graveyard: Graveyard) -> None:
    values = [Set(NAMES), sorted_set(), Hash((name, b"v") for name in NAMES)]
    data: dict[bytes, Any] = dict.fromkeys(NAMES, b"v")
    data.update((b"large:%d" % number, value) for number, value in enumerate(values))
    graveyard.bury(data)
    while graveyard.free(Clock(), budget_ns=1):
        pass
    assert [len(value) for value in values] == [0, 0, 0]
    assert not data


def test_a_slice_takes_a_few_milliseconds_at_a_million_elements(graveyard: Graveyard) -> None:
    graveyard.bury(dict.fromkeys([b"k%d" % number for number in range(1_000_000)], b"v"))
    longest, more = 0.0, True
    while more:
        began = time.perf_counter()
        more = graveyard.free(time.perf_counter_ns)
        longest = max(longest, time.perf_counter() - began)
    assert longest < 25 * SLICE_NS / 1e9  # generous: the machine may be busy


def test_flushing_later_leaves_an_empty_working_database() -> None:
    keyspace = Keyspace(2)
    keyspace.graveyard.tended = True
    database = keyspace.databases[0]
    for name in NAMES:
        database.set_value(name, b"v")
        database.set_expiry(name, 10**15)
    assert database.clear(later=True) == COUNT
    assert len(keyspace.graveyard) == 4
    database.set_value(b"new", b"v")
    while keyspace.graveyard.free(Clock(), budget_ns=3):
        database.check()
    assert list(database.data) == [b"new"]
