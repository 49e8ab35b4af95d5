"""INFO: the figures of the server as text, ``name:value`` lines under ``# Section`` headings.

Sections, names and order are Redis 7.0.15's.  Fields of features that Kedis lacks (replicas, scripts,
modules, an allocator of its own) are 0 or empty; counters of system calls would cost time on every request, and their
fields are left out.  ``used_memory`` is an estimate, see process_memory.py.

Lines of single commands, errors and databases are in info_tables.py.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kedis import native
from kedis.engine.maxmemory import STARTUP_BYTES
from kedis.observability.info_tables import (
    command_lines,
    database_lines,
    error_lines,
    percentile_lines,
)
from kedis.observability.process_memory import ALLOCATOR, MemoryFigures
from kedis.process.system import processor_seconds
from kedis.version import REDIS_VERSION, VERSION

if TYPE_CHECKING:
    from kedis.engine.engine import Engine
    from kedis.observability.figures import Figures

Fields = Iterable[tuple[str, Any]]
_UNITS = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))
_NS = 1_000_000_000


def render(observer: Figures, sections: Sequence[bytes]) -> bytes:
    """The text of the sections named, in the fixed order; ``default``, ``all`` and ``everything`` name several.

    O(commands + databases).
    """
    observer.clients.update()
    names = {section.decode("utf-8", "replace").lower() for section in sections} or {"default"}
    everything = bool(names & {"all", "everything"})
    default = "default" in names
    texts = []
    for title, usual, fields in _SECTIONS:
        if title == "Router" and observer.engine.routing is None:
            continue
        if everything or (default and usual) or title.lower() in names:
            lines = [f"# {title}", *(f"{name}:{value}" for name, value in fields(observer))]
            texts.append("".join(f"{line}\r\n" for line in lines))
    return "\r\n".join(texts).encode("utf-8", "surrogateescape")


def fields(observer: Figures) -> Iterator[tuple[str, Any]]:
    """Every field with a single value, of all sections: the input of the metrics.

    Totals over clients are those of the last count.
    """
    for _, _, lines in _SECTIONS:
        if lines not in (command_lines, error_lines, percentile_lines, database_lines, _router):
            yield from lines(observer)
    yield "io_threads", 1


def section_fields(observer: Figures, title: str) -> Fields:
    """The fields of one section."""
    for name, _, lines in _SECTIONS:
        if name == title:
            yield from lines(observer)


def _defragmentation(memory: MemoryFigures) -> Fields:
    """What active defragmentation has looked at, and its time with that for giving back, in ms."""
    moving = memory.moving
    yield "active_defrag_hits", moving.moved if moving else 0
    yield "active_defrag_misses", moving.kept if moving else 0
    yield "active_defrag_key_hits", moving.moved_keys if moving else 0
    yield "active_defrag_key_misses", moving.kept_keys if moving else 0
    yield "total_active_defrag_time", (memory.trimmed_ns + memory.moving_ns) // 1_000_000


def human_bytes(count: int) -> str:
    """A size with its unit: ``37.36M``."""
    for unit, letter in _UNITS:
        if count >= unit:
            return f"{count / unit:.2f}{letter}"
    return f"{count}B"


def _scripts(figures: Mapping[str, int]) -> tuple[tuple[str, object], ...]:
    """What scripts and functions occupy: ``vm`` is the interpreter, the rest what is kept of them beside it."""
    interpreter = figures["used_memory_vm_eval"]
    kept = figures["used_memory_scripts_eval"] + figures["used_memory_functions"]
    return (
        ("used_memory_lua", interpreter),
        ("used_memory_vm_eval", interpreter),
        ("used_memory_lua_human", human_bytes(interpreter)),
        ("used_memory_scripts_eval", figures["used_memory_scripts_eval"]),
        ("number_of_cached_scripts", figures["number_of_cached_scripts"]),
        ("number_of_functions", figures["number_of_functions"]),
        ("number_of_libraries", figures["number_of_libraries"]),
        ("used_memory_vm_functions", figures["used_memory_vm_functions"]),
        *_with_human("used_memory_vm_total", interpreter + figures["used_memory_vm_functions"]),
        ("used_memory_functions", figures["used_memory_functions"]),
        *_with_human("used_memory_scripts", kept),
    )


def _with_human(name: str, count: int) -> Fields:
    return (name, count), (f"{name}_human", human_bytes(count))


def _server(observer: Figures) -> Fields:
    engine = observer.engine
    config = engine.config
    now = engine.clock()
    uptime = max(0, engine.monotonic() - engine.started_monotonic_ns) // _NS
    system = platform.uname()
    network = observer.network
    return (
        ("redis_version", REDIS_VERSION),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", f"kedis-{VERSION}"),
        ("redis_mode", "standalone"),
        ("os", f"{system.system} {system.release} {system.machine}"),
        ("arch_bits", sys.maxsize.bit_length() + 1),
        ("monotonic_clock", "POSIX clock_gettime"),
        ("multiplexing_api", network.hub.loop.backend if network is not None else "none"),
        ("process_id", os.getpid()),
        ("process_supervised", config.supervisor),
        ("run_id", observer.run_id),
        ("tcp_port", network.port if network is not None else 0),
        ("server_time_usec", now // 1000),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86400),
        ("hz", config.hz),
        ("configured_hz", config.hz),
        ("lru_clock", now // _NS & 0xFFFFFF),
        ("executable", sys.executable),
        ("config_file", config.file or ""),
        ("io_threads_active", 0),
        *(
            (("shutdown_in_milliseconds", left_ms),)
            if (left_ms := engine.process.shutdown_in_ms) >= 0
            else ()
        ),
        ("kedis_version", VERSION),
        ("kedis_path", native.PATH),
        ("python_version", platform.python_version()),
    )


def _clients(observer: Figures) -> Fields:
    engine = observer.engine
    paused = len(observer.network.paused) if observer.network is not None else 0
    return (
        ("connected_clients", len(engine.clients) - engine.replication.figures()["replicas"]),
        ("cluster_connections", 0),
        ("maxclients", engine.config.maxclients),
        ("client_recent_max_input_buffer", observer.clients.largest_input),
        ("client_recent_max_output_buffer", observer.clients.largest_output),
        ("blocked_clients", engine.blocking.count + paused),
        ("tracking_clients", len(engine.tracking.clients)),
        ("clients_in_timeout_table", engine.blocking.with_deadline),
    )


def _memory(observer: Figures) -> Fields:
    figures, engine = observer.memory, observer.engine
    used, resident = observer.used_memory, figures.resident
    peak = max(figures.used_peak, used)
    clients = observer.clients.input_bytes + observer.clients.output_bytes
    overhead = min(STARTUP_BYTES + clients, used)
    known = used + figures.startup
    replication = engine.replication.figures()
    return (
        *_with_human("used_memory", used),
        *_with_human("used_memory_rss", resident),
        *_with_human("used_memory_peak", peak),
        ("used_memory_peak_perc", f"{_percent(used, peak):.2f}%"),
        ("used_memory_overhead", overhead),
        ("used_memory_startup", STARTUP_BYTES),
        ("used_memory_dataset", used - overhead),
        ("used_memory_dataset_perc", f"{_percent(used - overhead, used - STARTUP_BYTES):.2f}%"),
        *_with_human("total_system_memory", figures.machine),
        *_scripts(engine.scripting.figures()),
        *_with_human("maxmemory", engine.config.maxmemory),
        ("maxmemory_policy", engine.config.maxmemory_policy),
        ("mem_fragmentation_ratio", f"{resident / known if known else 1.0:.2f}"),
        ("mem_fragmentation_bytes", max(resident - known, 0)),
        ("mem_not_counted_for_evict", 0),
        ("mem_replication_backlog", replication["mem_replication_backlog"]),
        ("mem_total_replication_buffers", replication["mem_total_replication_buffers"]),
        ("mem_clients_slaves", replication["mem_clients_slaves"]),
        ("mem_clients_normal", clients),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", _fact(engine.persistence, "aof_buffer_length")),
        ("mem_allocator", ALLOCATOR),
        ("active_defrag_running", int(figures.defragmenting)),
        ("lazyfree_pending_objects", engine.keyspace.lazy_free.pending),
        ("lazyfreed_objects", engine.keyspace.lazy_free.freed_objects),
    )


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _fact(source: Any, name: str, default: Any = 0) -> Any:
    """A figure of a part of the server that may not be there."""
    value = getattr(source, name, default)
    return int(value) if isinstance(value, bool) else value


def _latest_fork_seconds(engine: Engine) -> float:
    """How long the last fork took, for a rewrite or a snapshot; 0 before the first."""
    latest = max((engine.persistence, engine.snapshots), key=lambda each: _fact(each, "forked_at", 0.0))
    return float(_fact(latest, "fork_seconds", 0.0))


_AOF_FIELDS = (
    ("aof_enabled", 0),
    ("aof_rewrite_in_progress", 0),
    ("aof_rewrite_scheduled", 0),
    ("aof_last_rewrite_time_sec", -1),
    ("aof_current_rewrite_time_sec", -1),
    ("aof_last_bgrewrite_status", "ok"),
    ("aof_rewrites", 0),
    ("aof_rewrites_consecutive_failures", 0),
    ("aof_last_write_status", "ok"),
    ("aof_last_cow_size", 0),
)
_OPEN_AOF_FIELDS = (
    "aof_current_size",
    "aof_base_size",
    "aof_pending_rewrite",
    "aof_buffer_length",
    "aof_pending_bio_fsync",
    "aof_delayed_fsync",
)


def _snapshot_fields(engine: Engine) -> Fields:
    """The persistence fields of an engine without snapshots."""
    return [
        ("rdb_changes_since_last_save", engine.keyspace.dirty),
        ("rdb_bgsave_in_progress", 0),
        ("rdb_last_save_time", engine.started_ns // _NS),
        ("rdb_last_bgsave_status", "ok"),
        ("rdb_last_bgsave_time_sec", -1),
        ("rdb_current_bgsave_time_sec", -1),
        ("rdb_saves", 0),
        ("rdb_last_cow_size", 0),
        ("rdb_last_load_keys_expired", 0),
        ("rdb_last_load_keys_loaded", 0),
    ]


def _persistence(observer: Figures) -> Fields:
    engine = observer.engine
    aof = engine.persistence
    fields: list[tuple[str, Any]] = [
        ("loading", int(engine.loading)),
        ("async_loading", int(engine.following.loads_beside)),
        ("current_cow_peak", 0),
        ("current_cow_size", 0),
        ("current_cow_size_age", 0),
        ("current_fork_perc", "0.00"),
        ("current_save_keys_processed", 0),
        ("current_save_keys_total", 0),
        *((name, _fact(engine.snapshots, name, default)) for name, default in _snapshot_fields(engine)),
        *((name, _fact(aof, name, default)) for name, default in _AOF_FIELDS),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
    ]
    if _fact(aof, "aof_enabled"):
        fields += [(name, _fact(aof, name)) for name in _OPEN_AOF_FIELDS]
    if engine.loading:
        fields += _loading_fields(aof, engine.clock() // _NS)
    return fields


def _loading_fields(aof: Any, now: int) -> Fields:
    loader = _fact(aof, "loader", None)
    total, loaded = _fact(loader, "total_bytes"), _fact(loader, "loaded_bytes")
    began = _fact(aof, "loading_start_time") or now
    remaining = (now - began) * (total - loaded) // loaded if loaded else 1
    return (
        ("loading_start_time", began),
        ("loading_total_bytes", total),
        ("loading_loaded_bytes", loaded),
        ("loading_loaded_perc", f"{_percent(loaded, total):.2f}"),
        ("loading_eta_seconds", remaining),
    )


def _stats(observer: Figures) -> Fields:
    engine, expiry, network = observer.engine, observer.expiry, observer.network
    keyspace = engine.keyspace
    replication = engine.replication.figures()
    exceeded = (
        max(engine.monotonic() - engine.memory.exceeded_since_ns, 0) if engine.memory.exceeded_since_ns else 0
    )
    return (
        ("total_connections_received", _fact(network, "connections_received")),
        ("total_commands_processed", observer.total_calls()),
        ("instantaneous_ops_per_sec", round(observer.operations.per_second)),
        ("total_net_input_bytes", _fact(network, "bytes_received")),
        ("total_net_output_bytes", _fact(network, "bytes_sent")),
        ("total_net_repl_input_bytes", engine.following.received_bytes),
        ("total_net_repl_output_bytes", replication["total_net_repl_output_bytes"]),
        ("instantaneous_input_kbps", f"{observer.input_bytes.per_second / 1024:.2f}"),
        ("instantaneous_output_kbps", f"{observer.output_bytes.per_second / 1024:.2f}"),
        ("instantaneous_input_repl_kbps", "0.00"),
        ("instantaneous_output_repl_kbps", "0.00"),
        ("rejected_connections", _fact(network, "rejected_connections")),
        ("sync_full", replication["sync_full"]),
        ("sync_partial_ok", replication["sync_partial_ok"]),
        ("sync_partial_err", replication["sync_partial_err"]),
        ("expired_keys", keyspace.expired_keys),
        ("expired_stale_perc", f"{_fact(expiry, 'stale_percentage', 0.0):.2f}"),
        ("expired_time_cap_reached_count", _fact(expiry, "time_cap_reached")),
        ("expire_cycle_cpu_milliseconds", _fact(expiry, "spent_ns") // 1_000_000),
        ("evicted_keys", sum(engine.keyspace.eviction.evicted.values())),
        ("evicted_clients", _fact(network, "evicted_clients")),
        ("total_eviction_exceeded_time", (engine.memory.exceeded_ns + exceeded) // 1_000_000),
        ("current_eviction_exceeded_time", exceeded // 1_000_000),
        ("keyspace_hits", keyspace.hits),
        ("keyspace_misses", keyspace.misses),
        ("pubsub_channels", len(engine.pubsub.channels)),
        ("pubsub_patterns", len(engine.pubsub.patterns)),
        ("pubsubshard_channels", len(engine.pubsub.shards)),
        ("latest_fork_usec", int(_latest_fork_seconds(engine) * 1_000_000)),
        ("total_forks", _fact(engine.persistence, "forks") + _fact(engine.snapshots, "forks")),
        ("migrate_cached_sockets", 0),
        ("slave_expires_tracked_keys", len(keyspace.own_expiries or ())),
        *_defragmentation(observer.memory),
        ("current_active_defrag_time", 0),
        ("tracking_total_keys", engine.tracking.keys),
        ("tracking_total_items", engine.tracking.items),
        ("tracking_total_prefixes", engine.tracking.prefixes),
        ("unexpected_error_replies", engine.faults),
        ("total_error_replies", sum(engine.table.error_counts.values())),
        ("dump_payload_sanitizations", 0),
        ("total_reads_processed", observer.reads()),
        ("total_writes_processed", observer.writes()),
        ("io_threaded_reads_processed", 0),
        ("io_threaded_writes_processed", 0),
        ("reply_buffer_shrinks", 0),
        ("reply_buffer_expands", 0),
        ("client_query_buffer_limit_disconnections", _fact(network, "query_buffer_disconnections")),
        ("client_output_buffer_limit_disconnections", _fact(network, "output_buffer_disconnections")),
    )


def _replication(observer: Figures) -> Fields:
    return observer.engine.replication.info()


def _cpu(_observer: Figures) -> Fields:
    fields = []
    for suffix, of in (("", "SELF"), ("_children", "CHILDREN"), ("_main_thread", "THREAD")):
        user, system = processor_seconds(of)
        fields += [(f"used_cpu_sys{suffix}", f"{system:.6f}"), (f"used_cpu_user{suffix}", f"{user:.6f}")]
    return fields


def _modules(_observer: Figures) -> Fields:
    return ()


def _cluster(_observer: Figures) -> Fields:
    return (("cluster_enabled", 0),)


def _router(observer: Figures) -> Fields:
    routing = observer.engine.routing
    return routing.info() if routing is not None else ()


#: Title, whether it belongs to the usual ones, and where its lines come from.
_SECTIONS: tuple[tuple[str, bool, Callable[[Figures], Fields]], ...] = (
    ("Server", True, _server),
    ("Clients", True, _clients),
    ("Memory", True, _memory),
    ("Persistence", True, _persistence),
    ("Stats", True, _stats),
    ("Replication", True, _replication),
    ("Router", True, _router),
    ("CPU", True, _cpu),
    ("Modules", True, _modules),
    ("Commandstats", False, command_lines),
    ("Errorstats", True, error_lines),
    ("Latencystats", False, percentile_lines),
    ("Cluster", True, _cluster),
    ("Keyspace", True, database_lines),
)
