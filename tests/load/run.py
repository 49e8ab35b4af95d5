"""Locust as a program, on a scenario of the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    code: int
    output: str


def start(
    scenario: str, url: str, *words: str, seconds: float = 2, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Begin a headless run with ten users who hardly pause."""
    command = [sys.executable, "-m", "locust", "-f", f"locustfiles/scenario_{scenario}.py", "--headless"]
    command += ["--host", url, "--users", "10", "--spawn-rate", "100", "--run-time", f"{seconds:g}s"]
    command += ["--think-ms", "5", "--stop-timeout", "5", "--only-summary", *words]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    return subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process: subprocess.Popen[str]) -> Ended:
    """Wait for its end."""
    output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    return Ended(process.returncode, output)
