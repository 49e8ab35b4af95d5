"""The sending half of a connection: the output buffer and its limits.

Replies are sent once per turn (:mod:`kedis.server.before_sleep`).  Bytes that the kernel does not take are kept, and
sent when the socket is writable; a client whose buffer exceeds client-output-buffer-limit is closed.  As in Redis the
replies of a turn count before they are sent: one that exceeds a hard limit reaches nobody.

A long reply (:mod:`kedis.resp.long_replies`) is kept as a value, and its parts are encoded one at a time, after
the kernel has taken the bytes before them: a turn sends ``_BURST`` of it, in the memory of one part.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from typing import Any

from kedis.engine.client import Client
from kedis.errors.fault_log import FaultLog
from kedis.resp.long_replies import Chunk, LongReply
from kedis.server.network import Network
from kedis.server.peer import Peer
from kedis.server.tls_socket import TlsSocket

log = logging.getLogger("kedis.server")
_faults = FaultLog(log)

#: Replies that a client which has not authenticated may leave unread, in bytes.
UNAUTHENTICATED_OUTPUT_LIMIT = 64 * 1024

#: Replies of a turn are joined for one send up to this size in bytes; above it large values would be copied.
_JOIN_LIMIT = 256 * 1024
#: Chunks of a smaller average size are joined in any case.
_SMALL_CHUNK = 1024
#: Max. bytes sent at once of a long reply or of kept output, so that one reader cannot block the loop (encoding so
#: many scores takes 10 ms); and max. bytes per system call.
_BURST = 256 * 1024
_PIECE = 64 * 1024
_WRITE = 2


class Sender(Peer):
    """Sends the replies of ``client`` through ``sock``.

    Attributes:
        unsent_bytes: bytes of ``unsent`` that are encoded.
    """

    __slots__ = (
        "_hub",
        "_limit_since_ns",
        "_long",
        "_write_watcher",
        "server",
        "unsent_bytes",
    )

    def __init__(self, server: Network, sock: socket.SocketType | TlsSocket, client: Client) -> None:
        self.server = server
        self.sock = sock
        self.tls = sock if isinstance(sock, TlsSocket) else None
        self.fd = sock.fileno()
        self.client = client
        self.unsent = deque[bytes | memoryview | LongReply]()
        self.unsent_bytes = 0
        self._long: deque[LongReply] = deque()  # those in `unsent`
        self.sealed: list[Chunk] = []
        self.closed = False
        self.noted_bytes = self.commands_before = 0
        self._limit_since_ns = 0
        self._hub = server.hub
        self._write_watcher: Any = None

    def give_up(self, error: Exception | None = None) -> None:
        """End the connection after an internal error, such as a failed allocation."""
        if error is not None:
            self.server.engine.faults += 1
            _faults.report("sending to a client", error)
        try:
            self.close()
        except Exception as problem:
            _faults.report("closing a client", problem)

    def seal(self) -> None:
        """Move the replies of up to now to ``sealed``: they may be sent before later ones."""
        self.surface()
        out = self.client.out
        self.sealed += out
        out.clear()

    def send(self, chunks: list[Chunk] | None = None) -> None:
        """Send ``client.out``, or ``chunks``, as far as the kernel takes it, and empty it.  Called once per turn."""
        if self.closed:
            return
        if self.output_bytes_here and chunks is None:
            self.surface()
        out = self.client.out if chunks is None else chunks
        if out:
            limit = self.server.output_limit
            if limit and sum(map(len, out)) > limit:
                self.check_output_limit()
                if self.closed:
                    return
            if self.unsent:
                self._keep(out)
            elif len(out) == 1 and type(chunk := out[0]) is bytes:
                self._send_at_once(chunk)
            elif (data := _joined(out)) is not None:
                self._send_at_once(data)
            else:
                self._keep(out)
                self._write_more()
            out.clear()
            if self.unsent and not self.closed:
                self._start_writing()
                self.check_output_limit()
                self.note_memory()
            elif self.noted_bytes:
                self.note_memory()
        if self.client.close_after_reply and not self.unsent:
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

    def _keep(self, chunks: list[Chunk]) -> None:
        """Append ``chunks`` to the unsent output.  Large ones are not copied."""
        plain: list[bytes] = []
        for chunk in chunks:
            if isinstance(chunk, LongReply):
                self._keep_bytes(plain)
                plain = []
                self.unsent.append(chunk)
                self._long.append(chunk)
            else:
                plain.append(chunk)
        self._keep_bytes(plain)

    def _keep_bytes(self, chunks: list[bytes]) -> None:
        if not chunks:
            return
        size = sum(map(len, chunks))
        if size < _SMALL_CHUNK * len(chunks):
            self.unsent.append(b"".join(chunks))  # each would cost more than its bytes
        else:
            self.unsent += chunks
        self.unsent_bytes += size

    def _close_if_all_is_sent(self) -> None:
        if not self.client.out and not self.sealed:
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
        """The socket is writable again.  (An exception would end the watcher, and the client would hang.)"""
        try:
            self._write_more()
        except Exception as error:
            self.give_up(error)

    def _write_more(self) -> None:
        """Send the unsent output, as far as the kernel takes it."""
        budget = _BURST
        while budget > 0 and (chunk := self._next_chunk()):
            try:
                sent = self.sock.send(chunk)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self.close()
                return
            self.server.bytes_sent += sent
            budget -= sent
            if sent < len(chunk):
                self.unsent.appendleft(memoryview(chunk)[sent:])
                self.unsent_bytes += len(chunk) - sent
                break
        self.note_memory()
        if not self.unsent:
            self._limit_since_ns = 0
            self._stop_writing()
            if self.client.close_after_reply:
                self._close_if_all_is_sent()

    def _next_chunk(self) -> bytes | memoryview:
        """Take the data of the next send: small chunks joined, or one large one; empty at the end."""
        parts: list[bytes | memoryview] = []
        size = 0
        unsent = self.unsent
        while unsent:
            chunk = unsent[0]
            if isinstance(chunk, LongReply):
                if parts:
                    break
                self._encode_part(chunk)
                continue
            length = len(chunk)
            if parts and size + length > _PIECE:
                break
            if length > _BURST:  # the kernel goes on as long as the reader takes it
                view = memoryview(chunk)
                unsent[0] = view[_BURST:]
                chunk, length = view[:_BURST], _BURST
            else:
                unsent.popleft()
            parts.append(chunk)
            size += length
            if size >= _PIECE:
                break
        self.unsent_bytes -= size
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _encode_part(self, reply: LongReply) -> None:
        """Encode the next part of ``reply``, first in ``unsent``, in front of it; after its last part remove it."""
        chunks = reply.next_chunks()
        if chunks:
            self.unsent.extendleft(reversed(chunks))
            self.unsent_bytes += sum(map(len, chunks))
        else:
            self.unsent.popleft()
            self._long.popleft()

    def check_output_limit(self) -> None:
        """Close the client if its unread replies exceed client-output-buffer-limit."""
        waiting = self.output_bytes()
        if self.client.user is None and waiting > UNAUTHENTICATED_OUTPUT_LIMIT:
            self._cut("unread replies before authentication")
            return
        kind = "pubsub" if self.client.subscriptions else "normal"
        hard, soft, soft_seconds = self.server.engine.config.output_limit(kind)
        if hard and waiting > hard:
            self._cut("output buffer over its hard limit")
        elif soft and waiting > soft:
            now = self.server.engine.monotonic()
            if not self._limit_since_ns:
                self._limit_since_ns = now
            elif now - self._limit_since_ns > soft_seconds * 1_000_000_000:
                self._cut("output buffer over its soft limit for too long")
        else:
            self._limit_since_ns = 0

    def _cut(self, reason: str) -> None:
        self.server.output_buffer_disconnections += 1
        log.warning("closing client %s: %s", self.client.address, reason)
        self.close()

    def output_bytes(self) -> int:
        """Bytes of replies that the client has not taken yet; those of long replies are estimated."""
        later = sum(map(len, self._long)) if self._long else 0
        waiting = sum(map(len, self.sealed)) + sum(map(len, self.client.out))
        return self.output_bytes_here + self.unsent_bytes + later + waiting


def _joined(chunks: list[Chunk]) -> bytes | None:
    """``chunks`` for one send; None where they are too large for that, or long replies are among them."""
    if len(chunks) > 16 and sum(map(len, chunks)) > _JOIN_LIMIT:
        return None
    try:
        return b"".join(chunks)  # type: ignore[arg-type]
    except TypeError:  # asking first whether one is a long reply would cost more than the join
        return None
