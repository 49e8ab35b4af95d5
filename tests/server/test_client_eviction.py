"""maxmemory-clients holds as buffers grow: the periodic work, which looks as well, is switched off here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import gevent
import pytest
from gevent import socket

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.server.network_server import NetworkServer

LIMIT = 4_000_000
#: What a read, or a slice of ten replies of 50 kB each, may add before it is looked at.
STEP = 1_000_000


class TickingClock:
    """Every command takes 20 us."""

    def __init__(self) -> None:
        self.now_ns = 1_700_000_000_000_000_000

    def __call__(self) -> int:
        self.now_ns += 20_000
        return self.now_ns


@pytest.fixture
def network() -> Iterator[NetworkServer]:
    settings = {"appendonly": "no", "port": "0", "bind": "127.0.0.1", "maxmemory-clients": str(LIMIT)}
    with gevent.Timeout(120):
        network = NetworkServer(Engine(Config(settings), clock=TickingClock()))
        network.start()
        network.serve_data()
        network.cron.stop()
        yield network
        network.stop()


def connect(network: NetworkServer) -> Any:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", network.port))
    return sock


def unfinished_arguments(sock: Any) -> None:
    sock.sendall(b"*1000\r\n")
    while True:
        sock.sendall(b"$20000\r\n" + b"x" * 20_000 + b"\r\n")


def unfinished_command(sock: Any) -> None:
    sock.sendall(b"*9000000\r\n")
    while True:
        sock.sendall(b"$2\r\nxy\r\n" * 1000)


def transaction(sock: Any) -> None:
    sock.sendall(b"MULTI\r\n")
    while True:
        sock.sendall(b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n" * 100)
        sock.recv(1 << 20)


def registrations(*words: bytes) -> Callable[[Any], None]:
    """What has the server keep entries of the client without end."""

    def hoard(sock: Any) -> None:
        for number in count():
            sock.sendall(
                b"".join(b"%s %06d\r\n" % (b" ".join(words), number * 100 + each) for each in range(100))
            )
            sock.recv(1 << 20)

    return hoard


def unread_replies(sock: Any) -> None:
    while True:
        sock.sendall(
            b"*2\r\n$8\r\nGETRANGE\r\n$3\r\nbig\r\n$1\r\n0\r\n$5\r\n50000\r\n".replace(b"*2", b"*4") * 10
        )


def unread_messages(sock: Any) -> None:
    sock.sendall(b"SUBSCRIBE channel\r\n")
    gevent.sleep(3600)


@pytest.mark.parametrize(
    "hoard",
    [
        *(unfinished_arguments, unfinished_command, transaction),
        *(unread_replies, unread_messages),
        *(registrations(b"WATCH"), registrations(b"SUBSCRIBE"), registrations(b"PSUBSCRIBE")),
    ],
)
def test_the_sum_stays_below_the_limit(network: NetworkServer, hoard: Callable[[Any], None]) -> None:
    """Four clients without end: some are closed, and at no time was there more than the limit and a step."""
    network.engine.keyspace.databases[0].set_value(b"big", b"x" * 60_000)
    most = 0
    hoarders = [gevent.spawn(_until_closed, hoard, connect(network)) for _ in range(4)]
    publisher = gevent.spawn(_publish, connect(network)) if hoard is unread_messages else None
    while network.evicted_clients < 3:
        gevent.sleep(0)
        most = max(most, sum(connection.memory() for connection in network.connections))
    assert LIMIT / 2 < most < LIMIT + STEP
    assert network.client_eviction.total <= LIMIT
    gevent.killall([*hoarders, *([publisher] if publisher else [])])
    while network.connections:
        gevent.sleep(0)
    assert network.client_eviction.total == 0


def test_the_replies_of_a_slice_count_before_the_next_client_runs(
    network: NetworkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty clients whose commands take more than a slice come in one turn: what each has got counts at once."""
    network.engine.keyspace.databases[0].set_value(b"big", b"x" * 60_000)
    run, most = network.engine.run, 0

    def watched(*arguments: Any) -> int:
        nonlocal most
        most = max(most, sum(connection.memory() for connection in network.connections))
        return run(*arguments)

    monkeypatch.setattr(network.engine, "run", watched)
    clients = [connect(network) for _ in range(30)]
    while len(network.connections) < len(clients):
        gevent.sleep(0)
    for client in clients:
        client.sendall(b"GETRANGE big 0 -1\r\n" * 100)
    while network.evicted_clients < 20:
        gevent.sleep(0)
    assert LIMIT / 2 < most < LIMIT + STEP
    for client in clients:
        client.close()


def _until_closed(hoard: Callable[[Any], None], sock: Any) -> None:
    with sock:
        try:
            hoard(sock)
        except OSError:
            return


def _publish(sock: Any) -> None:
    with sock:
        while True:
            sock.sendall(b"*3\r\n$7\r\nPUBLISH\r\n$7\r\nchannel\r\n$5000\r\n" + b"x" * 5000 + b"\r\n")
            sock.recv(100)


def test_the_sum_falls_as_buffers_do(network: NetworkServer) -> None:
    sock = connect(network)
    sock.sendall(b"*2\r\n$4\r\nECHO\r\n$900000\r\n" + b"x" * 800_000)
    while network.client_eviction.total < 800_000:
        gevent.sleep(0)
    sock.sendall(b"x" * 100_000 + b"\r\n")
    left = 900_011
    while left:
        left -= len(sock.recv(1 << 20))
    gevent.sleep(0)
    assert network.client_eviction.total == 0
    sock.close()


def test_a_large_argument_counts_when_it_is_announced(network: NetworkServer) -> None:
    """As in Redis, which reserves memory for it: what would be too much is never taken in."""
    sock = connect(network)
    sock.sendall(b"*2\r\n$4\r\nECHO\r\n$9000000\r\nx")
    while not network.evicted_clients:
        gevent.sleep(0)
    assert network.bytes_received < 100
    sock.close()


def test_who_is_exempt_does_not_count_and_settings_are_followed(network: NetworkServer) -> None:
    sock = connect(network)
    sock.sendall(b"CLIENT NO-EVICT ON\r\n*2\r\n$4\r\nECHO\r\n$9000000\r\n" + b"x" * 3_000_000)
    while network.bytes_received < 3_000_000:
        gevent.sleep(0)
    assert (network.client_eviction.total, network.evicted_clients) == (0, 0)
    (connection,) = network.connections
    connection.client.no_evict = False
    network.engine.config.set_many([("maxmemory-clients", "0")])
    assert network.evicted_clients == 0
    network.engine.config.set_many([("maxmemory-clients", "1mb")])
    assert network.evicted_clients == 1
    sock.close()
