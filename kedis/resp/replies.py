"""From Python values to bytes on the wire, in RESP2 or RESP3.

The idea: one function per Python type, found in a dict by ``type(value)``, appends the encoded bytes to the
client's list of chunks, which the connection joins once per turn.  Subclasses (a ``Hash`` that is a ``dict``)
are looked up through their bases when first seen and then remembered.

=================  ======================  ======================
value              RESP2                   RESP3
=================  ======================  ======================
SimpleString       ``+OK``                 same
CommandError       ``-ERR text``           same
int                ``:1``                  same
bytes, bytearray   ``$5 hello``            same
float              bulk string             ``,3.5``
bool               ``:1`` ``:0``           ``#t`` ``#f``
None, NULL_ARRAY   ``$-1``, ``*-1``        ``_``
list, tuple        ``*N`` and elements     same
dict               ``*2N``, flat           ``%N``
OrderedMap         ``*2N``, flat           ``%N``
set, OrderedSet    ``*N``                  ``~N``
Pairs              ``*2N``, flat           ``*N`` of ``*2``
ByKey              ``*N`` of ``*2``        ``%N``
Push               ``*N``                  ``>N``
Verbatim           bulk string             ``=9 txt:hello``
BigNumber          bulk string             ``(123``
BigNumberText      bulk string             ``(text``
Attribute          the value alone         ``|N`` and the value
=================  ======================  ======================

Simplified: no streamed (chunked) RESP3 types, which no Redis sends.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kedis.errors import CommandError
from kedis.resp.values import (
    Attribute,
    BigNumber,
    BigNumberText,
    ByKey,
    NoReply,
    NullArray,
    OrderedMap,
    OrderedSet,
    Pairs,
    Push,
    Raw,
    Replies,
    Scored,
    SimpleString,
    Verbatim,
    flat_pairs,
)

#: Takes each chunk of bytes, or a long reply where the table makes such (:mod:`kedis.resp.long_replies`).
Append = Callable[[Any], object]
Encoder = Callable[[Any, Append], None]

# Formatting a header costs 200 ns, picking it from a tuple 25 ns.
BULK_HEADERS = tuple(b"$%d\r\n" % length for length in range(1024))
_INTEGERS = tuple(b":%d\r\n" % number for number in range(1024))
# A bigger string goes out as chunks of its own, so that it is not copied into a bulk first.
_COPY_LIMIT = 16 * 1024
# Elements of a long reply are joined up to this size.
_RUN_LIMIT = 1024 * 1024

_BULKS = frozenset((bytes, type(None)))
_ONE_LINE = str.maketrans("\r\n\0", "   ")


class Encoders(dict[type, Encoder]):
    """The encoders of one protocol by type; an unknown type takes the encoder of its nearest base.

    Args:
        null: how ``None`` looks, without CRLF.
    """

    def __init__(self, null: bytes) -> None:
        super().__init__()
        self.null = null

    def __missing__(self, cls: type) -> Encoder:
        for base in cls.__mro__[1:]:
            if base in self:
                self[cls] = self[base]
                return self[base]
        raise TypeError(f"no reply can be made of {cls.__name__}")


RESP2 = Encoders(b"$-1")
RESP3 = Encoders(b"_")


def encode2(value: Any, append: Append) -> None:
    """Append ``value`` in RESP2.

    Args:
        value: what a command returned.
        append: takes each chunk of bytes, usually a list's ``append``.

    Raises:
        TypeError: the value, or an element of it, is of a type that has no reply (``str`` among them).
            Chunks may have been appended already.

    O(N) in the number of elements.
    """
    RESP2[type(value)](value, append)


def encode3(value: Any, append: Append) -> None:
    """Append ``value`` in RESP3; otherwise like ``encode2``."""
    RESP3[type(value)](value, append)


def encode_command(argv: Sequence[bytes | bytearray]) -> bytes:
    """``argv`` as a client would send it: an array of bulk strings.  O(total bytes)."""
    return _array_of_bulks(b"*%d\r\n" % len(argv), argv)


def encode_short_command(argv: Sequence[bytes | bytearray]) -> bytes:
    """The same in less time; raises IndexError where a word has 1,024 bytes or more."""
    body = [BULK_HEADERS[len(word)] + word for word in argv]
    body.append(b"")
    return b"*%d\r\n%b" % (len(argv), b"\r\n".join(body))


# ---------------------------------------------------------------- scalars, the same in both protocols


def encode_bytes(value: bytes, append: Append) -> None:
    """Append a bulk string."""
    length = len(value)
    if length < 1024:
        append(BULK_HEADERS[length] + value + b"\r\n")
    elif length < _COPY_LIMIT:
        append(b"$%d\r\n%b\r\n" % (length, value))
    else:
        append(b"$%d\r\n" % length)
        append(value)
        append(b"\r\n")


def _encode_bytearray(value: bytearray, append: Append) -> None:
    encode_bytes(bytes(value), append)  # a copy: the value may change before it is sent


def _encode_int(value: int, append: Append) -> None:
    append(_INTEGERS[value] if 0 <= value < 1024 else b":%d\r\n" % value)


def _encode_wire(value: SimpleString | Raw, append: Append) -> None:
    append(value.wire)


def encode_error_line(value: CommandError) -> bytes:
    """The text of an error as one line, without the sign before it and CRLF behind."""
    return str(value).rstrip("\r\n").translate(_ONE_LINE).encode("utf-8", "surrogateescape")


def _encode_error(value: CommandError, append: Append) -> None:
    append(b"-%b\r\n" % encode_error_line(value))


def _encode_nothing(_value: NoReply, _append: Append) -> None:
    pass


# ---------------------------------------------------------------- scalars, RESP2


def format_double(value: float) -> bytes:
    """``value`` with up to 17 significant digits, as Redis prints scores: ``3``, ``0.10000000000000001``.

    Every finite double reads back unchanged.
    """
    return b"%.17g" % value if value == value else signed_nan(value)


def signed_nan(value: float) -> bytes:
    """A NaN as C prints it, which shows its sign: ``-nan`` is what ``0/0`` makes."""
    return b"-nan" if math.copysign(1, value) < 0 else b"nan"


def _encode_float2(value: float, append: Append) -> None:
    digits = format_double(value)
    append(b"%b%b\r\n" % (BULK_HEADERS[len(digits)], digits))


def _encode_bool2(value: bool, append: Append) -> None:
    append(b":1\r\n" if value else b":0\r\n")


def _encode_none2(_value: None, append: Append) -> None:
    append(b"$-1\r\n")


def _encode_null_array2(_value: NullArray, append: Append) -> None:
    append(b"*-1\r\n")


def _encode_verbatim2(value: Verbatim, append: Append) -> None:
    encode_bytes(value.text, append)


def _encode_big_number2(value: BigNumber, append: Append) -> None:
    encode_bytes(b"%d" % value, append)


# ---------------------------------------------------------------- scalars, RESP3


def _encode_float3(value: float, append: Append) -> None:
    append(b",%b\r\n" % format_double(value))


def _encode_bool3(value: bool, append: Append) -> None:
    append(b"#t\r\n" if value else b"#f\r\n")


def _encode_null3(_value: NullArray | None, append: Append) -> None:
    append(b"_\r\n")


def _encode_verbatim3(value: Verbatim, append: Append) -> None:
    append(b"=%d\r\n%b:%b\r\n" % (len(value.text) + 4, value.format, value.text))


def _encode_big_number3(value: BigNumber, append: Append) -> None:
    append(b"(%d\r\n" % value)


def _encode_big_number_text3(value: BigNumberText, append: Append) -> None:
    append(b"(%b\r\n" % value)


# ---------------------------------------------------------------- aggregates


def _array_of_bulks(header: bytes, elements: Iterable[bytes | bytearray]) -> bytes:
    """The aggregate ``header`` with ``elements`` as bulk strings after it.

    One comprehension for all of them, 60 ns an element: a call and an append for each cost 250 ns.

    Raises:
        TypeError: an element is not bytes.
    """
    try:
        body = [BULK_HEADERS[len(element)] + element for element in elements]
    except IndexError:  # an element longer than the table
        body = [b"".join((b"$%d\r\n" % len(element), element)) for element in elements]
    body.append(b"")
    return header + b"\r\n".join(body)


def _array_of_nullable_bulks(header: bytes, elements: Iterable[bytes | None], null: bytes) -> bytes:
    """Like ``_array_of_bulks``, with ``None`` among the elements; 110 ns an element."""
    try:
        body = [null if element is None else BULK_HEADERS[len(element)] + element for element in elements]
    except IndexError:
        body = [null if element is None else b"$%d\r\n%b" % (len(element), element) for element in elements]
    body.append(b"")
    return header + b"\r\n".join(body)


def _encode_elements(header: bytes, elements: Iterable[Any], append: Append, encoders: Encoders) -> None:
    """Append ``header`` and the elements, each of which may be any value."""
    append(header)
    for element in elements:
        encoders[type(element)](element, append)


def encode_run(elements: Sequence[Any], encoders: Encoders) -> list[bytes | memoryview]:
    """The elements concatenated; long strings among them are chunks of their own, not copied.  O(N).

    Raises:
        TypeError: an element is of a type that has no reply.
    """
    try:
        body = [BULK_HEADERS[len(element)] + element for element in elements]
        body.append(b"")
        return [b"\r\n".join(body)]
    except (IndexError, TypeError):  # not all of them are short strings
        chunks: list[bytes | memoryview] = []
        _encode_elements(b"", elements, chunks.append, encoders)
        return [b"".join(chunks)] if sum(map(len, chunks)) <= _RUN_LIMIT else chunks


def encode_array(header: bytes, elements: Sequence[Any], append: Append, encoders: Encoders) -> None:
    """Append an aggregate, trying first whether its elements are all bytes, which most are.

    Looking at the last one, too, spares ``[member, score]`` and ``[cursor, list]`` two failed attempts: 3 us.
    """
    if elements and type(elements[0]) in _BULKS and type(elements[-1]) in _BULKS:
        try:
            append(_array_of_bulks(header, elements))
            return
        except TypeError:  # nothing has been appended yet
            pass
        try:
            append(_array_of_nullable_bulks(header, elements, encoders.null))
            return
        except TypeError:
            pass
    _encode_elements(header, elements, append, encoders)


def _add_aggregates(encoders: Encoders) -> None:
    """Register the encoders of the types that look the same in both protocols around their elements."""

    def encode_list(value: Sequence[Any], append: Append) -> None:
        encode_array(b"*%d\r\n" % len(value), value, append, encoders)

    def encode_deque(value: deque[Any], append: Append) -> None:
        encode_array(b"*%d\r\n" % len(value), list(value), append, encoders)

    encoders[list] = encoders[tuple] = encode_list
    encoders[deque] = encode_deque
    encoders[Replies] = encode_each_by(encoders)


def encode_each_by(encoders: Encoders) -> Encoder:
    """The encoder of :class:`~kedis.resp.values.Replies` by the table ``encoders``."""

    def encode_replies(value: Replies, append: Append) -> None:
        append(b"*%d\r\n" % len(value))
        for reply in value:
            encoders[type(reply)](reply, append)

    return encode_replies


def _encode_dict2(value: dict[Any, Any], append: Append) -> None:
    encode_array(b"*%d\r\n" % (2 * len(value)), flat_pairs(value.items()), append, RESP2)


def _encode_dict3(value: dict[Any, Any], append: Append) -> None:
    encode_array(b"%%%d\r\n" % len(value), flat_pairs(value.items()), append, RESP3)


def _encode_map3(value: OrderedMap, append: Append) -> None:
    encode_array(b"%%%d\r\n" % (len(value) // 2), value, append, RESP3)


def _encode_set2(value: Iterable[Any], append: Append) -> None:
    elements = list(value)
    encode_array(b"*%d\r\n" % len(elements), elements, append, RESP2)


def _encode_set3(value: Iterable[Any], append: Append) -> None:
    elements = list(value)
    encode_array(b"~%d\r\n" % len(elements), elements, append, RESP3)


def _encode_pairs2(value: Pairs, append: Append) -> None:
    flat = flat_pairs(value)
    if value and type(value[0][1]) is float:  # members with scores: all of them are
        flat[1::2] = map(format_double, flat[1::2])
    encode_array(b"*%d\r\n" % len(flat), flat, append, RESP2)


def flat_scores(members: Sequence[bytes], scores: Sequence[float]) -> bytes:
    """Members with their scores after them, as RESP2 prints them.  O(N)."""
    flat: list[bytes] = [b""] * (2 * len(members))
    flat[::2] = members
    flat[1::2] = map(format_double, scores)
    return _array_of_bulks(b"", flat)


def nested_scores(members: Sequence[bytes], scores: Sequence[float]) -> bytes:
    """Arrays of a member and its score, as RESP3 prints them.  O(N)."""
    return b"".join(
        [
            b"*2\r\n$%d\r\n%b\r\n,%.17g\r\n" % (len(member), member, score)
            for member, score in zip(members, scores, strict=True)
        ]
    )


def _encode_scored2(value: Scored, append: Append) -> None:
    append(b"*%d\r\n" % (2 * len(value)) + flat_scores(value.members, value.scores))


def _encode_scored3(value: Scored, append: Append) -> None:
    append(b"*%d\r\n" % len(value) + nested_scores(value.members, value.scores))


def _encode_pairs3(value: Pairs, append: Append) -> None:
    append(b"*%d\r\n" % len(value))
    for first, second in value:
        append(b"*2\r\n")
        RESP3[type(first)](first, append)
        RESP3[type(second)](second, append)


def _encode_by_key3(value: ByKey, append: Append) -> None:
    _encode_elements(b"%%%d\r\n" % len(value), flat_pairs(value), append, RESP3)


def _encode_push3(value: Push, append: Append) -> None:
    encode_array(b">%d\r\n" % len(value), value, append, RESP3)


def _encode_attribute2(value: Attribute, append: Append) -> None:
    encode2(value.value, append)


def _encode_attribute3(value: Attribute, append: Append) -> None:
    attributes = value.attributes
    _encode_elements(b"|%d\r\n" % len(attributes), flat_pairs(attributes.items()), append, RESP3)
    encode3(value.value, append)


_SHARED: dict[type, Encoder] = {
    bytes: encode_bytes,
    bytearray: _encode_bytearray,
    int: _encode_int,
    SimpleString: _encode_wire,
    Raw: _encode_wire,
    CommandError: _encode_error,
    NoReply: _encode_nothing,
}

RESP2.update(_SHARED)
_add_aggregates(RESP2)
RESP2.update(
    {
        float: _encode_float2,
        bool: _encode_bool2,
        type(None): _encode_none2,
        NullArray: _encode_null_array2,
        Verbatim: _encode_verbatim2,
        BigNumber: _encode_big_number2,
        BigNumberText: encode_bytes,
        dict: _encode_dict2,
        set: _encode_set2,
        frozenset: _encode_set2,
        Pairs: _encode_pairs2,
        Scored: _encode_scored2,
        Attribute: _encode_attribute2,
    }
)

RESP3.update(_SHARED)
_add_aggregates(RESP3)
RESP3.update(
    {
        float: _encode_float3,
        bool: _encode_bool3,
        type(None): _encode_null3,
        NullArray: _encode_null3,
        Verbatim: _encode_verbatim3,
        BigNumber: _encode_big_number3,
        BigNumberText: _encode_big_number_text3,
        dict: _encode_dict3,
        set: _encode_set3,
        frozenset: _encode_set3,
        OrderedMap: _encode_map3,
        OrderedSet: _encode_set3,
        Pairs: _encode_pairs3,
        Scored: _encode_scored3,
        ByKey: _encode_by_key3,
        Push: _encode_push3,
        Attribute: _encode_attribute3,
    }
)
