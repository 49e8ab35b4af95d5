"""Metrics of chosen streams, under the names of redis_exporter.

Only the streams that ``metrics-streams`` names are shown, at most 100, and at most 100 groups of each: the one
exception to the rule that no key is a label.  Consumers are counted by group only, for their names come and go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from kedis.observability.metrics_family import Family, Read, Reading
from kedis.structures.consumer_groups import Group
from kedis.structures.radix_shape import node_count
from kedis.structures.stream import Stream

if TYPE_CHECKING:
    from kedis.observability.observer import Observer

_MOST_GROUPS = 100
_PLACE = re.compile(r"db([0-9]{1,9})=(.+)", re.DOTALL)
_OF_STREAM = ("db", "stream")
_OF_GROUP = (*_OF_STREAM, "group")


def _streams(observer: Observer) -> Iterator[tuple[tuple[str, str], Stream]]:
    """The streams that are to be shown and are there, with the values of their labels."""
    engine = observer.engine
    for word in engine.config.metrics_streams:
        match = _PLACE.fullmatch(word)
        number, name = (int(match[1]), match[2]) if match else (0, word)
        if number < len(engine.keyspace.databases):
            value = engine.keyspace.databases[number].data.get(name.encode("utf-8", "surrogateescape"))
            if isinstance(value, Stream):
                yield (f"db{number}", _label(name.encode("utf-8", "surrogateescape"))), value


def _label(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _stream(value: Callable[[Stream], int]) -> Read:
    def values(observer: Observer) -> Iterator[Reading]:
        for labels, stream in _streams(observer):
            yield labels, value(stream)

    return values


def _group(value: Callable[[Stream, Group], int | None]) -> Read:
    def values(observer: Observer) -> Iterator[Reading]:
        for labels, stream in _streams(observer):
            for name, group in islice(sorted(stream.groups.items()), _MOST_GROUPS):
                shown = value(stream, group)
                if shown is not None:
                    yield (*labels, _label(name)), shown

    return values


def _milliseconds(stream_id: int) -> int:
    """The time in an id: what a panel can draw."""
    return stream_id >> 64


def _of_stream(name: str, about: str, value: Callable[[Stream], int]) -> Family:
    return Family(
        f"redis_stream_{name}", "gauge", about, "XINFO STREAM", _stream(value), _OF_STREAM, changing=True
    )


def _of_group(name: str, about: str, value: Callable[[Stream, Group], int | None]) -> Family:
    where = "XINFO GROUPS"
    return Family(
        f"redis_stream_group_{name}", "gauge", about, where, _group(value), _OF_GROUP, changing=True
    )


FAMILIES: tuple[Family, ...] = (
    _of_stream("length", "Entries of a stream in metrics-streams.", len),
    _of_stream(
        "radix_tree_keys", "Nodes of the stream, as Redis counts them.", lambda stream: len(stream.blocks)
    ),
    _of_stream(
        "radix_tree_nodes",
        "Nodes of the tree over these.",
        lambda stream: node_count(stream.blocks.keys()),
    ),
    _of_stream(
        "last_generated_id", "The time of the last id in ms.", lambda stream: _milliseconds(stream.last_id)
    ),
    _of_stream(
        "first_entry_id", "The time of the first entry in ms.", lambda stream: _milliseconds(stream.first_id)
    ),
    _of_stream(
        "last_entry_id", "The time of the last entry in ms.", lambda stream: _milliseconds(stream.top_id)
    ),
    _of_stream(
        "max_deleted_entry_id",
        "The time of the highest deleted id in ms.",
        lambda stream: _milliseconds(stream.max_deleted_id),
    ),
    _of_stream("groups", "Consumer groups of the stream.", lambda stream: len(stream.groups)),
    _of_group("consumers", "Consumers of the group.", lambda stream, group: len(group)),
    _of_group(
        "messages_pending",
        "Entries delivered and not acknowledged.",
        lambda stream, group: len(group.pending),
    ),
    _of_group(
        "last_delivered_id",
        "The time of the last id delivered in ms.",
        lambda stream, group: _milliseconds(group.last_id),
    ),
    _of_group(
        "entries_read",
        "Entries that the group has read, where that is known.",
        lambda stream, group: group.entries_read,
    ),
    _of_group(
        "lag",
        "Entries that the group has not read, where that is known.",
        lambda stream, group: stream.lag(group),
    ),
)
