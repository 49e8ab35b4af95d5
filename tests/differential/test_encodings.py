"""OBJECT ENCODING beside real Redis after every step, while CONFIG SET moves the thresholds at random.

Redis converts a value at the change that passes a threshold and never back; so the name tells of a value's whole
history, and a random one finds where ours goes another way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from kedis.persistence.saver import Saver
from kedis.rdb.crc64 import crc64
from kedis.rdb.source import encode_string
from kedis.structures import containers
from tests.differential.replies import Reply, flatten, is_error
from tests.differential.scripts import quoted
from tests.differential.servers import KedisServer, RedisServer
from tests.oracle import Oracle
from tests.rdb.test_values import ziplist

SEEDS, STEPS = 6, 700
HASHES, SETS, SORTED, STRINGS = (
    [f"{kind}:{number}".encode() for number in range(3)] for kind in ("hash", "set", "zset", "str")
)
KEYS = [*HASHES, *SETS, *SORTED, *STRINGS]
INTEGERS = [b"%d" % number for number in range(-3, 12)]
WORDS = [b"a", b"b", b"c", b"d" * 5, b"e" * 9, b"f" * 20]
TEXTS = [*INTEGERS, *WORDS, b"", b"x" * 44, b"y" * 45, b"007", b"9223372036854775807", b"9223372036854775808"]
THRESHOLDS = {
    "hash-max-listpack-entries": (0, 2, 4, 6, 512),
    "hash-max-listpack-value": (1, 5, 9, 64),
    "set-max-intset-entries": (0, 2, 4, 8, 512),
    "zset-max-listpack-entries": (0, 2, 4, 6, 128),
    "zset-max-listpack-value": (1, 5, 9, 64),
}
Words = list[bytes]


def few(rng: Random, choices: Sequence[bytes], most: int = 4) -> Words:
    return [rng.choice(choices) for _ in range(rng.randint(1, most))]


def pairs(rng: Random, firsts: Sequence[bytes], seconds: Sequence[bytes]) -> Words:
    return [word for first in few(rng, firsts) for word in (first, rng.choice(seconds))]


def hash_step(rng: Random, key: bytes) -> Words:
    fields, field = [*INTEGERS, *WORDS], rng.choice([*INTEGERS, *WORDS])
    return rng.choice(
        [
            [b"HSET", key, field, rng.choice(TEXTS)],
            [b"HSET", key, *pairs(rng, fields, [*INTEGERS, *WORDS])],
            [b"HMSET", key, *pairs(rng, fields, TEXTS)],
            [b"HSETNX", key, field, rng.choice(TEXTS)],
            [b"HINCRBY", key, field, rng.choice(INTEGERS)],
            [b"HINCRBYFLOAT", key, field, rng.choice([b"1", b"0.12345678901", b"-3"])],
            [b"HDEL", key, *few(rng, fields, 12)],
        ]
    )


def set_step(rng: Random, key: bytes) -> Words:
    members = rng.choice([INTEGERS, INTEGERS, [*INTEGERS, *WORDS]])
    return rng.choice(
        [
            [b"SADD", key, *few(rng, members)],
            [b"SADD", key, *few(rng, INTEGERS)],
            [b"SREM", key, *few(rng, [*INTEGERS, *WORDS], 12)],
            [b"SMOVE", key, rng.choice(SETS), rng.choice(members)],
            [b"SPOP", key],
            [b"SPOP", key, b"%d" % rng.randint(1, 12)],
            [
                rng.choice([b"SUNIONSTORE", b"SINTERSTORE", b"SDIFFSTORE", b"SDIFFSTORE"]),
                key,
                *few(rng, [*SETS, b"none"]),
            ],
        ]
    )


def sorted_step(rng: Random, key: bytes) -> Words:
    members = [*INTEGERS, *WORDS]
    scores = [b"1", b"2", b"3.5"]
    other = rng.choice(SORTED)
    return rng.choice(
        [
            [b"ZADD", key, *pairs(rng, scores, members)],
            [b"ZADD", key, *pairs(rng, scores, members)],
            [b"ZADD", key, rng.choice([b"NX", b"XX", b"GT"]), *pairs(rng, scores, members)],
            [b"ZINCRBY", key, b"1", rng.choice(members)],
            [b"ZREM", key, *few(rng, members, 12)],
            [b"ZPOPMIN", key, b"%d" % rng.randint(1, 4)],
            [b"ZREMRANGEBYRANK", key, b"0", b"%d" % rng.randint(0, 5)],
            [b"ZRANGESTORE", key, other, b"0", b"%d" % rng.randint(0, 9)],
            [b"ZRANGESTORE", key, other, b"1", b"3", b"BYSCORE"],
            [b"ZUNIONSTORE", key, b"2", other, rng.choice([*SORTED, *SETS])],
            [b"ZINTERSTORE", key, b"2", other, rng.choice([*SORTED, *SETS])],
            [b"ZDIFFSTORE", key, b"2", other, rng.choice(SORTED)],
            [b"GEOADD", key, b"13.36", b"38.11", rng.choice(WORDS)],
            [
                *(b"GEOSEARCHSTORE", key, other, b"FROMLONLAT", b"13", b"38"),
                *(b"BYRADIUS", b"20000", b"km", b"STOREDIST"),
            ],
        ]
    )


def string_step(rng: Random, key: bytes) -> Words:
    text, other = rng.choice(TEXTS), rng.choice(STRINGS)
    return rng.choice(
        [
            [b"SET", key, text],
            [b"SET", key, text, b"KEEPTTL"],
            [b"GETSET", key, text],
            [b"MSET", key, text, other, rng.choice(TEXTS)],
            [b"SETEX", key, b"1000", text],
            [b"SETNX", key, text],
            [b"APPEND", key, rng.choice([b"", b"1", b"z"])],
            [b"SETRANGE", key, b"%d" % rng.randint(0, 3), rng.choice([b"", b"1", b"z"])],
            [b"SETBIT", key, b"%d" % rng.randint(0, 40), b"1"],
            [b"BITFIELD", key, b"SET", b"u8", b"0", b"49"],
            [b"BITFIELD", key, b"GET", b"u8", b"0"],
            [b"BITOP", rng.choice([b"AND", b"OR"]), key, other, rng.choice(STRINGS)],
            [b"INCR", key],
            [b"DECRBY", key, b"5"],
            [b"INCRBYFLOAT", key, rng.choice([b"1", b"0.5", b"-7"])],
            [b"DEL", key],
            [b"GETDEL", key],
            [b"GETEX", key, b"PERSIST"],
            [b"GETRANGE", key, b"0", b"1"],
        ]
    )


def any_step(rng: Random, key: bytes) -> Words:
    same_kind = rng.choice([name for name in KEYS if name[:3] == key[:3]])
    return rng.choice(
        [
            [b"COPY", key, same_kind, b"REPLACE"],
            [b"RENAME", key, same_kind],
            [b"DEL", key],
            [rng.choice([b"SORT", b"SORT_RO"]), key, b"ALPHA"],
            [b"DEBUG", b"RELOAD"],
        ]
    )


def config_step(rng: Random) -> Words:
    name = rng.choice(list(THRESHOLDS))
    return [b"CONFIG", b"SET", name.encode(), b"%d" % rng.choice(THRESHOLDS[name])]


FAMILIES: list[tuple[Callable[[Random, bytes], Words], list[bytes]]] = [
    (hash_step, HASHES),
    (set_step, SETS),
    (sorted_step, SORTED),
    (string_step, STRINGS),
    (any_step, KEYS),
]


def draw(rng: Random) -> Words:
    if rng.random() < 0.1:
        return config_step(rng)
    family, keys = rng.choices(FAMILIES, weights=[4, 4, 4, 4, 1])[0]
    return family(rng, rng.choice(keys))


class Pair:
    """Kedis and Redis, told the same."""

    def __init__(self, redis: RedisServer, directory: Path) -> None:
        self.redis = redis
        self.kedis = KedisServer()
        self.kedis.engine.config.dir = str(directory)
        self.kedis.engine.snapshots = Saver(self.kedis.engine, fork=False)
        self.done: list[Words] = []
        redis.clear()
        for name, values in THRESHOLDS.items():
            self.both(b"CONFIG", b"SET", name.encode(), b"%d" % values[-1])

    def both(self, *words: bytes) -> tuple[Reply, Reply]:
        """The replies of Kedis and Redis; what Redis pops at random, Kedis pops too."""
        self.done.append(list(words))
        theirs = self.redis.call(0, words)
        popped = flatten(theirs) if words[0] == b"SPOP" and theirs[1] is not None else []

        # The classes may be compiled, and then they cannot be changed; what they call in their module can.
        with (
            patch.object(containers, "_pick", lambda _entries, _index, _rng: popped[0]),
            patch.object(containers, "_sample_distinct", lambda _entries, _index, _rng, _count: popped),
        ):
            return self.kedis.call(0, words), theirs

    def encodings(self) -> list[tuple[bytes, Any, Any]]:
        """Keys whose encodings differ, with that of Kedis and that of Redis."""
        asked = [(key, [b"OBJECT", b"ENCODING", key]) for key in KEYS]
        told = [(key, self.kedis.call(1, words)[1], self.redis.call(1, words)[1]) for key, words in asked]
        return [(key, mine, theirs) for key, mine, theirs in told if mine != theirs]

    def restore(self, rng: Random) -> None:
        """What either dumps is restored by both."""
        source, target = rng.choice(KEYS), rng.choice(KEYS)
        dump = rng.choice([self.kedis, self.redis]).call(1, [b"DUMP", source])[1]
        if dump is not None and source[:3] == target[:3]:
            self.compare(b"RESTORE", target, b"0", dump, b"REPLACE")

    def compare(self, *words: bytes) -> None:
        mine, theirs = self.both(*words)
        assert is_error(mine) == is_error(theirs), (words, mine, theirs)
        differing = self.encodings()
        assert not differing, "\n".join([*map(quoted, self.done[-40:]), repr(differing)])


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    oracle = Oracle()
    server = RedisServer(oracle.port)
    yield server
    server.close()
    oracle.close()


@pytest.fixture
def servers(redis: RedisServer, tmp_path: Path) -> Pair:
    return Pair(redis, tmp_path)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_same_names_after_every_step(servers: Pair, seed: int) -> None:
    rng = Random(seed)
    for _ in range(STEPS):
        words = draw(rng)
        if words == [b"DEBUG", b"RELOAD"]:
            # Redis keeps what is packed so over a reload, be it longer than a lowered threshold; our files do not tell.
            for kind in (b"hash", b"zset"):
                servers.compare(b"CONFIG", b"SET", kind + b"-max-listpack-value", b"64")
        servers.compare(*words)
        if rng.random() < 0.02:
            servers.restore(rng)
    servers.kedis.check()


def test_restore_looks_at_the_number_alone_where_the_dump_is_flat(servers: Pair) -> None:
    long = b"x" * 60
    old = b"\x0d" + encode_string(ziplist(b"f", long)) + b"\x06\x00"
    dumps = {b"old": old + crc64(old).to_bytes(8, "little")}
    for key, words in {b"hash": (b"HSET", b"f", long), b"zset": (b"ZADD", b"1", long)}.items():
        servers.both(words[0], key, *words[1:])
        dumps[key] = servers.redis.call(0, [b"DUMP", key])[1]
        assert servers.kedis.call(0, [b"DUMP", key])[1][0] == dumps[key][0]
    for kind in (b"hash", b"zset"):
        servers.both(b"CONFIG", b"SET", kind + b"-max-listpack-value", b"10")
    for entries, encodings in ((b"512", {b"listpack"}), (b"0", {b"hashtable", b"skiplist"})):
        for kind in (b"hash", b"zset"):
            servers.both(b"CONFIG", b"SET", kind + b"-max-listpack-entries", entries)
        for name, dump in dumps.items():
            servers.both(b"RESTORE", b"key", b"0", dump, b"REPLACE")
            mine, theirs = servers.both(b"OBJECT", b"ENCODING", b"key")
            assert mine == theirs and mine[1] in encodings, (name, entries, mine, theirs)


FACTS = {
    "a lowered threshold is noticed by the next change that passes it": """
        HSET h f xxxxxxxxxxxxxxxxxxxx
        CONFIG SET hash-max-listpack-value 10
        ENCODING h listpack
        HSET h g x
        ENCODING h listpack
        HSET h f xxxxxxxxxxx
        ENCODING h hashtable
        HSET h f x
        ENCODING h hashtable
    """,
    "what has grown stays full, its copy too; a reload chooses anew": """
        SADD s word 1
        SREM s word
        COPY s t
        ENCODING t hashtable
        SUNIONSTORE u s
        ENCODING u intset
        DEBUG RELOAD
        ENCODING s intset
    """,
    "a field given twice counts each time": """
        HSET h f xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx f x
        ENCODING h hashtable
    """,
    "a difference by removal remembers what was removed": """
        SADD a 1 2 word
        SADD b word
        SDIFFSTORE c a b b
        ENCODING c intset
        SADD a 3 4 5 6
        SDIFFSTORE c a b b
        ENCODING c hashtable
    """,
    "what is refused changes no encoding": """
        SET text ohmytext
        PFADD text x
        ENCODING text embstr
    """,
    "INCRBYFLOAT leaves a text, APPEND leaves it raw, INCR an integer": """
        INCRBYFLOAT n 1
        ENCODING n embstr
        COPY n m
        ENCODING m embstr
        INCR n
        ENCODING n int
        APPEND n 1
        ENCODING n raw
        SETRANGE m 0 2
        ENCODING m raw
        GETSET m 2
        ENCODING m int
    """,
}


@pytest.mark.parametrize("name", FACTS)
def test_facts(servers: Pair, name: str) -> None:
    for line in FACTS[name].split("\n"):
        words = [word.encode() for word in line.split()]
        if words[:1] == [b"ENCODING"]:
            mine, theirs = servers.both(b"OBJECT", b"ENCODING", words[1])
            assert (mine[1], theirs[1]) == (words[2], words[2]), line
        elif words:
            servers.both(*words)
