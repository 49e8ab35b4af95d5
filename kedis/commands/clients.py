"""CLIENT: listing, naming, closing, pausing and unblocking connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.connection_commands import check_client_name
from kedis.commands.help import help_lines
from kedis.commands.parsing.numbers import NumberError, parse_int
from kedis.commands.parsing.options import integer
from kedis.engine.call import unblock
from kedis.engine.client_line import client_line
from kedis.engine.flags import ADMIN, KEEPS_CACHING_CHOICE, LOADING, NOSCRIPT, STALE
from kedis.engine.table import COMMANDS, command, container
from kedis.errors import CommandError, client_errors
from kedis.resp.values import NO_REPLY, OK, Verbatim

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.engine.users import Users

_ORDINARY = NOSCRIPT | LOADING | STALE
_TYPES = {
    b"normal": "normal",
    b"pubsub": "pubsub",
    b"master": "master",
    b"replica": "replica",
    b"slave": "replica",
}

container(
    "CLIENT",
    arity=-2,
    flags=KEEPS_CACHING_CHOICE,
    group="connection",
    since="2.4.0",
    summary="Client connections.",
    complexity="Depends on the subcommand",
)


def _client_type(raw: bytes) -> str:
    kind = _TYPES.get(raw.lower())
    if kind is None:
        raise CommandError(client_errors.unknown_client_type(raw))
    return kind


def _now_running(client: Client, subcommand: bytes) -> None:
    """Set the last command to the running one, for the client's own line in CLIENT LIST."""
    client.last_command = COMMANDS[b"client"].subcommands[subcommand]


@command(
    "CLIENT|ID",
    arity=2,
    flags=_ORDINARY,
    group="connection",
    since="5.0.0",
    summary="Returns the ID of this connection.",
    complexity="O(1)",
)
def client_id(client: Client, _argv: Sequence[bytes]) -> int:
    return client.id


@command(
    "CLIENT|INFO",
    arity=2,
    flags=_ORDINARY,
    group="connection",
    since="6.2.0",
    summary="Describes this connection in one line.",
    complexity="O(1)",
    tips=["nondeterministic_output"],
)
def client_info(client: Client, argv: Sequence[bytes]) -> Verbatim:
    _now_running(client, b"info")
    return Verbatim(client_line(client, argv=argv))


@command(
    "CLIENT|LIST",
    arity=-2,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="2.4.0",
    summary="Lists the connections, one line each; filters: TYPE, ID.",
    complexity="O(N) in the number of connections",
    tips=["nondeterministic_output"],
    syntax=(
        '["TYPE" normal_master_replica_pubsub("NORMAL" | "MASTER" | "REPLICA" | '
        '"PUBSUB")~5.0.0] ["ID" id{client-id:int...}~6.2.0]'
    ),
)
def client_list(client: Client, argv: Sequence[bytes]) -> Verbatim:
    _now_running(client, b"list")
    clients = list(client.engine.clients.values())
    if len(argv) == 4 and argv[2].lower() == b"type":
        kind = _client_type(argv[3])
        clients = [other for other in clients if other.kind == kind]
    elif len(argv) >= 4 and argv[2].lower() == b"id":
        wanted = [integer(raw, client_errors.INVALID_CLIENT_ID) for raw in argv[3:]]
        clients = [client.engine.clients[number] for number in wanted if number in client.engine.clients]
    elif len(argv) != 2:
        raise CommandError(errors.SYNTAX)
    return Verbatim(b"".join([client_line(one, argv=argv if one is client else ()) for one in clients]))


@command(
    "CLIENT|GETNAME",
    arity=2,
    flags=_ORDINARY,
    group="connection",
    since="2.6.9",
    summary="Returns the name of this connection.",
    complexity="O(1)",
)
def client_getname(client: Client, _argv: Sequence[bytes]) -> bytes | None:
    return client.name or None


@command(
    "CLIENT|SETNAME",
    arity=3,
    flags=_ORDINARY,
    group="connection",
    since="2.6.9",
    summary="Sets the name of this connection.",
    complexity="O(1)",
    syntax="connection-name",
)
def client_setname(client: Client, argv: Sequence[bytes]) -> Any:
    check_client_name(argv[2], client_errors.BAD_CLIENT_NAME)
    client.name = argv[2]
    return OK


