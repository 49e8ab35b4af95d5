"""WAIT: clients that wait until enough replicas have confirmed the changes before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kedis.engine.call import finish_blocked

if TYPE_CHECKING:
    from kedis.engine.blocking import Attempt, Waiter
    from kedis.engine.client import Client
    from kedis.engine.engine import Engine


class _Wait(NamedTuple):
    waiter: Waiter
    offset: int
    needed: int


class Confirmations:
    """The clients of ``engine`` that wait for confirmations.

    Args:
        confirmed: number of replicas that have confirmed the stream up to an offset.
    """

    def __init__(self, engine: Engine, confirmed: Callable[[int], int]) -> None:
        self._engine = engine
        self._confirmed = confirmed
        self._waits: list[_Wait] = []

    def wait(self, client: Client, argv: Sequence[bytes], offset: int, count: int, timeout_ms: int) -> None:
        """Block ``client`` until ``count`` replicas have confirmed ``offset``, or for ``timeout_ms`` (0: no limit)."""
        blocking = self._engine.blocking
        blocking.wait_for_task(client, argv, timeout_ms, lambda: self._confirmed(offset))
        assert client.blocked is not None
        self._waits.append(_Wait(client.blocked, offset, count))

    def review(self) -> None:
        """Answer those whose wait is over, after a confirmation. O(clients that wait)."""
        if not self._waits:
            return
        waits, self._waits = self._waits, []
        for wait in waits:
            waiter, offset, needed = wait
            if waiter.client.blocked is not waiter:  # its time is up, or it has left
                continue
            confirmed = self._confirmed(offset)
            if confirmed >= needed:
                finish_blocked(self._engine, waiter, _answer(confirmed))
            else:
                self._waits.append(wait)

    @property
    def awaited(self) -> bool:
        """Whether any client waits."""
        return bool(self._waits)


def _answer(count: int) -> Attempt:
    return lambda _client, _key: count
