"""What the README says of the code is generated from the code, and current."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_command_table_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "ops/command_table.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_way_to_install_is_run_in_ci() -> None:
    """`.ci/install.py` runs them; here only that it finds them."""
    commands = runpy.run_path(str(ROOT / ".ci" / "install.py"))["commands"]
    assert commands((ROOT / "README.md").read_text())
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
