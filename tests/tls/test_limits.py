"""What clients can do to a server before their handshake is complete, and to each other."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import gevent
import pytest
from gevent import socket
from gevent.ssl import PROTOCOL_TLS_CLIENT, SSLContext

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.server import tls_handshakes
from kedis.server.network_server import NetworkServer
from tests.ports import free_port
from tests.tls.servers import PING, PONG, SECONDS, Certificates, flags_of


class Clock:
    """Monotonic nanoseconds that pass when the test says so."""

    now = 1

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def network(certificates: Certificates, clock: Clock) -> Iterator[NetworkServer]:
    words = flags_of(certificates, tls_port=str(free_port()))
    settings = {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    settings |= {"appendonly": "no", "port": "0", "bind": "127.0.0.1", "maxclients": "5", "hz": "500"}
    with gevent.Timeout(120):
        network = NetworkServer(Engine(Config(settings), monotonic=clock))
        network.start()
        network.serve_data()
        yield network
        network.stop()


@pytest.fixture
def trust(certificates: Certificates) -> SSLContext:
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.authority)
    return context


def slow(network: NetworkServer) -> socket.socket:
    """A client that has sent the beginning of a handshake."""
    before = len(network.handshakes)
    client = socket.create_connection(("127.0.0.1", network.tls_port), SECONDS)
    client.sendall(b"\x16\x03\x01\x02\x00\x01")
    until(lambda: len(network.handshakes) > before)
    return client


def until(condition) -> None:  # type: ignore[no-untyped-def]
    while not condition():
        gevent.sleep(0)


def ping(network: NetworkServer, trust: SSLContext) -> bytes:
    plain = socket.create_connection(("127.0.0.1", network.tls_port), SECONDS)
    with trust.wrap_socket(plain, server_hostname="127.0.0.1") as client:
        client.sendall(PING)
        return client.recv(100)


def test_there_is_no_plain_port_beside_it(network: NetworkServer) -> None:
    assert network.port == 0
    assert network.shown_ports == f"TLS port {network.tls_port}"


def test_a_slow_handshake_is_ended_in_time(network: NetworkServer, clock: Clock, trust: SSLContext) -> None:
    client = slow(network)
    clock.now += tls_handshakes.TIME_NS - 1
    gevent.sleep(0.05)  # some rounds of the periodic work
    assert len(network.handshakes) == 1
    assert ping(network, trust) == PONG
    clock.now += 2
    assert client.recv(100) == b""
    assert len(network.handshakes) == 0
    assert network.tls.failed_handshakes == 1


def test_a_silent_handshake_makes_room(
    network: NetworkServer, clock: Clock, trust: SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_handshakes, "MOST", 3)
    clients = [slow(network) for _ in range(3)]
    waiting = gevent.spawn(ping, network, trust)
    gevent.sleep(0.05)
    assert not waiting.dead and len(network.handshakes) == 3  # it is not accepted yet
    clock.now += tls_handshakes.SILENT_NS + 1
    assert waiting.get() == PONG
    assert clients[0].recv(100) == b""
    assert len(network.handshakes) == 1  # the second had to go when the newcomer was the third


def test_all_who_connect_at_once_are_served(
    network: NetworkServer, trust: SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than may be under way: they wait to be accepted, and nobody is cut off."""
    monkeypatch.setattr(tls_handshakes, "MOST", 3)
    monkeypatch.setattr(network.engine.config, "maxclients", 100)
    most = [0]

    def client() -> bytes:
        reply = ping(network, trust)
        most[0] = max(most[0], len(network.handshakes))
        return reply

    clients = [gevent.spawn(client) for _ in range(40)]
    assert [each.get() for each in clients] == [PONG] * 40
    assert most[0] <= 3 and network.tls.failed_handshakes == 0


def test_handshakes_do_not_pass_maxclients(network: NetworkServer, clock: Clock, trust: SSLContext) -> None:
    """Where they would, one that is silent goes; where only clients are there, nobody more is let in."""
    clients = [slow(network) for _ in range(5)]
    clock.now += tls_handshakes.SILENT_NS + 1
    assert ping(network, trust) == PONG
    assert clients[0].recv(100) == b""
    until(lambda: not network.connections)
    connected = []
    for _ in range(5):
        plain = socket.create_connection(("127.0.0.1", network.tls_port), SECONDS)
        connected.append(trust.wrap_socket(plain, server_hostname="127.0.0.1"))
    until(lambda: len(network.connections) == 5)
    with pytest.raises(OSError):
        ping(network, trust)
    assert network.rejected_connections == 1
    for client in connected:
        client.sendall(PING)
        assert client.recv(100) == PONG


def test_failures_are_logged_once_a_second(
    network: NetworkServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(1, 21):
            with socket.create_connection(("127.0.0.1", network.tls_port), SECONDS) as client:
                client.sendall(PING)
                until(lambda number=number: network.tls.failed_handshakes == number)
        assert len([line for line in caplog.messages if "Error accepting" in line]) == 1
        clock.now += 2_000_000_000
        with socket.create_connection(("127.0.0.1", network.tls_port), SECONDS) as client:
            client.sendall(PING)
            until(lambda: network.tls.failed_handshakes == 21)
    assert "(19 more since the last line)" in caplog.messages[-1]


def test_a_client_that_does_not_read_is_cut_off_at_its_limit(
    network: NetworkServer, trust: SSLContext
) -> None:
    network.engine.config.set_many([("client-output-buffer-limit", "normal 1000000 0 0")])
    plain = socket.create_connection(("127.0.0.1", network.tls_port), SECONDS)
    with trust.wrap_socket(plain, server_hostname="127.0.0.1") as client:
        client.sendall(b"SET k " + b"v" * 50_000 + b"\r\n")
        assert client.recv(100) == b"+OK\r\n"
        client.sendall(b"GET k\r\n" * 2000)
        until(lambda: network.output_buffer_disconnections == 1)
    until(lambda: not network.connections)


def test_descriptors_and_handshakes_are_given_back(network: NetworkServer, trust: SSLContext) -> None:
    import os

    ping(network, trust)
    until(lambda: not network.connections)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        client = slow(network)
        client.close()
        ping(network, trust)
    until(lambda: not network.connections and not len(network.handshakes))
    assert len(os.listdir("/proc/self/fd")) <= before


def test_where_descriptors_have_run_out_no_plain_text_is_sent(network: NetworkServer) -> None:
    (listener,) = network.listeners._listeners
    listener.stop_accepting()
    with socket.create_connection(("127.0.0.1", network.tls_port), SECONDS) as client:
        gevent.sleep(0.01)
        listener._refuse_one()
        assert client.recv(100) == b""
    assert network.rejected_connections == 1
