"""A pipe: one connection to a node, over which requests of many clients are pipelined.

Requests are collected during a turn of the loop and sent at its end, by one system call. Replies come in the same
order; each goes to the sink of its request. What cannot be sent at once waits here; :attr:`Pipe.full` tells clients to
wait before they ask for more, so that what is kept is bounded.

A connection that is lost takes with it what was sent and not answered: requests that were sent whole may have been
executed. The fleet decides what becomes of them (:meth:`kedis.router.fleet.Fleet.lost`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import gevent

from kedis.resp.reply_framing import FramingError
from kedis.router.dialing import READ_SIZE, Dialer, UpstreamError, greeting
from kedis.router.flow import Flow, UpstreamRequest
from kedis.router.planning import encode
from kedis.router.upstream_url import Address, Upstream, shown_address
from kedis.server.tls_context import reason
from kedis.server.tls_socket import TlsSocket
from kedis.structures.histogram import Histogram

log = logging.getLogger("kedis.router")

_READ, _WRITE = 1, 2
#: Reads of one pipe in a turn.
_READS = 4
#: Bytes of requests that are not answered: above the first clients wait, until they are below the second.
FULL_BYTES = 4 << 20
_ROOM_BYTES = 2 << 20
#: What is sent by one system call.
_PIECE = 256 * 1024
_TLS_BATCH = 64 * 1024


_ASKING = encode([b"ASKING"])
_CLIENT_ID = [b"CLIENT", b"ID"]


#: Protocol, database, and whether READONLY was sent.
Key = tuple[int, int, bool]


class Node:
    """A node: its connections, and its figures.

    Attributes:
        shared: the connections that are multiplexed, by number, for each protocol, database and READONLY.
        idle, taken: connections for one client at a time.
        durations: of requests, in ns.
        retries, redirects: by reason, and by kind.
        up: whether the last attempt to connect has succeeded, or the connections are there.
        reach_ns: when it is connected to next, although nothing is asked of it.
        databases: number -> keys, those with a time to live, and its average in ms, as it last said.
        warn_ns: from when on the log says again that it cannot be reached.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.shown = shown_address(address)
        self.shared: dict[Key, dict[int, Pipe]] = {}
        self.idle: dict[Key, list[Pipe]] = {}
        self.taken: set[Pipe] = set()
        self.durations = Histogram()
        self.retries: dict[str, int] = {}
        self.redirects: dict[str, int] = {}
        self.databases: dict[int, tuple[int, int, float]] = {}
        self.up = False
        self.reach_ns = self.warn_ns = 0

    def pipes(self) -> Iterator[Pipe]:
        """The connections in use by clients."""
        for numbered in self.shared.values():
            yield from numbered.values()
        yield from self.taken

    def all_pipes(self) -> list[Pipe]:
        """All connections."""
        return [*self.pipes(), *(pipe for pipes in self.idle.values() for pipe in pipes)]

    @property
    def in_flight(self) -> int:
        """Requests without a reply."""
        return sum(pipe.flying for pipe in self.pipes())

    def connections(self, kind: str) -> int:
        """Connections that are shared, or owned by one client at a time."""
        if kind == "shared":
            return sum(len(numbered) for numbered in self.shared.values())
        return len(self.taken) + sum(map(len, self.idle.values()))

    def is_up(self, up: bool) -> None:
        """It has answered, or could not be reached."""
        if up != self.up:
            self.up = up
            log.info("%s is %s", self.shown, "connected" if up else "not reachable")


class Owner(Protocol):
    """The fleet, as a pipe sees it (:class:`kedis.router.fleet.Fleet`)."""

    upstream: Upstream
    dialer: Dialer
    hub: Any
    at_end: list[Callable[[], None]]
    monotonic: Callable[[], int]
    clock: Callable[[], int]

    @property
    def timeout_seconds(self) -> float:
        """For connecting."""

    def begin_turn(self) -> None:
        """Work for clients begins."""

    def redirected(self, pipe: Pipe, request: UpstreamRequest, reply: bytes) -> bool:
        """Whether a request that was answered by an error is sent again."""

    def lost(self, pipe: Pipe, why: str, requests: Sequence[tuple[UpstreamRequest, bool]]) -> None:
        """The pipe is closed; of each request without a reply, whether it may have been executed."""

    def report(self, place: str, error: Exception) -> None:
        """An internal error."""


def _nothing(*_arguments: object) -> Any:
    """Stand in for the callbacks of a pipe that is closed."""
    return True


