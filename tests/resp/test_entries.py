"""Entries as a reply: the same bytes as the plain list of them, in every part, order and protocol."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from kedis.resp.entries import Entries
from kedis.resp.long_replies import RESP2_IN_PARTS, RESP3_IN_PARTS, wire_of
from kedis.resp.replies import RESP2, RESP3
from kedis.structures.stream import Stream
from kedis.structures.stream_block import node_limits
from kedis.structures.stream_id import ID_MAX


def filled(seed: int, count: int) -> Stream:
    """Blocks with one set of fields and with several, long values, deleted entries."""
    rng = Random(seed)
    stream = Stream()
    for number in range(1, count + 1):
        fields = (
            rng.choice([(b"f", b"g"), (b"f", b"g"), (b"f", b"g"), (b"own",)])
            if number % 50 > 30
            else (b"f", b"g")
        )
        values = tuple(rng.choice([b"", b"x" * 1500, b"%d" % number, b"\r\n"]) for _ in fields)
        stream.append(number << 64 | rng.choice([0, 7, 2000, 1 << 40]), fields, values, node_limits(40))
    for segment in list(stream.read(0, ID_MAX)):
        for stream_id in segment.ids()[:: rng.randrange(3, 20)]:
            stream.delete(stream_id)
    return stream


def encoded(table: Any, value: Any) -> bytes:
    chunks: list[Any] = []
    table[type(value)](value, chunks.append)
    return wire_of(chunks)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_bytes_are_those_of_the_list(seed: int, reverse: bool) -> None:
    stream = filled(seed, 300)
    rng = Random(seed)
    for _ in range(30):
        low, high = sorted(rng.randrange(310) << 64 for _ in range(2))
        segments = list(stream.read(low, high, rng.choice([1, 5, 1000]), reverse))
        value = Entries([segment.keep() for segment in segments], reverse)
        plain = list(value)
        ids = [each[0] for each in plain]
        assert ids == sorted(ids, key=lambda text: [*map(int, text.split(b"-"))], reverse=reverse)
        assert len(value) == len(plain)
        for table in (RESP2, RESP3, RESP2_IN_PARTS, RESP3_IN_PARTS):
            assert encoded(table, value) == encoded(RESP2, plain)
        for _ in range(5):
            start, stop = sorted(rng.randrange(len(plain) + 1) for _ in range(2))
            expected = encoded(RESP2, plain[start:stop]).partition(b"\r\n")[2]
            assert value.wire(start, stop) == expected


def test_a_long_reply_goes_in_parts() -> None:
    stream = filled(1, 9000)
    value = Entries([segment.keep() for segment in stream.read(0, ID_MAX)])
    chunks: list[Any] = []
    RESP2_IN_PARTS[Entries](value, chunks.append)
    assert not isinstance(chunks[0], bytes)
    assert wire_of(chunks) == encoded(RESP2, list(value))


def test_later_changes_do_not_show() -> None:
    stream = filled(2, 95)
    value = Entries([segment.keep() for segment in stream.read(0, ID_MAX)])
    before = list(value)
    stream.append(stream.last_id + 1, (b"other",), (b"fields",), node_limits(40))
    for text, _ in before[-20:]:
        ms, number = map(int, text.split(b"-"))
        stream.delete(ms << 64 | number)
    stream.trim(3, approximately=False)
    assert list(value) == before
