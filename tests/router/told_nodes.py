"""Nodes that answer what a test tells them, and know by which connection each request has come."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import hiredis

from kedis.resp.replies import encode_command

#: A node answers a request by one of these bytes, by nothing, or by the end of the connection.
Answer = Callable[[int, list[bytes]], bytes | None]
END = b""


class ToldNode:
    """A single server by its own account, or with ``in_cluster`` the only master of a cluster.

    Attributes:
        answer: of a connection's number and the words; None: as a node without any trouble.
        asked: of each connection what it has asked, in order.
        replicas: ports of those that ROLE names.
        is_away: whoever asks anything is disconnected.
    """

    def __init__(self, *, in_cluster: bool = False, role: bytes = b"master") -> None:
        self.in_cluster = in_cluster
        self.role = role
        self.answer: Answer | None = None
        self.asked: list[list[list[bytes]]] = []
        self.replicas: list[int] = []
        self.is_away = False
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> ToldNode:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def send(self, number: int, reply: bytes) -> None:
        """Say something by a connection, whether it was asked or not."""
        self._sockets[number].sendall(reply)

    def connections_with(self, name: bytes) -> list[int]:
        """The connections that have sent a command of this name."""
        return [number for number, asked in enumerate(self.asked) if any(words[0] == name for words in asked)]

    def count(self, name: bytes) -> int:
        """How many commands of this name have come."""
        return sum(words[0] == name for asked in list(self.asked) for words in list(asked))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._sockets.append(sock)
                self.asked.append([])
                threading.Thread(target=self._serve, args=(len(self._sockets) - 1, sock), daemon=True).start()

    def _serve(self, number: int, sock: socket.socket) -> None:
        reader = hiredis.Reader()
        with sock, contextlib.suppress(OSError, hiredis.ProtocolError):  # it may be asked by TLS
            while data := sock.recv(65536):
                reader.feed(data)
                while (words := reader.gets()) is not False:
                    self.asked[number].append(words)
                    reply = END if self.is_away else self._reply(number, words)
                    if reply == END:
                        return
                    sock.sendall(reply or b"")

    def _reply(self, number: int, words: list[bytes]) -> bytes | None:
        if words[:2] == [b"CLUSTER", b"SLOTS"]:
            if self.in_cluster:
                return b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % self.port
            return b"-ERR This instance has cluster support disabled\r\n"
        if words[0] == b"ROLE":
            return self._role()
        if words == [b"CLIENT", b"ID"]:
            return b":%d\r\n" % number
        if words[0] == b"INFO":
            return b"$0\r\n\r\n"
        if self.answer is None:
            return b"+OK\r\n"
        return self.answer(number, words)

    def _role(self) -> bytes:
        if self.role != b"master":
            return b"*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:0\r\n"
        lines = [encode_command([b"127.0.0.1", b"%d" % port, b"0"]) for port in self.replicas]
        return b"*3\r\n$6\r\nmaster\r\n:0\r\n*%d\r\n" % len(lines) + b"".join(lines)
