"""Runs bullmq (npm) on a Kedis server: ``python -m tests.applications.bullmq FOLDER``, in which it is installed.

``make test-bullmq`` installs and runs it.  CI has no Node, and a test that is skipped there would tell nothing.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import kedis

_SECONDS = 300


def main(folder: str) -> int:
    """The exit code: 0 if all jobs have come to their end as they should."""
    script = Path(__file__).with_name("bullmq.mjs").resolve()
    with kedis.Server(port=0) as server:
        words = ["node", str(script), str(server.port)]
        return subprocess.run(words, cwd=folder, timeout=_SECONDS, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
