"""The network server as INFO and the metrics see it."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any, Protocol

from kedis.observability.turns import TurnFigures


class Turns(Protocol):
    """The end of each turn of the event loop (:class:`kedis.server.before_sleep.BeforeSleep`)."""

    figures: TurnFigures
    turns: int
    faults: int
    failing_since_ns: int
    halted: bool


class TlsFigures(Protocol):
    """TLS (:class:`kedis.server.tls.Tls`): handshakes that have ended well and not, and when a certificate ends."""

    certificate_ends: int
    handshakes: int
    failed_handshakes: int


class NetworkFigures(Protocol):
    """The figures of a network server (:class:`kedis.server.network_server.NetworkServer`)."""

    bytes_received: int
    bytes_sent: int
    connections_received: int
    rejected_connections: int
    query_buffer_disconnections: int
    output_buffer_disconnections: int
    idle_disconnections: int

    @property
    def tls(self) -> TlsFigures:
        """Figures of TLS."""

    @property
    def handshakes(self) -> Sized:
        """Handshakes of TLS under way."""

    @property
    def port(self) -> int:
        """The TCP port; 0 before the start."""

    @property
    def cycle(self) -> Turns:
        """What is done at the end of each turn."""

    @property
    def paused(self) -> Any:
        """The transports of clients that wait for the end of CLIENT PAUSE; has ``in`` and ``len``."""

    @property
    def slow_readers(self) -> Sized:
        """Clients whose replies the kernel has not taken whole."""

    @property
    def evicted_clients(self) -> int:
        """Clients closed for maxmemory-clients."""

    @property
    def hub(self) -> Any:
        """The gevent hub: ``hub.loop.backend`` names what waits for descriptors."""

    def greenlets(self) -> int:
        """Greenlets of the server."""

    def reset_counters(self) -> None:
        """Zero the figures that only grow."""
