"""Kedis's own metrics: the table, in the order in which they are shown.

Commands are named as in INFO commandstats (``client|setname``), and only those appear that anybody has tried; what
is no command counts as ``unknown``.  Kinds of errors are the first words of the replies (``ERR``, ``WRONGTYPE``, …);
words that no table of Kedis has, which a script can make up, count as ``other``.
"""

from __future__ import annotations

from kedis.observability import metrics_reading as read
from kedis.observability.metrics_family import AMOUNTS, Family, counter, gauge, histogram, seconds

COMMANDS = (
    counter(
        "kedis_commands_total",
        "Calls of each command that ran, also those that failed.",
        "engine.table.rows[].counters.calls",
        read.calls,
        ("cmd",),
    ),
    counter(
        "kedis_command_errors_total",
        "Calls that ran and were answered with an error, by the error's first word.",
        "engine.table.rows[].counters.errors",
        read.command_errors,
        ("cmd", "kind"),
    ),
    counter(
        "kedis_command_rejected_total",
        "Calls refused before they ran (arity, authentication, memory, disk, loading), by the error's first word.",
        "engine.table.rows[].counters.refusals",
        read.command_refusals,
        ("cmd", "kind"),
    ),
    histogram(
        "kedis_command_duration_seconds",
        "Execution time of each command, waiting excluded.",
        "engine.table.rows[].counters.histogram",
        read.command_durations,
        ("cmd",),
    ),
    counter(
        "kedis_error_replies_total",
        "Error replies of all commands, by the error's first word.",
        "engine.table.error_counts",
        read.error_replies,
        ("kind",),
    ),
    counter(
        "kedis_access_denied_total",
        "What users were denied: logins (auth), and commands, for themselves, a key or a channel.",
        "engine.users.log.counts",
        read.access_denied,
        ("reason",),
    ),
    counter("kedis_internal_errors_total", "Faults of Kedis itself; each is in the log.", "engine.faults"),
    counter("kedis_slow_commands_total", "Commands that went to the slow log.", "slowlog.next_id"),
    gauge("kedis_slowlog_length", "Entries in the slow log.", "slowlog", read.slowlog_length),
)

REQUESTS = (
    histogram(
        "kedis_request_wait_seconds",
        "Queueing: from when a turn of the event loop found bytes ready until the last command that they "
        "brought began. One observation per read.",
        "network.cycle.figures.waits",
    ),
    histogram(
        "kedis_request_duration_seconds",
        "From when a turn of the event loop found bytes ready until the replies to them were handed to the "
        "kernel: queueing, execution, and under appendfsync always the sync. One observation per read.",
        "network.cycle.figures.responses",
    ),
    histogram(
        "kedis_pipeline_depth",
        "Commands per read.",
        "network.cycle.figures.depths",
        read.depths,
        buckets=AMOUNTS,
    ),
    histogram(
        "kedis_event_loop_turn_seconds",
        "Duration of turns of the event loop that served clients.",
        "network.cycle.figures.turns",
    ),
    histogram(
        "kedis_event_loop_lag_seconds",
        "Delay of the periodic work of the event loop.",
        "network.cycle.figures.lags",
    ),
)

AOF = (
    gauge("kedis_aof_enabled", "1 while changes are kept on disk.", "engine.persistence.aof_enabled"),
    histogram(
        "kedis_aof_fsync_duration_seconds",
        "Duration of syncs of the append-only file, by policy.",
        "engine.persistence.fsyncs",
        read.fsyncs,
        ("policy",),
    ),
    gauge("kedis_aof_fsync_pending", "Syncs under way: 0 or 1.", "engine.persistence.aof_pending_bio_fsync"),
    counter(
        "kedis_aof_fsync_delayed_total",
        "Syncs that took more than two seconds.",
        "engine.persistence.aof_delayed_fsync",
    ),
    counter("kedis_aof_fsync_errors_total", "Syncs that failed.", "engine.persistence.fsync_errors"),
    histogram(
        "kedis_aof_write_duration_seconds",
        "Duration of writes to the append-only file; one covers a turn of the event loop.",
        "engine.persistence.writes",
    ),
    counter("kedis_aof_write_errors_total", "Writes that failed.", "engine.persistence.write_errors"),
    counter(
        "kedis_aof_written_bytes_total",
        "Bytes of changes written to the append-only file.",
        "engine.persistence.written_bytes",
    ),
    gauge(
        "kedis_aof_buffered_bytes",
        "Changes recorded and not written yet.",
        "engine.persistence.aof_buffer_length",
    ),
    histogram(
        "kedis_aof_group_commit_size",
        "Group commit: changes made durable by one sync.",
        "engine.persistence.group_commits",
        buckets=AMOUNTS,
    ),
    gauge(
        "kedis_aof_current_size_bytes",
        "Size of all append-only files together.",
        "engine.persistence.aof_current_size",
    ),
    gauge(
        "kedis_aof_base_size_bytes",
        "Size after the last rewrite, with which the automatic rewrite compares.",
        "engine.persistence.aof_base_size",
    ),
    gauge(
        "kedis_aof_rewrite_in_progress",
        "1 while the append-only file is rewritten.",
        "engine.persistence.aof_rewrite_in_progress",
    ),
    gauge(
        "kedis_aof_rewrite_written_bytes",
        "Progress of the rewrite in progress: bytes of the new base so far; 0 when there is none.",
        "engine.persistence.rewrite_written_bytes()",
        read.rewrite_written,
    ),
    gauge(
        "kedis_aof_rewrite_elapsed_seconds",
        "Duration so far of the rewrite in progress; 0 when there is none.",
        "engine.persistence.rewrite_elapsed_seconds()",
        read.rewrite_elapsed,
    ),
    gauge(
        "kedis_aof_rewrite_duration_seconds",
        "Duration of the last rewrite; 0 before the first.",
        "engine.persistence.rewrite_seconds",
    ),
    counter("kedis_aof_rewrites_total", "Rewrites that succeeded.", "engine.persistence.aof_rewrites"),
    counter(
        "kedis_aof_rewrite_failures_total", "Rewrites that failed.", "engine.persistence.rewrite_failures"
    ),
    gauge(
        "kedis_aof_rewrite_consecutive_failures",
        "Rewrites that failed since the last that succeeded.",
        "engine.persistence.aof_rewrites_consecutive_failures",
    ),
    gauge(
        "kedis_aof_fork_duration_seconds",
        "Duration of the last fork for a rewrite, during which no client is served.",
        "engine.persistence.fork_seconds",
    ),
    gauge(
        "kedis_aof_load_duration_seconds",
        "Duration of loading at the last start.",
        "engine.persistence.load_seconds",
    ),
)

