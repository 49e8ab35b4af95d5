"""Cursors and options of the SCAN family, through SSCAN."""

from __future__ import annotations

import pytest

from kedis.commands.parsing.scan_options import parse_cursor, parse_scan
from kedis.errors import CommandError
from tests.commands.driver import Client, ErrorReply

SYNTAX = ErrorReply("ERR syntax error")
NOT_AN_INTEGER = ErrorReply("ERR value is not an integer or out of range")
INVALID_CURSOR = ErrorReply("ERR invalid cursor")


@pytest.fixture
def client() -> Client:
    client = Client()
    client.call("SADD", "s", "1", "2")
    return client


@pytest.mark.parametrize(
    ("raw", "cursor"),
    [
        (b"0", 0),
        (b"", 0),
        (b"+5", 5),
        (b"007", 7),
        (b"-1", 2**64 - 1),
        (b"18446744073709551615", 2**64 - 1),
        (b"0" * 100_000 + b"9", 9),
        (b"12\0anything", 12),
    ],
)
def test_cursors(raw: bytes, cursor: int) -> None:
    assert parse_cursor(raw) == cursor


@pytest.mark.parametrize(
    "raw", ["x", " 5", "5 ", "+", "-", "--1", "0x10", "1_0", "18446744073709551616", "-18446744073709551616"]
)
def test_cursors_that_are_none(client: Client, raw: str) -> None:
    assert client.call("SSCAN", "s", raw) == INVALID_CURSOR
    assert client.call("SSCAN", "missing", raw) == INVALID_CURSOR


def test_every_cursor_may_be_asked_for(client: Client) -> None:
    client.call("SADD", "s", *range(1000))
    for cursor in (1, 77, 2**40 + 3, 2**64 - 1):
        following, found = client.call("SSCAN", "s", cursor)
        assert 0 <= int(following) < 2**64
        assert len(found) < 200


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        (["MATCH"], SYNTAX),
        (["COUNT"], SYNTAX),
        (["NONSENSE", "1"], SYNTAX),
        (["COUNT", "0"], SYNTAX),
        (["COUNT", "-1"], SYNTAX),
        (["COUNT", "x"], NOT_AN_INTEGER),
        (["COUNT", "x", "NONSENSE"], NOT_AN_INTEGER),
        (["COUNT", "9223372036854775808"], NOT_AN_INTEGER),
        (["TYPE", "set"], SYNTAX),
        (["match", "3", "Match", "1", "count", "1", "COUNT", "5"], [b"0", [b"1"]]),
        (["COUNT", "9223372036854775807", "MATCH", "2"], [b"0", [b"2"]]),
    ],
)
def test_options(client: Client, options: list[str], reply: object) -> None:
    assert client.call("SSCAN", "s", 0, *options) == reply


def test_defaults_and_type() -> None:
    plain = parse_scan([b"SCAN", b"0"], 2)
    assert (plain.match, plain.count, plain.type) == (None, 10, None)
    assert parse_scan([b"SCAN", b"0", b"MATCH", b"*"], 2).match is None
    chosen = parse_scan([b"SCAN", b"0", b"type", b"ZSet", b"COUNT", b"3"], 2, allow_type=True)
    assert (chosen.count, chosen.type) == (3, b"zset")
    with pytest.raises(CommandError, match="ERR syntax error"):
        parse_scan([b"SCAN", b"0", b"TYPE"], 2, allow_type=True)
