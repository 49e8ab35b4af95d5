"""Time to live, as scripts of commands and answers, and what the journal gets to see."""

from __future__ import annotations

import pytest

from tests.commands.driver import START_NS, Client, ErrorReply

START_MS = START_NS // 1_000_000
START_S = START_MS // 1000
NOT_AN_INTEGER = ErrorReply("ERR value is not an integer or out of range")
BIGGEST = 2**63 - 1


@pytest.fixture
def client() -> Client:
    client = Client()
    client.state.db.set_value(b"k", b"v")
    client.journal()
    return client


def test_four_ways_to_say_when(client: Client) -> None:
    assert client.call("EXPIRE", "k", 10) == 1
    assert client.call("PTTL", "k") == 10_000
    assert client.call("PEXPIRE", "k", 1500) == 1
    assert client.call("PTTL", "k") == 1500
    assert client.call("EXPIREAT", "k", START_S + 7) == 1
    assert client.call("PTTL", "k") == 7000
    assert client.call("PEXPIREAT", "k", START_MS + 8) == 1
    assert client.call("PTTL", "k") == 8
    assert client.journal() == [
        f"0 PEXPIREAT k {START_MS + 10_000}",
        f"0 PEXPIREAT k {START_MS + 1500}",
        f"0 PEXPIREAT k {(START_S + 7) * 1000}",
        f"0 PEXPIREAT k {START_MS + 8}",
    ]
    client.state.db.check()


def test_asking(client: Client) -> None:
    for command in ("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"):
        assert client.call(command, "nokey") == -2
        assert client.call(command, "k") == -1
    client.call("PEXPIREAT", "k", START_MS + 1499)
    assert client.call("TTL", "k") == 1
    client.call("PEXPIREAT", "k", START_MS + 1500)
    assert client.call("TTL", "k") == 2
    assert client.call("EXPIRETIME", "k") == (START_MS + 2000) // 1000
    assert client.call("PEXPIRETIME", "k") == START_MS + 1500
    client.now_ms += 1499
    assert client.call("PTTL", "k") == 1
    client.now_ms += 1
    assert client.call("PTTL", "k") == -2


def test_persist(client: Client) -> None:
    assert client.call("PERSIST", "nokey") == 0
    assert client.call("PERSIST", "k") == 0
    assert client.journal() == []
    client.call("EXPIRE", "k", 10)
    client.journal()
    assert client.call("PERSIST", "k") == 1
    assert client.journal() == ["0 PERSIST k"]
    assert client.call("TTL", "k") == -1
    client.state.db.check()


@pytest.mark.parametrize(
    "words", ["EXPIRE k 0", "EXPIRE k -1", "PEXPIRE k -9223372036854775808", "EXPIREAT k 1"]
)
def test_a_moment_that_has_passed_deletes_the_key(client: Client, words: str) -> None:
    assert client.call(*words.split()) == 1
    assert client.journal() == ["0 DEL k"]
    assert client.call("EXISTS", "k") == 0
    assert client.call(*words.split()) == 0
    assert client.journal() == []
    assert client.engine.keyspace.expired_keys == 0


def test_while_loading_the_past_does_not_delete(client: Client) -> None:
    client.engine.keyspace.loading = True
    assert client.call("PEXPIREAT", "k", START_MS - 1) == 1
    assert client.call("EXISTS", "k") == 1
    client.engine.keyspace.loading = False
    assert client.call("EXISTS", "k") == 0


def test_options(client: Client) -> None:
    assert client.call("EXPIRE", "k", 10, "XX") == 0
    assert client.call("EXPIRE", "k", 10, "GT") == 0
    assert client.call("EXPIRE", "k", -1, "GT") == 0
    assert client.journal() == []
    assert client.call("EXPIRE", "k", 10, "LT") == 1
    assert client.journal() == [f"0 PEXPIREAT k {START_MS + 10_000} LT"]
    assert client.call("EXPIRE", "k", 5, "NX") == 0
    assert client.call("EXPIRE", "k", 10, "GT") == 0
    assert client.call("EXPIRE", "k", 10, "LT") == 0
    assert client.call("EXPIRE", "k", 11, "gt", "xx") == 1
    assert client.call("EXPIRE", "k", 11, "xx", "lt") == 0
    assert client.call("TTL", "k") == 11
    client.call("PERSIST", "k")
    assert client.call("EXPIRE", "k", 5, "NX") == 1


def test_errors(client: Client) -> None:
    both = ErrorReply("ERR NX and XX, GT or LT options at the same time are not compatible")
    assert client.call("EXPIRE", "k", 10, "NX", "XX") == both
    assert client.call("EXPIRE", "k", 10, "NX", "GT", "LT") == both
    assert client.call("EXPIRE", "k", 10, "GT", "LT") == ErrorReply(
        "ERR GT and LT options at the same time are not compatible"
    )
    assert client.call("EXPIRE", "k", "x", "foo") == ErrorReply("ERR Unsupported option foo")
    assert client.call("EXPIRE", "nokey", "x") == NOT_AN_INTEGER
    assert client.call("EXPIRE", "k", 2**63) == NOT_AN_INTEGER
    assert client.call("EXPIRE", "k", "1.5") == NOT_AN_INTEGER


@pytest.mark.parametrize(
    ("command", "time"),
    [
        ("expire", BIGGEST),
        ("expire", BIGGEST // 1000),
        ("expire", -BIGGEST // 1000 - 1),
        ("pexpire", BIGGEST),
        ("pexpire", BIGGEST - START_MS + 1),
        ("expireat", BIGGEST),
        ("expireat", BIGGEST // 1000 + 1),
    ],
)
def test_times_beyond_64_bits(client: Client, command: str, time: int) -> None:
    assert client.call(command, "k", time) == ErrorReply(f"ERR invalid expire time in '{command}' command")
    assert client.call("TTL", "k") == -1


def test_the_furthest_times(client: Client) -> None:
    assert client.call("PEXPIREAT", "k", BIGGEST) == 1
    assert client.call("PEXPIRETIME", "k") == BIGGEST
    assert client.call("EXPIRETIME", "k") == (BIGGEST + 500) // 1000
    assert client.call("PEXPIRE", "k", BIGGEST - START_MS) == 1
    assert client.call("EXPIREAT", "k", BIGGEST // 1000) == 1


def test_a_watched_key_notices_its_time_to_live(client: Client) -> None:
    watcher = client.another().state
    client.state.db.watch(watcher, b"k")
    client.call("EXPIRE", "k", 10, "XX")
    assert not watcher.watch_broken
    client.call("EXPIRE", "k", 10)
    assert watcher.watch_broken
