"""The replication stream of a server: what feeds it, and when it begins and ends.

It is fed by the propagation of the engine, or, on a replica that has replicas itself, by the master of that. It begins
with the first replica; before, nothing is recorded and no figure moves. A replica always keeps it, for the day on which
it is a master.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from kedis.engine.propagation import Message
from kedis.replication.backlog import Backlog
from kedis.replication.data_history import History
from kedis.replication.handshake import Position
from kedis.replication.replicas import Link, Replica
from kedis.resp.replies import encode_command

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.engine.engine import Engine
    from kedis.engine.replication_ports import Upstream

log = logging.getLogger("kedis.replication")

PING = encode_command((b"ping",))
GET_ACK = encode_command((b"REPLCONF", b"GETACK", b"*"))


class Server(Protocol):
    """What the master's side asks of the server."""

    def link(self, replica: Replica) -> Link:
        """The sending side of the connection of ``replica``, which is its from now on."""

    def snapshot_later(self) -> None:
        """A replica waits for a full synchronisation: call ``Master.next_group`` soon, and again."""

    def began(self) -> None:
        """The stream has begun: call :meth:`Stream.end_turn` at the end of each turn."""

    def ended(self) -> None:
        """The stream has ended."""


class Stream(ABC):
    """The stream of ``engine``; a sink of its propagation (:class:`kedis.engine.propagation.Sink`).

    Attributes:
        history: of the data, which this server has alone, or shares with its master.
        backlog: the stream in memory; None before the first replica.
        replicas: those that have sent PSYNC or SYNC, in this order.
        following: those that get the stream as it comes; the native path sends to them as well.
    """

    def __init__(self, engine: Engine, server: Server, history: History) -> None:
        self.engine = engine
        self._server = server
        self.history = history
        self.backlog: Backlog | None = None
        self.replicas: dict[Client, Replica] = {}
        self.following: list[Replica] = []
        self._wants_confirmations = False
        self._sent = 0
        self._last_ping_ns = 0
        engine.config.subscribe("repl-backlog-size", lambda _config: self._resize())

    @abstractmethod
    def drop_replicas(self) -> None:
        """Close the connections of all replicas: they must ask again."""

    @abstractmethod
    def count_good(self) -> None:
        """Accept or refuse writes by the number of good replicas (``min-replicas-to-write``)."""

    @property
    def upstream(self) -> Upstream | None:
        """The link to the master of this server, whose bytes are the stream then."""
        return self.engine.following.upstream

    # -- the stream ---------------------------------------------------------------------------------------

    @property
    def offset(self) -> int:
        """Number of bytes of the stream."""
        return self.history.offset if self.backlog is None else self.backlog.offset

    def begin_stream(self, offset: int) -> None:
        """Keep the stream from ``offset`` on; the changes of the engine feed it, unless a master does. Idempotent."""
        if self.backlog is not None:
            return
        self.backlog = Backlog(offset, self.engine.config.repl_backlog_size)
        self._sent = offset
        self._last_ping_ns = self.engine.monotonic()
        if self.upstream is None:
            self.engine.propagation.add_sink(self, messages=True)
        self._server.began()

    def resume(self, position: Position, gone: Sequence[tuple[int, bytes]]) -> None:
        """Go on from ``position``, at which the data stand that were loaded, with an identity of its own.

        Replicas that were there before the restart ask for the former identity, and need no snapshot if they have no
        more than that.

        Args:
            gone: databases and keys that were left out, as they had expired: replicas have them yet.
        """
        self.history.adopt(position.replid, position.offset)
        self.history.branch()
        self.begin_stream(position.offset)
        selected = -1
        for number, key in gone:
            if number != selected:
                selected = number
                self._say(encode_command((b"SELECT", b"%d" % number)))
            self._say(encode_command((b"DEL", key)))
        self.engine.propagation.reselect()

    def end_stream(self) -> None:
        """Keep the stream no longer; nobody follows it any more."""
        if self.backlog is None:
            return
        if self.upstream is None:
            self.history.offset = self.backlog.offset
        self.engine.propagation.remove_sink(self)
        self.backlog = None
        self._server.ended()

    # -- the role of this server --------------------------------------------------------------------------

    def prepare_to_follow(self) -> None:
        """This server is about to follow a master: the history goes on with its stream, from here on."""
        self.history.offset = self.settled_offset()
        self.engine.propagation.remove_sink(self)

    def change_role(self) -> None:
        """This server follows a master now, whose stream is kept for replicas; or is a master itself."""
        if self.upstream is not None:
            self.begin_stream(self.history.offset)
        else:
            self.drop_replicas()  # when they come back they learn the new id
            if self.backlog is not None:
                self.engine.propagation.add_sink(self, messages=True)
        self.count_good()

    def begin_anew(self) -> None:
        """The data are those of another history now."""
        self.drop_replicas()
        self.end_stream()
        self.begin_stream(self.history.offset)

    def pass_on(self, data: bytes) -> None:
        """Put into the stream what came from the master of this server and was applied."""
        if self.backlog is not None:
            self.backlog.append((data,))

    # -- feeding the stream -------------------------------------------------------------------------------

    def feed(self, pieces: Sequence[bytes]) -> None:
        """See :class:`kedis.engine.propagation.Sink`."""
        assert self.backlog is not None
        try:
            self.backlog.append(pieces)
        except MemoryError:
            self.lost()

    def sent_natively(self) -> None:
        """The native path has fed the stream and sent it to those that follow."""
        self._sent = self.offset

    def lost(self) -> None:
        """See :class:`kedis.engine.propagation.Sink`: whoever follows this history lacks a change."""
        log.error("a change is missing in the replication stream: all replicas are synchronised anew")
        self.drop_replicas()
        self.end_stream()
        self.history.renew()

    def publish(self, client: Client, argv: Sequence[bytes]) -> None:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        if self.backlog is not None and self.upstream is None:
            self.engine.propagation.batch.append((client.database, Message(argv)))

    def divert(self, argv: Sequence[bytes]) -> None:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        self._say(encode_command(argv))

    def renew(self) -> None:
        """See :class:`kedis.engine.replication_ports.Replication`."""
        self.history.renew()

    def end_turn(self) -> None:
        """Send what this turn has added to the stream."""
        backlog = self.backlog
        assert backlog is not None
        propagation = self.engine.propagation
        if propagation.entries:
            propagation.flush()
        if self._wants_confirmations:
            self._wants_confirmations = False
            self._say(GET_ACK)
        if backlog.offset != self._sent:
            self._sent = backlog.offset
            for replica in self.replicas.values():
                if replica.streams and replica.link is not None:
                    replica.link.pump()

    def settled_offset(self) -> int:
        """The offset behind all changes up to now."""
        if self.backlog is not None:
            self.engine.propagation.flush()
        return self.offset

    def ask_for_confirmations(self) -> None:
        """Ask the replicas, at the end of this turn, how far they are."""
        self._wants_confirmations = self.backlog is not None

    def ask_at_once(self) -> int:
        """Ask the replicas how far they are, without waiting for their next second.

        Returns the offset that a replica with everything confirms: Redis's replica, asked within the stream, tells what
        came before the question. So the first of two questions is part of the answer to the second.
        """
        for _ in range(2):
            self._say(GET_ACK)
        return self.offset - len(GET_ACK)

    def _say(self, wire: bytes) -> None:
        """Put a command that is no change into the stream, unless that is the master's."""
        if self.backlog is not None and self.upstream is None:
            self.engine.propagation.flush()
            self.backlog.append((wire,))

    def _resize(self) -> None:
        if self.backlog is not None:
            self.backlog.size = self.engine.config.repl_backlog_size
            self.backlog.trim()
