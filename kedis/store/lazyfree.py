"""Frees the memory of large values a little at a time.

Dropping the last reference to a container of a million elements stops everything for 40 to 60 ms (10 for a
list), because Python frees the elements one by one.  UNLINK, the expiry cycle and FLUSHALL ASYNC therefore
bury what they have taken out of the keyspace, and the server calls :meth:`Graveyard.free` between its turns
until nothing is left.  Taking apart costs 250 to 500 ms in all, but no more than a slice at a time.

What is buried must be out of everybody's reach: it is taken apart in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from functools import partial
from typing import Any

from kedis.store.database import VOLATILE, key_footprint
from kedis.structures.containers import Hash, Set
from kedis.structures.footprint import bytes_footprint
from kedis.structures.lists import List
from kedis.structures.scan_index import ScanIndex
from kedis.structures.sorted_set import SortedSet

#: Containers up to this size are freed at once: it takes less than 0.1 ms.
SMALL = 1000
#: Elements freed between two looks at the clock.
PIECE = 200
#: The longest piece of work without a pause that a server should ask for, in nanoseconds.
SLICE_NS = 2_000_000


class Graveyard:
    """What is waiting to be freed.

    Nothing is kept unless ``tended`` is set, by which a server promises to call :meth:`free`.

    Args:
        freed: is told how many bytes went, by the account that counted what was buried.

    Attributes:
        pending: keys and values that wait (``lazyfree_pending_objects``).
        freed_objects: those that are gone (``lazyfreed_objects``).
    """

    __slots__ = ("_freed", "_open", "freed_objects", "pending", "tended")

    def __init__(self, freed: Callable[[int], None] = lambda size: None) -> None:
        self.tended = False
        self.pending = 0
        self.freed_objects = 0
        self._freed = freed
        self._open: list[Iterator[None]] = []

    def __len__(self) -> int:
        """Parts of which something is left."""
        return len(self._open)

    def bury(self, value: Any, size: int = 0) -> bool:
        """Take ``value`` over when it is a large container; otherwise do nothing and return False.  O(1).

        ``size`` is what the account holds for it: it is given back step by step.
        """
        take_apart = _TAKE_APART.get(type(value))
        if take_apart is None or not self.tended or len(value) <= SMALL:
            return False
        self.pending += 1
        self._open.append(self._counted(take_apart(self, value), len(value), size))
        return True

    def bury_keys(self, data: dict[bytes, Any], expires: dict[bytes, int], rest: Iterable[Any]) -> None:
        """Take over a whole database: its keys and values, times to live, and what has no account of its own.  O(1).

        The buffers among the values must have been taken off the account.
        """
        self._open.append(self._keys(data))
        self._open.append(self._times(expires))
        self._open += [self._uncounted(part) for part in rest if part]
        self.pending += len(data)
        if not self.tended:
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
        """``parts`` of a value of ``count`` elements, whose ``size`` is given back in proportion."""
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
                if type(value) is bytes:
                    size += bytes_footprint(value)
                elif not isinstance(value, bytearray):
                    if self.bury(value, value.settled):
                        continue
                    size += value.settled
                self.freed_objects += 1
            self._freed(size)
            yield

    def _times(self, expires: dict[bytes, int]) -> Iterator[None]:
        while expires:
            count = min(PIECE, len(expires))
            for _ in range(count):
                expires.popitem()
            self._freed(VOLATILE * count)
            yield

    def _uncounted(self, part: Any) -> Iterator[None]:
        """A part of a database whose bytes are counted with its keys."""
        return self._scan_index(part) if type(part) is ScanIndex else self._items(part)

    def _items(self, mapping: dict[bytes, Any]) -> Iterator[None]:
        # A hash in pieces has no account any more, so it may lose them through dict's own method.
        return self._popped(partial(dict.popitem, mapping), mapping)

    def _hash(self, value: Hash) -> Iterator[None]:
        self._separate(value)
        return self._items(value)

    def _list(self, value: List) -> Iterator[None]:
        while value:
            value.pop_right_many(PIECE)
            yield

    def _set(self, value: Set) -> Iterator[None]:
        self._separate(value)
        return self._popped(partial(set.pop, value), value)

    def _scan_index(self, index: ScanIndex) -> Iterator[None]:
        parts = index.take_apart()
        return self._popped(parts.pop, parts)

    @staticmethod
    def _popped(pop: Callable[[], Any], elements: Sized) -> Iterator[None]:
        while elements:
            for _ in range(min(PIECE, len(elements))):
                pop()
            yield

    def _sorted_set(self, value: SortedSet) -> Iterator[None]:
        self._separate(value)
        return self._sorted_set_parts(value)

    @staticmethod
    def _sorted_set_parts(value: SortedSet) -> Iterator[None]:
        while value:
            value.pop_max(PIECE)
            yield

    def _separate(self, value: Hash | Set | SortedSet) -> None:
        """Free the index of a container on its own."""
        if value.index is not None:
            self._open.append(self._scan_index(value.index))
        value.index = None


_TAKE_APART: dict[type, Callable[[Graveyard, Any], Iterator[None]]] = {
    Hash: Graveyard._hash,
    List: Graveyard._list,
    Set: Graveyard._set,
    SortedSet: Graveyard._sorted_set,
}
