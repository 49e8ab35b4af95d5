"""The import rule, which is also the mutex: imports point one way, and gevent stays in server/ and cli/."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "kedis"

# A module may import from its own layer and from those below it.
LAYERS = [
    {"process", "version"},
    {"errors"},
    {"config"},
    {"resp", "structures"},
    {"store"},
    {"rdb"},
    {"engine"},
    {"commands"},
    {"observability", "persistence"},
    {"embedded", "server"},
    {"cli", "pytest_plugin", "__main__", "__init__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MAY_YIELD = {"server", "cli"}
# Gets real threads where the program is patched.
MAY_IMPORT_GEVENT = "process/threads.py"


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def runtime_imports(tree: ast.AST) -> list[str]:
    """Modules imported when the code runs: what stands under ``if TYPE_CHECKING`` is not."""
    found: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [
                node.module if node.module != "kedis" else f"kedis.{alias.name}" for alias in node.names
            ]
        else:
            found += runtime_imports(node)
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    for name in runtime_imports(ast.parse(path.read_text())):
        top, _, rest = name.partition(".")
        target = rest.partition(".")[0] or "__init__"
        if top == "kedis" and target in LEVEL:
            assert LEVEL[target] <= LEVEL[room], f"{path} imports {name}, which is above it"
        if top == "gevent":
            may = room in MAY_YIELD or path == PACKAGE / MAY_IMPORT_GEVENT
            assert may, f"{path} imports gevent, but only server/ and cli/ may wait"


def test_the_rule_can_fail() -> None:
    tree = ast.parse("def f():\n    import gevent\n    from kedis.server import server\n")
    assert runtime_imports(tree) == ["gevent", "kedis.server"]


def test_every_room_has_a_layer() -> None:
    assert {room_of(path) for path in MODULES} <= set(LEVEL)