class Pipe(Flow):
    """One connection to ``node``, made in the background.

    Args:
        resp, database, replica: the state that the connection is put into: protocol, SELECT, READONLY.
        alone: it is for one client at a time.

    Attributes:
        id: of one that is for one client: what the node calls it, for CLIENT UNBLOCK; -1 where it has not said.
        patient: of one that is for one client: what was asked may take as long as it likes.
        asked_ns: since when that is so.
        waiting: called once when the pipe is no longer full, or closed.
        on_lost: of a subscription: learns of the end.
    """

    __slots__ = (
        "_alone",
        "_fleet",
        "_opener",
        "_reader",
        "_sent",
        "_sock",
        "_writer",
        "asked_ns",
        "closed",
        "database",
        "id",
        "node",
        "on_lost",
        "patient",
        "replica",
        "resp",
        "waiting",
    )

    def __init__(
        self,
        fleet: Owner,
        node: Node,
        resp: int,
        database: int,
        replica: bool = False,
        alone: bool = False,
    ) -> None:
        super().__init__(node.durations, fleet.at_end, fleet.clock, fleet.monotonic)
        self._fleet = fleet
        self.node = node
        self.resp = resp
        self.database = database
        self.replica = replica
        self.id = -1
        self._alone = alone
        self.patient = False
        self.asked_ns = 0
        self.flush = self._flush
        self.redirected = partial(fleet.redirected, self)
        self.waiting: list[Callable[[], None]] = []
        self.on_lost: Callable[[], None] | None = None
        self.closed = False
        self._sent = 0
        self._sock: Any = None
        self._reader: Any = None
        self._writer: Any = None
        self._opener = gevent.spawn(self._open)

    # -- requests -----------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether clients are to wait before they ask for more."""
        return self.appended - self.answered_bytes > FULL_BYTES

    def submit_asking(self, request: UpstreamRequest) -> None:
        """As :meth:`submit`, behind ASKING, whose reply nobody gets."""
        self.out.append(_ASKING)
        self.appended += len(_ASKING)
        request.expected = 2
        self.submit(request)

    def send_only(self, wire: bytes) -> None:
        """Send what has no reply of its own: :attr:`on_push` gets what comes."""
        self.out.append(wire)
        self.appended += len(wire)
        self.answered_bytes = self.appended
        if not self.queued and self.opened:
            self.queued = True
            self._fleet.at_end.append(self._flush)

    # -- opening ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Connect and greet. Runs in a greenlet of its own."""
        fleet = self._fleet
        requests = greeting(fleet.upstream, self.resp, self.database, self.replica)
        try:
            self._sock = fleet.dialer.dial(self.node.address, requests, fleet.timeout_seconds)
            if self._alone:
                self._ask_id()
        except (OSError, ValueError, OverflowError, UpstreamError, FramingError) as error:
            text = reason(error) if isinstance(error, OSError) else str(error)
            self.fail(f"cannot connect: {text}")
            return
        except Exception as error:
            fleet.report("connecting to a node", error)
            self.fail("cannot connect: internal error")
            return
        if self.closed:  # in the turn in which the connection was there
            self._release()
            return
        self.opened = True
        self.node.is_up(True)
        self.progress_ns = fleet.monotonic()
        self._reader = fleet.hub.loop.io(self._sock.fileno(), _READ)
        self._reader.start(self._readable)
        self._flush()

    def _ask_id(self) -> None:
        """Have the node tell what it calls the connection. Raises OSError, FramingError."""
        seconds = self._fleet.timeout_seconds
        with gevent.Timeout(seconds, TimeoutError("timed out")):
            (reply,) = self._fleet.dialer.ask(self._sock, [_CLIENT_ID])
        if reply.startswith(b":"):
            self.id = int(reply[1:])

    # -- sending ------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Send what was collected, as far as the kernel takes it."""
        self.queued = False
        if self.closed or not self.out or self._writer is not None:
            return
        self._write()

    def _write(self) -> None:
        out = self.out
        try:
            while out:
                if len(out) == 1 or len(out[0]) >= _PIECE:
                    data = out.pop(0)
                else:
                    data = b"".join(out)
                    out.clear()
                view = memoryview(data)
                while view:
                    try:
                        sent = self._sock.send(view[:_PIECE])
                    except (BlockingIOError, InterruptedError):
                        sent = 0
                    self._sent += sent
                    view = view[sent:]
                    if not sent:
                        out.insert(0, view)  # of a large value many a time: not a copy
                        self._await_room()
                        return
        except OSError as error:
            self.fail(f"the connection was lost: {reason(error)}")
            return
        if self._writer is not None:
            self._writer.stop()
            self._writer.close()
            self._writer = None

    def _await_room(self) -> None:
        if self._writer is None:
            self._writer = self._fleet.hub.loop.io(self._sock.fileno(), _WRITE)
            self._writer.start(self._writable)

    def _writable(self) -> None:
        self.progress_ns = self._fleet.monotonic()  # the node has read what the kernel kept for it
        try:
            self._write()
        except Exception as error:
            self._fleet.report("sending to a node", error)
            self.fail("internal error")

    # -- receiving ----------------------------------------------------------------------------------------

    def _readable(self) -> None:
        """Replies have come. Raises nothing: an exception would end the watcher."""
        self._fleet.begin_turn()
        try:
            for _ in range(_READS):
                data = self._fleet.dialer.receive(self._sock)
                if not data:
                    break
                self.feed(data)
                if len(data) < READ_SIZE or self.closed:
                    break
        except (OSError, FramingError) as error:
            text = reason(error) if isinstance(error, OSError) else str(error)
            self.fail(f"the connection was lost: {text}")
            return
        except Exception as error:
            self._fleet.report("a reply of a node", error)
            self.fail("internal error")
            return
        if self.waiting and self.appended - self.answered_bytes <= _ROOM_BYTES:
            self._wake()

    def _wake(self) -> None:
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()

    # -- the end ------------------------------------------------------------------------------------------

    def fail(self, why: str) -> None:
        """Close; the fleet gets the requests without a reply. Idempotent."""
        if self.closed:
            return
        self.closed = True
        flying = self.take_flying()
        self.out.clear()
        # Of what TLS has encrypted and the kernel not taken whole, whole records may have gone.
        sent = self._sent + (
            _TLS_BATCH if isinstance(self._sock, TlsSocket) and self._writer is not None else 0
        )
        if gevent.getcurrent() is not self._opener:
            self._opener.kill(block=False)
        self._release()
        self._wake()
        if self.on_lost is not None:
            self.on_lost()
        self.on_lost = self.on_push = None
        self.flush = self.redirected = _nothing  # each was a circle of references
        self._fleet.lost(self, why, [(request, request.end <= sent) for request in flying])

    def close(self) -> None:
        """Close a pipe that nobody waits for. Idempotent."""
        self.fail("closed")

    def _release(self) -> None:
        for watcher in (self._reader, self._writer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._reader = self._writer = None
        if self._sock is not None:
            self._sock.close()
