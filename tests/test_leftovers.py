"""A process that a test leaves behind is found, and fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LITTERS = """
import subprocess

def test_litters():
    subprocess.Popen(["sleep", "600"], start_new_session=True)

def test_cleans_up():
    subprocess.Popen(["sleep", "0.1"])

def test_fails():
    subprocess.Popen(["sleep", "700"])
    assert False
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_process_left_behind_fails_the_run_and_that_of_a_failed_test_is_ended(
    tmp_path: Path, workers: str
) -> None:
    (tmp_path / "test_litter.py").write_text(LITTERS)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    patience = "import tests.leftovers, pytest, sys; tests.leftovers._PATIENCE_SECONDS = 5.0; "
    run = "sys.exit(pytest.main(['-p', 'tests.leftovers', '-n', sys.argv[1], '--rootdir', '.', 'test_litter.py']))"
    done = subprocess.run(
        [sys.executable, "-c", patience + run, workers],
        cwd=tmp_path,
        env={**variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    reports = [line for line in done.stdout.splitlines() if "LEFT BEHIND" in line]
    assert len(reports) == 1 and "test_litters (call)" in reports[0] and "sleep 600" in reports[0]
