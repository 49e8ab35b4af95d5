"""Replication: the replicas of masters, and the links of replicas."""

from __future__ import annotations

from ops.dashboards.panels import INSTANCE, RED, YELLOW, Board, Row, lines, rate, stat

_BY_INSTANCE = "{{instance}}"

REPLICATION = Board(
    "kedis-replication",
    "Kedis / Replication",
    "How far replicas are behind, whether links are up, and what synchronisations cost.",
    [
        Row(
            "State",
            [
                stat("Replicas online", "Replicas that follow.", f"sum(kedis_replicas_online{{{INSTANCE}}})"),
                stat(
                    "Replicas copying everything",
                    "Replicas that wait for a snapshot, or are being sent one.",
                    f"sum(kedis_replicas_synchronising{{{INSTANCE}}})",
                ),
                stat(
                    "Every link up",
                    "1 when every replica follows its master.",
                    f"min(kedis_master_link_up{{{INSTANCE}}})",
                    "bool_yes_no",
                ),
                stat(
                    "Largest lag in bytes",
                    "What the replica furthest behind has not confirmed.",
                    f"max(kedis_replica_lag_bytes{{{INSTANCE}}})",
                    "bytes",
                    [(1_000_000, YELLOW), (64_000_000, RED)],
                ),
                stat(
                    "Longest silence of a replica",
                    "Seconds since the most silent replica was heard of; they confirm once a second.",
                    f"max(kedis_replica_lag_seconds{{{INSTANCE}}})",
                    "s",
                    [(5, YELLOW), (10, RED)],
                ),
                stat(
                    "Lack of replicas: writes refused",
                    "1 while a master refuses writes (min-replicas-to-write).",
                    f"max(kedis_writes_refused_without_replicas{{{INSTANCE}}})",
                    "bool_yes_no",
                    [(1, RED)],
                ),
            ],
        ),
        Row(
            "Lag",
            [
                lines(
                    "Lag of the furthest replica in bytes",
                    "Bytes of the stream that it has not confirmed.",
                    "bytes",
                    (f"kedis_replica_lag_bytes{{{INSTANCE}}}", _BY_INSTANCE),
                    thresholds=[(1_000_000, YELLOW)],
                ),
                lines(
                    "Silence of each replica",
                    "Seconds since each replica was heard of.",
                    "s",
                    (f"redis_connected_slave_lag_seconds{{{INSTANCE}}}", "{{slave_ip}}:{{slave_port}}"),
                    thresholds=[(10, RED)],
                ),
                lines(
                    "Bytes received and not applied",
                    "On replicas: what was received of the stream and not applied yet.",
                    "bytes",
                    (f"kedis_master_unapplied_bytes{{{INSTANCE}}}", _BY_INSTANCE),
                ),
            ],
        ),
        Row(
            "Links",
            [
                lines(
                    "Link to the master",
                    "On replicas: 1 while the data follow the master's.",
                    "short",
                    (f"kedis_master_link_up{{{INSTANCE}}}", _BY_INSTANCE),
                ),
                lines(
                    "Silence of the master",
                    "On replicas: seconds since the master was heard of; -1 while the link is down.",
                    "s",
                    (f"kedis_master_silent_seconds{{{INSTANCE}}}", _BY_INSTANCE),
                    least=None,
                ),
                lines(
                    "Replicas by state",
                    "Those that follow, and those that are being sent everything.",
                    "short",
                    (f"sum(kedis_replicas_online{{{INSTANCE}}})", "online"),
                    (f"sum(kedis_replicas_synchronising{{{INSTANCE}}})", "synchronising"),
                    stacked=True,
                ),
            ],
        ),
        Row(
            "Synchronisations and the stream",
            [
                lines(
                    "Synchronisations of replicas",
                    "Full, partial, and full ones where a partial one was asked for, since the start.",
                    "short",
                    (
                        f"sum by (kind) (kedis_replica_synchronisations_total{{{INSTANCE}}})",
                        "{{kind}}",
                    ),
                ),
                lines(
                    "Bytes sent to replicas per second",
                    "Bytes a second, snapshots included; and the growth of the stream.",
                    "Bps",
                    (rate("kedis_replica_sent_bytes_total"), "sent"),
                    (rate("kedis_master_received_bytes_total"), "received from masters"),
                ),
                lines(
                    "Backlog and memory of the stream",
                    "What is kept for replicas that come back, and what slow ones hold beyond that.",
                    "bytes",
                    (f"sum(kedis_replication_backlog_bytes{{{INSTANCE}}})", "backlog"),
                    (f"sum(kedis_replication_stream_bytes{{{INSTANCE}}})", "memory"),
                    (f"max(redis_replication_backlog_bytes{{{INSTANCE}}})", "repl-backlog-size"),
                ),
            ],
        ),
    ],
)
