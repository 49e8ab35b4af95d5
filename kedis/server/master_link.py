"""The socket of a replica's link to its master: it connects, feeds the state machine of the link, and sends.

One greenlet uses it (:mod:`kedis.server.following`); another one may only :meth:`MasterLink.cut` it.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Callable

import gevent
import gevent.socket

from kedis.process.clock import monotonic
from kedis.replication.handshake import (
    ConnectionLost,
    Event,
    Greeting,
    Link,
    LinkError,
    Phase,
    Position,
    SnapshotData,
    SnapshotEnds,
)
from kedis.server.listener import tcp_address
from kedis.server.network import Network
from kedis.server.outgoing import connect
from kedis.server.tls_context import reason

#: The largest read, in bytes: some thousand commands.
_READ = 64 * 1024
#: Seconds of work after which other clients have a turn.
_SLICE = 0.005
#: How often a master that waits for this server is shown that it lives, in seconds.
_ALIVE_SECONDS = 1.0


class MasterLink:
    """One connection to a master.

    Args:
        seconds: of silence that end the link.
        is_left: whether the server has turned to another master, or is one. The greenlet that uses the link learns of
            that by GreenletExit, but may have a turn before: what it does then would come after what clients were told.

    Attributes:
        sock: the socket, once connected.
    """

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        greeting: Greeting,
        position: Position | None,
        seconds: int,
        is_left: Callable[[], bool],
    ) -> None:
        self._network = network
        self._is_left = is_left
        self._link = Link(greeting, position)
        self._events: deque[Event] = deque()
        self._seconds = seconds
        self._turned_at = self._shown_at = monotonic()
        try:
            self.sock: socket.socket = connect(host, port, seconds, network.engine.config.bind_source_addr)
        except (ValueError, OverflowError) as error:  # what cannot be an address
            raise LinkError(f"Unable to connect to MASTER: {error}") from None
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if network.engine.config.tls_replication:
            self._begin_tls()
        self._send_output()

    def _begin_tls(self) -> None:
        """Shake hands. Raises LinkError, or OSError."""
        context = self._network.tls.replica
        assert context is not None  # the setting is on
        plain = self.sock
        try:
            self.sock = context.wrap_socket(plain)  # within the time of the connection
        except OSError as error:
            plain.close()
            raise LinkError(f"TLS with MASTER has failed: {reason(error)}") from None

    @property
    def local_address(self) -> str:
        """This server's address on the link, as CLIENT LIST prints it. Raises OSError."""
        return tcp_address(self.sock.getsockname())

    @property
    def address(self) -> str:
        """The master's. Raises OSError."""
        return tcp_address(self.sock.getpeername())

    def next_event(self, seconds: float | None = None) -> Event | None:
        """Wait for the next event, up to ``seconds``, at most those after which the link counts as dead.

        Returns None when the time is up. Raises LinkError, or OSError.
        """
        while not self._events:
            data = self._receive(self._seconds if seconds is None else seconds)
            if data is None:
                if seconds is None:
                    raise LinkError(self._silence())
                return None
            self._events += self._link.feed(data)
            self._send_output()
        return self._events.popleft()

    def _silence(self) -> str:
        """What a master that says nothing means, by how far the link is; programs look for the first words."""
        if self._link.phase in (Phase.COUNTED, Phase.MARKED):
            return "Timeout receiving bulk data from MASTER... (see repl-timeout)"
        return "Timeout connecting to the MASTER..."

    def next_snapshot_data(self) -> bytes:
        """Wait for the next bytes of the snapshot; empty at its end, again and again. Raises LinkError, or OSError."""
        if self._events and isinstance(self._events[0], SnapshotEnds):
            return b""
        self.give_way()
        event = self.next_event()
        if isinstance(event, SnapshotEnds):
            self._events.appendleft(event)
            return b""
        if not isinstance(event, SnapshotData):
            raise LinkError(f"{type(event).__name__} within a snapshot")
        return event.data

    def end_snapshot(self) -> None:
        """Take the event that ends the snapshot, all of whose bytes were taken."""
        if not isinstance(self._events.popleft(), SnapshotEnds):
            raise LinkError("a snapshot without its end")

    def _receive(self, seconds: float) -> bytes | None:
        self.sock.settimeout(max(seconds, 0.001))
        try:
            data = self.sock.recv(_READ)
        except TimeoutError:
            return None
        self.check()
        if not data:
            raise ConnectionLost
        self._network.bytes_received += len(data)
        return data

    def _send_output(self) -> None:
        output = self._link.take_output()
        if output:
            self.send(output)

    def send(self, data: bytes) -> None:
        """Send ``data``. Raises OSError, also where the master has not taken it within the time of the link."""
        self.sock.settimeout(self._seconds)
        self.sock.sendall(data)
        self._network.bytes_sent += len(data)

    def show_life(self) -> None:
        """Send an empty line, once a second: this server is at work, and does not read.

        A master that has gone is no reason to give up what was received of it; who reads next learns of it.
        """
        now = monotonic()
        if now - self._shown_at >= _ALIVE_SECONDS:
            self._shown_at = now
            with contextlib.suppress(OSError):
                self.send(b"\n")

    def give_way(self) -> None:
        """Let others have a turn of the loop, if this greenlet has worked for some milliseconds."""
        if monotonic() - self._turned_at >= _SLICE:
            self._network.pass_turn()
            self._turned_at = monotonic()

    def await_quiet(self) -> None:
        """Wait until no script is under way that has let others in: the data must not change under it.

        Raises LinkError where the server has ended, after which nothing changes any more.
        """
        restrictions = self._network.engine.restrictions
        while restrictions.busy is not None and not restrictions.ended:
            gevent.sleep(0.01)
        if restrictions.ended:
            raise LinkError("this server ends")
        self.check()

    def check(self) -> None:
        """Raise GreenletExit where the link is left, as soon as the greenlet that uses it would."""
        if self._is_left():
            raise gevent.GreenletExit

    def cut(self) -> None:
        """End the connection; the greenlet that reads learns of it. Idempotent."""
        with contextlib.suppress(OSError):
            # Not that of a TLS socket, which would go on as a plain one.
            gevent.socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection, also where a forked child has a copy of the descriptor. Idempotent."""
        self.cut()
        self.sock.close()
