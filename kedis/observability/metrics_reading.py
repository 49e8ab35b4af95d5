"""Readers of the metrics that are more than one attribute.

They change no figure.  Long ones (every command, every bucket) are generators, so that the renderer can stop in the
middle and let clients be served.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kedis.engine.maxmemory import STARTUP_BYTES
from kedis.observability.latency import percentile_us
from kedis.observability.metrics_family import Read, Reading
from kedis.observability.process_memory import ALLOCATOR
from kedis.process.system import open_file_limit, processor_seconds
from kedis.structures.histogram import BUCKETS, Histogram
from kedis.version import REDIS_VERSION, VERSION

if TYPE_CHECKING:
    from kedis.engine.counters import Counters
    from kedis.observability.figures import DatabaseFigures
    from kedis.observability.observer import Observer

Readings = Iterator[Reading]

#: A server whose clients have waited so long for the disk is not ready.
_PATIENCE_NS = 2_000_000_000

INSTANCE_LABELS = (
    "role",
    "redis_version",
    "redis_mode",
    "os",
    "maxmemory_policy",
    "tcp_port",
    "run_id",
    "process_id",
    "redis_build_id",
)
#: First words of error replies: those of Kedis, and others of Redis that clients know.
ERROR_KINDS = frozenset(
    [
        "BUSY",
        "BUSYGROUP",
        "BUSYKEY",
        "CROSSSLOT",
        "DENIED",
        "ERR",
        "EXECABORT",
        "INPROG",
        "INVALIDOBJ",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOAUTH",
        "NOGOODSLAVE",
        "NOGROUP",
        "NOMASTERLINK",
        "NOPERM",
        "NOPROTO",
        "NOREPLICAS",
        "NOSCRIPT",
        "NOTBUSY",
        "NOTREADY",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "UNBLOCKED",
        "UNKILLABLE",
        "WRONGPASS",
        "WRONGTYPE",
    ]
)
_STATUS = {"ok": 1, "err": 0}


def number(value: Any) -> float:
    """A value of INFO as a number; ``ok`` is 1 and ``err`` is 0."""
    if isinstance(value, str):
        return _STATUS[value] if value in _STATUS else float(value)
    return value  # type: ignore[no-any-return]


def one(_observer: Observer) -> Readings:
    yield (), 1


# -- commands ---------------------------------------------------------------------------------------------


def _of_commands(value: Callable[[Counters], Any]) -> Read:
    """One reading for each command that was called."""

    def values(observer: Observer) -> Readings:
        for row in observer.engine.table.every():
            counters = row.counters
            if counters.rejected or counters.failed or counters.calls:
                yield (row.name,), value(counters)

    return values


calls = _of_commands(lambda counters: counters.calls)
command_seconds = _of_commands(lambda counters: counters.nanoseconds / 1e9)
command_microseconds = _of_commands(lambda counters: counters.nanoseconds // 1000)
failed_calls = _of_commands(lambda counters: counters.failed)
rejected_calls = _of_commands(lambda counters: counters.rejected)


def command_durations(observer: Observer) -> Readings:
    for row in observer.engine.table.every():
        counters = row.counters
        if counters.histogram:
            by_bits = [0] * BUCKETS
            for most_ns, calls in counters.durations():
                by_bits[most_ns.bit_length()] += calls
            yield (row.name,), Histogram(by_bits, counters.nanoseconds)


def command_errors(observer: Observer) -> Readings:
    for row in observer.engine.table.every():
        for kind, count in by_kind(row.counters.errors):
            yield (row.name, kind), count


def command_refusals(observer: Observer) -> Readings:
    for row in observer.engine.table.every():
        for kind, count in by_kind(row.counters.refusals):
            yield (row.name, kind), count
    for kind, count in by_kind(observer.engine.table.unknown.refusals):
        yield ("unknown", kind), count


def error_replies(observer: Observer) -> Readings:
    for kind, count in by_kind(observer.engine.table.error_counts):
        yield (kind,), count


def access_denied(observer: Observer) -> Readings:
    for reason, count in observer.engine.users.log.counts.items():
        yield (reason,), count


def by_kind(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """``counts`` by first words of errors, those of :data:`ERROR_KINDS`; all others together are ``other``."""
    if not counts:
        return []
    found = sorted((kind, count) for kind, count in counts.items() if kind in ERROR_KINDS)
    others = sum(count for kind, count in counts.items() if kind not in ERROR_KINDS)
    return [*found, ("other", others)] if others else found


def percentiles(observer: Observer) -> Readings:
    config = observer.engine.config
    if not config.latency_tracking:
        return
    for row in observer.engine.table.every():
        durations = row.counters.durations()
        if durations:
            for percent in config.latency_tracking_info_percentiles:
                yield (row.name, f"{percent:g}"), float(f"{percentile_us(durations, percent):.3f}")


def slowlog_length(observer: Observer) -> Readings:
    yield (), len(observer.slowlog)


def slowlog_last_id(observer: Observer) -> Readings:
    yield (), max(observer.slowlog.next_id - 1, 0) if len(observer.slowlog) else 0


def last_slow_execution(observer: Observer) -> Readings:
    newest = observer.slowlog.newest(1)
    yield (), newest[0].microseconds / 1e6 if newest else 0


def spike_times(observer: Observer) -> Readings:
    for name, at_seconds, _, _ in observer.latency.latest():
        yield (name.decode(),), at_seconds


def spike_durations(observer: Observer) -> Readings:
    for name, _, milliseconds, _ in observer.latency.latest():
        yield (name.decode(),), milliseconds / 1e3


def depths(observer: Observer) -> Readings:
    yield (), observer.server.cycle.figures.depths.whole()


# -- append-only file and state ---------------------------------------------------------------------------


def fsyncs(observer: Observer) -> Readings:
    for policy, taken in observer.aof.fsyncs.items():
        yield (policy,), taken


def rewrite_written(observer: Observer) -> Readings:
    yield (), observer.aof.rewrite_written_bytes()


def rewrite_elapsed(observer: Observer) -> Readings:
    yield (), observer.aof.rewrite_elapsed_seconds()


def not_ready(observer: Observer) -> str:
    """Why the server is not ready to take every command; empty when it is."""
    engine = observer.engine
    if engine.loading:
        loader = observer.aof.load_progress
        percent = 100 * loader.loaded_bytes / max(loader.total_bytes, 1) if loader is not None else 0.0
        return f"loading the data: {percent:.0f}%"
    if engine.restrictions.write_error is not None:
        return f"writes are refused: {engine.restrictions.write_error}"
    if engine.restrictions.few_replicas:
        return "writes are refused: too few replicas follow"
    if engine.restrictions.master_down:
        return "commands are refused: there is no link to the master, and replica-serve-stale-data is no"
    return _not_answering(observer)


def _not_answering(observer: Observer) -> str:
    """Why clients are not answered although commands run; empty when they are."""
    engine = observer.engine
    if observer.network is None:
        return ""
    cycle = observer.network.cycle
    if cycle.halted:
        return "the append-only file has failed: the server ends"
    if cycle.failing_since_ns:
        seconds = max(engine.clock() - cycle.failing_since_ns, 0) / 1e9
        return f"no turn of the event loop has ended well for {seconds:.1f} s"
    oldest_ns = cycle.figures.oldest_unanswered_ns()
    waited_ns = engine.clock() - oldest_ns if oldest_ns else 0
    if waited_ns > _PATIENCE_NS:
        return f"replies have been waiting for the disk for {waited_ns / 1e9:.1f} s"
    return ""


def ready(observer: Observer) -> Readings:
    yield (), 0 if not_ready(observer) else 1


def loaded_bytes(observer: Observer) -> Readings:
    loader = observer.aof.load_progress
    yield (), 0 if loader is None else loader.loaded_bytes


def bytes_to_load(observer: Observer) -> Readings:
    loader = observer.aof.load_progress
    yield (), 0 if loader is None else loader.total_bytes


def writes_refused(observer: Observer) -> Readings:
    yield (), 0 if observer.engine.restrictions.write_error is None else 1


def build(observer: Observer) -> Readings:
    backend = observer.server.hub.loop.backend
    yield (VERSION, REDIS_VERSION, platform.python_version(), backend, ALLOCATOR), 1


def instance(observer: Observer) -> Readings:
    info = observer.scrapes.info
    yield tuple(str(info[name]) for name in INSTANCE_LABELS), 1


def start_time(observer: Observer) -> Readings:
    info = observer.scrapes.info
    yield (), info["server_time_usec"] // 1_000_000 - info["uptime_in_seconds"]


def fork(observer: Observer) -> Readings:
    yield (), observer.scrapes.info["latest_fork_usec"] / 1e6


# -- keys -------------------------------------------------------------------------------------------------


def _of_databases(value: Callable[[DatabaseFigures], Any], every: bool) -> Read:
    def values(observer: Observer) -> Readings:
        for database in observer.databases(every=every):
            yield (f"db{database.number}",), value(database)

    return values


keys = _of_databases(lambda database: database.keys, every=False)
all_keys = _of_databases(lambda database: database.keys, every=True)
volatile_keys = _of_databases(lambda database: database.expiring, every=False)
all_volatile_keys = _of_databases(lambda database: database.expiring, every=True)
average_ttl = _of_databases(lambda database: round(database.average_ttl_ms) / 1e3, every=False)


def expired(observer: Observer) -> Readings:
    keyspace = observer.engine.keyspace
    yield ("access",), keyspace.expired_on_access
    yield ("cycle",), keyspace.expired_keys - keyspace.expired_on_access


def dead_share(observer: Observer) -> Readings:
    yield (), observer.expiry.stale_percentage / 100 if observer.expiry is not None else 0


def evicted(observer: Observer) -> Readings:
    for policy, count in observer.engine.keyspace.eviction.evicted.items():
        yield (policy,), count


def eviction_seconds(observer: Observer) -> Readings:
    yield (), observer.engine.keyspace.eviction.spent_ns / 1e9


def eviction_sampled(observer: Observer) -> Readings:
    yield (), observer.engine.keyspace.eviction.sampled


# -- memory and clients -----------------------------------------------------------------------------------


def memory(observer: Observer) -> Readings:
    clients = observer.clients
    buffered = observer.aof.aof_buffer_length
    held = STARTUP_BYTES + clients.input_bytes + clients.output_bytes + buffered
    yield ("data",), max(observer.used_memory - held, 0)
    yield ("client_input",), clients.input_bytes
    yield ("client_output",), clients.output_bytes
    yield ("aof_buffer",), buffered
    yield ("startup",), observer.memory.startup


def lazy_free(observer: Observer) -> Readings:
    yield (), len(observer.engine.keyspace.lazy_free)


def clients(observer: Observer) -> Readings:
    for state, count in observer.clients.states.items():
        yield (state,), count


def killed(observer: Observer) -> Readings:
    server = observer.server
    yield ("query_buffer",), server.query_buffer_disconnections
    yield ("output_buffer",), server.output_buffer_disconnections
    yield ("idle",), server.idle_disconnections
    yield ("evicted",), server.evicted_clients


def handshakes(observer: Observer) -> Readings:
    tls = observer.server.tls
    yield ("complete",), tls.handshakes
    yield ("failed",), tls.failed_handshakes


def handshaking(observer: Observer) -> Readings:
    yield (), len(observer.server.handshakes)


def certificate_end(observer: Observer) -> Readings:
    ends = observer.server.tls.certificate_ends
    if ends:
        yield (), ends


def transactions(observer: Observer) -> Readings:
    for outcome, count in observer.engine.transactions.items():
        yield (outcome,), count


# -- process ----------------------------------------------------------------------------------------------


def gc_pauses(observer: Observer) -> Readings:
    for generation, taken in enumerate(observer.collector.pauses):
        yield (str(generation),), taken


def gc_collected(observer: Observer) -> Readings:
    for generation, count in enumerate(observer.collector.collected):
        yield (str(generation),), count


def greenlets(observer: Observer) -> Readings:
    yield (), observer.server.greenlets()


def cpu_seconds(_observer: Observer) -> Readings:
    yield (), sum(processor_seconds())


def max_fds(_observer: Observer) -> Readings:
    yield (), open_file_limit()
