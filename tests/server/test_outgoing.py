"""Connections to other servers: the address that they come from (bind-source-addr)."""

from __future__ import annotations

import socket

import pytest

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
