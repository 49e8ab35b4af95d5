"""A sorted map from stream ids to anything: the blocks of a stream, and its lists of pending entries.

A dict finds the value of an id.  Beside it the ids stand in order in *runs*, short sorted lists whose concatenation is
sorted, and ``_lasts`` holds the last id of each run, so that two binary searches lead to the place of any id.  Ids
arrive nearly always in order: then an insertion appends to the last run.

Redis uses a radix tree for all three purposes.  Both find an id, insert and remove in O(log N) and go on from there in
O(1) per id; the runs need 8 bytes an id and C's own binary search, where a tree in Python would need an object a node.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

#: Ids in a run that is full; a run in the middle is split when it has grown to twice as many.
_RUN = 512
#: Bytes of main memory of a map without ids, and of each id in it: key, place in the dict, place in the run.
EMPTY, ENTRY = 320, 112


class IdMap:
    """Values by id, in the order of the ids; None is no value."""

    __slots__ = ("_lasts", "_runs", "_values")

    def __init__(self) -> None:
        self._values: dict[int, Any] = {}
        self._runs: list[list[int]] = []
        self._lasts: list[int] = []

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: int) -> bool:
        return key in self._values

    def __getitem__(self, key: int) -> Any:
        """The value at `key`; KeyError when there is none. O(1)."""
        return self._values[key]

    def get(self, key: int) -> Any:
        """The value at `key`, or None. O(1)."""
        return self._values.get(key)

    def __setitem__(self, key: int, value: Any) -> None:
        """Insert or replace. O(1) when `key` is the highest or there already, else O(log N)."""
        values, lasts = self._values, self._lasts
        known = key in values
        values[key] = value
        if known:
            return
        try:
            if lasts and key > lasts[-1] and len(self._runs[-1]) < _RUN:  # nearly all
                self._runs[-1].append(key)
                lasts[-1] = key
            else:
                self._insert(key)
        except MemoryError:
            del values[key], self._runs[len(lasts) :]
            raise

    def extend(self, keys: list[int], values: list[Any]) -> None:
        """Insert `keys`, rising and all above the highest, with a value each. O(keys), 0.05 us each."""
        self._values.update(zip(keys, values, strict=True))
        runs, lasts, at = self._runs, self._lasts, 0
        if runs and (room := _RUN - len(runs[-1])) > 0:
            runs[-1] += keys[:room]
            lasts[-1] = runs[-1][-1]
            at = room
        for start in range(at, len(keys), _RUN):
            run = keys[start : start + _RUN]
            runs.append(run)
            lasts.append(run[-1])

    def _insert(self, key: int) -> None:
        lasts, runs = self._lasts, self._runs
        if not lasts or key > lasts[-1]:
            if lasts and len(runs[-1]) < _RUN:
                runs[-1].append(key)
                lasts[-1] = key
            else:
                runs.append([key])
                lasts.append(key)
            return
        at = bisect_left(lasts, key)
        run = runs[at]
        insort(run, key)
        if len(run) >= 2 * _RUN:
            runs[at : at + 1] = [run[:_RUN], run[_RUN:]]
            lasts.insert(at, run[_RUN - 1])

    def pop(self, key: int) -> Any:
        """Remove `key`; its value, or None when it is not there. O(log N)."""
        value = self._values.pop(key, None)
        if value is None:
            return None
        runs, lasts, at = self._runs, self._lasts, 0
        run = runs[0]
        if run[0] == key:  # most: the oldest go first
            del run[0]
        else:
            at = bisect_left(lasts, key)
            run = runs[at]
            del run[bisect_left(run, key)]
        if not run:
            del runs[at], lasts[at]
        elif key == lasts[at]:
            lasts[at] = run[-1]
        return value

    def pop_last(self) -> Any:
        """Remove the highest id, which must be there; its value. O(1)."""
        run = self._runs[-1]
        key = run.pop()
        if run:
            self._lasts[-1] = run[-1]
        else:
            del self._runs[-1], self._lasts[-1]
        return self._values.pop(key)

    # -- order --------------------------------------------------------------------------------------------

    def first(self) -> int | None:
        """The lowest id, None when empty. O(1)."""
        return self._runs[0][0] if self._runs else None

    def last(self) -> int | None:
        """The highest id, None when empty. O(1)."""
        return self._lasts[-1] if self._lasts else None

    def floor(self, key: int) -> int | None:
        """The highest id that is at most `key`. O(log N)."""
        at = bisect_right(self._lasts, key)
        if at < len(self._runs):
            run = self._runs[at]
            place = bisect_right(run, key)
            if place:
                return run[place - 1]
        return self._lasts[at - 1] if at else None

    def above(self, key: int) -> int | None:
        """The lowest id above `key`, None when there is none. O(log N)."""
        at = bisect_right(self._lasts, key)
        if at == len(self._runs):
            return None
        run = self._runs[at]
        return run[bisect_right(run, key)]

    def keys(self, start: int = 0) -> Iterator[int]:
        """The ids from `start` on, rising. O(log N), then O(1) each; the map must not change meanwhile."""
        at = bisect_left(self._lasts, start)
        if at < len(self._runs):
            run = self._runs[at]
            yield from run[bisect_left(run, start) :] if run[0] < start else run
            for run in self._runs[at + 1 :]:
                yield from run

    def keys_down(self, start: int) -> Iterator[int]:
        """The ids from `start` down, falling. O(log N), then O(1) each; the map must not change meanwhile."""
        at = bisect_left(self._lasts, start)
        if at < len(self._runs):
            run = self._runs[at]
            yield from reversed(run[: bisect_right(run, start)])
        for run in reversed(self._runs[:at]):
            yield from reversed(run)

    def values(self) -> Iterator[Any]:
        """The values in the order of their ids. O(N)."""
        values = self._values
        return (values[key] for run in self._runs for key in run)

    def items(self) -> Iterator[tuple[int, Any]]:
        """Ids and values, rising. O(N)."""
        values = self._values
        return ((key, values[key]) for run in self._runs for key in run)

    def _check(self) -> None:
        order = [key for run in self._runs for key in run]
        assert all(low < high for low, high in pairwise(order))
        assert order == sorted(self._values)
        assert all(self._runs)
        assert self._lasts == [run[-1] for run in self._runs]
        assert all(len(run) < 2 * _RUN for run in self._runs)
