"""Publish and subscribe: messages from whoever publishes to whoever has subscribed, kept nowhere.

SUBSCRIBE and its like answer with a message for each name, in the form of the messages to come (a push in RESP3), and
even where CLIENT REPLY has turned replies off.  A RESP2 client that has subscribed may say little else (see
:mod:`kedis.engine.admission`), for it could not tell replies from messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.engine.flags import FAST, LOADING, MAY_REPLICATE, NOSCRIPT, PUBSUB, STALE, WHILE_SUBSCRIBED
from kedis.engine.keyspec import span
from kedis.engine.table import command, container
from kedis.errors import CommandError
from kedis.resp.values import NO_REPLY, NoReply
from kedis.store.pubsub import Message, Subscriptions
from kedis.structures.glob import compile_glob

if TYPE_CHECKING:
    from kedis.engine.client import Client

_SUBSCRIBER = PUBSUB | NOSCRIPT | LOADING | STALE | WHILE_SUBSCRIBED


def _confirm(client: Client, verb: bytes, kind: Subscriptions, name: bytes | None) -> None:
    """Tell of one name and how many subscriptions are left; shard channels are counted on their own."""
    count = len(client.subscribed["shard"])
    if kind.kind != "shard":
        count = client.subscriptions - count
    client.push(Message(kind.prefix + verb, name, count).wire(client.resp))


def _subscribe(client: Client, kind: Subscriptions, names: Sequence[bytes]) -> NoReply:
    for name in names:
        kind.add(client, name)
        _confirm(client, b"subscribe", kind, name)
    client.update_guard()
    return NO_REPLY


def _unsubscribe(client: Client, kind: Subscriptions, names: Sequence[bytes]) -> NoReply:
    """From ``names``, or where there are none from all."""
    for name in names or list(client.subscribed[kind.kind]) or (None,):
        if name is not None:
            kind.remove(client, name)
        _confirm(client, b"unsubscribe", kind, name)
    client.update_guard()
    return NO_REPLY


@command(
    "SUBSCRIBE",
    arity=-2,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="2.0.0",
    summary="Subscribes to channels.",
    complexity="O(N) in the number of channels",
    syntax="channel...",
)
def subscribe(client: Client, argv: Sequence[bytes]) -> NoReply:
    return _subscribe(client, client.engine.pubsub.channels, argv[1:])


@command(
    "UNSUBSCRIBE",
    arity=-1,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="2.0.0",
    summary="Unsubscribes from channels (all if none given).",
    complexity="O(N) in the number of channels",
    syntax="[channel...]",
)
def unsubscribe(client: Client, argv: Sequence[bytes]) -> NoReply:
    return _unsubscribe(client, client.engine.pubsub.channels, argv[1:])


@command(
    "PSUBSCRIBE",
    arity=-2,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="2.0.0",
    summary="Subscribes to all channels that match glob patterns.",
    complexity="O(N) in the number of patterns",
    syntax="pattern{pattern:pattern}...",
)
def psubscribe(client: Client, argv: Sequence[bytes]) -> NoReply:
    return _subscribe(client, client.engine.pubsub.patterns, argv[1:])


@command(
    "PUNSUBSCRIBE",
    arity=-1,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="2.0.0",
    summary="Unsubscribes from glob patterns (all if none given).",
    complexity="O(N) in the number of patterns",
    syntax="[pattern:pattern...]",
)
def punsubscribe(client: Client, argv: Sequence[bytes]) -> NoReply:
    return _unsubscribe(client, client.engine.pubsub.patterns, argv[1:])


@command(
    "SSUBSCRIBE",
    arity=-2,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="7.0.0",
    summary="Subscribes to shard channels.",
    keys=[span("not_key", 1, last=-1)],
    complexity="O(N) in the number of channels",
    syntax="shardchannel...",
)
def ssubscribe(client: Client, argv: Sequence[bytes]) -> NoReply:
    return _subscribe(client, client.engine.pubsub.shards, argv[1:])


@command(
    "SUNSUBSCRIBE",
    arity=-1,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="7.0.0",
    summary="Unsubscribes from shard channels (all if none given).",
    keys=[span("not_key", 1, last=-1)],
    complexity="O(N) in the number of channels",
    syntax="[shardchannel...]",
)
def sunsubscribe(client: Client, argv: Sequence[bytes]) -> NoReply:
    return _unsubscribe(client, client.engine.pubsub.shards, argv[1:])


@command(
    "PUBLISH",
    arity=3,
    flags=PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE,
    group="pubsub",
    since="2.0.0",
    summary="Publishes a message to a channel; returns the number of receivers.",
    complexity="O(N+M), N subscribers of the channel and M patterns of all clients",
    syntax="channel message",
)
def publish(client: Client, argv: Sequence[bytes]) -> int:
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
)
def spublish(client: Client, argv: Sequence[bytes]) -> int:
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
