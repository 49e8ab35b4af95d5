"""A replica that says how far it is when it is asked alone, or never."""

from __future__ import annotations

import contextlib
import socket
import threading

from kedis.resp.replies import encode_command
from kedis.resp.requests import RequestParser
from tests.replication.masters import PATIENCE


class Reluctant:
    """A replica of the server at ``port``, which reads the stream and keeps nothing.

    Asked how far it is, it tells how far it was before the question, as Redis's does; unasked it tells nothing.

    Args:
        own_port: where it says that it listens.
        confirms: whether it answers when it is asked.

    Attributes:
        offset: of the last byte read.
    """

    def __init__(self, port: int, own_port: int = 0, *, confirms: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._file = self.socket.makefile("rb")
        self._confirms = confirms
        self._send(b"REPLCONF", b"listening-port", b"%d" % own_port)
        assert self._file.readline() == b"+OK\r\n"
        self._send(b"PSYNC", b"?", b"-1")
        self.offset = int(self._line().split()[2])
        self._file.read(int(self._line()[1:]))
        threading.Thread(target=self._follow, daemon=True).start()

    def close(self) -> None:
        """End the connection. Idempotent."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def _line(self) -> bytes:
        """The next line; empty ones show that the master lives."""
        while (line := self._file.readline()) == b"\n":
            pass
        return line

    def _send(self, *words: bytes) -> None:
        self.socket.sendall(encode_command(words))

    def _follow(self) -> None:
        parser = RequestParser(max_bulk_length=1 << 20)
        try:
            self._confirm()
            while data := self._file.read1():
                for argv in parser.feed(data):
                    if argv[1:2] == [b"GETACK"] and self._confirms:
                        self._confirm()
                    self.offset += len(encode_command(argv))
        except (OSError, ValueError):  # the test has closed it
            pass

    def _confirm(self) -> None:
        self._send(b"REPLCONF", b"ACK", b"%d" % self.offset)