@command(
    "CLIENT|SETINFO",
    arity=4,
    flags=_ORDINARY,
    group="connection",
    since="7.2.0",
    summary="Sets the name or version of the client library of this connection.",
    complexity="O(1)",
    syntax='attr("LIB-NAME" libname | "LIB-VER" libver)',
)
def client_setinfo(client: Client, argv: Sequence[bytes]) -> Any:
    option = argv[2].lower()
    if option not in (b"lib-name", b"lib-ver"):
        raise CommandError(client_errors.unrecognized_option(argv[2]))
    check_client_name(argv[3], client_errors.bad_library_info(option))
    if option == b"lib-name":
        client.lib_name = argv[3]
    else:
        client.lib_version = argv[3]
    return OK


@command(
    "CLIENT|REPLY",
    arity=3,
    flags=_ORDINARY,
    group="connection",
    since="3.2.0",
    summary="Turns replies on or off, or skips the reply to the next command.",
    complexity="O(1)",
    syntax='on_off_skip("ON" | "OFF" | "SKIP")',
)
def client_reply(client: Client, argv: Sequence[bytes]) -> Any:
    mode = argv[2].lower()
    if mode == b"on":
        client.set_reply_mode("on")
        return OK
    if mode == b"off":
        client.set_reply_mode("off")
    elif mode == b"skip":
        if client.reply_mode != "off":
            client.set_reply_mode("skip")
    else:
        raise CommandError(errors.SYNTAX)
    return NO_REPLY


@command(
    "CLIENT|KILL",
    arity=-3,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="2.4.0",
    summary="Closes connections by address, or by filters: ID, TYPE, USER, ADDR, LADDR, SKIPME.",
    complexity="O(N) in the number of connections",
    syntax=(
        'filter(ip:port!2.8.12 | new-format(["ID" client-id:int~2.8.12] | ["TYPE" '
        'normal_master_slave_pubsub("NORMAL" | "MASTER"~3.2.0 | "SLAVE" | "REPLICA"~5.0.0 | '
        '"PUBSUB")~2.8.12] | ["USER" username] | ["ADDR" ip:port] | ["LADDR" ip:port~6.2.0] | '
        '["SKIPME" yes/no])...)'
    ),
)
def client_kill(client: Client, argv: Sequence[bytes]) -> Any:
    clients = list(client.engine.clients.values())
    if len(argv) == 3:
        address = argv[2].decode("utf-8", "replace")
        for other in clients:
            if other.address == address:
                _kill(client, other)
                return OK
        raise CommandError(client_errors.NO_SUCH_CLIENT)
    matches, skip_me = _kill_filters(client.engine.users, argv)
    killed = 0
    for other in clients:
        if (other is not client or not skip_me) and all(match(other) for match in matches):
            _kill(client, other)
            killed += 1
    return killed


def _kill(client: Client, other: Client) -> None:
    """Close ``client``; the one that asks gets its answer first."""
    if other is client:
        other.close_after_reply = True
    else:
        other.transport.close()


def _kill_filters(users: Users, argv: Sequence[bytes]) -> tuple[list[Callable[[Client], bool]], bool]:
    matches: list[Callable[[Client], bool]] = []
    skip_me = True
    for position in range(2, len(argv), 2):
        if position + 1 == len(argv):
            raise CommandError(errors.SYNTAX)
        option, value = argv[position].lower(), argv[position + 1]
        if option == b"id":
            matches.append(_id_filter(value))
        elif option == b"type":
            matches.append(_type_filter(_client_type(value)))
        elif option == b"addr":
            matches.append(_text_filter("address", value))
        elif option == b"laddr":
            matches.append(_text_filter("local_address", value))
        elif option == b"user":
            matches.append(_user_filter(users, value))
        elif option == b"skipme" and value.lower() in (b"yes", b"no"):
            skip_me = value.lower() == b"yes"
        else:
            raise CommandError(errors.SYNTAX)
    return matches, skip_me


