"""What the README says of the code is generated from the code, and current."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_command_table_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "ops/command_table.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
