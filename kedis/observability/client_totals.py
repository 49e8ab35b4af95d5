"""Totals over all clients: what they are doing, and how much waits in their buffers.

They are not kept but counted when somebody asks, since keeping them would cost every command something.  INFO counts
at once, 0.4 us a client; the metrics do so in slices (:meth:`ClientTotals.walk`), between which clients are served.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kedis.engine.client import Session
    from kedis.engine.engine import Engine

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

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._paused: Container[Any] = ()
        self.states = dict.fromkeys(STATES, 0)
        self.input_bytes = self.output_bytes = 0
        self.largest_input = self.largest_output = 0

    def update(self) -> None:
        """Count now.  O(clients)."""
        for _ in self.walk():
            pass

    def walk(self) -> Iterator[None]:
        """Count, with a pause wherever this yields; who comes or leaves meanwhile may be counted or not."""
        states = dict.fromkeys(STATES, 0)
        input_bytes = output_bytes = largest_input = largest_output = 0
        server = self._engine.server
        self._paused = server.paused if server is not None else {}
        sessions = list(self._engine.sessions.values())
        for begin in range(0, len(sessions), _SLICE):
            for session in sessions[begin : begin + _SLICE]:
                transport = session.transport
                received = transport.input_bytes() + session.queued_bytes
                unsent = transport.output_bytes()
                if received:
                    input_bytes += received
                    largest_input = max(largest_input, received)
                if unsent:
                    output_bytes += unsent
                    largest_output = max(largest_output, unsent)
                states[self._state(session)] += 1
            yield
        self.states = states
        self.input_bytes, self.output_bytes = input_bytes, output_bytes
        self.largest_input, self.largest_output = largest_input, largest_output

    def _state(self, session: Session) -> str:
        if session.blocked is not None or session.transport in self._paused:
            return "blocked"
        if session.subscriptions:
            return "pubsub"
        if session.queue is not None:
            return "multi"
        if session in self._engine.monitors:
            return "monitor"
        return "normal"
