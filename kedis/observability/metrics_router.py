"""Metrics of a router, of each node that it sends requests to; a server with data of its own has none of them.

The label ``shard`` is a node's ``host:port``: that of a master, or of a replica where these are read from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from kedis.engine.ports import Routing, ShardFigures
from kedis.observability.metrics_family import DURATIONS, Family, Read, Reading

if TYPE_CHECKING:
    from kedis.observability.observer import Observer

_SHARD = ("shard",)
_CONNECTIONS = ("shared", "own")
_REDIRECTS = ("moved", "ask", "tryagain", "clusterdown")
_RETRIES = ("unsent", "lost", "tryagain", "clusterdown", "loading", "masterdown", "readonly")


def _of_router(value: Callable[[Routing], int]) -> Read:
    def values(observer: Observer) -> Iterator[Reading]:
        if (routing := observer.engine.routing) is not None:
            yield (), value(routing)

    return values


def _of_shards(value: Callable[[ShardFigures], object]) -> Read:
    def values(observer: Observer) -> Iterator[Reading]:
        if (routing := observer.engine.routing) is not None:
            for shard in routing.all_nodes():
                yield (shard.shown,), value(shard)

    return values


def _counted(counts: Callable[[ShardFigures], Mapping[str, int]], always: tuple[str, ...] = ()) -> Read:
    """Counts by a second label: those of ``always``, and whatever else has been counted."""

    def values(observer: Observer) -> Iterator[Reading]:
        if (routing := observer.engine.routing) is not None:
            for shard in routing.all_nodes():
                found = {**dict.fromkeys(always, 0), **counts(shard)}
                for word, number in found.items():
                    yield (shard.shown, word), number

    return values


def _connections(observer: Observer) -> Iterator[Reading]:
    if (routing := observer.engine.routing) is not None:
        for shard in routing.all_nodes():
            for kind in _CONNECTIONS:
                yield (shard.shown, kind), shard.connections(kind)


def _up(observer: Observer) -> Iterator[Reading]:
    """Of masters alone: one that has been failed over would be down for ever."""
    if (routing := observer.engine.routing) is not None:
        for shard in routing.shards():
            yield (shard.shown,), int(shard.up)


def _changing(
    name: str, kind: str, help: str, where: str, read: Read, labels: tuple[str, ...] = _SHARD
) -> Family:
    buckets = DURATIONS if kind == "histogram" else None
    return Family(name, kind, help, where, read, labels, buckets, changing=True)


FAMILIES: tuple[Family, ...] = (
    _changing(
        "kedis_router_shard_seconds",
        "histogram",
        "From a request's coming to the node's reply, by node.",
        "engine.routing",
        _of_shards(lambda shard: shard.durations),
    ),
    _changing(
        "kedis_router_in_flight",
        "gauge",
        "Requests that a node has not answered yet.",
        "engine.routing",
        _of_shards(lambda shard: shard.in_flight),
    ),
    _changing(
        "kedis_router_retries_total",
        "counter",
        "Requests that were sent again after a pause, by why: a node would not take them, or was not reached.",
        "engine.routing",
        _counted(lambda shard: shard.retries, _RETRIES),
        ("shard", "reason"),
    ),
    _changing(
        "kedis_router_redirects_total",
        "counter",
        "Answers of nodes of a cluster that the keys are elsewhere, or not served now.",
        "engine.routing",
        _counted(lambda shard: shard.redirects, _REDIRECTS),
        ("shard", "kind"),
    ),
    _changing(
        "kedis_router_connections",
        "gauge",
        "Connections to a node: those that all clients share, and those that one client has for itself.",
        "engine.routing",
        _connections,
        ("shard", "kind"),
    ),
    _changing(
        "kedis_router_up",
        "gauge",
        "1 where the master was reached when that was last tried.",
        "engine.routing",
        _up,
    ),
    _changing(
        "kedis_router_topology_changes_total",
        "counter",
        "Changes of who serves what: failovers, and slots that have moved.",
        "engine.routing",
        _of_router(lambda routing: routing.topology_changes),
        (),
    ),
    _changing(
        "kedis_router_shards",
        "gauge",
        "Masters with slots.",
        "engine.routing",
        _of_router(lambda routing: len(routing.shards())),
        (),
    ),
)
