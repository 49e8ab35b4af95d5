"""BITFIELD: integers of 1 to 64 bits anywhere in a string, read, set and incremented.

A field starts at any bit offset, most significant bit first. It spans at most nine bytes, which are read as one
integer, changed and written back. All operations are parsed before the first one runs, and the string grows once,
to the end of the furthest write.

An overflow wraps, saturates (SAT) or fails the operation, as the last OVERFLOW before it says.

Difference from Redis 7.0: a string that grew although every operation failed counts as changed, so that replaying
the journal gives the same string.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kedis import errors
from kedis.commands.bits import bit_offset
from kedis.commands.parsing.options import integer
from kedis.commands.string_ranges import read_stored
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.structures.strings import Buffer

if TYPE_CHECKING:
    from kedis.engine.client import Client

Text = bytes | bytearray

_ARGUMENTS = {b"GET": 2, b"SET": 3, b"INCRBY": 3, b"OVERFLOW": 1}
_OVERFLOWS = frozenset([b"WRAP", b"SAT", b"FAIL"])


class Field(NamedTuple):
    """Where an integer lies in a string, and how it is read."""

    offset: int
    width: int
    signed: bool

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest value that fit."""
        if self.signed:
            return -1 << (self.width - 1), (1 << (self.width - 1)) - 1
        return 0, (1 << self.width) - 1

    def get(self, buffer: Text) -> int:
        """The value in ``buffer``, whose bits beyond the end are zeros.  O(1)."""
        start, end, shift = self._place()
        window = int.from_bytes(buffer[start:end].ljust(end - start, b"\0"), "big")
        value = window >> shift & ((1 << self.width) - 1)
        return value - (1 << self.width) if self.signed and value >> (self.width - 1) else value

    def put(self, buffer: bytearray, value: int) -> None:
        """Write ``value`` modulo the width into ``buffer``, which is long enough.  O(1)."""
        start, end, shift = self._place()
        mask = (1 << self.width) - 1
        window = int.from_bytes(buffer[start:end], "big") & ~(mask << shift) | (value & mask) << shift
        buffer[start:end] = window.to_bytes(end - start, "big")

    @property
    def end(self) -> int:
        """Minimum length in bytes of a string that holds the field."""
        return (self.offset + self.width + 7) >> 3

    def _place(self) -> tuple[int, int, int]:
        """Start and end of the bytes that hold the field, and the number of bits after it in the last byte."""
        end = self.end
        return self.offset >> 3, end, end * 8 - self.offset - self.width


class Operation(NamedTuple):
    """One GET, SET or INCRBY."""

    action: bytes
    field: Field
    number: int
    overflow: bytes

    def outcome(self, old: int) -> int | None:
        """The value to write over ``old``; None if it overflows and OVERFLOW is FAIL."""
        low, high = self.field.limits
        if self.action == b"INCRBY":
            value = old + self.number
        elif self.field.signed:
            value = self.number
        else:
            value = self.number % (1 << 64)  # a negative number is taken as a large one, as C would
        if low <= value <= high:
            return value
        if self.overflow == b"FAIL":
            return None
        if self.overflow == b"SAT":
            return low if value < low else high
        return (value - low) % (1 << self.field.width) + low


def _flags(argv: Sequence[bytes]) -> str:
    words = {b"GET": 2, b"OVERFLOW": 1}  # and how many words follow
    position = 2
    while position < len(argv):
        follow = words.get(argv[position].upper())
        if follow is None or position + follow >= len(argv):
            return "RW access update"
        position += follow + 1
    return "RO access"


@command(
    "BITFIELD",
    arity=-2,
    flags=WRITE | DENYOOM,
    group="bitmap",
    since="3.2.0",
    summary="Gets, sets and increments integers of any width at any bit offset of a string.",
    keys=[span("RW access update variable_flags", 1)],
    complexity="O(1) for each operation",
    key_flags=_flags,
    syntax=(
        'key@0 [operation("GET" encoding_offset{encoding offset:int} | write{["OVERFLOW" '
        'wrap_sat_fail("WRAP" | "SAT" | "FAIL")] write_operation("SET" '
        'encoding_offset_value{encoding offset:int value:int} | "INCRBY" '
        "encoding_offset_increment{encoding offset:int increment:int})})...]"
    ),
)
def bitfield(client: Client, argv: Sequence[bytes]) -> list[int | None]:
    operations = _parse(client, argv)
    if all(operation.action == b"GET" for operation in operations):
        return _read_all(client, argv[1], operations)
    db = client.db
    buffer = db.lookup_write_buffer(argv[1])
    missing = max(op.field.end for op in operations if op.action != b"GET") - len(buffer or b"")
    grown = buffer is None or missing > 0
    if buffer is None:
        buffer = Buffer()
    if missing > 0:
        buffer += bytes(missing)
    changes = 0
    replies: list[int | None] = []
    for operation in operations:
        before = operation.field.get(buffer)
        if operation.action == b"GET":
            replies.append(before)
            continue
        after = operation.outcome(before)
        if after is not None and (grown or after != before):
            operation.field.put(buffer, after)
            changes += 1
        replies.append(before if operation.action == b"SET" and after is not None else after)
    if changes or grown:
        db.set_value(argv[1], buffer, "setbit", keep_ttl=True, changes=changes or 1)
    return replies


@command(
    "BITFIELD_RO",
    arity=-2,
    flags=READONLY | FAST,
    group="bitmap",
    since="6.0.0",
    summary="Gets integers of any width at any bit offset of a string.",
    keys=[span("RO access", 1)],
    complexity="O(1) for each operation",
    syntax='key@0 ["GET" encoding_offset{encoding offset:int}...+]',
)
def bitfield_ro(client: Client, argv: Sequence[bytes]) -> list[int | None]:
    operations = _parse(client, argv)
    if any(operation.action != b"GET" for operation in operations):
        raise CommandError(value_errors.BITFIELD_READ_ONLY)
    return _read_all(client, argv[1], operations)


def _read_all(client: Client, key: bytes, operations: Sequence[Operation]) -> list[int | None]:
    value = read_stored(client, key)
    return [operation.field.get(value) for operation in operations]


def _parse(client: Client, argv: Sequence[bytes]) -> list[Operation]:
    operations: list[Operation] = []
    overflow = b"WRAP"
    position = 2
    while position < len(argv):
        action = argv[position].upper()
        words = argv[position + 1 : position + 1 + _ARGUMENTS.get(action, 0)]
        if action not in _ARGUMENTS or len(words) < _ARGUMENTS[action]:
            raise CommandError(errors.SYNTAX)
        position += 1 + len(words)
        if action == b"OVERFLOW":
            overflow = words[0].upper()
            if overflow not in _OVERFLOWS:
                raise CommandError(value_errors.BITFIELD_OVERFLOW)
            continue
        signed, width = _parse_type(words[0])
        field = Field(bit_offset(client, words[1], width), width, signed)
        number = integer(words[2]) if len(words) > 2 else 0
        operations.append(Operation(action, field, number, overflow))
    return operations


def _parse_type(raw: bytes) -> tuple[bool, int]:
    """``i16`` or ``u8`` as (signed, width)."""
    width = integer(raw[1:], value_errors.BITFIELD_TYPE)
    signed = raw[:1] == b"i"
    if not (signed or raw[:1] == b"u") or not 1 <= width <= (64 if signed else 63):
        raise CommandError(value_errors.BITFIELD_TYPE)
    return signed, width
