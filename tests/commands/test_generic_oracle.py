"""Seeded random calls of the commands on keys, on Kedis and on real Redis: replies, digests, journals agree.

Values of every type are put there first, by the commands of their families.  Times are absolute and far away,
or past, because the two servers do not share a clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.commands.driver import Client, Clock, ErrorReply
from tests.oracle import Oracle

SEEDS = range(4)
CALLS = 1500
FAR_MS = 4_000_000_000_000
KEYS = ["a", "b", "c", "d", "nokey", "l", "s", "h", "z", "i"]
NUMBERS = [
    "0",
    "1",
    "2",
    "15",
    "16",
    "-1",
    "x",
    "",
    "1.5",
    "99999999999",
    "9223372036854775807",
    "-9223372036854775808",
]
MOMENTS = [str(FAR_MS), str(FAR_MS + 1000), str(FAR_MS // 1000), "1", "-1", "0", "9223372036854775"]
OPTIONS = ["NX", "xx", "GT", "lt", "foo"]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    server = Oracle("--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--appendfsync", "always")
    yield server
    server.close()


def make_client(resp: int = 2) -> Client:
    client = Client(resp=resp)
    clock = client.engine.clock
    assert isinstance(clock, Clock)
    clock.now_ns = time.time_ns()
    client.engine.config.enable_debug_command = "yes"
    return client


def fill(*servers: Any) -> None:
    """A value of every type."""
    for words in (
        "SET a 12",
        "SET b hello",
        "SET c x PXAT 4000000000000",
        "RPUSH l a b c a",
        "SADD s 1 2 word",
        "SADD i 1 2 3",
        "HSET h f v g w",
        "ZADD z 1 one 2.5 two inf three -0.1 four",
    ):
        replies = [server.call(*words.split()) for server in servers]
        assert not isinstance(replies[0], ErrorReply)
        assert replies.count(replies[0]) == len(replies)


def some_keys(random: Random) -> list[str]:
    return random.choices(KEYS, k=random.randint(1, 3))


def random_call(random: Random) -> list[str]:
    """One call, right or wrong in one of many ways."""
    key, other = random.choice(KEYS), random.choice(KEYS)
    number = random.choice(NUMBERS)
    moment = random.choice([*MOMENTS, number])
    options = random.choices(OPTIONS, k=random.choice([0, 0, 1, 1, 2]))
    form = random.choice(
        [
            ["DEL", *some_keys(random)],
            ["UNLINK", *some_keys(random)],
            ["EXISTS", *some_keys(random)],
            ["TOUCH", *some_keys(random)],
            ["TYPE", key],
            ["KEYS", random.choice(["*", "a", "[a-c]", "?", "no*", ""])],
            ["RENAME", key, other],
            ["RENAMENX", key, other],
            ["COPY", key, other],
            ["COPY", key, other, "REPLACE"],
            ["COPY", key, other, "DB", random.choice(["0", "1", number])],
            [
                "COPY",
                key,
                other,
                "replace",
                "db",
                random.choice(["0", "1", "x"]),
                random.choice(["REPLACE", "foo"]),
            ],
            ["MOVE", key, random.choice(["0", "1", number])],
            ["EXPIREAT", key, moment, *options],
            ["PEXPIREAT", key, moment, *options],
            [
                "EXPIRE",
                key,
                random.choice(["-1", "x", "9223372036854775807", "-9223372036854775807"]),
                *options,
            ],
            ["PEXPIRE", key, random.choice(["-1", "x", "9223372036854775807"]), *options],
            ["EXPIRETIME", key],
            ["PEXPIRETIME", key],
            ["PERSIST", key],
            ["OBJECT", random.choice(["ENCODING", "encoding", "IDLETIME", "FREQ", "foo"]), key],
            ["DBSIZE"],
            ["SWAPDB", random.choice(["0", "1", number]), random.choice(["0", "1", number])],
            ["SELECT", random.choice(["0", "1"])],
            [
                "SCAN",
                random.choice(["0", "0", "x", ""]),
                *random.choice([[], ["COUNT", number], ["MATCH", "[abc]"]]),
            ],
            ["SCAN", "0", "COUNT", "1000", "TYPE", random.choice(["string", "HASH", "zset", "foo"])],
            ["DEBUG", "DIGEST-VALUE", key, other],
            ["DEBUG", "DIGEST"],
            ["FLUSHDB", random.choice(["ASYNC", "sync", "x"])],
        ]
    )
    if random.random() < 0.05:
        form = form[: random.randint(1, len(form))]
    if random.random() < 0.05:
        form = [*form, random.choice(NUMBERS)]
    return form


def comparable(words: list[str], reply: Any) -> Any:
    """The reply, with what has no order sorted; a cursor above 0 cannot come, COUNT being what it is."""
    if words[0] == "KEYS" and isinstance(reply, list):
        return sorted(reply)
    if words[0] == "SCAN" and isinstance(reply, list):
        return sorted(reply[1]) if "COUNT" not in words or "1000" in words else None
    if words[:2] == ["OBJECT", "IDLETIME"] and isinstance(reply, int):
        return None  # seconds that passed while the test ran
    return reply


@pytest.mark.parametrize("seed", SEEDS)
def test_random_calls_agree(oracle: Oracle, seed: int) -> None:
    random = Random(seed)
    resp = 2 + seed % 2
    client = make_client(resp)
    oracle.call("HELLO", resp)
    for server in (client, oracle):
        server.call("SELECT", 0)
    oracle.call("FLUSHALL")
    for step in range(CALLS):
        if step % 50 == 0:
            fill_again(client, oracle)
        words = random_call(random)
        got, expected = client.call(*words), oracle.call(*words)
        assert comparable(words, got) == comparable(words, expected), (step, words)
        assert type(got) is type(expected), (step, words)
        if step % 25 == 0:
            assert client.call("DEBUG", "DIGEST") == oracle.call("DEBUG", "DIGEST"), (step, words)
    for database in client.engine.keyspace.databases:
        database.check()


def fill_again(client: Client, oracle: Oracle) -> None:
    for server in (client, oracle):
        server.call("SELECT", 0)
        server.call("FLUSHDB")
    fill(client, oracle)


def test_journals_agree(oracle: Oracle) -> None:
    """The lines that both write for the same calls, apart from the spelling of SELECT."""
    random = Random(99)
    client = make_client()
    oracle.call("HELLO", 2)
    oracle.call("SELECT", 0)
    oracle.call("FLUSHALL")
    skipped = len(journal_of(oracle))
    client.journal()
    for step in range(CALLS):
        if step % 50 == 0:
            fill_again(client, oracle)
        words = random_call(random)
        client.call(*words)
        oracle.call(*words)
    mine = [line.partition(" ")[2] for line in client.journal()]
    assert mine == journal_of(oracle)[skipped:]


def journal_of(oracle: Oracle) -> list[str]:
    """The commands in the oracle's append-only file, without SELECT, as lines."""
    (path,) = Path(oracle.directory.name, "appendonlydir").glob("*.incr.aof")
    words = path.read_bytes().decode().split("\r\n")
    lines, position = [], 0
    while position < len(words) - 1:
        count = int(words[position][1:])
        command = words[position + 2 : position + 2 + 2 * count : 2]
        position += 1 + 2 * count
        if command[0] != "SELECT":
            lines.append(" ".join(command))
    return lines


