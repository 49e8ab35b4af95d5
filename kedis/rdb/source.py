"""Numbers, lengths and strings of RDB, read from untrusted bytes.

A length begins with two bits: 00: the length is in the other six; 01: in fourteen bits; 10: in the four or eight bytes
that follow (0x80, 0x81), highest first. 11 begins a string in another form: an integer of one, two or four bytes, or
LZF.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from io import BytesIO
from mmap import mmap

from kedis.rdb.crc64 import crc64
from kedis.rdb.lzf import LzfError, compress, decompress

_INT8, _INT16, _INT32, _LZF = range(4)
_ENCODED = 0xC0
_LENGTH32, _LENGTH64 = 0x80, 0x81
#: Redis does not try to compress, or to write as an integer, beyond these lengths.
SHORTEST_COMPRESSED = 21
LONGEST_INTEGER = 11
#: Nothing is longer, in Redis as here.
LONGEST_STRING = 512 << 20
#: A string of this size or more that arrives in pieces is gathered without a second copy.
_LONG = 1 << 20

_PACK_14 = struct.Struct(">H").pack
_PACK_32 = struct.Struct(">BI").pack
_PACK_64 = struct.Struct(">BQ").pack
_SHORT = [bytes([length]) for length in range(64)]
_LENGTHS = _SHORT + [_PACK_14(1 << 14 | length) for length in range(64, 1024)]


#: What Redis's logs say of damage inside a value, and what those who read them look for.
CHECK_FAILED = "integrity check failed"


class RdbError(ValueError):
    """The bytes are not RDB; ``offset`` is the place of the fault."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at offset {offset}")
        self.reason = reason
        self.offset = offset


