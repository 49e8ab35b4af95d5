"""Masters for tests: a real Redis, and one that says what the test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import hiredis

from kedis.resp.replies import encode_command
from kedis.resp.requests import RequestParser
from tests.commands.driver import to_bytes

#: A busy machine may take long; a test that fails takes so long at most.
PATIENCE = 60.0
ID = "5" * 40


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait until ``condition()`` is true, and return what it is."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, what or "it has not become true"
        time.sleep(0.02)
    return found


class Raw:
    """A connection that gives replies as they come, errors as text, and tries nothing again."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._reader = hiredis.Reader(replyError=str)

    def call(self, *words: Any) -> Any:
        self.send(*words)
        return self.receive()

    def send(self, *words: Any) -> None:
        self._socket.sendall(encode_command([to_bytes(word) for word in words]))

    def receive(self) -> Any:
        """The next reply. Raises ConnectionError at the end."""
        while (reply := self._reader.gets()) is False:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self._reader.feed(data)
        return reply

    def await_end(self) -> None:
        """Wait until the other side has closed the connection, whatever it sends before."""
        while self._socket.recv(65536):
            pass

    def info(self, section: str = "replication") -> dict[str, str]:
        lines = self.call("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def close(self) -> None:
        self._socket.close()


def follow(replica: Raw, port: int) -> None:
    """Make ``replica`` follow the server on ``port``, and wait until the link is up."""
    assert replica.call("REPLICAOF", "127.0.0.1", port) == b"OK"
    linked(replica)


def linked(replica: Raw) -> None:
    until(lambda: replica.info().get("master_link_status") == "up", "no link")


def agree(master: Raw, replica: Raw) -> bool:
    """Whether both are at the same offset with the same data; keys that expire meanwhile make it false for a time."""
    offset = master.info()["master_repl_offset"]
    if replica.info()["slave_repl_offset"] != offset:
        return False
    digest = replica.call("DEBUG", "DIGEST")
    return bool(digest == master.call("DEBUG", "DIGEST") and master.info()["master_repl_offset"] == offset)


class Script:
    """A master that answers the handshake, and then does what a test wants with each link.

    Args:
        act: called with the connection, once PSYNC has been read, and its words.

    Attributes:
        asked: the words of each PSYNC.
    """

    def __init__(self, act: Callable[[socket.socket, list[bytes]], None]) -> None:
        self._act = act
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[list[bytes]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            with connection, contextlib.suppress(OSError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        parser = RequestParser(max_bulk_length=1 << 20)
        while data := connection.recv(4096):
            for argv in parser.feed(data):
                if argv[0] == b"PSYNC":
                    self.asked.append(argv)
                    self._act(connection, argv)
                    return
                connection.sendall(b"+PONG\r\n" if argv[0] == b"PING" else b"+OK\r\n")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)


@contextlib.contextmanager
def scripted(act: Callable[[socket.socket, list[bytes]], None]) -> Iterator[Script]:
    script = Script(act)
    try:
        yield script
    finally:
        script.close()
