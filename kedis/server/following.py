"""This server as a replica: a greenlet that keeps a link to the master, and what changes for clients meanwhile.

The link is tried at once when it was cut, and every second while it fails. What it needs to go on (identity and offset)
is in :class:`kedis.replication.replica.Replica`; nothing of a link outlives it but that.

What clients see: writes are refused (``replica-read-only``), reads too while the link is down and
``replica-serve-stale-data`` is no; nothing expires or is evicted by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import gevent

from kedis.config import Config
from kedis.engine.call import unblock
from kedis.engine.client import Client
from kedis.engine.replication_ports import Upstream
from kedis.engine.transport import NullTransport
from kedis.errors import CommandError, replication_errors
from kedis.persistence.saver import Saver
from kedis.process.clock import monotonic
from kedis.replication.applier import Applier, StreamError
from kedis.replication.arrival import BadSnapshot, UnreadableSnapshot
from kedis.replication.data_history import History
from kedis.replication.handshake import (
    Continued,
    FullSync,
    Greeting,
    LinkError,
    Position,
    SnapshotBegins,
    StreamData,
    TakeoverRefused,
    acknowledgement,
)
from kedis.replication.replica import Replica, Stage
from kedis.server.aof_policy import AofPolicy
from kedis.server.link_log import log_end, log_handshake
from kedis.server.master_link import MasterLink
from kedis.server.network import Network
from kedis.server.snapshot_intake import SnapshotIntake

log = logging.getLogger("kedis.replication")

#: Seconds between two attempts, and between two acknowledgements.
_PAUSE = 1.0
#: Seconds before another snapshot is asked of a master whose last one is none that this version can hold.
_LONG_PAUSE = 60.0
#: Links in a row that end within :data:`_PAUSE` and are made anew at once; a longer one may have been cut by chance.
_SHORT_LINKS = 10
_ACK_SECONDS = 1.0
#: The same at the beginning of a link, while nothing has come, and how long that is the case.
_FIRST_ACK_SECONDS = 0.1
_EAGER_SECONDS = 3.0
#: How long the stream rests before what has come is acknowledged ahead of time: a master that pauses its writers to
#: hand over (FAILOVER, of Redis too) waits for no more than that.
_REST_SECONDS = 0.02
_SETTINGS = ("replica-read-only", "replica-serve-stale-data", "replica-ignore-maxmemory")


class _MasterTransport(NullTransport):
    """The transport of the client by which the master's commands run: CLIENT KILL cuts the link."""

    kind = "master"

    def __init__(self, link: MasterLink) -> None:
        self.fd = link.sock.fileno()
        self._link = link

    def close(self) -> None:
        self._link.cut()


