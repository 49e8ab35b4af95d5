"""The page on metrics holds the table that the code gives."""

from __future__ import annotations

import subprocess
import sys


def test_the_table_of_metrics_is_current() -> None:
    done = subprocess.run([sys.executable, "ops/metrics_table.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
