"""Reader of Redis's flat representations of small containers: listpack, ziplist, intset, zipmap.

Each is one string of bytes. Every length, link and end is verified, because the source is untrusted.

listpack
    Bytes in all (4), number of elements (2; 65535: not known), the elements, 0xFF. An element is a code with its
    text or integer, followed by the length of that, in 7-bit groups to be read backwards.
ziplist
    Bytes in all (4), offset of the last element (4), number of elements (2), the elements, 0xFF. An element is the
    size of the one before (1 byte, or 0xFE and 4), a code, and a text or an integer.
intset
    Bytes of an integer (4), number (4), the integers, rising.
zipmap
    Number of pairs (1), then for each: length and field, length, unused bytes (1) and value; 0xFF.
"""

from __future__ import annotations

import struct
from operator import lt

from kedis.rdb.source import RdbError, Source

_END = 0xFF
UNKNOWN_COUNT = 0xFFFF
_SMALL = [b"%d" % number for number in range(128)]
_INTEGER_CODES = {2: "h", 4: "i", 8: "q"}


def read_listpack(raw: bytes) -> list[bytes]:
    """The elements of a listpack; integers as decimal text. Raises RdbError. O(len(raw)), 0.2 us an element."""
    source = Source(raw)
    if source.integer(4) != len(raw):
        raise source.fail("a listpack of another length")
    count = source.integer(2)
    elements: list[bytes] = []
    append = elements.append
    position, last = source.position, len(raw) - 1
    while position < last:
        first = raw[position]
        if first < 0x80:  # an integer in one byte, and its length
            if raw[position + 1] == 1:
                append(_SMALL[first])
                position += 2
                continue
        elif first < 0xC0:  # a short text
            after = position + (first & 63) + 1
            if after < last and raw[after] == after - position:
                append(raw[position + 1 : after])
                position = after + 1
                continue
        source.position = position
        append(_listpack_element(source))
        position = source.position
    source.position = position
    if source.byte() != _END or source.position != source.end:
        raise source.fail("a listpack without its end")
    if count not in (len(elements), UNKNOWN_COUNT):
        raise source.fail("a wrong number of elements")
    return elements


def _listpack_element(source: Source) -> bytes:
    begin = source.position
    element = _listpack_content(source, source.byte())
    back = back_length(source.position - begin)
    if source.take(len(back)) != back:
        raise source.fail("a wrong length behind an element")
    return element


def _listpack_content(source: Source, first: int) -> bytes:
    if first < 0x80:
        return b"%d" % first
    if first < 0xC0:
        return source.take(first & 63)
    if first < 0xE0:
        value = (first & 31) << 8 | source.byte()
        return b"%d" % (value - (1 << 13) if value >= 1 << 12 else value)
    if first < 0xF0:
        return source.take((first & 15) << 8 | source.byte())
    if first == 0xF0:
        return source.take(source.integer(4))
    sizes = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}
    if first not in sizes:
        raise source.fail(f"an unknown code, 0x{first:02x},")
    return b"%d" % source.integer(sizes[first], signed=True)


def back_length(size: int) -> bytes:
    """``size`` in 7-bit groups, the highest first; all but the first are marked."""
    # Redis's bounds are one less than the largest value that fits, except for the first.
    bounds = (128, 16383, 2097151, 268435455)
    groups = 1 + sum(size >= bound for bound in bounds)
    parts = [size >> 7 * group & 127 for group in reversed(range(groups))]
    return bytes([parts[0], *(part | 128 for part in parts[1:])])


def read_ziplist(raw: bytes) -> list[bytes]:
    """The elements of a ziplist.  Raises RdbError.  O(len(raw))."""
    source = Source(raw)
    if source.integer(4) != len(raw):
        raise source.fail("a ziplist of another length")
    tail, count = source.integer(4), source.integer(2)
    elements = []
    before, last = 0, source.position
    while (first := source.byte()) != _END:
        last = source.position - 1
        if (source.integer(4) if first == 0xFE else first) != before:
            raise source.fail("a wrong size of the element before")
        elements.append(_ziplist_element(source))
        before = source.position - last
    if source.position != source.end or tail != last or count not in (len(elements), UNKNOWN_COUNT):
        raise source.fail("a wrong number or place of elements")
    return elements


def _ziplist_element(source: Source) -> bytes:
    code = source.byte()
    if code < 0x40:
        return source.take(code)
    if code < 0x80:
        return source.take((code & 63) << 8 | source.byte())
    if code < 0xC0:
        return source.take(int.from_bytes(source.take(4), "big"))
    if 0xF1 <= code <= 0xFD:
        return b"%d" % (code - 0xF1)
    sizes = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
    if code not in sizes:
        raise source.fail(f"an unknown code, 0x{code:02x},")
    return b"%d" % source.integer(sizes[code], signed=True)


def read_intset(raw: bytes) -> list[bytes]:
    """The members of an intset.  Raises RdbError.  O(len(raw))."""
    source = Source(raw)
    size, count = source.integer(4), source.integer(4)
    if size not in _INTEGER_CODES or count * size != len(raw) - 8:
        raise source.fail("an intset of another length")
    numbers = struct.unpack(f"<{count}{_INTEGER_CODES[size]}", source.take(count * size))
    if not all(map(lt, numbers, numbers[1:])):
        raise source.fail("an intset out of order")
    return [b"%d" % number for number in numbers]


def read_zipmap(raw: bytes) -> list[bytes]:
    """Fields and values of a zipmap, in turn.  Raises RdbError.  O(len(raw))."""
    source = Source(raw)
    source.byte()  # the number of pairs, or 254 for more; the end mark decides
    elements = []
    while (first := source.byte()) != _END:
        elements.append(source.take(_zipmap_length(source, first)))
        length = _zipmap_length(source, source.byte())
        unused = source.byte()
        elements.append(source.take(length))
        source.take(unused)
    if source.position != source.end:
        raise source.fail("bytes after the end of a zipmap")
    if not elements:  # which Redis has never written
        raise source.fail("a zipmap without elements")
    return elements


def _zipmap_length(source: Source, first: int) -> int:
    if first < 0xFE:
        return first
    if first == _END:
        raise RdbError("an end where a length must be", source.position)
    return source.integer(4)
