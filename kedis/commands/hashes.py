"""Hashes: fields with values, under one key.

HINCRBYFLOAT computes in 80-bit long doubles, as Redis does, and is journalled as the HSET of its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.numbers import (
    INT64_MAX,
    INT64_MIN,
    NumberError,
    add_long_double,
    format_long_double,
)
from kedis.commands.parsing.options import integer, long_double
from kedis.commands.parsing.sampling import parse_sample_count, sample
from kedis.commands.parsing.scan_options import parse_cursor, parse_scan
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.resp.values import OK, Pairs, SimpleString
from kedis.structures.packed import Hash

if TYPE_CHECKING:
    from kedis.engine.client import Client

# -- setting ----------------------------------------------------------------------------------------------


@command(
    "HSET",
    arity=-4,
    flags=WRITE | DENYOOM | FAST,
    group="hash",
    since="2.0.0",
    summary="Sets fields of a hash, creating it if needed; returns how many fields are new.",
    keys=[span("RW update", 1)],
    complexity="O(1) for each field",
    syntax="key@0 field_value{field value}...",
)
def hset(client: Client, argv: Sequence[bytes]) -> int:
    count = len(argv)
    if count & 1:
        raise CommandError(errors.wrong_arity("hset"))
    db = client.db
    key = argv[1]
    fields = db.lookup_or_create(key, Hash)
    if count == 4:
        added = 1 if fields.put(argv[2], argv[3]) else 0
        db.modified(key, fields, "hset")
        return added
    added = fields.put_many(argv[2::2], argv[3::2])
    db.modified(key, fields, "hset", count // 2 - 1)
    return added


@command(
    "HMSET",
    arity=-4,
    flags=WRITE | DENYOOM | FAST,
    group="hash",
    since="2.0.0",
    summary="Sets fields of a hash; old form of HSET.",
    keys=[span("RW update", 1)],
    complexity="O(1) for each field",
    syntax="key@0 field_value{field value}...",
    deprecated=("4.0.0", "HSET, which takes several fields"),
)
def hmset(client: Client, argv: Sequence[bytes]) -> SimpleString:
    if len(argv) & 1:
        raise CommandError(errors.wrong_arity("hmset"))
    hset(client, argv)
    return OK


@command(
    "HSETNX",
    arity=4,
    flags=WRITE | DENYOOM | FAST,
    group="hash",
    since="2.0.0",
    summary="Sets a field of a hash unless the field exists.",
    keys=[span("RW insert", 1)],
    complexity="O(1)",
    syntax="key@0 field value",
)
def hsetnx(client: Client, argv: Sequence[bytes]) -> int:
    _, key, field, value = argv
    fields = client.db.lookup_or_create(key, Hash)
    if field in fields:
        return 0
    fields.put(field, value)
    client.db.modified(key, fields, "hset")
    return 1


@command(
    "HDEL",
    arity=-3,
    flags=WRITE | FAST,
    group="hash",
    since="2.0.0",
    summary="Deletes fields of a hash; returns how many existed.",
    keys=[span("RW delete", 1)],
    complexity="O(1) for each field",
    syntax="key@0 field...",
)
def hdel(client: Client, argv: Sequence[bytes]) -> int:
    key = argv[1]
    fields = client.db.lookup_write_typed(key, Hash)
    if fields is None:
        return 0
    removed = fields.remove_many(argv[2:])
    if removed:
        client.db.modified(key, fields, "hdel", removed)
    return removed


@command(
    "HINCRBY",
    arity=4,
    flags=WRITE | DENYOOM | FAST,
    group="hash",
    since="2.0.0",
    summary="Increments the integer in a hash field, 0 if the field is missing; returns the new value.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax="key@0 field increment:int",
)
def hincrby(client: Client, argv: Sequence[bytes]) -> int:
    _, key, field, increment = argv
    delta = integer(increment)
    fields = client.db.lookup_write_typed(key, Hash)
    old = None if fields is None else fields.get(field)
    total = delta if old is None else delta + integer(old, value_errors.HASH_VALUE_NOT_AN_INTEGER)
    if not INT64_MIN <= total <= INT64_MAX:
        raise CommandError(errors.OVERFLOW)
    _put(client, key, fields, field, b"%d" % total, "hincrby")
    return total


@command(
    "HINCRBYFLOAT",
    arity=4,
    flags=WRITE | DENYOOM | FAST,
    group="hash",
    since="2.6.0",
    summary="Increments the floating-point number in a hash field, 0 if missing; returns the new value.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax="key@0 field increment:double",
)
def hincrbyfloat(client: Client, argv: Sequence[bytes]) -> bytes:
    _, key, field, increment = argv
    total = long_double(increment)
    if total.is_infinite():
        raise CommandError(value_errors.NAN_OR_INFINITY)
    fields = client.db.lookup_write_typed(key, Hash)
    old = None if fields is None else fields.get(field)
    if old is not None:
        try:
            total = add_long_double(long_double(old, value_errors.HASH_VALUE_NOT_A_FLOAT), total)
        except NumberError:
            raise CommandError(value_errors.INCREMENT_TO_INFINITY) from None
    text = format_long_double(total)
    _put(client, key, fields, field, text, "hincrbyfloat")
    client.propagate(b"HSET", key, field, text)
    return text


def _put(client: Client, key: bytes, fields: Hash | None, field: bytes, value: bytes, event: str) -> None:
    """Set a field of ``fields``, which have been looked up; an access to the key counts once."""
    if fields is None:
        fields = client.db.lookup_or_create(key, Hash)
    fields.put(field, value)
    client.db.modified(key, fields, event)


# -- reading fields ---------------------------------------------------------------------------------------


@command(
    "HGET",
    arity=3,
    flags=READONLY | FAST,
    group="hash",
    since="2.0.0",
    summary="Returns the value stored in a hash field.",
    keys=[span("RO access", 1)],
    complexity="O(1)",
    syntax="key@0 field",
)
def hget(client: Client, argv: Sequence[bytes]) -> bytes | None:
    fields = client.db.lookup_read_typed(argv[1], Hash)
    return None if fields is None else fields.get(argv[2])


@command(
    "HMGET",
    arity=-3,
    flags=READONLY | FAST,
    group="hash",
    since="2.0.0",
    summary="Returns the values of several hash fields.",
    keys=[span("RO access", 1)],
    complexity="O(1) for each field",
    syntax="key@0 field...",
)
def hmget(client: Client, argv: Sequence[bytes]) -> list[bytes | None]:
    fields = client.db.lookup_read_typed(argv[1], Hash)
    if fields is None:
        return [None] * (len(argv) - 2)
    return [fields.get(field) for field in argv[2:]]


@command(
    "HGETALL",
    arity=2,
    flags=READONLY,
    group="hash",
    since="2.0.0",
    summary="Returns all fields and values of a hash.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output_order"],
    complexity="O(N) in the size of the hash",
    syntax="key@0",
)
def hgetall(client: Client, argv: Sequence[bytes]) -> dict[bytes, bytes]:
    fields = client.db.lookup_read_typed(argv[1], Hash)
    return {} if fields is None else fields.as_dict()


@command(
    "HKEYS",
    arity=2,
    flags=READONLY,
    group="hash",
    since="2.0.0",
    summary="Returns all field names of a hash.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output_order"],
    complexity="O(N) in the size of the hash",
    syntax="key@0",
)
def hkeys(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    return list(client.db.lookup_read_typed(argv[1], Hash) or ())


@command(
    "HVALS",
    arity=2,
    flags=READONLY,
    group="hash",
    since="2.0.0",
    summary="Returns all values of a hash.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output_order"],
    complexity="O(N) in the size of the hash",
    syntax="key@0",
)
def hvals(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    fields = client.db.lookup_read_typed(argv[1], Hash)
    return [] if fields is None else list(fields.values())


@command(
    "HLEN",
    arity=2,
    flags=READONLY | FAST,
    group="hash",
    since="2.0.0",
    summary="Returns the number of fields of a hash.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def hlen(client: Client, argv: Sequence[bytes]) -> int:
    return len(client.db.lookup_read_typed(argv[1], Hash) or ())


@command(
    "HSTRLEN",
    arity=3,
    flags=READONLY | FAST,
    group="hash",
    since="3.2.0",
    summary="Returns the byte length of a hash field's value.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0 field",
)
def hstrlen(client: Client, argv: Sequence[bytes]) -> int:
    fields = client.db.lookup_read_typed(argv[1], Hash)
    return 0 if fields is None else len(fields.get(argv[2], b""))


@command(
    "HEXISTS",
    arity=3,
    flags=READONLY | FAST,
    group="hash",
    since="2.0.0",
    summary="Returns 1 if a hash field exists, else 0.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0 field",
)
def hexists(client: Client, argv: Sequence[bytes]) -> int:
    fields = client.db.lookup_read_typed(argv[1], Hash)
    return 1 if fields is not None and argv[2] in fields else 0


# -- sampling and scanning --------------------------------------------------------------------------------


@command(
    "HRANDFIELD",
    arity=-2,
    flags=READONLY,
    group="hash",
    since="6.2.0",
    summary="Returns random fields of a hash.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output"],
    complexity="O(1) expected for each field asked for; O(N) while the hash is small",
    syntax='key@0 [options{count:int ["WITHVALUES"]}]',
)
def hrandfield(client: Client, argv: Sequence[bytes]) -> Any:
    rng = client.db.keyspace.random
    if len(argv) == 2:
        fields = client.db.lookup_read_typed(argv[1], Hash)
        return None if fields is None else fields.random_one(rng)
    count = parse_sample_count(argv[2])
    with_values = len(argv) > 3
    if with_values:
        if len(argv) > 4 or argv[3].upper() != b"WITHVALUES":
            raise CommandError(errors.SYNTAX)
        if abs(count) > INT64_MAX // 2:
            raise CommandError(errors.OUT_OF_RANGE)
    fields = client.db.lookup_read_typed(argv[1], Hash)
    if fields is None:
        return []
    chosen = sample(client, fields, count)
    return Pairs((field, fields[field]) for field in chosen) if with_values else chosen


@command(
    "HSCAN",
    arity=-3,
    flags=READONLY,
    group="hash",
    since="2.8.0",
    summary="Iterates over the fields and values of a hash by cursor.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output"],
    complexity="O(COUNT) for each call; O(N) while the hash is small",
    syntax='key@0 cursor:int ["MATCH" pattern:pattern] ["COUNT" count:int]',
)
def hscan(client: Client, argv: Sequence[bytes]) -> list[Any]:
    cursor = parse_cursor(argv[2])
    fields = client.db.lookup_read_typed(argv[1], Hash)
    if fields is None:
        return [b"0", []]
    options = parse_scan(argv, 3)
    cursor, found = fields.scan(cursor, options.count)
    match = options.match
    pairs: list[bytes] = []
    for field in found:
        if match is None or match(field):
            pairs += (field, fields[field])
    return [b"%d" % cursor, pairs]
