"""Every type of value in both protocols, against the bytes that Redis sends."""

from __future__ import annotations

from collections import deque
from typing import Any

import hiredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kedis.errors import CommandError
from kedis.resp.replies import encode2, encode3, encode_command, format_double
from kedis.resp.values import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    PONG,
    QUEUED,
    Attribute,
    BigNumber,
    Pairs,
    Push,
    Raw,
    SimpleString,
    Verbatim,
)


class Hash(dict[bytes, bytes]):
    pass


class Set(set[bytes]):
    pass


def resp2(value: Any) -> bytes:
    out: list[bytes] = []
    encode2(value, out.append)
    return b"".join(out)


def resp3(value: Any) -> bytes:
    out: list[bytes] = []
    encode3(value, out.append)
    return b"".join(out)


ALIKE: list[tuple[Any, bytes]] = [
    (OK, b"+OK\r\n"),
    (PONG, b"+PONG\r\n"),
    (QUEUED, b"+QUEUED\r\n"),
    (0, b":0\r\n"),
    (1023, b":1023\r\n"),
    (1024, b":1024\r\n"),
    (-1, b":-1\r\n"),
    (-(2**63), b":-9223372036854775808\r\n"),
    (b"", b"$0\r\n\r\n"),
    (b"a\r\nb\0", b"$5\r\na\r\nb\0\r\n"),
    (bytearray(b"ab"), b"$2\r\nab\r\n"),
    (b"x" * 1024, b"$1024\r\n" + b"x" * 1024 + b"\r\n"),
    (b"x" * 20_000, b"$20000\r\n" + b"x" * 20_000 + b"\r\n"),
    ([], b"*0\r\n"),
    ((b"a", b"bc"), b"*2\r\n$1\r\na\r\n$2\r\nbc\r\n"),
    (deque([b"a", b""]), b"*2\r\n$1\r\na\r\n$0\r\n\r\n"),
    ([b"a", b"x" * 1024], b"*2\r\n$1\r\na\r\n$1024\r\n" + b"x" * 1024 + b"\r\n"),
    ([b"a", 1, [OK, [b"b"]]], b"*3\r\n$1\r\na\r\n:1\r\n*2\r\n+OK\r\n*1\r\n$1\r\nb\r\n"),
    ([1, b"a"], b"*2\r\n:1\r\n$1\r\na\r\n"),
    (Raw(b"*1\r\n:7\r\n"), b"*1\r\n:7\r\n"),
    (NO_REPLY, b""),
    (CommandError("WRONGTYPE no"), b"-WRONGTYPE no\r\n"),
    (CommandError("ERR a\r\nb\0c\nd"), b"-ERR a  b c d\r\n"),
    (CommandError("ERR \udcff"), b"-ERR \xff\r\n"),
    ([b"a", CommandError("ERR x")], b"*2\r\n$1\r\na\r\n-ERR x\r\n"),
]

