"""Functions: libraries of Lua code that stay, and FCALL. How they run is in :mod:`kedis.scripting`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.commands.lua_scripts import script_arguments, show_to_monitors
from kedis.commands.parsing.numbers import NumberError, parse_int
from kedis.engine.client import Client, Services
from kedis.engine.flags import (
    ALLOW_BUSY,
    DENYOOM,
    LOADING,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    SKIP_MONITOR,
    STALE,
    WRITE,
)
from kedis.engine.keyspec import counted
from kedis.engine.table import command, container
from kedis.errors import CommandError
from kedis.errors import script_texts as texts
from kedis.resp.values import OK, OrderedSet, SimpleString
from kedis.scripting.headers import FLAG_NAMES, call_flags
from kedis.scripting.libraries import Function, Library
from kedis.scripting.service import service_of
from kedis.structures.glob import compile_glob

_FLAGS = NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS
_SYNTAX = "function numkeys:int [key@0...] [arg...]"


def _call(client: Client, argv: Sequence[bytes], *, read_only: bool) -> Any:
    service = service_of(client.engine)
    function = service.libraries.find(argv[1])
    if function is not None:
        service.admit(function.flags)
    show_to_monitors(client, argv)
    if function is None:
        raise CommandError(texts.NO_FUNCTION)
    try:
        count = parse_int(argv[2])
    except NumberError:
        raise CommandError(texts.BAD_KEY_COUNT) from None
    keys, arguments = script_arguments(argv, count)
    return service.run_function(client, argv, function, keys, arguments, read_only=read_only)


def _flags_by_function(command_flags: int) -> Callable[[Services, Sequence[bytes]], int]:
    """The flags of an FCALL by the function that it finds."""

    def flags(engine: Services, argv: Sequence[bytes]) -> int:
        function = service_of(engine).libraries.find(argv[1])
        return command_flags if function is None else call_flags(function.flags, command_flags)

    return flags


@command(
    "FCALL",
    arity=-3,
    flags=_FLAGS | MAY_REPLICATE,
    stated_flags=_flags_by_function(_FLAGS | MAY_REPLICATE),
    group="scripting",
    since="7.0.0",
    summary="Calls a function.",
    keys=[counted("RW access update", 2)],
    complexity="That of the function",
    syntax=_SYNTAX,
)
def fcall(client: Client, argv: Sequence[bytes]) -> Any:
    return _call(client, argv, read_only=False)


@command(
    "FCALL_RO",
    arity=-3,
    flags=_FLAGS | READONLY,
    stated_flags=_flags_by_function(_FLAGS | READONLY),
    group="scripting",
    since="7.0.0",
    summary="Calls a function that only reads.",
    keys=[counted("RO access", 2)],
    complexity="That of the function",
    syntax=_SYNTAX,
)
def fcall_ro(client: Client, argv: Sequence[bytes]) -> Any:
    return _call(client, argv, read_only=True)


container(
    "FUNCTION",
    arity=-2,
    group="scripting",
    since="7.0.0",
    summary="Libraries of functions.",
    complexity="Depends on the subcommand",
)


def _changed(client: Client) -> None:
    client.engine.keyspace.dirty += 1


@command(
    "FUNCTION|LOAD",
    arity=-3,
    flags=WRITE | DENYOOM | NOSCRIPT,
    group="scripting",
    since="7.0.0",
    summary="Creates a library of functions.",
    complexity="O(1), beside what its code does",
    tips=["request_policy:all_shards", "response_policy:all_succeeded"],
    syntax='["REPLACE"] function-code',
)
def function_load(client: Client, argv: Sequence[bytes]) -> bytes:
    replace = False
    for option in argv[2:-1]:
        if option.lower() != b"replace":
            raise CommandError(texts.unknown_option(option.decode("utf-8", "surrogateescape")))
        replace = True
    name = service_of(client.engine).libraries.load(argv[-1], replace=replace)
    _changed(client)
    return name


@command(
    "FUNCTION|DELETE",
    arity=3,
    flags=WRITE | NOSCRIPT,
    group="scripting",
    since="7.0.0",
    summary="Deletes a library and its functions.",
    complexity="O(N) in the number of its functions",
    tips=["request_policy:all_shards", "response_policy:all_succeeded"],
    syntax="library-name",
)
def function_delete(client: Client, argv: Sequence[bytes]) -> SimpleString:
    service_of(client.engine).libraries.delete(argv[2])
    _changed(client)
    return OK


@command(
    "FUNCTION|FLUSH",
    arity=-2,
    flags=WRITE | NOSCRIPT,
    group="scripting",
    since="7.0.0",
    summary="Deletes all libraries.",
    complexity="O(N) in the number of functions",
    tips=["request_policy:all_shards", "response_policy:all_succeeded"],
    syntax='[async("ASYNC" | "SYNC")]',
)
def function_flush(client: Client, argv: Sequence[bytes]) -> SimpleString:
    if len(argv) > 3:
        raise CommandError(errors.wrong_subcommand(argv[1], "function"))
    if len(argv) == 3 and argv[2].lower() not in (b"sync", b"async"):
        raise CommandError(texts.FUNCTION_FLUSH_OPTION)
    service_of(client.engine).libraries.flush()
    _changed(client)
    return OK


def _described(library: Library, *, with_code: bool) -> dict[bytes, Any]:
    description: dict[bytes, Any] = {
        b"library_name": library.name,
        b"engine": b"LUA",
        b"functions": [_function(function) for function in library.functions.values()],
    }
    if with_code:
        description[b"library_code"] = library.code
    return description


def _function(function: Function) -> dict[bytes, Any]:
    flags = [name for name, flag in FLAG_NAMES.items() if flag & function.flags]
    return {
        b"name": function.name,
        b"description": function.description,
        b"flags": OrderedSet(SimpleString(name.encode()) for name in flags),
    }


@command(
    "FUNCTION|LIST",
    arity=-2,
    flags=NOSCRIPT,
    group="scripting",
    since="7.0.0",
    summary="Lists the libraries and their functions.",
    complexity="O(N) in the number of functions",
    tips=["nondeterministic_output_order"],
    syntax='["LIBRARYNAME" library-name-pattern] ["WITHCODE"]',
)
def function_list(client: Client, argv: Sequence[bytes]) -> list[dict[bytes, Any]]:
    pattern: bytes | None = None
    with_code = False
    position = 2
    while position < len(argv):
        word = argv[position].lower()
        if word == b"withcode" and not with_code:
            with_code = True
        elif word == b"libraryname" and pattern is None:
            position += 1
            if position == len(argv):
                raise CommandError(texts.LIBRARY_NAME_MISSING)
            pattern = argv[position]
        else:
            raise CommandError(texts.unknown_argument(argv[position].decode("utf-8", "surrogateescape")))
        position += 1
    matches = compile_glob(pattern if pattern is not None else b"*", nocase=True)
    libraries = service_of(client.engine).libraries.by_name.values()
    return [_described(library, with_code=with_code) for library in libraries if matches(library.name)]


@command(
    "FUNCTION|STATS",
    arity=2,
    flags=NOSCRIPT | ALLOW_BUSY,
    group="scripting",
    since="7.0.0",
    summary="Returns figures of the functions, and which one runs.",
    complexity="O(1)",
    tips=["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
)
def function_stats(client: Client, _argv: Sequence[bytes]) -> dict[bytes, Any]:
    service = service_of(client.engine)
    run = service.running
    shown: dict[bytes, Any] | None = None
    if run is not None:
        if not run.is_function:
            raise CommandError(run.busy_text)
        shown = {b"name": run.name, b"command": list(run.argv), b"duration_ms": run.elapsed_ms}
    counts = {
        b"libraries_count": len(service.libraries.by_name),
        b"functions_count": service.libraries.function_count,
    }
    return {b"running_script": shown, b"engines": {b"LUA": counts}}


@command(
    "FUNCTION|KILL",
    arity=2,
    flags=NOSCRIPT | ALLOW_BUSY,
    group="scripting",
    since="7.0.0",
    summary="Ends the function that runs for too long, unless it has written.",
    complexity="O(1)",
    tips=["request_policy:all_shards", "response_policy:one_succeeded"],
)
def function_kill(client: Client, _argv: Sequence[bytes]) -> SimpleString:
    service_of(client.engine).kill(is_function=True)
    return OK


@command(
    "FUNCTION|DUMP",
    arity=2,
    flags=NOSCRIPT,
    group="scripting",
    since="7.0.0",
    summary="Returns all libraries as a payload for FUNCTION RESTORE.",
    complexity="O(N) in the number of functions",
)
def function_dump(client: Client, _argv: Sequence[bytes]) -> bytes:
    return service_of(client.engine).libraries.dump(compressed=client.engine.config.rdbcompression)


@command(
    "FUNCTION|RESTORE",
    arity=-3,
    flags=WRITE | DENYOOM | NOSCRIPT,
    group="scripting",
    since="7.0.0",
    summary="Creates the libraries of a payload of FUNCTION DUMP.",
    complexity="O(N) in the number of functions",
    tips=["request_policy:all_shards", "response_policy:all_succeeded"],
    syntax='serialized-value [policy("FLUSH" | "APPEND" | "REPLACE")]',
)
def function_restore(client: Client, argv: Sequence[bytes]) -> SimpleString:
    if len(argv) > 4:
        raise CommandError(errors.wrong_subcommand(argv[1], "function"))
    policy = argv[3].lower() if len(argv) == 4 else b"append"
    if policy not in (b"flush", b"append", b"replace"):
        raise CommandError(texts.RESTORE_POLICY)
    service_of(client.engine).libraries.restore(argv[2], policy)
    _changed(client)
    return OK


@command(
    "FUNCTION|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="scripting",
    since="7.0.0",
    summary="Lists the subcommands of FUNCTION.",
    complexity="O(1)",
)
def function_help(_client: Client, _argv: Sequence[bytes]) -> list[SimpleString]:
    return help_lines("FUNCTION")
