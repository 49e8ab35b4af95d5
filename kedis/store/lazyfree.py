"""Lazy free: frees the memory of large values in small steps.

Dropping the last reference to a container of a million elements stops everything for 40 to 60 ms (10 for a
list), because Python frees the elements one by one. UNLINK, the expiry cycle and FLUSHALL ASYNC therefore
queue the values they have removed from the keyspace, and the server calls :meth:`LazyFree.free` between its turns
until nothing is left. Emptying in steps costs 250 to 500 ms in all, but no more than a slice at a time.

Queued values must not be referenced elsewhere: they are emptied in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kedis.store.account import EXPIRY_ENTRY, accounted, key_footprint
from kedis.store.types import is_value, type_of
from kedis.structures.key_numbers import KeyNumbers
from kedis.structures.scan_index import LOAD

#: Containers up to this size are freed at once: it takes less than 0.1 ms.
SMALL = 1000
#: Number of elements freed between two clock readings.
PIECE = 200
#: The longest piece of work without a pause that a server should ask for, in nanoseconds.
SLICE_NS = 2_000_000


class LazyFree:
    """The queue of values to free.

    Nothing is queued unless ``enabled`` is set, which obliges a server to call :meth:`free`.

    Args:
        freed: called with the number of freed bytes, by the account that counted the queued values.

    Attributes:
        pending: number of keys and values that wait (``lazyfree_pending_objects``).
        freed_objects: number of freed ones (``lazyfreed_objects``).
    """

    __slots__ = ("_freed", "_open", "enabled", "freed_objects", "pending")

    def __init__(self, freed: Callable[[int], None] = lambda size: None) -> None:
        self.enabled = False
        self.pending = 0
        self.freed_objects = 0
        self._freed = freed
        self._open: list[Iterator[None]] = []

    def __len__(self) -> int:
        """Number of queue entries that are not fully freed."""
        return len(self._open)

    def free_later(self, value: Any, size: int = 0) -> bool:
        """Take over ``value`` if it is a large container; otherwise do nothing and return False. O(1).

        ``size`` is its size in the account, which is subtracted step by step.
        """
        if not self.enabled or not is_value(value) or len(value) <= SMALL:
            return False
        free_in_steps = type_of(value).free_in_steps
        if free_in_steps is None:
            return False
        self.pending += 1
        self._open.append(self._counted(free_in_steps(value, PIECE), len(value), size))
        return True

    def free_keys_later(
        self, data: dict[bytes, Any], expires: KeyNumbers, rest: Iterable[Iterator[None]] = ()
    ) -> None:
        """Take over a whole database: keys and values, times to live, and the steps of unaccounted parts. O(1)."""
        self._open.append(self._keys(data))
        self._open.append(self._times(expires))
        self._open += rest
        self.pending += len(data)
        if not self.enabled:
            while self._open:
                self._step()

    def free(self, clock: Callable[[], int], budget_ns: int = SLICE_NS) -> bool:
        """Free for ``budget_ns`` at most (and one piece); returns whether something is left."""
        began = now = clock()
        while self._open and began <= now < began + budget_ns:
            self._step()
            now = clock()
        return bool(self._open)

    def _step(self) -> None:
        opened = self._open
        parts = opened[-1]
        if next(parts, opened) is opened:
            opened.pop()

    def _counted(self, parts: Iterator[None], count: int, size: int) -> Iterator[None]:
        """Free ``parts`` of a value of ``count`` elements; its ``size`` is subtracted in proportion."""
        left = size
        piece = min(size, size * PIECE // count)
        for _ in parts:
            self._freed(min(piece, left))
            left -= min(piece, left)
            yield
        self._freed(left)
        self.pending -= 1
        self.freed_objects += 1

    def _keys(self, data: dict[bytes, Any]) -> Iterator[None]:
        while data:
            size = 0
            for _ in range(min(PIECE, len(data))):
                key, value = data.popitem()
                size += key_footprint(key)
                self.pending -= 1
                held = accounted(value)
                if len(value) > SMALL and self.free_later(value, held):
                    continue
                size += held
                self.freed_objects += 1
            self._freed(size)
            yield

    def _times(self, expires: KeyNumbers) -> Iterator[None]:
        left = len(expires)
        for _ in expires.free_in_steps(max(PIECE // LOAD, 1)):
            count = min(PIECE, left)
            left -= count
            self._freed(EXPIRY_ENTRY * count)
            yield
        self._freed(EXPIRY_ENTRY * left)
