"""Transactions: MULTI queues what follows, EXEC runs it with nobody in between, WATCH makes that conditional.

The engine queues (:func:`kedis.engine.admission.admit`) and marks the transaction failed when it refuses a
command; EXEC then runs nothing.  A watched key that changes, through whichever door, marks the clients that
watch it (:meth:`kedis.store.keyspace.Keyspace.observe`).  Time passing is no change that could be seen there,
so EXEC looks itself whether a watched key has become due.

A key that is due already when it is watched is removed then: to WATCH it is a key that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence

from kedis.engine.admission import refusal
from kedis.engine.call import run_queue
from kedis.engine.client import Client
from kedis.engine.flags import (
    ALLOW_BUSY,
    FAST,
    LOADING,
    NOSCRIPT,
    NOT_QUEUED,
    OPENS_QUEUE,
    RUNS_QUEUE,
    SKIP_SLOWLOG,
    STALE,
)
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, client_errors
from kedis.resp.values import NULL_ARRAY, OK, NoReply, NullArray, Replies, SimpleString


@command(
    "MULTI",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY | NOT_QUEUED | OPENS_QUEUE,
    group="transactions",
    since="1.2.0",
    summary="Starts a transaction: queues the following commands until EXEC.",
    complexity="O(1)",
)
def multi(client: Client, _argv: Sequence[bytes]) -> SimpleString:
    if client.queue is not None:
        raise CommandError(client_errors.NESTED_MULTI)
    client.queue = []
    client.multi_failed = False
    client.update_checks()
    return OK


@command(
    "EXEC",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG | NOT_QUEUED | RUNS_QUEUE,
    group="transactions",
    since="1.2.0",
    summary="Runs the queued commands of a transaction; nil if a watched key has changed.",
    complexity="That of the commands run",
)
def exec_(client: Client, _argv: Sequence[bytes]) -> Replies | NoReply | NullArray:
    queue = client.queue
    if queue is None:
        raise CommandError(client_errors.EXEC_WITHOUT_MULTI)
    failed = client.multi_failed
    broken = client.watch_broken or _watched_key_is_due(client)
    client.end_transaction()
    engine = client.engine
    if engine.restrictions.needs_checks or engine.restrictions.read_only:
        refused = refusal(client, queue)
        if refused is not None:
            engine.transactions["failed"] += 1
            raise CommandError(client_errors.exec_refused(refused))
    if failed:
        engine.transactions["failed"] += 1
        raise CommandError(client_errors.EXEC_ABORTED)
    if broken:
        engine.transactions["aborted"] += 1
        return NULL_ARRAY
    engine.transactions["committed"] += 1
    return run_queue(client, queue)


@command(
    "DISCARD",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY | NOT_QUEUED,
    group="transactions",
    since="2.0.0",
    summary="Drops the queued commands of a transaction and forgets all watched keys.",
    complexity="O(N) in the number of queued commands and watched keys",
)
def discard(client: Client, _argv: Sequence[bytes]) -> SimpleString:
    if client.queue is None:
        raise CommandError(client_errors.DISCARD_WITHOUT_MULTI)
    client.end_transaction()
    client.engine.transactions["discarded"] += 1
    return OK


@command(
    "WATCH",
    arity=-2,
    flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY | NOT_QUEUED,
    group="transactions",
    since="2.2.0",
    summary="Watches keys: EXEC is aborted if one of them changes first.",
    keys=[span("RO", 1, last=-1)],
    complexity="O(1) for each key",
    syntax="key@0...",
)
def watch(client: Client, argv: Sequence[bytes]) -> SimpleString:
    if client.queue is not None:
        raise CommandError(client_errors.WATCH_INSIDE_MULTI)
    if client.watch_broken:
        return OK  # nothing can mend it before EXEC
    watched = client.watched
    for key in argv[1:]:
        place = (client.database, key)
        if place not in watched:
            client.db.lookup(key)
            client.db.watch(client, key)
            watched.add(place)
    return OK


@command(
    "UNWATCH",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
    group="transactions",
    since="2.2.0",
    summary="Forgets all watched keys.",
    complexity="O(N) in the number of keys watched",
)
def unwatch(client: Client, _argv: Sequence[bytes]) -> SimpleString:
    client.unwatch()
    return OK


def _watched_key_is_due(client: Client) -> bool:
    databases = client.engine.keyspace.databases
    return any(databases[number].is_due(key) for number, key in client.watched)
