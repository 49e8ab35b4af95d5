"""Substrings: GETRANGE, SETRANGE, APPEND, STRLEN.

A string that is changed in place becomes a ``Buffer``, which grows in amortised O(added); ``bytes`` would
be copied whole at each change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.parsing.options import integer
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.structures.strings import Buffer

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: Bytes of a string that recorded commands may make: nothing has so many addresses.
RECORDED_LIMIT = 1 << 47


@command(
    "STRLEN",
    arity=2,
    flags=READONLY | FAST,
    group="string",
    since="2.2.0",
    summary="Returns the length of a string in bytes.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def strlen(client: Client, argv: Sequence[bytes]) -> int:
    return len(read_stored(client, argv[1]))


@command(
    "APPEND",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    group="string",
    since="2.0.0",
    summary="Appends to a string, creating the key if needed; returns the new length.",
    keys=[span("RW insert", 1)],
    complexity="O(1) amortised for each byte appended",
    syntax="key@0 value",
)
def append(client: Client, argv: Sequence[bytes]) -> int:
    _, key, added = argv
    db = client.db
    old = db.lookup_write_string(key)
    if old is None:
        db.set_value(key, added, "append", keep_ttl=True)
        return len(added)
    _check_length(client, len(old) + len(added))
    buffer = old if type(old) is Buffer else Buffer(old)
    buffer += added
    db.set_value(key, buffer, "append", keep_ttl=True)
    return len(buffer)


@command(
    "SETRANGE",
    arity=4,
    flags=WRITE | DENYOOM,
    group="string",
    since="2.2.0",
    summary="Overwrites part of a string from an offset, padding with zero bytes; returns the new length.",
    keys=[span("RW update", 1)],
    complexity="O(1) amortised for each byte written, and O(N) for the first change of a string",
    syntax="key@0 offset:int value",
)
def setrange(client: Client, argv: Sequence[bytes]) -> int:
    _, key, raw_offset, written = argv
    offset = integer(raw_offset)
    if offset < 0:
        raise CommandError(value_errors.OFFSET_OUT_OF_RANGE)
    db = client.db
    old = db.lookup_write_string(key)
    if not written:
        return 0 if old is None else len(old)
    end = offset + len(written)
    _check_length(client, end)
    buffer = old if type(old) is Buffer else Buffer(old or b"")
    if offset > len(buffer):
        buffer += bytes(offset - len(buffer))
    buffer[offset:end] = written
    db.set_value(key, buffer, "setrange", keep_ttl=True)
    return len(buffer)


@command(
    "GETRANGE",
    arity=4,
    flags=READONLY,
    group="string",
    since="2.4.0",
    summary="Returns a substring by start and end offset; negative offsets count from the end.",
    keys=[span("RO access", 1)],
    complexity="O(N) in the bytes returned",
    syntax="key@0 start:int end:int",
)
def getrange(client: Client, argv: Sequence[bytes]) -> bytes:
    first, last = integer(argv[2]), integer(argv[3])
    value = read_stored(client, argv[1])
    if last < 0:
        if first > last and first < 0:
            return b""
        last = max(last + len(value), 0)
    if first < 0:
        first = max(first + len(value), 0)
    part = value if type(value) is bytes else memoryview(value)  # whose slice is no copy
    return bytes(part[first : last + 1])


@command(
    "SUBSTR",
    arity=4,
    flags=READONLY,
    group="string",
    since="1.0.0",
    summary="Old name of GETRANGE.",
    keys=[span("RO access", 1)],
    complexity="O(N) in the bytes returned",
    syntax="key@0 start:int end:int",
    deprecated=("2.0.0", "GETRANGE"),
)
def substr(client: Client, argv: Sequence[bytes]) -> bytes:
    part: bytes = getrange(client, argv)
    return part


def read_stored(client: Client, key: bytes) -> bytes | bytearray:
    """The string at ``key`` as it is stored, not copied; empty when there is none.  Raises WRONGTYPE.

    Counts a keyspace hit or miss.  O(1).
    """
    value = client.db.lookup_read(key)
    if value is None:
        return b""
    if isinstance(value, (bytes, bytearray)):
        return value
    raise CommandError(errors.WRONG_TYPE)


def _check_length(client: Client, length: int) -> None:
    """Refuse strings longer than ``proto-max-bulk-len``; of recorded ones only those that no machine can hold."""
    if length > (RECORDED_LIMIT if client.trusted else client.engine.config.proto_max_bulk_len):
        raise CommandError(value_errors.STRING_TOO_LONG)
