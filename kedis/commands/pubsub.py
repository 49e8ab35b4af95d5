"""Publish and subscribe: messages from whoever publishes to whoever has subscribed, kept nowhere.

SUBSCRIBE and its like answer with a message for each name, in the form of the messages to come (a push in RESP3), and
even where CLIENT REPLY has turned replies off.  A RESP2 client that has subscribed may say little else (see
:data:`kedis.engine.engine._PUBSUB_ALLOWED`), for it could not tell replies from messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.engine.table import FAST, LOADING, NOSCRIPT, PUBSUB, STALE, command, container, span
from kedis.errors import CommandError
from kedis.resp.values import NO_REPLY, NoReply
from kedis.store.pubsub import Message, Subscriptions
from kedis.structures.glob import compile_glob

if TYPE_CHECKING:
    from kedis.engine.client import Session

_SUBSCRIBER = PUBSUB | NOSCRIPT | LOADING | STALE


def _confirm(ctx: Session, verb: bytes, kind: Subscriptions, name: bytes | None) -> None:
    """Tell of one name and how many subscriptions are left; shard channels are counted on their own."""
    count = len(ctx.subscribed["shard"])
    if kind.kind != "shard":
        count = ctx.subscriptions - count
    ctx.push(Message(kind.prefix + verb, name, count).wire(ctx.resp))


def _subscribe(ctx: Session, kind: Subscriptions, names: Sequence[bytes]) -> NoReply:
    for name in names:
        kind.add(ctx, name)
        _confirm(ctx, b"subscribe", kind, name)
    ctx.update_guard()
    return NO_REPLY


def _unsubscribe(ctx: Session, kind: Subscriptions, names: Sequence[bytes]) -> NoReply:
    """From ``names``, or where there are none from all."""
    for name in names or list(ctx.subscribed[kind.kind]) or (None,):
        if name is not None:
            kind.remove(ctx, name)
        _confirm(ctx, b"unsubscribe", kind, name)
    ctx.update_guard()
    return NO_REPLY


@command(
    "SUBSCRIBE",
    arity=-2,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="2.0.0",
    summary="Receives the messages published to the channels from now on.",
    complexity="O(N) in the number of channels.",
)
def subscribe(ctx: Session, argv: Sequence[bytes]) -> NoReply:
    return _subscribe(ctx, ctx.engine.pubsub.channels, argv[1:])


@command(
    "UNSUBSCRIBE",
    arity=-1,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="2.0.0",
    summary="Receives the messages of the channels, or of all, no longer.",
    complexity="O(N) in the number of channels.",
)
def unsubscribe(ctx: Session, argv: Sequence[bytes]) -> NoReply:
    return _unsubscribe(ctx, ctx.engine.pubsub.channels, argv[1:])


@command(
    "PSUBSCRIBE",
    arity=-2,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="2.0.0",
    summary="Receives the messages published to any channel that matches one of the patterns.",
    complexity="O(N) in the number of patterns.",
)
def psubscribe(ctx: Session, argv: Sequence[bytes]) -> NoReply:
    return _subscribe(ctx, ctx.engine.pubsub.patterns, argv[1:])


@command(
    "PUNSUBSCRIBE",
    arity=-1,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="2.0.0",
    summary="Takes subscriptions to the patterns, or to all, back.",
    complexity="O(N) in the number of patterns.",
)
def punsubscribe(ctx: Session, argv: Sequence[bytes]) -> NoReply:
    return _unsubscribe(ctx, ctx.engine.pubsub.patterns, argv[1:])


@command(
    "SSUBSCRIBE",
    arity=-2,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="7.0.0",
    summary="Receives the messages published to the shard channels from now on.",
    keys=[span("not_key", 1, last=-1)],
    complexity="O(N) in the number of channels.",
)
def ssubscribe(ctx: Session, argv: Sequence[bytes]) -> NoReply:
    return _subscribe(ctx, ctx.engine.pubsub.shards, argv[1:])


@command(
    "SUNSUBSCRIBE",
    arity=-1,
    flags=_SUBSCRIBER,
    group="pubsub",
    since="7.0.0",
    summary="Receives the messages of the shard channels, or of all, no longer.",
    keys=[span("not_key", 1, last=-1)],
    complexity="O(N) in the number of channels.",
)
def sunsubscribe(ctx: Session, argv: Sequence[bytes]) -> NoReply:
    return _unsubscribe(ctx, ctx.engine.pubsub.shards, argv[1:])


@command(
    "PUBLISH",
    arity=3,
    flags=PUBSUB | LOADING | STALE | FAST,
    group="pubsub",
    since="2.0.0",
    summary="Sends a message to the subscribers of a channel and answers how often it was delivered.",
    complexity="O(N+M), N subscribers of the channel and M patterns of all clients.",
)
def publish(ctx: Session, argv: Sequence[bytes]) -> int:
    return ctx.engine.pubsub.publish(argv[1], argv[2])


@command(
    "SPUBLISH",
    arity=3,
    flags=PUBSUB | LOADING | STALE | FAST,
    group="pubsub",
    since="7.0.0",
    summary="Sends a message to the subscribers of a shard channel.",
    keys=[span("not_key", 1)],
    complexity="O(N) in the number of subscribers.",
)
def spublish(ctx: Session, argv: Sequence[bytes]) -> int:
    return ctx.engine.pubsub.publish_shard(argv[1], argv[2])


container(
    "PUBSUB",
    arity=-2,
    group="pubsub",
    since="2.8.0",
    summary="Commands about channels and their subscribers.",
    complexity="Depends on the subcommand.",
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
    summary="Lists the channels that have subscribers, or those of them that match a pattern.",
    complexity="O(N) in the number of channels.",
)
def pubsub_channels(ctx: Session, argv: Sequence[bytes]) -> list[bytes]:
    return _names(ctx.engine.pubsub.channels, argv)


@command(
    "PUBSUB|NUMSUB",
    arity=-2,
    flags=PUBSUB | LOADING | STALE,
    group="pubsub",
    since="2.8.0",
    summary="Counts the subscribers of channels.",
    complexity="O(N) in the number of channels asked for.",
)
def pubsub_numsub(ctx: Session, argv: Sequence[bytes]) -> list[bytes | int]:
    return _counts(ctx.engine.pubsub.channels, argv[2:])


@command(
    "PUBSUB|NUMPAT",
    arity=2,
    flags=PUBSUB | LOADING | STALE,
    group="pubsub",
    since="2.8.0",
    summary="Counts the different patterns that clients have subscribed to.",
    complexity="O(1)",
)
def pubsub_numpat(ctx: Session, _argv: Sequence[bytes]) -> int:
    return len(ctx.engine.pubsub.patterns)


@command(
    "PUBSUB|SHARDCHANNELS",
    arity=-2,
    flags=PUBSUB | LOADING | STALE,
    group="pubsub",
    since="7.0.0",
    summary="Lists the shard channels that have subscribers, or those of them that match a pattern.",
    complexity="O(N) in the number of shard channels.",
)
def pubsub_shardchannels(ctx: Session, argv: Sequence[bytes]) -> list[bytes]:
    return _names(ctx.engine.pubsub.shards, argv)


@command(
    "PUBSUB|SHARDNUMSUB",
    arity=-2,
    flags=PUBSUB | LOADING | STALE,
    group="pubsub",
    since="7.0.0",
    summary="Counts the subscribers of shard channels.",
    complexity="O(N) in the number of channels asked for.",
)
def pubsub_shardnumsub(ctx: Session, argv: Sequence[bytes]) -> list[bytes | int]:
    return _counts(ctx.engine.pubsub.shards, argv[2:])


@command(
    "PUBSUB|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="pubsub",
    since="6.2.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def pubsub_help(ctx: Session, _argv: Sequence[bytes]) -> Any:
    return help_lines(ctx, "PUBSUB")
