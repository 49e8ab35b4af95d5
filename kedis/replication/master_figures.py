"""INFO replication: the lines about replicas and about the history, which a replica may have as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kedis.replication.backlog import Backlog
from kedis.replication.data_history import History
from kedis.replication.replicas import Replica


def replica_fields(replicas: Iterable[Replica], now_ns: int) -> Sequence[tuple[str, Any]]:
    """A field for each replica, ``slave0`` and so on; ``now_ns`` by the monotonic clock. O(replicas)."""
    fields: list[tuple[str, Any]] = []
    for replica in replicas:
        if replica.state.shown:
            line = (
                f"ip={replica.address},port={replica.listening_port},state={replica.state.shown},"
                f"offset={replica.confirmed},lag={replica.lag_seconds(now_ns)}"
            )
            fields.append((f"slave{len(fields)}", line))
    return fields


def history_fields(
    history: History, backlog: Backlog | None, offset: int, size: int, failover_state: str
) -> Sequence[tuple[str, Any]]:
    """The fields behind those of the replicas; ``size`` is the setting repl-backlog-size."""
    return (
        ("master_failover_state", failover_state),
        ("master_replid", history.replid),
        ("master_replid2", history.second_id),
        ("master_repl_offset", offset),
        ("second_repl_offset", history.second_offset),
        ("repl_backlog_active", int(backlog is not None)),
        ("repl_backlog_size", size),
        ("repl_backlog_first_byte_offset", 0 if backlog is None else backlog.start + 1),
        ("repl_backlog_histlen", 0 if backlog is None else len(backlog)),
    )
