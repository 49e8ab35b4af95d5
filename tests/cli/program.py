"""kedis-cli and redis-cli as programs, without a terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from kedis.cli.client.link import ServerLink
from kedis.cli.client.target import Target
from tests.ports import free_port

KEDIS_CLI = (sys.executable, "-m", "kedis.cli.client.main")
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    out: bytes
    err: str
    code: int


def kedis_cli(*words: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> Ended:
    """Run kedis-cli."""
    return _run([*KEDIS_CLI, *words], stdin, environment)


def redis_cli(*words: str, stdin: bytes = b"") -> Ended:
    """Run the real redis-cli; skips the test where there is none."""
    program = shutil.which("redis-cli")
    if program is None:
        pytest.skip("redis-cli is not installed: nothing to compare with")
    return _run([program, *words], stdin, None)


def _run(command: list[str], stdin: bytes, environment: Mapping[str, str] | None) -> Ended:
    variables = {name: value for name, value in os.environ.items() if not name.endswith("CLI_AUTH")}
    ended = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        env={**variables, **(environment or {})},
        check=False,
    )
    return Ended(ended.stdout, ended.stderr.decode(), ended.returncode)


def call(port: int, *words: str | bytes) -> object:
    """One command over a connection of its own."""
    link = ServerLink(Target(port=port))
    try:
        return link.send([word.encode() if isinstance(word, str) else word for word in words])
    finally:
        link.close()


def closed_port() -> int:
    """A port on which nobody listens."""
    return free_port()
