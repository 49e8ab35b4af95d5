"""The load itself: one thread, one epoll loop, raw non-blocking sockets.

Each connection has one batch in flight.  Reading is level-triggered and stays registered for the life of the
connection, so a batch costs two system calls, ``recv`` and ``send``, and a share of one ``epoll_wait`` (redis-benchmark
also registers anew for writing and reading each time).  A reply that equals the expected bytes is complete and good;
any other goes to the connection's hiredis reader, which counts replies until the batch is complete, however they
were cut on the way.  Every error is counted; types are checked in one of 16 batches that are parsed.

Closed loop: the next batch goes out when the reply to the last has come.  Open loop (``rate``): batches have due times
at equal distances.  One that finds no idle connection waits, and its latency counts from when it was due: a server
that stalls is charged for all requests that should have been sent meanwhile (no coordinated omission).
"""

from __future__ import annotations

import gc
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import Any

import hiredis

from kedis.cli.benchmark.measurement import Measurement, Recorder
from kedis.cli.benchmark.workload import Batches
from kedis.cli.terminal_text import one_line
from kedis.cli.tls_client import ClientSocket

READ_BYTES = 65536
CHECKED_SHARE = 16
CELL_SHIFT = Recorder.CELL_SHIFT
TICK_NS = 100_000_000

Progress = Callable[[int, int], None]


class ServerGone(Exception):
    """The server closed a connection or stopped answering; the text is one line for the user."""


