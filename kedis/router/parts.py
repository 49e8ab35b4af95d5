"""Sinks of requests that have parts: the replies of several nodes become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kedis.router.flow import UpstreamRequest
from kedis.router.joining import Join, joined


class Collected:
    """The replies to the parts of ``whole``.

    Attributes:
        replies: in the order of the parts.
        missing: how many are not there yet.
    """

    __slots__ = ("_numbers", "missing", "replies", "whole")

    def __init__(self, whole: UpstreamRequest) -> None:
        self.whole = whole
        self._numbers: dict[int, int] = {}
        self.replies: list[bytes] = []
        self.missing = 0

    @property
    def gone(self) -> bool:
        return bool(self.whole.sink.gone)

    def add(self, part: UpstreamRequest) -> None:
        """``part`` is the next one."""
        self._numbers[id(part)] = len(self.replies)
        self.replies.append(b"")
        self.missing += 1

    def _take(self, part: UpstreamRequest, reply: bytes) -> None:
        self.replies[self._numbers[id(part)]] = reply
        self.missing -= 1


class Gathered(Collected):
    """Collects the replies for who waits for them: ``call`` is called at each."""

    __slots__ = ("_call",)

    def __init__(self, whole: UpstreamRequest, call: Callable[[], None]) -> None:
        super().__init__(whole)
        self._call = call

    def deliver(self, request: UpstreamRequest, reply: bytes) -> None:
        """Take the reply to a part."""
        self._take(request, reply)
        self._call()


class Parts(Collected):
    """Delivers what ``join`` makes of the replies.

    Args:
        positions: of each part's keys in the request.
    """

    __slots__ = ("_join", "_positions")

    def __init__(self, whole: UpstreamRequest, join: Join, positions: Sequence[Sequence[int]]) -> None:
        super().__init__(whole)
        self._join = join
        self._positions = positions

    def deliver(self, request: UpstreamRequest, reply: bytes) -> None:
        """Take the reply to a part."""
        self._take(request, reply)
        if not self.missing:
            self.whole.sink.deliver(self.whole, joined(self._join, self.replies, self._positions))
