"""Commands on streams in C against their handlers: the same requests to two engines.

After each request the two agree in the reply, the journal, the account of memory, the figures and the content, and the
stream passes its own check.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

from kedis import native
from kedis.structures.stream import Stream
from tests.differential import grammar
from tests.differential import vocabulary as v
from tests.differential.streams import STREAMS
from tests.native import test_container_forms as containers

pytestmark = pytest.mark.skipif(native.PATH != "native", reason="the native path is not there")

_ENCODED = (b"XADD", b"s", b"*", b"f1", b"v1", b"f2", b"v2")


def state(side: containers.Side) -> Any:
    """All that the two must agree in."""
    keyspace = side.engine.keyspace
    values = {}
    for key, value in side.client.db.data.items():
        if isinstance(value, Stream):
            value._check()
            delivered = [
                (name, each.consumer.name, each.delivered_ms)
                for name, group in value.groups.items()
                for each in group.pending.values()
            ]
            seen = [each.seen_ms for group in value.groups.values() for each in group.consumers()]
            values[key] = (value.contents(), delivered, seen, value.footprint, value.accounted_bytes)
        else:
            values[key] = value
    entries = [*side.recorder.entries]
    side.recorder.entries.clear()
    return values, entries, (keyspace.dirty, keyspace.hits, keyspace.misses, keyspace.account.used)


class Pair:
    """Both sides."""

    def __init__(self, resp: int, *, entries: int = 3, trusted: bool = False) -> None:
        self.sides = containers.PythonSide(resp, 10), containers.NativeSide(resp, 10)
        for side in self.sides:
            side.client.trusted = trusted
        self.agree(b"CONFIG", b"SET", b"stream-node-max-entries", b"%d" % entries)

    def agree(self, *words: bytes) -> bytes:
        """Send the same; returns the reply."""
        python, path = self.sides
        reply = python.call(*words)
        assert path.call(*words) == reply, words
        assert state(path) == state(python), words
        return reply


def _request(rng: random.Random) -> list[bytes]:
    """A command of a stream; now and then it lacks a word."""
    key = rng.choice(v.STREAM_KEYS)
    fields = rng.choice(
        ([b"f", b"1"], [b"f", b"1", b"g", b"x" * rng.randint(0, 90)], [b"g", b"", b"f", b"2"])
    )
    number = b"%d" % rng.randint(0, 12)
    near = b"%d-%d" % (rng.randint(1, 12), rng.randint(0, 3))
    words = rng.choice(
        [
            *([b"XADD", key, b"*", *fields], [b"XADD", key, b"*", *fields]),
            [b"XADD", key, rng.choice((b"MAXLEN", b"maxlen")), number, b"*", *fields],
            [b"XADD", key, b"MAXLEN", rng.choice((b"~", b"=")), number, rng.choice((b"*", near)), *fields],
            [b"XACK", key, b"g1", *(near for _ in range(rng.randint(1, 3)))],
            [b"XREADGROUP", b"GROUP", b"g1", b"alice", b"COUNT", number, b"STREAMS", key, b">"],
            [b"XREADGROUP", b"GROUP", b"g1", b"bob", b"BLOCK", b"0", b"STREAMS", key, b"0"],
            *(list(grammar.command(rng, rng.choice([*STREAMS]))) for _ in range(8)),
        ]
    )
    return words[:-1] if rng.random() < 0.02 and len(words) > 1 else words


def _waits(words: list[bytes]) -> bool:
    """Whether a client could wait for this, and then say nothing any more."""
    upper = [word.upper() for word in words]
    return b"BLOCK" in upper and words[-1] != b"0"


@pytest.mark.parametrize("seed", range(6))
def test_forms_and_handlers_agree(seed: int) -> None:
    rng = random.Random(seed)
    pair = Pair(2 + seed % 2, entries=(3, 1, 100)[seed % 3], trusted=seed == 5)
    for _ in range(1200):
        words = _request(rng)
        if words and not _waits(words):
            pair.agree(*words)


@pytest.mark.parametrize("resp", [2, 3])
def test_every_form_at_its_edges(resp: int) -> None:
    """Entries of one block and of several, loose and packed, of the same fields and of others; wide numbers."""
    pair = Pair(resp)
    widths = (1, 300, 70_000, 5_000_000_000, 5_000_000_001, 5_000_000_002, (1 << 64) - 1)
    for ms in widths:
        for sequence in (0, 255, 256, 65_536, 1 << 32, (1 << 64) - 1):
            fields = (
                (b"f", b"x" * (sequence % 97), b"g", b"1") if ms != 300 else (b"h%d" % (sequence % 3), b"2")
            )
            pair.agree(b"XADD", b"s", b"%d-%d" % (ms, sequence), *fields)
    texts = [
        b"-",
        b"+",
        b"0",
        b"300",
        b"(300",
        b"(1-0",
        b"(1-255",
        b"70000-65536",
        b"-1",
        b"(",
        b"(-",
        b"x",
        b"5-",
        b"",
    ]
    texts += [
        b"%d" % ((1 << 64) - 1),
        b"(%d-%d" % ((1 << 64) - 1, (1 << 64) - 1),
        b"9" * 19,
        b"9" * 20,
        b"(0-0",
        b"1-x",
    ]
    for low in texts:
        for high in texts:
            pair.agree(b"XRANGE", b"s", low, high)
            pair.agree(b"XREVRANGE", b"s", low, high, b"count", b"4")
        pair.agree(b"XREAD", b"COUNT", b"5", b"STREAMS", b"s", low)
        pair.agree(b"XREAD", b"STREAMS", b"missing", low)
        pair.agree(b"XACK", b"s", b"g", low)
    pair.agree(b"XADD", b"s", b"*", b"f", b"1")  # there is no higher id
    for number, spelling in enumerate((b"01-1", b"0002-0003", b"3", b"4-*", b"0000000000000000005-7")):
        trimming = ((), (b"MAXLEN", b"~", b"3"), (b"MAXLEN", b"=", b"3"))[number % 3]
        pair.agree(b"XADD", b"t", *trimming, spelling, b"f", b"1")
        pair.agree(b"XADD", b"t", b"MAXLEN", b"~", b"2", b"0%d-9" % (number + 1), b"f", b"1")
    pair.agree(b"SET", b"string", b"x")
    for words in (
        [b"XADD", b"string", b"*", b"f", b"1"],
        [b"XLEN", b"string"],
        [b"XRANGE", b"string", b"-", b"+"],
    ):
        pair.agree(*words)
    pair.agree(b"XACK", b"string", b"g", b"1-1")
    pair.agree(b"XREAD", b"STREAMS", b"string", b"0")


@pytest.mark.parametrize("resp", [2, 3])
def test_a_group_delivers_alike(resp: int) -> None:
    pair = Pair(resp)
    for number in range(1, 2500):
        pair.sides[0].call(b"XADD", b"s", b"%d-1" % number, b"f", b"%d" % number)
        pair.sides[1].call(b"XADD", b"s", b"%d-1" % number, b"f", b"%d" % number)
    read = (b"XREADGROUP", b"GROUP", b"g", b"c")
    pair.agree(b"XGROUP", b"CREATE", b"s", b"g", b"0")
    for count in (b"1", b"2", b"10", b"999", b"1000", b"1001", b"5000", b"1"):
        pair.agree(*read, b"COUNT", count, b"STREAMS", b"s", b">")
    pair.agree(*read, b"BLOCK", b"0", b"COUNT", b"1", b"STREAMS", b"s", b"0")
    pair.agree(b"XDEL", b"s", b"5-1", b"2499-1", b"2498-1")
    pair.agree(*read, b"STREAMS", b"s", b">")
    pair.agree(b"XACK", b"s", b"g", *(b"%d-1" % number for number in range(1, 900)), b"0-1")
    pair.agree(b"XACK", b"s", b"nogroup", b"1-1")
    pair.agree(b"XGROUP", b"SETID", b"s", b"g", b"0")
    for words in ([b"COUNT", b"3"], [b"NOACK"], [b"BLOCK", b"1"]):
        pair.agree(*read, *words, b"STREAMS", b"s", b">")
    pair.agree(b"XADD", b"s", b"MAXLEN", b"~", b"5", b"*", b"f", b"1")
    pair.agree(*read, b"COUNT", b"20", b"STREAMS", b"s", b">")
    pair.agree(b"XPENDING", b"s", b"g", b"-", b"+", b"3000")


@pytest.mark.parametrize("size", [16_384, 16_385, 65_536])
def test_long_values(size: int) -> None:
    """What is long is sent by the Python path; nothing of it is left behind."""
    pair = Pair(2)
    pair.agree(b"XGROUP", b"CREATE", b"s", b"g", b"0", b"MKSTREAM")
    pair.agree(b"XGROUP", b"CREATECONSUMER", b"s", b"g", b"c")
    pair.agree(b"XADD", b"s", b"1-1", b"f", b"short")
    pair.agree(b"XADD", b"s", b"1-2", b"f", b"x" * size)
    pair.agree(b"XADD", b"s", b"1-3", b"f" * size, b"x")
    for words in ([b"XRANGE", b"s", b"-", b"+"], [b"XREAD", b"STREAMS", b"s", b"0"]):
        pair.agree(*words)
    pair.agree(b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"s", b">")


def test_an_id_is_above_the_clock_where_the_last_one_is() -> None:
    pair = Pair(2)
    for last in (b"1-1", b"99999999999999-5", b"99999999999999-%d" % ((1 << 64) - 1)):
        pair.agree(b"XADD", b"s", last, b"f", b"1")
        for _ in range(3):
            pair.agree(b"XADD", b"s", b"*", b"f", b"1")
    pair.agree(b"XSETID", b"s", b"%d-%d" % ((1 << 64) - 1, (1 << 64) - 1))
    pair.agree(b"XADD", b"s", b"*", b"f", b"1")


def test_no_form_needs_a_frame_of_python() -> None:
    """What the hot paths are runs without a Python function."""
    side = containers.NativeSide(2, 10)
    frames: list[str] = []

    def note(frame: Any, event: str, _argument: Any) -> None:
        if event == "call":
            frames.append(frame.f_code.co_qualname)

    for number in range(1, 251):
        side.call(b"XADD", b"s", b"%d-1" % number, b"f1", b"v1", b"f2", b"v2")
    side.call(b"XGROUP", b"CREATE", b"s", b"g", b"0")
    side.call(b"XGROUP", b"CREATECONSUMER", b"s", b"g", b"c")
    group = (b"XREADGROUP", b"GROUP", b"g", b"c", b"BLOCK", b"5", b"COUNT", b"10", b"STREAMS", b"s", b">")
    for words in (
        *(_ENCODED, (b"XADD", b"s", b"MAXLEN", b"~", b"200", b"*", b"f1", b"v1", b"f2", b"v2")),
        *(
            (b"XLEN", b"s"),
            (b"XRANGE", b"s", b"120-1", b"+", b"COUNT", b"100"),
            (b"XREVRANGE", b"s", b"+", b"-"),
        ),
        *(
            (b"XREAD", b"COUNT", b"10", b"STREAMS", b"s", b"120"),
            group,
            (b"XACK", b"s", b"g", b"101-1", b"102-1"),
        ),
    ):
        data = b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])
        now, feed = side.engine.clock(), side.path.feed
        frames.clear()
        sys.setprofile(note)
        try:
            feed(side.peer, data, containers.FOREVER_NS, now)
        finally:
            sys.setprofile(None)
        # The clock is the test's; a counter grows at its first call; the module of arrays and blocks is called back.
        assert not set(frames) - {"Clock.__call__", "Counters.count"}, words