ENCODINGS = [
    ["SET {} 0", "SET {} -9223372036854775808", "SET {} 9223372036854775808", "SET {} 007", "SET {} -0"],
    ["SET {} " + "x" * 44, "SET {} " + "x" * 45, "SET {} 12345678901234567890"],
    [
        "APPEND {} 12",
        "RPUSH {} 1",
        "SADD {} 1 2 3",
        "SADD {} 1 2 x",
        "SADD {} " + " ".join(map(str, range(512))),
    ],
    [
        "SADD {} " + " ".join(map(str, range(513))),
        "HSET {} f v",
        "HSET {} f " + "v" * 64,
        "HSET {} f " + "v" * 65,
    ],
    [
        "HSET {} " + " ".join(f"f{n} v" for n in range(512)),
        "HSET {} " + " ".join(f"f{n} v" for n in range(513)),
    ],
    ["ZADD {} 1 a", "ZADD {} 1 " + "m" * 64, "ZADD {} 1 " + "m" * 65],
    [
        "ZADD {} " + " ".join(f"1 m{n}" for n in range(128)),
        "ZADD {} " + " ".join(f"1 m{n}" for n in range(129)),
    ],
]


def test_encodings_agree(oracle: Oracle) -> None:
    client = make_client()
    oracle.call("SELECT", 0)
    oracle.call("FLUSHALL")
    for number, script in enumerate(line for group in ENCODINGS for line in group):
        key = f"e{number}"
        for server in (client, oracle):
            server.call(*script.format(key).split())
        for subcommand in ("ENCODING", "REFCOUNT"):
            got, expected = client.call("OBJECT", subcommand, key), oracle.call("OBJECT", subcommand, key)
            assert got == expected, script[:60]
    client.call("APPEND", "e5", "x")
    oracle.call("APPEND", "e5", "x")
    assert client.call("OBJECT", "ENCODING", "e5") == oracle.call("OBJECT", "ENCODING", "e5") == b"raw"
    assert client.call("DEBUG", "DIGEST") == oracle.call("DEBUG", "DIGEST")
