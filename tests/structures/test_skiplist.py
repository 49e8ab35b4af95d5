"""The skip list against a sorted Python list, with blocks so small that cuts and joins happen all along."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator

import pytest

from kedis.structures import skiplist
from kedis.structures.skiplist import SkipList
from tests.structures.both import SMALL_BLOCKS, each_form, shape

form = each_form(__name__)

Key = tuple[float, bytes]


@pytest.fixture
def small_blocks() -> Iterator[None]:
    """Blocks of at most 8 elements and towers on half of them."""
    with shape(skiplist, **SMALL_BLOCKS):
        yield


def built(keys: list[Key]) -> SkipList:
    return SkipList.from_sorted(array("d", [score for score, _ in keys]), [member for _, member in keys])


def pairs(keys: list[Key]) -> list[tuple[bytes, float]]:
    return [(member, score) for score, member in keys]


def block_sizes(ordered: SkipList) -> list[int]:
    return [len(block.members) for block in ordered._blocks()]


def keys_of(count: int) -> list[Key]:
    return [(float(number), b"%06d" % number) for number in range(count)]


SCORES: dict[str, Callable[[random.Random], float]] = {
    "distinct": lambda rng: rng.random(),
    "few": lambda rng: float(rng.randrange(4)),
    "equal": lambda rng: 0.0,
    "signed zeros": lambda rng: rng.choice([0.0, -0.0]),
    "infinite": lambda rng: rng.choice([float("-inf"), -1.0, 0.0, 1e308, float("inf")]),
}


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize("seed", range(3))
def test_random_inserts_and_deletes_agree_with_a_sorted_list(kind: str, seed: int) -> None:
    rng = random.Random(f"{kind} {seed}")
    ordered, model = SkipList(), list[Key]()
    for step in range(2000):
        growing = step // 300 % 2 == 0
        if not model or rng.random() < (0.7 if growing else 0.3):
            key = (SCORES[kind](rng), b"%d" % rng.randrange(10**9))
            if key in model:
                continue
            ordered.insert(*key)
            insort(model, key)
        else:
            key = model.pop(rng.randrange(len(model)))
            assert ordered.delete(*key) == key[1]
        ordered._check()
    assert list(ordered) == pairs(model)
    for rank, key in enumerate(model):
        assert ordered.rank(*key) == rank
        assert ordered.at(rank) == (key[1], key[0])


@pytest.mark.usefixtures("small_blocks")
def test_delete_ranks_of_every_range() -> None:
    keys = keys_of(40)
    for start in range(40):
        for stop in range(start + 1, 41):
            ordered = built(keys)
            assert ordered.delete_ranks(start, stop) == pairs(keys[start:stop])
            ordered._check()
            assert list(ordered) == pairs(keys[:start] + keys[stop:])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", SCORES)
def test_delete_ranks_between_inserts(kind: str) -> None:
    rng = random.Random(kind)
    ordered, model = SkipList(), list[Key]()
    for _ in range(300):
        for _ in range(rng.randrange(40)):
            key = (SCORES[kind](rng), b"%d" % rng.randrange(10**9))
            if key not in model:
                ordered.insert(*key)
                insort(model, key)
        start, stop = sorted(rng.sample(range(len(model) + 1), 2)) if model else (0, 0)
        if start < stop and rng.random() < 0.6:
            assert ordered.delete_ranks(start, stop) == pairs(model[start:stop])
            del model[start:stop]
        ordered._check()
        assert list(ordered) == pairs(model)


@pytest.mark.usefixtures("small_blocks")
def test_ranges_and_ranks_of_bounds() -> None:
    rng = random.Random(5)
    keys = sorted((float(rng.randrange(20)), b"%d" % number) for number in range(150))
    ordered = built(keys)
    for start in range(0, 150, 7):
        for stop in range(start + 1, 151):
            assert ordered.pairs(start, stop) == pairs(keys[start:stop])
            assert ordered.members(start, stop) == [member for _, member in keys[start:stop]]
    scores = [score for score, _ in keys]
    for bound in [float("-inf"), -1.0, *(half / 2 for half in range(42)), float("inf")]:
        assert ordered.rank_of_score(bound, after=False) == sum(score < bound for score in scores)
        assert ordered.rank_of_score(bound, after=True) == sum(score <= bound for score in scores)
    for score in (-1.0, 3.0, 3.5, 25.0):
        for member in (b"", b"5", b"77x", b"\xff"):
            assert ordered.rank(score, member) == bisect_left(keys, (score, member))


@pytest.mark.usefixtures("small_blocks")
def test_ranks_of_members_when_scores_are_equal() -> None:
    members = sorted(b"%03d" % number for number in range(0, 200, 2))
    ordered = built([(0.0, member) for member in members])
    for bound in [b"", *(b"%03d" % number for number in range(200)), b"\xff"]:
        assert ordered.rank_of_member(bound, after=False) == sum(member < bound for member in members)
        assert ordered.rank_of_member(bound, after=True) == sum(member <= bound for member in members)


@pytest.mark.usefixtures("small_blocks")
def test_a_full_block_is_cut_and_a_small_one_joined() -> None:
    ordered = SkipList()
    for key in reversed(keys_of(9)):
        ordered.insert(*key)
    assert block_sizes(ordered) == [4, 5]
    ordered.delete(0.0, b"000000")
    assert block_sizes(ordered) == [3, 5]
    ordered.delete(1.0, b"000001")  # 2 + 5 is more than MERGE_MAX: the small block stays
    assert block_sizes(ordered) == [2, 5]
    for number in (8, 7, 6):  # the neighbour becomes small in its turn, and now both fit
        ordered.delete(float(number), b"%06d" % number)
    assert block_sizes(ordered) == [4]
    ordered._check()


@pytest.mark.usefixtures("small_blocks")
def test_an_emptied_block_vanishes() -> None:
    keys = keys_of(24)
    for emptied in range(0, 24, 6):
        ordered = built(keys)
        rest = keys[:emptied] + keys[emptied + 6 :]
        for key in keys[emptied : emptied + 6]:
            ordered.delete(*key)
            ordered._check()
        assert list(ordered) == pairs(rest)


@pytest.mark.usefixtures("small_blocks")
def test_rising_scores_fill_blocks_to_the_brim() -> None:
    ordered = SkipList()
    for key in keys_of(80):
        ordered.insert(*key)
    assert block_sizes(ordered) == [8] * 10
    ordered._check()


@pytest.mark.usefixtures("small_blocks")
def test_the_separator_survives_its_key() -> None:
    """A block keeps its place in the levels when its first key goes, and takes the key in again."""
    ordered = built(keys_of(18))
    ordered.delete(6.0, b"000006")
    ordered.insert(6.0, b"000005x")  # between the separator's key and its predecessor
    ordered.insert(6.0, b"000006")
    ordered._check()
    assert [ordered.rank(6.0, member) for member in (b"000005x", b"000006")] == [6, 7]


def test_empty() -> None:
    ordered = SkipList()
    ordered._check()
    assert len(ordered) == 0
    assert list(ordered) == []
    assert ordered.rank(1.0, b"a") == 0
    assert ordered.rank_of_score(1.0, after=True) == ordered.rank_of_member(b"a", after=False) == 0


def test_delete_returns_the_object_that_was_inserted() -> None:
    ordered = SkipList()
    member, equal = b"".join([b"a", b"b"]), b"".join([b"a", b"b"])
    ordered.insert(1.0, member)
    assert ordered.delete(1.0, equal) is member


@pytest.mark.usefixtures("small_blocks")
def test_no_reference_is_lost_or_left() -> None:
    keys = keys_of(300)
    counts = [sys.getrefcount(member) for _, member in keys]
    rng = random.Random(1)
    ordered = built(keys)
    for score, member in rng.sample(keys, 150):
        ordered.insert(score + 1000, ordered.delete(score, member))
    for read in (ordered.pairs, ordered.members, ordered.columns):
        read(10, 200)
    ordered.delete_ranks(50, 180)
    twin = ordered.copy()
    twin.delete_ranks(0, len(twin))
    ordered.at(3), ordered.rank(5.0, keys[5][1]), list(ordered)
    del ordered, twin, read
    gc.collect()
    score = member = None
    assert [sys.getrefcount(member) for _, member in keys] == counts


def test_copy_is_independent() -> None:
    ordered = built(keys_of(2000))
    twin = ordered.copy()
    twin._check()
    twin.delete_ranks(0, 1500)
    ordered.insert(0.5, b"new")
    ordered._check()
    twin._check()
    assert (len(ordered), len(twin)) == (2001, 500)


def test_height_is_bounded_and_levels_vanish() -> None:
    with shape(skiplist, PROMOTE=1.0, MAX_HEIGHT=5):
        ordered = built(keys_of(5000))
    ordered._check()
    assert ordered._top is not None
    ordered.delete_ranks(10, 5000)
    ordered._check()
    assert ordered._top is None
    assert len(ordered) == 10


def test_large_list_with_real_block_sizes() -> None:
    rng = random.Random(9)
    keys = [(rng.gauss(0, 1000), b"m%d" % number) for number in range(60_000)]
    ordered = SkipList()
    for key in keys:
        ordered.insert(*key)
    ordered._check()
    gone, kept = keys[:55_000], sorted(keys[55_000:])
    for key in gone:
        ordered.delete(*key)
    ordered._check()
    assert list(ordered) == pairs(kept)
    assert len(block_sizes(ordered)) <= 2 * len(kept) // skiplist.BLOCK_MIN + 1


DAMAGE = [
    lambda ordered: ordered._head.scores.reverse(),
    lambda ordered: ordered._head.members.pop(),
    lambda ordered: setattr(ordered._top, "span", ordered._top.span + 1),
    lambda ordered: setattr(ordered._top, "next_score", 1e9),
    lambda ordered: setattr(ordered._head, "next_member", b"zzz"),
    lambda ordered: setattr(ordered._head.next, "low_score", 1e9),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_check_sees_damage(damage: Callable[[SkipList], object], form: str) -> None:
    if form == "compiled":
        pytest.skip("nothing outside reaches its parts")
    with shape(skiplist, PROMOTE=1.0):
        ordered = built(keys_of(2000))
    ordered._check()
    damage(ordered)
    with pytest.raises((AssertionError, ValueError)):
        ordered._check()


@pytest.mark.parametrize("twice", [(7.0, b"000007"), (700.0, b"000700")])
def test_check_sees_a_key_that_is_there_twice(twice: Key) -> None:
    ordered = built(keys_of(2000))
    ordered.insert(*twice)
    with pytest.raises(AssertionError):
        ordered._check()


def test_what_is_not_there_is_refused_and_changes_nothing(form: str) -> None:
    """The list in Python trusts its caller; the compiled one may not, because it would read foreign memory."""
    if form == "python":
        pytest.skip("it trusts its caller")
    ordered = built(keys_of(2000))
    for key in ((7.0, b"000008"), (7.5, b"000007"), (-1.0, b""), (9999.0, b"x")):
        with pytest.raises(KeyError):
            ordered.delete(*key)
    for start, stop in ((-1, 1), (0, 0), (5, 4), (1999, 2001), (2000, 2001)):
        for read in (ordered.pairs, ordered.members, ordered.columns, ordered.delete_ranks):
            with pytest.raises(IndexError):
                read(start, stop)
    for rank in (-1, 2000):
        with pytest.raises(IndexError):
            ordered.at(rank)
    for wrong in (None, "x", bytearray(b"x"), 5):
        for call in (ordered.insert, ordered.delete, ordered.rank):
            with pytest.raises(TypeError):
                call(1.0, wrong)
    with pytest.raises(TypeError):
        SkipList.from_sorted(array("d", [1.0]), ["x"])
    with pytest.raises(ValueError):
        SkipList.from_sorted(array("d", [1.0]), [])
    ordered._check()
    assert list(ordered) == pairs(keys_of(2000))


def test_a_block_shrinks_without_memory(form: str) -> None:
    """In a process of its own, whose allocator sees what is written behind a block."""
    if form == "python":
        pytest.skip("its arrays are Python's")
    pytest.importorskip("_testcapi")
    source = """
import _testcapi
from kedis.structures.skiplist import SkipList

keys = [(float(number), b"%06d" % number) for number in range(400)]
for moment in range(12):
    ordered = SkipList()
    for key in keys:
        ordered.insert(*key)
    for key in keys[:336]:
        ordered.delete(*key)
    _testcapi.set_nomemory(moment, moment + 1)
    try:
        ordered.delete(*keys[336])  # 63 are left, and the block gives room back
    except MemoryError:
        pass
    finally:
        _testcapi.remove_mem_hooks()
    for key in keys[:336]:
        ordered.insert(*key)
    ordered._check()
    del ordered
"""
    environment = os.environ | {"PYTHONMALLOC": "debug"}
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_an_iteration_outlives_changes() -> None:
    """What it yields is then not defined, but it ends."""
    ordered = built(keys_of(3000))
    walk = iter(ordered)
    next(walk)
    ordered.delete_ranks(0, 2990)
    assert len(list(walk)) <= 3000
    ordered._check()
