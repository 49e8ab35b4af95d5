"""The sorted set against a dict that is sorted anew for every question."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedis.structures import skiplist
from kedis.structures.sorted_set import UNINDEXED_MAX, SortedSet
from tests.structures.both import SMALL_BLOCKS, each_form, shape

form = each_form(__name__)

INF = float("inf")


def in_order(scores: dict[bytes, float]) -> list[tuple[bytes, float]]:
    return sorted(scores.items(), key=lambda pair: (pair[1], pair[0]))


def numbered(count: int) -> dict[bytes, float]:
    return {b"%06d" % number: float(number) for number in range(count)}


def scan_all(subject: SortedSet, count: int) -> list[tuple[bytes, float]]:
    cursor, found = subject.scan(0, count)
    while cursor:
        cursor, more = subject.scan(cursor, count)
        found += more
    return found


scores_drawn = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, INF, -INF]), st.integers(-5, 5).map(float), st.floats(allow_nan=False)
)
members_drawn = st.binary(max_size=3)
dicts_drawn = st.dictionaries(members_drawn, scores_drawn, max_size=60)


@pytest.fixture
def small_blocks() -> Iterator[None]:
    """Blocks of at most 8 elements and towers on half of them."""
    with shape(skiplist, **SMALL_BLOCKS):
        yield


def random_step(subject: SortedSet, model: dict[bytes, float], rng: random.Random, universe: int) -> None:
    member = b"%d" % rng.randrange(universe)
    action = rng.random()
    if action < 0.55:
        score = float(rng.randrange(universe // 4)) if action < 0.3 else rng.uniform(-1, 1)
        assert subject.add(member, score) == (member not in model)
        model[member] = score
    elif action < 0.9:
        assert subject.remove(member) == (model.pop(member, None) is not None)
    elif action < 0.94:
        ordered = in_order(model)
        assert subject.pop_min(2) == ordered[:2]
        for gone, _ in ordered[:2]:
            del model[gone]
    elif action < 0.98:
        ordered = in_order(model)[::-1]
        assert subject.pop_max(1) == ordered[:1]
        for gone, _ in ordered[:1]:
            del model[gone]
    else:
        start = rng.randrange(-2, len(model) + 2)
        ordered = in_order(model)
        taken = subject.remove_range(start, start + 5)
        assert taken == ordered[max(start, 0) : start + 5]
        for gone, _ in taken:
            del model[gone]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("universe", [12, 100, 600])
def test_random_operations_agree_with_the_model(universe: int) -> None:
    rng = random.Random(universe)
    subject, model = SortedSet(), dict[bytes, float]()
    for step in range(4000):
        random_step(subject, model, rng, universe)
        subject._check()
        if step % 20 == 0:
            ordered = in_order(model)
            assert list(subject.items()) == ordered
            assert (len(subject), subject.scores) == (len(model), model)
            for rank in rng.sample(range(len(ordered)), min(3, len(ordered))):
                assert subject.rank(ordered[rank][0]) == rank
                assert subject.rank(ordered[rank][0], reverse=True) == len(ordered) - 1 - rank


@given(dicts_drawn, st.integers(-3, 70), st.integers(-3, 70))
def test_slices(scores: dict[bytes, float], start: int, stop: int) -> None:
    subject = SortedSet.from_scores(dict(scores))
    subject._check()
    ordered = in_order(scores)
    for reverse in (False, True):
        expected = (ordered[::-1] if reverse else ordered)[max(start, 0) : max(stop, 0)]
        assert subject.slice(start, stop, reverse) == expected
        assert subject.members(start, stop, reverse) == [member for member, _ in expected]


@given(dicts_drawn, scores_drawn, st.booleans(), scores_drawn, st.booleans())
def test_ranks_between_scores(
    scores: dict[bytes, float], low: float, low_exclusive: bool, high: float, high_exclusive: bool
) -> None:
    subject = SortedSet.from_scores(dict(scores))
    start, stop = subject.rank_range_by_score(low, low_exclusive, high, high_exclusive)
    assert start <= stop
    assert subject.slice(start, stop) == [
        (member, score)
        for member, score in in_order(scores)
        if (score > low or (score == low and not low_exclusive))
        and (score < high or (score == high and not high_exclusive))
    ]


@given(
    st.sets(members_drawn, max_size=60),
    st.none() | members_drawn,
    st.booleans(),
    st.none() | members_drawn,
    st.booleans(),
)
def test_ranks_between_members(
    members: set[bytes], low: bytes | None, low_exclusive: bool, high: bytes | None, high_exclusive: bool
) -> None:
    subject = SortedSet.from_scores(dict.fromkeys(members, 0.0))
    start, stop = subject.rank_range_by_lex(low, low_exclusive, high, high_exclusive)
    assert start <= stop
    assert subject.members(start, stop) == [
        member
        for member in sorted(members)
        if (low is None or member > low or (member == low and not low_exclusive))
        and (high is None or member < high or (member == high and not high_exclusive))
    ]


@given(st.dictionaries(members_drawn, scores_drawn), members_drawn, members_drawn)
def test_lex_bounds_on_unequal_scores_give_a_valid_range(
    scores: dict[bytes, float], low: bytes, high: bytes
) -> None:
    start, stop = SortedSet.from_scores(dict(scores)).rank_range_by_lex(low, False, high, False)
    assert 0 <= start <= stop <= len(scores)


@settings(max_examples=50)
@given(st.lists(st.tuples(members_drawn, scores_drawn), max_size=200))
def test_adding_one_by_one_equals_building_at_once(pairs: list[tuple[bytes, float]]) -> None:
    subject = SortedSet()
    for member, score in pairs:
        subject.add(member, score)
    subject._check()
    assert list(subject.items()) == list(SortedSet.from_scores(dict(pairs)).items())


def test_add_tells_new_from_known() -> None:
    subject = SortedSet()
    assert subject.add(b"a", 1.0)
    assert not subject.add(b"a", 2.0)
    assert not subject.add(b"a", 2.0)
    assert subject.score(b"a") == 2.0
    assert subject.score(b"b") is None
    assert b"a" in subject
    assert b"b" not in subject
    assert (subject.rank(b"b"), subject.rank(b"b", reverse=True)) == (None, None)
    assert not subject.remove(b"b")
    assert list(subject) == [b"a"]


def test_zero_has_no_sign_in_the_order() -> None:
    subject = SortedSet()
    subject.add(b"a", 0.0)
    subject.add(b"b", -0.0)
    subject.add(b"c", 0.0)
    assert not subject.add(b"a", -0.0)
    assert str(subject.score(b"a")) == "0.0", "an equal score changes nothing"
    assert subject.members(0, 3) == [b"a", b"b", b"c"]
    assert subject.rank_range_by_score(-0.0, False, -0.0, False) == (0, 3)
    subject._check()


def test_updates_keep_one_object_per_member() -> None:
    subject = SortedSet()
    for score in range(20):
        subject.add(b"".join([b"mem", b"ber"]), float(score))
    subject._check()


def test_equal_scores_in_many_blocks() -> None:
    members = [b"%06d" % number for number in range(5000)]
    shuffled = random.Random(3).sample(members, len(members))
    subject = SortedSet()
    for member in shuffled:
        subject.add(member, 0.0)
    subject._check()
    assert [subject.rank(member) for member in members] == list(range(5000))
    assert subject.rank_range_by_lex(b"001000", True, b"002000", False) == (1001, 2001)
    for member in shuffled[:4000]:
        subject.remove(member)
    subject._check()
    assert list(subject) == sorted(shuffled[4000:])


def test_from_scores_takes_the_dict_and_copy_does_not() -> None:
    scores = numbered(3000)
    subject = SortedSet.from_scores(scores)
    assert subject.scores is scores
    twin = subject.copy()
    assert len(twin.pop_max(2999)) == 2999
    twin.add(b"new", 0.5)
    subject.add(b"000000", 9999.0)
    subject._check()
    twin._check()
    assert list(twin.items()) == [(b"000000", 0.0), (b"new", 0.5)]
    assert len(subject) == 3000


def test_pops_of_more_than_there_is() -> None:
    subject = SortedSet.from_scores(numbered(5))
    assert subject.pop_min(0) == subject.pop_max(0) == []
    assert [member for member, _ in subject.pop_max(2)] == [b"000004", b"000003"]
    assert [member for member, _ in subject.pop_min(100)] == [b"000000", b"000001", b"000002"]
    assert subject.pop_min() == subject.pop_max() == []
    subject._check()


def test_at() -> None:
    subject = SortedSet.from_scores(numbered(2000))
    assert subject.at(1234) == (b"001234", 1234.0)
    for rank in (-1, 2000):
        with pytest.raises(IndexError):
            subject.at(rank)


def test_the_index_comes_with_size_and_goes_when_empty() -> None:
    subject = SortedSet()
    for member, score in numbered(UNINDEXED_MAX).items():
        subject.add(member, score)
    assert subject.index is None
    assert subject.scan(77, 1) == (0, list(subject.items()))
    subject.add(b"one more", 0.0)
    assert subject.index is not None
    subject._check()
    subject.remove_range(1, UNINDEXED_MAX + 1)
    assert subject.index is not None
    subject._check()
    subject.remove(b"000000")
    assert subject.index is None
    subject._check()
    large = SortedSet.from_scores(numbered(UNINDEXED_MAX + 1))
    assert large.index is not None
    assert large.copy().index is not large.index
    large.pop_min(1000)
    assert large.index is None


def test_scan_returns_what_stays_whatever_else_changes() -> None:
    rng = random.Random(11)
    stays = numbered(1000)
    subject = SortedSet.from_scores(dict(stays))
    seen: set[bytes] = set()
    cursor, fresh = 0, 0
    while True:
        cursor, found = subject.scan(cursor, 10)
        seen.update(member for member, _ in found)
        assert all(subject.score(member) == score for member, score in found)
        if not cursor:
            break
        for _ in range(30):
            subject.add(b"fresh %d" % fresh, rng.random())
            subject.add(rng.choice(list(stays)), rng.random())
            fresh += 1
        if fresh % 300 == 0:
            for number in range(fresh):
                subject.remove(b"fresh %d" % number)
    subject._check()
    assert seen >= stays.keys()


def test_scan_goes_on_after_most_members_were_removed_at_once() -> None:
    subject = SortedSet.from_scores(numbered(4000))
    stays = {b"%06d" % number for number in range(300)}
    cursor, found = subject.scan(0, 1500)
    assert cursor
    seen = {member for member, _ in found}
    subject.remove_range(300, 4000)
    subject._check()
    while cursor:
        cursor, found = subject.scan(cursor, 10)
        seen.update(member for member, _ in found)
    assert seen >= stays


def test_scan_of_an_unchanged_set_returns_each_member_once() -> None:
    subject = SortedSet.from_scores(numbered(1000))
    assert sorted(scan_all(subject, 7)) == sorted(subject.items())


def test_random_members_are_fair() -> None:
    rng = random.Random(4)
    subject = SortedSet.from_scores(numbered(20))
    drawn = Counter(subject.random_member(rng)[0] for _ in range(20_000))
    assert len(drawn) == 20
    assert all(850 < count < 1150 for count in drawn.values())


def test_samples_are_distinct_and_fair() -> None:
    rng = random.Random(4)
    subject = SortedSet.from_scores(numbered(20))
    drawn: Counter[bytes] = Counter()
    for _ in range(4000):
        sample = subject.sample(5, rng)
        assert len(dict(sample)) == 5
        drawn.update(member for member, _ in sample)
    assert all(850 < drawn[member] < 1150 for member in subject)
    assert sorted(subject.sample(50, rng)) == list(subject.items())


def test_small_sets_are_cheap(form: str) -> None:
    """Beside dict and scores, a set of 10 members costs less than 600 bytes."""
    subject = SortedSet.from_scores(numbered(10))
    ordered = subject._list
    parts: list[object] = [subject, ordered]
    if form == "python":  # the compiled list counts its parts itself
        parts += (ordered._head, ordered._head.scores, ordered._head.members)
    assert sum(map(sys.getsizeof, parts)) < 600
