"""The state of this server as a replica: its master, the stage of the link, and what ROLE and INFO show of it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from kedis.config import Config
from kedis.replication.data_history import History
from kedis.replication.handshake import Position

_SECOND_NS = 1_000_000_000


class Stage(Enum):
    """How far the link to the master is; the values are the words of ROLE."""

    CONNECT = b"connect"
    CONNECTING = b"connecting"
    HANDSHAKE = b"handshake"
    SYNC = b"sync"
    CONNECTED = b"connected"


class Replica:
    """One server's side of following a master.

    Args:
        monotonic: nanoseconds.

    Attributes:
        master: host and port of the master; None where this server is a master.
        stage: of the link.
        history: of the data.
        resumes: the history may go on with the master's stream, without a full synchronisation.
        received: offset of the last byte received of the stream, applied or not.
        total_bytes: of the snapshot that is being received; 0 where nobody knows.
        received_bytes: of it so far.
        received_bytes_in_all: of snapshots and streams, since the start.
        full_syncs, partial_syncs: number of synchronisations since the start.
    """

    def __init__(self, config: Config, monotonic: Callable[[], int], history: History) -> None:
        self._config = config
        self._monotonic = monotonic
        self.history = history
        self.master: tuple[str, int] | None = None
        self.stage = Stage.CONNECT
        self.resumes = False
        self.received = 0
        self.total_bytes = self.received_bytes = 0
        self.received_bytes_in_all = 0
        self.full_syncs = self.partial_syncs = 0
        self._heard_ns = self._transfer_heard_ns = 0
        self._down_since_ns = 0

    @property
    def is_up(self) -> bool:
        """Whether the data follow the master's now."""
        return self.stage is Stage.CONNECTED

    @property
    def position(self) -> Position | None:
        """Where to go on with the stream; None asks for everything."""
        return self.history.position if self.resumes else None

    # -- what happens -------------------------------------------------------------------------------------

    def follow(self, host: str, port: int) -> None:
        """Follow another master from now on; the data are of the same history until it says otherwise.

        A master knows where its data are. Of those that were another master's nobody may know, which this one cannot
        change.
        """
        self.resumes = self.resumes or self.master is None
        self.master = host, port
        self._down_since_ns = 0
        self.stage = Stage.CONNECT

    def lead(self) -> None:
        """Be a master from now on: with a history of its own, whose beginning others know by the former identity.

        Where nobody can tell at which place of that one the data are, others know nothing of it.
        """
        self.master = None
        self.stage = Stage.CONNECT
        if self.resumes:
            self.history.branch()
        else:
            self.history.renew()
        self.resumes = False

    def heard(self, size: int = 0) -> None:
        """So many bytes of the stream have come."""
        self.received += size
        self.received_bytes_in_all += size
        self._heard_ns = self._monotonic()

    def begin_transfer(self, total_bytes: int) -> None:
        """A snapshot comes."""
        self.stage = Stage.SYNC
        self.total_bytes, self.received_bytes = total_bytes, 0
        self._transfer_heard_ns = self._monotonic()

    def transferred(self, size: int) -> None:
        """So many bytes of the snapshot have come."""
        self.received_bytes += size
        self.received_bytes_in_all += size
        self._transfer_heard_ns = self._monotonic()

    def synchronised(self, replid: str, offset: int) -> None:
        """The data are those of a snapshot of the master; the offset is -1 where the master has told none."""
        self.history.adopt(replid, max(offset, 0))
        self.resumes = offset >= 0
        self.full_syncs += 1
        self._go_up()

    def continued(self, replid: str) -> None:
        """The master goes on with the stream."""
        self.history.rename(replid)
        self.partial_syncs += 1
        self._go_up()

    def _go_up(self) -> None:
        self.received = self.history.offset
        self._down_since_ns = 0
        self.stage = Stage.CONNECTED
        self.heard()

    def cut(self) -> None:
        """The link is lost."""
        if self.is_up:
            self._down_since_ns = self._monotonic()
        self.stage = Stage.CONNECT

    def distrust(self) -> None:
        """Nobody can tell at which place of the stream the data are: they must come anew."""
        self.resumes = False

    # -- what is shown ------------------------------------------------------------------------------------

    def role(self) -> list[Any]:
        """The reply to ROLE of a replica."""
        assert self.master is not None
        host, port = self.master
        offset = self.history.offset if self.is_up or self.resumes else -1
        return [b"slave", host.encode("utf-8", "surrogateescape"), port, self.stage.value, offset]

    def info(self) -> list[tuple[str, Any]]:
        """The lines of INFO replication that only a replica has, in Redis's order."""
        assert self.master is not None
        config = self._config
        host, port = self.master
        fields: list[tuple[str, Any]] = [
            ("master_host", host),
            ("master_port", port),
            ("master_link_status", "up" if self.is_up else "down"),
            ("master_last_io_seconds_ago", self._seconds_since(self._heard_ns) if self.is_up else -1),
            ("master_sync_in_progress", int(self.stage is Stage.SYNC)),
            ("slave_read_repl_offset", self.received if self.is_up else self._known_offset),
            ("slave_repl_offset", self._known_offset),
        ]
        if self.stage is Stage.SYNC:
            fields += self._transfer_fields()
        if not self.is_up:
            since = self._down_since_ns
            fields.append(("master_link_down_since_seconds", self._seconds_since(since) if since else -1))
        return [
            *fields,
            ("slave_priority", config.replica_priority),
            ("slave_read_only", int(config.replica_read_only)),
            ("replica_announced", int(config.replica_announced)),
        ]

    @property
    def _known_offset(self) -> int:
        return self.history.offset if self.is_up or self.resumes else 1

    def _transfer_fields(self) -> list[tuple[str, Any]]:
        total, done = self.total_bytes, self.received_bytes
        return [
            ("master_sync_total_bytes", total),
            ("master_sync_read_bytes", done),
            ("master_sync_left_bytes", total - done),
            ("master_sync_perc", f"{100 * done / total if total else 0:.2f}"),
            ("master_sync_last_io_seconds_ago", self._seconds_since(self._transfer_heard_ns)),
        ]

    def _seconds_since(self, moment_ns: int) -> int:
        return max(self._monotonic() - moment_ns, 0) // _SECOND_NS
