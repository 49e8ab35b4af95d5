"""Random calls of the stream commands on Kedis and on real Redis: replies, data, what is journalled, trimmed lengths.

Ids rise from call to call, and delivery times are compared by whether they are there, because the clocks are two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import pytest

from tests.commands.agreement import journal_of, journalling_oracle, make_client
from tests.commands.driver import Client, ErrorReply
from tests.oracle import Oracle

KEYS = ["s", "s", "s", "t"]
GROUPS = ["g", "g", "h"]
CONSUMERS = ["alice", "bob", "carol"]
#: Entries and bytes of a node; 0 is no limit.
NODES = [(100, 4096), (3, 0), (10, 200), (0, 300), (1, 0), (200, 0)]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    server = journalling_oracle()
    yield server
    server.close()


def set_nodes(client: Client, oracle: Oracle, entries: int, size: int) -> None:
    """The same limits of nodes on both."""
    for name, value in (("stream-node-max-entries", entries), ("stream-node-max-bytes", size)):
        assert client.call("CONFIG", "SET", name, value) == oracle.call("CONFIG", "SET", name, value) == b"OK"


class Calls:
    """Draws calls; ids rise."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.ms = 1

    def new_id(self) -> str:
        self.ms += self.random.choice([0, 0, 1, 1, 2, 130, 5000])
        return f"{self.ms}-*" if self.random.random() < 0.7 else str(self.ms + 1)

    def old_id(self) -> str:
        return f"{self.random.randint(1, self.ms)}-{self.random.choice([0, 0, 1])}"

    def trim(self) -> list[Any]:
        operator = self.random.choice([["~"], ["~"], ["="], []])
        if self.random.random() < 0.6:
            words = ["MAXLEN", *operator, self.random.choice([0, 1, 5, 17, 40, 150])]
        else:
            words = ["MINID", *operator, self.old_id()]
        if operator == ["~"] and self.random.random() < 0.4:
            words += ["LIMIT", self.random.choice([0, 1, 3, 20])]
        return words

    def fields(self) -> list[Any]:
        random = self.random
        names = random.choice([["f"], ["f"], ["f", "g"], ["g", "f"], [f"n{random.randrange(3)}"]])
        values = [random.choice(["x", 12, -5, 4096, "1" * 30, "y" * 70, "", 2**62, "z" * 300]) for _ in names]
        return [word for pair in zip(names, values, strict=True) for word in pair]

    def draw(self) -> list[Any]:
        random = self.random
        key, group, consumer = random.choice(KEYS), random.choice(GROUPS), random.choice(CONSUMERS)
        ids = [self.old_id() for _ in range(random.randint(1, 3))]
        kind = random.randrange(20)
        if kind < 9:
            return [
                "XADD",
                key,
                *(self.trim() if random.random() < 0.3 else []),
                self.new_id(),
                *self.fields(),
            ]
        return [
            ["XTRIM", key, *self.trim()],
            ["XDEL", key, *ids],
            ["XGROUP", "CREATE", key, group, random.choice(["0", "$", ids[0]]), "MKSTREAM"],
            ["XREADGROUP", "GROUP", group, consumer, "COUNT", random.randint(1, 4), "STREAMS", key, ">"],
            ["XREADGROUP", "GROUP", group, consumer, "NOACK", "STREAMS", key, ">"],
            ["XREADGROUP", "GROUP", group, consumer, "STREAMS", key, random.choice(["0", *ids])],
            ["XACK", key, group, *ids],
            [
                "XCLAIM",
                key,
                group,
                consumer,
                0,
                *ids,
                *random.choice([[], ["JUSTID"], ["FORCE"], ["RETRYCOUNT", 4]]),
            ],
            ["XAUTOCLAIM", key, group, consumer, 0, random.choice(["-", *ids]), "COUNT", 3],
            ["XGROUP", random.choice(["CREATECONSUMER", "DELCONSUMER"]), key, group, consumer],
            random.choice(
                [
                    ["XGROUP", "SETID", key, group, random.choice(["$", *ids])],
                    ["XGROUP", "DESTROY", key, group],
                    ["XSETID", key, f"{self.ms + 2}", "ENTRIESADDED", 10_000],
                    ["DEL", key],
                    ["COPY", "s", "t", "REPLACE"],
                    ["XCLAIM", key, group, consumer, 0, "0-1", "LASTID", ids[0]],
                ]
            ),
        ][kind - 9]


def claims_one_by_one(lines: Iterable[str]) -> Iterator[str]:
    """A journal whose deliveries are told as Redis does: an XCLAIM for each entry, several as a transaction."""
    in_unit = False
    for line in lines:
        in_unit = line == "MULTI" or (in_unit and line != "EXEC")
        match = re.fullmatch(r"(XCLAIM \S+ \S+ \S+ 0)((?: \d+-\d+){2,})( .* LASTID) \S+", line)
        if match is None:
            yield line
            continue
        head, ids, tail = match.groups()
        yield from () if in_unit else ("MULTI",)
        yield from (f"{head} {each}{tail} {each}" for each in ids.split())
        yield from () if in_unit else ("EXEC",)


