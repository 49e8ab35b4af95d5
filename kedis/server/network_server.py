"""The network server: accepts clients, serves each in a greenlet, and starts and stops all parts in order.

All of it runs in one thread, on one gevent hub.  :meth:`NetworkServer.start` binds and begins to accept;
:meth:`NetworkServer.stop` ends it.  Signals and process exit belong to the command line
(:mod:`kedis.cli.server`), so that a server can live in any thread of any program.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import Any

import gevent
from greenlet import greenlet  # type: ignore[import-untyped]  # comes with gevent

from kedis import errors
from kedis.config import Config
from kedis.engine.client import FOREVER_NS
from kedis.engine.engine import Engine
from kedis.engine.ports import NamedClient
from kedis.server.connection import BUDGET_NS, Connection
from kedis.server.cron import Cron
from kedis.server.deadlines import Deadlines
from kedis.server.listener import Listener, tcp_address
from kedis.server.listeners import Listeners
from kedis.server.network import SMALL_BUDGET_NS, Network
from kedis.server.tls_handshakes import Handshakes
from kedis.server.tls_socket import TlsSocket

log = logging.getLogger("kedis.server")

AnySocket = socket.SocketType | TlsSocket

#: Greenlets kept for later clients.
_IDLE_WORKERS = 64
_BROWSER_LOG_INTERVAL_NS = 60_000_000_000


class NetworkServer(Network):
    """Serves one engine to the network.

    From here until :meth:`serve_data` the engine is in its loading state, in which commands that touch data are
    refused: between the first accepted client and the open append-only file no client reads data that are not all
    loaded, or makes a change that would not be recorded.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, BUDGET_NS, SMALL_BUDGET_NS)
        self.cron = Cron(self)
        self.deadlines = Deadlines(self)
        self.handshakes = Handshakes(self, self.tls, self._admit)
        self.cron.each_round.append(self.handshakes.end_slow)
        self.listeners = Listeners(engine.config, self._handle, self._refuse_unserved)
        #: Greenlets whose client has left, waiting for another.
        self._idle_workers: list[Any] = []
        self._browser_logged_ns = -FOREVER_NS
        self._stopped = False
        engine.attach_loop(self)
        engine.set_loading(True)

    @property
    def port(self) -> int:
        """The TCP port; 0 before :meth:`start`."""
        return self.listeners.port

    @property
    def tls_port(self) -> int:
        """The TLS port; 0 before :meth:`start`, and for none."""
        return self.listeners.tls_port

    @property
    def shown_ports(self) -> str:
        """Where it listens, for people: ``port 6379``, ``port 6379 and TLS port 6380``."""
        shown = (
            f"port {self.port}" if self.port else "",
            f"TLS port {self.tls_port}" if self.tls_port else "",
        )
        return " and ".join(filter(None, shown))

    # -- start and end ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bind and begin to serve.  Raises :class:`kedis.server.start_error.StartError`."""
        self.listeners.fit_descriptors()
        self.tls.start()
        self._follow_settings()
        self.engine.keyspace.lazy_free.enabled = True
        self.cycle.start()
        self.cron.start()
        self.listeners.start()

    def serve_data(self) -> None:
        """Leave the loading state: all data are loaded, and changes are recorded."""
        self.engine.set_loading(False)

    def stop(self) -> None:
        """Stop accepting, close every client, stop the periodic work; all sockets are closed then.  Idempotent."""
        if self._stopped:
            return
        self._stopped = True
        self.listeners.stop()
        self.handshakes.stop()
        self.cron.stop()
        self.cycle.release()
        self._close_clients()
        self._idle_workers.clear()  # which ends them
        self.cycle.stop()
        self.stop_deferred_calls()
        self.deadlines.stop()

    def _close_clients(self) -> None:
        """Close every client, and let their greenlets end, which close the sockets."""
        for connection in list(self.connections):
            connection.close()
        self.pass_turn()  # clients accepted in this turn are refused in it
        while self.connections:
            self.pass_turn()

    def abandon(self) -> None:
        """In a forked child: close its copies of the sockets, which changes nothing for the parent's clients."""
        self.listeners.abandon()
        self.handshakes.abandon()
        for connection in list(self.connections):
            connection.sock.close()

    def stop_accepting(self) -> None:
        """Take no new clients; those that are connected stay."""
        self.listeners.stop_accepting()

    def _follow_settings(self) -> None:
        """Follow CONFIG SET of the settings that are not read at each use."""
        config = self.engine.config
        self.listeners.follow_settings()
        for name in ("maxmemory-clients", "maxmemory"):
            config.subscribe(name, lambda _config: self.review_clients())
        self.review_clients()
        config.subscribe("proto-max-bulk-len", self._limit_bulks)

    def _limit_bulks(self, config: Config) -> None:
        for connection in self.connections:
            connection.parser.max_bulk_length = config.proto_max_bulk_len

    # -- clients ------------------------------------------------------------------------------------------

    def _handle(self, sock: socket.SocketType, address: Any, listener: Listener) -> None:
        """A client has connected: serve it, by TLS after its handshake."""
        if self._stopped:
            _end(sock)
            return
        self.connections_received += 1
        if not listener.tls:
            self._admit(sock, address, listener)
        elif self._has_room_for_handshake():
            self.handshakes.begin(sock, address, listener)
        else:
            self._refuse_unserved(sock, listener)

    def _has_room_for_handshake(self) -> bool:
        """Whether one more client may begin; the place of a handshake that has been silent is given away."""
        room = self.engine.config.maxclients - len(self.connections)
        return room > len(self.handshakes) or (room > 0 and self.handshakes.make_room())

    def _admit(self, sock: AnySocket, address: Any, listener: Listener) -> None:
        """Serve one client, in a greenlet of its own until it has left, unless it is refused."""
        if len(self.connections) >= self.engine.config.maxclients:
            self._refuse(sock)
        elif self._is_unprotected_stranger(sock, address):
            self.rejected_connections += 1
            self._answer_and_close(sock, errors.PROTECTED_MODE)
        else:
            worker = self._idle_workers.pop() if self._idle_workers else greenlet(self._work, self.hub)
            worker.switch(sock, address, listener)

    def _work(self, sock: AnySocket, address: Any, listener: Listener) -> None:
        """Serve one client after the other: a new greenlet for each would cost a mapping of memory."""
        while True:
            self._serve(sock, address, listener)
            if len(self._idle_workers) >= _IDLE_WORKERS or not self.listeners:
                break
            self._idle_workers.append(gevent.getcurrent())
            del sock, address, listener
            sock, address, listener = self.hub.switch()

    def _serve(self, sock: AnySocket, address: Any, listener: Listener) -> None:
        try:
            local = listener.local_address or _text(sock.getsockname(), sock)
            connection = self.make_connection(sock, _text(address, sock), local)
            self.connections.add(connection)
            connection.serve()
        except Exception as error:
            self.report("serving a client, which is closed", error)
        finally:
            _end(sock)

    def make_connection(self, sock: AnySocket, address: str, local_address: str) -> Connection:
        """The connection of a client that has come."""
        return Connection(self, sock, address, local_address)

    def _refuse_unserved(self, sock: socket.SocketType, listener: Listener) -> None:
        """Refuse a client that has just been accepted: there is no place for it, or no descriptor."""
        if not listener.tls:
            self._refuse(sock)
        else:  # an answer would take a handshake; Redis gives none either
            self.rejected_connections += 1
            _end(sock)

    def _refuse(self, sock: AnySocket) -> None:
        self.rejected_connections += 1
        self._answer_and_close(sock, errors.TOO_MANY_CLIENTS)

    # -- the port of the engine (kedis.engine.ports.EventLoop) --------------------------------------------

    def turn(self, client: Any) -> None:
        """A script of ``client``, in its own greenlet or one for scripts, is over its time limit: let others run."""
        transport = client.transport
        current = gevent.getcurrent()
        if current in self.script_greenlets:
            connected = isinstance(transport, Connection)
            if connected:
                transport.wants_send()
                transport.stop_reading()
            self.next_turn(current.switch)
            self.hub.switch()
            if connected:
                transport.go_on_reading()
        elif isinstance(transport, Connection):
            transport.wants_send()
            transport.give_way()

    def unpaused(self) -> None:
        """CLIENT PAUSE has ended: the clients that wait for it go on."""
        self.wake_paused()

    def evict_later(self) -> None:
        """Evict keys in the next turn."""
        self.cron.evict_later()

    def await_deadline(self, at_ns: int) -> None:
        """Have blocked clients answered at ``at_ns``."""
        self.deadlines.arm(at_ns)

    def broadcast_later(self) -> None:
        """Tell the clients that track by broadcasting at the end of this turn."""
        self.cycle.at_end.append(self.engine.tracking.broadcast)

    def refused_browser(self, client: NamedClient) -> None:
        """Log, at most once a minute, that a client speaks HTTP to the port."""
        now = self.engine.monotonic()
        if now - self._browser_logged_ns > _BROWSER_LOG_INTERVAL_NS:
            self._browser_logged_ns = now
            log.warning("closing %s: it speaks HTTP; possibly a web page attacks the server", client.address)

    @staticmethod
    def _answer_and_close(sock: AnySocket, text: str) -> None:
        with contextlib.suppress(OSError):  # the client is refused either way
            sock.send(f"-{text}\r\n".encode())
        _end(sock)

    def _is_unprotected_stranger(self, sock: AnySocket, address: Any) -> bool:
        engine = self.engine
        if (
            not engine.config.protected_mode
            or engine.users.default_has_password
            or sock.family == socket.AF_UNIX
        ):
            return False
        host: str = address[0]
        return not host.startswith("127.") and host != "::1"


def _end(sock: AnySocket) -> None:
    """End the connection, also where a child has a copy of the descriptor: forked between accept and registration."""
    with contextlib.suppress(OSError):  # the client has ended it
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def _text(address: Any, sock: AnySocket) -> str:
    """An address as CLIENT LIST prints it; by a Unix socket both are the server's, whatever a client has bound."""
    if sock.family == socket.AF_UNIX:
        return f"{sock.getsockname()}:0"
    return tcp_address(address)