class Following:
    """Follows a master for the engine of ``network``, whose attribute ``following`` it is.

    Args:
        port: gives the port on which this server listens.
        aof: begins anew after a full synchronisation.
        saver: whose file a received snapshot becomes.

    Attributes:
        state: what ROLE and INFO show.
        passed: takes the bytes of the stream that were applied, for replicas of this server.
        began_anew: called when the data have become those of another history: replicas of this server must follow.
        renamed: called when the history goes on under another identity.
        taken_over: called when the replica of a failover has become the master (True), or will not.
        on_part: called when the server may have become a replica, or a master.
        turning, turned: called before a master becomes a replica, and after any change of the role.
    """

    def __init__(self, network: Network, aof: AofPolicy, saver: Saver, port: Callable[[], int]) -> None:
        self._network = network
        self._port = port
        self._engine = network.engine
        self._aof = aof
        self._saver = saver
        self.state = Replica(network.engine.config, network.engine.monotonic, History())
        self.passed: Callable[[bytes], None] = lambda data: None
        self.began_anew: Callable[[], None] = lambda: None
        self.renamed: Callable[[], None] = lambda: None
        self.taken_over: Callable[[bool], None] = lambda accepted: None
        self.on_part: Callable[[], None] = lambda: None
        self._takes_over = False
        self.turning: Callable[[], None] = lambda: None
        self.turned: Callable[[], None] = lambda: None
        self._intake = SnapshotIntake(network, self.state, aof.aof, saver)
        self._database = 0
        self._wants_confirmation = False
        self._greenlet: gevent.Greenlet | None = None
        network.engine.following = self
        for name in _SETTINGS:
            network.engine.config.subscribe(name, self._follow_settings)

    def start(self, position: Position | None, database: int) -> None:
        """Follow the master of the configuration, if there is one.

        Args:
            position: where the data stand, that were loaded; None: nobody knows.
            database: the one in which the stream goes on there.
        """
        words = self._engine.config.replicaof.split()
        if not words:
            return
        self.state.follow(words[0], int(words[1]))
        self._database = database
        if position is not None:
            self.state.history.adopt(position.replid, position.offset)
        else:
            self.state.distrust()
        self.turned()
        self._begin()

    def stop(self) -> None:
        """End the link, for good. Idempotent."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
            self._greenlet = None

    # -- the port of the engine (kedis.engine.replication_ports.Following) --------------------------------------------

    def follow(self, host: str, port: int, who: str, *, takes_over: bool = False) -> bool:
        state = self.state
        if state.master is not None and state.master[0].lower() == host.lower() and state.master[1] == port:
            log.info(
                "REPLICAOF would result into synchronization with the master we are already connected with."
            )
            return False
        if state.master is None:
            log.info(
                "Before turning into a replica, using my own master parameters to synthesize a cached master: I may "
                "be able to synchronize with the new master with just a partial transfer."
            )
            self._disconnect_blocked()
            self.turning()
        self.stop()
        state.follow(host, port)
        self._takes_over = takes_over
        self.turned()
        self._engine.config.replicaof = f"{host} {port}"
        log.info("REPLICAOF %s:%d enabled (user request from '%s')", host, port, who)
        self._begin()
        return True

    def lead(self, who: str) -> None:
        state = self.state
        self._engine.config.replicaof = ""
        if state.master is None:
            return
        self.stop()
        self._takes_over = False
        state.lead()
        history = state.history
        if history.second_offset >= 0:
            log.info(
                "Setting secondary replication ID to %s, valid up to offset: %d. New replication ID is %s",
                history.second_id,
                history.second_offset,
                history.replid,
            )
        self._restrict()
        self.turned()
        log.info("MASTER MODE enabled (user request from '%s')", who)

    @property
    def received_bytes(self) -> int:
        return self.state.received_bytes_in_all

    @property
    def synchronisations(self) -> tuple[int, int]:
        return self.state.full_syncs, self.state.partial_syncs

    @property
    def loads_beside(self) -> bool:
        return self._intake.loads_beside

    @property
    def upstream(self) -> Upstream | None:
        return None if self.state.master is None else self

    # -- the link as others see it (kedis.engine.replication_ports.Upstream) ------------------------------------------

    @property
    def online(self) -> bool:
        return self.state.is_up

    @property
    def database(self) -> int:
        return self._database

    def confirm(self) -> None:
        self._wants_confirmation = True

    def info(self) -> Sequence[tuple[str, Any]]:
        return self.state.info()

    def role(self) -> list[Any]:
        return self.state.role()

    # -- the history --------------------------------------------------------------------------------------

    def notes(self) -> dict[str, str]:
        position = self.state.position if self.state.master is not None else None
        if position is None:
            return {}
        return {
            "repl-stream-db": str(self._database),
            "repl-id": position.replid,
            "repl-offset": str(position.offset),
        }

    # -- what clients see ---------------------------------------------------------------------------------

    def _follow_settings(self, _config: Config) -> None:
        self._restrict()

    def _restrict(self) -> None:
        """Refuse what a replica refuses, in its present state; nothing on a master."""
        engine, config = self._engine, self._engine.config
        follows = self.state.master is not None
        engine.restrictions.set_replica(
            read_only=follows and config.replica_read_only,
            master_down=follows and not self.state.is_up and not config.replica_serve_stale_data,
        )
        engine.keyspace.follow(follows, writable=not config.replica_read_only)
        engine.memory.leave_to_master(follows and config.replica_ignore_maxmemory)
        self.on_part()

    def _disconnect_blocked(self) -> None:
        """Who waits for a key would wait for a master's change."""
        for client in list(self._engine.clients.values()):
            if unblock(client, CommandError(replication_errors.BECAME_REPLICA)):
                client.close_after_reply = True

    # -- the greenlet -------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._restrict()
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        short = 0
        while not self._engine.restrictions.ended:
            was_up = False
            pause = _PAUSE
            began = monotonic()
            try:
                self._follow_once()
            except (LinkError, OSError, BadSnapshot, StreamError) as error:
                was_up = self.state.is_up
                if isinstance(error, UnreadableSnapshot):
                    pause = _LONG_PAUSE
                log_end(error, self.state, pause, gone=self._intake.has_changed)
                if isinstance(error, StreamError):
                    self.state.distrust()
            except Exception as error:
                self._network.report("following the master", error)
                self.state.distrust()
            self.state.cut()
            self._restrict()
            short = short + 1 if monotonic() - began < _PAUSE else 0
            if not was_up or short > _SHORT_LINKS:
                gevent.sleep(pause)

    def _follow_once(self) -> None:
        """One link, from connecting to its end. Raises LinkError, OSError, BadSnapshot, StreamError."""
        state, config = self.state, self._engine.config
        assert state.master is not None
        host, port = state.master
        log.info("Connecting to MASTER %s:%d", host, port)
        log.info("MASTER <-> REPLICA sync started")
        state.stage = Stage.CONNECTING
        greeting = Greeting(
            config.replica_announce_port or self._port(),
            config.replica_announce_ip,
            config.masteruser,
            config.masterauth,
            self._takes_over,
        )
        greenlet = gevent.getcurrent()
        link = MasterLink(
            self._network,
            host,
            port,
            greeting,
            state.position,
            config.repl_timeout,
            lambda: self._greenlet is not greenlet,
        )
        try:
            log.info("Non blocking connect for SYNC fired the event.")
            state.stage = Stage.HANDSHAKE
            try:
                agreed = self._shake_hands(link)
            except TakeoverRefused:
                self._takes_over = False
                self.taken_over(False)
                raise
            if self._takes_over:
                self._takes_over = False
                self.taken_over(True)
            if isinstance(agreed, FullSync):
                self._synchronise(link, agreed)
            else:
                self._go_on(agreed)
            self._restrict()
            self._stream(link)
        finally:
            link.close()

    def _shake_hands(self, link: MasterLink) -> FullSync | Continued:
        while True:
            event = link.next_event()
            if isinstance(event, (FullSync, Continued)):
                return event
            log_handshake(event)

    def _synchronise(self, link: MasterLink, full: FullSync) -> None:
        state = self.state
        log.info("Full resync from master: %s:%d", full.replid, full.offset)
        begins = link.next_event()
        if not isinstance(begins, SnapshotBegins):
            raise LinkError(f"{type(begins).__name__} where a snapshot must begin")
        if state.resumes:
            log.info("Discarding previously cached master state.")
        try:
            self._database = self._intake.take(link, full, begins)
        except BaseException:
            if self._intake.has_changed:
                # Or a restart would bring back what is in the append-only file alone.
                self._aof.start_over()
            raise
        state.synchronised(full.replid, full.offset)
        self._saver.forget_changes()
        self._aof.start_over()
        self.began_anew()
        log.info("MASTER <-> REPLICA sync: Finished with success")

    def _go_on(self, continued: Continued) -> None:
        former = self.state.history.replid
        log.info("Successful partial resynchronization with master.")
        self.state.continued(continued.replid)
        if continued.replid != former:
            log.info("Master replication ID changed to %s", continued.replid)
            self.renamed()
        log.info("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.")

    # -- the stream ---------------------------------------------------------------------------------------

    def _stream(self, link: MasterLink) -> None:
        """Apply the stream until the link breaks. Raises LinkError, OSError, StreamError."""
        engine, state = self._engine, self.state
        client = Client(
            engine,
            _MasterTransport(link),
            address=link.address,
            local_address=link.local_address,
            trusted=True,
        )
        client.select(self._database)
        applier = Applier(engine, client, state.history, self.passed)
        engine.connect(client)
        try:
            self._apply_all(link, client, applier)
        finally:
            self._database = client.database
            engine.disconnect(client)

    def _apply_all(self, link: MasterLink, client: Client, applier: Applier) -> None:
        state = self.state
        began = state.received
        ack_at = began_at = monotonic()
        silent_at = ack_at + self._engine.config.repl_timeout
        rest_at = inf
        while True:
            now = monotonic()
            if applier.wants_acknowledgement or self._wants_confirmation or now >= min(ack_at, rest_at):
                applier.wants_acknowledgement = self._wants_confirmation = False
                link.send(acknowledgement(state.history.offset))
                # A master begins its stream at an acknowledgement, and misses one that comes too early.
                eager = state.received == began and now < began_at + _EAGER_SECONDS
                ack_at, rest_at = now + (_FIRST_ACK_SECONDS if eager else _ACK_SECONDS), inf
            if now >= silent_at:
                raise LinkError("MASTER timeout: no data nor PING received...")
            event = link.next_event(min(ack_at, rest_at) - now)
            if event is None:
                continue
            assert isinstance(event, StreamData)
            now = monotonic()
            silent_at, rest_at = now + self._engine.config.repl_timeout, now + _REST_SECONDS
            state.heard(len(event.data))
            client.last_interaction_ns = self._engine.monotonic()
            link.await_quiet()
            try:
                applier.feed(event.data)
            finally:
                self._database = client.database
            link.give_way()
