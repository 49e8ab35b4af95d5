"""The application: engine, persistence, metrics and network side of a server, started and stopped in order."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from gevent.event import Event

from kedis import native
from kedis.commands import load_all
from kedis.config import Config, rewrite_file
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.errors import CommandError, storage_errors
from kedis.observability.observer import Observer
from kedis.persistence.users_file import open_users_file
from kedis.process.clock import SYSTEM_CLOCKS
from kedis.process.threads import real_sleep
from kedis.replication.arrival import database_in, position_in
from kedis.server.aof_policy import AofPolicy
from kedis.server.defragmentation import Defragmentation
from kedis.server.failover import Failover
from kedis.server.following import Following
from kedis.server.memory_relief import MemoryRelief
from kedis.server.metrics_http import MetricsServer
from kedis.server.migration import Migrations
from kedis.server.network_server import NetworkServer
from kedis.server.oom_adjustment import OomScore
from kedis.server.replication import Replication
from kedis.server.shutdown import ReplicaWait
from kedis.server.snapshot_policy import SnapshotPolicy
from kedis.store.moving import Moving

log = logging.getLogger("kedis.server")

#: Beside the options of SHUTDOWN: end as soon as the append-only file is whole, instead of refusing to.
PATIENT = "patient"
_GOES_ON = "Errors trying to shut down: the data could not be saved, so the server goes on"


class App:
    """A server made from a configuration: :meth:`start` it, wait for :attr:`ended`, :meth:`stop` it.

    Args:
        clocks: the wall clock and the monotonic clock (:mod:`kedis.process.clock`).

    All methods are called in the thread that made it.
    """

    def __init__(
        self, config: Config, clocks: tuple[Callable[[], int], Callable[[], int]] = SYSTEM_CLOCKS
    ) -> None:
        self.config = config
        load_all()
        self.engine = Engine(config, clock=clocks[0], monotonic=clocks[1])
        open_users_file(self.engine)
        self.network = self.make_network()
        self.aof = AofPolicy(self.network, self._fail)
        self.migrations = Migrations(self.network)
        self.saving = SnapshotPolicy(self.network, self.aof.aof)
        self.following = Following(self.network, self.aof, self.saving.saver, self._port_for_replicas)
        self.replication = Replication(self.network, self.saving.saver, self.aof.aof, self.following)
        self.failover = Failover(self.network, self.replication.master, self.following)
        self.replica_wait = ReplicaWait(self.network, self.replication.master, self._end_of_wait)
        self.oom_score = OomScore(self.engine)
        self.following.on_part = self.oom_score.follow_part
        self.ended = Event()
        self.exit_code = 0
        #: Called when clients can connect, before the data are loaded.
        self.on_listening: Callable[[], None] = lambda: None
        #: Called when a shutdown that was under way has failed, and the server goes on.
        self.on_going_on: Callable[[], None] = lambda: None
        #: The end that a signal has asked for while DEBUG PAUSE-CRON stands.
        self.put_off: Callable[[], None] | None = None
        self.observer = Observer(self.engine, self.network.cron.expiry, self.network)
        self.metrics = MetricsServer(self.network, self.observer)
        relief = MemoryRelief(self.engine.keyspace, config, self.observer.memory, self.engine.monotonic)
        self.network.cron.each_round += [self.observer.sample, relief.run, self._end_late]
        if native.LOOP:
            self._know_pools()
        self.engine.process = self

    def make_network(self) -> NetworkServer:
        """The network side of the engine."""
        return NetworkServer(self.engine)

    def _know_pools(self) -> None:
        """Give memory back from within the arenas of Python's allocator, which the native path can read."""
        from kedis.native import pools

        memory = self.observer.memory
        memory.pools = pools
        memory.moving = Moving(self.engine.keyspace, pools.is_sparse, pools.copied, pools.places)
        defragmentation = Defragmentation(self.network, memory.moving, memory, self._has_child)
        self.network.cron.each_round.append(defragmentation.run)

    def _has_child(self) -> bool:
        return bool(self.saving.saver.rdb_bgsave_in_progress or self.aof.aof.aof_rewrite_in_progress)

    def start(self) -> None:
        """Accept clients, load the data, then serve; until then clients are answered -LOADING.

        Where a stop was requested meanwhile the loading state is kept: a part of the data must not be served, nor
        saved.  Raises StartError.
        """
        if self.config.appendonly:
            self.aof.open()
            log.info("data are kept in %s", self.aof.aof.folder.path)
        self.observer.collector.start()
        self.oom_score.start()
        try:
            self.network.start()
            self.on_listening()
            self.metrics.start()
            self.load_data()
        except BaseException:
            self._stop_serving()
            self.aof.aof.close()
            raise
        if self.ended.is_set():
            return
        self.aof.start()
        self.saving.start()
        self._take_up_history()
        self.network.serve_data()
        log.info("Ready to accept connections on %s (pid %d)", self.network.shown_ports, os.getpid())

    def load_data(self) -> None:
        """Load what was kept. Raises StartError."""
        if self.config.appendonly:
            self.aof.load(self.ended.is_set)
            self.saving.warn_of_ignored_file()
        else:
            self.saving.load(self.ended.is_set)

    def _port_for_replicas(self) -> int:
        """The port on which this server, as a replica, says that it listens."""
        network = self.network
        return (network.tls_port if self.config.tls_replication else 0) or network.port or network.tls_port

    def _take_up_history(self) -> None:
        """Go on in the history of the snapshot that was loaded: as a replica, or as a master whose replicas return."""
        notes, gone = self.saving.notes, self.saving.gone
        position = position_in(notes)
        if position is not None and not self.config.replicaof:
            self.replication.master.resume(position, gone)
        gone.clear()
        self.following.start(position, database_in(notes, self.config.databases))

    def request_stop(self, exit_code: int = 0) -> None:
        """Have :meth:`run_until_stopped` return soon.  If called by a command, no later command runs.

        (A change after the last snapshot or sync would be acknowledged and lost.)
        """
        self.exit_code = exit_code
        self.engine.scripting.cut_off()
        self.engine.restrictions.end()
        self.network.next_turn(self.ended.set)

    def save_and_stop(self, options: frozenset[str]) -> bool:
        """Stop the server by the options of SHUTDOWN, or :data:`PATIENT`; False when saving failed and it goes on.

        A script that is over its time limit ends before the data are saved.  Where it does not, the data are not
        saved: half of what it does is in them.
        """
        if self.engine.restrictions.busy is not None and "nosave" not in options:
            if self.engine.scripting.stop():
                self.network.next_turn(partial(self._save_and_stop_later, options))
                return True
            log.warning("a script does not end, so its changes are dropped, and no snapshot is saved")
            options |= {"nosave"}
        return self.replica_wait.begin(options) or self._save_and_end(options)

    def _save_and_end(self, options: frozenset[str]) -> bool:
        if not self.aof.may_end(forced="force" in options):
            if PATIENT not in options:
                return False
            self.aof.on_whole = partial(self._save_and_stop_later, options)
            return True
        if not self.saving.save_at_end(options):
            return False
        self.request_stop(0)
        return True

    def _end_of_wait(self, options: frozenset[str]) -> bool:
        """The replicas have all, or the time is up."""
        ended = self._save_and_end(options)
        if not ended:
            log.error(_GOES_ON)
            self.on_going_on()
        return ended

    def _save_and_stop_later(self, options: frozenset[str]) -> None:
        if not self.save_and_stop(options):
            log.error(_GOES_ON)
            self.on_going_on()

    # -- the port of the engine (kedis.engine.ports.Process) ----------------------------------------------

    def shut_down(self, options: frozenset[str]) -> None:
        """SHUTDOWN. Raises CommandError when it cannot save."""
        if not self.save_and_stop(options):
            raise CommandError(storage_errors.SHUTDOWN_FAILED)

    @property
    def shutdown_waits(self) -> bool:
        """See :class:`kedis.engine.ports.Process`."""
        return self.replica_wait.options is not None

    @property
    def shutdown_in_ms(self) -> int:
        """See :class:`kedis.engine.ports.Process`."""
        return self.replica_wait.left_ms

    def join_shutdown(self, waiter: Any) -> None:
        """See :class:`kedis.engine.ports.Process`."""
        self.replica_wait.join(waiter)

    def _end_late(self) -> None:
        put_off, self.put_off = self.put_off, None
        if put_off is not None:
            put_off()

    def abort_shutdown(self) -> bool:
        """SHUTDOWN ABORT."""
        put_off, self.put_off = self.put_off is not None, None
        if put_off:
            log.info("Shutdown manually aborted.")
        waited, self.aof.on_whole = self.aof.on_whole is not None, None
        aborted = self.replica_wait.abort() or waited or put_off
        if aborted:
            self.on_going_on()
        return aborted

    def fail_over(self, target: tuple[str, int] | None, force: bool, timeout_ms: int) -> None:
        """FAILOVER."""
        self.failover.begin(target, force, timeout_ms)

    def abort_failover(self) -> None:
        """FAILOVER ABORT."""
        self.failover.abort()

    def _fail(self) -> None:
        """Stop with exit code 1 after a failure of the disk: close all clients unanswered."""
        self.request_stop(1)
        for connection in list(self.network.connections):
            connection.give_up()

    can_migrate = True

    def migrate(self, client: Client, migration: Any) -> None:
        """MIGRATE: talk to the other server in a greenlet."""
        self.migrations.begin(client, migration)

    def sleep(self, seconds: float) -> None:
        """DEBUG SLEEP: everybody waits, which is its purpose."""
        real_sleep(seconds)

    def log(self, text: str) -> None:
        """DEBUG LOG, and what a command refuses that an operator should know of."""
        log.warning("%s", text)

    def rewrite_config(self) -> None:
        """CONFIG REWRITE.  Blocks all clients for the few milliseconds of the disk, as in Redis."""
        path, users = self.config.file, self.engine.users
        assert path is not None, "the command has looked"
        lines = users.config_lines()
        if lines is not None and any(line.included for line in self.config.user_lines):
            raise CommandError("ERR Rewriting config file: users are given in an included file")
        try:
            rewrite_file(path, self.config, lines, every=self.engine.debug.rewrites_all)
        except OSError as error:
            log.warning("cannot rewrite %s: %s", path, error)
            raise CommandError(f"ERR Rewriting config file: {error.strerror}") from None
        if lines is not None:
            users.config_written()

    def run_until_stopped(self) -> int:
        """Serve until :meth:`request_stop`; returns the exit code."""
        self.ended.wait()
        self.stop()
        return self.exit_code

    def stop(self) -> None:
        """Stop in order: accept no clients, read no requests, sync the data, send the replies, close the clients."""
        self.network.stop_accepting()
        for connection in self.network.connections:
            connection.stop_reading()
        self.following.stop()
        self.saving.stop()
        self.replica_wait.end()
        self.failover.stop()
        self.replication.stop()
        if not self.aof.stop():
            self.exit_code = 1
        self._stop_serving()

    def discard(self) -> None:
        """After :meth:`start` has failed, in a program that goes on: release all resources.  Idempotent."""
        self._stop_serving()
        self.replication.stop()
        self.saving.stop()
        self.aof.discard()

    def abandon(self) -> None:
        """In a forked child: close its copies of the descriptors, and touch nothing else."""
        self.network.abandon()
        self.metrics.abandon()
        self.aof.abandon()

    def _stop_serving(self) -> None:
        self.following.stop()
        self.observer.collector.stop()
        self.migrations.stop()
        self.metrics.stop()
        self.network.stop()
