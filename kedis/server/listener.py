"""Accepting clients: a gevent ``StreamServer`` that hands out plain non-blocking sockets.

When the process has no file descriptors left, a spare one that was kept for this moment is given up, the client
is accepted, told and closed, and the spare is taken again; the accept loop never spins.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import gevent
from gevent.server import StreamServer

_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_REST_SECONDS = 0.1


class Listener(StreamServer):  # type: ignore[misc]
    """Calls ``handle(sock, address)`` in a new greenlet for each client.

    ``on_exhausted(sock)`` is called for a client that came when descriptors had run out.
    """

    def __init__(
        self,
        listening: Any,
        handle: Callable[[socket.socket, Any], None],
        on_exhausted: Callable[[socket.socket], None],
    ) -> None:
        super().__init__(listening, handle)
        self._spare = os.open(os.devnull, os.O_RDONLY)
        self._on_exhausted = on_exhausted

    def do_read(self) -> tuple[socket.socket, Any] | None:
        """Accept one client; None when there is none."""
        listening = self.socket
        try:
            fd, address = listening._accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        except OSError as error:
            if error.errno not in _NO_DESCRIPTORS:
                raise
            self._refuse_one()
            return None
        client = socket.socket(listening.family, listening.type, listening.proto, fileno=fd)
        client.setblocking(False)
        return client, address

    def _refuse_one(self) -> None:
        if self._spare < 0:
            self._keep_spare()
        if self._spare < 0:
            self._rest()
            return
        os.close(self._spare)
        self._spare = -1
        try:
            fd, _ = self.socket._accept()
        except OSError:
            pass
        else:
            client = socket.socket(fileno=fd)
            client.setblocking(False)
            self._on_exhausted(client)
            client.close()
        self._keep_spare()

    def _keep_spare(self) -> None:
        """Take a descriptor for bad times, unless another thread has been quicker."""
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)

    def _rest(self) -> None:
        """Not one descriptor is left: look again in a while, for the client that waits would wake the loop for ever."""
        self.stop_accepting()
        gevent.spawn_later(_REST_SECONDS, self._accept_again)

    def _accept_again(self) -> None:
        if self.started:
            self.start_accepting()

    def close(self) -> None:
        """Stop accepting and close the listening socket and the spare descriptor."""
        super().close()
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1
