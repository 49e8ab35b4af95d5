"""Handshakes of TLS under way: limited in time, in number, and in what they take of a turn.

A client that has connected to the TLS port is nobody's until its handshake is complete: it has no greenlet, no place
among the clients, and none of their limits. A handshake takes up to a millisecond of the processor (the signature); so
its steps are deferred calls, which share five milliseconds of each turn, and clients are served in between.

When too many are under way no more are accepted: they wait in the queue of the listening socket, so clients that all
connect at once are served one after the other. What has been silent for a second then makes room.
"""

from __future__ import annotations

import contextlib
import logging
from _socket import socket as RawSocket
from collections.abc import Callable
from typing import Any

from kedis.server.listener import Listener
from kedis.server.network import Network
from kedis.server.tls import Tls
from kedis.server.tls_context import reason
from kedis.server.tls_socket import TlsSocket

log = logging.getLogger("kedis.server")

#: Nanoseconds that a handshake may take.
TIME_NS = 10_000_000_000
#: Handshakes under way; nobody more is accepted then.
MOST = 512
#: Nanoseconds after which a handshake that waits for its client may be ended to make room.
SILENT_NS = 1_000_000_000
_LOG_INTERVAL_NS = 1_000_000_000
_READ = 1


class Handshakes:
    """Those of the clients of ``network``; ``on_done(sock, address, listener)`` takes over whoever is through."""

    def __init__(
        self, network: Network, tls: Tls, on_done: Callable[[TlsSocket, Any, Listener], None]
    ) -> None:
        self._network = network
        self._tls = tls
        self._on_done = on_done
        #: The oldest first.
        self._pending: dict[_Handshake, None] = {}
        #: Listeners that do not accept until there is room.
        self._full: set[Listener] = set()
        self._logged_ns = -_LOG_INTERVAL_NS
        self._unlogged = 0

    def __len__(self) -> int:
        return len(self._pending)

    def begin(self, sock: RawSocket, address: Any, listener: Listener) -> None:
        """Await the handshake of a client that was just accepted."""
        context = self._tls.server
        if context is None:  # TLS was switched off in this very turn
            sock.close()
            return
        client = TlsSocket(sock, context, self._tls.raw)
        handshake = _Handshake(self, client, address, listener, self._network.engine.monotonic())
        handshake.wait(self._network.hub)
        self._pending[handshake] = None
        if len(self._pending) >= MOST and not self.make_room():
            listener.stop_accepting()
            self._full.add(listener)

    def make_room(self) -> bool:
        """End the oldest whose client has said nothing for a while; whether there was one. O(handshakes)."""
        since = self._network.engine.monotonic() - SILENT_NS
        for handshake in self._pending:
            if handshake.began_ns > since:
                return False
            if not handshake.queued:
                self._fail(handshake, TimeoutError("too many handshakes are under way"))
                return True
        return False

    def end_slow(self) -> None:
        """End those that take too long, or stand in the way of others. O(1) where none does."""
        if not self._pending:
            return
        while self._full and self.make_room():
            pass
        since = self._network.engine.monotonic() - TIME_NS
        for handshake in list(self._pending):
            if handshake.began_ns > since:
                break
            self._fail(handshake, TimeoutError("the handshake takes too long"))

    def stop(self) -> None:
        """End all. Idempotent."""
        self._full.clear()
        for handshake in list(self._pending):
            self._forget(handshake)
            handshake.sock.close()

    def abandon(self) -> None:
        """In a forked child: close its copies of the sockets."""
        for handshake in self._pending:
            handshake.sock.close()

    # -- one handshake ------------------------------------------------------------------------------------

    def readable(self, handshake: _Handshake) -> None:
        """Something has come; the step is taken in the next turn."""
        handshake.watcher.stop()
        handshake.queued = True
        self._network.next_turn(handshake.step)

    def step(self, handshake: _Handshake) -> None:
        """Go on with one."""
        if handshake not in self._pending:  # it was ended meanwhile
            return
        try:
            complete = handshake.sock.handshake()
        except BlockingIOError:
            complete = False
        except OSError as error:
            self._fail(handshake, error)
            return
        if not complete:
            handshake.queued = False
            handshake.watcher.start(self.readable, handshake)
            return
        self._forget(handshake)
        self._tls.handshakes += 1
        self._on_done(handshake.sock, handshake.address, handshake.listener)

    def _fail(self, handshake: _Handshake, error: OSError) -> None:
        self._forget(handshake)
        self._tls.failed_handshakes += 1
        with contextlib.suppress(OSError):
            handshake.sock.close()
        now = self._network.engine.monotonic()
        if now - self._logged_ns < _LOG_INTERVAL_NS:
            self._unlogged += 1
            return
        more = f" ({self._unlogged} more since the last line)" if self._unlogged else ""
        self._logged_ns, self._unlogged = now, 0
        host = handshake.address[0]
        log.warning("Error accepting a client connection: %s (addr=%s)%s", reason(error), host, more)

    def _forget(self, handshake: _Handshake) -> None:
        del self._pending[handshake]
        handshake.watcher.stop()
        handshake.watcher.close()
        if self._full and len(self._pending) < MOST:
            for listener in self._full:
                if listener.started:
                    listener.start_accepting()
            self._full.clear()


class _Handshake:
    """One handshake; ``queued``: something has come, and its step is taken in the next turn."""

    __slots__ = ("_all", "address", "began_ns", "listener", "queued", "sock", "watcher")

    def __init__(
        self, handshakes: Handshakes, sock: TlsSocket, address: Any, listener: Listener, began_ns: int
    ) -> None:
        self._all = handshakes
        self.sock = sock
        self.address = address
        self.listener = listener
        self.began_ns = began_ns
        self.queued = False
        self.watcher: Any = None

    def wait(self, hub: Any) -> None:
        """Begin to wait for what the client sends."""
        self.watcher = hub.loop.io(self.sock.fileno(), _READ)
        self.watcher.start(self._all.readable, self)

    def step(self) -> None:
        """Go on, in a turn of its own."""
        self._all.step(self)
