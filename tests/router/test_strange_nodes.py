"""Nodes that answer what no node should: each request is answered all the same, and others are not disturbed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import hiredis
import pytest

from tests.router.doors import Door


class StrangeNode:
    """A single server by its own account, which answers GET and SET by what is told for the key."""

    def __init__(self) -> None:
        self.replies: dict[bytes, bytes] = {}
        self.asked: list[bytes] = []
        self.is_ended = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        reader = hiredis.Reader()
        with sock, contextlib.suppress(OSError):
            while data := sock.recv(65536):
                reader.feed(data)
                if self.is_ended:
                    return
                while (words := reader.gets()) is not False:
                    sock.sendall(self._reply(words))

    def _reply(self, words: list[bytes]) -> bytes:
        if words[0] == b"CLUSTER":
            return b"-ERR This instance has cluster support disabled\r\n"
        if words[0] == b"ROLE":
            return b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
        self.asked.append(words[1])
        return self.replies.get(words[1], b"+fine\r\n")

    def close(self) -> None:
        self._listener.close()

    def end(self) -> None:
        """Accept nobody any more, and disconnect whoever asks."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.is_ended = True


@pytest.fixture(scope="module")
def node() -> Iterator[StrangeNode]:
    running = StrangeNode()
    yield running
    running.close()


@pytest.fixture(scope="module", params=["native", "python"])
def strange(request: pytest.FixtureRequest, node: StrangeNode) -> Iterator[Door]:
    url = f"redis://127.0.0.1:{node.port}"
    with Door(url, "--upstream-retry-ms", "1000", metrics=False, path=request.param) as door:
        yield door


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"-MOVED 99999 127.0.0.1:1\r\n", "MOVED 99999 127.0.0.1:1"),
        (b"-ASK 1 127.0.0.1:99999\r\n", "ASK 1 127.0.0.1:99999"),
        (b"-MOVED\r\n", "MOVED"),
        (b"HTTP/1.1 400 Bad Request\r\n", "ERR upstream"),
        (b"$-7\r\n", "ERR upstream"),
    ],
)
def test_every_request_is_answered(strange: Door, node: StrangeNode, reply: bytes, expected: str) -> None:
    node.replies[b"k"] = reply
    wire = strange.wire()
    assert str(wire.call("GET", "k")).startswith(expected)
    assert str(wire.call("SET", "k", 1)).startswith(expected)
    assert wire.call("GET", "other") in ("fine", b"fine")
    wire.close()


@pytest.mark.parametrize("kind", [b"MOVED", b"ASK"])
def test_a_node_that_points_to_itself_is_asked_with_pauses(
    strange: Door, node: StrangeNode, kind: bytes
) -> None:
    """As two nodes may that point to one another, until they agree who has a slot."""
    node.replies[b"k"] = b"-%b 1 127.0.0.1:%d\r\n" % (kind, node.port)
    node.asked.clear()
    assert str(strange.call("GET", "k")).startswith(f"{kind.decode()} 1 ")
    assert node.asked.count(b"k") <= 60


def test_a_node_that_is_down_does_not_fill_the_log() -> None:
    """A request that is tried again for two seconds is some warnings, not one for each attempt."""
    strange = StrangeNode()
    with Door(f"redis://127.0.0.1:{strange.port}", "--upstream-retry-ms", "2000", metrics=False) as door:
        assert door.call("GET", "x") in ("fine", b"fine")
        strange.end()
        assert str(door.call("GET", "x")).startswith("ERR upstream")
        assert 1 <= door.output().count("cannot connect") <= 10
