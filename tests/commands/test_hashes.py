"""Hashes, as scripts of commands and answers; test_sets_and_hashes_oracle.py compares them with Redis."""

from __future__ import annotations

import pytest

from kedis.structures.containers import INDEX_ABOVE
from tests.commands.driver import Client, ErrorReply

WRONG_TYPE = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
SYNTAX = ErrorReply("ERR syntax error")
NOT_AN_INTEGER = ErrorReply("ERR value is not an integer or out of range")
NOT_A_FLOAT = ErrorReply("ERR value is not a valid float")
OVERFLOW = ErrorReply("ERR increment or decrement would overflow")
OUT_OF_RANGE = ErrorReply("ERR value is out of range")


@pytest.fixture
def client() -> Client:
    client = Client()
    client.engine.keyspace.random.seed(11)
    client.state.db.set_value(b"str", b"x")
    return client


def wire(client: Client, *words: str) -> bytes:
    """The reply as bytes."""
    client.engine.run(client.state, [[word.encode() for word in words]])
    reply = b"".join(client.state.out)
    client.state.out.clear()
    return reply


def test_setting_and_getting(client: Client) -> None:
    assert client.call("HSET", "h", "a", 1) == 1
    assert client.call("HSET", "h", "a", 2) == 0
    assert client.call("HSET", "h", "a", 3, "b", 4, "c", 5, "b", 6) == 2
    assert client.call("HMSET", "h", "d", 7) == b"OK"
    assert client.call("HGET", "h", "b") == b"6"
    assert client.call("HGET", "h", "z") is None
    assert client.call("HMGET", "h", "a", "z", "d") == [b"3", None, b"7"]
    assert client.call("HGETALL", "h") == [b"a", b"3", b"b", b"6", b"c", b"5", b"d", b"7"]
    assert client.call("HKEYS", "h") == [b"a", b"b", b"c", b"d"]
    assert client.call("HVALS", "h") == [b"3", b"6", b"5", b"7"]
    assert client.call("HLEN", "h") == 4
    assert client.call("HEXISTS", "h", "a") == 1
    assert client.call("HEXISTS", "h", "z") == 0
    client.call("HSET", "h", "long", "x" * 300, "empty", "")
    assert client.call("HSTRLEN", "h", "long") == 300
    assert client.call("HSTRLEN", "h", "empty") == 0
    assert client.call("HSTRLEN", "h", "z") == 0
    assert len(client.journal()) == 5


def test_a_hash_that_is_missing(client: Client) -> None:
    assert client.call("HGET", "missing", "a") is None
    assert client.call("HMGET", "missing", "a", "b") == [None, None]
    for command in ("HGETALL", "HKEYS", "HVALS"):
        assert client.call(command, "missing") == []
    assert client.call("HLEN", "missing") == 0
    assert client.call("HSTRLEN", "missing", "a") == 0
    assert client.call("HEXISTS", "missing", "a") == 0
    assert client.call("HDEL", "missing", "a") == 0
    assert client.call("EXISTS", "missing") == 0
    assert client.journal() == []


def test_a_field_without_a_value_is_refused(client: Client) -> None:
    for command in ("HSET", "HMSET"):
        arity = ErrorReply(f"ERR wrong number of arguments for '{command.lower()}' command")
        assert client.call(command, "h", "a") == arity
        assert client.call(command, "str", "a", "1", "b") == arity
    assert client.call("EXISTS", "h") == 0


def test_setting_what_is_not_there(client: Client) -> None:
    assert client.call("HSETNX", "h", "a", 1) == 1
    assert client.call("HSETNX", "h", "a", 2) == 0
    assert client.call("HGET", "h", "a") == b"1"
    assert client.journal() == ["0 HSETNX h a 1"]


def test_removing(client: Client) -> None:
    client.call("HSET", "h", "a", 1, "b", 2, "c", 3)
    client.journal()
    assert client.call("HDEL", "h", "a", "nothing", "b", "a") == 2
    assert client.call("HDEL", "h", "nothing") == 0
    assert client.journal() == ["0 HDEL h a nothing b a"]
    assert client.call("HDEL", "h", "c") == 1
    assert client.call("EXISTS", "h") == 0
    client.state.db.check()