class Source:
    """Reads ``data`` from ``position`` up to ``end``.

    All methods raise RdbError when the data end too early or are invalid. Nothing is allocated for
    a length before so many bytes are known to exist.

    Attributes:
        base: offset of the first byte of ``data`` in the whole.
        checked, crc: position up to which the checksum has been computed, and its value.
    """

    __slots__ = ("base", "checked", "crc", "data", "end", "position")

    def __init__(self, data: bytes | mmap, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end
        self.base = self.checked = self.crc = 0

    @property
    def offset(self) -> int:
        """Offset in the whole of the next byte."""
        return self.base + self.position

    def fail(self, reason: str) -> RdbError:
        """The error to raise here."""
        return RdbError(reason, self.offset)

    def reach(self, count: int) -> None:
        """Have the next ``count`` bytes in ``data``, of which some are not there yet."""
        if count == 1:
            raise self.fail("the end where more must be")
        raise self.fail(f"{self.end - self.position} bytes where {count} must be")

    def check(self) -> None:
        """Compute the checksum up to ``position``.  O(bytes since the last call)."""
        if self.position > self.checked:
            self.crc = crc64(self.data[self.checked : self.position], self.crc)
            self.checked = self.position

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        position = self.position
        after = position + count
        if after > self.end:
            self.reach(count)
            position = self.position
            after = position + count
        self.position = after
        return self.data[position:after]

    def byte(self) -> int:
        position = self.position
        if position >= self.end:
            self.reach(1)
            position = self.position
        self.position = position + 1
        return self.data[position]

    def integer(self, size: int, signed: bool = False) -> int:
        """An integer of ``size`` bytes, lowest first."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def double(self) -> float:
        value: float = struct.unpack("<d", self.take(8))[0]
        return value

    def length(self) -> int:
        """A length, checked against the bytes that are left: every counted item takes at least one."""
        length, encoded = self._length()
        if encoded:
            raise self.fail("a string where a length must be")
        if length > self.end - self.position:
            self._doubt(length)
        return length

    def _doubt(self, length: int) -> None:
        """Handle a length that is greater than the number of bytes at hand."""
        raise self.fail(f"a length of {length} with {self.end - self.position} bytes left")

    def number(self) -> int:
        """A number written like a length, whatever its size."""
        number, encoded = self._length()
        if encoded:
            raise self.fail("a string where a number must be")
        return number

    def string(self) -> bytes:
        """A string in any form."""
        position = self.position
        if position < self.end and (first := self.data[position]) < 64:  # usual
            after = position + 1 + first
            if after <= self.end:
                self.position = after
                return self.data[position + 1 : after]
        length, encoded = self._length()
        if not encoded:
            return self.take(length)
        if length <= _INT32:
            return b"%d" % self.integer(1 << length, signed=True)
        if length == _LZF:
            return self._compressed()
        raise self.fail(f"an unknown form of string, {length},")

    def strings(self, count: int) -> list[bytes]:
        """``count`` strings.  140 ns each, where calls of :meth:`string` take 220, or 700 from 64 bytes on."""
        data, end, position = self.data, self.end, self.position
        found: list[bytes] = []
        append = found.append
        for _ in range(count):
            if position < end and (first := data[position]) < 64 and position + first < end:  # usual
                append(data[position + 1 : (position := position + 1 + first)])
            elif (
                position + 1 < end
                and 0x40 <= first < 0x80
                and (after := position + 2 + ((first & 63) << 8 | data[position + 1])) <= end
            ):
                append(data[position + 2 : after])
                position = after
            else:
                self.position = position
                append(self.string())
                data, end, position = self.data, self.end, self.position
        self.position = position
        return found

    def _compressed(self) -> bytes:
        size, length = self.length(), self.number()
        if length > LONGEST_STRING:
            raise self.fail(f"a string of {length} bytes")
        try:
            return decompress(self.take(size), length)
        except LzfError as error:
            raise self.fail(f"damaged compression: {error},") from None

    def _length(self) -> tuple[int, bool]:
        first = self.byte()
        kind = first & _ENCODED
        if kind == 0:
            return first, False
        if kind == 0x40:
            return (first & 63) << 8 | self.byte(), False
        if kind == _ENCODED:
            return first & 63, True
        if first == _LENGTH32:
            return int.from_bytes(self.take(4), "big"), False
        if first == _LENGTH64:
            return int.from_bytes(self.take(8), "big"), False
        raise self.fail(f"an unknown form of length, 0x{first:02x},")


class ArrivingSource(Source):
    """Reads data that arrive in pieces, of which it holds only those at hand.

    Args:
        more: the next piece; empty at the end. It may take its time, and raise.
        verify: compute the checksum.
    """

    __slots__ = ("_more", "_verify")

    def __init__(self, more: Callable[[], bytes], *, verify: bool = True) -> None:
        super().__init__(b"")
        self._more = more
        self._verify = verify

    def reach(self, count: int) -> None:
        rest = self._let_go()
        pieces, size = [rest], len(rest)
        while size < count:
            piece = self._next(size, count)
            pieces.append(piece)
            size += len(piece)
        self.data, self.end = b"".join(pieces), size

    def take(self, count: int) -> bytes:
        if count < _LONG or count <= self.end - self.position:
            return super().take(count)
        # What a BytesIO holds becomes bytes without a copy.
        gathered = BytesIO()
        rest = self._let_go()
        if self._verify:
            self.crc = crc64(rest, self.crc)
        size = gathered.write(rest)
        while size < count:
            piece = self._next(size, count)
            behind = len(piece) - (count - size)
            if behind > 0:
                self.data, self.end = piece[-behind:], behind
                piece = piece[:-behind]
            size += gathered.write(piece)
            if self._verify:
                self.crc = crc64(piece, self.crc)
        self.base += count
        return gathered.getvalue()

    def _let_go(self) -> bytes:
        """Drop the data at hand; returns what has not been read of them, nor added to the checksum."""
        if self._verify:
            self.check()
        rest = bytes(self.data[self.position :])
        self.base += self.position
        self.data, self.end, self.position, self.checked = b"", 0, 0, 0
        return rest

    def _next(self, size: int, count: int) -> bytes:
        piece = self._more()
        if not piece:
            raise self.fail(f"{size} bytes where {count} must be")
        return piece

    def _doubt(self, length: int) -> None:
        """More may come."""


def encode_length(length: int) -> bytes:
    """``length`` in the fewest bytes."""
    if length < 64:
        return _SHORT[length]
    if length < 1 << 14:
        return _PACK_14(1 << 14 | length)
    return _PACK_32(_LENGTH32, length) if length < 1 << 32 else _PACK_64(_LENGTH64, length)


def encode_string(text: bytes) -> bytes:
    """``text`` as it is."""
    length = len(text)
    return _SHORT[length] + text if length < 64 else encode_length(length) + text


def encode_strings(texts: Sequence[bytes]) -> list[bytes]:
    """``texts`` as they are, each with its length.  60 ns each, where calls of :func:`encode_string` take 110."""
    try:
        return [_LENGTHS[len(text)] + text for text in texts]
    except IndexError:  # one is longer than the table
        return [encode_length(len(text)) + text for text in texts]


def encode_integer(value: int) -> bytes | None:
    """A string that spells ``value``, as Redis writes it; None when it does not fit in four bytes."""
    for form, bits in ((_INT8, 7), (_INT16, 15), (_INT32, 31)):
        if -(1 << bits) <= value < 1 << bits:
            return bytes([_ENCODED | form]) + value.to_bytes(1 << form, "little", signed=True)
    return None


def encode_compressed(packed: bytes, length: int) -> bytes:
    """A string of ``length`` bytes, compressed by LZF to ``packed``."""
    return bytes([_ENCODED | _LZF]) + encode_length(len(packed)) + encode_length(length) + packed


def encode_text(text: bytes, compressed: bool = False) -> bytes:
    """A string as Redis writes it: an integer where it is one, compressed where that is asked for and helps."""
    length = len(text)
    if length <= LONGEST_INTEGER and text.removeprefix(b"-").isdigit() and b"%d" % int(text) == text:
        encoded = encode_integer(int(text))
        if encoded is not None:
            return encoded
    if compressed and length >= SHORTEST_COMPRESSED and (packed := compress(text)) is not None:
        return encode_compressed(packed, length)
    return encode_string(text)
