"""DBSIZE SWAPDB FLUSHDB FLUSHALL TIME."""

from __future__ import annotations

import pytest

from tests.commands.driver import START_NS, Client, ErrorReply

SYNTAX = ErrorReply("ERR syntax error")


@pytest.fixture
def client() -> Client:
    client = Client()
    for number in (0, 1, 9):
        client.engine.keyspace.databases[number].set_value(b"k%d" % number, b"v")
        client.engine.keyspace.databases[number].set_value(b"both", b"%d" % number)
    return client


def sizes(client: Client) -> list[int]:
    return [len(client.engine.keyspace.databases[number]) for number in (0, 1, 9)]


def test_flushdb_empties_one_database(client: Client) -> None:
    assert client.call("DBSIZE") == 2
    assert client.call("FLUSHDB") == b"OK"
    assert sizes(client) == [0, 2, 2]
    assert client.call("FLUSHDB", "async") == b"OK"
    assert client.call("FLUSHDB", "SYNC") == b"OK"
    assert client.journal() == ["0 FLUSHDB", "0 FLUSHDB async", "0 FLUSHDB SYNC"]
    assert client.call("FLUSHDB", "later") == SYNTAX
    assert client.call("FLUSHDB", "ASYNC", "SYNC") == SYNTAX
    assert client.journal() == []


@pytest.mark.parametrize("words", [["FLUSHALL"], ["FLUSHALL", "ASYNC"], ["FLUSHALL", "SYNC"]])
def test_flushall_empties_all_and_is_journalled_even_for_nothing(client: Client, words: list[str]) -> None:
    assert client.call(*words) == b"OK"
    assert sizes(client) == [0, 0, 0]
    assert client.call(*words) == b"OK"
    assert client.journal() == ["0 " + " ".join(words)] * 2
    assert client.call("FLUSHALL", "x") == SYNTAX


def test_swapdb(client: Client) -> None:
    client.engine.keyspace.databases[1].set_expiry(b"k1", client.now_ms + 1000)
    assert client.call("SWAPDB", 0, 1) == b"OK"
    assert sorted(client.call("KEYS", "*")) == [b"both", b"k1"]
    assert client.call("PTTL", "k1") == 1000
    assert client.call("SWAPDB", 3, 3) == b"OK"
    assert client.journal() == ["0 SWAPDB 0 1", "0 SWAPDB 3 3"]
    for number in (0, 1):
        client.engine.keyspace.databases[number].check()


def test_swapdb_errors(client: Client) -> None:
    assert client.call("SWAPDB", "x", "y") == ErrorReply("ERR invalid first DB index")
    assert client.call("SWAPDB", 0, 2**31) == ErrorReply("ERR invalid second DB index")
    assert client.call("SWAPDB", 0, 16) == ErrorReply("ERR DB index is out of range")
    assert client.call("SWAPDB", -1, 0) == ErrorReply("ERR DB index is out of range")
    assert client.journal() == []


@pytest.mark.parametrize("words", [["FLUSHDB"], ["FLUSHALL"], ["SWAPDB", "0", "1"]])
def test_watchers_of_keys_that_were_there_are_told(client: Client, words: list[str]) -> None:
    keyspace = client.engine.keyspace
    of_present, of_absent = client.another().state, client.another().state
    keyspace.databases[0].watch(of_present, b"k0")
    keyspace.databases[0].watch(of_absent, b"nokey")
    client.call(*words)
    assert of_present.watch_broken
    assert not of_absent.watch_broken


def test_time(client: Client) -> None:
    client.engine.clock.now_ns = START_NS + 1_234_567_999  # type: ignore[attr-defined]
    assert client.call("TIME") == [b"%d" % (START_NS // 10**9 + 1), b"234567"]
