"""Frees the memory of large values a little at a time.

Dropping the last reference to a container of a million elements stops everything for 40 to 60 ms (10 for a
list), because Python frees the elements one by one.  UNLINK, the expiry cycle and FLUSHALL ASYNC therefore
bury what they have taken out of the keyspace, and the server calls :meth:`Graveyard.free` between its turns
until nothing is left.  Taking apart costs 250 to 500 ms in all, but no more than a slice at a time.

What is buried must be out of everybody's reach: it is taken apart in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kedis.store.database import List
from kedis.structures.containers import Hash, Set
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
    """

    __slots__ = ("_open", "tended")

    def __init__(self) -> None:
        self.tended = False
        self._open: list[Iterator[None]] = []

    def __len__(self) -> int:
        """Values of which something is left, as far as is known."""
        return len(self._open)

    def bury(self, value: Any) -> None:
        """Take ``value`` over when it is a large container; otherwise do nothing.  O(1)."""
        take_apart = _TAKE_APART.get(type(value))
        if take_apart is None or not self.tended or len(value) <= SMALL:
            return
        self._open.append(take_apart(self, value))

    def free(self, clock: Callable[[], int], budget_ns: int = SLICE_NS) -> bool:
        """Free for ``budget_ns`` at most (and one piece); returns whether something is left."""
        opened = self._open
        began = now = clock()
        while opened and began <= now < began + budget_ns:
            parts = opened[-1]
            if next(parts, opened) is opened:
                opened.pop()
            now = clock()
        return bool(opened)

    def _dict(self, mapping: dict[bytes, Any]) -> Iterator[None]:
        while mapping:
            for _ in range(min(PIECE, len(mapping))):
                self.bury(mapping.popitem()[1])
            yield

    def _hash(self, value: Hash) -> Iterator[None]:
        self._separate(value)
        return self._dict(value)

    def _sequence(self, elements: Set | List | list[list[bytes]]) -> Iterator[None]:
        while elements:
            for _ in range(min(PIECE, len(elements))):
                elements.pop()
            yield

    def _set(self, value: Set) -> Iterator[None]:
        self._separate(value)
        return self._sequence(value)

    def _scan_index(self, index: ScanIndex) -> Iterator[None]:
        return self._sequence(index.take_apart())

    def _sorted_set(self, value: SortedSet) -> Iterator[None]:
        self._separate(value)
        return self._sorted_set_parts(value)

    @staticmethod
    def _sorted_set_parts(value: SortedSet) -> Iterator[None]:
        while value:
            value.pop_max(PIECE)
            yield

    def _separate(self, value: Hash | Set | SortedSet) -> None:
        """Bury the index of a container on its own."""
        self.bury(value.index)
        value.index = None


_TAKE_APART: dict[type, Callable[[Graveyard, Any], Iterator[None]]] = {
    dict: Graveyard._dict,
    Hash: Graveyard._hash,
    List: Graveyard._sequence,
    ScanIndex: Graveyard._scan_index,
    Set: Graveyard._set,
    SortedSet: Graveyard._sorted_set,
}
