"""Bits in buffers of bytes: counting, searching and combining them at the speed of C loops over memory.

Bit 0 is the highest of byte 0, as bit 7 is its lowest: positions run as the bytes are written down.

Python has no word-wise operations on buffers, so each function is made of ones that run in C:

- Counting maps every byte to the number of its bits (``translate``) and sums the result with Adler-32, whose
  low half is the plain sum of the bytes modulo 65521; a block of `_SUM_BLOCK` bytes cannot reach that.  16 MB
  take 16 ms, half of what ``int.bit_count`` needs, since making the integers is the slow part.
- Searching compares blocks with a block of the filler, which is a memcmp, and looks closer at the first that
  differs.
- AND, OR and XOR make integers of blocks, but only of those blocks that have a bit set; a sparse bitmap
  costs little more than the comparison.  Two full sources of 16 MB take 45 ms.

Blocks bound what is allocated on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import and_, or_, xor
from zlib import adler32

Buffer = bytes | bytearray

_BITS_IN_BYTE = bytes(byte.bit_count() for byte in range(256))
_INVERTED = bytes(range(255, -1, -1))
#: The longest block of bytes of at most 8 whose sum stays below the modulus of Adler-32, 65521.
_SUM_BLOCK = 8190
_COUNT_BLOCK = 8 * _SUM_BLOCK
_BLOCK = 1 << 16
_ZEROS = bytes(_BLOCK)
_ONES = b"\xff" * _BLOCK

_COMBINE: dict[bytes, Callable[[int, int], int]] = {b"AND": and_, b"OR": or_, b"XOR": xor}


def get_bit(buffer: Buffer, position: int) -> int:
    """The bit at ``position``, 0 beyond the end.  O(1)."""
    byte = position >> 3
    return buffer[byte] >> (7 - (position & 7)) & 1 if byte < len(buffer) else 0


def count_bits(buffer: Buffer, first: int, last: int) -> int:
    """How many of the bits ``first`` to ``last`` (inclusive, both inside the buffer) are set.  O(N)."""
    if first > last:
        return 0
    start, end = first >> 3, (last >> 3) + 1
    total = 0
    for position in range(start, end, _COUNT_BLOCK):
        counts = memoryview(buffer[position : min(position + _COUNT_BLOCK, end)].translate(_BITS_IN_BYTE))
        for offset in range(0, len(counts), _SUM_BLOCK):
            total += adler32(counts[offset : offset + _SUM_BLOCK], 0) & 0xFFFF
    before = buffer[start] & ~(0xFF >> (first & 7))
    after = buffer[end - 1] & (0x7F >> (last & 7))
    return total - before.bit_count() - after.bit_count()


def find_bit(buffer: Buffer, bit: int, first: int, last: int) -> int:
    """The position of the first bit equal to ``bit`` from ``first`` to ``last``, -1 if none.

    Both bounds are inclusive and inside the buffer.  O(N).
    """
    if first > last:
        return -1
    flip = 0 if bit else 0xFF
    start, end = first >> 3, (last >> 3) + 1
    byte = (buffer[start] ^ flip) & (0xFF >> (first & 7))
    if not byte:
        start = _first_other(buffer, start + 1, end, b"\0" if bit else b"\xff")
        if start == end:
            return -1
        byte = buffer[start] ^ flip
    position = start * 8 + 8 - byte.bit_length()
    return position if position <= last else -1


def _first_other(buffer: Buffer, start: int, end: int, filler: bytes) -> int:
    """The first index from ``start`` on whose byte is not ``filler``, ``end`` if there is none."""
    full = _ZEROS if filler == b"\0" else _ONES
    for position in range(start, end, _BLOCK):
        block = buffer[position : min(position + _BLOCK, end)]
        if block != full:
            rest = block.lstrip(filler)
            if rest:
                return position + len(block) - len(rest)
    return max(start, end)


def invert(buffer: Buffer) -> bytearray:
    """Every bit turned over.  O(N)."""
    inverted = bytearray(len(buffer))
    for position in range(0, len(buffer), _BLOCK):
        inverted[position : position + _BLOCK] = buffer[position : position + _BLOCK].translate(_INVERTED)
    return inverted


def combine(operation: bytes, sources: Sequence[Buffer]) -> bytearray:
    """``AND``, ``OR`` or ``XOR`` of all sources, zeros appended to the shorter ones.  O(sum of N)."""
    apply = _COMBINE[operation]
    result = bytearray(max(map(len, sources)))
    for position in range(0, len(result), _BLOCK):
        length = min(_BLOCK, len(result) - position)
        blocks = [block for source in sources if _has_bits(block := source[position : position + length])]
        if not blocks or (operation == b"AND" and len(blocks) < len(sources)):
            continue
        if len(blocks) == 1:
            result[position : position + len(blocks[0])] = blocks[0]
            continue
        total = int.from_bytes(blocks[0], "little")
        for block in blocks[1:]:
            total = apply(total, int.from_bytes(block, "little"))
        result[position : position + length] = total.to_bytes(length, "little")
    return result


def _has_bits(block: Buffer) -> bool:
    return block != _ZEROS and block.count(0) != len(block)
