"""HyperLogLog commands, as scripts of commands and answers; test_hyperloglog_oracle.py compares with Redis."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

from tests.commands.driver import Client, ErrorReply

WRONG_TYPE = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
NOT_ONE = ErrorReply("WRONGTYPE Key is not a valid HyperLogLog string value.")
CORRUPT = ErrorReply("INVALIDOBJ Corrupted HLL object detected")

EMPTY = b"HYLL\x01" + bytes(11) + b"\x7f\xff"


@pytest.fixture
def client() -> Client:
    client = Client()
    client.call("RPUSH", "list", "x")
    client.call("SET", "s", "foo")
    client.call("SET", "corrupt", EMPTY[:15] + b"\x80\x3f")
    client.journal()
    return client


def test_adding_and_counting(client: Client) -> None:
    assert client.call("PFADD", "h", "a", "b", "a") == 1
    assert client.call("PFADD", "h", "a", "b") == 0
    assert client.call("PFCOUNT", "h") == 2
    assert client.call("PFCOUNT", "missing") == 0
    assert client.call("PFADD", "new") == 1
    assert client.call("PFADD", "new") == 0
    assert client.call("GET", "new") == EMPTY[:15] + b"\x80\x7f\xff"
    assert client.call("PFCOUNT", "new") == 0
    assert client.call("GET", "new") == EMPTY
    assert client.call("OBJECT", "ENCODING", "new") == b"raw"
    assert client.call("PFCOUNT", "h", "new", "missing") == 2


def test_what_is_journalled(client: Client) -> None:
    client.call("PFADD", "h", "a")
    client.call("PFADD", "h", "a")
    client.call("PFCOUNT", "h")
    client.call("PFCOUNT", "h")
    client.call("PFCOUNT", "h", "h")
    client.call("PFMERGE", "m", "h")
    client.call("PFMERGE", "m")
    assert client.journal() == ["0 PFADD h a", "0 PFCOUNT h", "0 PFMERGE m h", "0 PFMERGE m"]


def test_counting_breaks_a_watch_as_it_writes(client: Client) -> None:
    client.call("PFADD", "h", "a")
    other = client.another()
    for expected in (None, []):
        client.call("WATCH", "h")
        other.call("PFCOUNT", "h")
        client.call("MULTI")
        assert client.call("EXEC") == expected


def test_merging(client: Client) -> None:
    client.call("PFADD", "a", *range(100))
    client.call("PFADD", "b", *range(50, 200))
    assert client.call("PFMERGE", "m", "a", "missing", "b") == b"OK"
    assert client.call("PFCOUNT", "m") == client.call("PFCOUNT", "a", "b")
    assert abs(client.call("PFCOUNT", "m") - 200) <= 3
    assert client.call("PFMERGE", "fresh") == b"OK"
    assert client.call("PFCOUNT", "fresh") == 0


def test_merging_with_a_dense_one_gives_a_dense_one(client: Client) -> None:
    client.call("PFADD", "a", "x")
    client.call("PFADD", "b", *range(3000))
    assert client.call("STRLEN", "b") == 12304
    client.call("PFMERGE", "a", "b")
    assert client.call("STRLEN", "a") == 12304


def test_a_time_to_live_stays(client: Client) -> None:
    client.call("PFADD", "h", "a")
    client.call("PEXPIREAT", "h", 4_000_000_000_000)
    client.call("PFADD", "h", "b")
    client.call("PFCOUNT", "h")
    client.call("PFMERGE", "h", "h")
    assert client.call("PEXPIRETIME", "h") == 4_000_000_000_000


def test_a_dense_one_is_changed_in_place(client: Client) -> None:
    client.call("PFADD", "h", *range(3000))
    stored = client.state.db.data[b"h"]
    client.call("PFADD", "h", *range(3000, 4000))
    client.call("PFCOUNT", "h")
    assert client.state.db.data[b"h"] is stored


def test_the_limit_of_sparse_strings_is_a_setting(client: Client) -> None:
    client.engine.config.hll_sparse_max_bytes = 30
    client.call("PFADD", "h", "a", "b")
    assert client.call("STRLEN", "h") < 30
    client.call("PFADD", "h", "c", "d", "e", "f")
    assert client.call("STRLEN", "h") == 12304


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["PFADD", "list", "a"], WRONG_TYPE),
        (["PFADD", "s", "a"], NOT_ONE),
        (["PFADD", "corrupt", "a", "b", "c"], CORRUPT),
        (["PFCOUNT", "list"], WRONG_TYPE),
        (["PFCOUNT", "s"], NOT_ONE),
        (["PFCOUNT", "corrupt"], CORRUPT),
        (["PFCOUNT", "missing", "corrupt"], CORRUPT),
        (["PFCOUNT", "missing", "s"], NOT_ONE),
        (["PFMERGE", "list"], WRONG_TYPE),
        (["PFMERGE", "m", "s"], NOT_ONE),
        (["PFMERGE", "s"], NOT_ONE),
        (["PFMERGE", "m", "corrupt"], CORRUPT),
        (["PFMERGE", "corrupt"], CORRUPT),
    ],
)
def test_errors_change_nothing(client: Client, words: list[Any], error: ErrorReply) -> None:
    before = client.call("GET", "corrupt")
    assert client.call(*words) == error
    assert client.call("GET", "corrupt") == before
    assert client.call("GET", "s") == b"foo"
    assert client.call("DBSIZE") == 3
    assert client.journal() == []


def test_a_hundred_thousand_elements(client: Client) -> None:
    for start in range(0, 100_000, 1000):
        client.call("PFADD", "h", *range(start, start + 1000))
    assert abs(client.call("PFCOUNT", "h") - 100_000) <= 100_000 * 3 * 1.04 / sqrt(16384)
