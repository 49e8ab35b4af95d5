"""Accepting: greenlets that are used again, options that are inherited, and nothing that stays behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import socket

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.server import network_server as servers
from kedis.server.connection import Connection
from kedis.server.network_server import NetworkServer

PING = b"*1\r\n$4\r\nPING\r\n"


@pytest.fixture
def network() -> Iterator[NetworkServer]:
    settings = {"appendonly": "no", "port": "0", "bind": "127.0.0.1", "tcp-keepalive": "100"}
    with gevent.Timeout(120):
        network = NetworkServer(Engine(Config(settings)))
        network.start()
        network.serve_data()
        yield network
        network.stop()


def connect(network: NetworkServer) -> Any:
    return socket.create_connection(("127.0.0.1", network.port), timeout=60)


def served(network: NetworkServer) -> Connection:
    """The only client, once it is there."""
    while len(network.connections) != 1:
        gevent.sleep(0)
    (connection,) = network.connections
    return connection


def test_a_storm_leaves_nothing_behind(network: NetworkServer) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for round_ in range(20):
        clients = [connect(network) for _ in range(100)]
        for number, client in enumerate(clients):
            if number % 3 == 0:
                client.sendall(PING[: number % len(PING)])
            client.close()
        del clients
        while network.connections or network.connections_received < 100 * (round_ + 1):
            gevent.sleep(0)
    assert len(os.listdir("/proc/self/fd")) <= before
    assert len(network.engine.clients) == 0
    assert len(network._idle_workers) <= servers._IDLE_WORKERS


def test_a_greenlet_serves_one_client_after_the_other(network: NetworkServer) -> None:
    workers = set()
    for _ in range(10):
        with connect(network) as client:
            client.sendall(PING)
            assert client.recv(100) == b"+PONG\r\n"
            workers.add(served(network)._greenlet)
        while network.connections:
            gevent.sleep(0)
    assert len(workers) == 1


def test_who_is_woken_too_late_wakes_nobody_else(network: NetworkServer) -> None:
    """A client is closed while it is paused, and woken by both; its greenlet serves another by then."""
    first = connect(network)
    first.sendall(b"CLIENT PAUSE 100000\r\n")
    assert first.recv(100) == b"+OK\r\n"
    first.sendall(b"SET a 1\r\n")
    while not network.paused:
        gevent.sleep(0)
    old = served(network)
    old.close()
    network.engine.unpause()
    stale = old._wake
    while network.connections:
        gevent.sleep(0)
    with connect(network) as client:
        client.sendall(PING)
        assert client.recv(100) == b"+PONG\r\n"
        stale()
        client.sendall(PING)
        assert client.recv(100) == b"+PONG\r\n"
    first.close()


def test_options_are_inherited_and_follow_the_setting(network: NetworkServer) -> None:
    for seconds in (100, 30, 0, 2147483647):
        network.engine.config.set_many([("tcp-keepalive", str(seconds))])
        with connect(network):
            sock = served(network).sock
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) == bool(seconds)
            if seconds:
                shown = min(seconds, 32767)  # the most that Linux takes; Redis leaves its default there
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == shown
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == shown // 3
        while network.connections:
            gevent.sleep(0)


def test_addresses_of_both_sides(network: NetworkServer) -> None:
    with connect(network) as client:
        session = served(network).client
        assert session.address == f"127.0.0.1:{client.getsockname()[1]}"
        assert session.local_address == f"127.0.0.1:{network.port}"
    while network.connections:
        gevent.sleep(0)
    network.engine.config.set_many([("bind", "0.0.0.0")])
    with connect(network):
        assert served(network).client.local_address == f"127.0.0.1:{network.port}"