def test_adding_integers(client: Client) -> None:
    assert client.call("HINCRBY", "h", "n", 5) == 5
    assert client.call("HINCRBY", "h", "n", -8) == -3
    assert client.call("HINCRBY", "h", "n", 0) == -3
    assert client.journal() == ["0 HINCRBY h n 5", "0 HINCRBY h n -8", "0 HINCRBY h n 0"]
    client.call(
        "HSET", "h", "most", "9223372036854775807", "word", "x", "spaced", " 5", "float", "1.5", "", ""
    )
    client.journal()
    assert client.call("HINCRBY", "h", "most", 1) == OVERFLOW
    assert client.call("HINCRBY", "h", "n", -9223372036854775808) == OVERFLOW
    assert client.call("HINCRBY", "h", "n", "1.5") == NOT_AN_INTEGER
    assert client.call("HINCRBY", "str", "n", "x") == NOT_AN_INTEGER
    for field in ("word", "spaced", "float", ""):
        assert client.call("HINCRBY", "h", field, 1) == ErrorReply("ERR hash value is not an integer")
    assert client.call("HGET", "h", "most") == b"9223372036854775807"
    assert client.call("HINCRBY", "missing", "n", "x") == NOT_AN_INTEGER
    assert client.call("EXISTS", "missing") == 0
    assert client.journal() == []


def test_adding_floats_is_journalled_as_the_result(client: Client) -> None:
    assert client.call("HINCRBYFLOAT", "h", "f", "10.50") == b"10.5"
    assert client.call("HINCRBYFLOAT", "h", "f", "0.1") == b"10.6"
    assert client.call("HINCRBYFLOAT", "h", "f", "-10.6") == b"0"
    assert client.call("HINCRBYFLOAT", "h", "f", "5.0e3") == b"5000"
    assert client.journal() == ["0 HSET h f 10.5", "0 HSET h f 10.6", "0 HSET h f 0", "0 HSET h f 5000"]
    assert client.call("HINCRBYFLOAT", "h", "third", "3.0e-1") == b"0.3"
    client.call("HSET", "h", "word", "x", "inf", "inf", "spaced", " 5", "most", "1.1e4932")
    client.journal()
    assert client.call("HINCRBYFLOAT", "h", "f", "x") == NOT_A_FLOAT
    assert client.call("HINCRBYFLOAT", "h", "f", "nan") == NOT_A_FLOAT
    assert client.call("HINCRBYFLOAT", "str", "f", "1e5000") == NOT_A_FLOAT
    for infinite in ("inf", "-Infinity"):
        assert client.call("HINCRBYFLOAT", "h", "f", infinite) == ErrorReply("ERR value is NaN or Infinity")
    for field in ("word", "spaced"):
        assert client.call("HINCRBYFLOAT", "h", field, 1) == ErrorReply("ERR hash value is not a float")
    too_large = ErrorReply("ERR increment would produce NaN or Infinity")
    assert client.call("HINCRBYFLOAT", "h", "inf", 1) == too_large
    assert client.call("HINCRBYFLOAT", "h", "most", "1.1e4932") == too_large
    assert client.journal() == []


def test_random_fields(client: Client) -> None:
    client.call("HSET", "h", "a", 1, "b", 2, "c", 3)
    assert client.call("HRANDFIELD", "h") in (b"a", b"b", b"c")
    assert sorted(client.call("HRANDFIELD", "h", 10)) == [b"a", b"b", b"c"]
    assert len(set(client.call("HRANDFIELD", "h", 2))) == 2
    assert client.call("HRANDFIELD", "h", 0) == []
    picks = client.call("HRANDFIELD", "h", -100, "withvalues")
    assert len(picks) == 200
    pairs = set(zip(picks[::2], picks[1::2], strict=True))
    assert pairs == {(b"a", b"1"), (b"b", b"2"), (b"c", b"3")}
    assert client.call("HRANDFIELD", "missing") is None
    assert client.call("HRANDFIELD", "missing", 3) == []
    assert client.call("HRANDFIELD", "missing", -3, "WITHVALUES") == []


@pytest.mark.parametrize("size", [10, 2 * INDEX_ABOVE])
def test_random_choice_is_fair(client: Client, size: int) -> None:
    counts = dict.fromkeys((b"%d" % number for number in range(size)), 0)
    client.call("HSET", "h", *(word for field in counts for word in (field, b"v")))
    for _ in range(50 * size):
        counts[client.call("HRANDFIELD", "h")] += 1
    chi_square = sum((count - 50) ** 2 for count in counts.values()) / 50
    assert abs(chi_square - (size - 1)) < 5 * (2 * (size - 1)) ** 0.5


