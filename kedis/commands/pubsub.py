"""Pub/sub: SUBSCRIBE, PUBLISH and PUBSUB, for channels, patterns and shard channels.

The SUBSCRIBE and UNSUBSCRIBE commands confirm each name by a message of the same form as published ones (a push in
RESP3), even if CLIENT REPLY has turned replies off. A subscribed RESP2 client is limited to the commands with the flag
WHILE_SUBSCRIBED, since it could not tell other replies from messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kedis import errors
from kedis.commands.help import help_lines
from kedis.engine.flags import FAST, LOADING, MAY_REPLICATE, NOSCRIPT, PUBSUB, STALE, WHILE_SUBSCRIBED
from kedis.engine.keyspec import KeySpec, span
from kedis.engine.pubsub import Message, Subscriptions
from kedis.engine.table import Handler, command, container
from kedis.errors import CommandError
from kedis.resp.values import NO_REPLY, NoReply
from kedis.structures.glob import compile_glob

if TYPE_CHECKING:
    from kedis.engine.client import Client

_SUBSCRIBER = PUBSUB | NOSCRIPT | LOADING | STALE | WHILE_SUBSCRIBED


def _confirm(client: Client, verb: bytes, kind: Subscriptions, name: bytes | None) -> None:
    """Send the confirmation for one name, with the number of subscriptions; shard channels are counted separately."""
    count = len(client.subscribed["shard"])
    if kind.kind != "shard":
        count = client.subscriptions - count
    client.push(Message(kind.prefix + verb, name, count).wire(client.resp))


class _Kind(NamedTuple):
    """A kind of subscription: its commands, and what they say."""

    subscribe: str
    unsubscribe: str
    subscriptions: Callable[[Client], Subscriptions]
    names: str
    since: str
    syntax: str
    syntax_of_unsubscribe: str
    keys: Sequence[KeySpec] = ()


def _subscriber(subscriptions: Callable[[Client], Subscriptions]) -> Handler:
    def subscribe(client: Client, argv: Sequence[bytes]) -> NoReply:
        kind = subscriptions(client)
        for name in argv[1:]:
            kind.add(client, name)
            _confirm(client, b"subscribe", kind, name)
        client.update_checks()
        return NO_REPLY

    return subscribe


def _unsubscriber(subscriptions: Callable[[Client], Subscriptions]) -> Handler:
    def unsubscribe(client: Client, argv: Sequence[bytes]) -> NoReply:
        kind = subscriptions(client)
        for name in argv[1:] or list(client.subscribed[kind.kind]) or (None,):
            if name is not None:
                kind.remove(client, name)
            _confirm(client, b"unsubscribe", kind, name)
        client.update_checks()
        return NO_REPLY

    return unsubscribe


for _kind in (
    _Kind(
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        lambda client: client.engine.pubsub.channels,
        "channels",
        "2.0.0",
        "channel...",
        "[channel...]",
    ),
    _Kind(
        "PSUBSCRIBE",
        "PUNSUBSCRIBE",
        lambda client: client.engine.pubsub.patterns,
        "channel patterns",
        "2.0.0",
        "pattern{pattern:pattern}...",
        "[pattern:pattern...]",
    ),
    _Kind(
        "SSUBSCRIBE",
        "SUNSUBSCRIBE",
        lambda client: client.engine.pubsub.shards,
        "shard channels",
        "7.0.0",
        "shardchannel...",
        "[shardchannel...]",
        keys=[span("not_key", 1, last=-1)],
    ),
):
    command(
        _kind.subscribe,
        arity=-2,
        flags=_SUBSCRIBER,
        group="pubsub",
        since=_kind.since,
        summary=f"Subscribes to {_kind.names}.",
        keys=_kind.keys,
        complexity=f"O(N) in the number of {_kind.names}",
        syntax=_kind.syntax,
        channels="patterns" if _kind.subscribe == "PSUBSCRIBE" else "all",
    )(_subscriber(_kind.subscriptions))
    command(
        _kind.unsubscribe,
        arity=-1,
        flags=_SUBSCRIBER,
        group="pubsub",
        since=_kind.since,
        summary=f"Unsubscribes from {_kind.names} (all if none given).",
        keys=_kind.keys,
        complexity=f"O(N) in the number of {_kind.names}",
        syntax=_kind.syntax_of_unsubscribe,
    )(_unsubscriber(_kind.subscriptions))


@command(
    "PUBLISH",
    arity=3,
    flags=PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE,
    group="pubsub",
    since="2.0.0",
    summary="Publishes a message to a channel; returns the number of receivers.",
    complexity="O(N+M), N subscribers of the channel and M patterns of all clients",
    syntax="channel message",
    channels="first",
)
def publish(client: Client, argv: Sequence[bytes]) -> int:
    client.engine.replication.publish(client, argv)
    return client.engine.pubsub.publish(argv[1], argv[2])


@command(
    "SPUBLISH",
    arity=3,
    flags=PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE,
    group="pubsub",
    since="7.0.0",
    summary="Publishes a message to a shard channel; returns the number of receivers.",
    keys=[span("not_key", 1)],
    complexity="O(N) in the number of subscribers",
    syntax="shardchannel message",
    channels="first",
)
def spublish(client: Client, argv: Sequence[bytes]) -> int:
    client.engine.replication.publish(client, argv)
    return client.engine.pubsub.publish_shard(argv[1], argv[2])


container(
    "PUBSUB",
    arity=-2,
    group="pubsub",
    since="2.8.0",
    summary="Channels and subscribers.",
    complexity="Depends on the subcommand",
)


def _names(kind: Subscriptions, argv: Sequence[bytes]) -> list[bytes]:
    if len(argv) > 3:
        raise CommandError(errors.wrong_subcommand(argv[1], "pubsub"))
    return kind.names(compile_glob(argv[2] if len(argv) == 3 else b"*"))


def _counts(kind: Subscriptions, names: Sequence[bytes]) -> list[bytes | int]:
    return [part for name in names for part in (name, kind.count(name))]


@command(
    "PUBSUB|CHANNELS",
    arity=-2,
    flags=PUBSUB | LOADING | STALE,
    group="pubsub",
    since="2.8.0",
    summary="Lists the active channels; filter: glob pattern.",
    complexity="O(N) in the number of channels",
    syntax="[pattern:pattern]",
)
def pubsub_channels(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    return _names(client.engine.pubsub.channels, argv)


@command(
    "PUBSUB|NUMSUB",
    arity=-2,
    flags=PUBSUB | LOADING | STALE,
    group="pubsub",
    since="2.8.0",
    summary="Returns the number of subscribers of channels.",
    complexity="O(N) in the number of channels asked for",
    syntax="[channel...]",
)
def pubsub_numsub(client: Client, argv: Sequence[bytes]) -> list[bytes | int]:
    return _counts(client.engine.pubsub.channels, argv[2:])


@command(
    "PUBSUB|NUMPAT",
    arity=2,
    flags=PUBSUB | LOADING | STALE,
    group="pubsub",
    since="2.8.0",
    summary="Returns the number of distinct patterns subscribed to.",
    complexity="O(1)",
)
def pubsub_numpat(client: Client, _argv: Sequence[bytes]) -> int:
    return len(client.engine.pubsub.patterns)


@command(
    "PUBSUB|SHARDCHANNELS",
    arity=-2,
    flags=PUBSUB | LOADING | STALE,
    group="pubsub",
    since="7.0.0",
    summary="Lists the active shard channels; filter: glob pattern.",
    complexity="O(N) in the number of shard channels",
    syntax="[pattern:pattern]",
)
def pubsub_shardchannels(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    return _names(client.engine.pubsub.shards, argv)


@command(
    "PUBSUB|SHARDNUMSUB",
    arity=-2,
    flags=PUBSUB | LOADING | STALE,
    group="pubsub",
    since="7.0.0",
    summary="Returns the number of subscribers of shard channels.",
    complexity="O(N) in the number of channels asked for",
    syntax="[shardchannel...]",
)
def pubsub_shardnumsub(client: Client, argv: Sequence[bytes]) -> list[bytes | int]:
    return _counts(client.engine.pubsub.shards, argv[2:])


@command(
    "PUBSUB|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="pubsub",
    since="6.2.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def pubsub_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("PUBSUB")
