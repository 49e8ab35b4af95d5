"""COMMAND: the command table for clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.commands.parsing.grammar import parse
from kedis.engine.flags import LOADING, NO_MANDATORY_KEYS, STALE
from kedis.engine.keyspec import KeySpec
from kedis.engine.table import Command, command
from kedis.errors import CommandError, server_errors
from kedis.resp.values import OrderedSet, SimpleString
from kedis.structures.glob import compile_glob

if TYPE_CHECKING:
    from kedis.engine.client import Client

_FLAGS = LOADING | STALE
_UNORDERED = ["nondeterministic_output_order"]


@command(
    "COMMAND",
    arity=-1,
    flags=_FLAGS,
    group="server",
    since="2.8.13",
    summary="Lists all commands with arity, flags, key specifications and ACL categories.",
    complexity="O(N) in the number of commands",
    categories="connection",
    tips=_UNORDERED,
)
def command_(client: Client, _argv: Sequence[bytes]) -> Any:
    return [describe(row) for row in client.engine.table.rows.values()]


@command(
    "COMMAND|COUNT",
    arity=2,
    flags=_FLAGS,
    group="server",
    since="2.8.13",
    summary="Returns the number of commands.",
    complexity="O(1)",
    categories="connection",
)
def command_count(client: Client, _argv: Sequence[bytes]) -> int:
    return len(client.engine.table.rows)


@command(
    "COMMAND|INFO",
    arity=-2,
    flags=_FLAGS,
    group="server",
    since="2.8.13",
    summary="Describes the given commands, or all, as COMMAND does.",
    complexity="O(N) in the number of commands named",
    categories="connection",
    tips=_UNORDERED,
    syntax="[command-name...]",
)
def command_info(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) == 2:
        return command_(client, argv)
    rows = [find(client, name) for name in argv[2:]]
    return [describe(row) if row is not None else None for row in rows]


@command(
    "COMMAND|DOCS",
    arity=-2,
    flags=_FLAGS,
    group="server",
    since="7.0.0",
    summary="Returns the documentation of the given commands, or of all.",
    complexity="O(N) in the number of commands named",
    categories="connection",
    tips=_UNORDERED,
    syntax="[command-name...]",
)
def command_docs(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) == 2:
        rows = list(client.engine.table.rows.values())
    else:
        rows = [row for row in (find(client, name) for name in argv[2:]) if row is not None]
    return {row.name.encode(): document(row) for row in rows}


@command(
    "COMMAND|LIST",
    arity=-2,
    flags=_FLAGS,
    group="server",
    since="7.0.0",
    summary="Lists the command names; filters: MODULE, ACLCAT, PATTERN.",
    complexity="O(N) in the number of commands",
    categories="connection",
    tips=_UNORDERED,
    syntax=('["FILTERBY" filterby("MODULE" module-name | "ACLCAT" category | "PATTERN" pattern:pattern)]'),
)
def command_list(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    chosen = _list_filter(argv)
    return [row.name.encode() for row in client.engine.table.every() if chosen(row)]


@command(
    "COMMAND|GETKEYS",
    arity=-4,
    flags=_FLAGS,
    group="server",
    since="2.8.13",
    summary="Extracts the keys from a complete command.",
    complexity="O(N) in the number of words",
    categories="connection",
)
def command_getkeys(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    return [key for key, _ in _keys_used(client, argv[2:])]


@command(
    "COMMAND|GETKEYSANDFLAGS",
    arity=-4,
    flags=_FLAGS,
    group="server",
    since="7.0.0",
    summary="Extracts the keys from a complete command, with the access flags of each.",
    complexity="O(N) in the number of words",
    categories="connection",
)
def command_getkeysandflags(client: Client, argv: Sequence[bytes]) -> list[Any]:
    return [[key, _statuses(flags.split())] for key, flags in _keys_used(client, argv[2:])]


def _keys_used(client: Client, words: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """The keys of the complete command ``words``, each with its access flags."""
    row = client.engine.table.rows.get(words[0].lower())
    if row is not None and row.subcommands:
        row = row.subcommands.get(words[1].lower())
    if row is None:
        raise CommandError(server_errors.NOT_A_COMMAND)
    if not row.has_keys:
        raise CommandError(server_errors.COMMAND_WITHOUT_KEYS)
    if not row.accepts(len(words)):
        raise CommandError(server_errors.COMMAND_ARITY)
    try:
        return [(words[position], flags) for position, flags in row.key_uses(words)]
    except ValueError:
        if row.flags & NO_MANDATORY_KEYS:
            return []
        raise CommandError(server_errors.COMMAND_ARGUMENTS) from None


@command(
    "COMMAND|HELP",
    arity=2,
    flags=_FLAGS,
    group="server",
    since="5.0.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
    categories="connection",
)
def command_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("COMMAND")


def find(client: Client, name: bytes) -> Command | None:
    """The row of ``get`` or ``client|id``, in any case; None where there is none."""
    top, _, child = name.lower().partition(b"|")
    row = client.engine.table.rows.get(top)
    return row.subcommands.get(child) if row is not None and child else row


def describe(row: Command) -> list[Any]:
    """The ten fields of COMMAND INFO."""
    return [
        row.name.encode(),
        row.arity,
        _statuses(row.flag_names),
        *row.legacy_range,
        _statuses(f"@{category}" for category in row.acl_categories),
        OrderedSet(tip.encode() for tip in row.tips),
        OrderedSet(map(_describe_keys, row.keys)),
        OrderedSet(map(describe, row.subcommands.values())),
    ]


def document(row: Command) -> dict[bytes, Any]:
    """The entry of COMMAND DOCS for one command, without the history of its options."""
    facts: dict[bytes, Any] = {
        b"summary": row.summary.encode(),
        b"since": row.since.encode(),
        b"group": row.group.encode(),
    }
    if row.complexity:
        facts[b"complexity"] = row.complexity.encode()
    if row.system:
        facts[b"doc_flags"] = _statuses(["syscmd"])
    if row.deprecated is not None:
        since, instead = row.deprecated
        facts[b"doc_flags"] = _statuses(["deprecated"])
        facts[b"deprecated_since"] = since.encode()
        facts[b"replaced_by"] = instead.encode()
    if row.syntax:
        facts[b"arguments"] = [argument.document() for argument in parse(row.syntax)]
    if row.subcommands:
        facts[b"subcommands"] = {child.name.encode(): document(child) for child in row.subcommands.values()}
    return facts


def _statuses(words: Iterable[str]) -> OrderedSet:
    return OrderedSet(SimpleString(word.encode()) for word in words)


def _describe_keys(spec: KeySpec) -> dict[bytes, Any]:
    return {
        b"flags": _statuses(spec.flags.split()),
        b"begin_search": _search(*_begin_search(spec)),
        b"find_keys": _search(*_find_keys(spec)),
    }


def _search(kind: bytes, spec: dict[bytes, Any]) -> dict[bytes, Any]:
    return {b"type": kind, b"spec": spec}


def _begin_search(spec: KeySpec) -> tuple[bytes, dict[bytes, Any]]:
    if spec.unknown:
        return b"unknown", {}
    if spec.keyword is not None:
        return b"keyword", {b"keyword": spec.keyword.encode(), b"startfrom": spec.start_from}
    return b"index", {b"index": spec.index}


def _find_keys(spec: KeySpec) -> tuple[bytes, dict[bytes, Any]]:
    if spec.unknown:
        return b"unknown", {}
    if spec.count_at is not None:
        return b"keynum", {
            b"keynumidx": spec.count_at,
            b"firstkey": spec.first_key,
            b"keystep": spec.step,
        }
    return b"range", {b"lastkey": spec.last, b"keystep": spec.step, b"limit": spec.limit}


def _list_filter(argv: Sequence[bytes]) -> Callable[[Command], bool]:
    if len(argv) == 2:
        return lambda row: True
    if len(argv) != 5 or argv[2].lower() != b"filterby":
        raise CommandError(errors.SYNTAX)
    kind, wanted = argv[3].lower(), argv[4]
    if kind == b"module":
        return lambda row: False  # there are no modules
    if kind == b"aclcat":
        category = wanted.decode("utf-8", "replace").lower()
        return lambda row: category in row.acl_categories
    if kind == b"pattern":
        matches = compile_glob(wanted, True)
        return lambda row: matches(row.name.encode())
    raise CommandError(errors.SYNTAX)
