"""Lua scripts: EVAL and its like, and SCRIPT. How they run is in :mod:`kedis.scripting`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kedis.commands.help import help_lines
from kedis.commands.parsing.options import integer
from kedis.engine.client import Client, Services
from kedis.engine.flags import (
    ALLOW_BUSY,
    LOADING,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    SKIP_MONITOR,
    STALE,
)
from kedis.engine.instrumentation import show
from kedis.engine.keyspec import counted
from kedis.engine.table import command, container
from kedis.errors import CommandError
from kedis.errors import script_texts as texts
from kedis.resp.values import OK, SimpleString
from kedis.scripting.headers import call_flags, script_flags
from kedis.scripting.service import service_of

_FLAGS = NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS
_SYNTAX = "numkeys:int [key@0...] [arg...]"
_COMPLEXITY = "That of the script"


def script_arguments(argv: Sequence[bytes], count: int) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """The keys and the other arguments of a script or function, ``count`` of which are keys.  Raises CommandError."""
    if count > len(argv) - 3:
        raise CommandError(texts.MORE_KEYS_THAN_ARGUMENTS)
    if count < 0:
        raise CommandError(texts.NEGATIVE_KEYS)
    return argv[3 : 3 + count], argv[3 + count :]


def show_to_monitors(client: Client, argv: Sequence[bytes]) -> None:
    """Tell the monitors of a script before they are told of its commands."""
    engine = client.engine
    if engine.monitors:
        show(client, engine.table.resolve(argv), argv)


def _stated(script: bytes) -> int | None:
    """The flags in the header of ``script``; None where that is wrong."""
    try:
        return script_flags(script)[0]
    except CommandError:
        return None


def _evaluate(client: Client, argv: Sequence[bytes], *, read_only: bool) -> Any:
    service = service_of(client.engine)
    if argv[1].startswith(b"#!") and (flags := _stated(argv[1])) is not None:
        service.admit(flags)
    show_to_monitors(client, argv)
    keys, arguments = script_arguments(argv, integer(argv[2]))
    digest = service.load(argv[1])
    return service.run_script(client, argv, digest, keys, arguments, read_only=read_only)


def _evaluate_sha(client: Client, argv: Sequence[bytes], *, read_only: bool) -> Any:
    service = service_of(client.engine)
    flags = service.flags_of(argv[1])
    if flags is not None:
        service.admit(flags)
    show_to_monitors(client, argv)
    keys, arguments = script_arguments(argv, integer(argv[2]))
    return service.run_script(client, argv, argv[1], keys, arguments, read_only=read_only)


def _flags_by_text(command_flags: int) -> Callable[[Services, Sequence[bytes]], int]:
    """The flags of an EVAL by the header of its script; a wrong one is an error when it runs."""

    def flags(_engine: Services, argv: Sequence[bytes]) -> int:
        found = _stated(argv[1])
        return command_flags if found is None else call_flags(found, command_flags)

    return flags


def _flags_by_digest(command_flags: int) -> Callable[[Services, Sequence[bytes]], int]:
    """The flags of an EVALSHA by the script that it finds."""

    def flags(engine: Services, argv: Sequence[bytes]) -> int:
        found = service_of(engine).flags_of(argv[1])
        return command_flags if found is None else call_flags(found, command_flags)

    return flags


@command(
    "EVAL",
    arity=-3,
    flags=_FLAGS | MAY_REPLICATE,
    stated_flags=_flags_by_text(_FLAGS | MAY_REPLICATE),
    group="scripting",
    since="2.6.0",
    summary="Runs a Lua script.",
    keys=[counted("RW access update", 2)],
    complexity=_COMPLEXITY,
    syntax=f"script {_SYNTAX}",
)
def eval_(client: Client, argv: Sequence[bytes]) -> Any:
    return _evaluate(client, argv, read_only=False)


@command(
    "EVALSHA",
    arity=-3,
    flags=_FLAGS | MAY_REPLICATE,
    stated_flags=_flags_by_digest(_FLAGS | MAY_REPLICATE),
    group="scripting",
    since="2.6.0",
    summary="Runs a cached Lua script, named by its SHA-1 digest.",
    keys=[counted("RW access update", 2)],
    complexity=_COMPLEXITY,
    syntax=f"sha1 {_SYNTAX}",
)
def evalsha(client: Client, argv: Sequence[bytes]) -> Any:
    return _evaluate_sha(client, argv, read_only=False)


@command(
    "EVAL_RO",
    arity=-3,
    flags=_FLAGS | READONLY,
    stated_flags=_flags_by_text(_FLAGS | READONLY),
    group="scripting",
    since="7.0.0",
    summary="Runs a Lua script that only reads.",
    keys=[counted("RO access", 2)],
    complexity=_COMPLEXITY,
    syntax=f"script {_SYNTAX}",
)
def eval_ro(client: Client, argv: Sequence[bytes]) -> Any:
    return _evaluate(client, argv, read_only=True)


@command(
    "EVALSHA_RO",
    arity=-3,
    flags=_FLAGS | READONLY,
    stated_flags=_flags_by_digest(_FLAGS | READONLY),
    group="scripting",
    since="7.0.0",
    summary="Runs a cached Lua script that only reads, named by its SHA-1 digest.",
    keys=[counted("RO access", 2)],
    complexity=_COMPLEXITY,
    syntax=f"sha1 {_SYNTAX}",
)
def evalsha_ro(client: Client, argv: Sequence[bytes]) -> Any:
    return _evaluate_sha(client, argv, read_only=True)


container(
    "SCRIPT",
    arity=-2,
    group="scripting",
    since="2.6.0",
    summary="Cache of Lua scripts.",
    complexity="Depends on the subcommand",
)


@command(
    "SCRIPT|LOAD",
    arity=3,
    flags=NOSCRIPT | STALE,
    group="scripting",
    since="2.6.0",
    summary="Compiles a Lua script into the cache; returns its SHA-1 digest.",
    complexity="O(N) in the length of the script",
    tips=["request_policy:all_nodes", "response_policy:all_succeeded"],
    syntax="script",
)
def script_load(client: Client, argv: Sequence[bytes]) -> bytes:
    return service_of(client.engine).load(argv[2], stays=True)


@command(
    "SCRIPT|EXISTS",
    arity=-3,
    flags=NOSCRIPT,
    group="scripting",
    since="2.6.0",
    summary="Tells which Lua scripts are in the cache.",
    complexity="O(N) in the number of digests",
    tips=["request_policy:all_shards", "response_policy:agg_logical_and"],
    syntax="sha1...",
)
def script_exists(client: Client, argv: Sequence[bytes]) -> list[int]:
    knows = service_of(client.engine).knows
    return [int(knows(digest)) for digest in argv[2:]]


@command(
    "SCRIPT|FLUSH",
    arity=-2,
    flags=NOSCRIPT,
    group="scripting",
    since="2.6.0",
    summary="Empties the cache of Lua scripts.",
    complexity="O(N) in the number of scripts",
    tips=["request_policy:all_nodes", "response_policy:all_succeeded"],
    syntax='[async("ASYNC" | "SYNC")~6.2.0]',
)
def script_flush(client: Client, argv: Sequence[bytes]) -> SimpleString:
    if len(argv) > 3 or (len(argv) == 3 and argv[2].lower() not in (b"sync", b"async")):
        raise CommandError(texts.SCRIPT_FLUSH_OPTION)
    service_of(client.engine).flush()
    return OK


@command(
    "SCRIPT|KILL",
    arity=2,
    flags=NOSCRIPT | ALLOW_BUSY,
    group="scripting",
    since="2.6.0",
    summary="Ends the script that runs for too long, unless it has written.",
    complexity="O(1)",
    tips=["request_policy:all_shards", "response_policy:one_succeeded"],
)
def script_kill(client: Client, _argv: Sequence[bytes]) -> SimpleString:
    service_of(client.engine).kill(is_function=False)
    return OK


@command(
    "SCRIPT|DEBUG",
    arity=3,
    flags=NOSCRIPT,
    group="scripting",
    since="3.2.0",
    summary="Not supported, except NO: debugs the Lua scripts of this client.",
    complexity="O(1)",
    syntax='mode("YES" | "SYNC" | "NO")',
)
def script_debug(_client: Client, argv: Sequence[bytes]) -> SimpleString:
    mode = argv[2].lower()
    if mode == b"no":
        return OK
    if mode in (b"yes", b"sync"):
        raise CommandError(texts.NO_SCRIPT_DEBUGGER)
    raise CommandError(texts.SCRIPT_DEBUG_OPTION)


@command(
    "SCRIPT|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="scripting",
    since="5.0.0",
    summary="Lists the subcommands of SCRIPT.",
    complexity="O(1)",
)
def script_help(_client: Client, _argv: Sequence[bytes]) -> list[SimpleString]:
    return help_lines("SCRIPT")
