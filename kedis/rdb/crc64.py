"""CRC-64 with the Jones polynomial, bits reflected, initial value zero: the checksum of RDB files and dumps.

anycrc computes it in C, 14 GB a second. It has wheels for the common machines only, so pyproject.toml requires it
only there; elsewhere :func:`crc64_in_python` is used, at 280 MB a second, where byte by byte it would be 13. The rest
of this text describes its method.

The remainder of a message is linear in its bits, so a message can be folded: leading bits are removed, and
bits with the same remainder are added further on. The polynomial is primitive, and 2^64 - 1 has small factors
only, so logarithms are easy, and a search among those of 1 + x^a gave, modulo the polynomial,

    x^9757 = (1 + x^65) (1 + x^234) (1 + x^329) (1 + x^408) (1 + x^588) (1 + x^772).

Multiplying by the right side is shifting and XORing six times, which Python does with whole messages, as integers.
Squared, the equation holds for all exponents times two, and again; so each step halves the rest, down to 9757 bits.
The last rest is processed byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable

Buffer = bytes | bytearray | memoryview

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # 0xAD93D23594C935A9, its bits reflected
#: Number of bytes folded together, small enough to keep the intermediate results in the processor's cache.
_PIECE = 256 * 1024
#: The equation: the exponent on its left side, and those on its right side.
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
    """The checksum of ``data`` after bytes with the checksum ``crc``. O(N)."""
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
    """At most ``_DISTANCE`` bits with the remainder of the ``length`` bits of ``message``, lowest bit first."""
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


#: ``crc64(data, crc=0)``: the checksum of ``data`` after bytes with the checksum ``crc``. O(N).
crc64 = _fastest()
