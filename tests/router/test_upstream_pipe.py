"""One connection to a node, and what waits for room in it, without a node."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from kedis.router.flow import UpstreamRequest
from kedis.router.upstream_pipe import Node, Pipe
from kedis.router.upstream_url import parse_upstream
from kedis.router.waiting_connection import WaitingConnection


class Watcher:
    def __init__(self, *_: object) -> None:
        self.is_started = False

    def start(self, _callback: Callable[[], None]) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False

    def close(self) -> None:
        self.is_started = False


class Socket:
    """Takes so many bytes, then none, and so on."""

    def __init__(self, at_once: int = 1 << 30) -> None:
        self.taken = b""
        self.is_closed = self._is_full = False
        self._at_once = at_once

    def send(self, data: Any) -> int:
        if self._is_full:
            self._is_full = False
            raise BlockingIOError
        self._is_full = len(data) > self._at_once
        piece = bytes(data[: self._at_once])
        self.taken += piece
        return len(piece)

    def fileno(self) -> int:
        return 0

    def close(self) -> None:
        self.is_closed = True


class World:
    """A fleet with connections that :meth:`connect` completes."""

    def __init__(self) -> None:
        self.now = 0
        self.watchers: list[Watcher] = []
        self.lost: list[str] = []
        self.fleet: Any = SimpleNamespace(
            at_end=[],
            clock=lambda: self.now,
            monotonic=lambda: self.now,
            upstream=parse_upstream("redis://host"),
            dialer=SimpleNamespace(dial=lambda *_: gevent.get_hub().switch()),
            hub=SimpleNamespace(loop=SimpleNamespace(io=self._watcher)),
            timeout_seconds=60.0,
            redirected=lambda *_: False,
            lost=lambda pipe, why, requests: self.lost.append(why),
            begin_turn=lambda: None,
        )

    def _watcher(self, *_: object) -> Watcher:
        self.watchers.append(Watcher())
        return self.watchers[-1]

    def pipe(self) -> Pipe:
        """One that connects."""
        made = Pipe(self.fleet, Node(("host", 1)), 2, 0)
        gevent.sleep(0)
        return made

    def connect(self, pipe: Pipe, sock: Socket) -> None:
        """Its greeting is answered."""
        hub = gevent.get_hub()
        hub.loop.run_callback(pipe._opener.switch, sock)
        gevent.sleep(0)


@pytest.fixture
def world() -> World:
    return World()


def test_closed_in_the_turn_in_which_it_is_connected(world: World) -> None:
    """The end that the server makes later would be there to be read for ever, which nobody reads."""
    pipe, sock = world.pipe(), Socket()

    def both() -> None:
        pipe.close()
        pipe._opener.switch(sock)

    gevent.get_hub().loop.run_callback(both)
    gevent.sleep(0)
    gevent.sleep(0)
    assert world.lost == ["closed"]
    assert sock.is_closed
    assert not any(watcher.is_started for watcher in world.watchers)


def test_a_large_value_is_not_copied_whenever_the_kernel_is_full(world: World) -> None:
    pipe, sock = world.pipe(), Socket(at_once=100_000)
    world.connect(pipe, sock)
    value = bytes(range(256)) * 8192
    behind = b"x" * 10
    pipe.send_only(value)
    pipe.send_only(behind)
    pipe._flush()
    while pipe.out:
        first = pipe.out[0]
        assert len(first) < 1 << 18 or (isinstance(first, memoryview) and first.obj is value)
        pipe._writable()
    assert sock.taken == value + behind


def test_a_node_that_reads_is_not_silent(world: World) -> None:
    """A value may take longer on its way than upstream-timeout-ms."""
    pipe, sock = world.pipe(), Socket(at_once=1000)
    world.connect(pipe, sock)
    pipe.submit(UpstreamRequest(None, b"x" * 10_000, None, 0, False, 0))
    pipe._flush()
    for now in (10, 20, 30):
        world.now = now
        pipe._writable()
        assert pipe.progress_ns == now


def test_room_that_others_use_up_is_waited_for_again() -> None:
    """Many are told of room at once, and the first may fill it: the others are told of the next."""
    pipe: Any = SimpleNamespace(full=True, closed=False, waiting=[])
    told = 0

    def pause(done: Callable[[], bool]) -> None:
        nonlocal told
        while not done():
            assert pipe.waiting, "nobody would tell"
            waiting, pipe.waiting = pipe.waiting, []
            told += 1
            pipe.full = told < 3
            for callback in waiting:
                callback()

    client: Any = SimpleNamespace(
        lane=SimpleNamespace(pending=0, limit=1, pending_bytes=0),
        closed=False,
        unsent_bytes=0,
        _pause=pause,
        _call=lambda: None,
    )
    client._await_room = partial(getattr(WaitingConnection, "_await_room", print), client)
    WaitingConnection._bound(client, pipe)
    assert told == 3
