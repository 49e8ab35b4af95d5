"""Hash and Set against dict and set; sampling is fair and its cost bounded by draws."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedis.structures.containers import INDEX_ABOVE, Hash, Set
from tests.structures.both import each_form

form = each_form(__name__)


def names(count: int) -> list[bytes]:
    return [b"m:%d" % number for number in range(count)]


def assert_fair(counts: list[int]) -> None:
    expected = sum(counts) / len(counts)
    freedom = len(counts) - 1
    chi_square = sum((count - expected) ** 2 for count in counts) / expected
    assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("seed", range(3))
def test_hash_against_dict(seed: int) -> None:
    rng = Random(seed)
    value, model = Hash(), dict[bytes, bytes]()
    for step in range(4000):
        growing = 0.8 if step % 2000 < 1000 else 0.15
        field = b"%d" % rng.randrange(600)
        if rng.random() < growing:
            content = b"%d" % step
            assert value.put(field, content) is (field not in model)
            model[field] = content
        else:
            assert value.remove(field) is (model.pop(field, None) is not None)
        value._check()
        if step % 50 == 0:
            assert value == model
    value._check()
    assert value == model


@pytest.mark.parametrize("seed", range(3))
def test_set_against_set(seed: int) -> None:
    rng = Random(seed)
    value, model = Set(), set[bytes]()
    for step in range(4000):
        growing = 0.8 if step % 2000 < 1000 else 0.15
        member = b"%d" % rng.randrange(600)
        if rng.random() < growing:
            assert value.insert(member) is (member not in model)
            model.add(member)
        elif rng.random() < 0.5:
            assert value.remove_member(member) is (member in model)
            model.discard(member)
        elif model:
            model.remove(value.pop_random(rng))
        value._check()
        if step % 50 == 0:
            assert value == model
    value._check()
    assert value == model


MEMBERS = st.lists(st.integers(0, 400).map(lambda number: b"%d" % number), max_size=300)


@settings(max_examples=60, deadline=None)
@given(MEMBERS, MEMBERS, MEMBERS)
def test_bulk_operations(first: list[bytes], second: list[bytes], gone: list[bytes]) -> None:
    members = Set(first)
    assert members.insert_many(second) == len(set(first) | set(second)) - len(set(first))
    members._check()
    assert members.remove_many(gone) == len((set(first) | set(second)) & set(gone))
    members._check()
    assert members == (set(first) | set(second)) - set(gone)

    fields = Hash((field, b"1") for field in first)
    assert fields.put_many(second, [b"2"] * len(second)) == len(set(second) - set(first))
    fields._check()
    assert fields.remove_many(gone) == len((set(first) | set(second)) & set(gone))
    fields._check()
    expected = dict.fromkeys(first, b"1") | dict.fromkeys(second, b"2")
    assert fields == {field: content for field, content in expected.items() if field not in gone}


def test_index_comes_with_the_entry_past_the_limit_and_stays_until_empty() -> None:
    value = Set(names(INDEX_ABOVE))
    assert value.index is None
    value.insert(b"one more")
    assert value.index is not None
    for member in list(value)[1:]:
        value.remove_member(member)
    assert len(value) == 1 and value.index is not None
    value.pop_random(Random(0))
    assert not value and value.index is None


@pytest.mark.parametrize("kind", [Set, Hash])
def test_empty_containers(kind: type[Set] | type[Hash]) -> None:
    value, rng = kind(), Random(0)
    assert value.scan(0, 10) == (0, [])
    assert value.sample_distinct(rng, 5) == []
    assert value.sample_with_repeats(rng, 5) == []
    with pytest.raises(IndexError):
        value.random_one(rng)


def test_copy_is_independent() -> None:
    for size in (3, 500):
        members = Set(names(size))
        twin = members.copy()
        assert type(twin) is Set
        twin.remove_member(b"m:0")
        fields = Hash((name, b"v") for name in names(size))
        other = fields.copy()
        assert type(other) is Hash
        other.put(b"new", b"v")
        assert len(members) == len(fields) == size
        for value in (members, twin, fields, other):
            value._check()


def test_clear() -> None:
    members = Set(names(500))
    members.clear()
    fields = Hash((name, b"v") for name in names(500))
    fields.clear()
    for value in (members, fields):
        value._check()
        assert not value and value.index is None


@pytest.mark.parametrize("size", [1, INDEX_ABOVE, 1000])
def test_scan_returns_everything(size: int) -> None:
    value = Set(names(size))
    cursor, found = value.scan(0, 10)
    assert (cursor == 0) is (size <= INDEX_ABOVE)
    while cursor:
        cursor, part = value.scan(cursor, 10)
        found += part
    assert sorted(found) == sorted(names(size))


@pytest.mark.parametrize("kind", [Set, Hash])
def test_a_scan_goes_on_when_most_entries_are_removed_at_once(kind: type[Set] | type[Hash]) -> None:
    everything = names(3000)
    stays = everything[::10]
    for calls_before in range(0, 60, 5):
        value = Set(everything) if kind is Set else Hash((name, b"v") for name in everything)
        cursor, found = value.scan(0, 20)
        for _ in range(calls_before):
            cursor, part = value.scan(cursor, 20)
            found += part
        value.remove_many([name for name in everything if name not in stays])
        value._check()
        while cursor:
            cursor, part = value.scan(cursor, 20)
            found += part
        assert set(found) >= set(stays)


@pytest.mark.parametrize("size", [1, 50, 1000])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.33, 0.5, 0.99, 1.0, 2.0])
def test_distinct_samples_are_distinct_members(size: int, share: float) -> None:
    value = Set(names(size))
    count = int(size * share)
    drawn = value.sample_distinct(Random(1), count)
    assert len(drawn) == len(set(drawn)) == min(count, size)
    assert set(drawn) <= value


class CountingRandom(Random):
    draws = 0

    def random(self) -> float:
        self.draws += 1
        return super().random()


@pytest.mark.parametrize("count", [1, 500, 1666, 1667, 3000, 4999])
def test_distinct_sampling_costs_no_more_as_it_nears_the_size(count: int) -> None:
    value, rng = Set(names(5000)), CountingRandom(1)
    value.sample_distinct(rng, count)
    assert rng.draws <= 100 + 8 * count


@pytest.mark.parametrize("size", [100, 300])
def test_every_pick_is_fair(size: int) -> None:
    value, rng = Hash((name, b"v") for name in names(size)), Random(5)
    ones = dict.fromkeys(value, 0)
    for _ in range(100 * size):
        ones[value.random_one(rng)] += 1
    assert_fair(list(ones.values()))
    repeated = dict.fromkeys(value, 0)
    for field in value.sample_with_repeats(rng, 100 * size):
        repeated[field] += 1
    assert_fair(list(repeated.values()))
    for count in (size // 10, size // 2):  # by drawing until distinct, and by listing
        distinct = dict.fromkeys(value, 0)
        for _ in range(1000):
            for field in value.sample_distinct(rng, count):
                distinct[field] += 1
        # Sampling without repetition varies less than the chi-square of independent draws.
        assert max(distinct.values()) - min(distinct.values()) < 8 * (1000 * count / size) ** 0.5


@pytest.mark.parametrize("size", [100, 300])
def test_pop_is_fair_and_takes_everything(size: int) -> None:
    rng = Random(6)
    first = dict.fromkeys(names(size), 0)
    for _ in range(30 * size):
        value = Set(names(size))
        first[value.pop_random(rng)] += 1
    assert_fair(list(first.values()))
    value = Set(names(size))
    assert sorted(value.pop_random(rng) for _ in range(size)) == sorted(names(size))
    assert not value
