"""Random commands on sets and hashes, valid and not, run on Kedis and on Redis: replies and data must agree.

A random choice is compared by its size, and then Kedis is given what Redis chose.  Members that have no order
are compared sorted.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from kedis.commands import load_all
from kedis.engine.table import COMMANDS
from tests.commands.driver import Client, recorder_of
from tests.oracle import Oracle, oracle, oracle3  # noqa: F401

SETS = ["s1", "s2", "s3"]
HASHES = ["h1", "h2"]
KEYS = [*SETS, *HASHES, "str", "missing"]
WORDS = ["a", "b", "c", "d", "1", "2", "", "\0\xff"]
INTEGERS = ["0", "1", "-1", "7", "x", "", " 1", "1.5", "9223372036854775807", "-9223372036854775808", "+1"]
FLOATS = ["0", "1.5", "-0.1", "3e2", "1e400", "inf", "-inf", "nan", "x", "", " 1", "1e-10", "0x1p3", "1e4932"]
COUNTS = ["0", "1", "2", "3", "100", "x", "-1", "9223372036854775808", "-9223372036854775808"]
CURSORS = ["0", "-0", "", "x", " 0", "18446744073709551616"]
OPTIONS = [
    ["MATCH", "*"],
    ["match", "[a-b]"],
    ["COUNT", "100"],
    ["COUNT", "0"],
    ["COUNT", "x"],
    ["MATCH"],
    ["TYPE", "set"],
]

load_all()
#: Every command of the two groups, those that fill more often.
SET_COMMANDS = [row.name.upper() for row in COMMANDS.values() if row.group == "set"] + ["SADD"] * 4
HASH_COMMANDS = [row.name.upper() for row in COMMANDS.values() if row.group == "hash"] + ["HSET"] * 2
UNORDERED = ("SMEMBERS", "SINTER", "SUNION", "SDIFF", "SSCAN", "HSCAN", "HGETALL", "HKEYS", "HVALS")


class Writer:
    """Makes up commands."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)

    def key(self, usual: list[str]) -> str:
        return self.rng.choice(usual if self.rng.random() < 0.85 else KEYS)

    def some(self, words: list[str], most: int = 4) -> list[str]:
        return self.rng.choices(words, k=self.rng.randint(1, most))

    def keys(self) -> list[str]:
        return [self.key(SETS) for _ in range(self.rng.randint(1, 3))]

    def command(self) -> list[str]:
        choose = self.rng.choice
        if self.rng.random() < 0.02:
            return ["DEL", choose([*SETS, *HASHES])]
        name = choose([*SET_COMMANDS, *HASH_COMMANDS])
        words = (self.set_words if name in SET_COMMANDS else self.hash_words)(name)
        if self.rng.random() < 0.03:
            words = words[: self.rng.randint(0, len(words))]
        return [name, *words]

    def set_words(self, name: str) -> list[str]:
        choose, key = self.rng.choice, self.key(SETS)
        if name in ("SADD", "SREM", "SMISMEMBER"):
            return [key, *self.some(WORDS)]
        if name == "SISMEMBER":
            return [key, choose(WORDS)]
        if name == "SMOVE":
            return [key, self.key(SETS), choose(WORDS)]
        if name in ("SPOP", "SRANDMEMBER"):
            return [key, *choose([[], [choose(COUNTS)], [choose(COUNTS)], ["1", "2"]])]
        if name in ("SINTER", "SUNION", "SDIFF"):
            return self.keys()
        if name.endswith("STORE"):
            return [key, *self.keys()]
        if name == "SINTERCARD":
            limit = choose([[], ["LIMIT", choose(INTEGERS)], ["LIMIT"], ["LIMIT", "1", "LIMIT", "0"]])
            keys = self.keys()
            return [choose([str(len(keys)), str(len(keys)), "0", "2", "x", "-1"]), *keys, *limit]
        if name == "SSCAN":
            return [key, choose(CURSORS), *choose([[], choose(OPTIONS), choose(OPTIONS) + choose(OPTIONS)])]
        return [key]

    def hash_words(self, name: str) -> list[str]:
        choose, key = self.rng.choice, self.key(HASHES)
        if name in ("HSET", "HMSET"):
            return [
                key,
                *(word for field in self.some(WORDS, 3) for word in (field, choose(INTEGERS + FLOATS))),
            ]
        if name == "HSETNX":
            return [key, choose(WORDS), choose(INTEGERS)]
        if name in ("HDEL", "HMGET"):
            return [key, *self.some(WORDS)]
        if name in ("HGET", "HEXISTS", "HSTRLEN"):
            return [key, choose(WORDS)]
        if name == "HINCRBY":
            return [key, choose(WORDS), choose(INTEGERS)]
        if name == "HINCRBYFLOAT":
            return [key, choose(WORDS), choose(FLOATS)]
        if name == "HRANDFIELD":
            values = choose([[], ["WITHVALUES"], ["NONSENSE"]])
            return [key, *choose([[], [choose(COUNTS), *values]])]
        if name == "HSCAN":
            return [key, choose(CURSORS), *choose([[], choose(OPTIONS), choose(OPTIONS) + choose(OPTIONS)])]
        return [key]


