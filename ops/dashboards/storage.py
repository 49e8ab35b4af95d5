"""What is kept: memory and eviction, expiry, persistence."""

from __future__ import annotations

from ops.dashboards.panels import (
    HITS,
    INSTANCE,
    RED,
    YELLOW,
    Board,
    Row,
    heatmap,
    lines,
    quantiles,
    rate,
)

MEMORY = Board(
    "kedis-memory",
    "Kedis / Memory & eviction",
    "What fills the memory, what is evicted, and what that does to the hits.",
    [
        Row(
            "Memory",
            [
                lines(
                    "Memory by kind",
                    "What the account is made of.",
                    "bytes",
                    (f"sum by (kind) (kedis_memory_bytes{{{INSTANCE}}})", "{{kind}}"),
                    stacked=True,
                ),
                lines(
                    "Memory used, share of maxmemory",
                    "Used memory as a share of maxmemory; nothing where there is no limit.",
                    "percentunit",
                    (
                        f"kedis_memory_used_bytes{{{INSTANCE}}} / (kedis_memory_limit_bytes{{{INSTANCE}}} > 0)",
                        "{{instance}}",
                    ),
                    thresholds=[(0.9, YELLOW), (1.0, RED)],
                ),
                lines(
                    "Resident memory over used",
                    "What the process occupies against what is accounted for: fragmentation, and the interpreter;"
                    " with the allocators that it has.",
                    "short",
                    (
                        f"kedis_memory_resident_bytes{{{INSTANCE}}} / kedis_memory_used_bytes{{{INSTANCE}}}"
                        " * on (instance) group_left (allocator) kedis_build_info",
                        "{{instance}} {{allocator}}",
                    ),
                ),
            ],
        ),
        Row(
            "Eviction",
            [
                lines(
                    "Evicted keys per second, by policy",
                    "Keys a second, by policy.",
                    "ops",
                    (rate("kedis_evicted_keys_total", by="policy"), "{{policy}}"),
                    stacked=True,
                ),
                lines(
                    "Eviction, share of the core",
                    "Share of the core that eviction takes.",
                    "percentunit",
                    (rate("kedis_eviction_seconds_total"), "eviction"),
                ),
                lines(
                    "Keys sampled for each evicted",
                    "Keys drawn and compared, for each that was evicted.",
                    "short",
                    (
                        f"{rate('kedis_eviction_sampled_keys_total')} / ({rate('kedis_evicted_keys_total')} > 0)",
                        "sampled",
                    ),
                ),
                lines(
                    "Look-ups per second: hits and misses",
                    "Look-ups a second.",
                    "ops",
                    (rate("kedis_keyspace_hits_total"), "hits"),
                    (rate("kedis_keyspace_misses_total"), "misses"),
                    stacked=True,
                ),
                lines(
                    "Hit ratio of look-ups",
                    "Share of the look-ups that found their key.",
                    "percentunit",
                    (HITS, "hits"),
                ),
                lines(
                    "Lazy free: values pending",
                    "Large values that were removed and are freed in the background.",
                    "short",
                    (f"sum(kedis_lazyfree_pending_objects{{{INSTANCE}}})", "values"),
                ),
            ],
        ),
    ],
)

