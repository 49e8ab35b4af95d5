"""A shutdown that waits for replicas, so that what was acknowledged is on them when this server is gone.

Writes are paused, and replicas asked how far they are. When all have the whole stream, or after ``shutdown-timeout``
seconds, the shutdown goes on. SHUTDOWN NOW does not wait, and SHUTDOWN ABORT ends the wait, with writes accepted again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from kedis.engine.call import finish_blocked
from kedis.errors import CommandError, storage_errors
from kedis.replication.replicas import Replica

if TYPE_CHECKING:
    from kedis.engine.blocking import Waiter
    from kedis.replication.master import Master
    from kedis.server.network import Network

log = logging.getLogger("kedis.server")

_PURPOSE = "shutdown"
_STEP_SECONDS = 0.05
_SECOND_NS = 1_000_000_000


class ReplicaWait:
    """The wait of a shutdown for the replicas of ``master``.

    Args:
        go_on: saves and stops by the options of SHUTDOWN; False when saving failed and the server goes on.

    Attributes:
        options: of the shutdown that waits; None: none does.
    """

    def __init__(self, network: Network, master: Master, go_on: Callable[[frozenset[str]], bool]) -> None:
        self._engine = network.engine
        self._master = master
        self._go_on = go_on
        self._timer = network.hub.loop.timer(_STEP_SECONDS, _STEP_SECONDS, ref=False)
        self._waiters: list[Waiter] = []
        self._offset = self._deadline_ns = 0
        self.options: frozenset[str] | None = None

    def begin(self, options: frozenset[str]) -> bool:
        """Wait, if a replica lacks something and the options and ``shutdown-timeout`` allow it; whether it does."""
        engine = self._engine
        if self.options is not None:
            self.end()
        if "now" in options or not engine.config.shutdown_timeout or not self._master.replicas:
            return False
        self._offset = self._master.settled_offset()
        if not self._lagging():
            return False
        log.info("Waiting for replicas before shutting down.")
        engine.restrictions.hold_writes(_PURPOSE, True)
        self.options = options
        self._deadline_ns = engine.monotonic() + engine.config.shutdown_timeout * _SECOND_NS
        self._master.ask_for_confirmations()
        self._timer.start(self._look)
        return True

    @property
    def left_ms(self) -> int:
        """Milliseconds that the wait takes at most from now on; -1: none is under way."""
        if self.options is None:
            return -1
        return max(self._deadline_ns - self._engine.monotonic(), 0) // 1_000_000

    def join(self, waiter: Waiter) -> None:
        """Answer ``waiter`` with an error if the shutdown is aborted or fails."""
        self._waiters.append(waiter)

    def abort(self) -> bool:
        """SHUTDOWN ABORT: go on serving. False when no shutdown waits."""
        if self.options is None:
            return False
        log.info("Shutdown manually aborted.")
        self.end()
        self._refuse()
        return True

    def end(self) -> None:
        """Stop waiting, and let writers go on.  Idempotent."""
        self._timer.stop()
        if self.options is not None:
            self.options = None
            self._engine.release_writes(_PURPOSE)

    def _refuse(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.client.blocked is waiter:
                finish_blocked(self._engine, waiter, _fail)

    def _lagging(self) -> list[Replica]:
        replicas = self._master.replicas.values()
        return [
            replica
            for replica in replicas
            if replica.knows_offsets and replica.state.shown and replica.confirmed < self._offset
        ]

    def _look(self) -> None:
        lagging = self._lagging()
        if lagging and self._engine.monotonic() < self._deadline_ns:
            return
        self._timer.stop()
        for replica in lagging:
            log.warning(
                "Lagging replica %s reported offset %d behind master, lag=%d, state=%s.",
                replica.name,
                self._offset - replica.confirmed,
                replica.lag_seconds(self._engine.monotonic()),
                replica.state.shown,
            )
        count = len(self._master.replicas)
        log.info("%d of %d replicas are in sync when shutting down.", count - len(lagging), count)
        options = self.options or frozenset()
        self.options = None  # writes stay held
        if not self._go_on(options):
            self.options = options
            self.end()
            self._refuse()


def _fail(_client: object, _key: bytes) -> None:
    raise CommandError(storage_errors.SHUTDOWN_FAILED)
