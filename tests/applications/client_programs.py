"""Runs a small program of each client library of other languages on Redis and on Kedis: ``make test-clients``.

Connecting, pipelines, transactions, scripts, messages, blocking, streams and reconnecting, with ioredis, iovalkey and
node-redis (npm), hiredis (C), php-redis and ruby-redis (Debian). What is not installed is named, and not run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.applications.on_both import on_both

PROGRAMS = Path(__file__).parent / "clients"
_SECONDS = 120


def commands(folder: Path) -> dict[str, list[str] | None]:
    """The command of each library, without the port, which is put behind its second word; None without the library."""
    node = shutil.which("node")
    found: dict[str, list[str] | None] = {}
    for package in ("ioredis", "iovalkey"):
        there = node is not None and (folder / "node_modules" / package).exists()
        found[package] = [str(node), str(PROGRAMS / "ioredis.mjs"), package] if there else None
    there = node is not None and (folder / "node_modules" / "redis").exists()
    found["node-redis"] = [str(node), str(PROGRAMS / "node_redis.mjs")] if there else None
    found["hiredis"] = _built(folder)
    for language, name in (("php", "php-redis"), ("ruby", "ruby-redis")):
        (program,) = PROGRAMS.glob(f"{language}_redis.*")
        check = ["php", "-r", "new Redis();"] if language == "php" else ["ruby", "-e", "require 'redis'"]
        found[name] = [language, str(program)] if shutil.which(language) and _works(check) else None
    return found


def _works(words: Sequence[str]) -> bool:
    return subprocess.run(words, capture_output=True).returncode == 0


def _built(folder: Path) -> list[str] | None:
    program = folder / "hiredis"
    compiler = shutil.which("cc")
    words = [str(compiler), "-o", str(program), str(PROGRAMS / "hiredis.c"), "-lhiredis"]
    return ["env", str(program)] if compiler and _works(words) else None


def run(command: Sequence[str], port: int, folder: Path) -> str:
    """``done``, or what the program says instead."""
    words = [*command[:2], str(port), *command[2:]]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as expired:
        return f"not done after {_SECONDS} s: {expired.stderr!r}"
    return "done" if done.stdout.strip() == "done" and not done.returncode else done.stderr or done.stdout


def main(folder: Path) -> int:
    """The exit code: 0 if every program that ends well on Redis does on Kedis, and one could be run."""

    def differs(name: str, command: Sequence[str], redis_port: int, kedis_port: int) -> bool:
        on_redis, on_kedis = (run(command, port, folder) for port in (redis_port, kedis_port))
        print(f"{name}: Redis: {on_redis}, Kedis: {on_kedis}", flush=True)
        return on_kedis != "done"

    return on_both(commands(folder), differs)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
