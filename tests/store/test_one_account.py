"""Who writes the account of memory, and who looks at the classes of values: one place each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from tests.commands.driver import Client

SOURCE = Path(__file__).parent.parent.parent / "kedis"
TREES = {str(path.relative_to(SOURCE)): ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")}

#: What may write an attribute of the account: a prefix of the path, or all of it.
WRITERS = {
    "elements_bytes": ("structures/",),
    "footprint": ("structures/",),
    "accounted_bytes": ("structures/", "store/account.py"),
    "used": ("store/account.py",),
}
#: What knows the cost of an object.
ROUNDING = ("structures/", "store/account.py")

CONTAINERS = {"List", "Hash", "Set", "SortedSet", "FloatText"}
STRINGS = {"bytes", "bytearray", "Buffer"}
#: Commands that take values of several types, each in its own way; that is no table of all types.
SEVERAL_TYPES = {"commands/sorting.py", "commands/sorted_set_algebra.py"}
#: Where the classes of values may be told apart: the rows, and the account and the database, which know that raw
#: bytes are no structure.
TYPE_TABLE = {"store/types.py"}
#: Where a string in either form is told from everything else.
RAW_STRINGS = {"store/account.py", "store/database.py", "store/key_table.py", "store/types.py"}


def assigned(tree: ast.AST) -> set[str]:
    """Names of the attributes that are written anywhere in ``tree``."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


@pytest.mark.parametrize("name", WRITERS)
def test_an_attribute_of_the_account_is_written_in_one_place(name: str) -> None:
    writers = {path for path, tree in TREES.items() if name in assigned(tree)}
    assert {path for path in writers if not path.startswith(WRITERS[name])} == set()
    assert writers, "the test looks for nothing"


def rounds(tree: ast.AST) -> bool:
    """Whether there is an ``& -16``."""
    return any(
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd) and ast.unparse(node.right) == "-16"
        for node in ast.walk(tree)
    )


def test_only_structures_and_the_account_know_what_objects_cost() -> None:
    found = {path for path, tree in TREES.items() if rounds(tree)}
    assert {path for path in found if not path.startswith(ROUNDING)} == set()
    assert "store/account.py" in found


def names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def classes_told_apart(tree: ast.AST) -> set[str]:
    """Classes of values that are compared with or looked up: by isinstance, by type(), as keys of a dict."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            found |= names_in(node.args[1])
        elif isinstance(node, ast.Compare) and ast.unparse(node).count("type("):
            found |= names_in(node)
        elif isinstance(node, ast.Dict):
            for key in node.keys:
                found |= names_in(key) if key is not None else set()
        elif isinstance(node, ast.match_case):
            found |= names_in(node.pattern)
    return found & (CONTAINERS | STRINGS)


def test_nothing_but_the_rows_dispatches_on_the_class_of_a_value() -> None:
    allowed = TYPE_TABLE | SEVERAL_TYPES
    found = {path: classes_told_apart(tree) & CONTAINERS for path, tree in TREES.items()}
    assert {path: names for path, names in found.items() if names and path not in allowed} == {}


def test_below_the_commands_only_the_store_tells_strings_from_containers() -> None:
    """A handler may ask whether a value is a string, which is its own type; the layers around it ask the row."""
    rooms = ("store/", "rdb/", "observability/", "cli/client/standalone/")
    allowed = RAW_STRINGS | {"rdb/snapshot.py"}  # writes the usual short string by itself, for speed
    allowed |= {
        "cli/client/standalone/dialogue.py",
        "cli/client/standalone/server_snapshot.py",
    }  # replies of a server
    found = {path for path, tree in TREES.items() if path.startswith(rooms) and classes_told_apart(tree)}
    assert found - allowed == set()


@pytest.mark.parametrize(
    "statement",
    [
        "isinstance(value, List)",
        "isinstance(value, Hash | Set)",
        "type(value) is SortedSet",
        "type(value) in (List, Set)",
        "{Hash: 1}",
        "{(List, b'x'): 1}",
    ],
)
def test_the_rule_can_fail(statement: str) -> None:
    assert classes_told_apart(ast.parse(statement))


@pytest.mark.parametrize(
    "commands",
    [
        ["ZADD z 1 a 2 b 3 c", "SORT z ALPHA"],
        ["ZADD z 1 a 2 b 3 c", "SORT_RO z BY nosort"],
        ["SADD s 1 2 3 four", "SADD t 1", "SDIFFSTORE d s t"],
        ["SADD s " + " ".join(map(str, range(600))), "SADD t 1 2", "SDIFFSTORE d s t", "SPOP d 590"],
    ],
)
def test_the_account_follows_a_change_of_representation(commands: list[str]) -> None:
    client = Client(Engine(Config()))
    for command in commands:
        client.call(*command.split())
    client.state.engine.keyspace.check()
