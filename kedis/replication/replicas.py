"""A replica as its master sees it: what it has announced, how far it is, and what it has confirmed.

=============  ============================================================  ===========
state          meaning                                                       in INFO
=============  ============================================================  ===========
``ANNOUNCED``  has sent REPLCONF only                                        not shown
``WAITING``    a full synchronisation is to begin                            wait_bgsave
``SNAPSHOT``   the snapshot for it is being made, or sent as it is made      wait_bgsave
``TRANSFER``   a finished snapshot is being sent                             send_bulk
``ONLINE``     follows the stream                                            online
``DONE``       wanted the snapshot only, and has it (redis-cli --rdb)        not shown
=============  ============================================================  ===========
"""

from __future__ import annotations

import logging
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from kedis.commands.parsing.options import integer
from kedis.engine.client_line import client_line
from kedis.errors import CommandError, replication_errors
from kedis.replication.backlog import Cursor

if TYPE_CHECKING:
    from kedis.engine.client import Client

log = logging.getLogger("kedis.replication")

_LONGEST_ADDRESS = 255


class State(Enum):
    """How far a replica is; the value has its name in INFO, "" where it is not shown."""

    ANNOUNCED = ("announced", "")
    WAITING = ("waiting", "wait_bgsave")
    SNAPSHOT = ("snapshot", "wait_bgsave")
    TRANSFER = ("transfer", "send_bulk")
    ONLINE = ("online", "online")
    DONE = ("done", "")

    @property
    def shown(self) -> str:
        """The name in INFO."""
        return self.value[1]


class Link(Protocol):
    """The sending side of a replica's connection."""

    def say(self, data: bytes) -> None:
        """Send ``data``, before what was not sent yet of the stream."""

    def pump(self) -> None:
        """Send what there is, as far as the kernel takes it."""

    def close(self) -> None:
        """End the connection."""

    def end(self) -> None:
        """The connection has ended: send no more."""


class Replica:
    """One replica, or a client that may become one.

    Args:
        client: whose connection it is.
        now_ns: by the monotonic clock.

    Attributes:
        link: its connection, once it is a replica.
        handles_eof: a snapshot may end with a mark, its length being unknown (``capa eof``).
        handles_psync2: the id of the history may change with ``+CONTINUE`` (``capa psync2``).
        knows_offsets: it has sent PSYNC; SYNC is of the time before, without offsets and confirmations.
        wants_snapshot_only: it leaves when it has the snapshot.
        wants_keys: it wants the keys, beside the functions.
        listening_port, announced_address: how others reach it; 0 and "" where it has not said so.
        cursor: its place in the stream; None before a synchronisation begins.
        streams: the stream is being sent.
        confirmed: offset up to which it has confirmed the stream.
        confirmed_ns: when it has last been heard of.
        since_ns: since when it has waited for a full synchronisation.
        sent_bytes: so far.
        waits: the kernel has not taken all that was to be sent.
        limit_since_ns: since when its unsent bytes have been over the soft limit; 0: they are not.
    """

    __slots__ = (
        "announced_address",
        "client",
        "confirmed",
        "confirmed_ns",
        "cursor",
        "handles_eof",
        "handles_psync2",
        "knows_offsets",
        "limit_since_ns",
        "link",
        "listening_port",
        "sent_bytes",
        "since_ns",
        "state",
        "streams",
        "waits",
        "wants_keys",
        "wants_snapshot_only",
    )

    def __init__(self, client: Client, now_ns: int) -> None:
        self.client = client
        self.link: Link | None = None
        self.state = State.ANNOUNCED
        self.handles_eof = self.handles_psync2 = self.knows_offsets = False
        self.wants_snapshot_only = False
        self.wants_keys = True
        self.listening_port = 0
        self.announced_address = ""
        self.cursor: Cursor | None = None
        self.streams = False
        self.confirmed = 0
        self.confirmed_ns = self.since_ns = now_ns
        self.limit_since_ns = 0
        self.sent_bytes = 0
        self.waits = False

    def announce(self, option: bytes, value: bytes) -> None:
        """Take what it says of itself before it asks (REPLCONF). Raises CommandError."""
        if option == b"listening-port":
            self.listening_port = integer(value)
        elif option == b"ip-address":
            if len(value) > _LONGEST_ADDRESS:
                raise CommandError(replication_errors.REPLCONF_ADDRESS_TOO_LONG % len(value))
            self.announced_address = value.decode("utf-8", "replace")
        elif option == b"capa":
            self.handles_eof |= value.lower() == b"eof"
            self.handles_psync2 |= value.lower() == b"psync2"
        elif option == b"rdb-only":
            self.wants_snapshot_only = integer(value) == 1
        elif option == b"rdb-filter-only":
            self.wants_keys = not _names_functions(value)
        else:
            raise CommandError(replication_errors.unknown_replconf_option(option))

    @property
    def attached(self) -> bool:
        """See :class:`kedis.engine.replication_ports.AttachedReplica`."""
        return self.state is not State.ANNOUNCED

    @property
    def is_synchronising(self) -> bool:
        """Whether it waits for a snapshot, or is being sent one."""
        return self.state in (State.WAITING, State.SNAPSHOT, State.TRANSFER)

    @property
    def address(self) -> str:
        """The host that others reach it by."""
        return self.announced_address or self.client.address.rpartition(":")[0].strip("[]")

    @property
    def name(self) -> str:
        """``host:port``, for the log."""
        if self.listening_port:
            return f"{self.address}:{self.listening_port}"
        return f"{self.address}:<unknown-replica-port>"

    def unsent_bytes(self) -> int:
        """See :class:`kedis.engine.replication_ports.AttachedReplica`; the snapshot is not counted."""
        return 0 if self.cursor is None else self.cursor.distance()

    def lag_seconds(self, now_ns: int) -> int:
        """Seconds since it was last heard of; 0 before it follows the stream."""
        return max(now_ns - self.confirmed_ns, 0) // 1_000_000_000 if self.state is State.ONLINE else 0

    def disturbs(self, command: str, error: CommandError | None) -> None:
        """See :class:`kedis.engine.replication_ports.AttachedReplica`. What is logged are Redis's words."""
        if error is not None:
            log.critical(
                "== CRITICAL == This master is sending an error to its replica: '%s' after processing the command '%s'",
                error,
                command,
            )
        log.warning(
            "Replica generated a reply to command '%s', disconnecting it: %s",
            command,
            client_line(self.client).decode("ascii", "backslashreplace").rstrip(),
        )

    def stand_at(self, cursor: Cursor | None) -> None:
        """Take ``cursor`` as its place in the stream; the one before is closed."""
        if self.cursor is not None:
            self.cursor.close()
        self.cursor = cursor


def _names_functions(value: bytes) -> bool:
    """Whether ``rdb-filter-only`` names the functions, which leaves out the keys. Raises CommandError."""
    names = value.lower().split()
    for name in names:
        if name != b"functions":
            raise CommandError(replication_errors.unknown_snapshot_part(name))
    return bool(names)