STATE = (
    gauge("kedis_ready", "1 when /readyz says so: loaded, and writes are accepted.", "ready()", read.ready),
    gauge("kedis_loading", "1 while data are being loaded.", "engine.loading"),
    gauge(
        "kedis_loading_loaded_bytes",
        "Bytes of the append-only files loaded so far, or at the last start.",
        "engine.persistence.loader.loaded_bytes",
        read.loaded_bytes,
    ),
    gauge(
        "kedis_loading_total_bytes",
        "Bytes of the append-only files at the last start.",
        "engine.persistence.loader.total_bytes",
        read.bytes_to_load,
    ),
    gauge(
        "kedis_writes_refused",
        "1 while writes are refused because the disk does not take them (MISCONF).",
        "engine.restrictions.write_error",
        read.writes_refused,
    ),
    gauge(
        "kedis_start_time_seconds", "When the server started, since 1970.", "engine.started_ns",
        seconds("engine.started_ns"),
    ),
    gauge(
        "kedis_build_info",
        "Always 1; the labels describe the build.",
        "kedis.__version__",
        read.build,
        ("version", "redis_version", "python_version", "gevent_loop", "allocator"),
    ),
)  # fmt: skip

EXPIRY = (
    counter(
        "kedis_expired_keys_total",
        "Expired keys removed: on access, or by the active expiry cycle.",
        "engine.keyspace.expired_on_access, engine.keyspace.expired_keys",
        read.expired,
        ("by",),
    ),
    histogram(
        "kedis_expire_cycle_duration_seconds",
        "Duration of slices of the active expiry cycle.",
        "expiry.slices",
    ),
    counter(
        "kedis_expire_cycle_exhausted_total",
        "Periods in which the active expiry cycle ran out of time.",
        "expiry.time_cap_reached",
    ),
    gauge(
        "kedis_expire_dead_ratio",
        "Estimated share of expired keys not removed yet among keys with a time to live.",
        "expiry.stale_percentage",
        read.dead_share,
    ),
    gauge("kedis_db_keys", "Keys of each database that has any.", "len(database)", read.keys, ("db",)),
    gauge(
        "kedis_db_keys_expiring",
        "Keys with a time to live, of each database that has any keys.",
        "database.expires",
        read.volatile_keys,
        ("db",),
    ),
    gauge(
        "kedis_db_average_ttl_seconds",
        "Average time to live, of each database that has any keys.",
        "expiry.average_ttl_ms",
        read.average_ttl,
        ("db",),
    ),
)

EVICTION = (
    counter(
        "kedis_evicted_keys_total",
        "Keys evicted to stay below maxmemory, by the policy that chose them.",
        "engine.keyspace.eviction.evicted",
        read.evicted,
        ("policy",),
    ),
    counter(
        "kedis_eviction_seconds_total",
        "Time spent evicting.",
        "engine.keyspace.eviction.spent_ns",
        read.eviction_seconds,
    ),
    counter(
        "kedis_eviction_sampled_keys_total",
        "Keys sampled for eviction.",
        "engine.keyspace.eviction.sampled",
        read.eviction_sampled,
    ),
    counter("kedis_keyspace_hits_total", "Look-ups that found their key.", "engine.keyspace.hits"),
    counter("kedis_keyspace_misses_total", "Look-ups that did not.", "engine.keyspace.misses"),
)

