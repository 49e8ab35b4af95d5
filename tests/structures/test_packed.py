"""Packed collections: random operations around every threshold, against a model, and against Redis."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from kedis.structures import COMPILED
from kedis.structures.packed import Hash, List, Set, SortedSet
from kedis.structures.packing import Thresholds, is_integer
from kedis.structures.sorted_set import ADDED, MOVED, UNCHANGED
from tests.commands.driver import Client
from tests.oracle import Oracle

#: On both sides of every bound of the spelling of a word.
TEXTS = [
    *(b"", b"0", b"-0", b"00", b"-", b"+1", b" 1", b"1 ", b"1e3", b"a", b"\xff", b"\x00"),
    *(
        b"%d" % (sign * (1 << power) + off)
        for power in (7, 12, 15, 23, 31, 63)
        for sign in (1, -1)
        for off in (-1, 0, 1)
    ),
    *(
        bytes([97 + size % 7]) * size
        for size in (1, 10, 62, 63, 64, 65, 125, 126, 127, 128, 4095, 4096, 20_000)
    ),
]
ENTRIES, LONGEST = (1, 3, 20, 128), (1, 10, 64, 30_000)


def thresholds_of(rng: random.Random) -> Thresholds:
    return Thresholds(rng.choice(ENTRIES), rng.choice(LONGEST))


def texts(rng: random.Random) -> list[bytes]:
    few = [b"%d" % rng.randrange(-(10**digits), 10**digits) for digits in range(1, 19)]
    return rng.sample(TEXTS, 15) + rng.sample(few, 10)


@pytest.mark.parametrize("seed", range(60))
def test_a_hash_does_what_a_dict_does(seed: int) -> None:
    rng = random.Random(seed)
    some, limits = texts(rng), thresholds_of(rng)
    value, model, packed = Hash(), dict[bytes, bytes](), True
    value.packed = limits
    for _ in range(150):
        field, text = rng.choice(some), rng.choice(some)
        chance = rng.random()
        if chance < 0.5:
            assert value.put(field, text) == (field not in model)
            model[field] = text
            packed &= len(model) <= limits.entries and max(len(field), len(text)) <= limits.longest
        elif chance < 0.6:
            fields = rng.sample(some, 4)
            assert value.put_many(fields, some[:4]) == len(set(fields) - set(model))
            model.update(zip(fields, some[:4], strict=True))
            packed &= len(model) <= limits.entries and max(map(len, fields + some[:4])) <= limits.longest
        elif chance < 0.9:
            assert value.remove(field) == (field in model)
            model.pop(field, None)
        else:
            twin = value.copy()
            value.remove_many(some)
            value._check()
            assert len(value) == 0
            value = twin
        value._check()
        assert (value.packed is not None) == packed
        assert len(value) == len(model) and list(value) == list(model)
        assert list(value.items()) == list(model.items()) and list(value.values()) == list(model.values())
        assert value.as_dict() == model
        for each in some:
            assert value.get(each) == model.get(each) and (each in value) == (each in model)


@pytest.mark.parametrize("seed", range(60))
def test_a_set_does_what_a_set_does(seed: int) -> None:
    rng = random.Random(seed)
    some, limits = texts(rng), thresholds_of(rng)
    if seed % 2:
        some = [text for text in some if is_integer(text)] + [b"text"] * (seed % 4 == 1)
    value, model, packed = Set(), set[bytes](), True
    value.packed = limits
    for _ in range(150):
        member = rng.choice(some)
        chance = rng.random()
        if chance < 0.55:
            new = member not in model
            assert value.insert(member) == new
            model.add(member)
            packed &= not new or (len(model) <= limits.entries and is_integer(member))
        elif chance < 0.9:
            assert value.remove_member(member) == (member in model)
            model.discard(member)
        elif chance < 0.95 and model:
            popped = value.pop_random(rng)
            assert popped in model
            model.remove(popped)
        else:
            value = value.copy()
        value._check()
        assert (value.packed is not None) == packed
        assert value.as_set() == model and set(value) == model and len(value) == len(model)
        assert all((each in value) == (each in model) for each in some)
        assert sorted(value.scan(0, 1000)[1]) == sorted(model)


@pytest.mark.parametrize("make", [lambda: Hash([(b"a", b"1")]), lambda: Set([b"a"]), lambda: Set([b"1"])])
def test_a_choice_converts_in_both_directions(make: Callable[[], Any]) -> None:
    value = make()
    content = list(value)
    value.choose(Thresholds(0, 0))
    assert value.packed is None and list(value) == content
    value._check()
    value.choose(Thresholds(1, 64))
    assert (value.packed is None) == (content == [b"a"] and isinstance(value, Set))
    assert list(value) == content
    value._check()


@pytest.mark.skipif(not COMPILED, reason="Python keeps the full structure")
def test_a_small_collection_takes_little() -> None:
    hash_ = Hash((b"field:%d" % number, b"value:%d" % number) for number in range(10))
    integers = Set(b"%d" % (1000 * number) for number in range(10))
    words = Set(b"member:%d" % number for number in range(10))
    assert hash_.footprint <= 300 and integers.footprint <= 130 and words.footprint <= 200
    for value in (hash_, integers, words):
        assert value.index is None


COMMANDS: list[Callable[[random.Random, list[bytes]], list[bytes]]] = [
    lambda rng, some: [b"HSET", b"h", rng.choice(some), rng.choice(some)],
    lambda rng, some: [b"HSET", b"h", rng.choice(some), b"x", rng.choice(some), b"7"],
    lambda rng, some: [b"HDEL", b"h", rng.choice(some), rng.choice(some)],
    lambda rng, some: [b"SADD", b"s", rng.choice(some), rng.choice(some)],
    lambda rng, some: [b"SREM", b"s", rng.choice(some)],
    lambda rng, some: [b"SADD", b"i", b"%d" % rng.randrange(-40, 40)],
    lambda rng, some: [b"SADD", b"i", b"%d" % rng.randrange(-(1 << 40), 1 << 40)],
    lambda rng, some: [b"SREM", b"i", b"%d" % rng.randrange(-40, 40)],
    lambda rng, some: [b"COPY", rng.choice([b"h", b"s", b"i", b"z"]), b"copy", b"REPLACE"],
    lambda rng, some: [b"SUNIONSTORE", b"u", b"i", b"s"],
    lambda rng, some: [b"SDIFFSTORE", b"u", b"i", b"s"],
    lambda rng, some: [b"HINCRBY", b"h", b"7", b"1"],
    lambda rng, some: [b"SMOVE", b"s", b"i", rng.choice(some)],
    lambda rng, some: [b"ZADD", b"z", rng.choice([b"1", b"2.5", b"-7", b"1e17", b"0.1"]), rng.choice(some)],
    lambda rng, some: [rng.choice([b"LPUSH", b"RPUSH"]), b"l", rng.choice(some), rng.choice(some)],
    lambda rng, some: [rng.choice([b"LPOP", b"RPOP"]), b"l"],
    lambda rng, some: [b"LINSERT", b"l", b"AFTER", rng.choice(some), rng.choice(some)],
    lambda rng, some: [b"LSET", b"l", b"%d" % rng.randrange(-3, 3), rng.choice(some)],
    lambda rng, some: [b"LREM", b"l", b"%d" % rng.randrange(-2, 3), rng.choice(some)],
    lambda rng, some: [b"LTRIM", b"l", b"1", b"8"],
    lambda rng, some: [b"LRANGE", b"l", b"%d" % rng.randrange(-5, 5), b"%d" % rng.randrange(-5, 5)],
    lambda rng, some: [b"LPOS", b"l", rng.choice(some), b"COUNT", b"0"],
    lambda rng, some: [b"LMOVE", b"l", b"l", b"LEFT", b"RIGHT"],
    lambda rng, some: [b"ZADD", b"z", b"3", rng.choice(some), b"4", rng.choice(some)],
    lambda rng, some: [b"ZINCRBY", b"z", b"1.5", rng.choice(some)],
    lambda rng, some: [b"ZREM", b"z", rng.choice(some), rng.choice(some)],
    lambda rng, some: [b"ZPOPMIN", b"z"],
    lambda rng, some: [b"ZRANGEBYSCORE", b"z", b"(1", b"+inf", b"WITHSCORES"],
    lambda rng, some: [b"ZRANGE", b"z", b"0", b"-1", b"WITHSCORES"],
    lambda rng, some: [b"ZREVRANK", b"z", rng.choice(some)],
    lambda rng, some: [b"ZRANGESTORE", b"zz", b"z", b"0", b"3"],
    lambda rng, some: [b"ZUNIONSTORE", b"zz", b"2", b"z", b"s"],
    lambda rng, some: [b"SORT", b"i", b"ALPHA", b"STORE", b"sorted"],
]


@pytest.mark.parametrize("seed", range(6))
def test_replies_encodings_and_dumps_are_those_of_redis(oracle: Oracle, seed: int) -> None:
    rng = random.Random(seed)
    kedis = Client()
    settings = [
        "hash-max-listpack-entries",
        "5",
        "hash-max-listpack-value",
        "64",
        "set-max-intset-entries",
        "6",
    ]
    for server in (kedis, oracle):
        server.call("FLUSHALL")
        server.call("CONFIG", "SET", *settings, "rdbcompression", "no")
    some = texts(rng)
    for step in range(250):
        words = rng.choice(COMMANDS)(rng, some)
        assert kedis.call(*words) == oracle.call(*words), words
        for key in (b"h", b"s", b"i", b"u", b"z", b"zz", b"copy"):
            encoding = oracle.call("OBJECT", "ENCODING", key)
            assert kedis.call("OBJECT", "ENCODING", key) == encoding, (step, words, key)
            if encoding == b"listpack" or (encoding == b"intset" and COMPILED):  # Python narrows an intset
                assert kedis.call("DUMP", key) == oracle.call("DUMP", key), (step, words, key)
        for read in (
            ("HGETALL", "h"),
            ("SMEMBERS", "s"),
            ("SMEMBERS", "i"),
            ("SMEMBERS", "u"),
            ("LRANGE", "l", 0, -1),
        ):
            assert sorted(kedis.call(*read)) == sorted(oracle.call(*read)), (step, words)
        if rng.random() < 0.03:
            for server in (kedis, oracle):
                server.call("DEL", "h", "s", "i", "z")


SCORES = [0.0, 1.0, -1.0, 0.1, 2.5, 1e300, -1e-300, float("inf"), float("-inf")]


@pytest.mark.parametrize("seed", range(60))
def test_a_sorted_set_does_what_a_sorted_dict_does(seed: int) -> None:
    rng = random.Random(seed)
    some, limits = texts(rng), thresholds_of(rng)
    value, model, packed = SortedSet(), dict[bytes, float](), True
    value.packed = limits
    for _ in range(120):
        member, score = rng.choice(some), rng.choice(SCORES)
        chance = rng.random()
        if chance < 0.6:
            new = member not in model
            expected = ADDED if new else UNCHANGED if model[member] == score else MOVED
            assert value.put(member, score) == expected
            model[member] = score
            packed &= not new or (len(model) <= limits.entries and len(member) <= limits.longest)
        elif chance < 0.85:
            assert value.remove(member) == (member in model)
            model.pop(member, None)
        elif chance < 0.92:
            start, stop = sorted((rng.randrange(-2, 12), rng.randrange(-2, 12)))
            for gone, _ in value.remove_range(start, stop):
                del model[gone]
        else:
            value = value.copy()
        value._check()
        assert (value.packed is not None) == packed
        order = sorted(model.items(), key=lambda pair: (pair[1], pair[0]))
        assert list(value.items()) == order and list(value) == [name for name, _ in order]
        assert value.scores == model and len(value) == len(model)
        for rank, (name, each) in enumerate(order):
            assert value.rank(name) == rank and value.rank(name, True) == len(order) - 1 - rank
            assert value.score(name) == each and value.at(rank) == (name, each) and name in value
        start, stop = rng.randrange(-1, len(model) + 2), rng.randrange(-1, len(model) + 2)
        forward = order[max(start, 0) : max(stop, 0)]
        assert value.slice(start, stop) == forward
        assert value.members(start, stop) == [name for name, _ in forward]
        backward = order[::-1][max(start, 0) : max(stop, 0)]
        assert value.slice(start, stop, reverse=True) == backward
        members, scores = value.columns(start, stop, reverse=True)
        assert list(zip(members, scores, strict=True)) == backward
        low, high = sorted(rng.choices(SCORES, k=2))
        first, last = value.rank_range_by_score(low, True, high, False)
        assert [each for _, each in order[first:last]] == [each for _, each in order if low < each <= high]


@pytest.mark.parametrize("seed", range(30))
def test_a_sorted_set_made_at_once(seed: int) -> None:
    rng = random.Random(seed)
    scores = {text: rng.choice(SCORES) for text in texts(rng) if len(text) < rng.choice([65, 10_000])}
    value = SortedSet.from_scores(dict(scores))
    value._check()
    assert value.scores == scores
    twin = SortedSet.from_columns(*value.columns(0, len(value)))
    assert list(twin.items()) == list(value.items())
    equal = SortedSet.from_scores(dict.fromkeys(scores, 1.0))
    low, high = sorted(rng.sample(sorted(scores), 2))
    for first in (True, False):
        for last in (True, False):
            start, stop = equal.rank_range_by_lex(low, first, high, last)
            found = equal.members(start, stop)
            expected = [
                name
                for name in sorted(scores)
                if (name > low if first else name >= low) and (name < high if last else name <= high)
            ]
            assert found == expected


@pytest.mark.parametrize("seed", range(60))
def test_a_list_does_what_a_list_does(seed: int) -> None:
    rng = random.Random(seed)
    some = texts(rng)
    if seed % 2:
        some = [text for text in some if len(text) < 200]
    value, model = List(), list[bytes]()
    for _ in range(200):
        text, at = rng.choice(some), rng.randrange(-3, len(model) + 3)
        chance = rng.randrange(12)
        if chance < 2:
            value.push_left(text)
            model.insert(0, text)
        elif chance < 4:
            value.push_right(text)
            model.append(text)
        elif chance == 4:
            few = rng.sample(some, 3)
            value.push_left_many(few)
            model[:0] = few[::-1]
            value.push_right_many(few)
            model += few
        elif chance == 5 and model:
            assert value.pop_left() == model.pop(0)
        elif chance == 6 and model:
            assert value.pop_right() == model.pop()
        elif chance == 7:
            assert value.pop_left_many(2) == model[:2]
            del model[:2]
            taken = value.pop_right_many(2)
            assert taken == model[-1:-3:-1]
            del model[-2:]
        elif chance == 8 and -len(model) <= at < len(model):
            value.replace(at, text)
            model[at] = text
        elif chance == 9 and 0 <= at <= len(model):
            value.insert(at, text)
            model.insert(at, text)
        elif chance == 10:
            count = rng.randrange(-2, 3)
            places = [place for place, each in enumerate(model) if each == text]
            places = places[:count] if count > 0 else places[count:]
            assert value.discard(text, count) == len(places)
            for place in reversed(places):
                del model[place]
        elif rng.random() < 0.2:
            start, stop = sorted((rng.randrange(len(model) + 1), rng.randrange(len(model) + 1)))
            value.trim(start, stop)
            model = model[start:stop]
        else:
            value = value.copy()
        value._check()
        assert list(value) == model and len(value) == len(model) and list(reversed(value)) == model[::-1]
        start, stop = sorted((rng.randrange(len(model) + 1), rng.randrange(len(model) + 1)))
        assert value.slice(start, stop) == model[start:stop]
        assert all(value[place] == model[place] for place in range(-len(model), len(model)))
        reach = rng.randrange(len(model) + 1)
        places = [place for place, each in enumerate(model) if each == text]
        assert list(value.positions(text, reach)) == [place for place in places if place < reach]
        from_tail = [place for place in reversed(places) if place >= len(model) - reach]
        assert list(value.positions_from_tail(text, reach)) == from_tail
        if text in model:
            assert value.index(text) == model.index(text) and text in value


def test_a_list_that_outgrows_its_buffer_is_a_deque() -> None:
    for count, size in ((300, 1), (30, 500), (2, 10_000)):
        value = List()
        elements = [b"%d" % number * size for number in range(count)]
        for element in elements:
            value.push_right(element)
            value._check()
        assert list(value) == elements and list(List(elements)) == elements
        assert value.footprint > sum(map(len, elements))
        while len(value) > 1:
            assert value.pop_left() == elements[-len(value) - 1]
        assert value.pop_right() == elements[-1]
        with pytest.raises(IndexError):
            value.pop_left()
