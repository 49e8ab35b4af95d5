"""The value of the list type: a deque that maintains its memory footprint.

Lists are mostly used at both ends, and there CPython's deque works like Redis's quicklist: blocks of 64
elements, linked in both directions. Inside, an element is reached by walking the blocks from the nearer end, and
``rotate``, ``insert`` and ``del`` move whole blocks.

To clients every list is a quicklist; small ones are packed in the compiled build (`kedis.structures.packed`).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from kedis.structures.footprint import CONTAINER, forbid

#: Bytes of an element's place in a block.  The links of a block, a quarter of a byte a place, are not counted.
_PLACE = 8
#: Bytes of an empty list: the object and its first block.
_EMPTY = deque().__sizeof__() + CONTAINER
#: Maximum number of elements removed one by one, each in O(N / 64); above, the remaining ones are collected anew.
_FEW = 8
#: Distance from an end up to which stepping element by element is as fast as rotating the list.
_NEAR = 500


# Called as functions, because the names are forbidden on a List; as fast as the method of an instance.
_append_left, _append_right = deque.appendleft, deque.append
_take_left, _take_right = deque.popleft, deque.pop


def _elements_bytes(values: Iterable[bytes]) -> int:
    """Bytes of elements and of their places."""
    return sum([(len(value) + 48 & -16) + _PLACE for value in values])


class List(deque[bytes]):
    """A list value: O(1) at both ends, O(distance / 64) inside.

    Reading is deque's own. Only the methods defined here change a list; the other mutators of deque
    raise TypeError, because they would bypass ``footprint``.
    """

    __slots__ = ("accounted_bytes", "footprint")

    footprint: int  # bytes of main memory that the list occupies
    accounted_bytes: int  # the footprint in the account of the keyspace

    def __init__(self, elements: Iterable[bytes] = ()) -> None:
        """Build from elements, head first. O(N)."""
        super().__init__(elements)
        self.footprint = _EMPTY + _elements_bytes(self) if self else _EMPTY
        self.accounted_bytes = 0

    def copy(self) -> "List":
        """An independent copy.  O(N), 10 ns an element."""
        twin = List()
        deque.extend(twin, self)
        twin.footprint = self.footprint
        return twin

    # -- the ends -----------------------------------------------------------------------------------------

    def push_left(self, value: bytes) -> None:
        """Put `value` at the head. O(1)."""
        _append_left(self, value)
        self.footprint += (len(value) + 48 & -16) + _PLACE

    def push_right(self, value: bytes) -> None:
        """Put `value` at the tail. O(1)."""
        _append_right(self, value)
        self.footprint += (len(value) + 48 & -16) + _PLACE

    def push_left_many(self, values: Sequence[bytes]) -> None:
        """Put each of `values` at the head in turn, so that the last of them becomes the first. O(values)."""
        super().extendleft(values)
        self.footprint += _elements_bytes(values)

    def push_right_many(self, values: Sequence[bytes]) -> None:
        """Put `values` at the tail, in their order. O(values)."""
        super().extend(values)
        self.footprint += _elements_bytes(values)

    def pop_left(self) -> bytes:
        """Remove and return the head; IndexError when empty. O(1)."""
        value = _take_left(self)
        self.footprint -= (len(value) + 48 & -16) + _PLACE
        return value

    def pop_right(self) -> bytes:
        """Remove and return the tail; IndexError when empty. O(1)."""
        value = _take_right(self)
        self.footprint -= (len(value) + 48 & -16) + _PLACE
        return value

    def pop_left_many(self, count: int) -> list[bytes]:
        """Remove and return up to `count` elements at the head, the outermost first. O(count)."""
        if count >= len(self):
            return self._pop_all()
        popped = [_take_left(self) for _ in range(count)]
        self.footprint -= _elements_bytes(popped)
        return popped

    def pop_right_many(self, count: int) -> list[bytes]:
        """Remove and return up to `count` elements at the tail, the outermost first. O(count)."""
        if count >= len(self):
            popped = self._pop_all()
            popped.reverse()
            return popped
        popped = [_take_right(self) for _ in range(count)]
        self.footprint -= _elements_bytes(popped)
        return popped

    def _pop_all(self) -> list[bytes]:
        popped = list(self)
        self.clear()
        return popped

    def clear(self) -> None:
        """Remove everything. O(N)."""
        super().clear()
        self.footprint = _EMPTY

    # -- inside -------------------------------------------------------------------------------------------

    def replace(self, position: int, value: bytes) -> None:
        """Set the element at `position`, -N <= position < N (IndexError otherwise)."""
        old = self[position]
        super().__setitem__(position, value)
        self.footprint += (len(value) + 48 & -16) - (len(old) + 48 & -16)

    def insert(self, position: int, value: bytes) -> None:
        """Put `value` before the element at `position`."""
        super().insert(position, value)
        self.footprint += (len(value) + 48 & -16) + _PLACE

    def discard(self, value: bytes, count: int) -> int:
        """Remove `value` up to `count` times from the head, -`count` from the tail, or (0) all; return how often.

        O(N); for a count of 1 or -1 only as far as the element is from its end.
        """
        if abs(count) == 1:
            positions = self.positions if count > 0 else self.positions_from_tail
            position = next(positions(value, len(self)), None)
            if position is None:
                return 0
            super().__delitem__(position)
            removed = 1
        else:
            removed = self._discard_several(value, count)
        self.footprint -= ((len(value) + 48 & -16) + _PLACE) * removed
        return removed

    def _discard_several(self, value: bytes, count: int) -> int:
        total = self.count(value)
        removed = min(abs(count), total) if count else total
        if total <= _FEW:
            places = list(self.positions(value, len(self)))
            for place in reversed(places[-removed:] if count < 0 else places[:removed]):
                super().__delitem__(place)
        elif removed == total:
            kept = [element for element in self if element != value]
            super().clear()
            super().extend(kept)
        elif removed:
            # The remaining ones: before the removed ones when counting from the tail, after them otherwise.
            first = total - removed if count < 0 else 0
            doomed = range(first, first + removed)
            seen = -1
            kept = []
            for element in self:
                if element == value:
                    seen += 1
                    if seen in doomed:
                        continue
                kept.append(element)
            super().clear()
            super().extend(kept)
        return removed

    def trim(self, start: int, stop: int) -> None:
        """Keep positions start..stop-1, 0 <= start <= stop <= N, and no others. O(elements removed)."""
        size = len(self)
        if stop - start < size - (stop - start):
            part = self.slice(start, stop)
            super().clear()
            super().extend(part)
            self.footprint = _EMPTY + _elements_bytes(part)
        else:
            cut = [_take_left(self) for _ in range(start)]
            cut += [_take_right(self) for _ in range(size - stop)]
            self.footprint -= _elements_bytes(cut)

    # -- reading ------------------------------------------------------------------------------------------

    def slice(self, start: int, stop: int) -> list[bytes]:
        """The elements of positions start..stop-1, 0 <= start <= stop <= N. O(S / 64 + M), S from the nearer end."""
        if start <= _NEAR:
            return list(islice(self, start, stop))
        from_end = len(self) - stop
        if from_end <= _NEAR:
            part = list(islice(reversed(self), from_end, from_end + stop - start))
            part.reverse()
            return part
        # Blocks move four times as fast as an iterator steps: position 500,000 in 0.36 ms instead of 1.6 ms.
        self.rotate(-start)
        part = list(islice(self, stop - start))
        self.rotate(start)
        return part

    def words(self) -> tuple[bytes, int] | None:
        """The words of a packed list and their number: see `kedis.structures.packed`."""
        return None

    def positions(self, value: bytes, reach: int) -> Iterator[int]:
        """Positions of `value` among the first `reach` elements, from the head. O(reach)."""
        position = -1
        try:
            while True:
                position = self.index(value, position + 1, reach)
                yield position
        except ValueError:
            return

    def positions_from_tail(self, value: bytes, reach: int) -> Iterator[int]:
        """Positions of `value` among the last `reach` elements, from the tail. O(reach)."""
        last = len(self) - 1
        return (last - i for i, element in enumerate(islice(reversed(self), reach)) if element == value)

    def free_in_steps(self, piece: int) -> Iterator[None]:
        """Empty an unreferenced list; yields after every `piece` elements. O(N)."""
        while self:
            self.pop_right_many(piece)
            yield

    def _check(self) -> None:
        assert self.footprint == _EMPTY + _elements_bytes(self)


forbid(
    List,
    *("__delitem__", "__iadd__", "__imul__", "__setitem__", "append", "appendleft", "extend", "extendleft"),
    *("pop", "popleft", "remove"),
)
