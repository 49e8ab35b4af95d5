"""CRC-64 with the Jones polynomial, bits reflected, beginning with zero: the checksum of RDB files and dumps.

anycrc computes it in C, 14 GB a second.  It has wheels for the common machines only, so pyproject.toml asks for it
just there; elsewhere :func:`crc64_in_python` does, at 280 MB a second, where byte by byte it would be 13.  The rest of
this text is about that.

The remainder of a message is linear in its bits, so a message can be folded: what stands first is taken away, and
something that has the same remainder is added further on.  The polynomial is primitive, and 2^64 - 1 has small factors
only, so logarithms are easy, and a search among those of 1 + x^a gave, modulo the polynomial,

    x^9757 = (1 + x^65) (1 + x^234) (1 + x^329) (1 + x^408) (1 + x^588) (1 + x^772).

To multiply by the right side is to shift and XOR six times, which Python does to whole messages at once, as integers.
Squared, the equation holds for all exponents times two, and again; so each step halves what is left, down to 9757 bits.
What is left then is done byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable

Buffer = bytes | bytearray | memoryview

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # 0xAD93D23594C935A9, its bits reflected
#: So many bytes are folded together, which keeps what that takes in the processor's cache.
_PIECE = 256 * 1024
#: The equation: the exponent on its left, and those on its right.
_DISTANCE = 9757
_FACTORS = (65, 234, 329, 408, 588, 772)
_STEP = _DISTANCE - sum(_FACTORS)


def _make_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ _POLYNOMIAL if value & 1 else value >> 1
        table.append(value)
    return table


_TABLE = _make_table()


def crc64_in_python(data: Buffer, crc: int = 0) -> int:
    """The checksum of ``data`` behind bytes whose checksum is ``crc``.  O(N)."""
    for at in range(0, len(data), _PIECE):
        crc = _of_piece(data[at : at + _PIECE] if len(data) > _PIECE else data, crc)
    return crc


def _of_piece(data: Buffer, crc: int) -> int:
    if 8 * len(data) > _DISTANCE:
        data = _folded(int.from_bytes(data, "little") ^ crc, 8 * len(data))
        crc = 0
    table = _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def _folded(message: int, length: int) -> bytes:
    """At most ``_DISTANCE`` bits with the remainder of ``length`` bits, of which the lowest stands first."""
    level = (length // (_DISTANCE + _STEP)).bit_length()
    while length > _DISTANCE:
        level = max(level - 1, 0)
        while (count := min(_STEP << level, length - (_DISTANCE << level))) > 0:
            taken = message & (1 << count) - 1
            for factor in _FACTORS:
                taken ^= taken << (factor << level)
            message = message >> count ^ taken << (_STEP << level) - count
            length -= count
    return (message << -length % 8).to_bytes((length + 7) // 8, "little")


def _fastest() -> Callable[..., int]:
    try:
        from anycrc import Model
    except ImportError:
        return crc64_in_python
    in_c: Callable[..., int] = Model("CRC64-REDIS").calc
    return in_c


#: ``crc64(data, crc=0)``: the checksum of ``data`` behind bytes whose checksum is ``crc``.  O(N).
crc64 = _fastest()
