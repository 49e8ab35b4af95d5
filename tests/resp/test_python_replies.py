"""Replies as Python objects: what the parser makes of the encoding, for every type of value."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import hiredis
import pytest
from redis._parsers import _HiredisParser

from kedis.errors import CommandError, ProtocolError
from kedis.resp.entries import Entries
from kedis.resp.python_replies import NotConvertible, PythonReplies, python_replies
from kedis.resp.replies import RESP2, RESP3
from kedis.resp.values import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    Attribute,
    BigNumber,
    ByKey,
    OrderedSet,
    Pairs,
    Push,
    Raw,
    Replies,
    Scored,
    SimpleString,
    Verbatim,
)
from kedis.structures.containers import Hash, Set
from kedis.structures.lists import List
from kedis.structures.strings import Buffer, FloatText
from tests.embedded.two_ways import typed
from tests.resp.test_entries import filled

#: encoding and errors, as the client decodes replies.
DECODINGS: list[tuple[str | None, str]] = [
    (None, "strict"),
    ("utf-8", "strict"),
    ("utf-8", "replace"),
    ("latin-1", "strict"),
]
modes = pytest.mark.parametrize(
    ("protocol", "decoding"), [(protocol, decoding) for protocol in (2, 3) for decoding in DECODINGS], ids=str
)


def parsed(protocol: int, decoding: tuple[str | None, str], value: Any) -> Any:
    """What redis-py's parser makes of the encoding, or the exception that it raises."""
    chunks: list[Any] = []
    encoders = RESP3 if protocol == 3 else RESP2
    encoders[type(value)](value, chunks.append)
    encoding, errors = decoding
    options = {"encoding": encoding} if encoding else {}
    reader = hiredis.Reader(replyError=_HiredisParser.parse_error, errors=errors, **options)
    reader.feed(b"".join(chunks))
    try:
        return reader.gets()
    except UnicodeDecodeError as error:
        return error


def converted(table: PythonReplies, value: Any) -> Any:
    try:
        return table[type(value)](value)
    except UnicodeDecodeError as error:
        return error


def scalar(random: Random) -> Any:
    text = random.choice([b"", b"x", b"a b", "é".encode(), b"\xff", b"x" * 2000, b"17"])
    return random.choice(
        [
            *(text, bytearray(text), Buffer(text), FloatText(text), Verbatim(text), SimpleString(b"OK"), OK),
            *(0, 1, -5, 2**63 - 1, -(2**63), True, False, None, NULL_ARRAY, BigNumber(10**30)),
            *(0.0, -0.0, 1.5, 0.1, 1e300, float("inf"), float("-inf"), float("nan"), 3.0),
        ]
    )


def value_of(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(22 if depth < 3 else 6)
    size = random.randrange(5)
    if kind < 8:
        return scalar(random)
    if kind == 8:
        text = random.choice(
            ["ERR x", "WRONGTYPE a b", "NOSCRIPT", "LOADING x", "ERR a\r\nb\udcff", "", "OOM x"]
        )
        return random.choice([CommandError, ProtocolError])(text)
    texts = [random.choice([b"a", b"b", b"c", "é".encode(), b"\xff", b""]) for _ in range(size)]
    elements = [value_of(random, depth + 1) for _ in range(size)]
    numbers = [random.choice([1.0, 2.5, float("inf")]) for _ in texts]
    made = [
        *(elements, tuple(elements), deque(elements), Replies(elements), OrderedSet(elements), list(texts)),
        *(set(texts), frozenset(texts), dict(zip(texts, elements, strict=True)), Scored(texts, numbers)),
        *(Pairs(zip(texts, texts[::-1], strict=True)), Pairs(zip(texts, numbers, strict=True))),
        ByKey(zip(texts, elements, strict=True)),
    ]
    return random.choice(made)


@modes
def test_the_same_as_of_the_bytes(protocol: int, decoding: tuple[str | None, str]) -> None:
    table = python_replies(protocol, _HiredisParser.parse_error, *decoding)
    refused = 0
    for seed in range(3000):
        value = value_of(Random(seed))
        try:
            reply = converted(table, value)
        except NotConvertible as error:
            assert str(error) == "a map with a key twice"
            refused += 1
        else:
            assert typed(reply) == typed(parsed(protocol, decoding, value)), value
    assert refused < 300 and (refused == 0) == (protocol == 2)


@modes
def test_what_the_keyspace_holds(protocol: int, decoding: tuple[str | None, str]) -> None:
    table = python_replies(protocol, _HiredisParser.parse_error, *decoding)
    hash_, set_, list_ = Hash(), Set([b"a", b"1"]), List([b"a", b"b"])
    for number in range(5):
        hash_.put(b"%d" % number, b"x")
    segments = [segment.keep() for segment in filled(1, 100).read(0, 60 << 64)]
    for value in (hash_, set_, list_, Entries(segments), Entries(segments, reverse=True)):
        reply = table[type(value)](value)
        assert typed(reply) == typed(parsed(protocol, decoding, value))
        assert reply is not value and type(reply) in (list, dict)


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_type_has_a_row(protocol: int) -> None:
    table = python_replies(protocol, _HiredisParser.parse_error)
    encoders = RESP3 if protocol == 3 else RESP2
    assert not {cls for cls in encoders if not _found(table, cls)}
    for value in (Raw(b",1\r\n"), Push([1]), Attribute({b"a": 1}, 1), NO_REPLY, "text", object()):
        with pytest.raises(NotConvertible):
            table[type(value)](value)


def _found(table: PythonReplies, cls: type) -> bool:
    try:
        return callable(table[cls])
    except NotConvertible:
        return False


@pytest.mark.parametrize("protocol", [2, 3])
def test_containers_are_copied(protocol: int) -> None:
    table = python_replies(protocol, _HiredisParser.parse_error)
    inner: list[Any] = [b"x", 1]
    for value in (inner, [inner], {b"a": inner}, Pairs([(b"a", inner)]), Replies([inner])):
        reply = table[type(value)](value)
        before = repr(reply)
        inner.append(b"later")
        assert repr(reply) == before
        inner.pop()
