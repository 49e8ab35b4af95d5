"""A setting that is said to have an effect is read by something, and one that is said to have none by nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import kedis
from kedis.config import SETTINGS

PACKAGE = Path(kedis.__file__).parent
DECLARATIONS = {PACKAGE / "config" / name for name in ("settings_table.py", "ignored.py")}
#: What a configuration is called where it is used; ``self`` in the module of Config.
NAMES = {"config", "_config", "changed"}
#: INFO prints it, as Redis does without replicas.
ONLY_PRINTED = {"repl_backlog_size"}


def read_attributes(path: Path) -> set[str]:
    """The attributes of a configuration that a module reads, calls left out."""
    tree = ast.parse(path.read_text())
    names = NAMES | ({"self"} if path == PACKAGE / "config" / "settings.py" else set())
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    by_name = {
        argument.value.replace("-", "_")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _name(node.func) == "PackingSettings"  # a type's row names its settings
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
    return by_name | {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in called
        if _name(node.value) in names
    }


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def test_settings_are_read_where_they_have_an_effect_and_only_there() -> None:
    read = set().union(*(read_attributes(path) for path in PACKAGE.rglob("*.py") if path not in DECLARATIONS))
    effective = {setting.attribute for setting in SETTINGS if setting.effective}
    assert effective - read == set(), "declared with an effect, and nothing reads them"
    accepted = {setting.attribute for setting in SETTINGS if not setting.effective}
    assert accepted & read - ONLY_PRINTED == set(), "declared without effect, and something reads them"
