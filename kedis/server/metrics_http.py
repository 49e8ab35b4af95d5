"""The port of the metrics: ``/metrics``, ``/healthz``, ``/readyz``, and the live page (:mod:`kedis.server.live_page`).

Served from the server's own loop: a thread would read data in the middle of a change.  A scrape is rendered, and
compressed, in slices of :data:`_SLICE_NS`; between two of them the loop has a turn, in which every client is served.
One scrape is rendered at a time.

It answers as soon as clients are accepted, that is, during loading too.  Connections, time and bytes of a peer are
bounded by :mod:`kedis.server.http_server`.
"""

from __future__ import annotations

import errno
import logging
import socket
import zlib
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from gevent.lock import BoundedSemaphore

from kedis.observability.exposition import Exposition, chosen_type
from kedis.observability.metrics_reading import not_ready
from kedis.server.http_requests import Request
from kedis.server.http_server import HttpServer, Limits, Response
from kedis.server.live_page import LivePage
from kedis.server.start_error import StartError

if TYPE_CHECKING:
    from kedis.observability.observer import Observer
    from kedis.server.network_server import NetworkServer

log = logging.getLogger("kedis.metrics")

#: The longest piece of a scrape: the delay that a client sees.
_SLICE_NS = 1_000_000
#: Characters that are compressed at a time: about 0.3 ms.
_CHUNK = 32 * 1024
#: The level of zlib that takes the least time.
_COMPRESSION = 1
_BACKLOG = 64
#: Seconds that responses in progress have at shutdown.
_STOP_SECONDS = 0.5
#: How many ports are tried where metrics-port is not given.
_PORTS = 100


class PortTaken(StartError):
    """Another program listens on the port."""


class MetricsServer:
    """Serves the figures of ``network`` where ``metrics-bind`` and ``metrics-port`` say.

    Attributes:
        port: where it listens; 0 while it does not.
    """

    def __init__(self, network: NetworkServer, observer: Observer, limits: Limits | None = None) -> None:
        self._network = network
        self._observer = observer
        self._turn = BoundedSemaphore(1)
        self._expositions: dict[str, Exposition] = {}
        self._live: LivePage | None = None
        self._pages: dict[str, Callable[[Request], Response]] = {
            "/metrics": self._metrics,
            "/healthz": self._health,
            "/readyz": self._readiness,
        }
        tls = network.tls
        by_tls = network.engine.config.metrics_tls
        self._scheme = "https" if by_tls else "http"
        self._http = HttpServer(
            self._answer, network.pass_turn, log, limits, tls=lambda: tls.server if by_tls else None
        )
        network.http_greenlets = self._http.connections
        self.port = 0

    def start(self) -> None:
        """Begin to serve, unless ``metrics-port`` is no.  Raises StartError."""
        config = self._network.engine.config
        if config.metrics_port is None:
            return
        listening = self._listen(config.metrics_bind, config.metrics_port)
        if listening is None:
            return
        self.port = listening.getsockname()[1]
        self._live = LivePage(self._observer, self._network.pass_turn)
        self._pages |= self._live.paths()
        self._network.cron.each_round.append(self._live.tick)
        self._http.start(listening)
        address = _shown_address(config.metrics_bind, self.port)
        scheme = self._scheme
        log.info("live page at %s://%s/, metrics at %s://%s/metrics", scheme, address, scheme, address)

    def _listen(self, host: str, port: int) -> socket.socket | None:
        """A socket on ``port``; where nobody has asked for that one and it is taken, on the next free one, if any."""
        if self._network.engine.config.is_given("metrics-port"):
            return _listening_socket(host, port)
        for candidate in range(port, port + _PORTS):
            try:
                listening = _listening_socket(host, candidate)
            except PortTaken:
                continue
            if candidate != port:
                log.warning(
                    "port %d is taken, so the metrics are at port %d; metrics-port says where they should be",
                    port,
                    candidate,
                )
            return listening
        log.warning(
            "ports %d to %d are taken: no metrics are served; give metrics-port", port, port + _PORTS - 1
        )
        return None

    def stop(self) -> None:
        """Stop; idempotent."""
        self.port = 0
        if self._live is not None:
            self._live.stop()
        self._http.stop(_STOP_SECONDS)

    def abandon(self) -> None:
        """In a forked child: close its copy of the listening socket."""
        self._http.abandon()

    # -- answering ----------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Response:
        page = self._pages.get(request.path)
        return Response(HTTPStatus.NOT_FOUND, b"not found; see /\n") if page is None else page(request)

    def _health(self, _request: Request) -> Response:
        return Response(HTTPStatus.OK, b"ok\n")

    def _readiness(self, _request: Request) -> Response:
        reason = not_ready(self._observer)
        if reason:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, f"{reason}\n".encode())
        return Response(HTTPStatus.OK, b"ready\n")

    def _metrics(self, request: Request) -> Response:
        kind = chosen_type(request.headers.get("accept", ""))
        zipped = _accepts_gzip(request.headers.get("accept-encoding", ""))
        with self._turn:
            if kind not in self._expositions:
                self._expositions[kind] = Exposition(kind)
            body = self._render(self._expositions[kind], zipped)
        coding = (("Content-Encoding", "gzip"),) if zipped else ()
        return Response(HTTPStatus.OK, body, kind, (("Vary", "Accept, Accept-Encoding"), *coding))

    # -- rendering in slices ------------------------------------------------------------------------------

    def _render(self, exposition: Exposition, zipped: bool) -> bytes:
        """The whole text; clients are served meanwhile."""
        parts: list[bytes] = []
        clock = self._network.engine.monotonic
        scrapes = self._observer.scrapes
        began = clock()
        for _ in _pieces(self._observer, exposition, zipped, parts.append):
            now = clock()
            if not 0 <= now - began < _SLICE_NS:
                scrapes.spent_ns += max(now - began, 0)
                self._network.pass_turn()
                began = clock()
        scrapes.spent_ns += max(clock() - began, 0)
        return b"".join(parts)


