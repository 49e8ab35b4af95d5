"""A server and its network without either: links, a poller and a clock for the driver, all from one number."""

from __future__ import annotations

import heapq
import select
from collections.abc import Callable
from typing import Any

#: What a look at the sockets costs, so that time goes on while the driver is awake.
LOOK_NS = 1_000


class World:
    """Time, and what is on its way.

    Args:
        answer: payload -> the bytes that come back; None: nothing ever does.
        service_ns: from a request to its reply.
        stall: from when to when the server does nothing.
        piece: bytes that arrive at once, the next of them a microsecond later.
    """

    def __init__(
        self,
        answer: Callable[[bytes], bytes | None],
        service_ns: int = 10_000,
        stall: tuple[int, int] = (0, 0),
        piece: int = 1 << 20,
    ) -> None:
        self.now = 0
        self.answer = answer
        self.service_ns, self.stall, self.piece = service_ns, stall, piece
        self.sent: list[tuple[int, bytes]] = []
        self.coming: list[tuple[int, int, int, bytes]] = []
        self.arrived: dict[int, list[bytes]] = {}

    def clock(self) -> int:
        return self.now

    def links(self, count: int) -> list[Any]:
        return [Link(self, fd) for fd in range(3, 3 + count)]

    def accept(self, fd: int, payload: bytes) -> None:
        self.sent.append((self.now, payload))
        reply = self.answer(payload)
        if reply is None:
            return
        at = self.now + self.service_ns
        if self.stall[0] <= at < self.stall[1]:
            at = self.stall[1]
        pieces = [reply[start : start + self.piece] for start in range(0, len(reply), self.piece)] or [b""]
        for number, piece in enumerate(pieces):
            heapq.heappush(self.coming, (at + number * 1_000, len(self.sent), fd, piece))


class Link:
    """One connection, in the place of a socket."""

    def __init__(self, world: World, fd: int) -> None:
        self._world, self._fd = world, fd

    def fileno(self) -> int:
        return self._fd

    def setblocking(self, blocking: bool) -> None:
        assert not blocking

    def send(self, payload: bytes) -> int:
        self._world.accept(self._fd, bytes(payload))
        return len(payload)

    def recv(self, size: int) -> bytes:
        return self._world.arrived[self._fd].pop(0)


class Poller:
    """In the place of ``select.epoll``: goes on in time to the next arrival, or for as long as it may wait."""

    def __init__(self, world: World) -> None:
        self._world = world

    def register(self, fd: int, events: int) -> None:
        assert events == select.EPOLLIN

    def close(self) -> None:
        pass

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        world = self._world
        until = world.now + max(LOOK_NS, int(seconds * 1e9))
        if world.coming:
            until = max(world.now, min(until, world.coming[0][0]))
        world.now = until
        ready = []
        while world.coming and world.coming[0][0] <= world.now:
            _, _, fd, piece = heapq.heappop(world.coming)
            world.arrived.setdefault(fd, []).append(piece)
            ready.append((fd, select.EPOLLIN))
        return ready
