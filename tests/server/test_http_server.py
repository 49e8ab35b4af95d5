"""What a peer can take of the HTTP server: connections, time, bytes, lines of the log.

The server runs in a thread with a hub of its own; limits that a test is not about are out of reach.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import threading
from _socket import socket as RawSocket
from collections import deque
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import gevent
import pytest
from gevent import socket as gevent_socket
from gevent.event import Event
from gevent.ssl import PROTOCOL_TLS_SERVER, SSLContext

from kedis.server.http_requests import Request
from kedis.server.http_server import HttpServer, Limits, Response

NEVER = 1e6
PATIENT = Limits(8, NEVER, NEVER, NEVER, NEVER)
TIMEOUT = 60


def ok(_request: Request) -> Response:
    return Response(HTTPStatus.OK, b"ok\n")


class Served:
    """An HttpServer in a thread."""

    def __init__(self, answer: Callable[[Request], Response], limits: Limits, tls: SSLContext | None) -> None:
        self.answer = answer
        self.limits = limits
        self.tls = tls
        self.turns = 0
        self._calls: deque[Callable[[], Any]] = deque()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(TIMEOUT)

    def _run(self) -> None:
        hub = gevent.get_hub()
        stopped = Event()
        self._stop = hub.loop.async_()
        self._stop.start(stopped.set)
        self._call = hub.loop.async_()
        self._call.start(self._run_calls)
        self.http = HttpServer(
            self.answer,
            self._pass_turn,
            logging.getLogger("test.http"),
            self.limits,
            tls=lambda: self.tls,
        )
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        self.address = listening.getsockname()
        self.http.start(listening)
        self._ready.set()
        stopped.wait()
        self.http.stop(0)
        hub.destroy(destroy_loop=True)

    def _pass_turn(self) -> None:
        self.turns += 1
        gevent.sleep(1e-9)  # by a timer, so that the loop looks at input as well

    def call(self, function: Callable[[], Any]) -> None:
        """Have ``function`` called in the server's thread."""
        self._calls.append(function)
        self._call.send()

    def _run_calls(self) -> None:
        while self._calls:
            self._calls.popleft()()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=TIMEOUT)

    def stop(self) -> None:
        self._stop.send()
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Served] = []

    def start(
        answer: Callable[[Request], Response] = ok, limits: Limits = PATIENT, tls: SSLContext | None = None
    ) -> Served:
        started.append(Served(answer, limits, tls))
        return started[-1]

    yield start
    for served in started:
        served.stop()


def receive_to_end(sock: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            data += piece
    return data


def ask(sock: socket.socket, path: str = "/") -> bytes:
    """One request of a connection that stays; its answer."""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    data = b""
    while not data.endswith(b"ok\n"):
        piece = sock.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    return data


def test_requests_of_one_connection(serve: Serve) -> None:
    with serve().connect() as sock:
        for _ in range(3):
            assert ask(sock).startswith(b"HTTP/1.1 200 OK\r\nDate: ")


def test_head_has_the_length_and_no_body(serve: Serve) -> None:
    with serve().connect() as sock:
        sock.sendall(b"HEAD / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
        data = receive_to_end(sock)
    assert data.count(b"Content-Length: 3\r\n") == 2
    assert b"ok" not in data.replace(b"200 OK", b"").lower()


def test_http_1_0_closes(serve: Serve) -> None:
    with serve().connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert receive_to_end(sock).endswith(b"Connection: close\r\n\r\nok\n")


def test_slow_heads_do_not_keep_others_out(serve: Serve) -> None:
    served = serve()
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(served.connect()) for _ in range(20)]
        for sock in slow:
            with contextlib.suppress(OSError):  # given up already
                sock.sendall(b"GET / HTTP/1.1\r\nX:")
        with served.connect() as sock:
            assert ask(sock)
        assert len(served.http.connections) <= PATIENT.connections + 1


def test_idle_connections_are_given_up_oldest_first(serve: Serve) -> None:
    served = serve()
    with served.connect() as kept, contextlib.ExitStack() as held:
        idle = []
        for _ in range(200):
            idle.append(held.enter_context(served.connect()))
            assert ask(kept)  # the one that asks again and again is never the oldest
        assert receive_to_end(idle[0]) == b""
        assert ask(idle[-1])


def test_a_head_has_a_deadline_however_it_drips(serve: Serve) -> None:
    served = serve(limits=Limits(4, 0.05, NEVER, NEVER, NEVER))
    with served.connect() as sock, pytest.raises(OSError):
        while True:  # without a deadline: until the head is too long, which is answered
            sock.sendall(b"x")
            assert not sock.recv(1) if _has_input(sock) else True


def _has_input(sock: socket.socket) -> bool:
    sock.settimeout(0.001)
    try:
        data = sock.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return False
    finally:
        sock.settimeout(TIMEOUT)
    if not data:
        raise ConnectionResetError
    return True


def test_a_silent_connection_has_the_deadline_of_a_head_and_later_that_of_idleness(serve: Serve) -> None:
    with serve(limits=Limits(4, 0.05, NEVER, NEVER, NEVER)).connect() as sock:
        assert receive_to_end(sock) == b""
    with serve(limits=Limits(4, NEVER, 0.05, NEVER, NEVER)).connect() as sock:
        assert ask(sock)
        assert receive_to_end(sock) == b""


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", b"413"),
    ],
)
def test_a_body_without_end_is_not_read(serve: Serve, head: bytes, status: bytes) -> None:
    with serve().connect() as sock:
        sock.sendall(head)
        answer = sock.recv(65536)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"Connection: close" in answer
        sent = 0
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while sent < 1 << 28:
                sent += sock.send(b"x" * 65536)
        assert sent < 1 << 28  # what the kernel buffers, and what is dropped so that the answer arrives


