"""The names under which redis_exporter shows INFO, so that dashboards and alerts made for it work unchanged.

Values are taken from INFO itself, so the two cannot differ.  Not here: what describes the exporter
(``redis_exporter_*``, ``redis_target_*``, …) and what Kedis does not have (an allocator of its own, threads for
input and output).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kedis.observability import metrics_reading as read
from kedis.observability.metrics_family import Family, Read, Reading

if TYPE_CHECKING:
    from kedis.observability.observer import Observer

_COUNTER, _GAUGE = "counter", "gauge"

#: Name without ``redis_``, type, field of INFO, what it is; a fourth word says how many of its unit make one of ours.
_FIELDS: tuple[tuple[str, str, str, str], ...] = (
    ("uptime_in_seconds", _GAUGE, "uptime_in_seconds", "Seconds since the start."),
    ("process_id", _GAUGE, "process_id", "Number of the process."),
    ("connected_clients", _GAUGE, "connected_clients", "Clients connected."),
    ("blocked_clients", _GAUGE, "blocked_clients", "Clients that wait in a blocking command."),
    ("tracking_clients", _GAUGE, "tracking_clients", "Clients that use client-side caching."),
    ("clients_in_timeout_table", _GAUGE, "clients_in_timeout_table", "Clients that wait with a time limit."),
    ("client_recent_max_input_buffer_bytes", _GAUGE, "client_recent_max_input_buffer", "Largest input buffer."),
    ("client_recent_max_output_buffer_bytes", _GAUGE, "client_recent_max_output_buffer", "Largest output buffer."),
    ("cluster_connections", _GAUGE, "cluster_connections", "Always 0: there is no cluster."),
    ("cluster_enabled", _GAUGE, "cluster_enabled", "Always 0: there is no cluster."),
    ("config_maxclients", _GAUGE, "maxclients", "The setting maxclients."),
    ("config_maxmemory", _GAUGE, "maxmemory", "The setting maxmemory in bytes; 0 is no limit."),
    ("config_io_threads", _GAUGE, "io_threads", "Threads that serve clients: always 1."),
    ("memory_max_bytes", _GAUGE, "maxmemory", "The setting maxmemory in bytes; 0 is no limit."),
    ("memory_used_bytes", _GAUGE, "used_memory", "Memory in use for data and clients."),
    ("memory_used_rss_bytes", _GAUGE, "used_memory_rss", "Main memory of the process."),
    ("memory_used_peak_bytes", _GAUGE, "used_memory_peak", "The most that was ever in use."),
    ("memory_used_overhead_bytes", _GAUGE, "used_memory_overhead", "Memory in use for all but the data."),
    ("memory_used_startup_bytes", _GAUGE, "used_memory_startup", "Memory in use after the start."),
    ("memory_used_dataset_bytes", _GAUGE, "used_memory_dataset", "Memory in use for the data."),
    ("memory_used_lua_bytes", _GAUGE, "used_memory_lua", "Memory in use for scripts that run."),
    ("memory_used_scripts_bytes", _GAUGE, "used_memory_scripts", "Memory in use for scripts that are kept."),
    ("total_system_memory_bytes", _GAUGE, "total_system_memory", "Main memory of the machine."),
    ("number_of_cached_scripts", _GAUGE, "number_of_cached_scripts", "Scripts that EVALSHA knows."),
    ("mem_fragmentation_ratio", _GAUGE, "mem_fragmentation_ratio", "Main memory over what is accounted for."),
    ("mem_fragmentation_bytes", _GAUGE, "mem_fragmentation_bytes", "Main memory not accounted for."),
    ("mem_not_counted_for_eviction_bytes", _GAUGE, "mem_not_counted_for_evict", "In use, and outside maxmemory."),
    ("mem_clients_normal", _GAUGE, "mem_clients_normal", "Bytes in buffers of clients."),
    ("mem_clients_slaves", _GAUGE, "mem_clients_slaves", "Bytes of the stream held for replicas beyond the backlog."),
    ("active_defrag_running", _GAUGE, "active_defrag_running", "Whether activedefrag is at work."),
    ("lazyfree_pending_objects", _GAUGE, "lazyfree_pending_objects", "Removed values that are not freed yet."),
    ("loading_dump_file", _GAUGE, "loading", "1 while data are being loaded."),
    ("rdb_changes_since_last_save", _GAUGE, "rdb_changes_since_last_save", "Changes since the last snapshot."),
    ("rdb_bgsave_in_progress", _GAUGE, "rdb_bgsave_in_progress", "1 while a snapshot is being saved."),
    ("rdb_last_save_timestamp_seconds", _GAUGE, "rdb_last_save_time", "When a snapshot was saved last, or the start."),
    ("rdb_last_bgsave_status", _GAUGE, "rdb_last_bgsave_status", "1 when the last snapshot succeeded."),
    ("rdb_last_bgsave_duration_sec", _GAUGE, "rdb_last_bgsave_time_sec", "Seconds of the last snapshot, or -1."),
    ("rdb_current_bgsave_duration_sec", _GAUGE, "rdb_current_bgsave_time_sec", "Seconds of this snapshot, or -1."),
    ("rdb_last_cow_size_bytes", _GAUGE, "rdb_last_cow_size", "Memory that the last snapshot copied."),
    ("aof_enabled", _GAUGE, "aof_enabled", "1 while changes are kept on disk."),
    ("aof_rewrite_in_progress", _GAUGE, "aof_rewrite_in_progress", "1 while the append-only file is rewritten."),
    ("aof_rewrite_scheduled", _GAUGE, "aof_rewrite_scheduled", "1 while a rewrite waits for its turn."),
    ("aof_last_rewrite_duration_sec", _GAUGE, "aof_last_rewrite_time_sec", "Seconds of the last rewrite, or -1."),
    ("aof_current_rewrite_duration_sec", _GAUGE, "aof_current_rewrite_time_sec", "Seconds of this rewrite, or -1."),
    ("aof_last_cow_size_bytes", _GAUGE, "aof_last_cow_size", "Memory that the last rewrite copied."),
    ("aof_last_write_status", _GAUGE, "aof_last_write_status", "1 when the last write succeeded."),
    ("aof_last_bgrewrite_status", _GAUGE, "aof_last_bgrewrite_status", "1 when the last rewrite succeeded."),
    ("aof_current_size_bytes", _GAUGE, "aof_current_size", "Size of the append-only files."),
    ("aof_base_size_bytes", _GAUGE, "aof_base_size", "Size of the append-only files after the last rewrite."),
    ("aof_pending_rewrite", _GAUGE, "aof_pending_rewrite", "1 while a rewrite waits for a dump: never."),
    ("aof_buffer_length", _GAUGE, "aof_buffer_length", "Bytes recorded and not written yet."),
    ("aof_pending_bio_fsync", _GAUGE, "aof_pending_bio_fsync", "Syncs under way."),
    ("aof_delayed_fsync", _GAUGE, "aof_delayed_fsync", "Syncs that took more than two seconds."),
    ("module_fork_in_progress", _GAUGE, "module_fork_in_progress", "Always 0: there are no modules."),
    ("module_fork_last_cow_size", _GAUGE, "module_fork_last_cow_size", "Always 0: there are no modules."),
    ("connections_received_total", _COUNTER, "total_connections_received", "Connections accepted."),
    ("commands_processed_total", _COUNTER, "total_commands_processed", "Commands that ran."),
    ("net_input_bytes_total", _COUNTER, "total_net_input_bytes", "Bytes received from clients."),
    ("net_output_bytes_total", _COUNTER, "total_net_output_bytes", "Bytes sent to clients."),
    ("total_reads_processed", _COUNTER, "total_reads_processed", "Reads that brought something."),
    ("total_writes_processed", _COUNTER, "total_writes_processed", "Turns in which a client was sent something."),
    ("io_threads_active", _GAUGE, "io_threads_active", "Always 0: one thread does it all."),
    ("io_threaded_reads_processed", _COUNTER, "io_threaded_reads_processed", "Always 0: one thread does it all."),
    ("io_threaded_writes_processed", _COUNTER, "io_threaded_writes_processed", "Always 0: one thread does it all."),
    ("rejected_connections_total", _COUNTER, "rejected_connections", "Connections refused."),
    ("expired_keys_total", _COUNTER, "expired_keys", "Keys removed because their time had come."),
    ("expired_stale_percentage", _GAUGE, "expired_stale_perc", "Estimated percentage of dead keys."),
    ("expired_time_cap_reached_total", _GAUGE, "expired_time_cap_reached_count", "Expiry periods cut short."),
    ("evicted_keys_total", _COUNTER, "evicted_keys", "Keys evicted to stay below maxmemory."),
    ("keyspace_hits_total", _COUNTER, "keyspace_hits", "Look-ups that found their key."),
    ("keyspace_misses_total", _COUNTER, "keyspace_misses", "Look-ups that did not."),
    ("pubsub_channels", _GAUGE, "pubsub_channels", "Channels with subscribers."),
    ("pubsub_patterns", _GAUGE, "pubsub_patterns", "Patterns with subscribers."),
    ("migrate_cached_sockets_total", _GAUGE, "migrate_cached_sockets", "Always 0: MIGRATE keeps no sockets."),
    ("slave_expires_tracked_keys", _GAUGE, "slave_expires_tracked_keys", "Keys that a writable replica expires."),
    ("defrag_hits", _GAUGE, "active_defrag_hits", "Keys and values moved together by activedefrag."),
    ("defrag_misses", _GAUGE, "active_defrag_misses", "Keys and values that activedefrag left where they are."),
    ("defrag_key_hits", _GAUGE, "active_defrag_key_hits", "Keys of which activedefrag has moved something."),
    ("defrag_key_misses", _GAUGE, "active_defrag_key_misses", "Keys of which activedefrag has moved nothing."),
    ("tracking_total_keys", _GAUGE, "tracking_total_keys", "Keys remembered for client-side caching."),
    ("tracking_total_items", _GAUGE, "tracking_total_items", "Keys remembered, once for each client."),
    ("tracking_total_prefixes", _GAUGE, "tracking_total_prefixes", "Prefixes that clients want to hear of."),
    ("unexpected_error_replies", _COUNTER, "unexpected_error_replies", "Faults of the server itself."),
    ("total_error_replies", _COUNTER, "total_error_replies", "Error replies."),
    ("dump_payload_sanitizations", _COUNTER, "dump_payload_sanitizations", "Always 0: checks are not counted."),
    ("connected_slaves", _GAUGE, "connected_slaves", "Replicas connected to this server."),
    ("replica_resyncs_full", _GAUGE, "sync_full", "Full synchronisations of replicas."),
    ("replica_partial_resync_accepted", _GAUGE, "sync_partial_ok", "Partial synchronisations of replicas."),
    ("replica_partial_resync_denied", _GAUGE, "sync_partial_err", "Those that became full ones."),
    ("master_repl_offset", _GAUGE, "master_repl_offset", "Bytes of the replication stream."),
    ("second_repl_offset", _GAUGE, "second_repl_offset", "Where the history before ended, or -1."),
    ("repl_backlog_is_active", _GAUGE, "repl_backlog_active", "Whether the replication stream is kept."),
    ("replication_backlog_bytes", _GAUGE, "repl_backlog_size", "The setting repl-backlog-size."),
    ("repl_backlog_first_byte_offset", _GAUGE, "repl_backlog_first_byte_offset", "Number of the first byte kept."),
    ("repl_backlog_history_bytes", _GAUGE, "repl_backlog_histlen", "Bytes of the stream that are kept."),
    ("cpu_sys_seconds_total", _COUNTER, "used_cpu_sys", "Time in the kernel."),
    ("cpu_user_seconds_total", _COUNTER, "used_cpu_user", "Time outside the kernel."),
    ("cpu_sys_children_seconds_total", _COUNTER, "used_cpu_sys_children", "Rewrites: time in the kernel."),
    ("cpu_user_children_seconds_total", _COUNTER, "used_cpu_user_children", "Rewrites: time outside the kernel."),
    ("cpu_sys_main_thread_seconds_total", _COUNTER, "used_cpu_sys_main_thread", "Main thread: time in the kernel."),
    ("cpu_user_main_thread_seconds_total", _COUNTER, "used_cpu_user_main_thread", "Main thread: outside the kernel."),
)  # fmt: skip


def _field(name: str) -> Read:
    def values(observer: Observer) -> Iterator[Reading]:
        value = observer.scrapes.info.get(name)
        if value is not None:  # aof_current_size and others are there only while the file is open
            yield (), read.number(value)

    return values


FAMILIES: tuple[Family, ...] = (
    Family("redis_up", _GAUGE, "Always 1: who does not answer is not scraped.", "1", read.one),
    Family(
        "redis_instance_info",
        _GAUGE,
        "Always 1; the labels describe the server.",
        "INFO",
        read.instance,
        read.INSTANCE_LABELS,
    ),
    Family("redis_start_time_seconds", _GAUGE, "When the server started, since 1970.", "INFO", read.start_time),
    *(Family(f"redis_{name}", kind, about, f"INFO {field}", _field(field)) for name, kind, field, about in _FIELDS),
    Family("redis_latest_fork_seconds", _GAUGE, "How long the last fork took.", "INFO latest_fork_usec", read.fork),
    Family("redis_commands_total", _COUNTER, "Calls of each command that ran.", "INFO commandstats: calls", read.calls,
           ("cmd",)),
    Family("redis_commands_duration_seconds_total", _COUNTER, "Execution time of each command.",
           "INFO commandstats: usec", read.command_seconds, ("cmd",)),
    Family("redis_commands_failed_calls_total", _COUNTER, "Calls of each command that ran and failed.",
           "INFO commandstats: failed_calls", read.failed_calls, ("cmd",)),
    Family("redis_commands_rejected_calls_total", _COUNTER, "Calls of each command that were refused.",
           "INFO commandstats: rejected_calls", read.rejected_calls, ("cmd",)),
    Family("redis_errors_total", _COUNTER, "Error replies by their first word.", "INFO errorstats", read.error_replies,
           ("err",)),
    Family("redis_latency_percentiles_usec", _GAUGE,
           "Execution time of each command in microseconds that so many percent of the calls do not exceed.",
           "INFO latencystats", read.percentiles, ("cmd", "quantile")),
    Family("redis_latency_percentiles_usec_sum", _GAUGE, "Execution time of each command in microseconds.",
           "INFO commandstats: usec", read.command_microseconds, ("cmd",)),
    Family("redis_latency_percentiles_usec_count", _GAUGE, "Calls of each command that ran.",
           "INFO commandstats: calls", read.calls, ("cmd",)),
    Family("redis_db_keys", _GAUGE, "Keys of each database.", "INFO keyspace: keys", read.all_keys, ("db",)),
    Family("redis_db_keys_expiring", _GAUGE, "Keys with a time to live of each database.", "INFO keyspace: expires",
           read.all_volatile_keys, ("db",)),
    Family("redis_db_avg_ttl_seconds", _GAUGE, "Average time to live, of each database that has any keys.",
           "INFO keyspace: avg_ttl", read.average_ttl, ("db",)),
    Family("redis_slowlog_length", _GAUGE, "Entries in the slow log.", "SLOWLOG LEN", read.slowlog_length),
    Family("redis_slowlog_last_id", _GAUGE, "Number of the newest entry of the slow log; 0 before the first.",
           "SLOWLOG GET 1", read.slowlog_last_id),
    Family("redis_last_slow_execution_duration_seconds", _GAUGE, "Execution time of the newest slow command.",
           "SLOWLOG GET 1", read.last_slow_execution),
    Family("redis_latency_spike_last", _GAUGE, "When the latest latency event of a class was, since 1970.",
           "LATENCY LATEST", read.spike_times, ("event_name",)),
    Family("redis_latency_spike_duration_seconds", _GAUGE, "How long the latest latency event of a class took.",
           "LATENCY LATEST", read.spike_durations, ("event_name",)),
)  # fmt: skip
