"""The value behind the list type: a deque that knows the size of its elements.

Both ends are what lists are used for, and there CPython's deque does what Redis's quicklist does: blocks of 64
elements, linked in both directions.

Simplified: no compact encoding; OBJECT ENCODING is answered from sizes, not from the representation.
"""

from collections import deque
from collections.abc import Iterable

from kedis.structures.footprint import CONTAINER, bytes_footprints


class List(deque[bytes]):
    """A list value: O(1) at both ends, O(distance / 64) inside.

    Whoever adds or removes elements keeps ``payload``, their bytes (``len(element) + 48 & -16`` each).
    """

    __slots__ = ("payload", "settled")

    def __init__(self, elements: Iterable[bytes] = ()) -> None:
        super().__init__(elements)
        self.payload = bytes_footprints(self) if self else 0
        self.settled = 0

    def footprint(self) -> int:
        """Bytes of main memory that the list occupies.  O(1)."""
        return self.payload + self.__sizeof__() + CONTAINER