def _pieces(
    observer: Observer, exposition: Exposition, zipped: bool, take: Callable[[bytes], None]
) -> Iterator[None]:
    """Do a scrape, and yield after each short piece of work; ``take`` gets the body in pieces."""
    for _ in observer.clients.walk():
        yield
    observer.begin_scrape()
    yield
    packer = zlib.compressobj(_COMPRESSION, wbits=zlib.MAX_WBITS | 16) if zipped else None
    text: list[str] = []
    length = 0
    for piece in exposition.render(observer):
        text.append(piece)
        length += len(piece)
        yield
        if length >= _CHUNK:
            data = "".join(text).encode()
            take(packer.compress(data) if packer is not None else data)
            text.clear()
            length = 0
            yield
    data = "".join(text).encode()
    take(packer.compress(data) + packer.flush() if packer is not None else data)


def _accepts_gzip(header: str) -> bool:
    for part in header.split(","):
        coding, *parameters = [word.strip().lower() for word in part.split(";")]
        if coding in ("gzip", "*"):
            return not any(parameter.replace(" ", "") in ("q=0", "q=0.0") for parameter in parameters)
    return False


def _listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens.  Raises StartError, or PortTaken, with what the user can do about it."""
    wildcard = {"*": "0.0.0.0", "": "127.0.0.1"}.get(host, host)
    family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
    listening: socket.socket | None = None
    try:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((wildcard, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        if listening is not None:
            listening.close()
        kind = PortTaken if error.errno == errno.EADDRINUSE else StartError
        raise kind(
            f"cannot serve metrics on {host} port {port}: {error.strerror or error}; "
            "choose another port with --metrics-port PORT, or turn them off with --metrics-port no"
        ) from None
    listening.setblocking(False)
    return listening


def _shown_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