def _id_filter(value: bytes) -> Callable[[Client], bool]:
    try:
        wanted = parse_int(value)
    except NumberError:
        wanted = 0
    if wanted < 1:
        raise CommandError(client_errors.CLIENT_ID_NOT_POSITIVE)
    return lambda client: client.id == wanted


def _user_filter(users: Users, name: bytes) -> Callable[[Client], bool]:
    """A client that has not authenticated counts as one of the default user."""
    user = users.by_name.get(name)
    if user is None:
        raise CommandError(client_errors.no_such_user(name))
    return lambda client: (client.user or users.default) is user


def _type_filter(kind: str) -> Callable[[Client], bool]:
    return lambda client: client.kind == kind


def _text_filter(attribute: str, value: bytes) -> Callable[[Client], bool]:
    wanted = value.decode("utf-8", "replace")
    return lambda client: bool(getattr(client, attribute) == wanted)


@command(
    "CLIENT|PAUSE",
    arity=-3,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="2.9.50",
    summary="Suspends all commands, or only writes, for a number of milliseconds.",
    complexity="O(1)",
    syntax='timeout:int [mode("WRITE" | "ALL")~6.2.0]',
)
def client_pause(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) > 4:
        raise CommandError(errors.wrong_subcommand(argv[1], "client"))
    mode = argv[3].lower() if len(argv) == 4 else b"all"
    if mode not in (b"all", b"write"):
        raise CommandError(client_errors.BAD_PAUSE_MODE)
    milliseconds = integer(argv[2], client_errors.TIMEOUT_NOT_AN_INTEGER)
    if milliseconds < 0:
        raise CommandError(client_errors.TIMEOUT_NEGATIVE)
    client.engine.restrictions.pause(
        client.engine.monotonic() + milliseconds * 1_000_000, writes_only=mode == b"write"
    )
    return OK


@command(
    "CLIENT|UNPAUSE",
    arity=2,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="6.2.0",
    summary="Ends CLIENT PAUSE.",
    complexity="O(N) in the number of paused clients",
)
def client_unpause(client: Client, _argv: Sequence[bytes]) -> Any:
    client.engine.unpause()
    return OK


@command(
    "CLIENT|UNBLOCK",
    arity=-3,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="5.0.0",
    summary="Unblocks a blocked client, with a timeout or an error.",
    complexity="O(1)",
    syntax='client-id:int [timeout_error("TIMEOUT" | "ERROR")]',
)
def client_unblock(client: Client, argv: Sequence[bytes]) -> int:
    if len(argv) > 4:
        raise CommandError(errors.wrong_subcommand(argv[1], "client"))
    reason = argv[3].lower() if len(argv) == 4 else b"timeout"
    if reason not in (b"timeout", b"error"):
        raise CommandError(client_errors.BAD_UNBLOCK_REASON)
    other = client.engine.clients.get(integer(argv[2]))
    return int(
        other is not None
        and unblock(other, CommandError(client_errors.UNBLOCKED) if reason == b"error" else None)
    )


@command(
    "CLIENT|NO-EVICT",
    arity=3,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="7.0.0",
    summary="Exempts this connection from client eviction, or not.",
    complexity="O(1)",
    syntax='enabled("ON" | "OFF")',
)
def client_no_evict(client: Client, argv: Sequence[bytes]) -> Any:
    choice = argv[2].lower()
    if choice not in (b"on", b"off"):
        raise CommandError(errors.SYNTAX)
    client.no_evict = choice == b"on"
    return OK


@command(
    "CLIENT|NO-TOUCH",
    arity=3,
    flags=_ORDINARY,
    group="connection",
    since="7.2.0",
    summary="Turns off, or on, access tracking (LRU, LFU) for the commands of this connection.",
    complexity="O(1)",
    syntax='enabled("ON" | "OFF")',
)
def client_no_touch(client: Client, argv: Sequence[bytes]) -> Any:
    choice = argv[2].lower()
    if choice not in (b"on", b"off"):
        raise CommandError(errors.SYNTAX)
    client.no_touch = choice == b"on"
    client.update_checks()
    return OK


@command(
    "CLIENT|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="connection",
    since="5.0.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def client_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("CLIENT")
