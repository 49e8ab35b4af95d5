"""CLIENT: what the server knows of its connections, and what one connection may do to the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.connection import check_client_name
from kedis.commands.help import help_lines
from kedis.commands.parsing.numbers import NumberError, parse_int
from kedis.commands.parsing.options import integer
from kedis.engine.table import ADMIN, LOADING, NOSCRIPT, STALE, command, container
from kedis.errors import CommandError
from kedis.resp.values import NO_REPLY, OK, Verbatim

if TYPE_CHECKING:
    from kedis.engine.client import Session

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
    group="connection",
    since="2.4.0",
    summary="Commands about client connections.",
    complexity="Depends on the subcommand.",
)


def _type_of(session: Session) -> str:
    return "pubsub" if session.subscriptions else "normal"


def _client_type(raw: bytes) -> str:
    kind = _TYPES.get(raw.lower())
    if kind is None:
        raise CommandError(errors.unknown_client_type(raw))
    return kind


#: Bytes of main memory that a connection takes while nothing waits in its buffers: session, socket, parser, greenlet
#: and its stack.  Measured: the process grows by 11.7 to 12.0 kB a client.
_IDLE_BYTES = 11_800


def describe(session: Session) -> bytes:
    """The line that CLIENT LIST prints for ``session``, with Redis's fields."""
    now = session.engine.monotonic()
    transport = session.transport
    waiting = transport.output_bytes()
    pending = transport.input_bytes()
    buffers = transport.buffers()
    reply_list = session.out.__sizeof__()
    queue = session.queue
    queued_bytes = sum(sum(map(len, argv)) for argv in queue) if queue else 0
    caching = session.caching
    command = session.last_command
    fields: tuple[tuple[str, Any], ...] = (
        ("id", session.id),
        ("addr", session.address),
        ("laddr", session.local_address),
        ("fd", transport.fd),
        ("name", session.name.decode()),
        ("age", (now - session.created_ns) // 1_000_000_000),
        ("idle", max(0, now - session.last_interaction_ns) // 1_000_000_000),
        ("flags", _flags(session)),
        ("db", session.database),
        ("sub", len(session.subscribed["channel"])),
        ("psub", len(session.subscribed["pattern"])),
        ("ssub", len(session.subscribed["shard"])),
        ("multi", -1 if queue is None else len(queue)),
        ("qbuf", pending),
        ("qbuf-free", buffers.room),
        ("argv-mem", 0),
        ("multi-mem", queued_bytes),
        ("rbs", reply_list),
        ("rbp", 0),
        ("obl", 0),
        ("oll", buffers.chunks),
        ("omem", waiting),
        ("tot-mem", _IDLE_BYTES + reply_list + waiting + pending + buffers.room + queued_bytes),
        ("events", buffers.events),
        ("cmd", command.name if command is not None else "NULL"),
        ("user", session.user.decode()),
        ("redir", -1 if caching is None else caching.redirect),
        ("resp", session.resp),
    )
    if session.lib_name or session.lib_version:  # of Redis 7.2, for those who speak of it themselves
        fields += (("lib-name", session.lib_name.decode()), ("lib-ver", session.lib_version.decode()))
    return " ".join(f"{name}={value}" for name, value in fields).encode() + b"\n"


def _flags(session: Session) -> str:
    caching = session.caching
    flags = {
        "O": session in session.engine.monitors,
        "P": session.subscriptions > 0,
        "x": session.queue is not None,
        "b": session.blocked is not None,
        "t": caching is not None,
        "R": caching is not None and caching.broken,
        "B": caching is not None and caching.broadcast,
        "d": session.watch_broken,
        "c": session.close_after_reply,
        "U": session.transport.kind == "unix",
        "e": session.no_evict,
    }
    return "".join(letter for letter, holds in flags.items() if holds) or "N"


def _now_running(ctx: Session, subcommand: bytes) -> None:
    """Let the client's own line name the command that asks for it."""
    ctx.last_command = ctx.engine.commands[b"client"].subcommands[subcommand]


@command(
    "CLIENT|ID",
    arity=2,
    flags=_ORDINARY,
    group="connection",
    since="5.0.0",
    summary="Answers with the id of this connection.",
    complexity="O(1)",
)
def client_id(ctx: Session, _argv: Sequence[bytes]) -> int:
    return ctx.id


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
def client_info(ctx: Session, _argv: Sequence[bytes]) -> Verbatim:
    _now_running(ctx, b"info")
    return Verbatim(describe(ctx))


@command(
    "CLIENT|LIST",
    arity=-2,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="2.4.0",
    summary="Describes the connections, a line each; TYPE or ID choose some of them.",
    complexity="O(N), N being the connections",
    tips=["nondeterministic_output"],
)
def client_list(ctx: Session, argv: Sequence[bytes]) -> Verbatim:
    _now_running(ctx, b"list")
    sessions = list(ctx.engine.sessions.values())
    if len(argv) == 4 and argv[2].lower() == b"type":
        kind = _client_type(argv[3])
        sessions = [session for session in sessions if _type_of(session) == kind]
    elif len(argv) >= 4 and argv[2].lower() == b"id":
        wanted = [integer(raw, errors.INVALID_CLIENT_ID) for raw in argv[3:]]
        sessions = [ctx.engine.sessions[number] for number in wanted if number in ctx.engine.sessions]
    elif len(argv) != 2:
        raise CommandError(errors.SYNTAX)
    return Verbatim(b"".join(map(describe, sessions)))


@command(
    "CLIENT|GETNAME",
    arity=2,
    flags=_ORDINARY,
    group="connection",
    since="2.6.9",
    summary="Answers with the name of this connection.",
    complexity="O(1)",
)
def client_getname(ctx: Session, _argv: Sequence[bytes]) -> bytes | None:
    return ctx.name or None


@command(
    "CLIENT|SETNAME",
    arity=3,
    flags=_ORDINARY,
    group="connection",
    since="2.6.9",
    summary="Names this connection.",
    complexity="O(1)",
)
def client_setname(ctx: Session, argv: Sequence[bytes]) -> Any:
    check_client_name(argv[2], errors.BAD_CLIENT_NAME)
    ctx.name = argv[2]
    return OK


@command(
    "CLIENT|SETINFO",
    arity=4,
    flags=_ORDINARY,
    group="connection",
    since="7.2.0",
    summary="Tells the name (LIB-NAME) or version (LIB-VER) of the client's library.",
    complexity="O(1)",
)
def client_setinfo(ctx: Session, argv: Sequence[bytes]) -> Any:
    option = argv[2].lower()
    if option not in (b"lib-name", b"lib-ver"):
        raise CommandError(errors.unrecognized_option(argv[2]))
    check_client_name(argv[3], errors.bad_library_info(option))
    if option == b"lib-name":
        ctx.lib_name = argv[3]
    else:
        ctx.lib_version = argv[3]
    return OK


@command(
    "CLIENT|REPLY",
    arity=3,
    flags=_ORDINARY,
    group="connection",
    since="3.2.0",
    summary="Turns replies ON or OFF, or SKIPs the one to the next command.",
    complexity="O(1)",
)
def client_reply(ctx: Session, argv: Sequence[bytes]) -> Any:
    mode = argv[2].lower()
    if mode == b"on":
        ctx.set_reply_mode("on")
        return OK
    if mode == b"off":
        ctx.set_reply_mode("off")
    elif mode == b"skip":
        if ctx.reply_mode != "off":
            ctx.set_reply_mode("skip")
    else:
        raise CommandError(errors.SYNTAX)
    return NO_REPLY


@command(
    "CLIENT|KILL",
    arity=-3,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="2.4.0",
    summary="Closes connections, by address or by the filters ID, TYPE, USER, ADDR, LADDR, SKIPME.",
    complexity="O(N), N being the connections",
)
def client_kill(ctx: Session, argv: Sequence[bytes]) -> Any:
    sessions = list(ctx.engine.sessions.values())
    if len(argv) == 3:
        address = argv[2].decode("utf-8", "replace")
        for session in sessions:
            if session.address == address:
                _kill(ctx, session)
                return OK
        raise CommandError(errors.NO_SUCH_CLIENT)
    matches, skip_me = _kill_filters(argv)
    killed = 0
    for session in sessions:
        if (session is not ctx or not skip_me) and all(match(session) for match in matches):
            _kill(ctx, session)
            killed += 1
    return killed


def _kill(ctx: Session, session: Session) -> None:
    """Close ``session``; the one that asks gets its answer first."""
    if session is ctx:
        session.close_after_reply = True
    else:
        session.transport.close()


def _kill_filters(argv: Sequence[bytes]) -> tuple[list[Callable[[Session], bool]], bool]:
    matches: list[Callable[[Session], bool]] = []
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
            if value != b"default":
                raise CommandError(errors.no_such_user(value))
        elif option == b"skipme" and value.lower() in (b"yes", b"no"):
            skip_me = value.lower() == b"yes"
        else:
            raise CommandError(errors.SYNTAX)
    return matches, skip_me


def _id_filter(value: bytes) -> Callable[[Session], bool]:
    try:
        wanted = parse_int(value)
    except NumberError:
        wanted = 0
    if wanted < 1:
        raise CommandError(errors.CLIENT_ID_NOT_POSITIVE)
    return lambda session: session.id == wanted


def _type_filter(kind: str) -> Callable[[Session], bool]:
    return lambda session: _type_of(session) == kind


def _text_filter(attribute: str, value: bytes) -> Callable[[Session], bool]:
    wanted = value.decode("utf-8", "replace")
    return lambda session: bool(getattr(session, attribute) == wanted)


@command(
    "CLIENT|PAUSE",
    arity=-3,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="2.9.50",
    summary="Holds the commands of all clients (ALL) or their writes (WRITE) back for some milliseconds.",
    complexity="O(1)",
)
def client_pause(ctx: Session, argv: Sequence[bytes]) -> Any:
    if len(argv) > 4:
        raise CommandError(errors.wrong_subcommand(argv[1], "client"))
    mode = argv[3].lower() if len(argv) == 4 else b"all"
    if mode not in (b"all", b"write"):
        raise CommandError(errors.BAD_PAUSE_MODE)
    milliseconds = integer(argv[2], errors.TIMEOUT_NOT_AN_INTEGER)
    if milliseconds < 0:
        raise CommandError(errors.TIMEOUT_NEGATIVE)
    ctx.engine.admission.pause(
        ctx.engine.monotonic() + milliseconds * 1_000_000, writes_only=mode == b"write"
    )
    return OK


@command(
    "CLIENT|UNPAUSE",
    arity=2,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="6.2.0",
    summary="Ends a pause.",
    complexity="O(N), N being the clients that wait",
)
def client_unpause(ctx: Session, _argv: Sequence[bytes]) -> Any:
    ctx.engine.admission.unpause()
    return OK


@command(
    "CLIENT|UNBLOCK",
    arity=-3,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="5.0.0",
    summary="Wakes a client that a blocking command holds, as if by TIMEOUT or with an ERROR.",
    complexity="O(1)",
)
def client_unblock(ctx: Session, argv: Sequence[bytes]) -> int:
    if len(argv) > 4:
        raise CommandError(errors.wrong_subcommand(argv[1], "client"))
    reason = argv[3].lower() if len(argv) == 4 else b"timeout"
    if reason not in (b"timeout", b"error"):
        raise CommandError(errors.BAD_UNBLOCK_REASON)
    session = ctx.engine.sessions.get(integer(argv[2]))
    return int(session is not None and ctx.engine.blocking.unblock(session, error=reason == b"error"))


@command(
    "CLIENT|NO-EVICT",
    arity=3,
    flags=ADMIN | _ORDINARY,
    group="connection",
    since="7.0.0",
    summary="Exempts this connection (ON) from the eviction of clients, or no longer (OFF).",
    complexity="O(1)",
)
def client_no_evict(ctx: Session, argv: Sequence[bytes]) -> Any:
    choice = argv[2].lower()
    if choice not in (b"on", b"off"):
        raise CommandError(errors.SYNTAX)
    ctx.no_evict = choice == b"on"
    return OK


@command(
    "CLIENT|NO-TOUCH",
    arity=3,
    flags=_ORDINARY,
    group="connection",
    since="7.2.0",
    summary="Has this connection's commands not count as a use of their keys (ON), or count again (OFF).",
    complexity="O(1)",
)
def client_no_touch(ctx: Session, argv: Sequence[bytes]) -> Any:
    choice = argv[2].lower()
    if choice not in (b"on", b"off"):
        raise CommandError(errors.SYNTAX)
    ctx.no_touch = choice == b"on"
    ctx.update_guard()
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
def client_help(ctx: Session, _argv: Sequence[bytes]) -> Any:
    return help_lines(ctx, "CLIENT")
