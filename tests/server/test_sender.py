"""Sending: how much in a turn, in which order, and what becomes of a client that reads slowly or leaves."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kedis.config import Config
from kedis.resp.long_replies import PART, RESP2_IN_PARTS
from kedis.resp.replies import RESP2
from kedis.server import sender
from kedis.server.sender import Sender

MEMBERS = [b"member:%d" % number for number in range(60 * PART)]
STRING = bytes(range(256)) * 40_000


class Socket:
    """Takes ``room`` bytes and no more; without a limit, all."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.taken: list[bytes] = []
        self.broken = False

    def fileno(self) -> int:
        return -1

    def send(self, data: Any) -> int:
        if self.broken:
            raise BrokenPipeError
        size = len(data) if self.room is None else min(self.room, len(data))
        if not size:
            raise BlockingIOError
        if self.room is not None:
            self.room -= size
        self.taken.append(bytes(data[:size]))
        return size

    def all(self) -> bytes:
        return b"".join(self.taken)


class Client(Sender):
    """A sender without a loop: its watcher is what the tests call."""

    writable: Callable[[], None] | None = None
    hung_up = False

    def close(self) -> None:
        self.closed = self.hung_up = True
        self._stop_writing()

    def note_memory(self) -> None: ...

    def stop_reading(self) -> None: ...

    def memory(self) -> int:
        return 0


def client_of(sock: Socket, settings: dict[str, str] | None = None) -> Any:
    config = Config(settings or {})
    clock = itertools.count(1).__next__
    watcher = SimpleNamespace(stop=lambda: None, close=lambda: None, start=lambda callback: None)
    server = SimpleNamespace(
        hub=SimpleNamespace(loop=SimpleNamespace(io=lambda fd, events: watcher)),
        bytes_sent=0,
        slow_readers=set(),
        engine=SimpleNamespace(config=config, clock=clock),
        output_buffer_disconnections=0,
        output_limit=min(
            filter(None, (config.output_limit(kind)[0] for kind in ("normal", "pubsub"))), default=0
        ),
    )
    session = SimpleNamespace(out=[], close_after_reply=False, user=object(), subscriptions=0, address="test")
    return Client(server, sock, session)  # type: ignore[arg-type]


def reply(client: Any, *values: Any) -> bytes:
    """Put replies in the client's hands; returns their bytes."""
    expected: list[bytes] = []
    for value in values:
        RESP2_IN_PARTS[type(value)](value, client.client.out.append)
        RESP2[type(value)](value, expected.append)
    return b"".join(expected)


def test_a_turn_sends_a_burst_and_the_rest_waits() -> None:
    sock = Socket()
    client = client_of(sock)
    expected = reply(client, MEMBERS)
    client.send()
    turns = 1
    while client.unsent:
        before = len(sock.all())
        client._write_more()
        turns += 1
        assert len(sock.all()) - before <= 2 * sender._BURST
    assert sock.all() == expected
    assert turns >= len(expected) // (2 * sender._BURST)
    assert client.output_bytes() == 0 and client not in client.server.slow_readers


@pytest.mark.parametrize("values", [[[b"x" * 1000] * 150], [b"x" * 10_000] * 15, [MEMBERS]])
def test_replies_over_the_hard_limit_reach_nobody(values: list[Any]) -> None:
    sock = Socket()
    client = client_of(sock, {"client-output-buffer-limit": "normal 100000 0 0"})
    reply(client, *values)
    client.send()
    assert client.hung_up and not sock.taken
    assert client.server.output_buffer_disconnections == 1


def test_replies_up_to_the_hard_limit_are_sent() -> None:
    sock = Socket()
    client = client_of(sock, {"client-output-buffer-limit": "normal 100000 0 0"})
    expected = reply(client, *[b"x" * 9_900] * 10)
    client.send()
    assert sock.all() == expected and not client.hung_up


@pytest.mark.parametrize("value", [MEMBERS, STRING], ids=["elements", "string"])
def test_nothing_is_encoded_before_the_socket_takes_it(value: Any) -> None:
    sock = Socket(room=100_000)
    client = client_of(sock)
    expected = reply(client, value)
    client.send()
    assert client in client.server.slow_readers
    for _ in range(5):
        client._write_more()
        if value is MEMBERS:
            assert client.unsent_bytes <= PART * 40
        assert 0.9 < client.output_bytes() / (len(expected) - len(sock.all())) < 1.1
    sock.room = None
    while client.unsent:
        client._write_more()
    assert sock.all() == expected and client.unsent_bytes == 0


def test_one_call_of_the_kernel_takes_no_more_than_a_burst() -> None:
    """The kernel goes on as long as the reader takes what comes, which may be all of 512 MB."""
    sock = Socket()
    client = client_of(sock)
    reply(client, STRING)
    client.send()
    while client.unsent:
        client._write_more()
    assert max(map(len, sock.taken)) <= sender._BURST


@pytest.mark.parametrize("room", [1, 17, 5_000, 70_000, 1_000_000])
def test_replies_keep_their_order_however_little_the_socket_takes(room: int) -> None:
    sock = Socket(room=0)
    client = client_of(sock)
    some = MEMBERS[: PART + 1]
    expected = reply(client, 1, some, b"two")
    client.send()
    expected += reply(client, b"three", STRING[:300_000], some)
    client.send()
    expected += reply(client, None)
    client.send()
    while client.unsent:
        sock.room = max(room, len(expected) // 3000)
        client._write_more()
    assert sock.all() == expected
    assert client.unsent_bytes == 0 and client.output_bytes() == 0


def test_a_client_that_is_to_be_closed_gets_its_long_reply_first() -> None:
    sock = Socket()
    client = client_of(sock)
    expected = reply(client, MEMBERS)
    client.client.close_after_reply = True
    client.send()
    assert not client.hung_up
    while client.unsent:
        client._write_more()
    assert sock.all() == expected and client.hung_up


def test_a_client_that_leaves_in_the_middle_is_let_go() -> None:
    sock = Socket(room=200_000)
    client = client_of(sock)
    reply(client, MEMBERS, STRING)
    client.send()
    assert not client.hung_up
    sock.broken = True
    client._write_more()
    assert client.hung_up and client not in client.server.slow_readers
    client.send()  # what was answered meanwhile goes nowhere


@pytest.mark.parametrize("value", [MEMBERS, STRING], ids=["elements", "string"])
def test_the_output_limit_counts_what_is_not_encoded_yet(value: Any) -> None:
    for limit, cut in (("1mb", True), ("64mb", False)):
        client = client_of(Socket(room=10_000), {"client-output-buffer-limit": f"normal {limit} 0 0"})
        reply(client, value)
        client.send()
        assert client.hung_up == cut
        assert client.server.output_buffer_disconnections == cut


def test_short_replies_are_one_send() -> None:
    sock = Socket()
    client = client_of(sock)
    expected = reply(client, *[b"value"] * 16)
    client.send()
    assert sock.taken == [expected]
