"""Metrics of replication: of the replicas of this server, and of this server as a replica.

Kedis's own are sums; those under the names of redis_exporter are by replica, or name the master.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from kedis.observability.metrics_family import Family, Read, Reading, counter, gauge

if TYPE_CHECKING:
    from kedis.observability.observer import Observer

_REPLICA = ("slave_ip", "slave_port", "slave_state")
_MASTER = ("master_host", "master_port")


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


def _of_master(read: Callable[[Mapping[str, Any]], float]) -> Read:
    """A number of the link to the master, from the fields of INFO; none on a master."""

    def values(observer: Observer) -> Iterator[Reading]:
        if (upstream := observer.engine.following.upstream) is not None:
            yield (), read(dict(upstream.info()))

    return values


def _with_master(read: Callable[[Mapping[str, Any]], float]) -> Read:
    """The same, with the address of the master."""

    def values(observer: Observer) -> Iterator[Reading]:
        if (upstream := observer.engine.following.upstream) is not None:
            fields = dict(upstream.info())
            yield (fields["master_host"], str(fields["master_port"])), read(fields)

    return values


def _is_up(fields: Mapping[str, Any]) -> int:
    return int(fields["master_link_status"] == "up")


def _replica(observer: Observer) -> Iterator[Reading]:
    if (upstream := observer.engine.following.upstream) is not None:
        fields = dict(upstream.info())
        yield (fields["master_host"], str(fields["master_port"]), str(fields["slave_read_only"])), 1


def _own_synchronisations(observer: Observer) -> Iterator[Reading]:
    for kind, number in zip(("full", "partial"), observer.engine.following.synchronisations, strict=True):
        yield (kind,), number


_INFO = "INFO replication"


def _coming(name: str, help: str, read: Read, labels: tuple[str, ...] = ()) -> Family:
    """A gauge that is there only while this server is a replica."""
    return Family(name, "gauge", help, _INFO, read, labels, changing=True)


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
    gauge(
        "kedis_replication_backlog_bytes",
        "Bytes of the stream that are kept for replicas that come back; the setting is repl-backlog-size.",
        _INFO,
        _figure("mem_replication_backlog"),
    ),
    _coming(
        "kedis_master_link_up",
        "On a replica: 1 while the data follow the master's.",
        _of_master(_is_up),
    ),
    _coming(
        "kedis_master_silent_seconds",
        "On a replica: seconds since the master was heard of; -1 while the link is down.",
        _of_master(itemgetter("master_last_io_seconds_ago")),
    ),
    _coming(
        "kedis_master_unapplied_bytes",
        "On a replica: bytes of the stream that were received and not applied yet.",
        _of_master(lambda fields: fields["slave_read_repl_offset"] - fields["slave_repl_offset"]),
    ),
    counter(
        "kedis_master_synchronisations_total",
        "Synchronisations of this server with its masters, full and partial.",
        "engine.following.synchronisations",
        _own_synchronisations,
        ("kind",),
    ),
    counter(
        "kedis_master_received_bytes_total",
        "Bytes received from masters, snapshots included.",
        "engine.following.received_bytes",
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
    _coming("redis_master_link_up", "1 while the data follow the master's.", _with_master(_is_up), _MASTER),
    _coming(
        "redis_master_last_io_seconds_ago",
        "Seconds since the master was heard of; -1 while the link is down.",
        _with_master(itemgetter("master_last_io_seconds_ago")),
        _MASTER,
    ),
    _coming(
        "redis_master_sync_in_progress",
        "1 while a snapshot comes from the master.",
        _with_master(itemgetter("master_sync_in_progress")),
        _MASTER,
    ),
    _coming(
        "redis_slave_repl_offset",
        "Bytes of the master's stream that this server has applied.",
        _with_master(itemgetter("slave_repl_offset")),
        _MASTER,
    ),
    _coming(
        "redis_slave_info",
        "Always 1: the master of this server, and whether clients may not write.",
        _replica,
        (*_MASTER, "read_only"),
    ),
    _coming(
        "redis_slave_priority",
        "The setting replica-priority, by which Sentinel chooses.",
        _of_master(itemgetter("slave_priority")),
    ),
)
