"""Whatever bytes arrive, the server answers or closes that one client, and serves the others."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from tests.wire import fuzz
from tests.wire.kedis_process import PING, KedisProcess

COUNT = int(os.environ.get("KEDIS_WIRE_INPUTS", "20000"))
PONG = b"+PONG\r\n"


@pytest.fixture
def server() -> Iterator[KedisProcess]:
    process = KedisProcess()
    yield process
    process.close()


def test_mutated_inputs(server: KedisProcess) -> None:
    fuzz.run(server, COUNT, seed=7, tell=print)
    assert server.process.poll() is None


@pytest.mark.parametrize(
    "begin", [b"*1000000\r\n", b"*1\r\n$500000000\r\n", b"*2147483647\r\n$1\r\na\r\n", b"x" * 60000]
)
def test_announced_sizes_cost_nothing(server: KedisProcess, begin: bytes) -> None:
    """200 clients that promise much and send little."""
    before = server.resident_bytes()
    clients = [server.connect() for _ in range(200)]
    for client in clients:
        client.sendall(begin)
    assert server.ping() < 1
    assert server.resident_bytes() - before < 48 << 20
    for client in clients:
        client.close()
    assert server.ping() < 1


def test_bytes_one_at_a_time(server: KedisProcess) -> None:
    with server.connect() as slow:
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in PING * 20:
            slow.sendall(bytes([byte]))
        received = b""
        while len(received) < len(PONG) * 20:
            received += slow.recv(1000)
        assert received == PONG * 20


def test_connections_that_end_at_once(server: KedisProcess) -> None:
    """2,000 clients that connect, say half a command, and reset."""
    files = server.open_files()
    for _ in range(2000):
        client = server.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(PING[:7])
        client.close()
    assert server.ping() < 1
    deadline = time.monotonic() + 10
    while server.open_files() > files + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.open_files() <= files + 2
