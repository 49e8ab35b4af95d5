"""No circle of files in the storage layers, imports for type annotations counted, and nothing from above."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "kedis"
BELOW = {
    "structures": {"errors"},
    "store": {"structures", "config", "errors"},
    "rdb": {"store", "structures", "config", "errors"},
}


def imports(path: Path) -> set[str]:
    """Modules of the house that a file imports anywhere, ``TYPE_CHECKING`` or not."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("kedis.")}


@pytest.mark.parametrize("room", BELOW)
def test_the_files_of_a_package_have_an_order(room: str) -> None:
    files = {f"kedis.{room}.{path.stem}": path for path in (PACKAGE / room).glob("*.py")}
    graph = {name: imports(path) & files.keys() for name, path in files.items()}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("room", BELOW)
def test_a_storage_package_imports_nothing_from_above(room: str) -> None:
    used = {name.split(".")[1] for path in (PACKAGE / room).glob("*.py") for name in imports(path)}
    assert used <= BELOW[room] | {room}


def test_a_circle_would_be_found() -> None:
    with pytest.raises(CycleError):
        list(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())
