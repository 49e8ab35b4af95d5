"""The README is short and true, and what the pages say of the code is generated from the code, and current."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from kedis.engine import flags, table
from kedis.engine.keyspec import span
from tests.commands.driver import Client

ROOT = Path(__file__).parent.parent


PAGES = [
    "command_table",
    "differences_table",
    "metrics_table",
    "package_table",
    "router_table",
    "settings_table",
]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_current(page: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"ops.{page}", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / page).read_text())
    assert not [link for link in links if not link.startswith("http") and not (ROOT / link).exists()]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_ratios_are_those_of_the_figures() -> None:
    """Each ratio beside Redis stands in the page of figures, in the row of its command."""
    text = (ROOT / "README.md").read_text()
    figures = (ROOT / "docs" / "reference" / "figures.md").read_text()
    (table,) = re.findall(r"\| load \| Kedis / Redis \|\n.*?\n\n", text, re.DOTALL)
    for label, ratios in re.findall(r"^\| (.+?) \| ([\d., ]+) \|$", table, re.MULTILINE):
        names = re.findall(r"[A-Z]{3,}", label)
        for place, ratio in enumerate(ratios.split(", ")):
            name = names[min(place, len(names) - 1)] if names else "ratio"
            assert re.search(rf"{name}\b.* {ratio}\b", figures), (name, ratio)


def test_the_command_that_contributing_adds() -> None:
    """Its declaration works as it stands there."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    names = {"command": table.command, "span": span, **vars(flags)}
    try:
        exec(f"from __future__ import annotations\n{code}", names)
        client = Client()
        client.call("SET", "a", "abc")
        client.call("LPUSH", "list", 1)
        assert client.call("STRREV", "a") == b"cba"
        assert client.call("STRREV", "missing") is None
        assert str(client.call("STRREV", "list")).startswith("WRONGTYPE")
    finally:
        table.COMMANDS.pop(b"strrev", None)


def test_every_way_to_install_is_run_in_ci() -> None:
    """`.ci/install.py` runs them; here only that it finds them."""
    commands = runpy.run_path(str(ROOT / ".ci" / "install.py"))["commands"]
    assert "make run" in commands((ROOT / "README.md").read_text())
    assert "make wheel" in commands((ROOT / "docs" / "use" / "install.md").read_text())
    told = (
        "`A=1 pip install .` or\npip install kedis, `kedis[cli]`, `pip install 'kedis[load]'`\n"
        "make run  # x\n`make wheel`"
    )
    assert commands(told) == [
        "A=1 pip install .",
        "pip install .",
        "pip install '.[load]'",
        "pip install '.[cli]'",
        "make run",
        "make wheel",
    ]
    with pytest.raises(SystemExit, match="pip install something"):
        commands("pip install something")
