"""Passwords of the compose stack: those of the environment, or else random ones that are kept.

    python passwords.py NAME=VARIABLE=FILE ... make    write the files
    python passwords.py NAME=VARIABLE=FILE ... show    and print them

Each service then reads its own file.  So a password is never empty, never the same in two installations, and never
among the words of a command, where every user of the machine could read it.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def decide(path: Path, given: str) -> str:
    """The password for ``path``: the given one, or the one it has, or a new one; written where it differs."""
    kept = path.read_text() if path.exists() else ""
    password = given or kept or secrets.token_urlsafe(24)
    if password != kept:
        beside = path.with_suffix(".new")
        beside.touch(mode=0o640)
        beside.write_text(password)
        beside.replace(path)
    return password


def main(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Make, or show, the passwords; returns the exit code."""
    *wanted, action = words
    if action not in ("make", "show"):
        print(__doc__, file=sys.stderr)
        return 2
    for word in wanted:
        name, variable, path = word.split("=", 2)
        password = decide(Path(path), environment.get(variable, ""))
        if action == "show":
            print(f"{name}: {password}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
