"""CONFIG: the settings of the running server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.config import NO_FILE, SECRET_SETTINGS
from kedis.engine.flags import ADMIN, LOADING, NOSCRIPT, STALE
from kedis.engine.table import command, container
from kedis.errors import CommandError
from kedis.resp.values import OK
from kedis.structures.glob import compile_glob

if TYPE_CHECKING:
    from kedis.engine.client import Client

_FLAGS = ADMIN | NOSCRIPT | LOADING | STALE

_SECRET_SETTINGS = frozenset(name.encode() for name in SECRET_SETTINGS)


def _secrets(argv: Sequence[bytes]) -> list[int]:
    return [at + 1 for at in range(2, len(argv), 2) if argv[at].lower() in _SECRET_SETTINGS]


container(
    "CONFIG",
    arity=-2,
    group="server",
    since="2.0.0",
    summary="Server settings.",
    complexity="Depends on the subcommand",
)


@command(
    "CONFIG|GET",
    arity=-3,
    flags=_FLAGS,
    group="server",
    since="2.0.0",
    summary="Returns the settings that match glob patterns.",
    complexity="O(N) in the number of settings",
    syntax="parameter{parameter}...",
)
def config_get(client: Client, argv: Sequence[bytes]) -> dict[bytes, bytes]:
    found = client.engine.config.get(map(_text, argv[2:]), compile_glob)
    return {_bytes(name): _bytes(text) for name, text in found.items()}


@command(
    "CONFIG|SET",
    arity=-4,
    flags=_FLAGS,
    group="server",
    since="2.0.0",
    summary="Changes settings: all that are given, or none on an error.",
    complexity="O(N) in the number of settings named",
    tips=["request_policy:all_nodes", "response_policy:all_succeeded"],
    syntax="parameter_value{parameter value}...",
    secrets=_secrets,
)
def config_set(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) % 2:
        raise CommandError(errors.SYNTAX)
    words = list(map(_text, argv[2:]))
    client.engine.config.set_many(zip(words[::2], words[1::2], strict=True), local=client.is_local)
    return OK


@command(
    "CONFIG|RESETSTAT",
    arity=2,
    flags=_FLAGS,
    group="server",
    since="2.0.0",
    summary="Resets the counters that INFO reports.",
    complexity="O(N) in the number of commands",
)
def config_resetstat(client: Client, _argv: Sequence[bytes]) -> Any:
    client.engine.observer.reset()
    return OK


@command(
    "CONFIG|REWRITE",
    arity=2,
    flags=_FLAGS,
    group="server",
    since="2.8.0",
    summary="Writes the current settings to the configuration file.",
    complexity="O(N) in the lines of the file",
)
def config_rewrite(client: Client, _argv: Sequence[bytes]) -> Any:
    if client.engine.config.file is None:
        raise CommandError(NO_FILE)
    client.engine.process.rewrite_config()
    return OK


@command(
    "CONFIG|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="server",
    since="5.0.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def config_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("CONFIG")


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
