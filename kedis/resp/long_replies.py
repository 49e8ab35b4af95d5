"""Long replies, encoded part by part as they are sent.

To encode a million elements takes a tenth of a second and tens of megabytes, and sending them as much again.  The
encoders here therefore answer a long value with a :class:`LongReply`, which knows what is to be sent and makes the
bytes of one part at a time; the sender (:mod:`kedis.server.sender`) asks for the next part when the socket has
taken the last, and others are served in between.  Whatever is not long is encoded at once, as in
:mod:`kedis.resp.replies`, and stands in the order of the replies like a long one.

A reply is what the value was when the command ran.  A list or tuple that a command returns is its own and does not
change; of containers that stay in the keyspace the references are copied, 10 ms a million.

Simplified: only the outermost aggregate goes in parts; an element of it that is long itself is encoded as a whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kedis.resp.replies import (
    BULK_HEADERS,
    RESP2,
    RESP3,
    Append,
    Encoder,
    Encoders,
    encode_array,
    encode_bytes,
    encode_each_by,
    encode_run,
    flat_scores,
    nested_scores,
)
from kedis.resp.values import OrderedMap, OrderedSet, Pairs, Replies, Scored, flat_pairs

#: Elements of a part, and the most of a reply that is encoded at once.  A part of short elements makes about one send.
PART = 4096
#: A string from this size in bytes on is sent from where it is.
LONG_BULK = 256 * 1024
#: Bytes of a long string that are joined with the data before and behind it.
_EDGE = 16 * 1024
#: Elements that are looked at to tell how long a reply will be.
_SAMPLE = 64

Chunks = list[bytes | memoryview]
EncodePart = Callable[[int, int], Chunks]


class LongReply:
    """A reply of which something is still to be encoded.

    Args:
        head: bytes before the first part.
        count: elements; parts are runs of them.
        encode: the bytes of the elements from one position up to another.
    """

    __slots__ = ("_average", "_count", "_encode", "_head", "_position")

    def __init__(self, head: bytes, count: int, encode: EncodePart) -> None:
        self._head = head
        self._count = count
        self._encode = encode
        self._position = 0
        self._average = -1.0

    def next_chunks(self) -> Chunks:
        """The next part; empty after the last.  O(part)."""
        start = self._position
        stop = min(start + PART, self._count)
        if start == stop:
            return []
        self._position = stop
        chunks = self._encode(start, stop)
        return [self._head, *chunks] if not start else chunks

    def __len__(self) -> int:
        """Bytes that are still to come, told from a sample of the elements.  O(1)."""
        if self._average < 0:
            step = max(self._count // _SAMPLE, 1)
            places = range(step // 2, self._count, step)
            self._average = sum([sum(map(len, self._encode(at, at + 1))) for at in places]) / len(places)
        return int((self._count - self._position) * self._average)

    def whole(self) -> bytes:
        """All that is still to come.  O(N)."""
        parts: Chunks = []
        while chunks := self.next_chunks():
            parts += chunks
        return b"".join(parts)


Chunk = bytes | LongReply


def wire_of(chunks: Sequence[Chunk]) -> bytes:
    """The bytes of replies, long ones among them.  They are taken out of the long ones.  O(N)."""
    return b"".join([chunk.whole() if isinstance(chunk, LongReply) else chunk for chunk in chunks])


def _encode_bulk(value: bytes, append: Append) -> None:
    length = len(value)
    if length < 1024:  # as `encode_bytes` does, without the call in between
        append(BULK_HEADERS[length] + value + b"\r\n")
    elif length < LONG_BULK:
        encode_bytes(value, append)
    else:
        append(_long_bulk(value))


def _long_bulk(value: bytes) -> LongReply:
    view = memoryview(value)
    first, last = b"$%d\r\n%b" % (len(value), value[:_EDGE]), value[-_EDGE:] + b"\r\n"
    return LongReply(b"", 1, lambda start, stop: [first, view[_EDGE:-_EDGE], last])


def _elements(head: bytes, elements: Sequence[Any], encoders: Encoders) -> LongReply:
    return LongReply(head, len(elements), lambda start, stop: encode_run(elements[start:stop], encoders))


def _columns(head: bytes, first: Sequence[Any], second: Sequence[Any], encoders: Encoders) -> LongReply:
    """Pairs whose halves are in two sequences."""

    def encode(start: int, stop: int) -> Chunks:
        flat: list[Any] = [None] * (2 * (stop - start))
        flat[::2] = first[start:stop]
        flat[1::2] = second[start:stop]
        return encode_run(flat, encoders)

    return LongReply(head, len(first), encode)


def _scored(value: Scored, nested: bool) -> LongReply:
    members, scores = value.members, value.scores
    encode_scores = nested_scores if nested else flat_scores
    return LongReply(
        b"*%d\r\n" % (len(members) if nested else 2 * len(members)),
        len(members),
        lambda start, stop: [encode_scores(members[start:stop], scores[start:stop])],
    )


def _flat(value: Pairs) -> LongReply:
    """Pairs in RESP2; scores, if that is what they end with, as text."""
    if type(value[0][1]) is float:
        return _scored(Scored([pair[0] for pair in value], [pair[1] for pair in value]), nested=False)
    return LongReply(
        b"*%d\r\n" % (2 * len(value)),
        len(value),
        lambda start, stop: encode_run(flat_pairs(value[start:stop]), RESP2),
    )


def _table(plain: Encoders, long_forms: dict[type, Callable[[Any], LongReply]]) -> Encoders:
    """A table like ``plain`` that answers aggregates of more than ``PART`` elements by their long form."""
    table = Encoders(plain.null)
    table.update(plain)
    table[bytes] = _encode_bulk
    table[bytearray] = lambda value, append: _encode_bulk(
        bytes(value), append
    )  # it may change before it is sent
    for kind, long_form in long_forms.items():
        table[kind] = in_parts(plain[kind], long_form)

    def encode_list(value: Sequence[Any], append: Append) -> None:
        # As `in_parts` makes it, without the call in between: lists are what is asked for most.
        count = len(value)
        if count > PART:
            append(_elements(b"*%d\r\n" % count, value, plain))
        else:
            encode_array(b"*%d\r\n" % count, value, append, plain)

    table[list] = table[tuple] = encode_list
    table[Replies] = encode_each_by(table)
    return table


def in_parts(encode: Encoder, long_form: Callable[[Any], LongReply]) -> Encoder:
    """An encoder that answers a value of more than ``PART`` elements by its long form, and others by ``encode``."""

    def encode_either(value: Any, append: Append) -> None:
        if len(value) > PART:
            append(long_form(value))
        else:
            encode(value, append)

    return encode_either


def _array(value: Any) -> LongReply:
    return _elements(b"*%d\r\n" % len(value), list(value), RESP2)


def _set3(value: Any) -> LongReply:
    return _elements(b"~%d\r\n" % len(value), list(value), RESP3)


RESP2_IN_PARTS = _table(
    RESP2,
    {
        deque: _array,
        set: _array,
        frozenset: _array,
        dict: lambda value: _columns(b"*%d\r\n" % (2 * len(value)), list(value), list(value.values()), RESP2),
        Pairs: _flat,
        Scored: lambda value: _scored(value, nested=False),
    },
)

RESP3_IN_PARTS = _table(
    RESP3,
    {
        deque: lambda value: _elements(b"*%d\r\n" % len(value), list(value), RESP3),
        set: _set3,
        frozenset: _set3,
        OrderedMap: lambda value: _elements(b"%%%d\r\n" % (len(value) // 2), value, RESP3),
        OrderedSet: _set3,
        dict: lambda value: _columns(b"%%%d\r\n" % len(value), list(value), list(value.values()), RESP3),
        Pairs: lambda value: _elements(b"*%d\r\n" % len(value), value, RESP3),
        Scored: lambda value: _scored(value, nested=True),
    },
)
