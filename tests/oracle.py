"""Real Redis 7.0, started for a test: the oracle for every question of behaviour.

Tests that need it are skipped, saying so, where ``redis-server`` is not installed.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from copy import copy
from typing import Any

import pytest

from kedis.resp.replies import encode_command
from tests.commands.driver import reply_reader, to_bytes
from tests.ports import free_port

_START_SECONDS = 60


class Oracle:
    """A Redis server of its own, and one connection to it.  End it with :meth:`close`.

    ``untouched``: it is given nothing but its port, and starts in its folder. ``program``: the path of another server.
    """

    def __init__(
        self, *settings: str, resp: int = 2, untouched: bool = False, program: str | None = None
    ) -> None:
        program = program or shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is not installed: nothing to compare with")
        self.directory = tempfile.TemporaryDirectory(prefix="oracle-")
        self.port = free_port()
        words = [program, "--port", str(self.port)]
        if not untouched:
            words += ["--dir", self.directory.name, "--enable-debug-command", "yes", "--save", ""]
        self.process = subprocess.Popen(
            [*words, *settings],
            cwd=self.directory.name,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._reader = reply_reader()
        try:
            self._socket = self._connect()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        if resp == 3:
            self.call("HELLO", 3)

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=_START_SECONDS)
            except ConnectionRefusedError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def call(self, *words: Any) -> Any:
        """Send one command and return the decoded reply, errors as ``ErrorReply``."""
        self._socket.sendall(encode_command([to_bytes(word) for word in words]))
        return self.receive()

    def receive(self) -> Any:
        """Wait for the next reply or message."""
        while (reply := self._reader.gets()) is False:
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionError("the oracle closed the connection")
            self._reader.feed(received)
        return reply

    def another(self) -> Oracle:
        """A second connection to the same server, which lives as long as the first."""
        twin = copy(self)
        twin._reader = reply_reader()
        twin._socket = self._connect()
        return twin

    def close_socket(self) -> None:
        """End this connection alone."""
        self._socket.close()

    def close(self) -> None:
        """Stop the server and remove its files."""
        self._socket.close()
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """A Redis speaking RESP2."""
    server = Oracle()
    yield server
    server.close()


@pytest.fixture(scope="module")
def oracle3() -> Iterator[Oracle]:
    """A Redis speaking RESP3."""
    server = Oracle(resp=3)
    yield server
    server.close()
