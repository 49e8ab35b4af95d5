"""maxmemory-clients: who needs most goes first, who is exempt stays."""

from __future__ import annotations

import socket

import pytest
import redis

import kedis


def hoarder(port: int, size: int, *, exempt: bool = False) -> socket.socket:
    """A client with so many bytes of an unfinished request."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    if exempt:
        sock.sendall(b"CLIENT NO-EVICT on\r\n")
        assert sock.recv(100) == b"+OK\r\n"
    sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % (size + 1000) + b"x" * size)
    return sock


@pytest.mark.parametrize(
    "settings", [{"maxmemory_clients": "2mb"}, {"maxmemory": "20mb", "maxmemory_clients": "10%"}]
)
def test_the_largest_goes_first(settings: dict[str, str]) -> None:
    with kedis.Server(port=0, **settings) as server:
        client = server.client()
        small, exempt = hoarder(server.port, 500_000), hoarder(server.port, 5_000_000, exempt=True)
        with pytest.raises(ConnectionError):  # perhaps before it has sent all
            large = hoarder(server.port, 1_800_000)
            while large.recv(100):
                pass
            large.close()
            raise ConnectionResetError  # closed in order
        for sock, rest in ((small, 1000), (exempt, 1000)):
            sock.sendall(b"x" * rest + b"\r\n")
            assert sock.recv(100) == b"+OK\r\n"
        assert client.info("stats")["evicted_clients"] == 1
        for sock in (small, exempt):
            sock.close()


def test_there_is_no_limit_by_default() -> None:
    with kedis.Server(port=0) as server:
        sock = hoarder(server.port, 30_000_000)
        sock.sendall(b"x" * 1000 + b"\r\n")
        assert sock.recv(100) == b"+OK\r\n"
        assert isinstance(server.client(), redis.Redis)
        assert server.client().info("stats")["evicted_clients"] == 0
        sock.close()