def test_hostile_input_is_answered_once_and_closed(serve: Serve) -> None:
    served = serve()
    for attempt in (
        b"\r\n\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n" * 2,
        b"x" * 20_000,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100 + b"\r\n",
        bytes(range(256)) + b"\r\n\r\n",
    ):
        with served.connect() as sock:
            sock.sendall(attempt)
            sock.shutdown(socket.SHUT_WR)
            data = receive_to_end(sock)
            assert data.count(b"HTTP/1.1 4") + data.count(b"HTTP/1.1 5") == 1, attempt[:40]
    with served.connect() as sock:
        assert ask(sock)


def test_pipelined_requests_are_answered_in_order_and_one_at_a_time(serve: Serve) -> None:
    busy: list[str] = []
    most = 0

    def answer(request: Request) -> Response:
        nonlocal most
        busy.append(request.path)
        most = max(most, len(busy))
        gevent.sleep(1e-9)  # by a timer, so that the loop looks at input as well
        busy.remove(request.path)
        return Response(HTTPStatus.OK, request.path.encode() + b"\n")

    served = serve(answer)
    with served.connect() as sock:
        requests = [f"GET /{number} HTTP/1.1\r\n\r\n" for number in range(300)]
        requests.append("GET /last HTTP/1.1\r\nConnection: close\r\n\r\n")
        sock.sendall("".join(requests).encode())
        bodies = [part.split(b"\r\n\r\n")[1] for part in receive_to_end(sock).split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b"/%d\n" % number for number in range(300)] + [b"/last\n"]
    assert most == 1
    assert served.turns >= 300  # everybody else had a turn after each


def test_peers_that_do_not_read_do_not_keep_others_out(serve: Serve) -> None:
    def answer(request: Request) -> Response:
        return Response(HTTPStatus.OK, bytes(1 << 25) if request.path == "/large" else b"ok\n")

    served = serve(answer)
    with contextlib.ExitStack() as held:
        for _ in range(10):
            held.enter_context(served.connect()).sendall(b"GET /large HTTP/1.1\r\n\r\n")
        with served.connect() as sock:
            assert ask(sock)


def test_a_peer_that_does_not_read_has_a_deadline(serve: Serve) -> None:
    limits = Limits(4, NEVER, NEVER, 0.05, NEVER)
    served = serve(lambda _: Response(HTTPStatus.OK, bytes(1 << 26)), limits)
    with served.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert sock.recv(1, socket.MSG_PEEK)
        _wait_until(lambda: not served.http.connections)
        assert len(receive_to_end(sock)) < 1 << 26