def without_moments(line: str) -> str:
    """A journalled command without a delivery time, and without the LIMIT that Redis leaves beside ``=``."""
    line = re.sub(r" TIME \d+ ", " TIME ", line)
    return re.sub(r"( = \S+) LIMIT \d+", r"\1", line)


@pytest.mark.parametrize("seed", range(12))
def test_random_calls_agree(oracle: Oracle, seed: int) -> None:
    random = Random(seed)
    client = make_client(2 + seed % 2)
    oracle.call("HELLO", 2 + seed % 2)
    oracle.call("FLUSHALL")
    set_nodes(client, oracle, *NODES[seed % len(NODES)])
    already = len(journal_of(oracle))
    calls = Calls(random)
    for step in range(500):
        words = calls.draw()
        got, expected = client.call(*words), oracle.call(*words)
        assert got == expected, (step, words, got, expected)
        if step % 10 == 0:
            for key in ("s", "t"):
                for look in (["XRANGE", key, "-", "+"], ["XINFO", "STREAM", key], ["XINFO", "GROUPS", key]):
                    assert client.call(*look) == oracle.call(*look), (step, look)
                for look in (["XINFO", "STREAM", key, "FULL"], ["XPENDING", key, "g", "-", "+", 20]):
                    assert without_clock(client.call(*look)) == without_clock(oracle.call(*look)), (
                        step,
                        look,
                    )
            assert client.call("DEBUG", "DIGEST") == oracle.call("DEBUG", "DIGEST")
    mine = [
        *map(without_moments, claims_one_by_one(line.partition(" ")[2] for line in client.journal())),
    ]
    theirs = [without_moments(line) for line in journal_of(oracle)[already:]]
    assert mine == theirs
    for database in client.engine.keyspace.databases:
        database.check()


@pytest.mark.parametrize(("entries", "size"), NODES)
def test_what_is_trimmed_approximately_is_the_same(oracle: Oracle, entries: int, size: int) -> None:
    """Long streams, so that nodes fill up by entries and by bytes."""
    random = Random(entries * 1000 + size)
    client = make_client()
    oracle.call("HELLO", 2)
    oracle.call("FLUSHALL")
    set_nodes(client, oracle, entries, size)
    number = 0
    for step in range(3000):
        number += random.choice([1, 1, 1, 90, 1 << 40])
        fields = ["f", random.choice([number, "x" * random.randrange(90), -number])]
        if random.random() < 0.05:
            fields += ["other", "field"]
        trim = ["MAXLEN", "~", random.choice([50, 250, 700])] if random.random() < 0.3 else []
        words = ["XADD", "s", *trim, f"{number}-{random.randrange(3)}", *fields]
        assert client.call(*words) == oracle.call(*words)
        if random.random() < 0.05:
            words = ["XDEL", "s", *(oracle.call("XRANGE", "s", "-", "+", "COUNT", 40)[-1][:1])]
            assert client.call(*words) == oracle.call(*words)
        if step % 20 == 0:
            assert client.call("XLEN", "s") == oracle.call("XLEN", "s")
            assert client.call("XINFO", "STREAM", "s") == oracle.call("XINFO", "STREAM", "s")


@pytest.mark.parametrize("seed", range(len(NODES)))
def test_dumps_are_the_same_byte_for_byte(oracle: Oracle, seed: int) -> None:
    """Nodes with all that they mark as deleted, and counters; without compression, which is free in what it finds."""
    client = make_client()
    oracle.call("HELLO", 2)
    oracle.call("FLUSHALL")
    set_nodes(client, oracle, *NODES[seed])
    for server in (client, oracle):
        server.call("CONFIG", "SET", "rdbcompression", "no")
    calls = Calls(Random(seed))
    for step in range(400):
        words = calls.draw()
        if words[0] in ("XADD", "XDEL", "XTRIM", "XSETID"):
            assert client.call(*words) == oracle.call(*words)
        if step % 10 == 0:
            for key in ("s", "t"):
                assert client.call("DUMP", key) == oracle.call("DUMP", key)


