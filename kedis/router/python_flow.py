"""The hot path of the router in Python: a request, the order of a client's replies, the stream of a connection.

:mod:`kedis.native.routing` is the same in Cython, with the same names; :mod:`kedis.router.flow` chooses. What differs:
there :meth:`Lane.forward` takes plain requests from their bytes, here it leaves all of them to the parser.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kedis.engine.table import Command
from kedis.resp.reply_framing import FramingError, ReplyFramer
from kedis.structures.histogram import Histogram

_ERROR, _PUSH = 0x2D, 0x3E
#: Bytes of the replies that one client may have coming, by the largest of the last ones; and of the first ones so many.
REPLY_BYTES = 4 << 20
FIRST_LIMIT = 32
#: And in any case so many.
MOST_PENDING = 1024


class UpstreamRequest:
    """One request, or several that go as one piece (a transaction, or what follows ASKING).

    Args:
        wire: the bytes.
        slot: the slot whose master it goes to.
        reads_only: it may be executed twice.

    Attributes:
        own: what decides by which connection it goes (:class:`kedis.router.upstream_request.Owner`); None: by the
            shared one to the master of its slot.
        pinned: a transaction behind WATCH, which has no meaning on any other connection.
        resp, database, number: which of a node's shared connections it takes.
        replies: how many it has; the last one is that of the request.
        expected: those to come.
        refusal: the first of the replies before the last that was an error.
        end: the number of bytes given to the connection with the last of this one.
        deadline_ns: until when it may be sent again; 0 before that was needed.
        reply: a reply that waits for those of earlier requests.
        silent: the client wants no reply.
    """

    __slots__ = (
        "began_ns",
        "database",
        "deadline_ns",
        "end",
        "expected",
        "number",
        "own",
        "pinned",
        "reads_only",
        "refusal",
        "replies",
        "reply",
        "resp",
        "row",
        "silent",
        "sink",
        "slot",
        "wire",
    )

    def __init__(
        self, sink: Any, wire: bytes, row: Command | None, slot: int, reads_only: bool, began_ns: int
    ) -> None:
        self.sink = sink
        self.wire = wire
        self.row = row
        self.slot = slot
        self.reads_only = reads_only
        self.began_ns = began_ns
        self.own: Any = None
        self.pinned = False
        self.silent = False
        self.resp = 2
        self.database = 0
        self.number = 0
        self.replies = self.expected = 1
        self.refusal: bytes | None = None
        self.end = 0
        self.deadline_ns = 0
        self.reply: bytes | None = None


class Form:
    """How a plain request of a command is sent on by :meth:`Lane.forward`.

    Args:
        key_at: the position of its key.
        least, most: how many words it has.
    """

    __slots__ = ("key_at", "least", "most", "reads_only", "row")

    def __init__(self, row: Command, key_at: int, reads_only: bool, least: int, most: int) -> None:
        self.row = row
        self.key_at = key_at
        self.reads_only = reads_only
        self.least = least
        self.most = most


class Flow:
    """The stream of requests to a node, and of replies from it, without its socket.

    Args:
        durations: of the requests, from their coming to the reply, in ns.
        clock, monotonic: in ns.

    Attributes:
        out: bytes to be sent, in pieces.
        appended: how many bytes were ever given to :attr:`out`; answered_bytes: those up to the last reply.
        at_end, flush: what is called at the end of the turn, and by that.
        queued: whether that is to come.
        opened: whether anything can be sent already.
        progress_ns: when the node was last known to work on what it was asked.
        redirected: decides whether an error is for the client; False where it is.
        on_push: takes the frames that answer no request.
    """

    __slots__ = (
        "_clock",
        "_flying",
        "_framer",
        "_monotonic",
        "_now",
        "answered_bytes",
        "appended",
        "at_end",
        "durations",
        "flush",
        "on_push",
        "opened",
        "out",
        "progress_ns",
        "queued",
        "redirected",
    )

    flush: Callable[[], None]
    redirected: Callable[[UpstreamRequest, bytes], bool]

    def __init__(
        self,
        durations: Histogram,
        at_end: list[Callable[[], None]],
        clock: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> None:
        self.durations = durations
        self.at_end = at_end
        self._clock = clock
        self._monotonic = monotonic
        self._framer = ReplyFramer()
        self._now = 0
        self._flying: deque[UpstreamRequest] = deque()
        self.out: list[bytes | memoryview] = []
        self.appended = self.answered_bytes = 0
        self.queued = self.opened = False
        self.on_push: Callable[[bytes], None] | None = None
        self.progress_ns = monotonic()

    def submit(self, request: UpstreamRequest) -> None:
        """Append ``request``; it is sent at the end of this turn. O(1)."""
        if not self._flying:
            self.progress_ns = self._monotonic()
        wire = request.wire
        self.out.append(wire)
        request.end = self.appended = self.appended + len(wire)
        self._flying.append(request)
        if not self.queued and self.opened:
            self.queued = True
            self.at_end.append(self.flush)

    @property
    def flying(self) -> int:
        """How many requests have no reply."""
        return len(self._flying)

    def take_flying(self) -> list[UpstreamRequest]:
        """The requests without a reply, in order, which are forgotten."""
        found = list(self._flying)
        self._flying.clear()
        return found

    def feed(self, data: bytes) -> None:
        """Take replies, and give each to the sink of its request. Raises FramingError. O(len(data))."""
        self._now = self._clock()
        self.progress_ns = self._monotonic()
        self._framer.feed(data, self._take)

    def _take(self, reply: bytes) -> None:
        flying = self._flying
        if reply[0] == _PUSH or not flying:
            if self.on_push is not None:
                self.on_push(reply)
            elif not flying:
                raise FramingError("a reply to no request")
            return
        request = flying[0]
        if request.expected > 1:
            request.expected -= 1
            if reply[0] == _ERROR and request.refusal is None:
                request.refusal = reply
            return
        flying.popleft()
        self.answered_bytes = request.end
        elapsed = max(self._now - request.began_ns, 0)
        durations = self.durations
        durations.counts[elapsed.bit_length()] += 1
        durations.total += elapsed
        if (reply[0] == _ERROR or request.refusal is not None) and self.redirected(request, reply):
            return
        request.sink.deliver(request, reply)


class Lane:
    """The order of one client's replies: each waits for those of the requests before it. The sink of requests.

    Args:
        peer: the client's connection: ``client`` and ``queued`` are those of :class:`kedis.server.peer.Peer`.
        engine, cycle: the engine, and what sends replies at the end of the turn.

    Attributes:
        pending_bytes: of the requests that are not answered.
        limit: how many may be pending: fewer, the larger the replies are, which nobody knows before.
        resp, database, number: of the requests that :meth:`forward` takes.
        paused: whether the client's greenlet waits for something that a reply may be; ``on_reply`` tells it.
    """

    __slots__ = (
        "_cycle",
        "_engine",
        "_peer",
        "_pending",
        "_reply_bytes",
        "database",
        "limit",
        "number",
        "on_reply",
        "paused",
        "pending_bytes",
        "resp",
    )

    on_reply: Callable[[], None]
    #: Whether :meth:`forward` may take anything.
    forwards = False
    #: Of :meth:`forward`: whether the last request was cut off, and the row of the last one taken.
    cut = False
    last_row: Command | None = None

    def __init__(self, peer: Any, engine: Any, cycle: Any) -> None:
        self._peer = peer
        self._engine = engine
        self._cycle = cycle
        self._pending: deque[UpstreamRequest] = deque()
        self.pending_bytes = 0
        self.paused = False
        self.limit = FIRST_LIMIT
        self._reply_bytes = REPLY_BYTES // FIRST_LIMIT
        self.resp, self.database, self.number = 2, 0, 0

    @property
    def pending(self) -> int:
        """How many requests are not answered."""
        return len(self._pending)

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self._peer is None or bool(self._peer.closed)

    def close(self) -> None:
        """The client has left: replies are dropped. (The circle that is broken here only the collector would find.)"""
        self._peer = None
        self._pending.clear()
        del self.on_reply

    def begin(self, request: UpstreamRequest) -> None:
        """``request`` will be answered behind those before it."""
        self._pending.append(request)
        self.pending_bytes += len(request.wire)

    def forward(self, data: bytes, forms: dict[bytes, Form], table: Sequence[Any], by_slot: bool) -> int:
        """Take the plain requests at the start of ``data``; how many bytes of it were taken.

        Args:
            forms: of commands, by their names as clients commonly write them.
            table: slot -> connection, None where that is not open; the first entry, unless ``by_slot``.
        """
        return 0

    def deliver(self, request: UpstreamRequest, reply: bytes) -> None:
        """Take the reply to ``request``."""
        peer, pending = self._peer, self._pending
        if peer is None or peer.closed:
            return
        if not pending or pending[0] is not request:
            request.reply = reply
            return
        pending.popleft()
        self._finish(request, reply)
        while pending and (waiting := pending[0].reply) is not None:
            self._finish(pending.popleft(), waiting)
        if self.paused:
            self.on_reply()
        if not peer.queued:
            peer.queued = True
            self._cycle.waiting.append(peer)

    def _finish(self, request: UpstreamRequest, reply: bytes) -> None:
        """Pass on ``reply``, and count."""
        self.pending_bytes -= len(request.wire)
        row = request.row
        if row is not None:
            engine = self._engine
            elapsed = engine.clock() - request.began_ns
            row.counters.nanoseconds += elapsed
            row.counters.count(elapsed)
            if reply[0] == _ERROR or elapsed >= engine.slow_ns:
                self._peer.note(request, reply, elapsed)
        size = len(reply)
        self._reply_bytes = max(size, self._reply_bytes - (self._reply_bytes >> 3))
        self.limit = max(min(REPLY_BYTES // (self._reply_bytes + 1), MOST_PENDING), 1)
        if not request.silent:
            self._peer.client.out.append(reply)
