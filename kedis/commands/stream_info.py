"""XINFO: what a stream, its groups and their consumers are like."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.commands.parsing.options import integer
from kedis.commands.stream_replies import ALL, entries
from kedis.engine.flags import LOADING, READONLY, STALE
from kedis.engine.keyspec import span
from kedis.engine.table import command, container
from kedis.errors import CommandError
from kedis.errors import stream_errors as texts
from kedis.resp.entries import Entries
from kedis.structures.consumer_groups import Consumer, Group
from kedis.structures.radix_shape import node_count
from kedis.structures.stream import Stream
from kedis.structures.stream_id import ID_MAX, id_text

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: Entries, and pending entries, that XINFO STREAM FULL shows without COUNT.
_SHOWN = 10

container(
    "XINFO",
    arity=-2,
    group="stream",
    since="5.0.0",
    summary="What streams and their consumer groups are like.",
    complexity="Depends on the subcommand",
)


def _stream(client: Client, key: bytes) -> Stream:
    stream = client.db.lookup_read_typed(key, Stream)
    if stream is None:
        raise CommandError(errors.NO_SUCH_KEY)
    return stream


@command(
    "XINFO|STREAM",
    arity=-3,
    flags=READONLY,
    group="stream",
    since="5.0.0",
    summary="Returns the figures of a stream; with FULL, entries, groups and what is pending, too.",
    keys=[span("RO access", 2)],
    complexity="O(N) in the number of nodes; with FULL, of entries shown, too",
    syntax='key@0 ["FULL" full{["COUNT" count:int]}]',
)
def xinfo_stream(client: Client, argv: Sequence[bytes]) -> dict[bytes, Any]:
    stream = _stream(client, argv[2])
    if len(argv) == 3:
        return {
            **_figures(stream),
            b"groups": len(stream.groups),
            b"first-entry": _only(entries(stream.read(0, ID_MAX, 1))),
            b"last-entry": _only(entries(stream.read(0, ID_MAX, 1, reverse=True))),
        }
    shown = _parse_full(argv)
    return {
        **_figures(stream),
        b"entries": entries(stream.read(0, ID_MAX, shown)),
        b"groups": [_full_group(stream, name, stream.groups[name], shown) for name in sorted(stream.groups)],
    }


def _parse_full(argv: Sequence[bytes]) -> int:
    """How many entries are to be shown.  Raises CommandError."""
    words = len(argv)
    if argv[3].upper() != b"FULL" or words not in (4, 6) or (words == 6 and argv[4].upper() != b"COUNT"):
        raise CommandError(errors.wrong_subcommand(argv[1], "xinfo"))
    if words == 4:
        return _SHOWN
    count = integer(argv[5])
    return _SHOWN if count < 0 else count or ALL


def _only(found: Entries) -> list[Any] | None:
    return next(iter(found), None)


def _figures(stream: Stream) -> dict[bytes, Any]:
    return {
        b"length": len(stream),
        b"radix-tree-keys": len(stream.blocks),
        b"radix-tree-nodes": node_count(stream.blocks.keys()),
        b"last-generated-id": id_text(stream.last_id),
        b"max-deleted-entry-id": id_text(stream.max_deleted_id),
        b"entries-added": _signed(stream.entries_added),
        b"recorded-first-entry-id": id_text(stream.first_id),
    }


def _lag(stream: Stream, group: Group) -> int | None:
    lag = stream.lag(group)
    return None if lag is None else _signed(lag)


def _signed(number: int) -> int:
    """A counter that Redis keeps in 64 bits, as it is printed."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _full_group(stream: Stream, name: bytes, group: Group, shown: int) -> dict[bytes, Any]:
    pending = [
        [id_text(stream_id), each.consumer.name, each.delivered_ms, each.count]
        for stream_id, each in islice(group.pending.items(), shown)
    ]
    return {
        b"name": name,
        b"last-delivered-id": id_text(group.last_id),
        b"entries-read": None if group.entries_read is None else _signed(group.entries_read),
        b"lag": _lag(stream, group),
        b"pel-count": len(group.pending),
        b"pending": pending,
        b"consumers": [_full_consumer(consumer, shown) for consumer in group.consumers()],
    }


def _full_consumer(consumer: Consumer, shown: int) -> dict[bytes, Any]:
    pending = [
        [id_text(stream_id), each.delivered_ms, each.count]
        for stream_id, each in islice(consumer.pending.items(), shown)
    ]
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen_ms,
        b"pel-count": len(consumer.pending),
        b"pending": pending,
    }


@command(
    "XINFO|GROUPS",
    arity=3,
    flags=READONLY,
    group="stream",
    since="5.0.0",
    summary="Returns the consumer groups of a stream.",
    keys=[span("RO access", 2)],
    complexity="O(N) in the number of groups",
    syntax="key@0",
)
def xinfo_groups(client: Client, argv: Sequence[bytes]) -> list[dict[bytes, Any]]:
    stream = _stream(client, argv[2])
    return [
        {
            b"name": name,
            b"consumers": len(group),
            b"pending": len(group.pending),
            b"last-delivered-id": id_text(group.last_id),
            b"entries-read": None if group.entries_read is None else _signed(group.entries_read),
            b"lag": _lag(stream, group),
        }
        for name, group in sorted(stream.groups.items())
    ]


@command(
    "XINFO|CONSUMERS",
    arity=4,
    flags=READONLY,
    group="stream",
    since="5.0.0",
    summary="Returns the consumers of a group.",
    keys=[span("RO access", 2)],
    tips=["nondeterministic_output"],
    complexity="O(N) in the number of consumers",
    syntax="key@0 groupname",
)
def xinfo_consumers(client: Client, argv: Sequence[bytes]) -> list[dict[bytes, Any]]:
    group = _stream(client, argv[2]).groups.get(argv[3])
    if group is None:
        raise CommandError(texts.no_group_of_key(argv[2], argv[3]))
    now_ms = client.db.keyspace.now_ms
    return [
        {
            b"name": consumer.name,
            b"pending": len(consumer.pending),
            b"idle": max(now_ms - consumer.seen_ms, 0),
        }
        for consumer in group.consumers()
    ]


@command(
    "XINFO|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="stream",
    since="5.0.0",
    summary="Returns the subcommands and what they do.",
    complexity="O(1)",
)
def xinfo_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("xinfo")
