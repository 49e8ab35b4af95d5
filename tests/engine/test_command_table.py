"""The command table of an engine."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from kedis.commands import load_all
from kedis.config import ConfigError
from kedis.engine import table
from kedis.engine.counters import Counters
from kedis.engine.flags import INTERNAL, NAMES, READONLY, WRITE, Flag
from kedis.engine.table import COMMANDS, Command, CommandTable, every_command, names_with
from kedis.errors import CommandError

load_all()
ENGINE = Path(__file__).parents[2] / "kedis" / "engine"


def test_tables_count_on_their_own() -> None:
    one, other = CommandTable(), CommandTable()
    one.rows[b"get"].counters.count(100)
    one.resolve([b"CLIENT", b"ID"]).counters.count(100)
    calls = [sum(row.counters.calls for row in each.every()) for each in (one, other)]
    assert calls == [2, 0]
    assert not any(row.counters.calls for row in every_command())


def test_subcommands_hang_below_the_copy_of_their_container() -> None:
    rows = CommandTable().every()
    assert [row.name for row in rows] == [row.name for row in every_command()]
    assert all(row.parent in rows for row in rows if "|" in row.name)


@pytest.mark.parametrize("name", [b"get", b"GET", b"client", b"CLIENT"])
def test_lookup_knows_the_common_spellings(name: bytes) -> None:
    commands = CommandTable()
    assert commands.lookup(name) is commands.rows[name.lower()]
    assert commands.lookup(name.title()) is None


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("GeT k", "get"),
        ("client ID", "client|id"),
        ("CONFIG set a b", "config|set"),
        ("command", "command"),
        ("command count", "command|count"),
    ],
)
def test_resolve(words: str, name: str) -> None:
    assert CommandTable().resolve(words.encode().split()).name == name


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("get", "ERR wrong number of arguments for 'get' command"),
        ("get a b", "ERR wrong number of arguments for 'get' command"),
        ("client", "ERR wrong number of arguments for 'client' command"),
        ("client id 1", "ERR wrong number of arguments for 'client|id' command"),
        ("client nonsense", "ERR unknown subcommand 'nonsense'. Try CLIENT HELP."),
        ("nonsense a b", "ERR unknown command 'nonsense', with args beginning with: 'a' 'b' "),
    ],
)
def test_what_does_not_resolve(words: str, error: str) -> None:
    with pytest.raises(CommandError) as raised:
        CommandTable().resolve(words.encode().split())
    assert str(raised.value) == error


def test_only_the_first_arguments_of_an_unknown_command_are_repeated() -> None:
    with pytest.raises(CommandError) as raised:
        CommandTable().find([b"nonsense", b"a\0b", b"x" * 200, b"y"])
    assert str(raised.value).partition("with: ")[2] == f"'a' '{'x' * 124}' "


def test_named() -> None:
    commands = CommandTable()
    names = [b"get", b"CLIENT|Id", b"client", b"client|nonsense", b"nonsense", b"get|x", b"nonsense|x"]
    rows = [commands.named(name) for name in names]
    assert [row and row.name for row in rows] == ["get", "client|id", "client", None, None, None, None]


def test_renames_happen_in_order() -> None:
    commands = CommandTable(renames=[("GET", "Fetch"), ("set", "get"), ("del", "")])
    assert commands.resolve([b"FETCH", b"k"]).name == "get"
    assert commands.lookup(b"GET") is commands.rows[b"get"]
    assert commands.rows[b"get"].name == "set"
    assert b"del" not in commands.rows and b"del" in COMMANDS


def test_a_journal_may_hold_declared_names() -> None:
    commands = CommandTable(renames=[("del", ""), ("lpop", "take"), ("set", "get1")])
    names = [b"DEL k", b"lpop k", b"TAKE k", b"Get1 k v", b"SET k v", b"get k"]
    rows = [commands.resolve_recorded(words.split()) for words in names]
    assert [row.name for row in rows] == ["del", "lpop", "lpop", "set", "set", "get"]
    assert rows[1] is rows[2]
    with pytest.raises(CommandError):
        commands.resolve([b"DEL", b"k"])
    with pytest.raises(CommandError):
        commands.resolve_recorded([b"DEL"])


def test_a_new_name_hides_a_declared_one_in_a_journal() -> None:
    commands = CommandTable(renames=[("get", "read"), ("set", "get")])
    assert commands.resolve_recorded([b"GET", b"k", b"v"]).name == "set"


@pytest.mark.parametrize("rename", [("nonsense", "x"), ("get", "set"), ("GET", "Client")])
def test_renames_that_cannot_be(rename: tuple[str, str]) -> None:
    with pytest.raises(ConfigError):
        CommandTable(renames=[rename])


def test_names_with_a_flag_follow_renames() -> None:
    commands = CommandTable(renames=[("flushall", "wipe")])
    assert names_with(commands.rows, Flag.WHOLE_DATABASES) == {b"wipe", b"flushdb", b"swapdb"}


def test_reset() -> None:
    commands = CommandTable()
    for row in commands.every():
        row.counters.count(100)
        row.counters.errors["ERR"] += 1
        row.counters.nanoseconds += 100
    commands.unknown.refusals["ERR"] += 1
    commands.error_counts["ERR"] += 1
    commands.reset()
    for figures in [commands.unknown, *(row.counters for row in commands.every())]:
        assert (figures.calls, figures.failed, figures.rejected, figures.nanoseconds) == (0, 0, 0, 0)
    assert not commands.error_counts


def test_internal_flags_are_inherited_and_not_shown() -> None:
    assert not INTERNAL & (READONLY | WRITE)
    internal = {name for flag, name in NAMES.items() if flag & INTERNAL}
    assert "not_queued" in internal and "allow_busy" not in internal
    for row in every_command():
        assert not internal & set(row.flag_names)
        if row.parent is not None:
            assert not row.parent.flags & INTERNAL & ~row.flags


def test_a_command_is_declared_once() -> None:
    with pytest.raises(ValueError, match="get is declared twice"):
        table.command("GET", arity=1, group="string", since="1.0.0", summary="")(print)


def test_redacted_copies_the_arguments() -> None:
    row = Command("x", -1, 0, "generic", "1.0.0", "", function=print, secrets=lambda argv: (1, 5))
    argv = [b"x", b"secret", b"plain"]
    assert row.redacted(argv) == [b"x", b"(redacted)", b"plain"]
    assert argv == [b"x", b"secret", b"plain"]


@pytest.mark.parametrize("name", ["table", "keyspec", "counters", "flags"])
def test_the_table_imports_nothing_above_it(name: str) -> None:
    """Nor for type annotations."""
    tree = ast.parse((ENGINE / f"{name}.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    ours = {name for name in imported if name.startswith("kedis")}
    below = {"kedis", "kedis.config", "kedis.errors"}
    assert ours <= below | {f"kedis.engine.{name}" for name in ("counters", "flags", "keyspec")}


def test_counters_begin_empty() -> None:
    assert Counters().durations() == []


@pytest.mark.parametrize(
    ("flag", "names"),
    [
        (Flag.NOT_QUEUED, "discard exec multi quit reset watch"),
        (Flag.OPENS_QUEUE, "multi"),
        (Flag.RUNS_QUEUE, "exec"),
        (Flag.SELECTS_DATABASE, "select"),
        (
            Flag.WHILE_SUBSCRIBED,
            "ping psubscribe punsubscribe quit reset ssubscribe subscribe sunsubscribe unsubscribe",
        ),
        (Flag.MAY_REPLICATE, "eval evalsha fcall pfcount publish spublish"),
        (Flag.ANSWERS_DISK_ERROR, "ping"),
        (Flag.WHOLE_DATABASES, "flushall flushdb swapdb"),
        (Flag.KEEPS_CACHING_CHOICE, "client"),
        (Flag.TOUCHES_KEYS, "touch"),
    ],
)
def test_who_has_the_flags_of_the_engine(flag: int, names: str) -> None:
    """They replace lists of names in the engine, so that a list of names stands here."""
    assert names_with(COMMANDS, flag) == set(names.encode().split())
