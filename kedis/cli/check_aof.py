"""``kedis-check-aof``: checks an append-only file, and shortens it where asked to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from kedis.cli import standard_streams
from kedis.persistence.check import CheckFailed, check
from kedis.version import VERSION

USAGE = """\
usage: kedis-check-aof [--format-only] [--fix | --truncate-to-timestamp SECONDS] FILE
       kedis-check-aof --version

  FILE   APPENDDIR/appendonly.aof.manifest, which checks all its files, or a single append-only file
  --format-only
         do not run the commands; else those of a manifest are run in memory, which must have room for all the data,
         to find any that does not fit what is before it, for then the server would not start
  --fix  after asking, cut the last file off where it stops being sound
  --truncate-to-timestamp SECONDS
         cut the last file off where entries later than SECONDS since 1970 begin (needs aof-timestamp-enabled)

Stop the server first. The exit code is 0 if all is sound, or was made so, else 1.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return standard_streams.run("kedis-check-aof", partial(_check, words))


def _check(words: list[str]) -> int:
    if words in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    if words in (["-v"], ["--version"]):
        print(f"kedis-check-aof {VERSION}")
        return 0
    format_only = words[:1] == ["--format-only"]
    if format_only:
        del words[0]
    fix = words[:1] == ["--fix"]
    until: int | None = None
    if fix:
        del words[0]
    elif words[:1] == ["--truncate-to-timestamp"] and len(words) > 1 and words[1].isdecimal():
        until = int(words[1])
        del words[:2]
    if len(words) != 1 or words[0].startswith("--"):
        print(USAGE, end="", file=sys.stderr)
        return 1
    try:
        for line in check(words[0], fix=fix, until=until, format_only=format_only, ask=_ask):
            print(line)
    except CheckFailed as failure:
        print(f"kedis-check-aof: {failure}", file=sys.stderr)
        return 1
    return 0


def _ask(question: str) -> bool:
    print(question, end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
