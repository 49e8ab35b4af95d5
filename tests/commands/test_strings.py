"""String commands: scripts of commands and answers.  More of them is compared in ``test_strings_oracle``."""

from __future__ import annotations

import pytest

from tests.commands.driver import START_NS, Client, ErrorReply

NOW_MS = START_NS // 1_000_000
SYNTAX = ErrorReply("ERR syntax error")
NOT_AN_INTEGER = ErrorReply("ERR value is not an integer or out of range")
WRONG_TYPE = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
OVERFLOW = ErrorReply("ERR increment or decrement would overflow")
TOO_LONG = ErrorReply("ERR string exceeds maximum allowed size (proto-max-bulk-len)")


@pytest.fixture
def client() -> Client:
    return Client()


def test_get_and_set(client: Client) -> None:
    assert client.call("GET", "k") is None
    assert client.call("SET", "k", b"\x00\r\n\xff") == b"OK"
    assert client.call("GET", "k") == b"\x00\r\n\xff"
    assert client.call("SET", "k", "") == b"OK"
    assert client.call("GET", "k") == b""
    client.call("RPUSH", "list", "x")
    assert client.call("GET", "list") == WRONG_TYPE
    assert client.call("SET", "list", "v") == b"OK"
    assert client.call("GET", "list") == b"v"


def test_set_under_a_condition(client: Client) -> None:
    assert client.call("SET", "k", "v", "XX") is None
    assert client.call("SET", "k", "v", "NX") == b"OK"
    assert client.call("SET", "k", "w", "nx") is None
    assert client.call("SET", "k", "w", "xx", "get") == b"v"
    assert client.call("SET", "k", "x", "NX", "GET") == b"w"
    assert client.call("SET", "new", "x", "NX", "GET") is None
    assert client.call("MGET", "k", "new") == [b"w", b"x"]
    assert client.call("SET", "k", "x", "NX", "XX") == SYNTAX
    client.call("RPUSH", "list", "x")
    assert client.call("SET", "list", "v", "GET") == WRONG_TYPE
    assert client.call("SET", "list", "v", "NX", "GET") == WRONG_TYPE
    assert client.call("TYPE", "list") == b"list"


@pytest.mark.parametrize(
    ("words", "at_ms"),
    [
        (["EX", 10], NOW_MS + 10_000),
        (["PX", 10], NOW_MS + 10),
        (["EXAT", 4_000_000_000], 4_000_000_000_000),
        (["PXAT", 4_000_000_000_001], 4_000_000_000_001),
        (["ex", 10, "EX", 20], NOW_MS + 20_000),
    ],
)
def test_set_and_getex_with_an_expiry(client: Client, words: list[object], at_ms: int) -> None:
    assert client.call("SET", "k", "v", *words, "NX") == b"OK"
    assert client.call("PEXPIRETIME", "k") == at_ms
    client.call("SET", "k", "v")
    assert client.call("GETEX", "k", *words) == b"v"
    assert client.call("PEXPIRETIME", "k") == at_ms
    assert client.journal() == [f"0 SET k v PXAT {at_ms}", "0 SET k v", f"0 PEXPIREAT k {at_ms}"]
    client.now_ms = at_ms
    assert client.call("GET", "k") is None


def test_expiries_that_cannot_be(client: Client) -> None:
    client.call("SET", "k", "v")
    for unit in ("EX", "PX", "EXAT", "PXAT"):
        for time, command in ((0, "set"), (-1, "set"), (0, "getex")):
            words = ["SET", "k", "w"] if command == "set" else ["GETEX", "k"]
            invalid = ErrorReply(f"ERR invalid expire time in '{command}' command")
            assert client.call(*words, unit, time) == invalid
        assert client.call("SET", "k", "w", unit, "x") == NOT_AN_INTEGER
        assert client.call("SET", "k", "w", unit) == SYNTAX
        assert client.call("SET", "k", "w", unit, 5, "KEEPTTL") == SYNTAX
        assert client.call("GETEX", "k", unit, 5, "PERSIST") == SYNTAX
    assert client.call("SET", "k", "w", "EX", (1 << 63) - 1) == ErrorReply(
        "ERR invalid expire time in 'set' command"
    )
    assert client.call("SETEX", "k", 0, "w") == ErrorReply("ERR invalid expire time in 'setex' command")
    assert client.call("PSETEX", "k", -1, "w") == ErrorReply("ERR invalid expire time in 'psetex' command")
    assert client.call("GET", "k") == b"v"
    assert client.journal() == ["0 SET k v"]


