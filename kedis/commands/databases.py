"""Commands on whole databases: DBSIZE, SWAPDB, FLUSHDB, FLUSHALL; and TIME."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.parsing.options import integer_between
from kedis.engine.flags import FAST, LOADING, READONLY, STALE, WHOLE_DATABASES, WRITE
from kedis.engine.table import command
from kedis.errors import CommandError, client_errors, key_errors
from kedis.resp.values import OK, SimpleString

if TYPE_CHECKING:
    from kedis.engine.client import Client

_INT32 = -(2**31), 2**31 - 1


@command(
    "DBSIZE",
    arity=1,
    flags=READONLY | FAST,
    group="server",
    since="1.0.0",
    summary="Returns the number of keys in the database, expired keys not yet removed included.",
    categories="keyspace",
    tips=["request_policy:all_shards", "response_policy:agg_sum"],
    complexity="O(1)",
)
def dbsize(client: Client, argv: Sequence[bytes]) -> int:
    return len(client.db)


@command(
    "SWAPDB",
    arity=3,
    flags=WRITE | FAST | WHOLE_DATABASES,
    group="server",
    since="4.0.0",
    summary="Swaps two databases; clients keep the database number they selected.",
    categories="keyspace dangerous",
    complexity="O(N) in the number of watched keys of the two",
    syntax="index1:int index2:int",
)
def swapdb(client: Client, argv: Sequence[bytes]) -> SimpleString:
    keyspace = client.engine.keyspace
    first = integer_between(argv[1], *_INT32, key_errors.INVALID_FIRST_DB)
    second = integer_between(argv[2], *_INT32, key_errors.INVALID_SECOND_DB)
    count = len(keyspace.databases)
    if not (0 <= first < count and 0 <= second < count):
        raise CommandError(client_errors.DB_OUT_OF_RANGE)
    if first == second:
        keyspace.dirty += 1  # journalled all the same
    else:
        keyspace.swap(first, second)
    return OK


@command(
    "FLUSHDB",
    arity=-1,
    flags=WRITE | WHOLE_DATABASES,
    group="server",
    since="1.0.0",
    summary="Deletes all keys of the database.",
    categories="keyspace dangerous",
    tips=["request_policy:all_shards", "response_policy:all_succeeded"],
    complexity="O(N) in the number of keys; ASYNC: O(1), memory is freed in steps",
    syntax='[async("ASYNC"~4.0.0 | "SYNC"~6.2.0)]',
)
def flushdb(client: Client, argv: Sequence[bytes]) -> SimpleString:
    later = _parse_later(client, argv)
    client.db.clear(later)
    client.engine.tracking.flushed()
    client.propagate(*argv)  # even when there was nothing to remove
    return OK


@command(
    "FLUSHALL",
    arity=-1,
    flags=WRITE | WHOLE_DATABASES,
    group="server",
    since="1.0.0",
    summary="Deletes all keys of all databases.",
    categories="keyspace dangerous",
    tips=["request_policy:all_shards", "response_policy:all_succeeded"],
    complexity="O(N) in the number of keys; ASYNC: O(1), memory is freed in steps",
    syntax='[async("ASYNC"~4.0.0 | "SYNC"~6.2.0)]',
)
def flushall(client: Client, argv: Sequence[bytes]) -> SimpleString:
    later = _parse_later(client, argv)
    keyspace = client.engine.keyspace
    for database in keyspace.databases:
        database.clear(later)
    client.engine.tracking.flushed()
    client.propagate(*argv)
    if client.engine.snapshots is not None and not client.engine.loading:
        client.engine.snapshots.flushed()
    return OK


def _parse_later(client: Client, argv: Sequence[bytes]) -> bool:
    """Whether to free in steps: ASYNC, or without an option ``lazyfree-lazy-user-flush``."""
    if len(argv) == 1:
        return bool(client.engine.config.lazyfree_lazy_user_flush)
    option = argv[1].upper()
    if len(argv) > 2 or option not in (b"ASYNC", b"SYNC"):
        raise CommandError(errors.SYNTAX)
    return option == b"ASYNC"


@command(
    "TIME",
    arity=1,
    flags=LOADING | STALE | FAST,
    group="server",
    since="2.6.0",
    summary="Returns the server time as Unix seconds and microseconds.",
    tips=["nondeterministic_output"],
    complexity="O(1)",
)
def time(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    seconds, microseconds = divmod(client.engine.clock() // 1000, 1_000_000)
    return [b"%d" % seconds, b"%d" % microseconds]
