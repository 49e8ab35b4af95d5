"""FAILOVER: the roles of this master and one of its replicas are exchanged, and nothing that was acknowledged is lost.

Writes are paused until a replica has confirmed the whole stream. This server then follows it, and its PSYNC says so
(``FAILOVER``), whereupon the replica becomes the master and goes on with the same history; the writers that waited are
told that this is a replica. Where the replica refuses, or nobody catches up in time, this server stays the master.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kedis.engine.client import FOREVER_NS
from kedis.errors import CommandError, replication_errors
from kedis.replication.master import NO_FAILOVER, Master
from kedis.replication.replicas import Replica, State

if TYPE_CHECKING:
    from kedis.server.following import Following
    from kedis.server.network import Network

log = logging.getLogger("kedis.replication")

_PURPOSE = "failover"
_STEP_SECONDS = 0.01
_WAITING, _RUNNING = "waiting-for-sync", "failover-in-progress"
_WHO = "FAILOVER"


class Failover:
    """The failover of the server of ``network``; at most one is under way."""

    def __init__(self, network: Network, master: Master, following: Following) -> None:
        self._network = network
        self._engine = network.engine
        self._master = master
        self._following = following
        self._timer = network.hub.loop.timer(_STEP_SECONDS, _STEP_SECONDS, ref=False)
        self._target: tuple[str, int] | None = None
        self._force = False
        self._deadline_ns = 0
        #: The end of the stream when replicas were asked, and what those confirm that have all of it.
        self._end_offset = self._wanted = -1
        following.taken_over = self._taken_over

    def begin(self, target: tuple[str, int] | None, force: bool, timeout_ms: int) -> None:
        """FAILOVER to ``target``, or to whoever has everything first. Raises CommandError.

        Args:
            force: follow the target after the time-out though it may lack changes.
            timeout_ms: how long to wait for that; 0 is no limit.
        """
        if self._following.upstream is not None:
            raise CommandError(replication_errors.FAILOVER_ON_REPLICA)
        if self._master.fails_over:
            raise CommandError(replication_errors.FAILOVER_UNDER_WAY)
        if not self._master.replicas:
            raise CommandError(replication_errors.FAILOVER_WITHOUT_REPLICAS)
        if force and not (target and timeout_ms):
            raise CommandError(replication_errors.FAILOVER_FORCE)
        if target is not None:
            self._check(target)
            log.info("FAILOVER requested to %s:%d.", *target)
        else:
            log.info("FAILOVER requested.")
        self._target, self._force = target, force
        now = self._engine.monotonic()
        self._deadline_ns = now + timeout_ms * 1_000_000 if timeout_ms else FOREVER_NS
        self._engine.restrictions.hold_writes(_PURPOSE, True)
        self._master.failover_state = _WAITING
        self._end_offset = -1
        self._timer.start(self._look)

    def _check(self, target: tuple[str, int]) -> None:
        named = [replica for replica in self._master.replicas.values() if _place(replica) == target]
        if not named:
            raise CommandError(replication_errors.FAILOVER_NOT_A_REPLICA)
        if all(replica.state is not State.ONLINE for replica in named):
            raise CommandError(replication_errors.FAILOVER_NOT_ONLINE)

    def abort(self) -> None:
        """FAILOVER ABORT: stay the master, or be it again. Raises CommandError when no failover is under way."""
        if not self._master.fails_over:
            raise CommandError(replication_errors.NO_FAILOVER)
        self._abort("Failover manually aborted")

    def stop(self) -> None:
        """End the periodic work. Idempotent."""
        self._timer.stop()

    # -- what happens -------------------------------------------------------------------------------------

    def _look(self) -> None:
        """See whether a replica has everything, or the time is up."""
        try:
            if self._master.settled_offset() != self._end_offset:
                self._wanted = self._master.ask_at_once()
                self._end_offset = self._master.offset
            for replica in self._master.online():
                if self._target in (None, _place(replica)) and replica.confirmed >= self._wanted:
                    log.info("Failover target is %s and is synced, failing over.", replica.name)
                    self._follow(_place(replica))
                    return
            if self._engine.monotonic() >= self._deadline_ns:
                if self._force and self._target is not None:
                    log.info("Failover to %s:%d time out exceeded, failing over.", *self._target)
                    self._follow(self._target)
                else:
                    self._abort("Replica never caught up before timeout")
        except Exception as error:
            self._network.report("a failover", error)

    def _follow(self, target: tuple[str, int]) -> None:
        self._timer.stop()
        self._master.failover_state = _RUNNING
        self._following.follow(*target, _WHO, takes_over=True)

    def _taken_over(self, accepted: bool) -> None:
        """The target is the master now, or has refused to be."""
        if self._master.failover_state != _RUNNING:
            return
        if accepted:
            self._end()
        else:
            self._network.next_turn(self._be_master_again)  # not in the greenlet of the link, which that ends

    def _be_master_again(self) -> None:
        if self._master.failover_state == _RUNNING:
            self._abort("Failover target rejected psync request")

    def _abort(self, reason: str) -> None:
        log.info("Aborting failover: %s", reason)
        if self._master.failover_state == _RUNNING:
            self._following.lead(_WHO)
        self._end()

    def _end(self) -> None:
        self._timer.stop()
        self._master.failover_state = NO_FAILOVER
        self._target = None
        self._engine.release_writes(_PURPOSE)


def _place(replica: Replica) -> tuple[str, int]:
    return replica.address, replica.listening_port
