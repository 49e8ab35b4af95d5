"""Where there is no epoll the native path runs what the Python path has received."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from kedis import native
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.server.network_server import NetworkServer

pytestmark = pytest.mark.skipif(native.PATH != "native", reason="there is no native path in this run")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NetworkServer]:
    from kedis.commands import load_all

    load_all()
    monkeypatch.setattr(native, "LOOP", False)
    network = NetworkServer(Engine(Config({"port": "0", "bind": "127.0.0.1"})))
    network.start()
    network.serve_data()
    yield network
    network.stop()


def exchange(server: NetworkServer, requests: bytes, replies: bytes, cut: int) -> None:
    from gevent import socket as green

    with green.create_connection(("127.0.0.1", server.port)) as client:
        for at in range(0, len(requests), cut):
            client.sendall(requests[at : at + cut])
            gevent.sleep(0.001)
        received = b""
        while len(received) < len(replies):
            part = client.recv(65536)
            assert part, received
            received += part
        assert received == replies


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_requests_of_both_paths_are_answered_in_order(server: NetworkServer, cut: int) -> None:
    requests = (
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
        b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
        b"INCR a\r\n"  # inline: for the Python path
        b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
        b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n"
        b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
        b"*1\r\n$8\r\nFLUSHALL\r\n"
    )
    replies = b"+OK\r\n$1\r\n1\r\n:2\r\n:3\r\n+OK\r\n+QUEUED\r\n*1\r\n:4\r\n$1\r\n4\r\n+OK\r\n"
    exchange(server, requests, replies, cut)
    if cut == 1000:  # what comes in pieces is the Python path's
        assert server.path.commands == 2
    assert server.engine.table.rows[b"get"].counters.calls == 2


def test_what_nobody_reads_is_kept(server: NetworkServer) -> None:
    """The replies of the native path go through the output buffer of the Python path."""
    from gevent import socket as green

    value = b"v" * 8000
    with green.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$8000\r\n" + value + b"\r\n")
        client.sendall(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n" * 2000)
        wanted = b"+OK\r\n" + (b"$8000\r\n" + value + b"\r\n") * 2000
        received = 0
        while received < len(wanted):
            part = client.recv(1 << 20)
            assert part == wanted[received : received + len(part)]
            assert part
            received += len(part)