def test_keepttl(client: Client) -> None:
    client.call("SET", "k", "v", "PX", 100)
    client.call("SET", "k", "w", "KEEPTTL")
    assert client.call("PTTL", "k") == 100
    client.call("SET", "k", "x", "GET")
    assert client.call("PTTL", "k") == -1
    client.call("SET", "k", "v", "PX", 100)
    client.now_ms += 100
    client.journal()
    client.call("SET", "k", "w", "KEEPTTL")  # what it would keep has run out
    assert client.call("PTTL", "k") == -1
    assert client.journal() == ["0 MULTI", "0 DEL k", "0 SET k w KEEPTTL", "0 EXEC"]


def test_old_forms_of_set(client: Client) -> None:
    assert client.call("SETNX", "k", "v") == 1
    assert client.call("SETNX", "k", "w") == 0
    assert client.call("GETSET", "k", "w") == b"v"
    assert client.call("SETEX", "k", 10, "x") == b"OK"
    assert client.call("GETSET", "none", "x") is None
    assert client.call("PSETEX", "k", 10, "y") == b"OK"
    assert client.call("PTTL", "k") == 10
    assert client.journal() == [
        "0 SETNX k v",
        "0 SET k w",
        f"0 SET k x PXAT {NOW_MS + 10_000}",
        "0 SET none x",
        f"0 SET k y PXAT {NOW_MS + 10}",
    ]


def test_reading_and_removing(client: Client) -> None:
    client.call("SET", "k", "v")
    assert client.call("GETDEL", "k") == b"v"
    assert client.call("GETDEL", "k") is None
    client.call("RPUSH", "list", "x")
    assert client.call("GETDEL", "list") == WRONG_TYPE
    client.call("SET", "k", "v", "EX", 10)
    client.journal()
    assert client.call("GETEX", "k") == b"v"
    assert client.call("GETEX", "k", "PERSIST") == b"v"
    assert client.call("GETEX", "k", "PERSIST") == b"v"
    assert client.call("GETEX", "k", "EXAT", 1) == b"v"
    assert client.call("EXISTS", "k") == 0
    assert client.call("GETEX", "k", "EX", 10) is None
    assert client.journal() == ["0 PERSIST k", "0 DEL k"]


def test_several_at_once(client: Client) -> None:
    client.call("RPUSH", "list", "x")
    client.call("APPEND", "raw", "x")
    client.call("APPEND", "raw", "y")
    assert client.call("MSET", "a", "1", "b", "2", "a", "3") == b"OK"
    assert client.call("MGET", "a", "none", "list", "raw", "b") == [b"3", None, None, b"xy", b"2"]
    assert client.call("MSETNX", "c", "1", "a", "2") == 0
    assert client.call("MSETNX", "c", "1", "d", "2") == 1
    assert client.call("MSET", "a", "1", "b") == ErrorReply(
        "ERR wrong number of arguments for 'mset' command"
    )
    assert client.call("MSETNX", "a", "1", "b") == ErrorReply(
        "ERR wrong number of arguments for 'msetnx' command"
    )
    assert client.call("MGET", "a", "c", "d") == [b"3", b"1", b"2"]


def test_integers(client: Client) -> None:
    assert client.call("INCR", "n") == 1
    assert client.call("INCRBY", "n", 41) == 42
    assert client.call("DECR", "n") == 41
    assert client.call("DECRBY", "n", -9) == 50
    assert client.call("GET", "n") == b"50"
    client.call("SET", "n", (1 << 63) - 1)
    assert client.call("INCR", "n") == OVERFLOW
    client.call("SET", "n", -(1 << 63))
    assert client.call("DECR", "n") == OVERFLOW
    assert client.call("DECRBY", "n", -(1 << 63)) == ErrorReply("ERR decrement would overflow")
    assert client.call("INCRBY", "n", "1_0") == NOT_AN_INTEGER
    for text in ("", " 1", "1 ", "01", "+1", "1_0", "x", "9" * 100_000):
        client.call("SET", "n", text)
        assert client.call("INCR", "n") == NOT_AN_INTEGER
    client.call("SET", "n", "1")
    client.call("APPEND", "n", "2")
    assert client.call("INCR", "n") == 13
    client.call("RPUSH", "list", "x")
    assert client.call("INCR", "list") == WRONG_TYPE


def test_increments_keep_the_time_to_live(client: Client) -> None:
    client.call("SET", "n", "1", "PX", 100)
    client.call("INCR", "n")
    client.call("INCRBYFLOAT", "n", "0.5")
    client.call("APPEND", "n", "5")
    client.call("SETRANGE", "n", 0, "3")
    assert client.call("PTTL", "n") == 100
    assert client.call("GET", "n") == b"3.55"


