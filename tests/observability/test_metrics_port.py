"""The port of the metrics under attack: Prometheus is served, and the start waits for nobody."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator

import gevent
import pytest

import kedis
from kedis.config import Config
from kedis.server.app import App
from tests.ports import free_port

TIMEOUT = 60


@pytest.fixture
def port() -> Iterator[int]:
    """The metrics port of a running server."""
    number = free_port()
    with kedis.Server(port=0, metrics_port=number):
        yield number


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


class Prometheus:
    """Scrapes over one connection, and over a new one where the server has closed it, as Prometheus does."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def scrape(self) -> bytes:
        for _ in range(2):
            try:
                self._connection.request("GET", "/metrics")
                answer = self._connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self._connection.close()
            else:
                assert answer.status == 200
                return answer.read()
        raise AssertionError("not answered")


@pytest.mark.parametrize("beginning", [b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nX: y\r\n"])
def test_two_hundred_connections_beside_a_scraper(port: int, beginning: bytes) -> None:
    prometheus = Prometheus(port)
    assert prometheus.scrape()
    with contextlib.ExitStack() as held:
        for _ in range(200):
            sock = held.enter_context(connect(port))
            with contextlib.suppress(OSError):
                sock.sendall(beginning)
        assert b"kedis_commands_total" in prometheus.scrape()
        assert b"kedis_commands_total" in Prometheus(port).scrape()


def test_a_body_without_end_is_refused(port: int) -> None:
    with connect(port) as sock:
        sock.sendall(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
        sent = 0
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while sent < 1 << 28:
                sent += sock.send(bytes(1 << 16))
    assert sent < 1 << 28  # what the kernel buffers


def test_nonsense_leaves_no_lines_in_the_log(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    for _ in range(50):
        with connect(port) as sock:
            sock.sendall(b"nonsense\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(4096):
                    pass
    assert len(caplog.records) <= 1


def test_the_start_looks_up_no_name_and_does_not_let_the_loop_turn() -> None:
    app = App(Config({"port": "0", "metrics-port": str(free_port()), "appendonly": "no"}))
    others: list[str] = []
    greenlet = gevent.spawn(others.append, "had a turn")
    try:
        app.metrics.start()
        assert not others
    finally:
        app.metrics.stop()
        app.network.stop()
        greenlet.join()
