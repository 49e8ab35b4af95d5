"""The sizes that CLIENT LIST tells, beside those that Redis tells of clients in the same state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

import kedis
from kedis.resp.replies import encode_command
from tests.differential.scenarios import Connection
from tests.oracle import Oracle

LARGE = 20_000_000
_WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    oracle = Oracle()
    with kedis.Server(port=0) as server:
        yield {"kedis": server.port, "redis": oracle.port}
    oracle.close()


class Watched:
    """One client, and another that looks at its line."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.observer = Connection(port)
        self.client = Connection(port)
        self.number = b"%d" % self.client.call(b"CLIENT", b"ID")[1]

    def line(self) -> dict[str, str]:
        text = self.observer.call(b"CLIENT", b"LIST", b"ID", self.number)[1]
        return dict(part.split("=", 1) for part in text.decode().split())

    def awaited(self, holds: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """The line once ``holds``, which it comes to do."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while not holds(line := self.line()):
            assert time.monotonic() < deadline, line
        return line

    def close(self) -> None:
        self.observer.close()
        self.client.close()


@pytest.fixture(params=["kedis", "redis"])
def watched(request: pytest.FixtureRequest, ports: dict[str, int]) -> Iterator[Watched]:
    pair = Watched(ports[request.param])
    yield pair
    pair.close()


def test_an_idle_client_has_a_size(watched: Watched) -> None:
    line = watched.line()
    assert int(line["tot-mem"]) > 1000
    assert int(line["rbs"]) > 0
    assert [line[name] for name in ("qbuf", "obl", "oll", "omem", "events")] == ["0", "0", "0", "0", "r"]


def test_a_client_that_does_not_read(watched: Watched) -> None:
    watched.observer.call(b"SET", b"large", b"x" * LARGE)
    for _ in range(3):
        watched.client.send([b"GET", b"large"])
    line = watched.awaited(lambda line: int(line["omem"]) > LARGE and line["events"] == "rw")
    assert int(line["oll"]) > 0
    assert int(line["tot-mem"]) > int(line["omem"])
    got = 0
    while got < 3 * LARGE:
        got += len(watched.client.socket.recv(1 << 20))
    line = watched.awaited(lambda line: line["events"] == "r")
    assert (line["oll"], line["omem"]) == ("0", "0")


def test_half_a_command_is_in_the_query_buffer(watched: Watched) -> None:
    idle = int(watched.line()["tot-mem"])
    half = encode_command([b"SET", b"k", b"x" * 100_000])[:50_000]
    watched.client.socket.sendall(half)
    line = watched.awaited(lambda line: int(line["qbuf"]) + int(line["qbuf-free"]) > 40_000)
    assert int(line["tot-mem"]) >= idle + int(line["qbuf"]) - 20_000
