"""Counters: INCR, DECR, INCRBY, DECRBY and INCRBYFLOAT.

INCRBYFLOAT is journalled as SET of its result, so that a replay does not depend on floating-point arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.parsing.numbers import (
    INT64_MAX,
    INT64_MIN,
    NumberError,
    add_long_double,
    format_long_double,
    parse_int,
)
from kedis.commands.parsing.options import integer, long_double
from kedis.engine.flags import DENYOOM, FAST, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.structures.packing import is_integer
from kedis.structures.strings import FloatText

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.store.database import Database


@command(
    "INCR",
    arity=2,
    flags=WRITE | DENYOOM | FAST,
    group="string",
    since="1.0.0",
    summary="Increments the integer at a key by one, 0 if missing; returns the new value.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def incr(client: Client, argv: Sequence[bytes]) -> int:
    return _increase(client.db, argv[1], 1)


@command(
    "DECR",
    arity=2,
    flags=WRITE | DENYOOM | FAST,
    group="string",
    since="1.0.0",
    summary="Decrements the integer at a key by one, 0 if missing; returns the new value.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def decr(client: Client, argv: Sequence[bytes]) -> int:
    return _increase(client.db, argv[1], -1)


@command(
    "INCRBY",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    group="string",
    since="1.0.0",
    summary="Increments the integer at a key, 0 if missing; returns the new value.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax="key@0 increment:int",
)
def incrby(client: Client, argv: Sequence[bytes]) -> int:
    return _increase(client.db, argv[1], integer(argv[2]))


@command(
    "DECRBY",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    group="string",
    since="1.0.0",
    summary="Decrements the integer at a key, 0 if missing; returns the new value.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax="key@0 decrement:int",
)
def decrby(client: Client, argv: Sequence[bytes]) -> int:
    delta = integer(argv[2])
    if delta == INT64_MIN:
        raise CommandError(value_errors.DECREMENT_OVERFLOW)
    return _increase(client.db, argv[1], -delta)


def _increase(db: Database, key: bytes, delta: int) -> int:
    old = db.lookup(key)
    if old is None:
        total = delta
    else:
        if type(old) is not bytes:
            old = bytes(db.lookup_write_string(key) or b"")
        try:
            total = parse_int(old) + delta
        except NumberError:
            raise CommandError(errors.NOT_AN_INTEGER) from None
        if not INT64_MIN <= total <= INT64_MAX:
            raise CommandError(errors.OVERFLOW)
    db.set_value(key, b"%d" % total, "incrby", True)
    return total


@command(
    "INCRBYFLOAT",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    group="string",
    since="2.6.0",
    summary="Increments the floating-point number at a key, 0 if missing; returns the new value.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax="key@0 increment:double",
)
def incrbyfloat(client: Client, argv: Sequence[bytes]) -> bytes:
    key = argv[1]
    db = client.db
    old = db.lookup_write_string(key)
    start = long_double(b"0" if old is None else bytes(old))
    try:
        total = format_long_double(add_long_double(start, long_double(argv[2])))
    except NumberError:
        raise CommandError(value_errors.INCREMENT_TO_INFINITY) from None
    db.set_value(key, FloatText(total) if is_integer(total) else total, "incrbyfloat", keep_ttl=True)
    client.propagate(b"SET", key, total, b"KEEPTTL")
    return total
