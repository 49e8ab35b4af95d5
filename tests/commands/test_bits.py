"""Commands on bits, as scripts of commands and answers; test_bits_oracle.py compares them with Redis."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.driver import Client, ErrorReply

WRONG_TYPE = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
SYNTAX = ErrorReply("ERR syntax error")
NOT_AN_INTEGER = ErrorReply("ERR value is not an integer or out of range")
BAD_OFFSET = ErrorReply("ERR bit offset is not an integer or out of range")
BAD_BIT = ErrorReply("ERR bit is not an integer or out of range")
BAD_TYPE = ErrorReply(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
)


@pytest.fixture
def client() -> Client:
    client = Client()
    client.call("RPUSH", "list", "x")
    client.call("SET", "s", b"\x00\xf0\xff")
    client.journal()
    return client


def test_setting_and_getting(client: Client) -> None:
    assert client.call("SETBIT", "b", 7, 1) == 0
    assert client.call("GET", "b") == b"\x01"
    assert client.call("SETBIT", "b", 7, 1) == 1
    assert client.call("SETBIT", "b", 7, 0) == 1
    assert client.call("SETBIT", "b", 17, 0) == 0
    assert client.call("GET", "b") == b"\x00\x00\x00"
    assert client.call("SETBIT", "b", 17, 0) == 0
    assert client.journal() == ["0 SETBIT b 7 1", "0 SETBIT b 7 0", "0 SETBIT b 17 0"]
    assert [client.call("GETBIT", "s", offset) for offset in (7, 8, 11, 12, 23, 24, 999)] == [
        0,
        1,
        1,
        0,
        1,
        0,
        0,
    ]
    assert client.call("GETBIT", "missing", 0) == 0


def test_a_time_to_live_stays(client: Client) -> None:
    client.call("PEXPIREAT", "s", 4_000_000_000_000)
    client.call("SETBIT", "s", 0, 1)
    client.call("BITFIELD", "s", "SET", "u8", 0, 9)
    assert client.call("PEXPIRETIME", "s") == 4_000_000_000_000
    client.call("BITOP", "NOT", "s", "s")
    assert client.call("PEXPIRETIME", "s") == -1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["SETBIT", "b", "x", 2], BAD_OFFSET),
        (["SETBIT", "b", -1, 1], BAD_OFFSET),
        (["SETBIT", "b", 2**32, 1], BAD_OFFSET),
        (["SETBIT", "list", 1, 2], BAD_BIT),
        (["SETBIT", "list", 1, 1], WRONG_TYPE),
        (["GETBIT", "list", "x"], BAD_OFFSET),
        (["GETBIT", "list", 1], WRONG_TYPE),
        (["BITCOUNT", "list", "x"], WRONG_TYPE),
        (["BITCOUNT", "s", 1], SYNTAX),
        (["BITCOUNT", "s", 0, "x", "foo"], NOT_AN_INTEGER),
        (["BITCOUNT", "s", 0, 1, "foo"], SYNTAX),
        (["BITPOS", "list", 2], ErrorReply("ERR The bit argument must be 1 or 0.")),
        (["BITPOS", "s", "x"], NOT_AN_INTEGER),
        (["BITPOS", "s", 1, 0, 1, "foo"], SYNTAX),
        (["BITOP", "NAND", "d", "s"], SYNTAX),
        (
            ["BITOP", "NOT", "d", "s", "s"],
            ErrorReply("ERR BITOP NOT must be called with a single source key."),
        ),
        (["BITOP", "AND", "d", "s", "list"], WRONG_TYPE),
        (["BITFIELD", "s", "GET", "u8"], SYNTAX),
        (["BITFIELD", "s", "FOO", "u8", 1], SYNTAX),
        (["BITFIELD", "s", "GET", "u64", 0], BAD_TYPE),
        (["BITFIELD", "s", "GET", "i65", 0], BAD_TYPE),
        (["BITFIELD", "s", "GET", "8", 0], BAD_TYPE),
        (["BITFIELD", "s", "GET", "u8", "#-1"], BAD_OFFSET),
        (["BITFIELD", "s", "SET", "u8", 0, "x"], NOT_AN_INTEGER),
        (["BITFIELD", "s", "OVERFLOW", "foo"], ErrorReply("ERR Invalid OVERFLOW type specified")),
        (["BITFIELD", "list", "SET", "u8", 0, 1], WRONG_TYPE),
        (
            ["BITFIELD_RO", "s", "SET", "u8", 0, 1],
            ErrorReply("ERR BITFIELD_RO only supports the GET subcommand"),
        ),
        (["BITFIELD_RO", "list", "GET", "u8", 0], WRONG_TYPE),
    ],
)
def test_errors_change_nothing(client: Client, words: list[Any], error: ErrorReply) -> None:
    assert client.call(*words) == error
    assert client.call("GET", "s") == b"\x00\xf0\xff"
    assert client.call("DBSIZE") == 2
    assert client.journal() == []


def test_counting(client: Client) -> None:
    assert client.call("BITCOUNT", "s") == 12
    assert client.call("BITCOUNT", "s", 1, 1) == 4
    assert client.call("BITCOUNT", "s", -1, -1, "byte") == 8
    assert client.call("BITCOUNT", "s", 10, 17, "BIT") == 4
    assert client.call("BITCOUNT", "s", 2, 1) == 0
    assert client.call("BITCOUNT", "s", -1, -2) == 0
    assert client.call("BITCOUNT", "missing", "x", "y") == 0


def test_finding(client: Client) -> None:
    assert client.call("BITPOS", "s", 1) == 8
    assert client.call("BITPOS", "s", 0) == 0
    assert client.call("BITPOS", "s", 1, 2) == 16
    assert client.call("BITPOS", "s", 0, 2) == 24
    assert client.call("BITPOS", "s", 0, 2, -1) == -1
    assert client.call("BITPOS", "s", 0, 9, 14, "BIT") == 12
    assert client.call("BITPOS", "missing", 1) == -1
    assert client.call("BITPOS", "missing", 0, "x") == 0


def test_operations_on_whole_strings(client: Client) -> None:
    client.call("SET", "t", b"\x0f\xff")
    for operation, expected in [("AND", b"\x00\xf0\x00"), ("or", b"\x0f\xff\xff"), ("XOR", b"\x0f\x0f\xff")]:
        assert client.call("BITOP", operation, "d", "s", "t", "s", "t")  # twice each: XOR gives zeros
        assert client.call("BITOP", operation, "d", "s", "t") == 3
        assert client.call("GET", "d") == expected
    assert client.call("BITOP", "NOT", "d", "s") == 3
    assert client.call("GET", "d") == b"\xff\x0f\x00"
    client.journal()
    assert client.call("BITOP", "AND", "d", "missing") == 0
    assert client.call("EXISTS", "d") == 0
    assert client.call("BITOP", "AND", "d", "missing") == 0
    assert client.journal() == ["0 BITOP AND d missing"]


def test_fields(client: Client) -> None:
    assert client.call(
        "BITFIELD", "s", "GET", "u4", 8, "GET", "i4", 8, "GET", "u8", "#2", "GET", "u16", 16
    ) == [
        15,
        -1,
        255,
        0xFF00,
    ]
    assert client.call("BITFIELD", "s") == []
    assert client.journal() == []
    assert client.call("BITFIELD", "f", "SET", "i64", 3, -2, "GET", "i64", 3, "GET", "u63", 4) == [
        0,
        -2,
        2**63 - 2,
    ]
    assert client.call("STRLEN", "f") == 9
    assert client.call("BITFIELD_RO", "f", "GET", "i64", 3, "GET", "u1", 66) == [-2, 0]


def test_overflows(client: Client) -> None:
    call = client.call
    assert call("BITFIELD", "u", "SET", "u8", 0, 250, "INCRBY", "u8", 0, 10, "INCRBY", "u8", 0, -5) == [
        0,
        4,
        255,
    ]
    assert call("BITFIELD", "u", "OVERFLOW", "SAT", "INCRBY", "u8", 0, 1, "INCRBY", "u8", 0, -300) == [255, 0]
    assert call("BITFIELD", "u", "OVERFLOW", "FAIL", "INCRBY", "u8", 0, -1, "GET", "u8", 0) == [None, 0]
    assert call("BITFIELD", "u", "SET", "u8", 0, -1, "OVERFLOW", "sat", "SET", "u8", 0, 300) == [0, 255]
    assert call("BITFIELD", "i", "SET", "i8", 0, 127, "INCRBY", "i8", 0, 1) == [0, -128]
    assert call("BITFIELD", "i", "OVERFLOW", "SAT", "INCRBY", "i8", 0, -1, "SET", "i8", 0, 999) == [
        -128,
        -128,
    ]
    assert call("BITFIELD", "i", "GET", "i8", 0) == [127]
    largest = 2**63 - 1
    assert call("BITFIELD", "w", "SET", "i64", 0, largest, "INCRBY", "i64", 0, largest) == [0, -2]


def test_growth_without_a_change_of_value_is_journalled(client: Client) -> None:
    assert client.call("BITFIELD", "f", "SET", "u8", 8, 0) == [0]
    assert client.call("BITFIELD", "f", "SET", "u8", 8, 0) == [0]
    assert client.call("BITFIELD", "f", "OVERFLOW", "FAIL", "INCRBY", "u8", 16, 256) == [None]
    assert client.call("STRLEN", "f") == 3
    assert client.journal() == ["0 BITFIELD f SET u8 8 0", "0 BITFIELD f OVERFLOW FAIL INCRBY u8 16 256"]


def test_one_bit_of_a_large_string_is_changed_in_place(client: Client) -> None:
    client.call("SETBIT", "big", 64 * 2**23 - 1, 1)
    stored = client.state.db.data[b"big"]
    for offset in range(0, 2**26, 2**17):
        client.call("SETBIT", "big", offset, 1)
        client.call("BITFIELD", "big", "INCRBY", "u3", offset + 60, 5)
    assert client.state.db.data[b"big"] is stored
    assert client.call("BITCOUNT", "big") == 1 + 512 + 2 * 512
    assert client.call("BITPOS", "big", 1, 60_000_000) == 64 * 2**23 - 1


def test_the_journal_may_replay_what_the_limit_now_refuses(client: Client) -> None:
    client.engine.config.proto_max_bulk_len = 1 << 20
    replay = Client(client.engine, trusted=True)
    assert client.call("SETBIT", "b", 2**23, 1) == BAD_OFFSET
    assert replay.call("SETBIT", "b", 2**23, 1) == 0
