"""WAIT: clients that wait until enough replicas have confirmed the changes before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kedis.engine.call import finish_blocked

if TYPE_CHECKING:
    from kedis.engine.blocking import Attempt, Waiter
    from kedis.engine.client import Client
    from kedis.engine.engine import Engine

_LEAST = 64


class _Wait(NamedTuple):
    waiter: Waiter
    offset: int
    needed: int

    @property
    def is_on(self) -> bool:
        """Whether its time is not up, and the client has not left."""
        return self.waiter.client.blocked is self.waiter


class Confirmations:
    """The clients of ``engine`` that wait for confirmations.

    Args:
        confirmed: number of replicas that have confirmed the stream up to an offset.
    """

    def __init__(self, engine: Engine, confirmed: Callable[[int], int]) -> None:
        self._engine = engine
        self._confirmed = confirmed
        self._waits: list[_Wait] = []
        #: How many of them there may be before those that are over are removed.
        self._most = _LEAST

    def wait(self, client: Client, argv: Sequence[bytes], offset: int, count: int, timeout_ms: int) -> None:
        """Block ``client`` until ``count`` replicas have confirmed ``offset``, or for ``timeout_ms`` (0: no limit)."""
        blocking = self._engine.blocking
        blocking.wait_for_task(client, argv, timeout_ms, lambda: self._confirmed(offset))
        assert client.blocked is not None
        # Without replicas nobody confirms anything, and all end by their time.
        if len(self._waits) >= self._most:
            self._waits = [wait for wait in self._waits if wait.is_on]
            self._most = max(2 * len(self._waits), _LEAST)
        self._waits.append(_Wait(client.blocked, offset, count))

    def review(self) -> None:
        """Answer those whose wait is over, after a confirmation. O(clients that wait)."""
        if not self._waits:
            return
        waits, self._waits = self._waits, []
        for wait in waits:
            if not wait.is_on:
                continue
            waiter, offset, needed = wait
            confirmed = self._confirmed(offset)
            if confirmed >= needed:
                finish_blocked(self._engine, waiter, _answer(confirmed))
            else:
                self._waits.append(wait)


def _answer(count: int) -> Attempt:
    return lambda _client, _key: count
