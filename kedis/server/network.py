"""Shared state of the network side: engine, hub, connected clients, counters, and calls deferred to a later turn.

A connection, the periodic work and the append-only file know this object, not the server that puts all of them
together (:class:`kedis.server.network_server.NetworkServer`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Any

import gevent
from greenlet import greenlet  # type: ignore[import-untyped]  # comes with gevent

from kedis import native
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.errors.fault_log import FaultLog
from kedis.server.before_sleep import BeforeSleep
from kedis.server.client_eviction import ClientEviction
from kedis.server.peer import Peer
from kedis.server.receive_buffer import ReceiveBuffer
from kedis.server.tls import Tls

log = logging.getLogger("kedis.server")

#: Time in each turn for deferred calls, in ns; calls that remain are deferred again.
_DEFERRED_NS = 5_000_000
_READ = 1
#: What a turn may last before it is crowded: it then reads, and runs, only so much of each client.
CROWDED_NS = 5_000_000
#: The largest read of a client, and of one in a crowded turn, in bytes.
READ_SIZE = 64 * 1024
SMALL_READ = 4 * 1024
SMALL_BUDGET_NS = 200_000


class Network:
    """The state of the network side of ``engine``.

    Args:
        slice_ns: nanoseconds that one client's commands may run at once.
        short_slice_ns: the same while maxmemory-clients is set, since replies may be large.

    Attributes:
        tls: certificates and protocols, for clients and towards a master.
        slow_readers: clients whose replies the kernel has not taken whole.
        paused: clients that wait for the end of CLIENT PAUSE, and what wakes each.
        http_greenlets: those that serve the metrics.
        output_limit: the smallest hard limit of client-output-buffer-limit for clients, in bytes; 0: none.
    """

    def __init__(self, engine: Engine, slice_ns: int, short_slice_ns: int) -> None:
        self.engine = engine
        self.tls = Tls(engine.config)
        self.hub = gevent.get_hub()
        self.cycle = BeforeSleep(self.hub, engine.clock)
        self.connections: set[Peer] = set()
        #: What receives, runs and sends natively; and, where only requests can be run so, that part alone.
        self.native: Any = None
        self.path: Any = None
        self.receive_buffer = ReceiveBuffer(READ_SIZE)
        self.client_eviction = ClientEviction(engine, self.connections)
        self.slow_readers: set[Peer] = set()
        self.paused: dict[Peer, Callable[[], Any]] = {}
        self.http_greenlets: Collection[Any] = ()
        #: Those in which the native path runs scripts: one that waits, and one whose script lets others in.
        self.script_greenlets: set[greenlet] = set()
        self.slice_ns = slice_ns
        self._slices_ns = (slice_ns, short_slice_ns)
        self._faults = FaultLog(log)
        self.follow_output_limits(engine.config)
        engine.config.subscribe("client-output-buffer-limit", self.follow_output_limits)
        self._deferred: list[Callable[[], Any]] = []
        self._deferred_timer = self.hub.loop.timer(0.0)
        self.reset_counters()
        self.choose_path()

    def choose_path(self) -> None:
        """Have the native path serve requests where it is there."""
        if native.LOOP:
            self._serve_natively()
        elif native.PATH == "native":
            self._run_natively()

    def _serve_natively(self) -> None:
        from kedis.native.loop import Loop

        self.native = Loop(self, SMALL_READ, CROWDED_NS, SMALL_BUDGET_NS)
        self.cycle.send_all = self.native.send
        self.cycle.send_all_sealed = self.native.send_sealed
        self.engine.pubsub.deliver = self.native.deliver
        self.engine.native = self.native.path.call_command

    def _run_natively(self) -> None:
        from kedis.native.path import Path

        self.path = Path(self.engine)
        self.path.waits, self.path.depths = self.cycle.figures.waits, self.cycle.figures.depths
        self.engine.native = self.path.call_command

    def script_greenlet(self) -> greenlet:
        """A new greenlet for the scripts that the native path gives it by its switch, one after the other.

        A script may have to wait, which the hub cannot. One that has let others in is answered from there, and ends it.
        """
        made = greenlet(self._run_scripts, self.hub)
        self.script_greenlets.add(made)
        return made

    def _run_scripts(self, call: Any) -> None:
        switch = self.hub.switch
        try:
            while not call.run():
                call = switch()
            call.answer()
        except Exception as error:
            self.report("a script", error)
        finally:
            self.script_greenlets.discard(gevent.getcurrent())

    def reader(self, connection: Peer) -> Any:
        """A watcher of the client's socket, not started: gevent's, or that of the native path."""
        return self.native.watch(connection) if self.native else self.hub.loop.io(connection.fd, _READ)

    def reset_counters(self) -> None:
        """Zero the figures that only grow (CONFIG RESETSTAT)."""
        self.bytes_received = self.bytes_sent = 0
        self.connections_received = self.rejected_connections = 0
        self.query_buffer_disconnections = self.output_buffer_disconnections = 0
        self.idle_disconnections = 0
        self.client_eviction.evicted_clients = 0

    @property
    def evicted_clients(self) -> int:
        """Clients closed for maxmemory-clients."""
        return self.client_eviction.evicted_clients

    def greenlets(self) -> int:
        """Greenlets of clients, of HTTP, of the periodic work, and the one that has started the server."""
        return len(self.connections) + len(self.http_greenlets) + 2

    def report(self, place: str, error: Exception) -> None:
        """Count an internal error, and log it at most once a minute for each place."""
        self.engine.faults += 1
        self._faults.report(place, error)

    def review_clients(self) -> None:
        """Follow maxmemory-clients, and evict.  O(clients)."""
        self.client_eviction.review()
        self.slice_ns = self._slices_ns[self.client_eviction.limit > 0]

    def follow_output_limits(self, config: Config) -> None:
        """Know from which size on replies are compared with client-output-buffer-limit before they are sent."""
        hard = [config.output_limit(kind)[0] for kind in ("normal", "pubsub")]
        self.output_limit = min(filter(None, hard), default=0)

    def wake_paused(self) -> None:
        """CLIENT PAUSE has ended: each client goes on in the next turn."""
        for callback in list(self.paused.values()):
            self.next_turn(callback)

    # -- deferred calls -----------------------------------------------------------------------------------

    def next_turn(self, callback: Callable[[], Any]) -> None:
        """Call ``callback`` in the next turn of the loop, after pending input of other clients has been served.

        A turn has ``_DEFERRED_NS`` for these calls; those it does not suffice for come first in the turn after.

        (``loop.run_callback`` may run it within the same turn, for as long as callbacks keep coming.)
        """
        if not self._deferred:
            self._deferred_timer.start(self._run_deferred)
        self._deferred.append(callback)

    @property
    def defers(self) -> bool:
        """Whether calls wait for the next turn."""
        return bool(self._deferred)

    def pass_turn(self) -> None:
        """Let other clients have a turn of the loop; to be called in a greenlet that waits for nothing else."""
        self.next_turn(gevent.getcurrent().switch)
        self.hub.switch()

    def _run_deferred(self) -> None:
        callbacks, self._deferred = self._deferred, []
        clock = self.engine.monotonic
        began = clock()
        done = 0
        for callback in callbacks:
            done += 1
            try:
                callback()
            except Exception as error:  # the next callback is another client's
                self.report("a turn of the event loop", error)
            if clock() - began >= _DEFERRED_NS:
                break
        if done < len(callbacks):
            if not self._deferred:
                self._deferred_timer.start(self._run_deferred)
            self._deferred[:0] = callbacks[done:]

    def stop_deferred_calls(self) -> None:
        """Run no more deferred calls."""
        self._deferred_timer.stop()
        self._deferred_timer.close()
        if self.native:
            self.native.close()
