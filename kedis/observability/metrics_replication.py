"""Metrics of the replicas of this server: Kedis's own in sums, and by replica under the names of redis_exporter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kedis.observability.metrics_family import Family, Read, Reading, counter, gauge

if TYPE_CHECKING:
    from kedis.observability.observer import Observer

_REPLICA = ("slave_ip", "slave_port", "slave_state")


def _figure(name: str) -> Read:
    def values(observer: Observer) -> Iterator[Reading]:
        yield (), observer.engine.replication.figures()[name]

    return values


def _synchronisations(observer: Observer) -> Iterator[Reading]:
    figures = observer.engine.replication.figures()
    for kind, name in (
        ("full", "sync_full"),
        ("partial", "sync_partial_ok"),
        ("refused", "sync_partial_err"),
    ):
        yield (kind,), figures[name]


def _writes_refused(observer: Observer) -> Iterator[Reading]:
    yield (), int(observer.engine.restrictions.few_replicas)


def _of_each(field: str) -> Read:
    def values(observer: Observer) -> Iterator[Reading]:
        for name, line in observer.engine.replication.info():
            if name.startswith("slave") and name[5:].isdigit():
                words = dict(word.split("=", 1) for word in line.split(","))
                yield (words["ip"], words["port"], words["state"]), int(words[field])

    return values


_INFO = "INFO replication"

FAMILIES: tuple[Family, ...] = (
    gauge("kedis_replicas_online", "Replicas that follow the stream.", _INFO, _figure("replicas_online")),
    gauge(
        "kedis_replicas_synchronising",
        "Replicas that wait for a snapshot, or are being sent one.",
        _INFO,
        _figure("replicas_synchronising"),
    ),
    gauge(
        "kedis_replica_lag_bytes",
        "Bytes of the stream that the replica furthest behind has not confirmed; they confirm once a second.",
        _INFO,
        _figure("replica_lag_bytes"),
    ),
    gauge(
        "kedis_replica_lag_seconds",
        "Seconds since the most silent replica was heard of.",
        _INFO,
        _figure("replica_lag_seconds"),
    ),
    counter(
        "kedis_replica_synchronisations_total",
        "Synchronisations of replicas: full, partial, and full ones where a partial one was asked for (refused).",
        "INFO stats",
        _synchronisations,
        ("kind",),
    ),
    counter(
        "kedis_replica_sent_bytes_total",
        "Bytes sent to replicas, snapshots included.",
        "INFO stats",
        _figure("total_net_repl_output_bytes"),
    ),
    gauge(
        "kedis_replication_stream_bytes",
        "Memory of the stream for replicas, the backlog included.",
        "INFO memory",
        _figure("mem_total_replication_buffers"),
    ),
    gauge(
        "kedis_writes_refused_without_replicas",
        "1 while writes are refused because fewer replicas follow than min-replicas-to-write.",
        "engine.restrictions.few_replicas",
        _writes_refused,
    ),
    Family(
        "redis_connected_slave_offset_bytes",
        "gauge",
        "Bytes of the stream that each replica has confirmed.",
        _INFO,
        _of_each("offset"),
        _REPLICA,
        changing=True,
    ),
    Family(
        "redis_connected_slave_lag_seconds",
        "gauge",
        "Seconds since each replica was heard of.",
        _INFO,
        _of_each("lag"),
        _REPLICA,
        changing=True,
    ),
)
