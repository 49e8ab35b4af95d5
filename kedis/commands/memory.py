"""MEMORY: memory usage of keys and of the server.

Values keep an exact account (see :mod:`kedis.structures.footprint`), so MEMORY USAGE does not sample: SAMPLES is
validated and has no effect.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.commands.parsing.options import integer
from kedis.engine.flags import LOADING, READONLY, STALE
from kedis.engine.keyspec import span
from kedis.engine.maxmemory import STARTUP_BYTES
from kedis.engine.table import command, container
from kedis.errors import CommandError
from kedis.resp.values import OK, SimpleString, Verbatim
from kedis.store.account import EXPIRY_ENTRY, key_footprint

if TYPE_CHECKING:
    from kedis.engine.client import Client

_LITTLE = 5 << 20
_REMARKABLE_RATIO = 1.4
_REMARKABLE_BYTES = 10 << 20
_SERVER_TIPS = ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]

container(
    "MEMORY",
    arity=-2,
    group="server",
    since="4.0.0",
    summary="Memory usage.",
    complexity="Depends on the subcommand",
)


@command(
    "MEMORY|USAGE",
    arity=-3,
    flags=READONLY,
    group="server",
    since="4.0.0",
    summary="Estimates the memory that a key and its value use, in bytes.",
    keys=[span("RO", 2)],
    complexity="O(1)",
    syntax='key@0 ["SAMPLES" count:int]',
)
def memory_usage(client: Client, argv: Sequence[bytes]) -> int | None:
    options = argv[3:]
    for name, number in zip(options[::2], [*options[1::2], None], strict=False):
        if name.lower() != b"samples" or number is None:
            raise CommandError(errors.SYNTAX)
        if integer(number) < 0:
            raise CommandError(errors.SYNTAX)
    key = argv[2]
    if client.db.lookup_read_no_touch(key, notify_miss=False) is None:
        return None
    return client.db.key_bytes(key)


@command(
    "MEMORY|STATS",
    arity=2,
    group="server",
    since="4.0.0",
    summary="Returns the memory usage of the server by purpose.",
    tips=_SERVER_TIPS,
    complexity="O(databases)",
)
def memory_stats(client: Client, argv: Sequence[bytes]) -> dict[bytes, Any]:
    observer = client.engine.observer
    observer.clients.update()
    observer.memory.sample(observer.used_memory)
    used, figures = observer.used_memory, observer.memory
    clients = observer.clients.input_bytes + observer.clients.output_bytes
    buffered = 0 if client.engine.persistence is None else client.engine.persistence.aof_buffer_length
    databases = [database for database in client.engine.keyspace.databases if database.data]
    keys = sum(len(database) for database in databases)
    main = {database: key_footprint(b"") * len(database.data) for database in databases}
    times = {database: EXPIRY_ENTRY * len(database.expires) for database in databases}
    overhead = min(STARTUP_BYTES + clients + buffered + sum(main.values()) + sum(times.values()), used)
    data = used - overhead
    known = used + figures.startup
    stats: dict[bytes, Any] = {
        b"peak.allocated": max(figures.used_peak, used),
        b"total.allocated": used,
        b"startup.allocated": STARTUP_BYTES,
        b"replication.backlog": 0,
        b"clients.slaves": 0,
        b"clients.normal": clients,
        b"cluster.links": 0,
        b"aof.buffer": buffered,
        b"lua.caches": 0,
        b"functions.caches": 0,
    }
    for database in databases:
        stats[b"db.%d" % database.number] = {
            b"overhead.hashtable.main": main[database],
            b"overhead.hashtable.expires": times[database],
            b"overhead.hashtable.slot-to-keys": 0,
        }
    return stats | {
        b"overhead.total": overhead,
        b"keys.count": keys,
        b"keys.bytes-per-key": (used - STARTUP_BYTES) // keys if keys else 0,
        b"dataset.bytes": data,
        b"dataset.percentage": 100 * data / max(used - STARTUP_BYTES, 1),
        b"peak.percentage": 100 * used / max(figures.used_peak, used, 1),
        b"fragmentation": figures.resident / known if known else 1.0,
        b"fragmentation.bytes": figures.resident - known,
    }


@command(
    "MEMORY|DOCTOR",
    arity=2,
    group="server",
    since="4.0.0",
    summary="Reports memory problems in plain text.",
    tips=_SERVER_TIPS,
    complexity="O(1)",
)
def memory_doctor(client: Client, argv: Sequence[bytes]) -> Verbatim:
    observer = client.engine.observer
    used, figures = observer.used_memory, observer.memory
    if used < _LITTLE:
        return Verbatim(b"The server holds so little that nothing can be said of its memory.")
    advice = []
    if figures.used_peak > used * 1.5:
        advice.append(
            b"At its peak the memory was more than 1.5 times what is used now. What was freed serves new data, but"
            b" the operating system may not have got it back; MEMORY PURGE tries that."
        )
    known = used + figures.startup
    if figures.resident > known * _REMARKABLE_RATIO and figures.resident - known > _REMARKABLE_BYTES:
        advice.append(
            b"Fragmentation is high: the process is over 1.4 times as large as what it holds. Pages that are partly"
            b" free stay with the process; a restart packs them."
        )
    clients = observer.clients.output_bytes + observer.clients.input_bytes
    if clients > max(len(client.engine.clients), 1) * (200 << 10):
        advice.append(
            b"Clients' buffers are large, more than 200 KB each on average. Perhaps some do not read what they ask for;"
            b" CLIENT LIST tells which (omem)."
        )
    return Verbatim(b"\n".join(advice) if advice else b"Nothing is remarkable about the memory.")


@command(
    "MEMORY|PURGE",
    arity=2,
    group="server",
    since="4.0.0",
    summary="Returns unused memory to the operating system.",
    tips=["request_policy:all_shards", "response_policy:all_succeeded"],
    complexity="O(keys)",
)
def memory_purge(client: Client, argv: Sequence[bytes]) -> SimpleString:
    keyspace = client.engine.keyspace
    if not keyspace.loading:
        for database in keyspace.databases:
            database.compact()
    gc.collect()
    client.engine.observer.release_memory()
    return OK


@command(
    "MEMORY|MALLOC-STATS",
    arity=2,
    group="server",
    since="4.0.0",
    summary="Allocator statistics; Python's allocator has none.",
    tips=_SERVER_TIPS,
    complexity="O(1)",
)
def memory_malloc_stats(client: Client, argv: Sequence[bytes]) -> Verbatim:
    return Verbatim(b"Stats not supported for the current allocator")


@command(
    "MEMORY|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="server",
    since="4.0.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def memory_help(client: Client, argv: Sequence[bytes]) -> list[SimpleString]:
    return help_lines("MEMORY")
