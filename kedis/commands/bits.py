"""Bitmaps: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP on strings.

What SETBIT has changed is a ``Buffer``, so that one bit of a large string costs O(1); the first change of
a string that was set as a whole copies it once.  The loops over whole strings are in
:mod:`kedis.structures.bitmap`, BITFIELD is in :mod:`kedis.commands.bitfield`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.parsing.options import integer
from kedis.commands.string_ranges import RECORDED_LIMIT, read_stored
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.structures import bitmap
from kedis.structures.strings import Buffer

if TYPE_CHECKING:
    from kedis.engine.client import Client

_BITS = {b"0": 0, b"1": 1}
_UNITS = {b"BIT": 1, b"BYTE": 8}
_OPERATIONS = frozenset([b"AND", b"OR", b"XOR", b"NOT"])


@command(
    "SETBIT",
    arity=4,
    flags=WRITE | DENYOOM,
    group="bitmap",
    since="2.2.0",
    summary="Sets or clears a bit by offset, growing the string if needed; returns the old bit.",
    keys=[span("RW access update", 1)],
    complexity="O(1), and O(N) for the first change of a string",
    syntax="key@0 offset:int value:int",
)
def setbit(client: Client, argv: Sequence[bytes]) -> int:
    _, key, raw_offset, raw_bit = argv
    offset = bit_offset(client, raw_offset)
    bit = _BITS.get(raw_bit)
    if bit is None:
        raise CommandError(value_errors.BIT_OUT_OF_RANGE)
    db = client.db
    buffer = db.lookup_write_buffer(key)
    byte, mask = offset >> 3, 0x80 >> (offset & 7)
    before = 0
    if buffer is None:
        buffer = Buffer(byte + 1)
    elif byte >= len(buffer):
        buffer += bytes(byte + 1 - len(buffer))
    else:
        before = 1 if buffer[byte] & mask else 0
        if before == bit:
            return bit
    buffer[byte] = buffer[byte] | mask if bit else buffer[byte] & ~mask
    db.set_value(key, buffer, "setbit", keep_ttl=True)
    return before


@command(
    "GETBIT",
    arity=3,
    flags=READONLY | FAST,
    group="bitmap",
    since="2.2.0",
    summary="Returns a bit by offset; 0 beyond the end of the string.",
    keys=[span("RO access", 1)],
    complexity="O(1)",
    syntax="key@0 offset:int",
)
def getbit(client: Client, argv: Sequence[bytes]) -> int:
    offset = bit_offset(client, argv[2])
    return bitmap.get_bit(read_stored(client, argv[1]), offset)


@command(
    "BITCOUNT",
    arity=-2,
    flags=READONLY,
    group="bitmap",
    since="2.6.0",
    summary="Counts the set bits of a string, or of a byte or bit range of it.",
    keys=[span("RO access", 1)],
    complexity="O(N) in the bytes of the range",
    syntax='key@0 [index{start:int end:int [index_unit("BYTE" | "BIT")~7.0.0]}]',
)
def bitcount(client: Client, argv: Sequence[bytes]) -> int:
    value = _read(client, argv[1])
    if value is None:
        return 0  # whatever the other arguments say
    if len(argv) == 2:
        return bitmap.count_bits(value, 0, len(value) * 8 - 1)
    if len(argv) not in (4, 5):
        raise CommandError(errors.SYNTAX)
    start, end = integer(argv[2]), integer(argv[3])
    if start < 0 and start > end:
        return 0  # before the unit is looked at, as in Redis
    unit = _unit(argv[4]) if len(argv) == 5 else 8
    return bitmap.count_bits(value, *_bit_range(start, end, unit, len(value) * 8))


@command(
    "BITPOS",
    arity=-3,
    flags=READONLY,
    group="bitmap",
    since="2.8.7",
    summary="Finds the first bit set to 1 or 0 in a string, or in a byte or bit range of it.",
    keys=[span("RO access", 1)],
    complexity="O(N) in the bytes searched",
    syntax=('key@0 bit:int [index{start:int [end_index{end:int [index_unit("BYTE" | "BIT")~7.0.0]}]}]'),
)
def bitpos(client: Client, argv: Sequence[bytes]) -> int:
    bit = integer(argv[2])
    if bit not in (0, 1):
        raise CommandError(value_errors.BIT_NOT_0_OR_1)
    value = _read(client, argv[1])
    if value is None:
        return -bit  # a missing key is an endless row of zeros, whatever the other arguments say
    if len(argv) > 6:
        raise CommandError(errors.SYNTAX)
    size = len(value) * 8
    if len(argv) == 3:
        first, last = 0, size - 1
    else:
        start = integer(argv[3])
        unit = _unit(argv[5]) if len(argv) == 6 else 8
        end = integer(argv[4]) if len(argv) > 4 else -1
        first, last = _bit_range(start, end, unit, size)
    if first > last:
        return -1
    found = bitmap.find_bit(value, bit, first, last)
    # Without an end the zeros that follow the string count as well.
    return size if found < 0 and not bit and len(argv) < 5 else found


@command(
    "BITOP",
    arity=-4,
    flags=WRITE | DENYOOM,
    group="bitmap",
    since="2.6.0",
    summary="Stores the bitwise AND, OR, XOR or NOT of strings; returns the length of the result.",
    keys=[span("OW update", 2), span("RO access", 3, -1)],
    complexity="O(N) in the bytes of all the strings",
    syntax="operation destkey@0 key@1...",
)
def bitop(client: Client, argv: Sequence[bytes]) -> int:
    operation, target = argv[1].upper(), argv[2]
    if operation not in _OPERATIONS:
        raise CommandError(errors.SYNTAX)
    if operation == b"NOT" and len(argv) != 4:
        raise CommandError(value_errors.BITOP_NOT_SINGLE)
    sources = [read_stored(client, key) for key in argv[3:]]
    result = bitmap.invert(sources[0]) if operation == b"NOT" else bitmap.combine(operation, sources)
    if result:
        client.db.set_value(target, Buffer(result))
    else:
        client.db.remove(target)
    return len(result)


def bit_offset(client: Client, raw: bytes, width: int = 0) -> int:
    """A bit offset; with a ``width``, ``#n`` means the n-th field of that many bits."""
    scale = 1
    if width and raw.startswith(b"#"):
        raw, scale = raw[1:], width
    offset = integer(raw, value_errors.BIT_OFFSET_OUT_OF_RANGE) * scale
    limit = RECORDED_LIMIT if client.trusted else client.engine.config.proto_max_bulk_len
    if offset < 0 or offset >> 3 >= limit:
        raise CommandError(value_errors.BIT_OFFSET_OUT_OF_RANGE)
    return offset


def _read(client: Client, key: bytes) -> bytes | bytearray | None:
    """The string at ``key`` as it is stored, None if there is none.  Counts a hit or miss.  O(1)."""
    value = client.db.lookup_read(key)
    if value is None or isinstance(value, bytes | bytearray):
        return value
    raise CommandError(errors.WRONG_TYPE)


def _unit(word: bytes) -> int:
    """Bits per unit of a range: BIT or BYTE."""
    word = word.upper()
    if word not in _UNITS:
        raise CommandError(errors.SYNTAX)
    return _UNITS[word]


def _bit_range(start: int, end: int, unit: int, size: int) -> tuple[int, int]:
    """The first and the last bit of a range in units of ``unit`` bits; negative ones count from the end."""
    length = size // unit
    if start < 0:
        start = max(start + length, 0)
    if end < 0:
        end = max(end + length, 0)
    return start * unit, min(end, length - 1) * unit + unit - 1
