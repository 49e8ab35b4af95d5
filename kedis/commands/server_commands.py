"""Server commands: INFO, SHUTDOWN, LOLWUT."""

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
from kedis.errors import CommandError, server_errors
from kedis.resp.values import NO_REPLY, OK, Verbatim
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
    summary="Waits for replicas, syncs all data to disk and stops the server.",
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
        if not client.engine.process.abort_shutdown():
            raise CommandError(server_errors.NO_SHUTDOWN)
        return OK
    busy = client.engine.restrictions.busy
    if busy is not None and b"nosave" not in options:  # half of what the script does would be saved
        raise CommandError(busy)
    process = client.engine.process
    process.shut_down(frozenset(word.decode() for word in options))
    if process.shutdown_waits:
        client.engine.blocking.wait_for_task(client, argv)
        process.join_shutdown(client.blocked)
        return NO_REPLY
    # A server that ends closes everybody last: who finds the connection closed finds nobody listening, and no save.
    client.close_after_reply = not client.engine.restrictions.ended
    return NO_REPLY


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
