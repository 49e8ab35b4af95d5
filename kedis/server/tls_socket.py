"""The socket of a TLS connection, with the methods of a plain non-blocking one that the server uses.

OpenSSL reads from one buffer in memory and writes to another; the bytes go between these and the socket here. So a
turn receives once for all records that have come, and sends once for all that go.

What differs from a plain socket is kept from those who use it:

* **All that was received is decrypted at once.** Nothing readable stays where the kernel, which is asked whether the
  socket is readable, does not know of it. The end that a client announces (close_notify) becomes the end of the
  socket's receiving side, so that the kernel tells of it.
* **Bytes that were encrypted and not taken by the kernel count as not sent.** The next ``send`` must begin with the
  same bytes, as those after a refused ``send`` do; it sends what is left of the record first, and counts them then.

Used by one thread, and by nobody who waits between two calls.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from _socket import socket as RawSocket
from typing import Any

from gevent.ssl import SSLContext

#: What is received at once. With the rest of a record (16 KB) before it, it fits into 64 KB when it is decrypted.
RAW_BYTES = 47 * 1024
_LEAST_BYTES = 4096
#: OpenSSL's buffers keep the size of the largest piece that has gone through them, as long as the connection lasts.
_PIECE = 8192
#: Records that are sent at once.
_BATCH = 64 * 1024
#: Answers that OpenSSL gives by itself (to alerts, to changes of keys) and that the client does not read.
_MOST_CONTROL = 16 * 1024


class TlsSocket:
    """A TLS connection on ``sock``.

    Args:
        sock: a connected non-blocking socket, which is closed with this one.
        context: certificates and protocols.
        raw: a buffer of ``RAW_BYTES``, which all sockets of a thread may share.
        server_side: the other side is a client; else this one is, and must :meth:`begin`.

    Attributes:
        has_ahead: bytes came with the last ones of the handshake: nothing but the next :meth:`recv_into` finds them.
    """

    __slots__ = (
        "_ended",
        "_failure",
        "_incoming",
        "_outgoing",
        "_owed",
        "_raw",
        "_sock",
        "_tls",
        "_wire",
        "has_ahead",
    )

    def __init__(
        self, sock: RawSocket, context: SSLContext, raw: memoryview, *, server_side: bool = True
    ) -> None:
        self._sock = sock
        self._raw = raw
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)
        self._wire = b""  # encrypted, and not taken by the kernel yet
        self._owed = 0  # the bytes of the caller that are in it
        self._ended = False
        self._failure: OSError | None = None
        self.has_ahead = False

    # -- the beginning ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """As a client: say hello. Raises OSError."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._answer()

    def handshake(self) -> bool:
        """Go on with the handshake; whether it is complete.

        Raises BlockingIOError where nothing has come, OSError when it fails: the client has been told why.
        """
        count = self._sock.recv_into(self._raw, _PIECE)
        if not count:
            raise ConnectionError("the other side has left during the handshake")
        self._incoming.write(self._raw[:count])
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._answer()
        self.has_ahead = self._incoming.pending > 0
        return True

    # -- receiving ----------------------------------------------------------------------------------------

    def recv_into(self, buffer: memoryview, limit: int = 0) -> int:
        """Receive into ``buffer``, of 64 KB at least; returns the number of bytes, 0 at the end.

        At most about ``limit`` bytes are taken from the kernel: it may be 20 KB more that they contain. Raises
        BlockingIOError where nothing whole has come, OSError where the connection has failed.
        """
        if self._failure is not None:
            raise self._failure
        if self._ended:
            return 0
        if self.has_ahead:
            self.has_ahead = False
            got = self._decrypt(buffer, 0)
            if got or self._ended:
                return got
        raw = self._raw
        count = self._sock.recv_into(raw, min(max(limit, _LEAST_BYTES), RAW_BYTES) if limit else RAW_BYTES)
        if not count:
            return 0
        got = 0
        if count <= _PIECE:
            self._incoming.write(raw[:count])
            got = self._decrypt(buffer, 0)
        else:
            for start in range(0, count, _PIECE):
                self._incoming.write(raw[start : min(start + _PIECE, count)])
                got = self._decrypt(buffer, got)
        if self._outgoing.pending:
            self._answer()
        if not got and not self._ended:
            raise self._failure or BlockingIOError()
        return got

    def _decrypt(self, buffer: memoryview, got: int) -> int:
        """Decrypt all whole records behind the first ``got`` bytes of ``buffer``; returns how many there are then."""
        tls, incoming = self._tls, self._incoming
        try:
            while incoming.pending or tls.pending():
                count = tls.read(len(buffer) - got, buffer[got:])
                if not count:
                    self._end_receiving()
                    break
                got += count
        except ssl.SSLWantReadError:
            pass
        except OSError as error:
            self._failure = error
            with contextlib.suppress(OSError):
                self._answer()
            self._end_receiving()
            if not got:
                raise
        return got

    def _end_receiving(self) -> None:
        """From now on the kernel says that the end is there to be read."""
        self._ended = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    # -- sending ------------------------------------------------------------------------------------------

    def send(self, data: Any) -> int:
        """Send ``data`` as far as the kernel takes it; returns the number of bytes that are gone.

        Raises BlockingIOError where none are. The next call must begin with the others.
        """
        sent = self._send_rest() if self._wire or self._owed else 0
        size = len(data)
        if not sent and size <= _PIECE:
            self._tls.write(data)
            wire = self._outgoing.read()
            taken = self._take(wire)
            if taken == len(wire):
                return size
            self._keep(wire[taken:], size)
            raise BlockingIOError
        view = memoryview(data)
        while sent < size:
            batch = view[sent : sent + _BATCH]
            wire = self._encrypt(batch)
            taken = self._take(wire)
            if taken < len(wire):
                self._keep(wire[taken:], len(batch))
                if not sent:
                    raise BlockingIOError
                break
            sent += len(batch)
        return sent

    def _encrypt(self, batch: memoryview) -> bytes:
        parts = []
        for start in range(0, len(batch), _PIECE):
            self._tls.write(batch[start : start + _PIECE])
            parts.append(self._outgoing.read())
        return b"".join(parts)

    def _take(self, wire: bytes) -> int:
        """Give ``wire`` to the kernel; how much it has taken. Raises OSError."""
        try:
            return self._sock.send(wire)
        except (BlockingIOError, InterruptedError):
            return 0

    def _keep(self, wire: bytes, owed: int) -> None:
        self._wire = wire
        self._owed = owed

    def _send_rest(self) -> int:
        """Send what was encrypted before; returns the bytes of the caller that are gone by that."""
        taken = self._take(self._wire) if self._wire else 0
        if taken < len(self._wire):
            self._wire = self._wire[taken:]
            raise BlockingIOError
        owed = self._owed
        self._keep(b"", 0)
        return owed

    def _answer(self) -> None:
        """Send what OpenSSL has to say by itself. Raises OSError where a client does not read much of that."""
        wire = self._wire + self._outgoing.read()
        if not wire:
            return
        self._wire = wire[self._take(wire) :]
        if len(self._wire) > _BATCH + _MOST_CONTROL:
            raise OSError("the client does not read what TLS answers by itself")

    # -- what a plain socket does as well -----------------------------------------------------------------

    @property
    def family(self) -> int:
        """The family of addresses."""
        return self._sock.family

    def fileno(self) -> int:
        """The descriptor; -1 once it is closed."""
        return self._sock.fileno()

    def getsockname(self) -> Any:
        """The address on this side."""
        return self._sock.getsockname()

    def shutdown(self, how: int) -> None:
        """Announce the end, where the kernel takes that at once, and shut the socket down. Raises OSError."""
        if not self._wire and self._failure is None:
            with contextlib.suppress(
                OSError
            ):  # OpenSSL waits for the client's announcement, nobody else does
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._take(self._outgoing.read())
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close the socket, without a word: a forked child does that, too. Idempotent."""
        self._sock.close()