LINES = """
XADD s *
XADD s * a
XADD s 1-0 a b
XADD s 1-0 a b
XADD s -1 a b
XADD s MAXLEN 5
XADD s MAXLEN ~
XADD s MAXLEN ~ 5
XADD s MAXLEN = 5 LIMIT 3 2-0 a b
XADD s MAXLEN 5 LIMIT 0 2-0 a b
XADD s LIMIT 0 2-0 a b
XADD s LIMIT 5 2-1 a b
XADD s MINID x 3-0 a b
XADD s MINID - 3-0 a b
XADD s MAXLEN 5 MINID 1 3-0 a b
XADD s NOMKSTREAM 3-0 a
XADD none NOMKSTREAM 3-0 a b
XADD none NOMKSTREAM NOMKSTREAM MAXLEN ~ 5 3-0 a b
XADD s 18446744073709551615-* a b
XADD s 18446744073709551615-* a b
XADD s 18446744073709551615-18446744073709551615 a b
XADD s * a b
XADD s 18446744073709551615-* a b
XADD full 18446744073709551614-18446744073709551615 a b
XADD full * a b
XADD full * a b
XTRIM s MAXLEN
XTRIM s NOMKSTREAM MAXLEN 5
XTRIM s LIMIT 5
XTRIM s LIMIT 0 MAXLEN 5
XTRIM s MAXLEN 5 x
XTRIM none MAXLEN 5
XREADGROUP COUNT 1 STREAMS s s >
XREADGROUP GROUP g c STREAMS s $
XGROUP CREATE s g 0
XREADGROUP GROUP g c STREAMS s $
XREADGROUP GROUP g c STREAMS s +
XREADGROUP GROUP g c COUNT 1 BLOCK x STREAMS s >
XREADGROUP GROUP g STREAMS s >
XREAD STREAMS s s $
XREAD COUNT 5 STREAMS
XREAD BLOCK 9223372036854775808 STREAMS s 0
XCLAIM s g c 0 1-0 FORCE IDLE -9223372036854775808
XCLAIM s g c 0 1-0 FORCE TIME 9223372036854775807
XCLAIM s g c 0 1-0 RETRYCOUNT 9223372036854775807
XCLAIM s g c 0 1-0
XPENDING s g
XAUTOCLAIM s g c 0 0 COUNT 576460752303423488
XPENDING s g - + 9223372036854775807
XPENDING s g IDLE 9223372036854775807 - + 10
XINFO STREAM s FULL COUNT 9223372036854775807
XINFO STREAM s FULL COUNT -9223372036854775808
XRANGE s 0 18446744073709551615-18446744073709551615 COUNT 9223372036854775807
XRANGE s - + COUNT -9223372036854775808
XRANGE s - + COUNT 9223372036854775808
XSETID s 1
XSETID none 1
XSETID s 18446744073709551615-18446744073709551615 ENTRIESADDED 9223372036854775807
XINFO GROUPS s
XGROUP NOSUCH
XINFO NOSUCH s
XGROUP CREATE s g
XGROUP CREATE s g 0 ENTRIESREAD
XINFO CONSUMERS s
"""


def without_clock(reply: Any) -> str:
    """A reply of XINFO or XPENDING, as text, without moments and durations."""
    return re.sub(r"\d{12,}|(?<=', )\d+(?=, -?\w+\])", "moment", repr(reply))


def test_bad_input(oracle: Oracle) -> None:
    """Ids at the ends, counts that overflow, words too many and too few: the same answers, nothing else changed."""
    client = make_client()
    oracle.call("HELLO", 2)
    oracle.call("FLUSHALL")
    for line in LINES.strip().splitlines():
        words = line.split()
        got, expected = client.call(*words), oracle.call(*words)
        if words[:2] == ["XINFO", "STREAM"] or (words[0] == "XPENDING" and len(words) > 3):
            assert without_clock(got) == without_clock(expected), line
        elif "*" not in words or "18446744073709551615" in line:
            assert got == expected, line
        assert client.call("DEBUG", "DIGEST") == oracle.call("DEBUG", "DIGEST") or "*" in words, line
    for database in client.engine.keyspace.databases:
        database.check()


def test_a_delivery_is_journalled_as_one_claim() -> None:
    """15 words for each entry are what Redis writes; what they do is the same."""
    client = make_client()
    client.call("CONFIG", "SET", "stream-node-max-entries", 3)
    for number in range(1, 6):
        client.call("XADD", "s", f"{number}-0", "f", "v")
    client.call("XGROUP", "CREATE", "s", "g", "0")
    client.journal()
    client.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    tail = f"TIME {client.now_ms} RETRYCOUNT 1 FORCE JUSTID LASTID"
    assert client.journal() == [f"0 XCLAIM s g c 0 1-0 2-0 3-0 4-0 5-0 {tail} 5-0"]


def test_a_refused_entry_makes_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kedis.structures.stream.LISTPACK_MAX", 100)
    client = make_client()
    assert client.call("XADD", "s", "*", "f", "v" * 100) == ErrorReply(
        "ERR Elements are too large to be stored"
    )
    assert client.call("EXISTS", "s") == 0
    assert client.journal() == []
