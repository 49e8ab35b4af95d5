"""A client of the router, as far as it waits: for its replies, and for room where too much is under way.

What goes by shared connections is sent on without waiting, as fast as it comes; its lane
(:class:`kedis.router.python_flow.Lane`) holds these requests in order, and a reply that comes before those of earlier
requests waits there. Everything else (the engine's own commands, refusals, transactions with WATCH, what blocks) runs
once nothing is pending, in the client's greenlet, so that its replies come in order by themselves.

Bounds. A client with more requests than its lane's ``limit`` or ``_PENDING_BYTES`` of them without replies, or with
``UNREAD_BYTES`` of replies that it has not read, is not read any further until half of that is gone; nor is one that
has just asked something of a full pipe, so that a slow shard holds up those who wait for it, and nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kedis.engine.call import call
from kedis.engine.table import Command
from kedis.errors import CommandError
from kedis.router import planning
from kedis.router.fleet import Fleet
from kedis.router.flow import Lane, UpstreamRequest
from kedis.router.planning import Plan, encode
from kedis.router.upstream_request import Carrier
from kedis.server.connection import Connection
from kedis.server.network import Network
from kedis.server.network_server import AnySocket

_PENDING_BYTES = 1 << 20
UNREAD_BYTES = 1 << 20
#: As the epoch: no later request is sent by any route before.
_AFTER_REPLIES = -1


class WaitingConnection(Connection):
    """A client's connection whose requests nodes answer.

    Attributes:
        lane: its requests that are not answered, in order.
    """

    __slots__ = ("_called", "_epoch", "_read_ahead_data", "fleet", "lane")

    def __init__(
        self, server: Network, fleet: Fleet, sock: AnySocket, address: str, local_address: str
    ) -> None:
        super().__init__(server, sock, address, local_address)
        self.fleet = fleet
        self.lane = Lane(self, server.engine, server.cycle)
        self.lane.on_reply = self._call
        self._called = False
        self._epoch = fleet.epoch
        #: What has come from the client while it waited.
        self._read_ahead_data = bytearray()

    # -- requests -----------------------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """Which of a node's shared connections it uses."""
        return self.client.id % self.fleet.config.upstream_connections

    def _request(self, plan: Plan, argv: Sequence[bytes], slot: int) -> UpstreamRequest:
        fleet = self.fleet
        request = UpstreamRequest(self.lane, encode(argv), plan.row, slot, plan.reads_only, fleet.clock())
        self._begin(request)
        return request

    def _begin(self, request: UpstreamRequest) -> None:
        """``request`` will be answered behind those before it."""
        client = self.client
        request.resp = client.resp
        request.database = client.database
        request.number = self.number
        request.silent = client.reply_mode != "on"
        self.lane.begin(request)

    # -- waiting ------------------------------------------------------------------------------------------

    def _bound(self, pipe: Carrier | None) -> None:
        """Wait where too much is under way."""
        if self.lane.pending >= self.lane.limit or self.lane.pending_bytes >= _PENDING_BYTES:
            self._pause(self._has_room)
        if pipe is None:  # it waits to be sent, and what follows must not pass it
            self._drain()
        else:
            while pipe.full and not pipe.closed and not self.closed:
                self._await_room(pipe)
        if self.unsent_bytes >= UNREAD_BYTES:
            self._pause(lambda: self.unsent_bytes < UNREAD_BYTES)

    def _await_room(self, pipe: Carrier) -> None:
        """Wait until ``pipe`` tells that there is room, which others may have used up since."""
        told: list[bool] = []

        def tell() -> None:
            told.append(True)
            self._call()

        pipe.waiting.append(tell)
        self._pause(lambda: bool(told))

    def _keep_order(self) -> None:
        """What was sent by the old routes is answered before anything goes by the new ones.

        A read that is sent to a slot's new master would else pass a write that the old one has yet to send there.
        """
        self._drain()
        self._epoch = self.fleet.epoch

    def _hold_next(self) -> None:
        """What follows waits for the replies: a request of several keys may be told to come later (TRYAGAIN)."""
        self._epoch = _AFTER_REPLIES

    def _has_room(self) -> bool:
        return self.lane.pending <= self.lane.limit // 2 and self.lane.pending_bytes <= _PENDING_BYTES // 2

    def _drain(self) -> None:
        """Wait until nothing is pending."""
        if self.lane.pending:
            self._pause(lambda: not self.lane.pending)

    def _pause(self, done: Callable[[], bool]) -> None:
        """Wait, and do not read, until ``done``, which is asked whenever something has changed."""
        self._read_watcher.stop()
        self._called = False
        while not self.closed and not done():
            self.lane.paused = True
            self._hub.switch()
            self._called = False
        self.lane.paused = False
        if not self.closed:
            self.go_on_reading()

    def _await_blocked(self) -> None:
        """Wait until nothing is pending, for how long that may take: the client's leaving is noticed meanwhile."""
        self.go_on_reading()
        self._called = False
        while self.lane.pending and not self.closed:
            self.lane.paused = True
            self._hub.switch()
            self._called, called = False, self._called
            if self.lane.pending and not self.closed and not called:
                data = self._receive_ahead()
                self._read_ahead_data += data
                self.ahead += len(data)
                self._check_query_buffer()
        self.lane.paused = False

    @property
    def awaits_reply(self) -> bool:
        """Whether something that it has asked is not answered: it is not idle."""
        return self.lane.pending > 0

    def _call(self) -> None:
        """Something has changed that the client's greenlet may wait for."""
        if self.lane.paused and not self._called:
            self._called = True
            self.server.next_turn(self._wake)

    def _stop_writing(self) -> None:
        super()._stop_writing()
        self._call()

    # -- replies ------------------------------------------------------------------------------------------

    def note(self, request: UpstreamRequest, reply: bytes, elapsed_ns: int) -> None:
        """Count an error, and report a slow call."""
        engine, row = self.server.engine, request.row
        assert row is not None
        if reply[0] == 0x2D:
            code = reply[1:-2].partition(b" ")[0].decode("utf-8", "replace")
            row.counters.errors.add(code)
            engine.table.error_counts.add(code)
        if elapsed_ns >= engine.slow_ns:
            engine.observer.take_slow_call(self.client, row, planning.decode(request.wire), elapsed_ns)

    def _refuse_in_order(self, plan: Plan, text: str) -> None:
        """Answer by an error, behind what is pending."""
        self._drain()
        if not self.closed:
            self._refuse(plan.row, text)

    def _locally(self, command: Command, argv: list[bytes]) -> None:
        client = self.client
        call(client, command, argv, answer=client.encode)

    def _refuse(self, command: Command, text: str) -> None:
        error = CommandError(text)
        self.server.engine.count_error(command, error)
        self.client.encode(error)