def comparable(words: list[str], reply: Any) -> Any:
    """A reply in a form in which two right ones are equal."""
    name = words[0]
    if name in ("SRANDMEMBER", "HRANDFIELD") and len(words) < 3:
        return reply if isinstance(reply, Exception) else reply is None
    if name in ("SRANDMEMBER", "HRANDFIELD", "SPOP") and isinstance(reply, list):
        return [len(reply), [type(element) for element in reply]]
    if name == "SPOP":
        return reply if isinstance(reply, Exception) else reply is None
    if name in UNORDERED and isinstance(reply, list):
        return sorted(sorted(part) if isinstance(part, list) else [part] for part in reply)
    return reply


def follow(client: Client, key: str, mine: Any, theirs: Any) -> None:
    """After an SPOP: make the set of Kedis what that of Redis has become."""
    mine, theirs = ([reply] if isinstance(reply, bytes) else reply for reply in (mine, theirs))
    client.call("SADD", key, *mine)
    client.call("SREM", key, *theirs)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("protocol", [2, 3])
def test_random_commands(protocol: int, seed: int, request: pytest.FixtureRequest) -> None:
    redis: Oracle = request.getfixturevalue("oracle" if protocol == 2 else "oracle3")
    redis.call("FLUSHALL")
    redis.call("CONFIG", "SET", "hash-max-listpack-value", 10000)  # so that HSCAN answers all at once
    redis.call("SET", "str", "x")
    client = Client(resp=protocol)
    client.state.db.set_value(b"str", b"x")
    writer = Writer(seed)
    for _ in range(2500):
        words = writer.command()
        theirs = redis.call(*words)
        mine = client.call(*words)
        assert comparable(words, mine) == comparable(words, theirs), words
        if words[0] == "SPOP" and not isinstance(mine, Exception) and mine is not None:
            follow(client, words[1], mine, theirs)
    for words in ([name, key] for key in KEYS for name in ("TYPE", "SMEMBERS", "HGETALL")):
        assert comparable(words, client.call(*words)) == comparable(words, redis.call(*words))
    client.state.db.check()


def test_redis_replays_the_journal(request: pytest.FixtureRequest) -> None:
    redis: Oracle = request.getfixturevalue("oracle")
    redis.call("FLUSHALL")
    client, writer = Client(), Writer(5)
    for _ in range(3000):
        client.call(*writer.command())
    for _, argv in recorder_of(client.engine).entries:
        assert not isinstance(redis.call(*argv), Exception), argv
    for words in ([name, key] for key in KEYS for name in ("TYPE", "SMEMBERS", "HGETALL")):
        assert comparable(words, client.call(*words)) == comparable(words, redis.call(*words))
