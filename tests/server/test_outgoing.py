"""Connections to other servers: the address that they come from (bind-source-addr)."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import gevent
import pytest

from kedis.server import outgoing
from kedis.server.outgoing import connect


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("127.0.0.3", "127.0.0.3"),
        ("", "127.0.0.1"),
        ("192.0.2.1", "127.0.0.1"),  # which no machine has
        ("::1", "127.0.0.1"),  # of another family
    ],
)
def test_the_source_address(source: str, expected: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        with connect("127.0.0.1", listening.getsockname()[1], 30.0, source) as outgoing:
            accepted, peer = listening.accept()
            accepted.close()
            assert peer == outgoing.getsockname()
            assert peer[0] == expected


def test_a_refused_connection_from_a_source_address() -> None:
    with socket.socket() as bound:  # which does not listen
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            connect("127.0.0.1", bound.getsockname()[1], 30.0, "127.0.0.3")


@contextlib.contextmanager
def silent() -> Iterator[tuple[str, int]]:
    """An address that does not answer: the queue of what listens there is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        gevent.sleep(0.1)
        yield listening.getsockname()


def names(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Have any name stand for these."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
    monkeypatch.setattr(outgoing, "_look_up", lambda _host, _port: found)


def test_the_time_is_that_of_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent() as address:
        names(monkeypatch, *[address] * 20)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            connect("a.name", 1, 0.5)
        assert time.monotonic() - began < 5


def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent() as address, socket.create_server(("127.0.0.1", 0)) as listening:
        names(monkeypatch, address, listening.getsockname())
        with connect("a.name", 1, 2.0) as outgoing_socket:
            assert outgoing_socket.getpeername() == listening.getsockname()
            assert outgoing_socket.gettimeout() == 2.0
