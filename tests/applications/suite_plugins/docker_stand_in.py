"""Stands in for docker in the tests of limits: the services are servers at the ports that the tests know."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_SERVICES = {
    "redis-basic": ("--port", "7379"),
    "redis-auth": ("--port", "7389", "--requirepass", "sekret"),
    "redis-uds": ("--port", "0", "--unixsocket", "/tmp/limits.redis.sock"),
    "redis-uds-auth": (
        "--port",
        "0",
        "--unixsocket",
        "/tmp/limits.redis-auth.sock",
        "--requirepass",
        "sekret",
    ),
}


class Services:
    """What the tests call docker for."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        for name in names:
            if name not in _SERVICES:
                pytest.skip(f"no stand-in for {name}")
            if name not in self.processes:
                folder = Path(os.environ["SUITE_FOLDER"]) / name
                folder.mkdir(exist_ok=True)
                words = ["redis-server", *_SERVICES[name], "--save", "", "--dir", str(folder)]
                self.processes[name] = subprocess.Popen(words, stdout=subprocess.DEVNULL)
                time.sleep(3)


@pytest.fixture(scope="session")
def docker_services() -> Iterator[Services]:
    services = Services()
    yield services
    for process in services.processes.values():
        process.kill()
        process.wait()
