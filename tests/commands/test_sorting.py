"""SORT beyond what the random comparison with Redis reaches: what is stored, how it is journalled, what is told."""

from __future__ import annotations

import sys
import tracemalloc
from random import Random

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


def weighed(client: Client, count: int, weights: int) -> dict[bytes, float]:
    """A list of ``count`` elements with weights, of which there are so many; some elements have none."""
    rng = Random(count)
    found = {b"%d" % number: float(rng.randrange(weights)) for number in range(count)}
    elements = list(found)
    rng.shuffle(elements)
    client.call("RPUSH", "long", *elements)
    for element in elements[::100]:
        found[element] = 0.0
    for element, weight in found.items():
        if weight:
            client.call("SET", b"w_" + element, b"%d" % weight)
    return found


@pytest.mark.parametrize("weights", [1, 3, 300, 10**9])
def test_many_elements_stand_in_order_of_weight_and_then_of_bytes(client: Client, weights: int) -> None:
    weight_of = weighed(client, 3000, weights)
    expected = sorted(weight_of, key=lambda element: (weight_of[element], element))
    for direction in ("ASC", "DESC"):
        assert client.call("SORT", "long", "BY", "w_*", direction) == expected
        for first, count in ((0, 10), (5, 20), (100, 1), (290, 20), (0, 299), (0, 300), (2999, 5), (7, 0)):
            part = client.call("SORT", "long", "BY", "w_*", direction, "LIMIT", first, count)
            assert part == expected[first : first + count]
        expected.reverse()


def test_lookups_in_bulk_count_hits_and_misses_and_note_uses(client: Client) -> None:
    keyspace = client.engine.keyspace
    hits, misses = keyspace.hits, keyspace.misses
    client.call("SORT", "list", "BY", "weight:*", "GET", "nothing:*", "GET", "weight:*")
    assert (keyspace.hits - hits, keyspace.misses - misses) == (1 + 3 + 3, 3)
    client.call("PEXPIRE", "weight:1", 1)
    client.now_ms += 1000
    assert client.call("SORT", "list", "BY", "weight:*", "GET", "weight:*", "LIMIT", 0, 1) == [None]
    client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    client.now_ms += 60_000
    assert client.call("OBJECT", "IDLETIME", "weight:2") == 60
    client.call("SORT", "list", "BY", "weight:*")
    assert client.call("OBJECT", "IDLETIME", "weight:2") == 0


def test_sorting_calls_no_function_for_each_element(client: Client) -> None:
    """A million elements took 3 s, of which Redis needs 0.5: five calls each, and a sort by tuples."""
    weighed(client, 3000, 10**9)
    calls = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(profile)
    try:
        client.call("SORT", "long", "BY", "w_*", "GET", "w_*")
    finally:
        sys.setprofile(None)
    assert calls < 500


@pytest.mark.parametrize("end", ["", "->field"])
def test_long_patterns_take_little_memory(client: Client, end: str) -> None:
    """The names of keys of all elements at once would be 2,000 times 20 KB."""
    client.call("RPUSH", "l", *range(2000))
    pattern = "x" * 20_000
    client.call(*("HSET", f"{pattern}7", "field", -1) if end else ("SET", f"{pattern}7", -1))
    tracemalloc.start()
    try:
        reply = client.call("SORT", "l", "BY", f"{pattern}*{end}", "GET", "#", "GET", f"{pattern}*{end}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reply[:3] == [b"7", b"-1", b"0"]
    assert len(reply) == 4000
    assert peak < 8 << 20
