"""Replication in a server: the sockets, the forks and the clock of :mod:`kedis.replication.master`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kedis.errors import CommandError
from kedis.errors.fault_log import FaultLog
from kedis.persistence.child import Outcome
from kedis.persistence.reasons import reason_with_file
from kedis.process.clock import monotonic
from kedis.replication.master import Master, is_diskless
from kedis.replication.replicas import Replica, State
from kedis.server.connection import Connection
from kedis.server.full_sync import FiledSync, FullSync, PipedSync
from kedis.server.replica_link import ReplicaLink

if TYPE_CHECKING:
    from kedis.persistence.aof import Aof
    from kedis.persistence.saver import Saver
    from kedis.server.following import Following
    from kedis.server.network import Network

log = logging.getLogger("kedis.replication")

#: How often children are looked at and new ones begun, and how often the rest is done.
_TICK_SECONDS = 0.1
_ROUND_SECONDS = 1.0


class Replication:
    """Replicas of the engine of ``network``.

    Args:
        saver: makes snapshots for the disk; never at the same time.
        aof: is rewritten at other times as well.
        following: this server as a replica, which has the same history.

    Attributes:
        master: what is said to replicas, and known of them.
    """

    def __init__(self, network: Network, saver: Saver, aof: Aof, following: Following) -> None:
        self._network = network
        self._engine = network.engine
        self._saver = saver
        self._aof = aof
        self._faults = FaultLog(log)
        self._sync: FullSync | None = None
        self._links: dict[Replica, ReplicaLink] = {}
        self._round_at = 0.0
        self.master = master = Master(network.engine, self, following.state.history)
        following.turning = master.prepare_to_follow
        following.turned = master.change_role
        following.renamed = master.drop_replicas
        following.began_anew = master.begin_anew
        following.passed = master.pass_on
        self._timer = network.hub.loop.timer(_TICK_SECONDS, _TICK_SECONDS, ref=False)
        network.engine.replication = self.master

    # -- what the master's side asks for (kedis.replication.master_stream.Server) --------------------------------

    def link(self, replica: Replica) -> ReplicaLink:
        """See :class:`kedis.replication.master_stream.Server`. Raises CommandError where there is no socket."""
        connection = replica.client.transport
        if not isinstance(connection, Connection):
            raise CommandError("ERR a replica needs a connection of its own")
        link = ReplicaLink(self._network, replica, connection, self.master.following)
        self._links[replica] = link
        return link

    def snapshot_later(self) -> None:
        """See :class:`kedis.replication.master_stream.Server`."""
        if isinstance(self._sync, PipedSync):
            log.info("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC")
        elif self._sync is None and not self._may_fork():
            log.info(
                "No BGSAVE in progress, but another BG operation is active. BGSAVE for replication delayed"
            )
        elif self._sync is None and not self.master.next_group():
            log.info("Delay next BGSAVE for diskless SYNC")
        self._network.next_turn(self._begin_waiting)

    def began(self) -> None:
        """See :class:`kedis.replication.master_stream.Server`."""
        self._network.cycle.replication = self
        self._timer.start(self._tick)

    def ended(self) -> None:
        """See :class:`kedis.replication.master_stream.Server`."""
        self._network.cycle.replication = None
        self._timer.stop()

    # -- turns --------------------------------------------------------------------------------------------

    def end_turn(self) -> None:
        """Send what this turn has added to the stream; see :class:`kedis.server.before_sleep.StreamEnd`."""
        try:
            self.master.end_turn()
        except Exception as error:
            self._report("sending the stream", error)

    def _tick(self) -> None:
        try:
            if self._sync is not None:
                self._sync.poll()
            self._begin_waiting()
            now = monotonic()
            if now - self._round_at >= _ROUND_SECONDS:
                self._round_at = now
                self._run_round()
        except Exception as error:
            self._report("the upkeep of replication", error)

    def _run_round(self) -> None:
        master = self.master
        master.tick()
        if isinstance(self._sync, FiledSync):
            self._sync.beat()
        for replica, link in list(self._links.items()):
            if replica.client in master.replicas:
                link.check_limit()
            else:
                del self._links[replica]

    def _report(self, place: str, error: Exception) -> None:
        self._engine.faults += 1
        self._faults.report(place, error)

    # -- full synchronisation -----------------------------------------------------------------------------

    def _may_fork(self) -> bool:
        return (
            self._sync is None
            and not self._saver.rdb_bgsave_in_progress
            and not self._aof.aof_rewrite_in_progress
            and not self._engine.loading
            and self._engine.restrictions.busy is None
        )

    def _begin_waiting(self) -> None:
        """Begin the full synchronisation that is due, if another child is not at work."""
        try:
            self._join_file()
            if self._may_fork() and (group := self.master.next_group()):
                self._begin(group)
        except Exception as error:
            self._report("beginning a full synchronisation", error)

    def _join_file(self) -> None:
        """Let those who wait have the file that is being written, if they can."""
        sync = self._sync
        if isinstance(sync, FiledSync):
            for replica in self.master.replicas.values():
                if replica.state is State.WAITING and sync.join(replica, self._links[replica]):
                    log.info("Waiting for end of BGSAVE for SYNC")

    def _begin(self, group: list[Replica]) -> None:
        diskless = is_diskless(self._engine.config, group)
        log.info("Starting BGSAVE for SYNC with target: %s", "replicas sockets" if diskless else "disk")
        links = {replica: self._links[replica] for replica in group}
        self.master.begin_snapshot(group)
        try:
            if diskless:
                self._sync = PipedSync(self._network, self.master, links, self._ended)
            else:
                self._saver.make_folder()
                self._sync = FiledSync(self._network, self.master, links, self._ended, self._saver.folder)
        except (OSError, MemoryError) as error:
            log.warning("BGSAVE for replication failed: %s", reason_with_file(error))
            for replica in group:
                self.master.drop(replica)
            return
        self._saver.begin_transfer(self._sync.child)

    def _ended(self, outcome: Outcome) -> None:
        """The child has ended."""
        sync, self._sync = self._sync, None
        self._saver.end_transfer(outcome.copied_bytes)
        if outcome.failure:
            log.warning("Background transfer error: %s", outcome.failure)
        elif isinstance(sync, PipedSync):
            log.info("Background RDB transfer terminated with success")
        else:
            log.info("Background saving terminated with success")
        self._network.next_turn(self._begin_waiting)

    # -- end ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End a snapshot under way, and the periodic work.  Idempotent."""
        self._timer.stop()
        sync, self._sync = self._sync, None
        if sync is not None:
            sync.cancel()
            self._saver.end_transfer(0)
        self._network.cycle.replication = None