MEMORY = (
    gauge(
        "kedis_memory_bytes",
        "Memory by what it is for: data, clients' input, clients' output, changes not written yet, "
        "and what the process took when it started.",
        "engine.keyspace, clients, engine.persistence, memory",
        read.memory,
        ("kind",),
    ),
    gauge("kedis_memory_used_bytes", "What counts against maxmemory.", "used_memory"),
    gauge("kedis_memory_used_peak_bytes", "The most that was ever used.", "memory.used_peak"),
    gauge("kedis_memory_resident_bytes", "Main memory of the process.", "memory.resident"),
    gauge("kedis_memory_limit_bytes", "maxmemory; 0 is no limit.", "engine.config.maxmemory"),
    gauge(
        "kedis_lazyfree_pending_objects",
        "Large values that are removed but not freed yet (lazy free).",
        "engine.keyspace.lazy_free",
        read.lazy_free,
    ),
)

CLIENTS = (
    gauge(
        "kedis_clients",
        "Clients by what they do: blocked (BLPOP, …), pubsub (subscribed), multi (inside MULTI), monitor, "
        "else normal. Each counts once, in this order.",
        "clients.states",
        read.clients,
        ("state",),
    ),
    gauge("kedis_clients_limit", "maxclients.", "engine.config.maxclients"),
    gauge(
        "kedis_client_input_buffer_bytes",
        "Bytes received that are not whole commands yet, or queued in MULTI, of all clients.",
        "clients.input_bytes",
    ),
    gauge(
        "kedis_client_output_buffer_bytes",
        "Replies that clients have not taken yet, of all clients.",
        "clients.output_bytes",
    ),
    counter("kedis_connections_total", "Connections accepted.", "network.connections_received"),
    counter(
        "kedis_connections_rejected_total",
        "Connections refused: maxclients, no free descriptor, protected mode.",
        "network.rejected_connections",
    ),
    counter(
        "kedis_tls_handshakes_total",
        "Handshakes of TLS by how they ended: complete, failed (a time-out, a bad certificate, no TLS at all).",
        "network.tls.handshakes",
        read.handshakes,
        ("outcome",),
    ),
    gauge(
        "kedis_tls_handshakes_pending", "Handshakes of TLS under way.", "network.handshakes", read.handshaking
    ),
    gauge(
        "kedis_tls_certificate_expiry_timestamp_seconds",
        "When the first of the certificates in use ends, as Unix time; absent without TLS.",
        "network.tls.certificate_ends",
        read.certificate_end,
    ),
    counter(
        "kedis_clients_killed_total",
        "Clients closed by a limit: query_buffer, output_buffer, idle (timeout), evicted (maxmemory-clients).",
        "network.*_disconnections",
        read.killed,
        ("limit",),
    ),
    counter("kedis_network_received_bytes_total", "Bytes received from clients.", "network.bytes_received"),
    counter("kedis_network_sent_bytes_total", "Bytes sent to clients.", "network.bytes_sent"),
)

TRANSACTIONS = (
    counter(
        "kedis_transactions_total",
        "Transactions by how they ended: committed, aborted (a watched key had changed), failed (a command "
        "was refused), discarded.",
        "engine.transactions",
        read.transactions,
        ("outcome",),
    ),
)

PYTHON = (
    histogram(
        "kedis_gc_pause_seconds",
        "Pauses of the cyclic garbage collector, by generation.",
        "collector.pauses",
        read.gc_pauses,
        ("generation",),
    ),
    counter(
        "kedis_gc_collected_objects_total",
        "Objects that the garbage collector freed, by generation.",
        "collector.collected",
        read.gc_collected,
        ("generation",),
    ),
    gauge(
        "kedis_greenlets",
        "Greenlets: one for each client, one for the periodic work, those that serve metrics.",
        "network.greenlets",
        read.greenlets,
    ),
    counter(
        "kedis_metrics_scrapes_total", "Scrapes of these metrics that were begun.", "scrapes.begun"
    ),
    counter(
        "kedis_metrics_render_seconds_total",
        "Processor time spent on rendering these metrics.",
        "scrapes.spent_ns",
        seconds("scrapes.spent_ns"),
    ),
    counter(
        "process_cpu_seconds_total", "Time of the processor, user and system.", "resource.getrusage",
        read.cpu_seconds,
    ),
    gauge("process_resident_memory_bytes", "Main memory of the process.", "memory.resident"),
    gauge("process_start_time_seconds", "When the server started, since 1970.", "engine.started_ns",
          seconds("engine.started_ns")),
    gauge("process_max_fds", "How many files the process may open.", "resource.getrlimit", read.max_fds),
)  # fmt: skip

FAMILIES: tuple[Family, ...] = (
    *COMMANDS,
    *REQUESTS,
    *AOF,
    *STATE,
    *EXPIRY,
    *EVICTION,
    *MEMORY,
    *CLIENTS,
    *TRANSACTIONS,
    *PYTHON,
)
