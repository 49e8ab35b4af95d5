"""What open pages cost the server, in processor time."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import redis

from tests.ports import free_port
from tests.server.live_site import TIMEOUT, Site


def processor_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_twenty_open_pages_cost_under_two_percent_of_a_core(tmp_path: Path) -> None:
    port, metrics_port = free_port(), free_port()
    words = ["-m", "kedis", "--port", port, "--metrics-port", metrics_port, "--appendonly", "no"]
    process = subprocess.Popen(
        [sys.executable, *map(str, words)], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        client = kedis_client(port)
        commands = [
            "SET k 1",
            "GET k",
            "INCR n",
            "HSET h f v",
            "LPUSH l 1",
            "RPOP l",
            "ZADD z 1 a",
            "SADD s a",
        ]

        def spent(seconds: float) -> float:
            """Processor time of so many seconds in which every command is called ten times a second."""
            began, at = processor_seconds(process.pid), time.monotonic()
            while time.monotonic() < at + seconds:
                for command in commands:
                    client.execute_command(*command.split())
                time.sleep(0.1)
            return (processor_seconds(process.pid) - began) / (time.monotonic() - at)

        alone = spent(1.5)
        with contextlib.ExitStack() as pages:
            streams = [
                pages.enter_context(contextlib.closing(Site(metrics_port).events())) for _ in range(20)
            ]
            for stream in streams:
                next(stream)
            watched = spent(3)
            assert all(next(stream)[0] == "figures" for stream in streams)
        assert watched - alone < 0.02
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def kedis_client(port: int) -> Any:
    """A client of a server that is about to start."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return redis.Redis(port=port)
        assert time.monotonic() < deadline
        time.sleep(0.05)