def test_counts_of_random_fields_that_are_refused(client: Client) -> None:
    client.call("HSET", "h", "a", 1)
    beyond = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
    assert client.call("HRANDFIELD", "h", -9223372036854775808) == ErrorReply(beyond)
    assert client.call("HRANDFIELD", "h", -9223372036854775807) == OUT_OF_RANGE
    half = 4611686018427387904
    for count in (half, -half):
        assert client.call("HRANDFIELD", "h", count, "WITHVALUES") == OUT_OF_RANGE
        assert client.call("HRANDFIELD", "missing", count, "WITHVALUES") == OUT_OF_RANGE
    assert client.call("HRANDFIELD", "h", half - 1, "WITHVALUES") == [b"a", b"1"]
    assert client.call("HRANDFIELD", "h", "x", "NONSENSE") == NOT_AN_INTEGER
    assert client.call("HRANDFIELD", "h", 1, "NONSENSE") == SYNTAX
    assert client.call("HRANDFIELD", "h", 1, "WITHVALUES", "x") == SYNTAX


def test_scanning(client: Client) -> None:
    client.call("HSET", "h", "a1", "v1", "a2", "v2", "b1", "v3")
    assert client.call("HSCAN", "h", 0, "MATCH", "a*") == [b"0", [b"a1", b"v1", b"a2", b"v2"]]
    assert client.call("HSCAN", "h", 0, "COUNT", 1) == [b"0", [b"a1", b"v1", b"a2", b"v2", b"b1", b"v3"]]
    assert client.call("HSCAN", "missing", 0) == [b"0", []]


def test_scanning_returns_what_stays_while_the_hash_changes(client: Client) -> None:
    stays = {b"stays:%d" % number: b"%d" % number for number in range(500)}
    client.call("HSET", "h", *(word for pair in stays.items() for word in pair))
    for number in range(2000):
        client.call("HSET", "h", f"goes:{number}", number)
    found: dict[bytes, bytes] = {}
    cursor, turn = b"0", 0
    while turn == 0 or cursor != b"0":
        cursor, some = client.call("HSCAN", "h", cursor, "MATCH", "stays:*", "COUNT", 20)
        found.update(zip(some[::2], some[1::2], strict=True))
        client.call("HDEL", "h", *(f"goes:{number}" for number in range(turn * 40, turn * 40 + 40)))
        turn += 1
    assert found == stays
    assert turn > 20


@pytest.mark.parametrize(
    "words",
    [
        "HSET str a 1",
        "HMSET str a 1",
        "HSETNX str a 1",
        "HGET str a",
        "HMGET str a",
        "HGETALL str",
        "HKEYS str",
        "HVALS str",
        "HLEN str",
        "HSTRLEN str a",
        "HEXISTS str a",
        "HDEL str a",
        "HINCRBY str a 1",
        "HINCRBYFLOAT str a 1",
        "HRANDFIELD str",
        "HRANDFIELD str 1",
        "HSCAN str 0 NONSENSE",
    ],
)
def test_a_key_of_another_type(client: Client, words: str) -> None:
    assert client.call(*words.split()) == WRONG_TYPE
    assert client.journal() == []


def test_types_in_resp3(client: Client) -> None:
    client.state.speak(3)
    client.call("HSET", "h", "a", "1")
    assert wire(client, "HGETALL", "h") == b"%1\r\n$1\r\na\r\n$1\r\n1\r\n"
    assert wire(client, "HGETALL", "missing") == b"%0\r\n"
    assert wire(client, "HKEYS", "h") == b"*1\r\n$1\r\na\r\n"
    assert wire(client, "HSCAN", "h", "0") == b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"
    assert wire(client, "HRANDFIELD", "h", "1", "WITHVALUES") == b"*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"
    assert wire(client, "HRANDFIELD", "missing", "1") == b"*0\r\n"
    assert wire(client, "HINCRBYFLOAT", "h", "a", "0.5") == b"$3\r\n1.5\r\n"
    assert wire(client, "HMGET", "h", "z") == b"*1\r\n_\r\n"
