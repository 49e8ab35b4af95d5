"""The sending half of a connection: what of the replies the kernel has not taken yet, and how much that may be.

Sending is done by the cycle, once per turn.  What the kernel does not take is kept and sent as the socket becomes
writable; a client that lets it grow past its limit is cut off.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from kedis.fault_log import FaultLog

if TYPE_CHECKING:
    from kedis.server.server import NetworkServer
    from kedis.session import Session

log = logging.getLogger("kedis.server")
_faults = FaultLog(log)

#: Replies that a client which has not authenticated may leave unread, in bytes.
UNAUTHENTICATED_OUTPUT_LIMIT = 64 * 1024

#: Replies of a turn are joined for one send up to this size in bytes; beyond, large values would be copied in heaps.
_JOIN_LIMIT = 256 * 1024
#: Chunks of a smaller average size are joined in any case.
_SMALL_CHUNK = 1024
#: What is sent at most in one go to a client that was slow, so that one reader cannot hold the loop; and of that in one
#: system call, in bytes.
_BURST = 1024 * 1024
_PIECE = 64 * 1024
_WRITE = 2


class Sender:
    """Sends the replies of ``session`` through ``sock``.

    Attributes:
        unsent: what the kernel has not taken, ``unsent_bytes`` in all.
        sealed: replies that wait for the sync under way; later ones are in ``session.out``.
        closed: nothing is sent any more.
    """

    __slots__ = (
        "_hub",
        "_limit_since_ns",
        "_write_watcher",
        "closed",
        "fd",
        "sealed",
        "server",
        "session",
        "sock",
        "unsent",
        "unsent_bytes",
    )

    def __init__(self, server: NetworkServer, sock: socket.socket, session: Session) -> None:
        self.server = server
        self.sock = sock
        self.fd = sock.fileno()
        self.session = session
        self.unsent: deque[bytes | memoryview] = deque()
        self.unsent_bytes = 0
        self.sealed: list[bytes] = []
        self.closed = False
        self._limit_since_ns = 0
        self._hub = server.hub
        self._write_watcher: Any = None

    def close(self) -> None:
        """End the connection at once: the whole of it does that."""
        raise NotImplementedError

    def give_up(self, error: Exception | None = None) -> None:
        """Serving the client has failed, for want of memory, say: end the connection, and nothing else."""
        if error is not None:
            self.server.engine.faults += 1
            _faults.report("sending to a client", error)
        try:
            self.close()
        except Exception as problem:
            _faults.report("closing a client", problem)

    def seal(self) -> None:
        """Set the replies of up to now apart: they may be sent earlier than what comes after them."""
        out = self.session.out
        self.sealed += out
        out.clear()

    def send(self, chunks: list[bytes] | None = None) -> None:
        """Send what is waiting, or ``chunks``, as far as the kernel takes it, and empty it.  Called by the cycle."""
        if self.closed:
            return
        out = self.session.out if chunks is None else chunks
        if out:
            if self.unsent:
                self._keep(out)
            elif len(out) == 1:
                self._send_at_once(out[0])
            elif len(out) <= 16 or sum(map(len, out)) <= _JOIN_LIMIT:
                self._send_at_once(b"".join(out))
            else:
                self._keep(out)
                self._write_more()
            out.clear()
            if self.unsent and not self.closed:
                self._start_writing()
                self.check_output_limit()
        if self.session.close_after_reply and not self.unsent:
            self._close_if_all_is_sent()

    def _send_at_once(self, data: bytes) -> None:
        try:
            sent = self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.close()
            return
        self.server.bytes_sent += sent
        if sent < len(data):
            self.unsent.append(memoryview(data)[sent:])
            self.unsent_bytes = len(data) - sent

    def _keep(self, chunks: list[bytes]) -> None:
        """Put ``chunks`` behind what the kernel has not taken yet.  Large ones are referred to, not copied."""
        size = sum(map(len, chunks))
        if size < _SMALL_CHUNK * len(chunks):
            self.unsent.append(b"".join(chunks))  # each would cost more than its bytes
        else:
            self.unsent += chunks
        self.unsent_bytes += size

    def _close_if_all_is_sent(self) -> None:
        if not self.session.out and not self.sealed:
            self.close()

    def _start_writing(self) -> None:
        if self._write_watcher is None and not self.closed:
            self._write_watcher = self._hub.loop.io(self.fd, _WRITE)
            self._write_watcher.start(self._writable)
            self.server.slow_readers.add(self)

    def _stop_writing(self) -> None:
        if self._write_watcher is not None:
            self._write_watcher.stop()
            self._write_watcher.close()
            self._write_watcher = None
            self.server.slow_readers.discard(self)

    def _writable(self) -> None:
        """The socket is writable again.  (An exception would end the watch, and the client would wait for ever.)"""
        try:
            self._write_more()
        except Exception as error:
            self.give_up(error)

    def _write_more(self) -> None:
        """Send what is kept, as far as the kernel takes it."""
        budget = _BURST
        while self.unsent and budget > 0:
            chunk = self._next_chunk()
            try:
                sent = self.sock.send(chunk)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self.close()
                return
            self.server.bytes_sent += sent
            self.unsent_bytes -= sent
            budget -= sent
            if sent < len(chunk):
                self.unsent.appendleft(memoryview(chunk)[sent:])
                return
        if not self.unsent:
            self._limit_since_ns = 0
            self._stop_writing()
            if self.session.close_after_reply:
                self._close_if_all_is_sent()

    def _next_chunk(self) -> bytes | memoryview:
        """Take what one send may send: small chunks joined, a large one alone."""
        unsent = self.unsent
        chunk = unsent.popleft()
        size = len(chunk)
        if size >= _PIECE or not unsent:
            return chunk
        parts = [chunk]
        while unsent and size + len(unsent[0]) <= _PIECE:
            size += len(unsent[0])
            parts.append(unsent.popleft())
        return b"".join(parts)

    def check_output_limit(self) -> None:
        """Cut a client off whose unread replies pass its limit (client-output-buffer-limit)."""
        waiting = self.output_bytes()
        if not self.session.authenticated and waiting > UNAUTHENTICATED_OUTPUT_LIMIT:
            self._cut("unread replies before authentication")
            return
        kind = "pubsub" if self.session.subscriptions else "normal"
        hard, soft, soft_seconds = self.server.engine.config.output_limit(kind)
        if hard and waiting > hard:
            self._cut("output buffer over its hard limit")
        elif soft and waiting > soft:
            now = self.server.engine.clock()
            if not self._limit_since_ns:
                self._limit_since_ns = now
            elif now - self._limit_since_ns > soft_seconds * 1_000_000_000:
                self._cut("output buffer over its soft limit for too long")
        else:
            self._limit_since_ns = 0

    def _cut(self, reason: str) -> None:
        self.server.output_buffer_disconnections += 1
        log.warning("closing client %s: %s", self.session.address, reason)
        self.close()

    def output_bytes(self) -> int:
        """Bytes of replies that the client has not taken yet."""
        return self.unsent_bytes + sum(map(len, self.sealed)) + sum(map(len, self.session.out))
