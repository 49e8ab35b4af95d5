"""The master's side of replication: who follows this server's stream, from where, and how far.

A replica announces itself with REPLCONF and asks with PSYNC for the history that it has, from the first byte that it
lacks. Where that is kept in the backlog the answer is ``+CONTINUE`` and the rest of the stream. Else it is
``+FULLRESYNC <id> <offset>``, a snapshot of the data as they were at this offset, and the stream from there on. Those
who ask before a snapshot begins share it.

After ``repl-backlog-ttl`` seconds without a replica the stream ends, and with it this history.

Here are no sockets and no forks: a :class:`kedis.replication.replicas.Link` sends, and a
:class:`kedis.replication.master_stream.Server` makes snapshots (:mod:`kedis.server.replication`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kedis.commands.parsing.numbers import NumberError, parse_int
from kedis.errors import CommandError, replication_errors
from kedis.replication.backlog import Backlog
from kedis.replication.confirmations import Confirmations
from kedis.replication.data_history import History
from kedis.replication.master_figures import history_fields, replica_fields
from kedis.replication.master_stream import PING, Server, Stream
from kedis.replication.replicas import Replica, State
from kedis.resp.values import NO_REPLY

if TYPE_CHECKING:
    from kedis.config import Config
    from kedis.engine.client import Client
    from kedis.engine.engine import Engine

log = logging.getLogger("kedis.replication")

_SECOND_NS = 1_000_000_000
NO_FAILOVER = "no-failover"


class Master(Stream):
    """Replication of ``engine`` as a master.

    Attributes:
        failover_state: for INFO.
    """

    def __init__(self, engine: Engine, server: Server, history: History) -> None:
        super().__init__(engine, server, history)
        self.failover_state = NO_FAILOVER
        self.confirmations = Confirmations(engine, self.confirmed)
        self._alone_since_ns = 0
        self._figures = dict.fromkeys(("sync_full", "sync_partial_ok", "sync_partial_err"), 0)
        self._sent_before = 0
        for name in ("min-replicas-to-write", "min-replicas-max-lag"):
            engine.config.subscribe(name, lambda _config: self.count_good())
        self.count_good()

    @property
    def fails_over(self) -> bool:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        return self.failover_state != NO_FAILOVER

    # -- replicas come ------------------------------------------------------------------------------------

    def configure(self, client: Client, option: bytes, value: bytes) -> bool:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        if option == b"ack":
            if client.is_replica:
                self._confirm(self._replica(client), value)
            return False
        if option == b"getack":
            if self.upstream is not None:
                self.upstream.confirm()
            return False
        self._replica(client).announce(option, value)
        return True

    def _replica(self, client: Client) -> Replica:
        if client.replica is None:
            client.replica = Replica(client, self.engine.monotonic())
        assert isinstance(client.replica, Replica)
        return client.replica

    def take_over(self, client: Client, history: str) -> None:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        if self.upstream is None:
            raise CommandError(replication_errors.TAKEOVER_OF_MASTER)
        if history != self.history.replid:
            raise CommandError(replication_errors.TAKEOVER_OF_OTHER)
        log.info("Failover request received for replid %s.", history)
        self.engine.following.lead(f"PSYNC FAILOVER from {client.address}")

    def synchronize(self, client: Client, history: str | None, first: int) -> None:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        replica = self._replica(client)
        if replica.attached:
            return
        if self.fails_over:
            raise CommandError(replication_errors.NO_SYNC_WHILE_FAILING_OVER)
        if self.upstream is not None and not self.upstream.online:
            raise CommandError(replication_errors.NO_MASTER_LINK)
        if client.transport.output_bytes():
            raise CommandError(replication_errors.PENDING_OUTPUT)
        log.info("Replica %s asks for synchronization", replica.name)
        replica.knows_offsets = history is not None
        replica.since_ns = replica.confirmed_ns = self.engine.monotonic()
        replica.state = State.WAITING
        replica.link = self._server.link(replica)
        self.replicas[client] = replica
        client.set_reply_mode("off")
        if history is not None and self._continue(replica, history, first):
            return
        self._figures["sync_full"] += 1
        if self.backlog is None:  # nothing is kept of the history so far: none may be continued
            self.history.renew()
            self.begin_stream(self.history.offset)
        self._server.snapshot_later()

    def _continue(self, replica: Replica, history: str, first: int) -> bool:
        """Continue the stream from the byte ``first`` of ``history`` on, if that is possible."""
        own, backlog = self.history, self.backlog
        if not own.covers(history, first):
            self._log_other_history(replica, history, first)
        elif backlog is None or not backlog.holds(first):
            log.info(
                "Unable to partial resync with replica %s for lack of backlog (Replica request was: %d).",
                replica.name,
                first,
            )
            if first > self.offset + 1:
                log.warning(
                    "Warning: replica %s tried to PSYNC with an offset that is greater than the master replication "
                    "offset.",
                    replica.name,
                )
        else:
            self._accept(replica, backlog, first)
            return True
        self._figures["sync_partial_err"] += history != "?"
        return False

    def _log_other_history(self, replica: Replica, history: str, first: int) -> None:
        own = self.history
        if history == "?":
            log.info("Full resync requested by replica %s", replica.name)
        elif history == own.second_id:
            log.info(
                "Partial resynchronization not accepted: Requested offset for second ID was %d, but I can reply up "
                "to %d",
                first,
                own.second_offset,
            )
        else:
            log.info(
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '%s', my "
                "replication IDs are '%s' and '%s')",
                history,
                own.replid,
                own.second_id,
            )

    def _accept(self, replica: Replica, backlog: Backlog, first: int) -> None:
        assert replica.link is not None
        self._figures["sync_partial_ok"] += 1
        replica.state = State.ONLINE
        replica.stand_at(backlog.cursor(first))
        named = replica.handles_psync2
        replica.link.say(b"+CONTINUE %b\r\n" % self.history.replid.encode() if named else b"+CONTINUE\r\n")
        self._stream_to(replica)
        log.info(
            "Partial resynchronization request from %s accepted. Sending %d bytes of backlog starting from offset %d.",
            replica.name,
            replica.unsent_bytes(),
            first,
        )
        self.count_good()

    # -- full synchronisation -----------------------------------------------------------------------------

    def next_group(self) -> list[Replica]:
        """The replicas whose full synchronisation is to begin now; it may be nobody's turn yet.

        Those who take a snapshot as it is made are kept waiting (``repl-diskless-sync-delay``): more can share it.
        """
        config = self.engine.config
        waiting = [replica for replica in self.replicas.values() if replica.state is State.WAITING]
        if not waiting:
            return []
        group = [replica for replica in waiting if replica.wants_keys == waiting[0].wants_keys]
        enough = config.repl_diskless_sync_max_replicas
        waited_ns = self.engine.monotonic() - min(replica.since_ns for replica in group)
        if (
            is_diskless(config, group)
            and waited_ns < config.repl_diskless_sync_delay * _SECOND_NS
            and not 0 < enough <= len(group)
        ):
            return []
        return group

    def begin_snapshot(self, group: Sequence[Replica]) -> None:
        """A snapshot of the data as they are now begins: the stream of ``group`` goes on from here."""
        backlog = self.backlog
        assert backlog is not None
        self.engine.propagation.flush()
        if self.upstream is None:
            self.engine.propagation.reselect()
        for replica in group:
            replica.stand_at(backlog.end())
            self._announce(replica)

    def join_snapshot(self, replica: Replica, other: Replica) -> None:
        """Let ``replica`` have the snapshot that is being made for ``other`` as well."""
        assert other.cursor is not None
        replica.stand_at(other.cursor.copy())
        self._announce(replica)

    def _announce(self, replica: Replica) -> None:
        assert replica.link is not None and replica.cursor is not None
        replica.state = State.SNAPSHOT
        if replica.knows_offsets:
            identity, offset = self.history.replid, replica.cursor.offset
            replica.link.say(b"+FULLRESYNC %b %d\r\n" % (identity.encode(), offset))

    def have_snapshot(self, replica: Replica, *, at_once: bool) -> None:
        """The snapshot is sent; the stream follows ``at_once``, or when the replica says that it has loaded it.

        A snapshot that ends with a mark is to be followed by nothing: the replica looks for the mark at the end of what
        it reads.
        """
        if replica.wants_snapshot_only:
            log.info(
                "RDB transfer completed, rdb only replica (%s) should be disconnected asap", replica.name
            )
            replica.state = State.DONE
            replica.stand_at(None)
            return
        replica.state = State.ONLINE
        replica.confirmed_ns = self.engine.monotonic()
        log.info("Synchronization with replica %s succeeded", replica.name)
        if at_once:
            self._stream_to(replica)
        self.count_good()

    def _stream_to(self, replica: Replica) -> None:
        replica.streams = True
        self._sent = -1  # or it would wait for the next change

    # -- confirmations ------------------------------------------------------------------------------------

    def _confirm(self, replica: Replica, value: bytes) -> None:
        try:
            offset = parse_int(value)
        except NumberError:
            return
        replica.confirmed = max(replica.confirmed, offset)
        replica.confirmed_ns = self.engine.monotonic()
        if replica.state is State.ONLINE and not replica.streams:
            self._stream_to(replica)
        self.count_good()
        self.confirmations.review()

    def confirmed(self, offset: int) -> int:
        """Number of replicas that have confirmed the stream up to ``offset``."""
        return sum(replica.confirmed >= offset for replica in self.online())

    def online(self) -> list[Replica]:
        """The replicas that follow the stream."""
        return [replica for replica in self.replicas.values() if replica.state is State.ONLINE]

    def wait(self, client: Client, argv: Sequence[bytes], count: int, timeout_ms: int) -> Any:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        engine = self.engine
        offset = self.offset if engine.execution is not None else self.settled_offset()
        confirmed = self.confirmed(offset)
        if confirmed >= count or engine.execution is not None or not client.may_block:
            return confirmed
        self.confirmations.wait(client, argv, offset, count, timeout_ms)
        self.ask_for_confirmations()
        return NO_REPLY

    def good(self) -> int:
        """Number of replicas that were heard of within ``min-replicas-max-lag`` seconds."""
        now, most = self.engine.monotonic(), self.engine.config.min_replicas_max_lag
        return sum(replica.lag_seconds(now) <= most for replica in self.online())

    @property
    def demands_replicas(self) -> bool:
        """Whether writes are accepted only with a number of good replicas."""
        config = self.engine.config
        return bool(config.min_replicas_to_write and config.min_replicas_max_lag)

    def count_good(self) -> None:
        """Accept or refuse writes by the number of good replicas (``min-replicas-to-write``)."""
        few = (
            self.demands_replicas
            and self.upstream is None
            and self.good() < self.engine.config.min_replicas_to_write
        )
        self.engine.restrictions.set_few_replicas(few)

    # -- periodic work ------------------------------------------------------------------------------------

    def tick(self) -> None:
        """To be called once a second: pings, time-outs, the end of the stream."""
        now, config = self.engine.monotonic(), self.engine.config
        if self.replicas:
            self._alone_since_ns = 0
            pings = not self.fails_over  # or nobody would ever have the whole stream
            if pings and now - self._last_ping_ns >= config.repl_ping_replica_period * _SECOND_NS:
                self._last_ping_ns = now
                self._say(PING)
        elif self.backlog is not None and config.repl_backlog_ttl and self.upstream is None:
            self._alone_since_ns = self._alone_since_ns or now
            if now - self._alone_since_ns > config.repl_backlog_ttl * _SECOND_NS:
                self.end_stream()
                self.history.renew()
                log.info(
                    "Replication backlog freed after %d seconds without connected replicas.",
                    config.repl_backlog_ttl,
                )
        for replica in list(self.replicas.values()):
            if replica.state is State.WAITING and replica.knows_offsets and replica.link is not None:
                replica.link.say(b"\n")
            elif (
                replica.state is State.ONLINE
                and replica.knows_offsets
                and now - replica.confirmed_ns > config.repl_timeout * _SECOND_NS
            ):
                log.warning("Disconnecting timedout replica (streaming sync): %s", replica.name)
                self.drop(replica)
        self.count_good()

    # -- replicas go --------------------------------------------------------------------------------------

    def forget(self, client: Client) -> None:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        replica = self.replicas.pop(client, None)
        client.replica = None
        if replica is None:
            return
        log.info("Connection with replica %s lost.", replica.name)
        replica.streams = False
        replica.state = State.ANNOUNCED
        replica.stand_at(None)
        if self.backlog is not None:
            self.backlog.trim()
        link, replica.link = (
            replica.link,
            None,
        )  # each knows the other: a fork would keep such a cycle for ever
        if link is not None:
            link.end()
        self._sent_before += replica.sent_bytes
        self.count_good()

    def drop(self, replica: Replica) -> None:
        """Close the connection of ``replica``."""
        if replica.link is not None:
            replica.link.close()

    def drop_replicas(self) -> None:
        """Close the connections of all replicas: they must ask again."""
        for replica in list(self.replicas.values()):
            self.drop(replica)

    # -- figures ------------------------------------------------------------------------------------------

    def info(self) -> Sequence[tuple[str, Any]]:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        fields: list[tuple[str, Any]] = []
        if self.upstream is None:
            fields.append(("role", "master"))
        else:
            fields += (("role", "slave"), *self.upstream.info())
        fields.append(("connected_slaves", len(self.replicas)))
        if self.demands_replicas:
            fields.append(("min_slaves_good_slaves", self.good()))
        fields += replica_fields(self.replicas.values(), self.engine.monotonic())
        size = self.engine.config.repl_backlog_size
        fields += history_fields(self.history, self.backlog, self.offset, size, self.failover_state)
        return fields

    def role(self) -> list[Any]:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        if self.upstream is not None:
            return self.upstream.role()
        online = ([each.address, each.listening_port, each.confirmed] for each in self.online())
        return [b"master", self.offset, [[str(word).encode() for word in words] for words in online]]

    def figures(self) -> Mapping[str, int]:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        backlog = self.backlog
        kept = 0 if backlog is None else min(len(backlog), backlog.size)
        memory = 0 if backlog is None else backlog.memory()
        online, now = self.online(), self.engine.monotonic()
        return {
            **self._figures,
            "total_net_repl_output_bytes": self._sent_before + self._sent_to_present(),
            "mem_replication_backlog": kept,
            "mem_total_replication_buffers": memory,
            "mem_clients_slaves": max(memory - kept, 0) if self.replicas else 0,
            "replicas": len(self.replicas),
            "replicas_online": len(online),
            "replicas_synchronising": sum(each.is_synchronising for each in self.replicas.values()),
            "replica_lag_bytes": max((self.offset - each.confirmed for each in online), default=0),
            "replica_lag_seconds": max((each.lag_seconds(now) for each in online), default=0),
        }

    def notes(self) -> Mapping[str, str]:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        if (
            self.backlog is None or self.engine.execution is not None
        ):  # whose changes are not in the stream yet
            return {}
        if self.upstream is not None:
            return self.engine.following.notes()
        self.engine.propagation.flush()
        return {
            "repl-stream-db": "0",
            "repl-id": self.history.replid,
            "repl-offset": str(self.offset),
        }

    def reset_figures(self) -> None:
        """Zero the figures that only grow (CONFIG RESETSTAT)."""
        self._figures = dict.fromkeys(self._figures, 0)
        self._sent_before = -self._sent_to_present()

    def _sent_to_present(self) -> int:
        return sum(replica.sent_bytes for replica in self.replicas.values())


def is_diskless(config: Config, group: Sequence[Replica]) -> bool:
    """Whether all of ``group`` get a snapshot as it is made."""
    return config.repl_diskless_sync and all(replica.handles_eof for replica in group)
