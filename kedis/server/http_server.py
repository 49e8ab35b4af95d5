"""A small HTTP/1.1 server on gevent, for the port of the metrics; every resource that a peer can take is bounded.

A connection is in one of three phases:

=========  ======================================================================
WAITING    between requests, or with a head that is not whole yet
WORKING    an answer is being made
SENDING    an answer is on its way; an open-ended one (``Response.body`` an iterator) stays here as long as it lasts
=========  ======================================================================

When there are more than ``Limits.connections``, the one that has been WAITING longest is closed, or where none is, the
one that has been SENDING longest.  WORKING ends by itself; while all connections are in it, no more are accepted.  So
slow heads, idle connections, peers that do not read and pages left open cannot keep a scrape from being served.

A request has no body: one that announces a body is refused and the connection closed, the body unread.  Nothing is
looked up: neither the host's own name nor the peer's.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import socket
from _socket import socket as RawSocket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import gevent
from gevent import socket as gevent_socket
from gevent.ssl import SSLContext, SSLSocket

from kedis.process.clock import monotonic
from kedis.server.http_requests import BadRequest, Request, parse_head, take_head
from kedis.server.listener import Listener
from kedis.server.receive_buffer import ReceiveBuffer

_PLAIN = "text/plain; charset=utf-8"
_RECEIVED_BYTES = 4096
#: Accepted in one turn of the event loop.
_ACCEPTED_AT_ONCE = 4
_SECONDS_BETWEEN_LOG_LINES = 60.0


@dataclass(frozen=True)
class Limits:
    """Limits of the connections.

    Attributes:
        connections: at a time.
        head_seconds: from the first byte of a request, or from the accept, until its head is whole; by TLS the
            handshake has as much before.
        idle_seconds: between two requests of a connection.
        send_seconds: to take an answer, or a piece of an open-ended one.
        linger_seconds: after the last answer, for the peer to close.
        head_bytes: of the request line and the header fields together.
        headers: header fields.
        unread_bytes: of what follows the last request that is read and dropped, so that the answer arrives.
    """

    connections: int = 64
    head_seconds: float = 5.0
    idle_seconds: float = 300.0
    send_seconds: float = 30.0
    linger_seconds: float = 1.0
    head_bytes: int = 8192
    headers: int = 64
    unread_bytes: int = 65_536


@dataclass(frozen=True)
class Response:
    """An answer.  A body that is an iterator is sent piece by piece as it yields, and ends with the connection."""

    status: HTTPStatus
    body: bytes | Iterable[bytes]
    content_type: str = _PLAIN
    headers: tuple[tuple[str, str], ...] = field(default=())


class _Phase(enum.Enum):
    WAITING = enum.auto()
    WORKING = enum.auto()
    SENDING = enum.auto()


class HttpServer:
    """Serves ``answer`` on a listening socket; one request at a time of each connection.

    Args:
        answer: makes the response to a GET or HEAD; may yield to the event loop.
        pass_turn: lets a turn of the event loop pass.
        limits: of the connections.
        log: gets at most one line a minute of faults.
        clock: monotonic seconds, for the deadlines.
        tls: what a new connection is served by; None: it is a plain one.
    """

    def __init__(
        self,
        answer: Callable[[Request], Response],
        pass_turn: Callable[[], None],
        log: logging.Logger,
        limits: Limits | None = None,
        clock: Callable[[], float] = monotonic,
        tls: Callable[[], SSLContext | None] = lambda: None,
    ) -> None:
        self._tls = tls
        self.answer = answer
        self.pass_turn = pass_turn
        self.limits = limits or Limits()
        self.clock = clock
        self.receive_buffer = ReceiveBuffer(_RECEIVED_BYTES)
        #: The open connections, in the order in which they entered their phase.
        self.connections: dict[_Connection, None] = {}
        self._log = log
        self._logged_at = -_SECONDS_BETWEEN_LOG_LINES
        self._unlogged = 0
        self._listener: Listener | None = None
        self._full = self._stopped = False

    def start(self, listening: socket.socket) -> None:
        """Begin to serve."""
        self._listener = Listener(listening, self._accepted, self._refuse)
        self._listener.max_accept = _ACCEPTED_AT_ONCE
        self._listener.start()

    def stop(self, seconds: float) -> None:
        """Accept no more; responses in progress have ``seconds`` to end.  Idempotent."""
        listener, self._listener = self._listener, None
        self._stopped = True
        if listener is not None:
            listener.stop()
        for connection in list(self.connections):
            if connection.phase is _Phase.WAITING:
                connection.give_up()
        busy = [connection.greenlet for connection in self.connections]
        gevent.joinall(busy, timeout=seconds)
        gevent.killall(busy)

    def abandon(self) -> None:
        """In a forked child: close its copy of the listening socket."""
        if self._listener is not None:
            self._listener.abandon()

    def fault(self, what: str) -> None:
        """Log the exception that is being handled, at most one a minute."""
        now = self.clock()
        if now - self._logged_at < _SECONDS_BETWEEN_LOG_LINES:
            self._unlogged += 1
            return
        more = f" ({self._unlogged} more since the last line)" if self._unlogged else ""
        self._logged_at, self._unlogged = now, 0
        self._log.exception("%s%s", what, more)

    def _accepted(self, sock: RawSocket, address: Any, _listener: Listener) -> None:
        gevent.spawn(self._serve, sock, address[0])

    def _refuse(self, sock: RawSocket, _listener: Listener) -> None:
        """Refuse a peer because file descriptors have run out; by TLS without a word."""
        if self._tls() is None:
            with contextlib.suppress(OSError):  # it is refused either way
                sock.send(
                    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
        sock.close()

    def _serve(self, sock: RawSocket, peer: str) -> None:
        """One connection, from the accept to its end; runs in a greenlet of its own."""
        if self._stopped:  # since the accept
            sock.close()
            return
        family, kind = sock.family, sock.type
        plain = gevent_socket.socket(family, kind, fileno=sock.detach())
        try:
            with self._wrapped(plain) as waiting:
                waiting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve_requests(_Connection(self, waiting, peer))
        except OSError:
            pass  # the peer has gone, or was too slow
        except Exception:
            self.fault("internal error; closing an HTTP connection")
        finally:
            plain.close()  # which is the other one's, unless that could not be made

    def _serve_requests(self, connection: _Connection) -> None:
        """Raises OSError."""
        try:
            self.entered(connection)
            connection.serve()
        finally:
            connection.end()
            self.connections.pop(connection, None)
            self._accept_again()

    def _wrapped(self, plain: Any) -> Any:
        """The connection's socket, by TLS one whose handshake is still to come."""
        context = self._tls()
        if context is None:
            return plain
        return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)

    def entered(self, connection: _Connection) -> None:
        """A connection is new or has entered another phase: it becomes the youngest of that phase."""
        self.connections.pop(connection, None)
        self.connections[connection] = None
        if len(self.connections) > self.limits.connections:
            self._make_room(connection)

    def _make_room(self, youngest: _Connection) -> None:
        for phase in (_Phase.WAITING, _Phase.SENDING):
            for connection in self.connections:
                if connection.phase is phase and connection is not youngest:
                    connection.give_up()
                    return
        self._full = True
        if self._listener is not None:
            self._listener.stop_accepting()

    def _accept_again(self) -> None:
        listener = self._listener
        if self._full and listener is not None and len(self.connections) <= self.limits.connections:
            self._full = False
            listener.start_accepting()


