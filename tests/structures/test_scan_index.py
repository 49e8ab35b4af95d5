"""ScanIndex against a plain set: bookkeeping, the guarantee of its cursors, fairness, memory."""

import sys
from random import Random

import pytest

from kedis.structures.scan_index import LOAD, DeferredIndex, ScanIndex
from tests.structures.both import each_form

form = each_form(__name__)


def names(count: int, prefix: bytes = b"k") -> list[bytes]:
    return [b"%s:%d" % (prefix, number) for number in range(count)]


def full_scan(index: ScanIndex, count: int = 10) -> list[bytes]:
    cursor, found = index.scan(0, count)
    while cursor:
        cursor, part = index.scan(cursor, count)
        found += part
    return found


def chi_square(counts: list[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 for count in counts) / expected


def assert_fair(counts: list[int]) -> None:
    """Chi-square within 5 standard deviations of its mean."""
    freedom = len(counts) - 1
    assert abs(chi_square(counts) - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("seed", range(4))
def test_random_changes_keep_every_invariant(seed: int) -> None:
    rng = Random(seed)
    index, model = ScanIndex(), set[bytes]()
    for growing in (0.9, 0.2, 0.7, 0.02):
        for _ in range(900):
            if not model or rng.random() < growing:
                key = b"%d" % rng.getrandbits(60)
                index.add(key)
                model.add(key)
            else:
                key = rng.choice(sorted(model))
                index.discard(key)
                model.remove(key)
            if rng.random() < 0.2:
                index._check()
            if rng.random() < 0.02:
                index.repack()
        index._check()
        assert len(index) == len(model)
        assert set(index) == model


def test_shrinks_to_one_bucket() -> None:
    keys = names(5000)
    index = ScanIndex(keys)
    for key in keys:
        index.discard(key)
    index._check()
    assert len(index) == 0
    assert len(index._buckets) == 1
    assert index.scan(0, 10) == (0, [])


@pytest.mark.parametrize("count", [0, 1, LOAD, LOAD + 1, 2 * LOAD, 2 * LOAD + 1, 1000, 12345])
def test_bulk_build(count: int) -> None:
    keys = names(count)
    index = ScanIndex(iter(keys))
    index._check()
    assert sorted(index) == sorted(keys)
    assert sorted(full_scan(index)) == sorted(keys)


def test_clear() -> None:
    index = ScanIndex(names(1000))
    index.clear()
    index._check()
    assert list(index) == []


def test_discard_of_an_absent_key_is_an_error() -> None:
    index = ScanIndex(names(100))
    with pytest.raises(ValueError):
        index.discard(b"absent")
    index._check()


def test_unchanged_index_is_scanned_exactly_once_in_calls_of_about_count() -> None:
    keys = names(20_000)
    index = ScanIndex()
    for key in keys:
        index.add(key)
    longest = max(map(len, index._buckets))
    found: list[bytes] = []
    cursor = 0
    calls = 0
    while cursor or not calls:
        cursor, part = index.scan(cursor, 100)
        assert not cursor or 100 <= len(part) < 100 + longest
        assert 0 <= cursor < 2**64
        found += part
        calls += 1
    assert sorted(found) == sorted(keys)
    assert calls <= 201


@pytest.mark.parametrize("seed", range(12))
def test_what_stays_is_returned_whatever_else_changes(seed: int) -> None:
    """Grow and shrink by large factors in mid-iteration: the guarantee of SCAN."""
    rng = Random(seed)
    stay = names(rng.choice([5, 50, 500]), b"stay")
    others = names(rng.choice([0, 100, 3000]), b"other")
    index = ScanIndex(stay + others)
    fresh = 0
    returned: set[bytes] = set()
    cursor = calls = 0
    while cursor or not calls:
        cursor, part = index.scan(cursor, rng.choice([1, 5, 40]))
        returned.update(part)
        calls += 1
        if calls % 7 == 0:
            index.repack()
        if calls > 400:  # let it end: growth could outrun a slow iteration for ever
            continue
        for _ in range(rng.choice([0, 5, 60])):
            if rng.random() < (0.8 if calls // 20 % 2 else 0.2):
                fresh += 1
                others.append(b"fresh:%d" % fresh)
                index.add(others[-1])
            elif others:
                place = rng.randrange(len(others))
                others[place], others[-1] = others[-1], others[place]
                index.discard(others.pop())
    index._check()
    assert returned >= set(stay)


def test_cursor_survives_growth_and_collapse() -> None:
    """One cursor taken in the middle, then a hundredfold growth, then a collapse below the first size."""
    stay = names(300, b"stay")
    for steps in range(1, 12):
        index = ScanIndex(stay)
        found: list[bytes] = []
        cursor = 0
        for _ in range(steps):
            cursor, part = index.scan(cursor, 1)
            found += part
        others = names(30_000 // steps, b"other")
        for key in others:
            index.add(key)
        if cursor:
            cursor, part = index.scan(cursor, 1)
            found += part
        for key in others:
            index.discard(key)
        while cursor:
            cursor, part = index.scan(cursor, 1)
            found += part
        assert set(stay) <= set(found), steps


def test_any_64_bit_cursor_is_taken_and_leads_to_the_end() -> None:
    rng = Random(7)
    index = ScanIndex(names(3000))
    for foreign in [2**64 - 1, 2**63, 1, *(rng.getrandbits(64) for _ in range(200))]:
        cursor, calls = foreign, 0
        while cursor or not calls:
            cursor, _ = index.scan(cursor, 50)
            calls += 1
            assert calls <= 3000
        assert calls >= 1


def test_random_is_fair_after_growth() -> None:
    keys = names(500)
    index = ScanIndex()
    for key in keys:
        index.add(key)
    tally = dict.fromkeys(keys, 0)
    rng = Random(1)
    for _ in range(50_000):
        tally[index.random(rng)] += 1
    assert_fair(list(tally.values()))


def test_random_is_fair_after_mass_deletion() -> None:
    keys = names(20_000)
    index = ScanIndex(keys)
    for key in keys[300:]:
        index.discard(key)
    tally = dict.fromkeys(keys[:300], 0)
    rng = Random(2)
    for _ in range(30_000):
        tally[index.random(rng)] += 1
    assert_fair(list(tally.values()))


class CountingRandom(Random):
    """Counts the draws: the cost of a random choice without a clock."""

    draws = 0

    def random(self) -> float:
        self.draws += 1
        return super().random()


@pytest.mark.parametrize("left", [1, 5, 100, 3000, 20_000])
def test_random_draws_stay_few_whatever_was_deleted(left: int) -> None:
    keys = names(20_000)
    index = ScanIndex(keys)
    for key in keys[left:]:
        index.discard(key)
    rng = CountingRandom(3)
    for _ in range(5000):
        index.random(rng)
    assert rng.draws < 5000 * 6


def test_random_of_nothing_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        ScanIndex().random(Random(0))


def test_no_operation_touches_more_than_a_bucket_or_two() -> None:
    """Splits and merges come one at a time, so no call stalls."""
    index = ScanIndex()
    for key in names(10_000):
        before = len(index._buckets)
        index.add(key)
        assert len(index._buckets) - before in (0, 1)
    for key in names(10_000):
        before = len(index._buckets)
        index.discard(key)
        assert before - len(index._buckets) in (0, 1)


def test_memory_per_key() -> None:
    """Buckets and directory; the keys themselves belong to the owner."""
    index = ScanIndex()
    for key in names(100_000):
        index.add(key)
    assert 8 <= sys.getsizeof(index) / 100_000 <= 13.5
    for key in names(100_000):
        index.discard(key)
    assert sys.getsizeof(index) < 1000


def test_it_owns_each_key_once() -> None:
    """And gives it up, whichever way the key leaves; of equal objects it keeps the one that was added."""
    keys = [bytes(bytearray(name)) for name in names(2000)]

    def owners(numbers: range) -> set[int]:
        return {sys.getrefcount(keys[number]) - base for number in numbers}

    base = sys.getrefcount(keys[0])
    index = ScanIndex()
    for key in keys:
        index.add(key)
    del key
    twin = index.copy()
    assert owners(range(2000)) == {2}
    equal = bytes(bytearray(keys[5]))
    assert index.held(equal) is keys[5] and index.held(b"absent") == b"absent"
    index.exchange(equal)
    index.exchange(b"absent")
    assert index.held(keys[5]) is equal and b"absent" not in set(index)
    assert owners(range(5, 6)) == {1} and owners(range(6, 7)) == {2}
    index.exchange(keys[5])
    assert owners(range(5, 6)) == {2} and sys.getrefcount(equal) == 2
    index.discard(equal)
    assert owners(range(5, 6)) == {1}
    for key in keys[10:1500]:
        index.discard(key)
    del key
    twin.repack()
    assert owners(range(10, 1500)) == {1}
    steps = twin.free_in_steps(10)
    next(steps)
    assert len(twin) == 0 and owners(range(10, 1500)) == {0, 1}
    del steps  # which frees the rest
    twin.add(keys[0])
    twin.clear()
    index.clear()
    assert owners(range(2000)) == {0}
    index._check()
    twin._check()


def test_a_deferred_index_takes_nothing_in() -> None:
    index = DeferredIndex()
    index.add(b"a")
    index.discard(b"b")
    assert len(index) == 0
    assert list(index) == []
    index._check()
