"""SORT beyond what the random comparison with Redis reaches: what is stored, how it is journalled, what is told."""

from __future__ import annotations

import pytest

from tests.commands.driver import Client, ErrorReply


@pytest.fixture
def client() -> Client:
    client = Client()
    client.call("RPUSH", "list", "3", "1", "2")
    for number, weight in (("1", "30"), ("2", "20"), ("3", "10")):
        client.call("SET", f"weight:{number}", weight)
        client.call("HSET", f"object:{number}", "name", f"name of {number}", "->", "arrow")
    return client


def test_by_keys_and_fields_named_after_the_elements(client: Client) -> None:
    assert client.call("SORT", "list") == [b"1", b"2", b"3"]
    assert client.call("SORT", "list", "BY", "weight:*") == [b"3", b"2", b"1"]
    assert client.call("SORT", "list", "BY", "object:*->name", "ALPHA", "DESC", "LIMIT", 0, 2) == [b"3", b"2"]
    assert client.call("SORT_RO", "list", "GET", "#", "GET", "object:*->name", "GET", "nothing:*") == [
        *(b"1", b"name of 1", None),
        *(b"2", b"name of 2", None),
        *(b"3", b"name of 3", None),
    ]
    assert client.call("SORT", "list", "GET", "object:*->->", "LIMIT", 0, 1) == [b"arrow"]


def test_a_store_replaces_whatever_was_there_and_nothing_stored_deletes_it(client: Client) -> None:
    client.call("SET", "target", "x", "EX", 100)
    assert client.call("SORT", "list", "GET", "missing:*", "STORE", "target") == 3
    assert client.call("LRANGE", "target", 0, -1) == [b"", b"", b""]
    assert client.call("TTL", "target") == -1
    client.engine.keyspace.check()
    assert client.call("SORT", "nosuch", "STORE", "target") == 0
    assert client.call("EXISTS", "target") == 0
    assert client.journal()[-2:] == ["0 SORT list GET missing:* STORE target", "0 SORT nosuch STORE target"]


def test_a_set_is_stored_in_an_order_that_a_reader_of_the_journal_finds_again(client: Client) -> None:
    members = [f"member:{number}" for number in range(300)]
    client.call("SADD", "set", *members)
    assert client.call("SORT", "set", "BY", "nosort", "STORE", "target") == 300
    assert client.call("LRANGE", "target", 0, -1) == sorted(member.encode() for member in members)


def test_what_cannot_be_sorted_is_refused_and_nothing_is_stored(client: Client) -> None:
    client.call("RPUSH", "words", "1", "two")
    client.call("SET", "target", "kept")
    refused = ErrorReply("ERR One or more scores can't be converted into double")
    assert client.call("SORT", "words", "STORE", "target") == refused
    assert client.call("SORT", "weight:1") == ErrorReply(
        "WRONGTYPE Operation against a key holding the wrong kind of value"
    )
    assert client.call("SORT_RO", "list", "STORE", "target") == ErrorReply("ERR syntax error")
    assert client.call("GET", "target") == b"kept"


def test_where_the_keys_are(client: Client) -> None:
    words = ("SORT", "list", "BY", "store", "GET", "STORE", "STORE", "a", "store", "b")
    assert client.call("COMMAND", "GETKEYS", *words) == [b"list", b"b"]
    assert client.call("COMMAND", "GETKEYSANDFLAGS", *words) == [
        [b"list", [b"RO", b"access"]],
        [b"b", [b"OW", b"update"]],
    ]
