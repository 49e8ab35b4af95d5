"""The live page at the port of the metrics: files, and a stream of server-sent events that updates it each second.

======== =======================================================================================================
path      what
======== =======================================================================================================
/         the page, and beside it the files of ``kedis/server/page``
/events   ``history`` once, then each second ``figures`` and, for those who may see them, ``private``
/login    asks for name and password where the server has one, and leads back to the page
======== =======================================================================================================

Whatever is shown is made once a second, by the server's periodic work and only while a page is open; every stream
sends the same bytes. A stream whose peer reads slowly misses seconds and never queues them. A stream is a connection
like any other to :class:`~kedis.server.http_server.Limits`, and there are at most :data:`MOST_STREAMS`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from kedis.observability.live_figures import LiveFigures
from kedis.observability.live_history import LiveHistory
from kedis.observability.observer import Observer
from kedis.server.http_requests import Request
from kedis.server.http_server import Response
from kedis.server.page_access import CHALLENGE, SECURITY_HEADERS, PageAccess

log = logging.getLogger("kedis.metrics")

#: Pages that may be open at a time.
MOST_STREAMS = 32
_RETRY_MS = 2000
#: The longest piece of the work of a second: the delay that a client sees.
_SLICE_NS = 1_000_000
_FOLDER = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_EVENTS = "text/event-stream; charset=utf-8"
_UNKNOWN_HOST = (
    b"unknown name of this server: ask for the page by IP address, or list the name in metrics-hosts\n"
)


@dataclass(frozen=True, slots=True)
class _Second:
    """The events of one second, as they are sent."""

    public: bytes
    private: bytes


class LivePage:
    """The page of ``observer``'s server.

    Args:
        pass_turn: lets a turn of the event loop pass; to be called in a greenlet.
    """

    def __init__(self, observer: Observer, pass_turn: Callable[[], None]) -> None:
        self._observer = observer
        self._pass_turn = pass_turn
        self._access = PageAccess(observer.engine)
        self._history = LiveHistory(observer)
        self._figures: LiveFigures | None = None
        self._second: _Second | None = None
        self._passed = Event()
        self._reader: gevent.Greenlet | None = None
        self._faulty = self._ended = False
        self._files = {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in _TYPES}
        self.open_streams = 0

    def paths(self) -> dict[str, Callable[[Request], Response]]:
        """What answers which path."""
        files = {f"/{name}": self._file for name in self._files}
        return {**files, "/": self._file, "/events": self._events, "/login": self._login}

    def tick(self) -> None:
        """Periodic work: take a sample each second, and begin to make the events if a page is open.

        A fault of the page does not keep the other periodic work from being done.
        """
        try:
            is_due = not self._ended and self._history.sample()
        except Exception:
            self._fault()
            return
        if is_due and self.open_streams:
            self._begin_reading()
        elif is_due:
            self._figures = self._second = None

    def stop(self) -> None:
        """End the streams.  Idempotent."""
        self._ended = True
        self._passed.set()
        if self._reader is not None:
            self._reader.kill(block=False)

    def _begin_reading(self) -> None:
        if self._reader is None:
            self._reader = gevent.spawn(self._read)

    def _read(self) -> None:
        """Make the events of this second in slices of ``_SLICE_NS``, and wake the streams; runs in a greenlet."""
        try:
            figures = self._figures = self._figures or LiveFigures(self._observer, self._history)
            clock = self._observer.engine.monotonic
            began = clock()
            for _ in figures.walk():
                if not 0 <= clock() - began < _SLICE_NS:
                    self._pass_turn()
                    began = clock()
            self._second = _Second(_event("figures", figures.public()), _event("private", figures.private()))
            self._passed.set()
            self._passed = Event()
            self._faulty = False
        except Exception:
            self._figures = None
            self._fault()
        finally:
            self._reader = None

    def _fault(self) -> None:
        """Log the exception that is being handled, unless the one before has not passed yet."""
        if not self._faulty:
            log.exception("internal error: the live page is not updated")
        self._faulty = True

    # -- answers ------------------------------------------------------------------------------------------

    def _file(self, request: Request) -> Response:
        if not self._access.knows_host(request):
            return _refusal()
        name = request.path[1:] or "index.html"
        headers = (("Cache-Control", "no-cache"), *SECURITY_HEADERS)
        return Response(HTTPStatus.OK, self._files[name], _TYPES[Path(name).suffix], headers)

    def _login(self, request: Request) -> Response:
        if not self._access.knows_host(request):
            return _refusal()
        if self._access.needs_password and not self._access.may_see_private(request):
            self._access.note_failed_login(request)
            body = b"the name (default) and password of a user who may run SLOWLOG GET\n"
            return Response(HTTPStatus.UNAUTHORIZED, body, headers=(CHALLENGE, *SECURITY_HEADERS))
        return Response(HTTPStatus.SEE_OTHER, b"", headers=(("Location", "/"), *SECURITY_HEADERS))

    def _events(self, request: Request) -> Response:
        if not self._access.knows_host(request):
            return _refusal()
        headers = (("Cache-Control", "no-store"), *SECURITY_HEADERS)
        if self.open_streams >= MOST_STREAMS:
            body = f"{MOST_STREAMS} pages are open already; close one\n".encode()
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, body, headers=headers)
        return Response(HTTPStatus.OK, self._stream(request), _EVENTS, headers)

    def _stream(self, request: Request) -> Iterator[bytes]:
        """The events of one page, until the server stops or the peer has gone."""
        self.open_streams += 1
        try:
            yield self._beginning(request)
            second = self._second
            if second is None:
                self._begin_reading()
            while not self._ended:
                if second is not None:
                    yield second.public + (second.private if self._access.may_see_private(request) else b"")
                self._passed.wait()
                second = self._second
        finally:
            self.open_streams -= 1

    def _beginning(self, request: Request) -> bytes:
        """What comes before the first second."""
        locked = ""
        if not self._access.may_see_private(request):
            locked = "password" if self._access.needs_password else "stranger"
            self._access.note_failed_login(request)
        history = {"columns": self._history.columns(), "locked": locked}
        return f"retry: {_RETRY_MS}\n\n".encode() + _event("history", history)


def _event(name: str, data: Any) -> bytes:
    """A server-sent event; JSON has no line break that would end it."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def _refusal() -> Response:
    return Response(HTTPStatus.MISDIRECTED_REQUEST, _UNKNOWN_HOST, headers=SECURITY_HEADERS)
