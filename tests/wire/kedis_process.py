"""A Kedis server as a process of its own, for tests that send it bytes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import redis

from tests.ports import free_port

_START_SECONDS = 60
PING = b"*1\r\n$4\r\nPING\r\n"


class KedisProcess:
    """``python -m kedis`` on a free port (or ``port``) without persistence.  End it with :meth:`close`.

    ``prefix`` are words before the command, ``program`` is what Python runs.  ``untouched``: it is given nothing but
    its port and that it is to serve no metrics, and starts in its folder.
    """

    def __init__(
        self,
        *flags: str,
        prefix: Sequence[str] = (),
        program: Sequence[str] = ("-m", "kedis"),
        port: int | None = None,
        untouched: bool = False,
    ) -> None:
        if port is None:
            port = free_port()
        self.address = ("127.0.0.1", port)
        self.directory = tempfile.TemporaryDirectory(prefix="kedis-wire-")
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        words = [*prefix, sys.executable, *program, "--port", str(port), "--metrics-port", "no"]
        if not untouched:
            words += ["--appendonly", "no", "--save", "", "--dir", self.directory.name]
        self.process = subprocess.Popen(
            [*words, *flags],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            cwd=self.directory.name if untouched else None,
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.ping()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.process.kill()
                    self.process.wait()
                    raise RuntimeError(f"kedis does not start:\n{self.output()}") from None
                time.sleep(0.05)

    def __enter__(self) -> KedisProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def redis(self) -> redis.Redis:
        """A redis-py client, whose replies are text."""
        return redis.Redis(port=self.address[1], decode_responses=True)

    def connect(self, timeout: float = 60) -> socket.socket:
        return socket.create_connection(self.address, timeout=timeout)

    def ping(self, timeout: float = 60) -> float:
        """How many seconds a new client waits for its PONG; OSError when it does not come."""
        begun = time.monotonic()
        with self.connect(timeout) as client:
            client.sendall(PING)
            reply = client.recv(100)
        if reply != b"+PONG\r\n":
            raise OSError(f"PING was answered {reply!r}")
        return time.monotonic() - begun

    def run(self, line: bytes) -> bytes:
        """The reply (its first piece) to an inline command on a connection of its own."""
        with self.connect() as client:
            client.sendall(line + b"\r\n")
            return client.recv(65536)

    def resident_bytes(self) -> int:
        """Memory of the process that is in RAM."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def open_files(self) -> int:
        """How many descriptors the process holds."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def output(self) -> str:
        """What the process has printed so far."""
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.directory.cleanup()
