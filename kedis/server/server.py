"""The network server: listeners, clients, periodic work, start and orderly end.

All of it runs in one thread, on one gevent hub.  :meth:`NetworkServer.start` binds and begins to accept;
:meth:`NetworkServer.stop` ends it.  Signals and process exit belong to the command line
(:mod:`kedis.cli.server`), so that a server can live in any thread of any program.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import socket
import time
from collections.abc import Callable, Collection
from typing import Any

import gevent
from greenlet import greenlet  # type: ignore[import-untyped]  # comes with gevent

from kedis import errors
from kedis.config import Config, SettingRefused
from kedis.engine.call import expire_blocked
from kedis.engine.client import FOREVER_NS
from kedis.engine.engine import Engine
from kedis.engine.ports import NamedClient
from kedis.errors.fault_log import FaultLog
from kedis.process.threads import RealSocket
from kedis.server.client_eviction import ClientEviction
from kedis.server.connection import BUDGET_NS, Connection
from kedis.server.cycle import Cycle
from kedis.server.listener import Listener, tcp_address
from kedis.server.sender import Sender
from kedis.store.expiry import ActiveExpiry

log = logging.getLogger("kedis.server")

#: Descriptors that the server needs for itself: files, listeners, pipes.
RESERVED_DESCRIPTORS = 32
#: Greenlets kept for clients to come.
_IDLE_WORKERS = 64
#: Time in each turn for what was put off to it, in ns; the rest is put off once more.
_PUT_OFF_NS = 5_000_000
#: Seconds after which a timer for a later moment is set anew.
_LONGEST_TIMER = 3600.0
#: Keys that a round of the periodic work gives up, when more are tracked than may be.
_TRACKING_EFFORT = 1000


class StartError(Exception):
    """The server cannot start; the message is one clear line for the user."""


class NetworkServer:
    """Serves one engine to the network.

    The engine is in its loading state, in which commands that touch data are refused, from here on until
    :meth:`serve_data`: whatever runs between the first accepted client and the open journal, no client is answered
    from data that are not all there, and none changes anything that would not be recorded.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.hub = gevent.get_hub()
        self.cycle = Cycle(self.hub, engine.clock)
        self.connections: set[Connection] = set()
        #: Those whose replies the kernel has not taken whole.
        self.slow_readers: set[Sender] = set()
        #: Greenlets whose client has gone and that wait for another.
        self._idle_workers: list[Any] = []
        self.paused: dict[Connection, Callable[[], Any]] = {}
        self.listeners: list[Listener] = []
        self._addresses: list[tuple[str, int]] = []
        self.port = 0
        #: Those that serve the metrics.
        self.http_greenlets: Collection[Any] = ()
        self.reset_counters()
        self.expiry = ActiveExpiry(engine.keyspace)
        self._browser_logged_ns = -FOREVER_NS
        self._next_turn: list[Callable[[], Any]] = []
        self._turn_timer = self.hub.loop.timer(0.0)
        self._deadline_timer: Any = None
        self._evicting = False
        self._faults = FaultLog(log)
        #: What a client's commands may take at once.
        self.slice_ns = BUDGET_NS
        self.client_eviction = ClientEviction(self)
        self._stopped = False
        self._periodic: gevent.Greenlet | None = None
        engine.attach_loop(self)
        #: Called in each round of the periodic work.
        self.periodic: list[Callable[[], None]] = []
        engine.network = self
        engine.set_loading(True)

    def reset_counters(self) -> None:
        """Zero the figures that only grow (CONFIG RESETSTAT)."""
        self.bytes_received = self.bytes_sent = 0
        self.connections_received = self.rejected_connections = 0
        self.query_buffer_disconnections = self.output_buffer_disconnections = 0
        self.evicted_clients = 0
        self.idle_disconnections = 0

    # -- start and end ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bind and begin to serve.  Raises :class:`StartError`."""
        config = self.engine.config
        self._fit_descriptors()
        self._follow_settings()
        self.engine.keyspace.lazy_free.enabled = True
        self.cycle.start()
        self._periodic = gevent.spawn(self._run_periodically)
        self._listen_on([(host, config.port) for host in config.bind_addresses])
        if config.unixsocket:
            self._listen_unix(config.unixsocket)

    def serve_data(self) -> None:
        """Leave the loading state: all data are loaded, and what records changes is open."""
        self.engine.set_loading(False)

    def stop(self) -> None:
        """Stop accepting, close every client, stop the periodic work; all sockets are closed then.  Idempotent."""
        if self._stopped:
            return
        self._stopped = True
        for listener in self.listeners:
            listener.stop()
        self.listeners.clear()
        if self._periodic is not None:
            self._periodic.kill()
        self.cycle.release()
        self._close_clients()
        self._idle_workers.clear()  # which ends them
        self.cycle.stop()
        self._turn_timer.stop()
        self._turn_timer.close()
        self._stop_deadline_timer()

    def _close_clients(self) -> None:
        """Close every client, and let their greenlets end, which close the sockets."""
        for connection in list(self.connections):
            connection.close()
        self.pass_turn()  # clients that were accepted just now are turned away in it
        while self.connections:
            self.pass_turn()

    def abandon(self) -> None:
        """In a forked child: close its copies of the sockets, which changes nothing for the parent's clients."""
        for listener in self.listeners:
            listener.abandon()
        for connection in list(self.connections):
            connection.sock.close()

    def stop_accepting(self) -> None:
        """Take no new clients; those that are connected stay."""
        for listener in self.listeners:
            listener.stop()

    def _follow_settings(self) -> None:
        """Act when CONFIG SET changes a setting that is more than a number looked up each time."""
        config = self.engine.config
        config.subscribe("port", self._listen_anew)
        config.subscribe("bind", self._listen_anew)
        for name in ("maxmemory-clients", "maxmemory"):
            config.subscribe(name, lambda _config: self.client_eviction.review())
        self.client_eviction.review()
        config.subscribe("maxclients", self._check_maxclients)
        config.subscribe("proto-max-bulk-len", self._limit_bulks)
        config.subscribe("tcp-keepalive", self._keep_alive)

    def _listen_anew(self, config: Config) -> None:
        """Listen on the new addresses instead of the old ones; clients stay connected."""
        old = self._addresses
        self._stop_listening()
        try:
            self._listen_on([(host, config.port) for host in config.bind_addresses])
        except StartError as error:
            log.warning("%s", error)
            self._stop_listening()
            self._listen_on(old)
            raise SettingRefused("Unable to listen on this port. Check server logs.") from None

    def _listen_on(self, addresses: list[tuple[str, int]]) -> None:
        """Listen on ``addresses``; where the first port is 0, all take the free one that it gets."""
        self.port = 0
        self._addresses = []
        for host, port in addresses:
            self._listen(host, self.port or port)
            self._addresses.append((host, self.port))

    def _stop_listening(self) -> None:
        """Leave the TCP addresses."""
        for listener in [each for each in self.listeners if each.socket.family != socket.AF_UNIX]:
            listener.stop()
            self.listeners.remove(listener)

    def _check_maxclients(self, config: Config) -> None:
        wanted = config.maxclients
        self._fit_descriptors()
        if config.maxclients < wanted:
            raise SettingRefused(
                "The operating system is not able to handle the specified number of clients, "
                f"try with {config.maxclients}"
            )

    def _keep_alive(self, config: Config) -> None:
        for listener in self.listeners:
            listener.keep_alive(config.tcp_keepalive)

    def _limit_bulks(self, config: Config) -> None:
        for connection in self.connections:
            connection.parser.max_bulk_length = config.proto_max_bulk_len

    def _listen(self, host: str, port: int) -> None:
        optional = host.startswith("-")
        host = host.removeprefix("-")
        wildcard = {"*": "0.0.0.0", "::*": "::"}.get(host, host)
        family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
        listening = RealSocket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listening.bind((wildcard, port))
        except OSError as error:
            listening.close()
            if optional:
                return
            raise StartError(f"cannot listen on {host} port {port}: {error.strerror or error}") from None
        self._accept_from(listening)
        self.port = listening.getsockname()[1]

    def _listen_unix(self, path: str) -> None:
        listening = RealSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if os.path.exists(path):
                os.unlink(path)
            listening.bind(path)
            if self.engine.config.unixsocketperm:
                os.chmod(path, self.engine.config.unixsocketperm)
        except OSError as error:
            listening.close()
            raise StartError(f"cannot listen on unix socket {path}: {error.strerror or error}") from None
        self._accept_from(listening)

    def _accept_from(self, listening: socket.socket) -> None:
        if listening.family != socket.AF_UNIX:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.listen(self.engine.config.tcp_backlog)
        listening.setblocking(False)
        listener = Listener(listening, self._handle, self._refuse)
        listener.keep_alive(self.engine.config.tcp_keepalive)
        listener.start()
        self.listeners.append(listener)

    def _fit_descriptors(self) -> None:
        """Raise the limit of open files to what maxclients needs, or lower maxclients to what there is."""
        config = self.engine.config
        needed = config.maxclients + RESERVED_DESCRIPTORS
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft >= needed:
            return
        limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        if limit <= RESERVED_DESCRIPTORS:
            raise StartError(
                f"the limit of open files is {limit}, and Kedis needs {RESERVED_DESCRIPTORS} for itself; "
                f"raise it to at least {needed} (ulimit -n {needed})"
            )
        if limit < needed:
            config.maxclients = limit - RESERVED_DESCRIPTORS
            log.warning("maxclients lowered to %d: the limit of open files is %d", config.maxclients, limit)

    # -- clients ------------------------------------------------------------------------------------------

    def _handle(self, sock: socket.SocketType, address: Any, listener: Listener) -> None:
        """Serve one client, in a greenlet of its own until it has gone, unless it is refused."""
        if self._stopped:
            sock.close()
            return
        self.connections_received += 1
        if len(self.connections) >= self.engine.config.maxclients:
            self._refuse(sock)
        elif self._is_unprotected_stranger(sock, address):
            self.rejected_connections += 1
            self._answer_and_close(sock, errors.PROTECTED_MODE)
        else:
            worker = self._idle_workers.pop() if self._idle_workers else greenlet(self._work, self.hub)
            worker.switch(sock, address, listener)

    def _work(self, sock: socket.SocketType, address: Any, listener: Listener) -> None:
        """Serve one client after the other: a new greenlet for each would cost a mapping of memory."""
        while True:
            self._serve(sock, address, listener)
            if len(self._idle_workers) >= _IDLE_WORKERS or not self.listeners:
                break
            self._idle_workers.append(gevent.getcurrent())
            del sock, address, listener
            sock, address, listener = self.hub.switch()

    def _serve(self, sock: socket.SocketType, address: Any, listener: Listener) -> None:
        try:
            local = listener.local_address or _text(sock.getsockname(), sock)
            connection = Connection(self, sock, _text(address, sock), local)
            self.connections.add(connection)
            connection.serve()
        except Exception as error:
            self.report("serving a client, which is closed", error)
        finally:
            sock.close()

    def _refuse(self, sock: socket.SocketType) -> None:
        self.rejected_connections += 1
        self._answer_and_close(sock, errors.TOO_MANY_CLIENTS)

    def refused_browser(self, client: NamedClient) -> None:
        """Log, at most once a minute, that somebody speaks HTTP to the port."""
        now = self.engine.monotonic()
        if now - self._browser_logged_ns > 60_000_000_000:
            self._browser_logged_ns = now
            log.warning("closing %s: it speaks HTTP; possibly a web page attacks the server", client.address)

    @staticmethod
    def _answer_and_close(sock: socket.SocketType, text: str) -> None:
        with contextlib.suppress(OSError):  # the client is refused either way
            sock.send(f"-{text}\r\n".encode())
        sock.close()

    def _is_unprotected_stranger(self, sock: socket.SocketType, address: Any) -> bool:
        config = self.engine.config
        if not config.protected_mode or config.requirepass or sock.family == socket.AF_UNIX:
            return False
        host: str = address[0]
        return not host.startswith("127.") and host != "::1"

    def greenlets(self) -> int:
        """Greenlets of this server: those of clients, of HTTP, of the periodic work and of whoever has started it."""
        return len(self.connections) + len(self.http_greenlets) + 2

    # -- turns --------------------------------------------------------------------------------------------

    def next_turn(self, callback: Callable[[], Any]) -> None:
        """Call ``callback`` in the next turn of the loop, after waiting input of others has been looked at.

        A turn has ``_PUT_OFF_NS`` for this; whoever it is not enough for comes first in the turn after.

        (``loop.run_callback`` may run it within the same turn, for as long as callbacks keep coming.)
        """
        if not self._next_turn:
            self._turn_timer.start(self._run_next_turn)
        self._next_turn.append(callback)

    def pass_turn(self) -> None:
        """Let the others have a turn of the loop; to be called in a greenlet that waits for nothing else."""
        self.next_turn(gevent.getcurrent().switch)
        self.hub.switch()

    def _run_next_turn(self) -> None:
        callbacks, self._next_turn = self._next_turn, []
        clock = self.engine.monotonic
        began = clock()
        done = 0
        for callback in callbacks:
            done += 1
            try:
                callback()
            except Exception as error:  # somebody else waits for the next one
                self.report("a turn of the event loop", error)
            if clock() - began >= _PUT_OFF_NS:
                break
        if done < len(callbacks):
            if not self._next_turn:
                self._turn_timer.start(self._run_next_turn)
            self._next_turn[:0] = callbacks[done:]

    def report(self, place: str, error: Exception) -> None:
        """Count and log an exception that nobody expects, once a minute for each place."""
        self.engine.faults += 1
        self._faults.report(place, error)

    def broadcast_later(self) -> None:
        """See :class:`kedis.engine.ports.EventLoop`."""
        self.cycle.at_end.append(self.engine.tracking.broadcast)

    def unpaused(self) -> None:
        """CLIENT PAUSE has ended: the clients that wait for it go on."""
        for callback in list(self.paused.values()):
            self.next_turn(callback)

    # -- deadlines of blocked clients ---------------------------------------------------------------------

    def await_deadline(self, at_ns: int) -> None:
        """Have the blocked clients whose time is up answered at ``at_ns``; one timer serves them all."""
        self._stop_deadline_timer()
        seconds = (at_ns - self.engine.monotonic()) / 1e9
        self._deadline_timer = self.hub.loop.timer(min(max(seconds, 0.0), _LONGEST_TIMER))
        self._deadline_timer.start(self._deadline_reached, update=True)

    def _deadline_reached(self) -> None:
        blocking = self.engine.blocking
        try:
            expire_blocked(self.engine)
        except Exception as error:  # the others' time will be up, too
            self.report("answering a blocked client", error)
        if blocking.next_deadline_ns is None:
            self._stop_deadline_timer()
        else:
            self.await_deadline(blocking.next_deadline_ns)

    def _stop_deadline_timer(self) -> None:
        if self._deadline_timer is not None:
            self._deadline_timer.stop()
            self._deadline_timer.close()
            self._deadline_timer = None

    # -- periodic work ------------------------------------------------------------------------------------

    def _run_periodically(self) -> None:
        """``hz`` times a second; a fault in one round is no reason for the next not to come."""
        while True:
            interval = 1.0 / self.engine.config.hz
            began = time.perf_counter()
            gevent.sleep(interval)
            self.cycle.figures.lags.add(int((time.perf_counter() - began - interval) * 1e9))
            try:
                self._look_after(interval)
            except Exception as error:
                self.report("the periodic work", error)

    def _look_after(self, interval: float) -> None:
        """One round: expiry, freeing, idle clients and those that do not read, the end of a pause."""
        engine = self.engine
        engine.keyspace.now_ns = engine.clock()
        engine.check_clock()
        for action in self.periodic:
            action()
        if engine.restrictions.paused_until_ns and engine.monotonic() >= engine.restrictions.paused_until_ns:
            engine.unpause()
        if not engine.loading and not engine.restrictions.paused_until_ns:
            self.expiry.effort = engine.config.active_expire_effort
            self._after_expiry(self.expiry.run(interval, engine.clock))
        if engine.keyspace.lazy_free:
            self.next_turn(self._free)
        engine.tracking.limit(_TRACKING_EFFORT)
        self._close_idle_clients()
        self.client_eviction.review()
        for connection in list(self.slow_readers):
            connection.check_output_limit()

    def _after_expiry(self, more: bool) -> None:
        """Journal what a slice of the expiry cycle removed; the next slice, if any, follows in the next turn."""
        self.engine.propagation.flush_batch()
        if more:
            self.next_turn(self._expire_more)

    def _expire_more(self) -> None:
        self._after_expiry(self.expiry.resume(self.engine.clock))

    def evict_later(self) -> None:
        if not self._evicting:
            self._evicting = True
            self.next_turn(self._evict)

    def _evict(self) -> None:
        """Evict for a moment what a lower limit, or large buffers of clients, leave no room for."""
        self._evicting = False
        self.engine.keyspace.now_ns = self.engine.clock()
        self.engine.memory.make_room()

    def _free(self) -> None:
        """Free a slice of the large values that were taken out of the keyspace."""
        if self.engine.keyspace.lazy_free.free(self.engine.monotonic):
            self.next_turn(self._free)

    def _close_idle_clients(self) -> None:
        timeout = self.engine.config.timeout
        if not timeout:
            return
        deadline = self.engine.monotonic() - timeout * 1_000_000_000
        for connection in list(self.connections):
            client = connection.client
            if client.blocked is not None:
                continue
            listens = client.subscriptions or client in self.engine.monitors
            if client.last_interaction_ns < deadline and not listens:
                self.idle_disconnections += 1
                connection.close()


def _text(address: Any, sock: socket.SocketType) -> str:
    """An address as CLIENT LIST prints it."""
    if sock.family == socket.AF_UNIX:
        return f"{address or sock.getsockname()}:0"
    return tcp_address(address)
