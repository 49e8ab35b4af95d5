"""Periodic work (server cron): active expiry, lazy free, timeouts of idle clients, limits of slow readers.

One round is run ``hz`` times a second, in a greenlet of its own; work that takes longer goes on in slices, each
deferred to the next turn of the loop.
"""

from __future__ import annotations

from collections.abc import Callable

import gevent

from kedis.engine.call import after_removals
from kedis.process.clock import monotonic
from kedis.server.network import Network
from kedis.store.expiry import ActiveExpiry

#: Max. keys dropped from the tracking table per round.
_TRACKING_EFFORT = 1000


class Cron:
    """The periodic work of ``network``.

    Attributes:
        expiry: the active expiry cycle.
        each_round: called in each round.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._engine = network.engine
        self.expiry = ActiveExpiry(network.engine.keyspace)
        self.each_round: list[Callable[[], None]] = []
        self._evicting = False
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin the periodic work."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End it.  Idempotent."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _run(self) -> None:
        """``hz`` rounds a second; an internal error in one does not end the next."""
        while True:
            interval = 1.0 / self._engine.config.hz
            began = monotonic()
            gevent.sleep(interval)
            self._network.cycle.figures.lags.add(int((monotonic() - began - interval) * 1e9))
            if self._engine.debug.pauses_cron:
                continue
            try:
                self.run_round(interval)
            except Exception as error:
                self._network.report("the periodic work", error)

    def run_round(self, interval: float) -> None:
        """One round; ``interval`` is in seconds."""
        engine, network = self._engine, self._network
        engine.keyspace.now_ns = engine.clock()
        engine.check_clock()
        for action in self.each_round:
            action()
        if engine.restrictions.paused_until_ns and engine.monotonic() >= engine.restrictions.paused_until_ns:
            engine.unpause()
        if (
            not engine.loading
            and not engine.restrictions.paused_until_ns
            and not engine.restrictions.writes_held
            and engine.restrictions.busy is None
        ):
            self.expiry.effort = engine.config.active_expire_effort
            self._after_expiry(self.expiry.run(interval, engine.clock))
        if engine.keyspace.lazy_free:
            network.next_turn(self._free)
        engine.tracking.limit(_TRACKING_EFFORT)
        self.close_idle_clients()
        network.review_clients()
        for connection in list(network.slow_readers):
            connection.check_output_limit()

    def _after_expiry(self, more: bool) -> None:
        """Journal what a slice of the expiry cycle removed; the next slice, if any, follows in the next turn."""
        after_removals(self._engine)
        if more:
            self._network.next_turn(self._expire_more)

    def _expire_more(self) -> None:
        if self._engine.restrictions.busy is None:  # to a script time stands still
            self._after_expiry(self.expiry.resume(self._engine.clock))

    def evict_later(self) -> None:
        """Evict keys in the next turn: maxmemory was lowered, or clients' buffers have grown."""
        if not self._evicting:
            self._evicting = True
            self._network.next_turn(self._evict)

    def _evict(self) -> None:
        self._evicting = False
        if self._engine.restrictions.busy is not None:
            self.evict_later()
            return
        self._engine.keyspace.now_ns = self._engine.clock()
        self._engine.memory.make_room()
        after_removals(self._engine)

    def _free(self) -> None:
        """Free a slice of the large values that were removed from the keyspace."""
        if self._engine.keyspace.lazy_free.free(self._engine.monotonic):
            self._network.next_turn(self._free)

    def close_idle_clients(self) -> None:
        """Close clients that have sent nothing for ``timeout`` seconds.  O(clients)."""
        timeout = self._engine.config.timeout
        if not timeout:
            return
        deadline = self._engine.monotonic() - timeout * 1_000_000_000
        for connection in list(self._network.connections):
            client = connection.client
            if client.blocked is not None or connection.awaits_reply:
                continue
            listens = client.subscriptions or client.is_replica or client in self._engine.monitors
            if client.last_interaction_ns < deadline and not listens:
                self._network.idle_disconnections += 1
                connection.close()
