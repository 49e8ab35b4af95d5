"""New connections to nodes: TCP, TLS, and the greeting that puts them into their state."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Sequence
from typing import Any

import gevent
from gevent.socket import wait_read
from gevent.ssl import SSLContext

from kedis.resp.reply_framing import FramingError, ReplyFramer
from kedis.router.planning import encode
from kedis.router.tls_probe import answers_plainly, answers_tls
from kedis.router.upstream_url import Address, Upstream
from kedis.server.outgoing import connect
from kedis.server.receive_buffer import ReceiveBuffer
from kedis.server.tls_socket import RAW_BYTES, TlsSocket

READ_SIZE = 64 * 1024
_PROBE_SECONDS = 1.0
_NO_TLS = "it does not speak TLS, which rediss:// asks for: write redis:// or redis+sentinel://"
_SPEAKS_TLS = "it speaks TLS: write rediss:// or rediss+sentinel://"


class UpstreamError(Exception):
    """A node cannot be used; the message says why."""


class Dialer:
    """Makes connections, by TLS where there is a ``context``.

    Attributes:
        buffer: what all connections are read into.
    """

    def __init__(self, context: SSLContext | None) -> None:
        self.context = context
        self.buffer = ReceiveBuffer(READ_SIZE)
        self._raw = memoryview(bytearray(RAW_BYTES)) if context is not None else memoryview(b"")

    def dial(self, address: Address, requests: Sequence[Sequence[bytes]], seconds: float) -> Any:
        """A non-blocking connection to ``address`` that has answered ``requests`` without an error.

        Waits, in the greenlet of the caller, up to ``seconds``. Raises OSError, UpstreamError, or ValueError for what
        is no address.
        """
        is_reached = False
        try:
            with gevent.Timeout(seconds, TimeoutError("timed out")):
                plain = self._connect(address, seconds)
                is_reached = True
                sock = self._secured(plain)
                self._greet(sock, requests)
                return sock
        except (OSError, FramingError):
            if is_reached and (text := self._mismatch(address, min(seconds, _PROBE_SECONDS))):
                raise UpstreamError(text) from None
            raise

    def _greet(self, sock: Any, requests: Sequence[Sequence[bytes]]) -> None:
        """Have ``requests`` answered without an error, or close the connection."""
        try:
            for words, reply in zip(requests, self.ask(sock, requests), strict=True):
                if reply.startswith(b"-"):
                    text = reply[1:-2].decode("utf-8", "replace")
                    raise UpstreamError(f"{words[0].decode()} was refused: {text}")
        except BaseException:
            sock.close()
            raise

    def _mismatch(self, address: Address, seconds: float) -> str:
        """What to say of a node that speaks TLS where none was expected, or the other way round; else nothing."""
        if self.context is None:
            return _SPEAKS_TLS if answers_tls(address, seconds) else ""
        return _NO_TLS if answers_plainly(address, seconds) else ""

    def converse(
        self, address: Address, greeting: Sequence[Sequence[bytes]], request: Sequence[bytes], seconds: float
    ) -> bytes:
        """The reply to one request by a connection for that alone. Raises as :meth:`dial`."""
        sock = self.dial(address, [*greeting], seconds)
        try:
            with gevent.Timeout(seconds, TimeoutError("timed out")):
                (reply,) = self.ask(sock, [request])
                return reply
        except (OSError, FramingError):
            if text := self._mismatch(address, min(seconds, _PROBE_SECONDS)):
                raise UpstreamError(text) from None
            raise
        finally:
            sock.close()

    def _connect(self, address: Address, seconds: float) -> Any:
        made = connect(*address, seconds)
        plain = _socket.socket(made.family, made.type, made.proto, fileno=made.detach())
        plain.setblocking(False)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def _secured(self, plain: Any) -> Any:
        """The connection by TLS, where there is a context."""
        if self.context is None:
            return plain
        try:
            tls = TlsSocket(plain, self.context, self._raw, server_side=False)
            tls.begin()
            done = False
            while not done:
                wait_read(plain.fileno())
                done = tls.handshake()
        except BaseException:
            plain.close()
            raise
        return tls

    def ask(self, sock: Any, requests: Sequence[Sequence[bytes]]) -> list[bytes]:
        """The replies to ``requests``, which are short. Raises OSError."""
        replies: list[bytes] = []
        if requests:
            sock.send(b"".join(map(encode, requests)))
        framer = ReplyFramer()
        while len(replies) < len(requests):
            if not getattr(sock, "has_ahead", False):
                wait_read(sock.fileno())
            framer.feed(self.receive(sock), replies.append)
        return replies

    def receive(self, sock: Any) -> bytes:
        """What has come, perhaps nothing. Raises OSError, at the end of the connection, too."""
        try:
            data = self.buffer.receive(sock, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return b""
        if not data:
            raise ConnectionError("the server has closed the connection")
        return data


def greeting(upstream: Upstream, resp: int, database: int, replica: bool) -> list[list[bytes]]:
    """The requests that put a new connection into its state: protocol, user, database, READONLY."""
    user, password = upstream.user.encode(), upstream.password.encode()
    requests: list[list[bytes]] = []
    if resp == 3:
        requests.append(
            [b"HELLO", b"3", *([b"AUTH", user or b"default", password] if password or user else [])]
        )
    elif user:
        requests.append([b"AUTH", user, password])
    elif password:
        requests.append([b"AUTH", password])
    if database:
        requests.append([b"SELECT", b"%d" % database])
    if replica:
        requests.append([b"READONLY"])
    return requests
