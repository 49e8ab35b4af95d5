"""Callbacks of the event loop that raise: nobody else goes without, and no watch ends for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace

import gevent
import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.server.connection import Connection
from kedis.server.network_server import NetworkServer


@pytest.fixture
def network() -> NetworkServer:
    network = NetworkServer(Engine(Config({"appendonly": "no"})))
    network.serve_data()
    return network


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_the_callbacks_of_a_turn_do_not_depend_on_each_other(
    network: NetworkServer, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[int] = []
    for _ in range(100):
        network.next_turn(lambda: called.append(1))
        network.next_turn(lambda: [][0])
        network.next_turn(lambda: called.append(2))
        network._run_deferred()
    assert called == [1, 2] * 100
    assert network.engine.faults == 100 and len(caplog.records) == 1


def test_the_deadlines_of_others_stay(network: NetworkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer is set anew where answering one whose time is up has failed."""
    blocking = network.engine.blocking
    blocking._deadlines.append((network.engine.clock() + 10**12, 1, object()))  # type: ignore[arg-type]

    def fail() -> None:
        raise MemoryError

    monkeypatch.setattr(blocking, "due", fail)
    network.deadlines._reached()
    assert network.deadlines._timer is not None and network.deadlines._timer.active
    network.deadlines.stop()


def test_a_slow_reader_that_cannot_be_sent_to_is_closed(
    network: NetworkServer, pair: tuple[socket.socket, socket.socket]
) -> None:
    class Poor(Connection):
        def _next_chunk(self) -> bytes:
            raise MemoryError

    ours, _ = pair
    connection = Poor(network, ours, "a", "b")
    connection.unsent.append(b"x")
    connection.unsent_bytes = 1
    connection._start_writing()
    connection._writable()
    assert connection.closed and not network.slow_readers


def test_no_memory_for_what_a_client_sends(
    network: NetworkServer, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Wherever that strikes, the client is told and then closed."""

    class Small(bytearray):
        def __iadd__(self, _data: object) -> Small:  # type: ignore[override,misc]
            raise MemoryError

    ours, theirs = pair
    network.cycle.start()
    greenlet = gevent.spawn(network._serve, ours, "", SimpleNamespace(local_address="here:0"))
    gevent.sleep(0)
    (connection,) = network.connections
    connection.parser._buffer = Small(b"*")
    theirs.sendall(b"1\r\n$4\r\nPING\r\n")
    greenlet.join(timeout=60)
    network.cycle.stop()
    theirs.setblocking(False)
    assert theirs.recv(1000) == b"-OOM command failed: not enough memory\r\n"
    assert theirs.recv(1000) == b"" and not network.connections
