"""Runs all tests, and those that failed once more, one after another: ``make test`` and ``make test-pure``.

Thousands of tests start servers and kill them on all cores at once; what else the machine does comes on top.  A test
that waits for something may then be late, once in many runs.  Alone it is not: a failure there is a fault, and ends the
run.  What passes alone is named, with its first failure in the output above, so that somebody looks into it.  Where
more than :data:`MOST` tests failed, or the run itself, nothing is tried again.

    python -m tests.run -n 3 --dist worksteal
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

#: More failures than this are not bad luck.
MOST = 5

#: Where pytest keeps the names of the tests that failed.
FAILED = Path(".pytest_cache/v/cache/lastfailed")


def run(arguments: list[str]) -> int:
    """Runs pytest with ``arguments``; returns the status to exit with, 0 when each test has passed, then or alone."""
    FAILED.unlink(missing_ok=True)  # of another run
    # Native: for its own form of a traceback pytest parses sources; in a process of many greenlets ast.parse has raised
    # SystemError (Python 3.11.7), which ended the run.
    status = _pytest(["--tb=native", *arguments])
    names = sorted(json.loads(FAILED.read_text())) if FAILED.exists() else []
    # Without ``::`` it is a file that could not be imported.
    if status != 1 or not 0 < len(names) <= MOST or not all("::" in name for name in names):
        return status
    print(f"\n{len(names)} failed; once more, alone:", *names, sep="\n  ", flush=True)
    status = _pytest(["-p", "no:xdist", *names])
    if status == 0:
        print("\nPASSED ALONE, not beside the others:", *names, sep="\n  ")
    return status


def _pytest(arguments: list[str]) -> int:
    return subprocess.call([sys.executable, "-m", "pytest", *arguments])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
