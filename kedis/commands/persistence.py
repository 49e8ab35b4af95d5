"""SAVE, BGSAVE, LASTSAVE and BGREWRITEAOF.

The work is done by ``engine.snapshots`` (RDB) and ``engine.persistence`` (AOF).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis import errors
from kedis.engine.call import finish_blocked
from kedis.engine.flags import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE
from kedis.engine.table import command
from kedis.errors import CommandError, storage_errors
from kedis.resp.values import NO_REPLY, OK, NoReply, SimpleString

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.engine.ports import Snapshots


_REWRITING = SimpleString(b"Background append only file rewriting started")


def _snapshots(client: Client) -> Snapshots:
    if client.engine.snapshots is None:
        raise CommandError(storage_errors.NO_PERSISTENCE)
    return client.engine.snapshots


@command(
    "SAVE",
    arity=1,
    flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI,
    group="server",
    since="1.0.0",
    summary="Saves a snapshot (RDB) and blocks the server meanwhile.",
    complexity="O(N) in the size of the data",
)
def save(client: Client, _argv: Sequence[bytes]) -> SimpleString:
    _snapshots(client).save()
    return OK


@command(
    "BGSAVE",
    arity=-1,
    flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING,
    group="server",
    since="1.0.0",
    summary="Saves a snapshot (RDB) in a background process.",
    complexity="O(N) in the size of the data, in another process",
    syntax='["SCHEDULE"~3.2.2]',
)
def bgsave(client: Client, argv: Sequence[bytes]) -> SimpleString:
    options = [word.lower() for word in argv[1:]]
    if options not in ([], [b"schedule"]):
        raise CommandError(errors.SYNTAX)
    return SimpleString(_snapshots(client).background(schedule=bool(options)))


@command(
    "LASTSAVE",
    arity=1,
    flags=LOADING | STALE | FAST,
    group="server",
    since="1.0.0",
    summary="Returns the Unix time of the last successful save, or of the start.",
    complexity="O(1)",
    categories="admin dangerous",
    tips=["nondeterministic_output"],
)
def lastsave(client: Client, _argv: Sequence[bytes]) -> int:
    snapshots = client.engine.snapshots
    return client.engine.started_ns // 1_000_000_000 if snapshots is None else snapshots.rdb_last_save_time


@command(
    "BGREWRITEAOF",
    arity=1,
    flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING,
    group="server",
    since="1.0.0",
    summary="Rewrites the append-only file in a background process.",
    complexity="O(N) in the size of the data, in another process",
)
def bgrewriteaof(client: Client, argv: Sequence[bytes]) -> SimpleString | NoReply:
    persistence = client.engine.persistence
    if persistence is None:
        raise CommandError(storage_errors.NO_PERSISTENCE)
    if persistence.aof_rewrite_in_progress:
        raise CommandError(storage_errors.REWRITE_IN_PROGRESS)
    snapshots = client.engine.snapshots
    if client.engine.execution is not None or (snapshots is not None and snapshots.rdb_bgsave_in_progress):
        persistence.aof_rewrite_scheduled = True
        return SimpleString(b"Background append only file rewriting scheduled")
    persistence.request_rewrite()
    if not persistence.awaits_child or not client.may_block:
        return _REWRITING
    client.engine.blocking.wait_for_task(client, argv)
    waiter = client.blocked

    def answer(failure: str | None) -> None:
        if waiter is not None:
            finish_blocked(client.engine, waiter, lambda _client, _key: _rewriting(failure))

    persistence.rewrite_waiters.append(answer)
    return NO_REPLY


def _rewriting(failure: str | None) -> SimpleString:
    if failure is not None:
        raise CommandError(storage_errors.REWRITE_NOT_STARTED)
    return _REWRITING