EXPIRY = Board(
    "kedis-expiry",
    "Kedis / Expiry",
    "Keys whose time is over: found when asked for, or by the cycle that looks for them.",
    [
        Row(
            "Expiry",
            [
                lines(
                    "Expired keys per second, by finder",
                    "Keys a second, by who found them.",
                    "ops",
                    (rate("kedis_expired_keys_total", by="by"), "{{by}}"),
                    stacked=True,
                ),
                lines(
                    "Keys with a time to live, by database",
                    "By database.",
                    "short",
                    (f"sum by (db) (kedis_db_keys_expiring{{{INSTANCE}}})", "{{db}}"),
                    stacked=True,
                ),
                lines(
                    "Average time to live, by database",
                    "Estimated from a sample.",
                    "s",
                    (f"max by (db) (kedis_db_average_ttl_seconds{{{INSTANCE}}})", "{{db}}"),
                ),
                heatmap(
                    "Expiry cycle latency heatmap",
                    "How long one slice keeps the event loop.",
                    "s",
                    "kedis_expire_cycle_duration_seconds",
                ),
                lines(
                    "Expiry cycle, share of the core",
                    "Time that the cycle takes.",
                    "percentunit",
                    (rate("kedis_expire_cycle_duration_seconds_sum"), "cycle"),
                    width=6,
                ),
                lines(
                    "Expired keys not removed, share",
                    "Estimated share of dead keys among those with a time to live.",
                    "percentunit",
                    (f"max by (instance) (kedis_expire_dead_ratio{{{INSTANCE}}})", "{{instance}}"),
                    thresholds=[(0.1, YELLOW), (0.25, RED)],
                    width=6,
                ),
                lines(
                    "Expiry cycle out of time, per second",
                    "Periods a second in which the cycle used up its share with work left.",
                    "ops",
                    (rate("kedis_expire_cycle_exhausted_total"), "exhausted"),
                ),
            ],
        ),
    ],
)

PERSISTENCE = Board(
    "kedis-persistence",
    "Kedis / Persistence",
    "The append-only file: syncs, group commit, size, rewrites; and snapshots.",
    [
        Row(
            "Durability",
            [
                heatmap(
                    "fsync latency heatmap",
                    "How long the disk takes to make data durable.",
                    "s",
                    "kedis_aof_fsync_duration_seconds",
                ),
                lines(
                    "fsync latency quantiles",
                    "One in a hundred, and in a thousand, takes longer.",
                    "s",
                    *quantiles("kedis_aof_fsync_duration_seconds"),
                    thresholds=[(0.25, YELLOW), (2, RED)],
                    width=12,
                ),
                heatmap(
                    "Group commit size heatmap",
                    "Changes that one sync made durable.",
                    "short",
                    "kedis_aof_group_commit_size",
                ),
                lines(
                    "Changes made durable by one fsync",
                    "The more share one, the less each pays.",
                    "short",
                    (
                        f"{rate('kedis_aof_group_commit_size_sum')} / {rate('kedis_aof_group_commit_size_count')}",
                        "changes",
                    ),
                    width=6,
                ),
                lines(
                    "fsync and write faults per second",
                    "Delayed syncs, and writes and syncs that failed, a second.",
                    "ops",
                    (rate("kedis_aof_fsync_delayed_total"), "delayed"),
                    (rate("kedis_aof_fsync_errors_total"), "sync failed"),
                    (rate("kedis_aof_write_errors_total"), "write failed"),
                    width=6,
                ),
            ],
        ),
        Row(
            "File",
            [
                lines(
                    "AOF bytes written per second",
                    "Bytes a second.",
                    "Bps",
                    (rate("kedis_aof_written_bytes_total"), "written"),
                ),
                lines(
                    "AOF size: now, and after the rewrite",
                    "All files, and what the automatic rewrite compares with.",
                    "bytes",
                    (f"sum(kedis_aof_current_size_bytes{{{INSTANCE}}})", "now"),
                    (f"sum(kedis_aof_base_size_bytes{{{INSTANCE}}})", "after the last rewrite"),
                ),
                lines(
                    "AOF write latency quantiles",
                    "How long a write takes; one covers a turn of the event loop.",
                    "s",
                    *quantiles("kedis_aof_write_duration_seconds"),
                ),
                lines(
                    "AOF rewrite under way: bytes written",
                    "Bytes of the new base so far.",
                    "bytes",
                    (f"sum(kedis_aof_rewrite_written_bytes{{{INSTANCE}}})", "written"),
                ),
                lines(
                    "Duration of the last rewrite and fork",
                    "How long the last took, and how long its fork held everybody up.",
                    "s",
                    (f"max(kedis_aof_rewrite_duration_seconds{{{INSTANCE}}})", "rewrite"),
                    (f"max(kedis_aof_fork_duration_seconds{{{INSTANCE}}})", "fork"),
                ),
                lines(
                    "Changes since the last snapshot",
                    "What only the append-only file has.",
                    "short",
                    (f"sum(redis_rdb_changes_since_last_save{{{INSTANCE}}})", "changes"),
                ),
            ],
        ),
    ],
)