DIFFERENT: list[tuple[Any, bytes, bytes]] = [
    (None, b"$-1\r\n", b"_\r\n"),
    (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (False, b":0\r\n", b"#f\r\n"),
    (3.0, b"$1\r\n3\r\n", b",3\r\n"),
    (0.1, b"$19\r\n0.10000000000000001\r\n", b",0.10000000000000001\r\n"),
    (float("inf"), b"$3\r\ninf\r\n", b",inf\r\n"),
    (float("-inf"), b"$4\r\n-inf\r\n", b",-inf\r\n"),
    (float("nan"), b"$3\r\nnan\r\n", b",nan\r\n"),
    (BigNumber(2**70), b"$22\r\n1180591620717411303424\r\n", b"(1180591620717411303424\r\n"),
    (Verbatim(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
    (Verbatim(b"hi", b"mkd"), b"$2\r\nhi\r\n", b"=6\r\nmkd:hi\r\n"),
    ([b"a", None], b"*2\r\n$1\r\na\r\n$-1\r\n", b"*2\r\n$1\r\na\r\n_\r\n"),
    (
        [None, b"x" * 1024],
        b"*2\r\n$-1\r\n$1024\r\n" + b"x" * 1024 + b"\r\n",
        b"*2\r\n_\r\n$1024\r\n" + b"x" * 1024 + b"\r\n",
    ),
    ([None, True], b"*2\r\n$-1\r\n:1\r\n", b"*2\r\n_\r\n#t\r\n"),
    ({b"a": b"b"}, b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"%1\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (
        {b"a": {b"b": 1.5}},
        b"*2\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n$3\r\n1.5\r\n",
        b"%1\r\n$1\r\na\r\n%1\r\n$1\r\nb\r\n,1.5\r\n",
    ),
    (Hash({b"a": b"b"}), b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"%1\r\n$1\r\na\r\n$1\r\nb\r\n"),
    ({}, b"*0\r\n", b"%0\r\n"),
    ({b"a"}, b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
    (frozenset([1]), b"*1\r\n:1\r\n", b"~1\r\n:1\r\n"),
    (Set([b"a"]), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
    (Pairs([(b"a", 1.0)]), b"*2\r\n$1\r\na\r\n$1\r\n1\r\n", b"*1\r\n*2\r\n$1\r\na\r\n,1\r\n"),
    (Pairs([(b"a", b"b")]), b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
    (Pairs(), b"*0\r\n", b"*0\r\n"),
    (
        Push([b"message", b"c", b"m"]),
        b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n",
        b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n",
    ),
    (Attribute({b"ttl": 1}, b"v"), b"$1\r\nv\r\n", b"|1\r\n$3\r\nttl\r\n:1\r\n$1\r\nv\r\n"),
]


@pytest.mark.parametrize(("value", "wire"), ALIKE, ids=lambda v: repr(v)[:30])
def test_alike_in_both_protocols(value: Any, wire: bytes) -> None:
    assert resp2(value) == wire
    assert resp3(value) == wire


@pytest.mark.parametrize(("value", "wire2", "wire3"), DIFFERENT, ids=lambda v: repr(v)[:30])
def test_different_in_the_two_protocols(value: Any, wire2: bytes, wire3: bytes) -> None:
    assert resp2(value) == wire2
    assert resp3(value) == wire3


@pytest.mark.parametrize(
    "value", ["text", [b"a", "text"], ["text"], {b"a": "text"}, object(), {b"a", "text"}]
)
def test_what_has_no_reply_is_refused(value: Any) -> None:
    for encode in (encode2, encode3):
        with pytest.raises(TypeError, match=r"str|object"):
            encode(value, lambda _chunk: None)


def test_statuses_are_single_lines_and_compare_by_text() -> None:
    assert SimpleString(b"OK") == OK
    assert SimpleString(b"no") != OK
    with pytest.raises(ValueError, match="single line"):
        SimpleString(b"a\r\nb")


def test_an_error_knows_its_code() -> None:
    assert CommandError("WRONGTYPE Operation against").code == "WRONGTYPE"


scalars = (
    st.binary() | st.integers(-(2**63), 2**63 - 1) | st.none() | st.booleans() | st.floats(allow_nan=False)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.binary(), inner), max_leaves=20
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(values)
def test_a_client_reads_back_what_was_encoded(value: Any) -> None:
    reader = hiredis.Reader(notEnoughData=reader_empty)
    reader.feed(resp3(value))
    assert reader.gets() == value
    assert reader.gets() is reader_empty


reader_empty = object()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.binary() | st.binary(min_size=1000, max_size=1100), min_size=1))
def test_commands_are_encoded_as_clients_do(argv: list[bytes]) -> None:
    assert encode_command(argv) == hiredis.pack_command(tuple(argv)) == resp2(argv)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.floats(allow_nan=False))
def test_doubles_read_back_unchanged(number: float) -> None:
    assert float(format_double(number)) == number
