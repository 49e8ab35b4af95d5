"""Totals over all clients: their states, and the bytes in their buffers.

They are counted, 0.4 us a client, since keeping them up to date would cost time on every command.  Nobody waits for the
count of many clients: INFO and the periodic work each take one slice of it (:meth:`ClientTotals.update`) and go by the
last whole count, as Redis does; the metrics take all slices (:meth:`ClientTotals.walk`), between which clients are
served.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.engine.engine import Engine
    from kedis.observability.network_figures import NetworkFigures

#: Clients in a slice: about 0.2 ms.
_SLICE = 500
STATES = ("normal", "blocked", "pubsub", "multi", "monitor")


class ClientTotals:
    """The totals as they were when they were last counted.

    Attributes:
        states: number of clients by :data:`STATES`; each client is in one.
        input_bytes, output_bytes: in the buffers of all clients.
        largest_input, largest_output: in the buffers of one.
    """

    def __init__(self, engine: Engine, network: NetworkFigures | None) -> None:
        self._engine = engine
        self._network = network
        self._paused: Container[Any] = ()
        self._under_way: Iterator[None] | None = None
        self.states = dict.fromkeys(STATES, 0)
        self.input_bytes = self.output_bytes = 0
        self.largest_input = self.largest_output = 0

    @property
    def is_slow(self) -> bool:
        """Whether there are more clients than one slice takes: the totals then are those of a while ago."""
        return len(self._engine.clients) > _SLICE

    def update(self) -> None:
        """Count a slice of the clients: all of them, or the next of a count that is under way.  O(1)."""
        if not self.is_slow:
            self._under_way = None
            for _ in self.walk():
                pass
            return
        if self._under_way is None:
            self._under_way = self.walk()
        try:
            next(self._under_way)
        except StopIteration:
            self._under_way = None

    def walk(self) -> Iterator[None]:
        """Count in slices, and yield after each; clients that connect or leave meanwhile may be counted or not."""
        states = dict.fromkeys(STATES, 0)
        input_bytes = output_bytes = largest_input = largest_output = 0
        self._paused = self._network.paused if self._network is not None else ()
        clients = list(self._engine.clients.values())
        for begin in range(0, len(clients), _SLICE):
            for client in clients[begin : begin + _SLICE]:
                transport = client.transport
                received = transport.input_bytes() + client.queued_bytes
                unsent = transport.output_bytes()
                if received:
                    input_bytes += received
                    largest_input = max(largest_input, received)
                if unsent:
                    output_bytes += unsent
                    largest_output = max(largest_output, unsent)
                states[self._state(client)] += 1
            if begin + _SLICE < len(clients):
                yield
        self.states = states
        self.input_bytes, self.output_bytes = input_bytes, output_bytes
        self.largest_input, self.largest_output = largest_input, largest_output

    def _state(self, client: Client) -> str:
        if client.blocked is not None or client.transport in self._paused:
            return "blocked"
        if client.subscriptions:
            return "pubsub"
        if client.queue is not None:
            return "multi"
        if client in self._engine.monitors:
            return "monitor"
        return "normal"