def _or(nothing: Any, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``call``, which answers ``nothing`` where it would have to wait."""

    def attempt(argument: Any) -> Any:
        try:
            return call(argument)
        except BlockingIOError:
            return nothing

    return attempt


class Driver:
    """Sends prepared batches on open connections and measures.  Use it once, or several times in a row.

    Args:
        links: connections, logged in.  They become non-blocking and stay the caller's to close.
        batches: what to send, in a circle.
        timeout: seconds without any reply after which the server is given up.
        progress: called about ten times a second with the operations done and the nanoseconds since the start.
        clock: nanoseconds of a monotonic clock.
        poller: what waits for the links, in the manner of ``select.epoll``.
    """

    def __init__(
        self,
        links: Sequence[socket.socket],
        batches: Batches,
        timeout: float = 10.0,
        progress: Progress | None = None,
        clock: Callable[[], int] = monotonic_ns,
        poller: Any = None,
    ) -> None:
        self._batches = batches
        # One more than there are batches, which no reply equals: where a connection stands that has half a reply.
        self._replies = [*batches.replies, b""]
        self._timeout_ns = int(timeout * 1e9)
        self._progress = progress
        self._clock = clock
        self._next = 0
        self._parsed = 0
        self._unsent: dict[int, memoryview] = {}
        self._partial: dict[int, tuple[int, int]] = {}
        self._poller = poller or select.epoll()
        size = max(link.fileno() for link in links) + 1
        self._fds = [link.fileno() for link in links]
        self._recv: list[Any] = [None] * size
        self._send: list[Any] = [None] * size
        self._readers: list[Any] = [None] * size
        self._batch = [0] * size
        self._started = [0] * size
        for link in links:
            link.setblocking(False)
            fd = link.fileno()
            self._recv[fd], self._send[fd] = link.recv, link.send
            if isinstance(link, ClientSocket):  # a record may be there in part
                self._recv[fd], self._send[fd] = _or(None, link.recv), _or(0, link.send)
            self._readers[fd] = hiredis.Reader()
            self._poller.register(fd, select.EPOLLIN)
        self.measurement = Measurement()
        self._recorder = Recorder()

    def close(self) -> None:
        """Give the epoll descriptor back."""
        self._poller.close()

    def run(self, operations: int = 0, seconds: float = 0.0, rate: float = 0.0) -> Measurement:
        """Send so many operations (rounded up to whole batches), or for so long, whichever ends first.

        Args:
            operations: 0: as many as there is time for.
            seconds: 0: without end.
            rate: operations a second of an open loop; 0: a closed loop.

        Never raises for what the server does: ``failure`` tells, and the rest is what was measured until then.
        """
        pipeline = self._batches.pipeline
        limit = -(-operations // pipeline) if operations else 1 << 62
        self.measurement, self._recorder = Measurement(), Recorder()
        cpu = time.process_time()
        collecting = gc.isenabled()
        gc.disable()
        began = self._clock()
        until = began + int(seconds * 1e9) if seconds else 1 << 62
        try:
            if rate:
                self._open_loop(limit, began, until, pipeline * 1e9 / rate)
            else:
                self._closed_loop(limit, began, until)
        except ServerGone as error:
            self.measurement.failure = str(error)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.measurement.failure = f"the server broke a connection: {reason}"
        finally:
            if collecting:
                gc.enable()
        done = self.measurement
        done.load_cpu_seconds = time.process_time() - cpu
        done.began_ns = began
        done.ended_ns = done.ended_ns or self._clock()
        done.latency = self._recorder.histogram()
        done.operations = done.latency.count * pipeline
        return done

    def _closed_loop(self, limit: int, began: int, until: int) -> None:
        # Everything that one batch touches is a local name: about 1.5 us beside the two system calls.
        poll, recv, send, clock = self._poller.poll, self._recv, self._send, self._clock
        payloads, replies = self._batches.payloads, self._replies
        batch, started, cells = self._batch, self._started, self._recorder.cells
        count = len(payloads)
        issued = done = 0
        following = self._next
        now = began
        tick = began + TICK_NS
        for fd in self._fds[:limit]:
            self._issue(fd, clock())
            issued += 1
            following = self._next
        while done < issued:
            ready = poll(0.1)
            if not ready:
                self._check_silence(now)
            for fd, event in ready:
                if event != 1 and not self._readable(fd, event):
                    continue
                data = recv[fd](READ_BYTES)
                now = clock()
                if data != replies[batch[fd]] and not self._take(fd, data):
                    continue
                latency = now - started[fd]
                try:
                    cells[latency >> CELL_SHIFT] += 1
                except IndexError:
                    self._recorder.long.append(latency)
                done += 1
                if issued < limit:
                    issued += 1
                    started[fd] = now
                    batch[fd] = following
                    payload = payloads[following]
                    following += 1
                    if following == count:
                        following = 0
                    try:
                        sent = send[fd](payload)
                    except BlockingIOError:
                        sent = 0
                    if sent != len(payload):
                        self._keep_unsent(fd, payload, sent)
            if now >= tick:
                tick = now + TICK_NS
                self._report(done, now - began)
                if now >= until:
                    limit = issued
        self._next = following
        self.measurement.ended_ns = now

    def _open_loop(self, limit: int, began: int, until: int, interval_ns: float) -> None:
        idle, clock = deque(self._fds), self._clock
        issued = done = 0
        now = heard = due = began
        tick = began + TICK_NS
        while done < issued or (issued < limit and now < until):
            while idle and due <= now < until and issued < limit:
                self._issue(idle.popleft(), due)
                issued += 1
                due = began + int(issued * interval_ns)
            waiting = bool(idle) and issued < limit and now < until
            ready = self._poller.poll(_pause_seconds(due - now) if waiting else 0.1)
            for fd, event in ready:
                if event != 1 and not self._readable(fd, event):
                    continue
                data = self._recv[fd](READ_BYTES)
                heard = clock()
                if data != self._replies[self._batch[fd]] and not self._take(fd, data):
                    continue
                self._recorder.add(heard - self._started[fd])
                done += 1
                idle.append(fd)
            now = clock()
            if done == issued:
                heard = max(heard, now if waiting else heard)
            elif not ready:
                self._check_silence(heard)
            if now >= tick:
                tick = now + TICK_NS
                self._report(done, now - began)
        if now >= until and issued < limit:
            self.measurement.unsent = (
                max(0, int((until - began) / interval_ns) - issued) * self._batches.pipeline
            )
        self.measurement.ended_ns = heard

    def _issue(self, fd: int, started: int) -> None:
        """Send the next batch; its latency counts from ``started``."""
        index = self._next
        self._next = (index + 1) % len(self._batches.payloads)
        self._started[fd] = started
        self._batch[fd] = index
        payload = self._batches.payloads[index]
        try:
            sent = self._send[fd](payload)
        except BlockingIOError:
            sent = 0
        if sent != len(payload):
            self._keep_unsent(fd, payload, sent)

    def _keep_unsent(self, fd: int, payload: bytes, sent: int) -> None:
        """The socket is full: send the rest when there is room."""
        self._unsent[fd] = memoryview(payload)[sent:]
        self._poller.modify(fd, select.EPOLLIN | select.EPOLLOUT)

    def _readable(self, fd: int, event: int) -> bool:
        """Send what is left over, where that is what the event says; tell whether there is something to read."""
        if event & select.EPOLLOUT:
            rest = self._unsent[fd]
            rest = rest[self._send[fd](rest) :]
            if rest:
                self._unsent[fd] = rest
            else:
                del self._unsent[fd]
                self._poller.modify(fd, select.EPOLLIN)
        return bool(event & ~select.EPOLLOUT)

    def _take(self, fd: int, data: bytes | None) -> bool:
        """Parse what has come; tell whether the batch is complete.  Raises ServerGone."""
        if data is None:
            return False
        if not data:
            raise ServerGone("the server closed a connection")
        index, missing = self._partial.pop(fd, (self._batch[fd], self._batches.pipeline))
        reader = self._readers[fd]
        replies = []
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                replies.append(reply)
        except (hiredis.ProtocolError, TypeError):  # TypeError: a map whose key is a list
            raise ServerGone("the server sent what is not the Redis protocol") from None
        self._check(replies, index, missing)
        missing -= len(replies)
        if missing > 0:
            self._partial[fd] = (index, missing)
            self._batch[fd] = len(self._replies) - 1
            return False
        if missing < 0 or fd in self._unsent:
            raise ServerGone("the server sent replies without requests")
        return True

    def _check(self, replies: list[Any], index: int, missing: int) -> None:
        """Count errors, and in a sample of the batches replies of a type that the command does not give."""
        self._parsed += 1
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                self._blame(one_line(str(reply)))
        if self._parsed % CHECKED_SHARE:
            return
        templates = self._batches.templates[index][-missing:]
        for reply, template in zip(replies, templates, strict=False):
            known = template.types and not isinstance(reply, hiredis.ReplyError)
            if known and type(reply) not in template.types:
                self._blame(f"{template.name} was answered with {type(reply).__name__}")

    def _blame(self, text: str) -> None:
        self.measurement.wrong += 1
        self.measurement.first_wrong = self.measurement.first_wrong or text

    def _check_silence(self, heard: int) -> None:
        if self._clock() - heard > self._timeout_ns:
            self.measurement.ended_ns = heard
            raise ServerGone(f"the server did not answer for {self._timeout_ns / 1e9:g} s")

    def _report(self, batches_done: int, elapsed_ns: int) -> None:
        if self._progress is not None:
            self._progress(batches_done * self._batches.pipeline, elapsed_ns)


def _pause_seconds(nanoseconds: int) -> float:
    """How long epoll may sleep: it counts in milliseconds and rounds up, so the last two are spent awake."""
    return max(0.0, (nanoseconds - 2_000_000) / 1e9)
