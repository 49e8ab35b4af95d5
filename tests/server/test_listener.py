"""Accepting: greenlets that are used again, options that are inherited, and nothing that stays behind."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.errors import CommandError
from kedis.process.threads import RealSocket
from kedis.server import listeners
from kedis.server import network_server as servers
from kedis.server.connection import Connection
from kedis.server.network_server import NetworkServer
from kedis.server.start_error import StartError

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


def test_a_client_that_cannot_be_served_is_not_the_last(
    network: NetworkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_words: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(servers, "greenlet", fails)
        with connect(network) as client:
            assert client.recv(1) == b""
    with connect(network) as client:
        client.sendall(PING)
        assert client.recv(100) == b"+PONG\r\n"


def test_the_loop_does_not_spin_where_the_kernel_has_no_memory(network: NetworkServer) -> None:
    (listener,) = network.listeners._listeners
    real, tries = listener.socket, []

    class Full:
        family, type, proto = real.family, real.type, real.proto

        def _accept(self) -> None:
            tries.append(listener._watcher)
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    listener.socket = Full()
    try:
        with connect(network) as client:
            for _ in range(50):
                gevent.sleep(0.001)
            assert len(tries) < 10
            listener.socket = real
            client.sendall(PING)
            assert client.recv(100) == b"+PONG\r\n"
    finally:
        listener.socket = real


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


def test_what_a_client_of_the_unix_socket_has_bound_is_not_shown(tmp_path: Path) -> None:
    """As in Redis; it could be more than a line of CLIENT LIST, or of the log."""
    path, own = tmp_path / "server", tmp_path / "a\nid=1 addr=b"
    settings = {"appendonly": "no", "port": "0", "bind": "127.0.0.1", "unixsocket": str(path)}
    network = NetworkServer(Engine(Config(settings)))
    try:
        network.start()
        with socket.socket(socket.AF_UNIX) as client:
            client.bind(str(own))
            client.connect(str(path))
            session = served(network).client
            assert (session.address, session.local_address) == (f"{path}:0", f"{path}:0")
    finally:
        network.stop()


# -- addresses that cannot be listened on -----------------------------------------------------------------


class WithoutIpv6(RealSocket):
    """A socket of a machine whose kernel does not have IPv6."""

    def __init__(self, family: int, kind: int) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        super().__init__(family, kind)


@contextlib.contextmanager
def started(bind: str, port: int = 0) -> Iterator[NetworkServer]:
    """Raises StartError."""
    network = NetworkServer(Engine(Config({"appendonly": "no", "port": str(port), "bind": bind})))
    try:
        network.start()
        yield network
    finally:
        network.stop()


@pytest.mark.parametrize("bind", ["127.0.0.1 -::1", "127.0.0.1 ::1", "-::1 127.0.0.1"])
def test_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    monkeypatch.setattr(listeners, "RealSocket", WithoutIpv6)
    with started(bind) as network, connect(network):
        assert served(network)


def test_an_optional_address_whose_port_is_taken() -> None:
    """The machine has it: clients that take the name localhost for it would come to another program."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"127.0.0.1 port {port}: .*in use"), started("-127.0.0.1", port):
            pass


def test_no_address_that_the_machine_has(network: NetworkServer) -> None:
    with pytest.raises(StartError, match=r"no address of these: -192\.0\.2\.1"), started("-192.0.2.1"):
        pass
    with pytest.raises(CommandError, match="Failed to bind"):
        network.engine.config.set_many([("bind", "-192.0.2.1")])
    with connect(network):
        assert served(network)


def test_another_program_that_listens_first(network: NetworkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have bound the port, as two may that do not listen yet."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]

        class Late(RealSocket):
            def listen(self, backlog: int) -> None:
                if self.getsockname()[1] == port:
                    other.listen()
                super().listen(backlog)

        monkeypatch.setattr(listeners, "RealSocket", Late)
        with pytest.raises(CommandError, match="Unable to listen on this port"):
            network.engine.config.set_many([("port", str(port))])
    with connect(network):
        assert served(network)