def test_floats(client: Client) -> None:
    assert client.call("INCRBYFLOAT", "f", "10.50") == b"10.5"
    assert client.call("INCRBYFLOAT", "f", "0.1") == b"10.6"
    assert client.call("INCRBYFLOAT", "f", "-5.6") == b"5"
    assert client.call("INCRBYFLOAT", "f", "2.0e2") == b"205"
    assert client.journal()[1] == "0 SET f 10.6 KEEPTTL"
    assert client.call("INCRBYFLOAT", "f", "x") == ErrorReply("ERR value is not a valid float")
    assert client.call("INCRBYFLOAT", "f", "nan") == ErrorReply("ERR value is not a valid float")
    assert client.call("INCRBYFLOAT", "f", "inf") == ErrorReply("ERR increment would produce NaN or Infinity")
    client.call("RPUSH", "list", "x")
    assert client.call("INCRBYFLOAT", "list", "x") == WRONG_TYPE


def test_ranges(client: Client) -> None:
    client.call("SET", "k", "Hello World")
    for first, last, part in (
        (0, 4, b"Hello"),
        (-5, -1, b"World"),
        (0, -1, b"Hello World"),
        (6, 100, b"World"),
        (5, 3, b""),
        (-1, -5, b""),
        (-100, 0, b"H"),
        (11, 20, b""),
        (0, -100, b"H"),
    ):
        assert client.call("GETRANGE", "k", first, last) == part, (first, last)
        assert client.call("SUBSTR", "k", first, last) == part
    assert client.call("SETRANGE", "k", 6, "Redis") == 11
    assert client.call("GETRANGE", "k", 0, -1) == b"Hello Redis"
    assert client.call("SETRANGE", "new", 3, "x") == 4
    assert client.call("GET", "new") == b"\0\0\0x"
    assert client.call("SETRANGE", "none", 3, "") == 0
    assert client.call("EXISTS", "none") == 0
    assert client.call("SETRANGE", "k", -1, "x") == ErrorReply("ERR offset is out of range")
    assert client.call("STRLEN", "k") == 11
    assert client.call("STRLEN", "none") == 0


def test_append(client: Client) -> None:
    assert client.call("APPEND", "k", "ab") == 2
    assert client.call("APPEND", "k", "cd") == 4
    assert client.call("APPEND", "k", "") == 4
    assert client.call("GET", "k") == b"abcd"
    assert client.call("OBJECT", "ENCODING", "k") == b"raw"
    client.call("COPY", "k", "copy")
    client.call("APPEND", "k", "ef")
    assert client.call("MGET", "k", "copy") == [b"abcdef", b"abcd"]


def test_strings_have_a_longest_length(client: Client) -> None:
    client.engine.config.proto_max_bulk_len = 1000
    assert client.call("SETRANGE", "k", 999, "x") == 1000
    assert client.call("SETRANGE", "k", 1000, "x") == TOO_LONG
    assert client.call("SETRANGE", "other", (1 << 63) - 1, "x") == TOO_LONG
    assert client.call("APPEND", "k", "x") == TOO_LONG
    assert client.call("MGET", "other", "k") == [None, bytes(999) + b"x"]
    replay = Client(client.engine, trusted=True)
    assert replay.call("APPEND", "k", "x") == 1001


def test_growing_a_large_string_costs_what_is_added(client: Client) -> None:
    """Twenty thousand appends to 8 MB would copy 160 GB if each copied the string."""
    client.call("SETRANGE", "k", (8 << 20) - 1, "x")
    client.call("APPEND", "k", "y")
    stored = client.state.db.data[b"k"]
    for _ in range(20_000):
        client.call("APPEND", "k", "z")
    assert client.state.db.data[b"k"] is stored
    assert client.call("STRLEN", "k") == (8 << 20) + 20_001


def test_longest_common_subsequence(client: Client) -> None:
    client.call("MSET", "one", "ohmytext", "two", "mynewtext")
    assert client.call("LCS", "one", "two") == b"mytext"
    assert client.call("LCS", "one", "two", "LEN") == 6
    matches = [[[4, 7], [5, 8]], [[2, 3], [0, 1]]]
    assert client.call("LCS", "one", "two", "IDX") == [b"matches", matches, b"len", 6]
    assert client.call("LCS", "one", "two", "idx", "minmatchlen", 4, "withmatchlen") == [
        b"matches",
        [[[4, 7], [5, 8], 4]],
        b"len",
        6,
    ]
    assert client.another(resp=3).call("LCS", "one", "two", "IDX") == {b"matches": matches, b"len": 6}
    assert client.call("LCS", "one", "none") == b""
    assert client.call("LCS", "none", "none", "IDX") == [b"matches", [], b"len", 0]
    assert client.call("LCS", "one", "two", "LEN", "IDX") == ErrorReply(
        "ERR If you want both the length and indexes, please just use IDX."
    )
    assert client.call("LCS", "one", "two", "FOO") == SYNTAX
    client.call("RPUSH", "list", "x")
    assert client.call("LCS", "one", "list") == ErrorReply(
        "ERR The specified keys must contain string values"
    )
    client.engine.config.proto_max_bulk_len = 4 * 9 * 10 - 1
    assert client.call("LCS", "one", "two", "LEN") == ErrorReply(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
    )
