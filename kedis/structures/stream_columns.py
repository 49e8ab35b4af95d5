"""The entries of a block, column by column: times, sequence numbers, values.

Times and numbers are kept as distances from ``base_ms`` and ``base_number`` in arrays of machine integers, so an entry
needs no objects but its values.  Two arrangements of the values:

* *uniform* (``width`` > 0): all entries have the block's fields; the values stand one after the other in one list;
* *mixed* (``width`` 0): a list of rows.  A row is a tuple of values where the entry has the block's fields, and a list
  of fields and values in turn where it has its own.

Packed, all of it is one string of bytes, which CPython's ``marshal`` writes and reads in one call (7 us to read 100
entries of 2 fields; listpacks, read in Python, take 150).

No list comprehensions: in what Cython 3.3.1 makes of one, an element is freed twice where the list cannot grow.
"""

from __future__ import annotations

import marshal
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from kedis.structures.stream_id import HALF_MAX, SEQUENCE_BITS

#: The values of the block's fields, or fields and values in turn.
Row = tuple[bytes, ...] | list[bytes]
#: The format of marshal that repeats nothing by reference: faster to write, and 5 bytes a string.
_MARSHAL = 2
#: Blocks unpacked lately that are kept, unless longer than this: readers often come back for the next few entries.
_KEPT, _KEPT_BYTES = 16, 1 << 16
#: Bytes of main memory of an unpacked entry beside its values: two numbers; of a value's or row's place; of a row.
ENTRY, PLACE, ROW = 16, 8, 56
#: Of a value beside its bytes: its object, rounded up to 16 as half of the values are, and its place.
VALUE = 41 + PLACE
#: The digits of small sequence numbers.
_KNOWN = 1024
_DIGITS = list(map(b"%d".__mod__, range(_KNOWN)))
#: Ids end so that have the number 0; entries of a second for which it is faster to look that up.
_SECOND, _WORTH_A_SECOND = 1000, 8
_MILLISECONDS = list(map(b"%03d-0".__mod__, range(_SECOND)))


class Columns:
    """Entries with rising ids, counted by position."""

    __slots__ = ("base_ms", "base_number", "numbers", "times", "values", "width")

    def __init__(self, base_ms: int, width: int) -> None:
        """No entries, whose times will not be below `base_ms`, of `width` fields."""
        self.base_ms = base_ms
        self.base_number = 0
        self.times = array("Q")
        self.numbers = array("Q")
        self.values: list[Any] = []
        self.width = width

    def __len__(self) -> int:
        return len(self.times)

    # -- ids ----------------------------------------------------------------------------------------------

    def id_at(self, position: int) -> int:
        """The id at `position`. O(1)."""
        return (
            self.base_ms + self.times[position] << SEQUENCE_BITS | self.base_number + self.numbers[position]
        )

    def ids(self, start: int, stop: int) -> list[int]:
        """The ids at start..stop-1. O(stop - start), 0.1 us each."""
        base_ms, base_number = self.base_ms, self.base_number
        found: list[int] = []
        for time, number in zip(self.times[start:stop], self.numbers[start:stop], strict=True):
            found.append(base_ms + time << SEQUENCE_BITS | base_number + number)
        return found

    def id_texts(self, start: int, stop: int) -> list[bytes]:
        """The same as clients see them. O(stop - start), below 0.1 us each where times are the same or near."""
        base_ms, base_number = self.base_ms, self.base_number
        times, numbers = self.times[start:stop], self.numbers[start:stop]
        if not base_number and not any(numbers):
            return _texts_of_times(times, base_ms)
        found: list[bytes] = []
        at, prefix = -1, b""
        for time, number in zip(times, numbers, strict=True):
            if time != at:
                at, prefix = time, b"%d-" % (base_ms + time)
            number += base_number
            found.append(prefix + (_DIGITS[number] if number < _KNOWN else b"%d" % number))
        return found

    def at_or_above(self, stream_id: int) -> int:
        """The position of the first id that is not below `stream_id`. O(log N)."""
        start, stop, number = self._at_time(stream_id)
        return bisect_left(self.numbers, number, start, stop)

    def above(self, stream_id: int) -> int:
        """The position of the first id above `stream_id`. O(log N)."""
        start, stop, number = self._at_time(stream_id)
        return bisect_right(self.numbers, number, start, stop)

    def _at_time(self, stream_id: int) -> tuple[int, int, int]:
        """The entries that have the time of `stream_id`, from one position up to another; its number as it is kept."""
        time = (stream_id >> SEQUENCE_BITS) - self.base_ms
        start = bisect_left(self.times, time)
        return start, bisect_right(self.times, time, start), (stream_id & HALF_MAX) - self.base_number

    # -- rows ---------------------------------------------------------------------------------------------

    def rows(self, start: int, stop: int) -> list[Row]:
        """The rows at start..stop-1. O(stop - start)."""
        width = self.width
        if not width:
            return self.values[start:stop]
        values = iter(self.values[start * width : stop * width])
        return list(zip(*[values] * width, strict=True))

    def value_columns(self, start: int, stop: int) -> list[list[bytes]] | None:
        """For each field the values at start..stop-1; None in the mixed arrangement. O(values)."""
        width = self.width
        if not width:
            return None
        values: list[Any] = self.values
        columns: list[list[bytes]] = []
        for at in range(width):
            columns.append(values[start * width + at : stop * width : width])  # noqa: PERF401 - see above
        return columns

    def part(self, start: int, stop: int) -> Columns:
        """A copy of the entries at start..stop-1. O(stop - start)."""
        twin = Columns(self.base_ms, self.width)
        twin.base_number = self.base_number
        twin.times, twin.numbers = self.times[start:stop], self.numbers[start:stop]
        width = self.width or 1
        twin.values = self.values[start * width : stop * width]
        return twin

    def mix(self) -> None:
        """Choose the mixed arrangement. O(N)."""
        if self.width:
            self.values, self.width = list(self.rows(0, len(self.times))), 0

    def append(self, stream_id: int, row: Row) -> None:
        """Append an entry; a row that is a list in the mixed arrangement only. O(row)."""
        values: Any = row if self.width else (row,)
        self.extend((stream_id >> SEQUENCE_BITS) - self.base_ms, stream_id & HALF_MAX, values)

    def extend(self, time: int, number: int, values: tuple[Any, ...]) -> None:
        """Append an entry, `time` and `number` as they are kept, and what it adds to the values. O(row)."""
        size = len(self.times)
        try:
            self.times.append(time)
            self.numbers.append(number)
            self.values += values
        except MemoryError:
            del self.times[size:], self.numbers[size:]
            raise

    # -- packing ------------------------------------------------------------------------------------------

    def pack(self) -> bytes:
        """All of it as bytes. O(N)."""
        times = _narrow(self.times)
        numbers = _narrow(self.numbers)
        lowest = 0
        if numbers.itemsize > 2 and (lowest := min(numbers)):
            numbers = _narrow(array("Q", map(lowest.__rsub__, numbers)))
        head = (times.typecode, times.tobytes(), numbers.typecode, numbers.tobytes(), lowest)
        return marshal.dumps((*head, self.width, self.values), _MARSHAL)

    @classmethod
    def unpack(cls, packed: bytes, base_ms: int) -> Columns:
        """What :meth:`pack` made bytes of. O(N)."""
        time_code, times, number_code, numbers, lowest, width, values = marshal.loads(packed)
        columns = cls(base_ms, width)
        columns.base_number = lowest
        columns.times, columns.numbers = array(time_code, times), array(number_code, numbers)
        columns.values = values
        return columns

    def loosen(self) -> None:
        """Prepare what was unpacked for further entries. O(N)."""
        base, self.base_number = self.base_number, 0
        self.times = array("Q", self.times)
        self.numbers = array("Q", map(base.__add__, self.numbers))


