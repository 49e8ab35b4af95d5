"""Server commands: INFO, SHUTDOWN, ROLE, WAIT, LOLWUT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.options import integer
from kedis.engine.flags import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_MULTI,
    NOSCRIPT,
    READONLY,
    STALE,
)
from kedis.engine.table import command
from kedis.errors import CommandError
from kedis.resp.values import NO_REPLY, Verbatim
from kedis.version import REDIS_VERSION

if TYPE_CHECKING:
    from kedis.engine.client import Client

_SHUTDOWN_OPTIONS = frozenset([b"save", b"nosave", b"now", b"force", b"abort"])


@command(
    "INFO",
    arity=-1,
    flags=LOADING | STALE,
    group="server",
    since="1.0.0",
    summary="Returns server information and statistics by section.",
    complexity="O(N) in the number of commands, databases and clients",
    categories="dangerous",
    tips=["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    syntax="[section...]",
)
def info(client: Client, argv: Sequence[bytes]) -> Verbatim:
    return Verbatim(client.engine.observer.info(argv[1:]))


@command(
    "SHUTDOWN",
    arity=-1,
    flags=ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY,
    group="server",
    since="1.0.0",
    summary="Syncs all data to disk and stops the server; ABORT finds nothing to abort.",
    complexity="O(N) in the bytes left to write",
    syntax='[nosave_save("NOSAVE" | "SAVE")] ["NOW"~7.0.0] ["FORCE"~7.0.0] ["ABORT"~7.0.0]',
)
def shutdown(client: Client, argv: Sequence[bytes]) -> Any:
    options = {word.lower() for word in argv[1:]}
    if (
        not options <= _SHUTDOWN_OPTIONS
        or {b"save", b"nosave"} <= options
        or (b"abort" in options and len(options) > 1)
    ):
        raise CommandError(errors.SYNTAX)
    if b"abort" in options:
        raise CommandError(errors.NO_SHUTDOWN)
    busy = client.engine.restrictions.busy
    if busy is not None and b"nosave" not in options:  # half of what the script does would be saved
        raise CommandError(busy)
    client.engine.process.shut_down(frozenset(word.decode() for word in options))
    client.close_after_reply = True
    return NO_REPLY


@command(
    "ROLE",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST,
    group="server",
    since="2.8.12",
    summary="Returns the replication role.",
    complexity="O(1)",
    categories="admin dangerous",
)
def role(client: Client, _argv: Sequence[bytes]) -> list[Any]:
    upstream = client.engine.following.upstream
    return [b"master", 0, []] if upstream is None else upstream.role()


@command(
    "WAIT",
    arity=3,
    flags=NOSCRIPT,
    group="generic",
    since="3.0.0",
    summary="Always 0: there are no replicas.",
    complexity="O(1)",
    categories="connection -keyspace",
    tips=["request_policy:all_shards", "response_policy:agg_min"],
    syntax="numreplicas:int timeout:int",
)
def wait(_client: Client, argv: Sequence[bytes]) -> int:
    integer(argv[1])
    if integer(argv[2], errors.TIMEOUT_NOT_AN_INTEGER) < 0:
        raise CommandError(errors.TIMEOUT_NEGATIVE)
    return 0


_PICTURE = b"""\
        .--------.
       /  k e d  /|
      .---------. |
      |  i s  > | |
      | SET me  | /
      '---------'
"""


@command(
    "LOLWUT",
    arity=-1,
    flags=READONLY | FAST,
    group="server",
    since="5.0.0",
    summary="Draws a picture and returns the server version.",
    complexity="O(1)",
    syntax='["VERSION" version:int]',
)
def lolwut(_client: Client, argv: Sequence[bytes]) -> Verbatim:
    if len(argv) >= 3 and argv[1].lower() == b"version":
        integer(argv[2])
    return Verbatim(_PICTURE + f"\nRedis ver. {REDIS_VERSION}\n".encode())
