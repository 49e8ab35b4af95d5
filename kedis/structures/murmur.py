"""MurmurHash64A (A. Appleby), for one text and for many at once.

Python multiplies large integers in C, so texts of one length are hashed together: each has a lane of 128 bits in one
large integer, the lower half its state, the upper half room for the product with a multiplier of 64 bits, which is
masked away.  No step carries from one lane into the next.  For 512 texts of 17 bytes that makes 0.3 microseconds a
text, where one alone takes 1.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack, unpack_from

_MULTIPLIER = 0xC6A4A7935BD1E995
_MASK = (1 << 64) - 1
#: Maximum and minimum number of texts hashed together: more do not fit into the processor's cache, fewer take longer.
_MOST, _LEAST = 512, 8
_LANE = 16
_LOWER_HALVES = int.from_bytes((b"\xff" * 8 + bytes(8)) * _MOST, "little")
_ONES = int.from_bytes((b"\x01" + bytes(15)) * _MOST, "little")


def hash64(data: bytes, seed: int) -> int:
    """The hash of ``data``, 64 bits.  O(bytes)."""
    length = len(data)
    value = seed ^ (length * _MULTIPLIER & _MASK)
    words = length >> 3
    if words:
        for word in unpack_from(f"<{words}Q", data):
            word = word * _MULTIPLIER & _MASK
            value = (value ^ (word ^ word >> 47) * _MULTIPLIER & _MASK) * _MULTIPLIER & _MASK
    if length & 7:
        value = (value ^ int.from_bytes(data[words << 3 :], "little")) * _MULTIPLIER & _MASK
    value = (value ^ value >> 47) * _MULTIPLIER & _MASK
    return value ^ value >> 47


def hash64_many(texts: Sequence[bytes], seed: int) -> list[int]:
    """The hashes of ``texts``, in their order.  O(bytes)."""
    if len(set(map(len, texts))) == 1:
        return _of_one_length(texts, len(texts[0]), seed)
    positions: dict[int, list[int]] = {}
    for position, length in enumerate(map(len, texts)):
        positions.setdefault(length, []).append(position)
    hashes = [0] * len(texts)
    for length, places in positions.items():
        found = _of_one_length([texts[place] for place in places], length, seed)
        for place, value in zip(places, found, strict=True):
            hashes[place] = value
    return hashes


def _of_one_length(texts: Sequence[bytes], length: int, seed: int) -> list[int]:
    hashes: list[int] = []
    for start in range(0, len(texts), _MOST):
        some = texts[start : start + _MOST]
        if len(some) < _LEAST:
            hashes += [hash64(text, seed) for text in some]
        else:
            hashes += _together(some, length, seed)
    return hashes


def _together(texts: Sequence[bytes], length: int, seed: int) -> list[int]:
    count = len(texts)
    size = count * _LANE
    unused = (_MOST - count) * _LANE * 8
    halves = _LOWER_HALVES >> unused
    joined = b"".join(texts)
    value = (_ONES >> unused) * (seed ^ (length * _MULTIPLIER & _MASK))
    for start in range(0, length & -8, 8):
        word = _words(joined, start, 8, length, size) * _MULTIPLIER & halves
        word = (word ^ word >> 47 & halves) * _MULTIPLIER & halves
        value = (value ^ word) * _MULTIPLIER & halves
    if length & 7:
        value = (value ^ _words(joined, length & -8, length & 7, length, size)) * _MULTIPLIER & halves
    value = (value ^ value >> 47 & halves) * _MULTIPLIER & halves
    value ^= value >> 47 & halves
    return list(unpack(f"<{2 * count}Q", value.to_bytes(size, "little"))[::2])


def _words(joined: bytes, start: int, width: int, length: int, size: int) -> int:
    """``width`` bytes of every text from ``start`` on, each in its lane."""
    lanes = bytearray(size)
    for at in range(width):
        lanes[at::_LANE] = joined[start + at :: length]
    return int.from_bytes(lanes, "little")
