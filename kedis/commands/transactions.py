"""Transactions: MULTI queues what follows, EXEC runs it with nobody in between, WATCH makes that conditional.

The engine queues (:meth:`kedis.engine.admission.Admission.admit`) and marks the transaction failed when it refuses a
command; EXEC then runs nothing.  A watched key that changes, through whichever door, marks the sessions that
watch it (:meth:`kedis.store.keyspace.Keyspace.observe`).  Time passing is no change that could be seen there,
so EXEC looks itself whether a watched key has become due.

A key that is due already when it is watched is removed then: to WATCH it is a key that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis import errors
from kedis.engine.table import ALLOW_BUSY, FAST, LOADING, NOSCRIPT, SKIP_SLOWLOG, STALE, command, span
from kedis.errors import CommandError
from kedis.resp.values import NO_REPLY, NULL_ARRAY, OK, NoReply, NullArray, SimpleString

if TYPE_CHECKING:
    from kedis.engine.client import Session


@command(
    "MULTI",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
    group="transactions",
    since="1.2.0",
    summary="Begins a transaction: the commands that follow are queued.",
    complexity="O(1)",
)
def multi(ctx: Session, _argv: Sequence[bytes]) -> SimpleString:
    if ctx.queue is not None:
        raise CommandError(errors.NESTED_MULTI)
    ctx.queue = []
    ctx.multi_failed = False
    ctx.update_guard()
    return OK


@command(
    "EXEC",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG,
    group="transactions",
    since="1.2.0",
    summary="Runs the queued commands of a transaction, unless a watched key has changed.",
    complexity="That of the commands run.",
)
def exec_(ctx: Session, _argv: Sequence[bytes]) -> NoReply | NullArray:
    queue = ctx.queue
    if queue is None:
        raise CommandError(errors.EXEC_WITHOUT_MULTI)
    failed = ctx.multi_failed
    broken = ctx.watch_broken or _watched_key_is_due(ctx)
    ctx.engine.end_transaction(ctx)
    engine = ctx.engine
    if engine.guarded:
        refusal = engine.admission.refusal(ctx, queue)
        if refusal is not None:
            engine.transactions["failed"] += 1
            raise CommandError(errors.exec_refused(refusal))
    if failed:
        engine.transactions["failed"] += 1
        raise CommandError(errors.EXEC_ABORTED)
    if broken:
        engine.transactions["aborted"] += 1
        return NULL_ARRAY
    engine.transactions["committed"] += 1
    ctx.append(b"*%d\r\n" % len(queue))
    engine.run_transaction(ctx, queue)
    return NO_REPLY


@command(
    "DISCARD",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
    group="transactions",
    since="2.0.0",
    summary="Gives a transaction up: nothing that was queued is run, and nothing is watched any more.",
    complexity="O(N) in the number of commands queued and keys watched.",
)
def discard(ctx: Session, _argv: Sequence[bytes]) -> SimpleString:
    if ctx.queue is None:
        raise CommandError(errors.DISCARD_WITHOUT_MULTI)
    ctx.engine.end_transaction(ctx)
    ctx.engine.transactions["discarded"] += 1
    return OK


@command(
    "WATCH",
    arity=-2,
    flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
    group="transactions",
    since="2.2.0",
    summary="Watches keys: if one of them changes before EXEC, the transaction is not run.",
    keys=[span("RO", 1, last=-1)],
    complexity="O(1) for each key.",
)
def watch(ctx: Session, argv: Sequence[bytes]) -> SimpleString:
    if ctx.queue is not None:
        raise CommandError(errors.WATCH_INSIDE_MULTI)
    if ctx.watch_broken:
        return OK  # nothing can mend it before EXEC
    watched = ctx.watched
    for key in argv[1:]:
        place = (ctx.database, key)
        if place not in watched:
            ctx.db.peek(key)
            ctx.engine.keyspace.watch(ctx, ctx.db, key)
            watched.add(place)
    return OK


@command(
    "UNWATCH",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
    group="transactions",
    since="2.2.0",
    summary="Watches no key any more.",
    complexity="O(N) in the number of keys watched.",
)
def unwatch(ctx: Session, _argv: Sequence[bytes]) -> SimpleString:
    ctx.engine.unwatch_all(ctx)
    return OK


def _watched_key_is_due(ctx: Session) -> bool:
    databases = ctx.engine.keyspace.databases
    return any(databases[number].is_due(key) for number, key in ctx.watched)
