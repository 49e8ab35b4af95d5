"""Copies of large values: independent, whole, and made without looking at every element again."""

from __future__ import annotations

from array import array
from random import Random
from typing import Any

import pytest

from kedis import structures
from kedis.structures import containers, lists, sorted_set
from kedis.structures.containers import Hash, Set
from kedis.structures.lists import List
from kedis.structures.scan_index import ScanIndex
from kedis.structures.sorted_set import SortedSet

MEMBERS = [b"member:%d" % number for number in range(3000)]
VALUES: list[Any] = [
    List(MEMBERS),
    Hash(zip(MEMBERS, MEMBERS, strict=True)),
    Set(MEMBERS),
    SortedSet.from_scores({member: float(len(member)) for member in MEMBERS}),
    List(),
    Hash([(b"a", b"b")]),
    Set([b"a"]),
    SortedSet(),
]


def content(value: Any) -> Any:
    return list(value.items()) if isinstance(value, SortedSet) else value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__} of {len(value)}")
def test_a_copy_is_equal_and_independent(value: Any) -> None:
    twin = value.copy()
    assert type(twin) is type(value) and content(twin) == content(value)
    assert twin.footprint == value.footprint and twin.accounted_bytes == 0
    before, size = len(value), value.footprint
    if isinstance(twin, List):
        twin.push_right(b"x")
    elif isinstance(twin, Hash):
        twin.put(b"new", b"x")
        twin.remove(MEMBERS[0])
    elif isinstance(twin, Set):
        twin.insert(b"new")
        twin.remove_member(MEMBERS[0])
    else:
        twin.add(b"new", 7.0)
        twin.remove(MEMBERS[0])
    assert len(value) == before and value.footprint == size
    for one in (value, twin):
        one._check()


@pytest.mark.parametrize("value", VALUES[:4], ids=lambda value: type(value).__name__)
def test_a_copy_counts_and_hashes_nothing_anew(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million elements take 10 to 30 ms, where each step over them in Python takes 40 to 200."""

    def unwanted(*_: object) -> int:
        raise AssertionError("a step over all elements")

    if not structures.COMPILED:  # the class in C cannot be changed
        monkeypatch.setattr(ScanIndex, "_fill", unwanted)
    for module, name in (
        (containers, "_elements_bytes"),
        (lists, "_elements_bytes"),
        (sorted_set, "bytes_footprints"),
    ):
        monkeypatch.setattr(module, name, unwanted)
    assert content(value.copy()) == content(value)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "start, stop", [(0, 3000), (0, 1), (700, 2100), (2999, 3000), (-5, 9000), (5, 5), (9, 3)]
)
def test_columns_are_what_slice_gives(start: int, stop: int, reverse: bool) -> None:
    rng = Random(1)
    subject = SortedSet.from_scores({member: rng.random() for member in MEMBERS})
    members, scores = subject.columns(start, stop, reverse)
    assert list(zip(members, scores, strict=True)) == subject.slice(start, stop, reverse)


def test_a_sorted_set_of_columns() -> None:
    members, scores = VALUES[3].columns(0, 3000)
    built = SortedSet.from_columns(members, scores)
    built._check()
    assert list(built.items()) == list(VALUES[3].items())
    assert not SortedSet.from_columns([], array("d"))
