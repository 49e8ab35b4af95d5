"""Programs of their own: what a fork or a monkey patch does to a process can be seen in no other way."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

#: Nothing here takes more than a few seconds, on a busy machine perhaps some more; a hang lasts for ever.
PATIENCE_SECONDS = 120

ROOT = Path(__file__).parent.parent.parent


def run_program(source: str, *words: object, file: Path | None = None) -> list[str]:
    """Run ``source`` as ``__main__`` of a new interpreter, from ``file`` if need be; returns the lines it has printed.

    Raises AssertionError with all output when it fails, and subprocess.TimeoutExpired when it hangs.
    """
    source = textwrap.dedent(source)
    if file is not None:
        file.write_text(source)
    program = ["-c", source] if file is None else [str(file)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *program, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()