class _Connection:
    """One connection of an :class:`HttpServer`; made in the greenlet that serves it."""

    def __init__(self, server: HttpServer, sock: Any, peer: str) -> None:
        self.phase = _Phase.WAITING
        self.greenlet = gevent.getcurrent()
        self._given_up = False
        self._server = server
        self._socket = sock
        self._peer = peer
        self._buffer = bytearray()

    def give_up(self) -> None:
        """Close the connection; the next one has its place at once."""
        self._given_up = True
        self._server.connections.pop(self, None)
        self.greenlet.kill(block=False)

    def end(self) -> None:
        """End the connection, also where a forked child has a copy of the descriptor."""
        with contextlib.suppress(OSError):
            # Not that of a TLS socket, which would go on as a plain one.
            gevent_socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def serve(self) -> None:
        """Answer requests until the peer closes or a limit is reached.  Raises OSError."""
        if isinstance(self._socket, SSLSocket):
            with gevent.Timeout(self._server.limits.head_seconds, TimeoutError("a slow handshake")):
                self._socket.do_handshake()
        first = True
        while True:
            try:
                head = self._receive_head(first)
                if head is None:
                    return
                request = parse_head(head, self._server.limits.headers, self._peer)
                _check(request)
            except BadRequest as bad:
                self._refuse(bad)
                return
            self._enter(_Phase.WORKING)
            response = self._make(request)
            self._enter(_Phase.SENDING)
            if not self._send(request, response):
                self._close()
                return
            self._enter(_Phase.WAITING)
            first = False
            # A peer that has sent its next requests already must not be served in one go.
            self._server.pass_turn()

    def _enter(self, phase: _Phase) -> None:
        if self._given_up:  # input came in the very turn
            raise gevent.GreenletExit
        self.phase = phase
        self._server.entered(self)

    def _receive_head(self, first: bool) -> bytes | None:
        """The next head; None when the peer has closed or has taken too long."""
        limits, clock = self._server.limits, self._server.clock
        head = take_head(self._buffer, limits.head_bytes)
        begun = first or bool(self._buffer)
        deadline = clock() + (limits.head_seconds if begun else limits.idle_seconds)
        while head is None:
            data = self._receive(deadline)
            if not data:
                return None
            if not begun:
                begun, deadline = True, clock() + limits.head_seconds
            self._buffer += data
            head = take_head(self._buffer, limits.head_bytes)
        return head

    def _receive(self, deadline: float) -> bytes:
        """Some bytes; none when the peer has closed or the deadline has come.  Raises OSError."""
        left = deadline - self._server.clock()
        if left <= 0:
            return b""
        self._socket.settimeout(left)
        try:
            data = self._server.receive_buffer.receive(self._socket, _RECEIVED_BYTES)
        except TimeoutError:
            return b""
        return data

    def _make(self, request: Request) -> Response:
        try:
            return self._server.answer(request)
        except Exception:
            self._server.fault(f"internal error while answering {request.method} {request.path!r:.200}")
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR, b"internal error; see the log\n")

    def _send(self, request: Request, response: Response) -> bool:
        """Send a response; whether the connection may serve another request.  Raises OSError."""
        body = response.body
        if isinstance(body, bytes):
            self._transmit(_head(response, request, len(body)) + (b"" if request.method == "HEAD" else body))
            return request.keeps_alive and response.status is not HTTPStatus.INTERNAL_SERVER_ERROR
        self._transmit(_head(response, request, None))
        if request.method != "HEAD":
            for piece in body:
                self._transmit(piece)
        return False

    def _transmit(self, data: bytes) -> None:
        """Send all of it in ``send_seconds``.  Raises OSError."""
        clock = self._server.clock
        deadline = clock() + self._server.limits.send_seconds
        rest = memoryview(data)
        while rest:
            left = deadline - clock()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            rest = rest[self._socket.send(rest) :]

    def _refuse(self, bad: BadRequest) -> None:
        request = Request("GET", "", 1, keeps_alive=False)
        headers = (("Allow", "GET, HEAD"),) if bad.status is HTTPStatus.METHOD_NOT_ALLOWED else ()
        self._send(request, Response(bad.status, f"{bad}\n".encode(), headers=headers))
        self._close()

    def _close(self) -> None:
        """Close so that the last answer arrives: with input unread, the kernel would reset the connection.

        What the peer still sends is dropped, up to ``unread_bytes`` and ``linger_seconds``.
        """
        self._enter(_Phase.WAITING)
        limits = self._server.limits
        if isinstance(self._socket, SSLSocket):  # its own way to do the same
            self._socket.settimeout(limits.linger_seconds)
            self._socket.unwrap()
            return
        self._socket.shutdown(socket.SHUT_WR)
        deadline = self._server.clock() + limits.linger_seconds
        unread = limits.unread_bytes
        while unread > 0 and (data := self._receive(deadline)):
            unread -= len(data)


def _check(request: Request) -> None:
    """Raises BadRequest for what this server does not do, before any of it is read."""
    if request.method not in ("GET", "HEAD"):
        raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD")
    if request.has_body:
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no body is taken")


def _head(response: Response, request: Request, length: int | None) -> bytes:
    """The status line and header fields; ``length`` of the body is None where it ends with the connection."""
    fields = [
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", response.content_type),
        *response.headers,
    ]
    if length is not None:
        fields.append(("Content-Length", str(length)))
    if length is None or not request.keeps_alive:
        fields.append(("Connection", "close"))
    elif request.minor_version == 0:
        fields.append(("Connection", "keep-alive"))
    lines = [f"HTTP/1.1 {response.status.value} {response.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
