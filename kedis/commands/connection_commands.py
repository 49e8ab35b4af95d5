"""Commands about the connection itself: PING, ECHO, SELECT, AUTH, HELLO, RESET, QUIT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.numbers import NumberError, parse_int
from kedis.commands.parsing.options import database_number
from kedis.engine.denials import log_failed_login
from kedis.engine.flags import (
    ALLOW_BUSY,
    ANSWERS_DISK_ERROR,
    FAST,
    LOADING,
    NO_AUTH,
    NOSCRIPT,
    NOT_QUEUED,
    SELECTS_DATABASE,
    STALE,
    WHILE_SUBSCRIBED,
)
from kedis.engine.table import command
from kedis.errors import CommandError, client_errors
from kedis.resp.values import OK, PONG, SimpleString
from kedis.version import REDIS_VERSION

if TYPE_CHECKING:
    from kedis.engine.client import Client


@command(
    "PING",
    arity=-1,
    flags=FAST | WHILE_SUBSCRIBED | ANSWERS_DISK_ERROR,
    group="connection",
    since="1.0.0",
    summary="Replies PONG, or the message.",
    complexity="O(1)",
    tips=["request_policy:all_shards", "response_policy:all_succeeded"],
    syntax="[message]",
)
def ping(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) > 2:
        raise CommandError(errors.wrong_arity("ping"))
    if client.resp == 2 and client.subscriptions:
        return [b"pong", argv[1] if len(argv) == 2 else b""]
    return PONG if len(argv) == 1 else argv[1]


@command(
    "ECHO",
    arity=2,
    flags=LOADING | STALE | FAST,
    group="connection",
    since="1.0.0",
    summary="Replies with the message.",
    complexity="O(1)",
    syntax="message",
)
def echo(_client: Client, argv: Sequence[bytes]) -> bytes:
    return argv[1]


@command(
    "SELECT",
    arity=2,
    flags=LOADING | STALE | FAST | SELECTS_DATABASE,
    group="connection",
    since="1.0.0",
    summary="Selects the database of this connection.",
    complexity="O(1)",
    syntax="index:int",
)
def select(client: Client, argv: Sequence[bytes]) -> Any:
    client.select(database_number(argv[1], len(client.engine.keyspace.databases)))
    return OK


#: AUTH takes a user and a password.
_LOGIN = 2
#: The options of HELLO, and how many values they take.
_HELLO_OPTIONS = {b"AUTH": _LOGIN, b"SETNAME": 1}


def authenticate(client: Client, argv: Sequence[bytes], user: bytes, password: bytes) -> None:
    """Log ``client`` in as ``user``, as ``argv`` asks. Raises WRONGPASS."""
    known = client.engine.users.authenticate(user, password)
    if known is None:
        log_failed_login(client, argv, user)
        raise CommandError(client_errors.WRONG_PASSWORD)
    client.log_in(known)


@command(
    "AUTH",
    arity=-2,
    flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY,
    group="connection",
    since="1.0.0",
    summary="Authenticates this connection by password, or by user and password.",
    secrets=lambda argv: range(1, len(argv)),
    complexity="O(1)",
    syntax="[username~6.0.0] password",
)
def auth(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) > 3:
        raise CommandError(errors.SYNTAX)
    if len(argv) == 2:
        if not client.engine.users.default_has_password:
            raise CommandError(client_errors.AUTH_WITHOUT_PASSWORD)
        authenticate(client, argv, b"default", argv[1])
    else:
        authenticate(client, argv, argv[1], argv[2])
    return OK


def check_client_name(name: bytes, error: str) -> None:
    """Refuse names with bytes outside of 0x21 to 0x7E, which would break the lines of CLIENT LIST."""
    if any(not 0x21 <= byte <= 0x7E for byte in name):
        raise CommandError(error)


def _hello_secrets(argv: Sequence[bytes]) -> list[int]:
    positions: list[int] = []
    at = 2
    while at < len(argv):
        values = _HELLO_OPTIONS.get(argv[at].upper(), 0)
        if values == _LOGIN:
            positions += range(at + 1, at + 1 + values)
        at += 1 + values
    return positions


@command(
    "HELLO",
    arity=-1,
    flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY,
    group="connection",
    since="6.0.0",
    summary="Selects the protocol version; optionally authenticates and names the connection.",
    secrets=_hello_secrets,
    complexity="O(1)",
    syntax=('[arguments{protover:int ["AUTH" username_password{username password}] ["SETNAME" clientname]}]'),
)
def hello(client: Client, argv: Sequence[bytes]) -> Any:
    protocol = 0
    if len(argv) > 1:
        try:
            protocol = parse_int(argv[1])
        except NumberError:
            raise CommandError(client_errors.PROTOCOL_NOT_A_NUMBER) from None
        if protocol not in (2, 3):
            raise CommandError(client_errors.UNSUPPORTED_PROTOCOL)
    _apply_hello_options(client, argv)
    if client.user is None:
        raise CommandError(client_errors.HELLO_NEEDS_AUTH)
    if protocol:
        client.speak(protocol)
        client.update_checks()
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": client.resp,
        b"id": client.id,
        b"mode": b"standalone",
        b"role": b"master" if client.engine.following.upstream is None else b"replica",
        b"modules": [],
    }


def protocol_of_hello(client: Client, argv: Sequence[bytes]) -> int:
    """The protocol that HELLO would change to, without running it; 0 for none, as where it would fail. O(words)."""
    if len(argv) < 2 or argv[1] not in (b"2", b"3"):
        return 0
    position = 2
    while position < len(argv):
        option, values = argv[position].upper(), argv[position + 1 :]
        if (
            option == b"AUTH"
            and len(values) > 1
            and client.engine.users.authenticate(*values[:2]) is not None
        ):
            position += 3
        elif option == b"SETNAME" and values and all(0x21 <= byte <= 0x7E for byte in values[0]):
            position += 2
        else:
            return 0
    return int(argv[1])


def _apply_hello_options(client: Client, argv: Sequence[bytes]) -> None:
    """Apply the options in order; as in Redis those before an invalid one stay applied."""
    position = 2
    while position < len(argv):
        option = argv[position].upper()
        if option == b"AUTH" and position + 2 < len(argv):
            authenticate(client, argv, argv[position + 1], argv[position + 2])
            position += 3
        elif option == b"SETNAME" and position + 1 < len(argv):
            check_client_name(argv[position + 1], client_errors.BAD_CLIENT_NAME)
            client.name = argv[position + 1]
            position += 2
        else:
            raise CommandError(client_errors.hello_option(argv[position]))


@command(
    "RESET",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | NOT_QUEUED | WHILE_SUBSCRIBED,
    group="connection",
    since="6.2.0",
    summary="Resets this connection to the state of a new one.",
    complexity="O(1)",
)
def reset(client: Client, _argv: Sequence[bytes]) -> Any:
    client.release()
    client.name = b""
    client.reset()
    return SimpleString(b"RESET")


@command(
    "QUIT",
    arity=-1,
    flags=NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | NOT_QUEUED | WHILE_SUBSCRIBED,
    group="connection",
    since="1.0.0",
    summary="Replies OK and closes the connection.",
    complexity="O(1)",
)
def quit_(client: Client, _argv: Sequence[bytes]) -> Any:
    client.close_after_reply = True
    return OK
