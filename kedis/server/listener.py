"""Accepting clients: a StreamServer that hands out plain non-blocking sockets.

Accepting is cheap: TCP options are set once, on the listening socket, from which the kernel copies them; a refused
client gets no greenlet; and the local address of a client is asked for only where it is not that of the listener
(:attr:`Listener.local_address`).

When the process has no file descriptors left, a spare one is closed, the client is accepted, refused and closed, and
the spare is opened again; the accept loop never spins.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
from _socket import socket as RawSocket  # what a Python-level socket wraps, without its cost
from collections.abc import Callable
from typing import Any

import gevent
from gevent.server import StreamServer

from kedis.errors.fault_log import FaultLog
from kedis.process.system import keep_alive
from kedis.process.threads import real_close

log = logging.getLogger("kedis.server")
_faults = FaultLog(log)

_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
#: The client stays pending then, too; of other errors the kernel has taken it away.
_NO_MEMORY = (errno.ENOMEM, errno.ENOBUFS)
_REST_SECONDS = 0.1
_READ = 1
#: The longest interval of probes that Linux takes, in seconds.
_LONGEST_KEEPALIVE = 32767


class Listener(StreamServer):  # type: ignore[misc]
    """Calls ``on_client(sock, address, listener)`` for each client, on the hub: it must not wait.

    ``on_exhausted(sock, listener)`` is called for a client that is refused because descriptors have run out.

    Attributes:
        tls: whether clients speak TLS there.
        local_address: the address on this side of every client, as text; empty where each has its own.
        max_accept: max. clients accepted in a turn.
    """

    max_accept = 64
    _watcher: Any

    def __init__(
        self,
        listening: Any,
        on_client: Callable[[RawSocket, Any, Listener], None],
        on_exhausted: Callable[[RawSocket, Listener], None],
        tls: bool = False,
    ) -> None:
        self.tls = tls
        self._spare = os.open(os.devnull, os.O_RDONLY)
        super().__init__(listening, on_client)
        self.local_address = _local_address(listening)
        self._on_client = on_client
        self._on_exhausted = on_exhausted

    def start_accepting(self) -> None:
        """Begin to accept, after the other watchers of a turn: clients that leave make room."""
        if self._watcher is None:
            watcher = self._watcher = self.loop.io(self.socket.fileno(), _READ, priority=-1)
            watcher.start(self._do_read)

    def keep_alive(self, seconds: int) -> None:
        """Set TCP keep-alive for later clients, a probe each ``seconds``; 0 is none (tcp-keepalive)."""
        sock = self.socket
        if sock.family == socket.AF_UNIX:
            return
        keep_alive(sock, min(seconds, _LONGEST_KEEPALIVE))

    def _do_read(self) -> None:
        """Accept the pending clients, without the greenlet and the socket object that StreamServer makes for each."""
        listening = self.socket
        family, kind, protocol = listening.family, listening.type, listening.proto
        for _ in range(self.max_accept):
            try:
                fd, address = listening._accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._refuse_one()
                else:
                    log.warning("cannot accept a client: %s", error)
                    if error.errno in _NO_MEMORY:
                        self._rest()
                return
            client = RawSocket(family, kind, protocol, fd)
            client.setblocking(False)
            try:
                self._on_client(client, address, self)
            except Exception as error:  # it would end the watcher, and nobody more would be accepted
                _faults.report("accepting a client, which is closed", error)
                client.close()
            if self._watcher is None:
                return

    def _refuse_one(self) -> None:
        if self._spare < 0:
            self._keep_spare()
        if self._spare < 0:
            self._rest()
            return
        real_close(self._spare)
        self._spare = -1
        try:
            fd, _ = self.socket._accept()
        except OSError:
            pass
        else:
            client = RawSocket(fileno=fd)
            client.setblocking(False)
            self._on_exhausted(client, self)
        self._keep_spare()

    def _keep_spare(self) -> None:
        """Open the spare descriptor, unless another thread has taken the last one."""
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)

    def _rest(self) -> None:
        """Stop accepting for a while: where nothing can be done about the pending client it would spin the loop."""
        self.stop_accepting()
        gevent.spawn_later(_REST_SECONDS, self._accept_again)

    def _accept_again(self) -> None:
        if self.started:
            self.start_accepting()

    def close(self) -> None:
        """Stop accepting and close the listening socket and the spare descriptor."""
        super().close()
        self._give_spare()

    def abandon(self) -> None:
        """In a forked child: close its copies of the descriptors; the loop, which is the parent's, is not touched."""
        self.socket.close()
        self._give_spare()

    def _give_spare(self) -> None:
        if self._spare >= 0:
            real_close(self._spare)
            self._spare = -1


def _local_address(listening: socket.socket) -> str:
    if listening.family == socket.AF_UNIX:
        return ""
    address = listening.getsockname()
    return "" if address[0] in ("0.0.0.0", "::") else tcp_address(address)


def tcp_address(address: Any) -> str:
    """A TCP address as CLIENT LIST prints it."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
