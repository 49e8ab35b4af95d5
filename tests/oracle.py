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
        self._resp = resp
        if resp == 3:
            self.call("HELLO", 3)
        self._first: list[Any] | None = None
        self._is_filled = False

    def keep(self) -> None:
        """The first time: take settings and users as they are now for those that :meth:`renew` brings back."""
        if self._first is None:
            self._first = self._state()
            self._is_filled = self.call("DBSIZE") > 0

    def renew(self) -> None:
        """Bring back the settings and users that :meth:`keep` saw.

        Data, scripts and functions go, and the connection is a new one, but where a fixture of the module had filled
        the server before.
        """
        assert self._first is not None
        if not self._is_filled:
            self._socket.close()
            self._reader = reply_reader()
            self._socket = self._connect()
            for words in ("FLUSHALL", "SCRIPT FLUSH", "FUNCTION FLUSH", "ACL LOG RESET", "SLOWLOG RESET"):
                self.call(*words.split())
        if (now := self._state()) != self._first:
            was, users = self._first
            for name, value in now[0].items():
                if value != was[name]:
                    self.call("CONFIG", "SET", name, was[name])
            for name in now[1].keys() - users.keys():
                self.call("ACL", "DELUSER", name)
            for name, rules in users.items():
                if now[1].get(name) != rules:
                    self.call("ACL", "SETUSER", name, "reset", *rules)
            assert self._state() == self._first, "a test has left something on the oracle that nothing undoes"
        if self._resp == 3 and not self._is_filled:
            self.call("HELLO", 3)

    def _state(self) -> list[Any]:
        settings = self.call("CONFIG", "GET", "*")
        if isinstance(settings, list):  # RESP2
            settings = dict(zip(settings[::2], settings[1::2], strict=True))
        # A user that was reset has a flag more than the default user of the start.
        users = [line.replace(b" sanitize-payload", b"").split()[1:] for line in self.call("ACL", "LIST")]
        return [settings, {name: rules for name, *rules in users}]

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
    """A Redis speaking RESP2, as new for each test."""
    server = Oracle()
    yield server
    server.close()


@pytest.fixture(scope="module")
def oracle3() -> Iterator[Oracle]:
    """A Redis speaking RESP3, as new for each test."""
    server = Oracle(resp=3)
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _as_new(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test does to the oracle of its module is undone: which tests came before is nothing to the next one."""
    names = {"oracle", "oracle3"} & set(request.fixturenames)
    oracles = [server for server in map(request.getfixturevalue, names) if isinstance(server, Oracle)]
    for server in oracles:
        server.keep()
    yield
    for server in oracles:
        server.renew()
