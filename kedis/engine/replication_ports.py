"""The ports of the engine towards replication: the server as a replica, and as a master, as Protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kedis.errors import CommandError


class Upstream(Protocol):
    """The link of a replica to its master."""

    @property
    def online(self) -> bool:
        """Whether the data are those of the master, whose stream is being followed."""

    @property
    def database(self) -> int:
        """The database that the next command of the stream is for."""

    def confirm(self) -> None:
        """Tell the master soon how far its stream was followed."""

    def info(self) -> Sequence[tuple[str, Any]]:
        """The lines of INFO replication from ``master_host`` to ``replica_announced``."""

    def role(self) -> list[Any]:
        """The reply to ROLE."""


class Following(Protocol):
    """The server as the replica of another one.

    Attributes:
        received_bytes: of masters, since the start.
        synchronisations: number of full and of partial ones with masters, since the start.
        loads_beside: a snapshot is being loaded beside the data, which are served meanwhile.
    """

    @property
    def received_bytes(self) -> int: ...

    @property
    def synchronisations(self) -> tuple[int, int]: ...

    @property
    def loads_beside(self) -> bool: ...

    def follow(self, host: str, port: int, who: str) -> bool:
        """REPLICAOF by the client ``who``; False where that is the master already. Raises CommandError."""

    def lead(self, who: str) -> None:
        """REPLICAOF NO ONE by the client ``who``: be a master. Idempotent."""

    @property
    def upstream(self) -> Upstream | None:
        """The link to the master; None while this server is a master."""

    def notes(self) -> Mapping[str, str]:
        """What a snapshot is to say of the place in the stream at which it stands."""


class AttachedReplica(Protocol):
    """What a client is as a replica of this server; ``attached`` once it has asked to be synchronised."""

    @property
    def attached(self) -> bool: ...

    def unsent_bytes(self) -> int:
        """Bytes of the stream that it has not taken yet."""

    def disturbs(self, command: str, error: CommandError | None) -> None:
        """Log that it has sent ``command``, which is answered, with ``error`` or otherwise; its connection ends."""


class Replication(Protocol):
    """Replication: the history of this server, and its replicas."""

    @property
    def fails_over(self) -> bool:
        """Whether a FAILOVER is under way, which alone decides whom this server follows."""

    def info(self) -> Sequence[tuple[str, Any]]:
        """The fields of INFO replication."""

    def role(self) -> list[Any]:
        """ROLE."""

    def figures(self) -> Mapping[str, int]:
        """Figures of other sections of INFO, and of the metrics, by name: ``sync_full``, ``replicas_online``, ..."""

    def reset_figures(self) -> None:
        """Zero the figures that only grow (CONFIG RESETSTAT)."""

    def notes(self) -> Mapping[str, str]:
        """What a snapshot says of the history whose data it holds; nothing where there is none."""

    def configure(self, client: Any, option: bytes, value: bytes) -> bool:
        """REPLCONF with one option. Returns whether it is answered; raises CommandError."""

    def take_over(self, client: Any, history: str) -> None:
        """Become the master of the history that ``client`` has led so far (PSYNC FAILOVER). Raises CommandError."""

    def synchronize(self, client: Any, history: str | None, first: int) -> None:
        """Make ``client`` a replica, and answer it (PSYNC; ``history`` None: SYNC). Raises CommandError.

        Args:
            first: number of the first byte of the stream that it lacks.
        """

    def wait(self, client: Any, argv: Sequence[bytes], count: int, timeout_ms: int) -> Any:
        """WAIT: the number of replicas that have all changes up to now; blocks until there are ``count``."""

    def forget(self, client: Any) -> None:
        """Handle that ``client``, a replica, is gone."""

    def publish(self, client: Any, argv: Sequence[bytes]) -> None:
        """Record ``argv`` of ``client``, which changes no data, for replicas alone (PUBLISH)."""

    def divert(self, argv: Sequence[bytes]) -> None:
        """Send ``argv`` to replicas, whose data may differ from then on (DEBUG REPLICATE)."""

    def renew(self) -> None:
        """Begin a history of which no replica has any part (DEBUG CHANGE-REPL-ID)."""
