"""A server that does what it is told, in a thread: for failures that real ones do not have on request."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from kedis.resp.requests import RequestParser

Answer = Callable[[list[bytes]], bytes]


class FakeServer:
    """Answers each command with ``answer(words)``.  An empty answer ends everything, as if the server had died."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._clients: list[socket.socket] = []
        self._dead = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        parser = RequestParser()
        while True:
            try:
                data = client.recv(65536)
                if not data or self._dead:
                    return
                for words in parser.feed(data):
                    reply = self._answer(words)
                    if not reply:
                        self.close()
                        return
                    client.sendall(reply)
            except OSError:
                return

    def close(self) -> None:
        self._dead = True
        # A thread in accept() keeps the socket listening until it is shut down.
        for each in (self._listener, *self._clients):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def answering(data: Answer) -> Answer:
    """PING and INFO are answered as any server does, everything else by ``data``."""

    def answer(words: list[bytes]) -> bytes:
        if words[0] == b"PING":
            return b"+PONG\r\n"
        if words[0] == b"INFO":
            text = b"redis_version:1.2.3\r\nused_cpu_user:1.0\r\nused_cpu_sys:1.0\r\n"
            return b"$%d\r\n%s\r\n" % (len(text), text)
        return data(words)

    return answer