def _texts_of_times(times: array[int], base_ms: int) -> list[bytes]:
    """Ids of the rising `times` after `base_ms`, with the number 0; those of the same second are told by a table."""
    if not times:
        return []
    second, last = (base_ms + times[0]) // _SECOND, (base_ms + times[-1]) // _SECOND
    if not second or len(times) < _WORTH_A_SECOND * (last - second + 1):
        return list(map(b"%d-0".__mod__, map(base_ms.__add__, times)))
    texts: list[bytes] = []
    at = 0
    while at < len(times):
        end = bisect_left(times, (second + 1) * _SECOND - base_ms, at)
        prefix, shift = b"%d" % second, base_ms - second * _SECOND
        for time in times[at:end]:
            texts.append(prefix + _MILLISECONDS[time + shift])  # noqa: PERF401 - see above
        at = end
        second += 1
    return texts


@lru_cache(maxsize=_KEPT)
def _unpack_and_keep(packed: bytes, base_ms: int) -> Columns:
    return Columns.unpack(packed, base_ms)


def unpacked(packed: bytes, base_ms: int) -> Columns:
    """As :meth:`Columns.unpack`; not to be changed, for it may be handed out again."""
    return Columns.unpack(packed, base_ms) if len(packed) > _KEPT_BYTES else _unpack_and_keep(packed, base_ms)


def row_footprint(row: Row) -> int:
    """Bytes of main memory of an unpacked entry in a uniform block. O(row)."""
    return sum(map(len, row)) + VALUE * len(row) + ENTRY


def footprint(columns: Columns) -> int:
    """Bytes of main memory of unpacked entries. O(N)."""
    rows = columns.rows(0, len(columns))
    return sum(map(row_footprint, rows)) + (0 if columns.width else ROW * len(rows))


def _narrow(numbers: array[int]) -> array[int]:
    """The numbers, 0 to 2^64 - 1, in the narrowest width that fits all."""
    highest = max(numbers, default=0)
    code = "B" if highest < 1 << 8 else "H" if highest < 1 << 16 else "I" if highest < 1 << 32 else "Q"
    return array(code, numbers)


def interleaved(fields: Sequence[bytes], row: Row) -> list[bytes]:
    """Fields and values of an entry in turn. O(row)."""
    return list(chain.from_iterable(zip(fields, row, strict=True))) if type(row) is tuple else list(row)