def test_an_open_ended_answer_counts_as_a_connection_and_gives_way(serve: Serve) -> None:
    def answer(request: Request) -> Response:
        return ok(request) if request.path == "/" else Response(HTTPStatus.OK, events(), "text/event-stream")

    def events() -> Iterator[bytes]:
        yield b"data: begins\n\n"
        Event().wait()

    served = serve(answer)
    with contextlib.ExitStack() as held:
        streams = [held.enter_context(served.connect()) for _ in range(PATIENT.connections)]
        for stream in streams:
            stream.sendall(b"GET /events HTTP/1.1\r\n\r\n")
            data = b""
            while b"begins" not in data:
                data += stream.recv(65536)
            assert b"Connection: close" in data
        assert len(served.http.connections) == PATIENT.connections
        with served.connect() as sock:
            assert ask(sock)  # in the place of the oldest stream
            assert receive_to_end(streams[0]) == b""
            assert ask(sock)


def test_while_all_are_at_work_no_more_are_accepted_and_then_they_are(serve: Serve) -> None:
    go_on: list[Any] = []

    def answer(request: Request) -> Response:
        waiting = Event()
        go_on.append(waiting)
        if request.path == "/slow":
            waiting.wait()
        return ok(request)

    served = serve(answer)
    with contextlib.ExitStack() as held:
        slow = []
        for number in range(20):
            sock = held.enter_context(served.connect())
            sock.sendall(b"GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n")
            slow.append(sock)
            wanted = min(number + 1, PATIENT.connections)
            _wait_until(lambda wanted=wanted: len(go_on) >= wanted)  # type: ignore[misc]
        answered = set()
        most = 0

        def all_answered() -> bool:
            nonlocal most
            most = max(most, len(served.http.connections))
            for waiting in go_on[len(answered) :]:
                answered.add(waiting)
                served.call(waiting.set)
            return len(answered) == 20

        _wait_until(all_answered)
        for sock in slow:
            assert receive_to_end(sock).endswith(b"ok\n")
        assert most <= PATIENT.connections + 4


def test_faults_are_answered_and_logged_once_a_minute(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    def answer(_request: Request) -> Response:
        raise RuntimeError("deliberate")

    served = serve(answer)
    now = [0.0]
    served.http.clock = lambda: now[0]
    for second in range(130):
        now[0] = float(second)
        with served.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert receive_to_end(sock).startswith(b"HTTP/1.1 500")
    messages = [record.getMessage() for record in caplog.records if record.name == "test.http"]
    assert len(messages) == 3
    assert messages[1].endswith("(59 more since the last line)")


def test_refused_requests_leave_no_line_in_the_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    served = serve()
    for _ in range(10):
        with served.connect() as sock:
            sock.sendall(b"nonsense\r\n\r\n")
            receive_to_end(sock)
    assert not caplog.records


def _wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    tick = threading.Event()
    for _ in range(TIMEOUT * 100):
        if holds():
            return
        tick.wait(0.01)
    raise AssertionError("waited in vain")


# -- by TLS -----------------------------------------------------------------------------------------------


def test_who_resets_the_connection_before_the_handshake_is_no_fault() -> None:
    server = HttpServer(
        ok, lambda: None, logging.getLogger("test.http"), tls=lambda: SSLContext(PROTOCOL_TLS_SERVER)
    )
    with gevent_socket.create_server(("127.0.0.1", 0)) as listening:
        with gevent_socket.create_connection(listening.getsockname()) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        fd, _ = listening._accept()
        server._serve(RawSocket(fileno=fd), "127.0.0.1")
    assert not server.connections
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_handshake_that_never_ends(serve: Serve) -> None:
    """Each of its bytes comes in time."""
    tls = SSLContext(PROTOCOL_TLS_SERVER)
    with serve(limits=Limits(8, 0.5, NEVER, NEVER, NEVER), tls=tls).connect() as sock:
        sock.settimeout(0.1)
        sock.sendall(b"\x16\x03\x01\x20\x00\x01")
        for _ in range(200):
            try:
                assert sock.recv(1) == b""
            except TimeoutError:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(b"\0")
            except ConnectionError:
                return
            else:
                return
    pytest.fail("still open")


def test_who_was_accepted_in_the_turn_of_the_end_is_not_served() -> None:
    server = HttpServer(ok, lambda: None, logging.getLogger("test.http"), PATIENT)
    with (
        gevent_socket.create_server(("127.0.0.1", 0)) as listening,
        gevent_socket.create_connection(listening.getsockname(), 10) as client,
    ):
        fd, address = listening._accept()
        server._accepted(RawSocket(fileno=fd), address, None)  # type: ignore[arg-type]
        server.stop(0)
        assert client.recv(1) == b""
    assert not server.connections
