"""Long replies: the same bytes as in one piece, made part by part."""

from __future__ import annotations

import tracemalloc
from array import array
from collections import deque
from typing import Any

import pytest

from kedis.resp.long_replies import (
    LONG_BULK,
    PART,
    RESP2_IN_PARTS,
    RESP3_IN_PARTS,
    Chunk,
    LongReply,
    wire_of,
)
from kedis.resp.replies import RESP2, RESP3
from kedis.resp.values import OrderedSet, Pairs, Push, Scored
from kedis.structures.containers import Hash, Set
from kedis.structures.lists import List

TABLES = [(RESP2, RESP2_IN_PARTS), (RESP3, RESP3_IN_PARTS)]
MEMBERS = [b"member:%d" % number for number in range(2 * PART + 7)]
SCORES = array("d", [number / 7 for number in range(len(MEMBERS))])

LONG: dict[str, Any] = {
    "list": MEMBERS,
    "tuple": tuple(MEMBERS),
    "deque": deque(MEMBERS),
    "list of a key": List(MEMBERS),
    "set": set(MEMBERS),
    "frozenset": frozenset(MEMBERS),
    "set of a key": Set(MEMBERS),
    "hash of a key": Hash(zip(MEMBERS, reversed(MEMBERS), strict=True)),
    "dict of numbers": dict(zip(MEMBERS, range(len(MEMBERS)), strict=True)),
    "pairs": Pairs(zip(MEMBERS, MEMBERS, strict=True)),
    "pairs with scores": Pairs(zip(MEMBERS, SCORES, strict=True)),
    "scored": Scored(MEMBERS, SCORES),
    "numbers": list(range(-3, len(MEMBERS))),
    "with nothing among them": [None, *MEMBERS, None],
    "doubles": list(SCORES),
    "lists": [[member, 1, [b"1.5", b"2.5"]] for member in MEMBERS],
    "long strings": [b"x" * 100, *[b"y" * 2000] * (PART + 1), b"z" * 3_000_000, b"x"],
    "string": bytes(range(256)) * (LONG_BULK // 256 + 1),
    "string that was changed": bytearray(LONG_BULK),
}


def whole(table: Any, value: Any) -> bytes:
    out: list[bytes] = []
    table[type(value)](value, out.append)
    return b"".join(out)


def long_reply(table: Any, value: Any) -> LongReply:
    out: list[Chunk] = []
    table[type(value)](value, out.append)
    (reply,) = out
    assert isinstance(reply, LongReply)
    return reply


@pytest.mark.parametrize("plain, in_parts", TABLES, ids=["RESP2", "RESP3"])
@pytest.mark.parametrize("name", LONG)
def test_the_parts_make_the_whole(name: str, plain: Any, in_parts: Any) -> None:
    expected = whole(plain, LONG[name])
    assert long_reply(in_parts, LONG[name]).whole() == expected
    told = len(long_reply(in_parts, LONG[name]))
    if name != "long strings":  # one of which is as long as all the others
        assert 0.95 < told / len(expected) < 1.05


def test_an_ordered_set_is_a_set_in_resp3() -> None:
    assert long_reply(RESP3_IN_PARTS, OrderedSet(MEMBERS)).whole() == whole(RESP3, OrderedSet(MEMBERS))


@pytest.mark.parametrize("plain, in_parts", TABLES, ids=["RESP2", "RESP3"])
@pytest.mark.parametrize(
    "value",
    [
        [],
        MEMBERS[:PART],
        {},
        set(MEMBERS[:9]),
        dict.fromkeys(MEMBERS[:9], b""),
        Pairs(),
        Pairs([(b"a", 1.5)]),
        Scored([], []),
        Scored([b"a"], [1.5]),
        Push([b"message", b"a"]),
        b"x" * (LONG_BULK - 1),
        None,
        7,
        1.5,
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_what_is_not_long_is_encoded_at_once(value: Any, plain: Any, in_parts: Any) -> None:
    out: list[Chunk] = []
    in_parts[type(value)](value, out.append)
    assert all(type(chunk) is bytes for chunk in out)
    assert wire_of(out) == whole(plain, value)


def test_the_reply_is_what_the_value_was() -> None:
    value = Hash(zip(MEMBERS, MEMBERS, strict=True))
    expected = whole(RESP2, value)
    reply = long_reply(RESP2_IN_PARTS, value)
    value.clear()
    assert reply.whole() == expected


def test_replies_keep_their_order() -> None:
    out: list[Chunk] = []
    for value in (1, MEMBERS, b"between", set(MEMBERS), None):
        RESP2_IN_PARTS[type(value)](value, out.append)
    expected = b"".join(whole(RESP2, value) for value in (1, MEMBERS, b"between", set(MEMBERS), None))
    assert wire_of(out) == expected


def test_a_part_is_all_that_is_in_memory() -> None:
    members = [b"%0100d" % number for number in range(50 * PART)]
    reply = long_reply(RESP2_IN_PARTS, members)
    tracemalloc.start()
    while reply.next_chunks():
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * PART * 200  # of 50 * PART * 100 bytes that are sent


def test_a_long_string_is_not_copied() -> None:
    value = bytes(16 * LONG_BULK)
    tracemalloc.start()
    reply = long_reply(RESP3_IN_PARTS, value)
    sizes = [len(chunk) for chunk in reply.next_chunks()]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sizes) == len(value) + len(b"$4194304\r\n\r\n") and most < LONG_BULK


def test_the_bytes_to_come_become_fewer() -> None:
    reply = long_reply(RESP2_IN_PARTS, [b"x" * 10] * (3 * PART))
    before = len(reply)
    reply.next_chunks()
    assert len(reply) == before * 2 // 3
    reply.whole()
    assert len(reply) == 0
