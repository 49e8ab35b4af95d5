"""Seeded random calls of the sorted set commands, on Kedis and on real Redis: replies, data and journals agree.

ZRANDMEMBER is asked for members of a set of one, so that its answer is certain; ZSCAN for sets that it returns
whole.  Ranges of names are asked of sets whose members all have one score; for others Redis promises nothing.
No negative zero is stored: Redis keeps its sign in large sets only, Kedis never.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.commands.agreement import compare, damaged, journalling_oracle
from tests.oracle import Oracle

KEYS = ["z", "z", "y", "big", "ttl", "one", "none"]
#: What the storing commands may replace.
DESTINATIONS = ["new", "y", "ttl", "text"]
NAMES = ["a", "b", "c", "d", "e", "f", "", "\0\xff", "m5", "m77"]
SCORES = ["0", "1", "2", "2.5", "-1", "1e3", "0.1", "0.2", "3.0000000000000004", "inf", "-inf", "+inf"]
SCORES += ["17", "9007199254740993", "1e-320", "0x10", "1e17", "123456789.123456789"]
BAD_SCORES = ["x", "", "nan", " 1", "1 ", "1e400", "1_0", "(1", "-nan", "1e-400"]
WEIGHTS = ["1", "2", "0.5", "3e5", "inf"]
SCORE_BOUNDS = ["0", "1", "(1", "2", "(2", "(2.5", "-1", "-inf", "+inf", "(inf", "(-inf", "inf", "100", "-0"]
BAD_SCORE_BOUNDS = ["x", "", "(", "((1", "nan", "(nan", " 1", "[1", "+", "-", "1e400"]
NAME_BOUNDS = ["-", "+", "[a", "(a", "[c", "(c", "[", "(", "[m5", "(m77", "[zz", "(\xff", "[e", "(f"]
BAD_NAME_BOUNDS = ["a", "", "--", "-a", "+1", "1", "{a"]
RANKS = [
    "0",
    "1",
    "2",
    "3",
    "5",
    "100",
    "-1",
    "-2",
    "-3",
    "-100",
    "9223372036854775807",
    "-9223372036854775808",
]
BAD_INTEGERS = ["x", "", "1.5", "9223372036854775808", "-9223372036854775809", "+1", " 1", "01"]
COUNTS = ["1", "2", "3", "10", "0", "-1", "200", "9223372036854775807", "-9223372036854775808", "-5"]
CURSORS = ["0", "0", "0", "x", "-0", ""]

FILL = [
    "ZADD z 1 a 2 b 2 c 2.5 d -1 e",
    "ZADD y 0.1 a inf b -inf c 7 x",
    "ZADD same 0 a 0 b 0 c 0 d 0 e 0 f",
    "ZADD many " + " ".join(f"0 m{number}" for number in range(300)),
    "ZADD big " + " ".join(f"{number * 37 % 101} m{number}" for number in range(300)),
    "ZADD ttl 5 a 6 b",
    "PEXPIREAT ttl 4000000000000",
    "ZADD one 1.5 only",
    "ZADD solo 1.5 only",
    "SADD set a b c m5",
    "SET string x",
    "SET text x PXAT 4000000000000",
]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    server = journalling_oracle()
    yield server
    server.close()


class Writer:
    """Makes up calls, most of them valid."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def mostly(self, good: list[str], bad: list[str]) -> str:
        return self.random.choice(good if self.random.random() < 0.96 else bad)

    def key(self) -> str:
        return self.mostly(KEYS, ["set", "string"])

    def key_for(self, kind: str) -> str:
        return (
            self.mostly(["same", "same", "many", "missing"], ["set", "string"])
            if kind == "name"
            else self.key()
        )

    def any_key(self) -> str:
        return self.mostly([*KEYS, "same", "many", "set"], ["string"])

    def score(self) -> str:
        return self.mostly(SCORES, BAD_SCORES)

    def name(self) -> str:
        return self.random.choice(NAMES)

    def integer(self) -> str:
        return self.mostly(RANKS, BAD_INTEGERS)

    def count(self) -> str:
        return self.mostly(COUNTS, BAD_INTEGERS)

    def spelling(self, word: str) -> str:
        return self.random.choice([word, word, word.lower()])

    def some(self, options: list[str], most: int) -> list[str]:
        return [self.spelling(self.random.choice(options)) for _ in range(self.random.randint(0, most))]

    def bounds(self, kind: str) -> list[str]:
        good, bad = {
            "rank": (RANKS, BAD_INTEGERS),
            "score": (SCORE_BOUNDS, BAD_SCORE_BOUNDS),
            "name": (NAME_BOUNDS, BAD_NAME_BOUNDS),
        }[kind]
        return [self.mostly(good, bad), self.mostly(good, bad)]

    def limit(self) -> list[str]:
        return [self.spelling("LIMIT"), self.integer(), self.integer()]

    # -- the families -------------------------------------------------------------------------------------

    def zadd(self) -> list[Any]:
        options = self.some(["NX", "XX", "GT", "LT", "CH", "INCR"], 2) if self.random.random() < 0.7 else []
        pairs = 1 if self.random.random() < 0.6 else self.random.randint(1, 3)
        return [
            "ZADD",
            self.key(),
            *options,
            *(word for _ in range(pairs) for word in (self.score(), self.name())),
        ]

    def zadd_same(self) -> list[Any]:
        options = self.some(["NX", "XX", "CH"], 1)
        return ["ZADD", self.random.choice(["same", "many"]), *options, "0", self.name()]

    def zincrby(self) -> list[Any]:
        return ["ZINCRBY", self.key(), self.score(), self.name()]

    def of_members(self) -> list[Any]:
        names = [self.name() for _ in range(self.random.randint(1, 3))]
        return [self.random.choice(["ZREM", "ZMSCORE"]), self.any_key(), *names]

    def of_a_member(self) -> list[Any]:
        return [self.random.choice(["ZSCORE", "ZRANK", "ZREVRANK"]), self.key(), self.name()]

    def of_a_key(self) -> list[Any]:
        return ["ZCARD", self.key()]

    def zpop(self) -> list[Any]:
        count = [] if self.random.random() < 0.5 else [self.count()]
        return [self.random.choice(["ZPOPMIN", "ZPOPMAX"]), self.key(), *count]

    def zmpop(self) -> list[Any]:
        keys = [self.key() for _ in range(self.random.randint(1, 3))]
        count = [self.spelling("COUNT"), self.count()] if self.random.random() < 0.6 else []
        side = self.spelling(self.mostly(["MIN", "MAX"], ["MID", "COUNT"]))
        return ["ZMPOP", self.number_of(keys), *keys, side, *count]

    def number_of(self, keys: list[str]) -> str:
        return self.mostly([str(len(keys))], ["0", "-1", "x", "9", "9223372036854775807", str(len(keys) + 1)])

    def zrandmember(self) -> list[Any]:
        key = self.mostly(["solo", "solo", "missing"], ["string", "set"])
        count = self.mostly(
            ["0", "1", "-3", "5", "-9223372036854775808", "9223372036854775807"], BAD_INTEGERS
        )
        scores = self.some(["WITHSCORES", "WITHSCORES", "WITHSCORES", "NONSENSE"], 1)
        return ["ZRANDMEMBER", key, *([] if self.random.random() < 0.2 else [count, *scores])]

    def zrange(self) -> list[Any]:
        kind = self.random.choice(["rank", "score", "name"])
        by = {"rank": [], "score": ["BYSCORE"], "name": ["BYLEX"]}[kind]
        options = [[self.spelling(word)] for word in by]
        options += [["REV"]] * (self.random.random() < 0.4)
        options += [self.limit()] * (self.random.random() < (0.1 if kind == "rank" else 0.5))
        options += [["WITHSCORES"]] * (self.random.random() < (0.1 if kind == "name" else 0.4))
        if self.random.random() < 0.1:
            options += [[self.random.choice(["BYSCORE", "BYLEX", "REV", "WITHSCORES", "NONSENSE", "LIMIT"])]]
        self.random.shuffle(options)
        words = [self.key_for(kind), *self.bounds(kind), *(word for option in options for word in option)]
        if self.random.random() < 0.3:
            if self.random.random() < 0.8:
                words = [word for word in words if word != "WITHSCORES"]
            return ["ZRANGESTORE", self.random.choice(DESTINATIONS), *words]
        return ["ZRANGE", *words]

    def old_ranges(self) -> list[Any]:
        kind, name = self.random.choice(
            [
                ("rank", "ZREVRANGE"),
                ("score", "ZRANGEBYSCORE"),
                ("score", "ZREVRANGEBYSCORE"),
                ("name", "ZRANGEBYLEX"),
                ("name", "ZREVRANGEBYLEX"),
            ]
        )
        scores = ["WITHSCORES"] * (self.random.random() < (0.1 if kind == "name" else 0.4))
        limit = self.limit() if self.random.random() < (0.1 if kind == "rank" else 0.5) else []
        more = self.some(["REV", "BYSCORE", "BYLEX", "NONSENSE"], 1) if self.random.random() < 0.1 else []
        return [name, self.key_for(kind), *self.bounds(kind), *scores, *limit, *more]

    def counts(self) -> list[Any]:
        kind, name = self.random.choice([("score", "ZCOUNT"), ("name", "ZLEXCOUNT")])
        return [name, self.key_for(kind), *self.bounds(kind)]

    def removals(self) -> list[Any]:
        kind = self.random.choice(["rank", "score", "name"])
        name = {"rank": "ZREMRANGEBYRANK", "score": "ZREMRANGEBYSCORE", "name": "ZREMRANGEBYLEX"}[kind]
        return [name, self.key_for(kind), *self.bounds(kind)]

    def algebra(self) -> list[Any]:
        name = self.random.choice(["ZUNION", "ZINTER", "ZDIFF"])
        storing = self.random.random() < 0.5
        keys = [self.any_key() for _ in range(self.random.randint(1, 4))]
        options: list[list[str]] = []
        if self.random.random() < (0.1 if name == "ZDIFF" else 0.7):
            scores = WEIGHTS if storing else [*SCORES, "-0"]
            weights = [
                self.mostly(scores, BAD_SCORES) for _ in range(len(keys) - (self.random.random() < 0.05))
            ]
            options.append([self.spelling("WEIGHTS"), *weights])
        if self.random.random() < (0.1 if name == "ZDIFF" else 0.6):
            how = self.spelling(self.mostly(["SUM", "MIN", "MAX"], ["AVG", ""]))
            options.append([self.spelling("AGGREGATE"), how])
        if self.random.random() < (0.05 if storing else 0.5):
            options.append([self.spelling("WITHSCORES")])
        self.random.shuffle(options)
        start = [name + "STORE", self.random.choice(DESTINATIONS)] if storing else [name]
        return [*start, self.number_of(keys), *keys, *(word for option in options for word in option)]

    def zintercard(self) -> list[Any]:
        keys = [self.any_key() for _ in range(self.random.randint(1, 3))]
        limit = [self.spelling("LIMIT"), self.count()] if self.random.random() < 0.6 else []
        return ["ZINTERCARD", self.number_of(keys), *keys, *limit]

    def zscan(self) -> list[Any]:
        key = self.mostly(["z", "same", "one", "solo", "missing"], ["string", "set"])
        options = [
            ["MATCH", "*"],
            ["match", "[a-c]"],
            ["COUNT", "1"],
            ["COUNT", "0"],
            ["MATCH"],
            ["TYPE", "zset"],
        ]
        chosen = [self.random.choice(options) for _ in range(self.random.randint(0, 2))]
        return ["ZSCAN", key, self.random.choice(CURSORS), *(word for option in chosen for word in option)]

    def keyspace(self) -> list[Any]:
        if self.random.random() < 0.2:
            return ["DEL", self.random.choice(["z", "y", "same", "one", "new"])]
        return [self.random.choice(["TYPE", "PEXPIRETIME"]), self.random.choice([*KEYS, *DESTINATIONS])]

    def call(self) -> list[Any]:
        if self.random.random() < 0.2:
            return self.zadd()
        members = [self.zadd_same, self.zincrby, self.of_members, self.of_a_member, self.of_a_key]
        taking = [self.zpop, self.zmpop, self.removals]
        looking = [self.zrange, self.zrange, self.old_ranges, self.counts, self.zrandmember, self.zscan]
        several = [self.zrange, self.algebra, self.algebra, self.zintercard]
        families = [*members, *taking, *looking, *several, self.keyspace]
        return self.random.choice(families)()


def random_call(random: Random) -> list[Any]:
    return damaged(random, Writer(random).call())


@pytest.mark.parametrize("seed", range(6))
def test_random_calls_agree(oracle: Oracle, seed: int) -> None:
    compare(oracle, seed, 1500, random_call, FILL)
