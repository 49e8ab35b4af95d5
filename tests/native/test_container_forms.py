"""Commands on hashes, sets and sorted sets in C against their handlers: the same requests to two engines.

After each request the two agree in the reply, the journal, the account of memory, the figures and the content, and the
value passes its own check.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

from kedis import native
from kedis.config import Config
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.transport import NullTransport
from kedis.observability.observer import Observer
from kedis.resp.requests import RequestParser
from kedis.structures.packed import SortedSet
from tests.commands.driver import Clock, Recorder

pytestmark = pytest.mark.skipif(native.PATH != "native", reason="the native path is not there")

FOREVER_NS = 1 << 40
WORDS = [b"%d" % number for number in range(12)] + [b"word", b"", b"\xff\x00", b"a longer member " * 6]
SCORES = [
    *(
        b"0",
        b"-0",
        b"+0",
        b"1",
        b"-1",
        b"+3",
        b"007",
        b"1.5",
        b"-2.25",
        b"0.1",
        b"3.",
        b".5",
        b"1e3",
        b"2E-3",
        b"1e",
    ),
    *(
        b"123456789012345",
        b"1234567890123456",
        b"12345678901234567890",
        b"0.30000000000000004",
        b"5.0000000000000001",
    ),
    *(
        b"1e22",
        b"1e23",
        b"1.7976931348623157e308",
        b"1e309",
        b"5e-324",
        b"1e-400",
        b"0e0",
        b"0e5",
        b"0.0",
        b"-0.0",
    ),
    *(
        b"inf",
        b"-inf",
        b"+inf",
        b"Infinity",
        b"nan",
        b"0x10",
        b"1_0",
        b" 1",
        b"1 ",
        b"",
        b"-",
        b"+",
        b"--1",
        b"1.2.3",
    ),
    *(
        b"9007199254740993",
        b"0.000001",
        b"100000000000000000000000.5",
        b"NX",
        b"XX",
        b"CH",
        b"INCR",
        b"GT",
        b"1e+5",
    ),
]
RANKS = [
    b"0",
    b"1",
    b"-1",
    b"5",
    b"-3",
    b"100",
    b"-100",
    b"x",
    b"",
    b"9223372036854775807",
    b"-9223372036854775808",
]


class Side:
    """An engine whose time stands still, a client of it, its journal."""

    def __init__(self, resp: int, entries: int) -> None:
        self.engine = Engine(
            Config(
                {
                    f"{kind}-entries": str(entries)
                    for kind in ("hash-max-listpack", "zset-max-listpack", "set-max-intset")
                }
            ),
            clock=Clock(),
        )
        self.engine.keyspace.random = random.Random(5)
        self.recorder = Recorder(self.engine)
        Observer(self.engine)
        self.client = Client(self.engine, NullTransport(), trusted=True)
        self.engine.connect(self.client)
        self.client.speak(resp)

    def state(self) -> Any:
        """All that the two must agree in."""
        keyspace = self.engine.keyspace
        values = {}
        for key, value in self.client.db.data.items():
            value._check()
            content = list(value.items()) if isinstance(value, SortedSet) else value
            values[key] = (content, value.footprint, value.accounted_bytes, value.packed is None)
        entries = [*self.recorder.entries]
        self.recorder.entries.clear()
        figures = (keyspace.dirty, keyspace.hits, keyspace.misses, keyspace.account.used)
        return values, entries, figures


class PythonSide(Side):
    def call(self, *words: bytes) -> bytes:
        self.engine.run(self.client, [list(words)])
        reply = b"".join(self.client.out)
        self.client.out.clear()
        return reply


class NativeSide(Side):
    def __init__(self, resp: int, entries: int) -> None:
        super().__init__(resp, entries)
        from kedis.native.path import Path, Peer

        self.path, self.peer = Path(self.engine), Peer()
        self.peer.client = self.client

    def call(self, *words: bytes) -> bytes:
        data = b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])
        rest, outcome = self.path.feed(self.peer, data, FOREVER_NS, self.engine.clock())
        if outcome == "foreign":
            self.engine.run(self.client, RequestParser(max_bulk_length=1 << 20).feed(rest))
        self.peer.surface()
        reply = b"".join(self.client.out)
        self.client.out.clear()
        return reply


def some(rng: random.Random, choices: list[bytes], most: int = 3) -> list[bytes]:
    return [rng.choice(choices) for _ in range(rng.randint(1, most))]


def request(rng: random.Random, members: list[bytes]) -> list[bytes]:
    """One request on a key of the right or a wrong type; now and then it lacks or has a word too many."""
    key = rng.choice([b"z", b"z", b"z", b"s", b"s", b"h", b"h", b"missing"])
    member = rng.choice(members)
    score = rng.choice(SCORES) if rng.random() < 0.4 else b"%d" % rng.randrange(50)
    pairs = [
        rng.choice(members) if at % 2 else b"%d" % rng.randrange(9) for at in range(2 * rng.randint(2, 4))
    ]
    words: list[bytes] = rng.choice(
        [
            *([b"ZADD", key, score, member], [b"ZADD", key, score, member], [b"ZADD", key, *pairs]),
            *([b"ZADD", key, b"CH", score, member], [b"ZINCRBY", key, score, member]),
            *([b"ZREM", key, *some(rng, members)], [b"ZSCORE", key, member], [b"ZCARD", key]),
            *([b"ZRANK", key, member], [b"ZREVRANK", key, member]),
            [rng.choice([b"ZRANGE", b"ZREVRANGE"]), key, rng.choice(RANKS), rng.choice(RANKS)],
            [b"ZRANGE", key, rng.choice(RANKS), rng.choice(RANKS), b"WITHSCORES"],
            *(
                [b"SADD", key, member],
                [b"SADD", key, *some(rng, members, 6)],
                [b"SREM", key, *some(rng, members)],
            ),
            *([b"SPOP", key], [b"SPOP", key, b"2"], [b"SCARD", key], [b"SISMEMBER", key, member]),
            *([b"HSET", key, member, score], [b"HSET", key, *pairs], [b"HDEL", key, *some(rng, members)]),
            *([b"HINCRBY", key, member, rng.choice(RANKS)], [b"HGET", key, member], [b"HGETALL", key]),
            [b"HMGET", key, *some(rng, members)],
        ]
    )
    if rng.random() < 0.02:
        return words[:-1] if rng.random() < 0.5 else [*words, member]
    return words


def agree(sides: tuple[Side, Side], words: list[bytes]) -> None:
    python, path = sides
    assert path.call(*words) == python.call(*words), words
    assert path.state() == python.state(), words


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("universe", [6, 16, 400])
def test_forms_and_handlers_agree(universe: int, resp: int) -> None:
    rng = random.Random(universe * resp)
    members = (
        WORDS[:universe] if universe < 17 else WORDS + [b"member:%d" % number for number in range(universe)]
    )
    sides = (PythonSide(resp, 10), NativeSide(resp, 10))
    for start in (b"z", b"s", b"h"):
        command = {b"z": b"ZADD", b"s": b"SADD", b"h": b"HSET"}[start]
        for number, member in enumerate(members[: universe // 2]):
            words = [b"%d" % number, member] if start == b"z" else [member, b"1"][: 2 if start == b"h" else 1]
            agree(sides, [command, start, *words])
    for step in range(1500):
        agree(sides, request(rng, members))
        if step % 400 == 399:  # a new set, from the small representation on
            agree(sides, [b"DEL", rng.choice([b"z", b"s", b"h"])])


def test_scores_are_read_as_the_handler_reads_them() -> None:
    """ZADD and ZINCRBY with numbers of every spelling, and with random ones of up to 20 digits."""
    rng = random.Random(3)
    sides = (PythonSide(3, 10), NativeSide(3, 10))
    agree(sides, [b"ZADD", b"z", b"1", b"m"])
    spellings = list(SCORES)
    for _ in range(2000):
        text = b"%d" % rng.randrange(10 ** rng.randint(1, 20))
        point = rng.randint(0, len(text))
        text = rng.choice([b"", b"", b"-", b"+"]) + text[:point] + rng.choice([b".", b"", b""]) + text[point:]
        spellings.append(text + rng.choice([b"", b"", b"e5", b"E-7", b"e+300", b"e-320"]))
    spellings += [repr(rng.uniform(-1, 1) * 10 ** rng.randint(-30, 30)).encode() for _ in range(1000)]
    for spelling in spellings:
        for words in (
            [b"ZADD", b"z", spelling, b"m"],
            [b"ZSCORE", b"z", b"m"],
            [b"ZINCRBY", b"z", spelling, b"n"],
        ):
            assert sides[0].call(*words) == sides[1].call(*words), words
    assert sides[0].state() == sides[1].state()


def test_no_form_needs_a_frame_of_python() -> None:
    """What the brief of the native path lists runs without a Python function, on small sets and on large ones."""
    side = NativeSide(2, 10)
    frames: list[str] = []

    def note(frame: Any, event: str, _argument: Any) -> None:
        if event == "call":
            frames.append(frame.f_code.co_qualname)

    for size in (7, 1000):  # below and above the thresholds; to cross them may take more
        for number in range(size):
            name = b"m%d" % number
            side.call(b"ZADD", b"z", b"%d" % number, name)
            side.call(b"SADD", b"s", name)
            side.call(b"HSET", b"h", name, b"v")
        for words in (
            *(
                (b"ZADD", b"z", b"2.5", b"m1"),
                (b"ZADD", b"z", b"7", b"new"),
                (b"ZADD", b"z", b"1", b"a", b"2", b"b"),
            ),
            *((b"ZINCRBY", b"z", b"1", b"m1"), (b"ZRANK", b"z", b"m1"), (b"ZREVRANK", b"z", b"m1")),
            *(
                (b"ZRANGE", b"z", b"0", b"5"),
                (b"ZCARD", b"z"),
                (b"ZSCORE", b"z", b"m1"),
                (b"ZREM", b"z", b"m1", b"m2"),
            ),
            *(
                (b"SADD", b"s", b"new"),
                (b"SREM", b"s", b"m1"),
                (b"HSET", b"h", b"new", b"v"),
                (b"HDEL", b"h", b"m1"),
            ),
            *((b"SPOP", b"s"), (b"HINCRBY", b"h", b"number", b"1")),
        ):
            data = b"*%d\r\n" % len(words) + b"".join(
                [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
            )
            now, feed = side.engine.clock(), side.path.feed
            frames.clear()
            sys.setprofile(note)
            try:
                feed(side.peer, data, FOREVER_NS, now)
            finally:
                sys.setprofile(None)
            # The clock is the test's; a counter grows at its first call.
            assert not set(frames) - {"Clock.__call__", "Counters.count"}, words
