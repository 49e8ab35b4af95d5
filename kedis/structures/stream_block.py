"""A block of a stream: the entries that one node of Redis's would hold, in packed bytes.

In Redis a stream is a radix tree of listpacks.  Each *node* begins with a master entry: how many entries live, how many
are marked as deleted, and the names of the first entry's fields.  An entry that has the same fields stores its values
only, and its id as the distance from the node's own id.  A node takes entries until it has ``stream-node-max-entries``
of them, the deleted ones included, or until the next would take it to ``stream-node-max-bytes``.

What clients see of this is ``XTRIM ~``, which removes nodes as wholes.  A block therefore has the borders of Redis's
node: it computes the size that the listpack would have (``size``), and keeps deleted entries, marked, until all are.

The last block of a stream is *loose*: a list of ids and one of rows, so that XADD appends two objects.  When the next
block begins it is *packed* into one string of bytes, from which CPython's ``marshal`` restores all values in one call
(15 us for 100 entries of 2 fields; the same from listpacks, in Python, 150).  Ids are packed as distances, in the
narrowest width that all of them fit.

A row is a tuple of the values where an entry has the block's fields, and a list of fields and values in turn otherwise.
Entries are counted by position in the block; those before ``begin`` and those in ``holes`` are deleted.
"""

from __future__ import annotations

import marshal
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any, NamedTuple

from kedis.structures.footprint import bytes_footprint, bytes_footprints
from kedis.structures.listpack_size import FRAME, LISTPACK_MAX, elements_size, integer_size
from kedis.structures.stream_id import HALF_MAX, SEQUENCE_BITS

#: The values of the block's fields, or fields and values in turn.
Row = tuple[bytes, ...] | list[bytes]
#: Ids, rising, and as many rows.
Columns = tuple[Sequence[int], Sequence[Row]]

#: The format of marshal that repeats nothing by reference: faster to write, and 5 bytes a string.
_MARSHAL = 2
#: Blocks unpacked lately that are kept, unless longer than this: readers often come back for the next few entries.
_KEPT, _KEPT_BYTES = 32, 1 << 16
#: Bytes of a block around its entries, and of a loose entry around its values: id, row, a place for each.
BLOCK, _LOOSE_ENTRY = 160, 120
_PLACE = 8


class NodeLimits(NamedTuple):
    """When a node of Redis's is full: ``stream-node-max-entries`` and ``-bytes``; 0 is no limit."""

    entries: int = 100
    size: int = 4096


class Segment(NamedTuple):
    """Consecutive entries of one block."""

    fields: tuple[bytes, ...]
    ids: Sequence[int]
    rows: Sequence[Row]


class Block:
    """Entries with rising ids.

    Attributes:
        base: the id of the first entry ever, which is the node's own.
        last: the id of the last one, deleted or not.
        fields: the fields of the first entry.
        live: entries that are not deleted.
        begin: how many positions at the start are deleted.
        holes: the positions of other deleted entries, None for none.
        held: bytes of main memory of the entries.
    """

    __slots__ = (
        "_body",
        "_ids",
        "_packed",
        "_rows",
        "base",
        "begin",
        "fields",
        "held",
        "holes",
        "last",
        "live",
    )

    def __init__(self, base: int, fields: tuple[bytes, ...]) -> None:
        """An empty block whose first entry will have the id `base` and `fields`."""
        self.base = self.last = base
        self.fields = fields
        self.live = 0
        self.begin = 0
        self.holes: set[int] | None = None
        self.held = bytes_footprints(fields) + _PLACE * len(fields) + BLOCK
        self._body = FRAME + integer_size(len(fields)) + elements_size(fields) + integer_size(0)
        self._ids: list[int] = []
        self._rows: list[Row] = []
        self._packed: bytes | None = None

    @classmethod
    def restored(
        cls,
        base: int,
        fields: tuple[bytes, ...],
        ids: list[int],
        rows: list[Row],
        deleted: Iterable[int],
    ) -> Block:
        """A loose block of entries that exist elsewhere; takes the lists over.

        Args:
            ids: rising, the first not below `base`.
            deleted: the positions of those that are marked as deleted, rising.

        O(block).
        """
        block = cls(base, fields)
        block._ids, block._rows = ids, rows
        block._body += sum(map(block._entry_size, ids, rows))
        block.held += _loose_sizes(rows)
        block.last = ids[-1]
        block.live = len(ids)
        for at in deleted:
            block._mark(at)
        return block

    # -- size ---------------------------------------------------------------------------------------------

    @property
    def dead(self) -> int:
        """Entries that are deleted. O(1)."""
        return self.begin if self.holes is None else self.begin + len(self.holes)

    @property
    def size(self) -> int:
        """Bytes of the listpack that Redis would have. O(1)."""
        return self._body + integer_size(self.live) + integer_size(self.dead)

    def has_room(self, added: int, limits: NodeLimits) -> bool:
        """Whether an entry with `added` bytes of fields and values goes into this block. O(1)."""
        most = limits.size if 0 < limits.size < LISTPACK_MAX else LISTPACK_MAX
        if self._body + integer_size(self.live) + integer_size(self.dead) + added >= most:
            return False
        return not limits.entries or self.live + self.dead < limits.entries

    # -- changing -----------------------------------------------------------------------------------------

    def append(self, stream_id: int, fields: tuple[bytes, ...], values: tuple[bytes, ...]) -> None:
        """Append an entry, whose id is above all others. O(entry); O(block) when the block was packed."""
        if self._packed is not None:
            self._loosen()
        if fields == self.fields:
            row: Row = values
        else:
            row = list(chain.from_iterable(zip(fields, values, strict=True)))
        self._ids.append(stream_id)
        self._rows.append(row)
        self._body += self._entry_size(stream_id, row)
        self.held += _loose_size(row)
        self.last = stream_id
        self.live += 1

    def _entry_size(self, stream_id: int, row: Row) -> int:
        base = self.base
        size = integer_size((stream_id >> SEQUENCE_BITS) - (base >> SEQUENCE_BITS))
        size += integer_size((stream_id & HALF_MAX) - (base & HALF_MAX))
        # The flags, and behind the row the number of elements.
        if type(row) is tuple:
            return size + 2 + elements_size(row) + integer_size(len(row) + 3)
        return size + 2 + integer_size(len(row) // 2) + elements_size(row) + integer_size(len(row) + 4)

    def delete(self, stream_id: int) -> bool:
        """Mark the entry `stream_id` as deleted; False when it is not there. O(log block), packed O(block)."""
        ids = self.columns()[0]
        at = bisect_left(ids, stream_id)
        if at == len(ids) or ids[at] != stream_id or self.is_deleted(at):
            return False
        self._mark(at)
        return True

    def _mark(self, at: int) -> None:
        self.live -= 1
        if at != self.begin:
            if self.holes is None:
                self.holes = set()
            self.holes.add(at)
            return
        self.begin += 1
        if self.holes is not None:
            while self.begin in self.holes:
                self.holes.discard(self.begin)
                self.begin += 1
            self.holes = self.holes or None

    def delete_first(self, count: int) -> None:
        """Mark the first `count` living entries as deleted, 0 <= count <= live. O(count) amortised."""
        for _ in range(count):
            self._mark(self.begin)

    def delete_below(self, stream_id: int) -> int:
        """Mark all entries below `stream_id` as deleted; how many lived. O(block)."""
        before = self.live
        until = bisect_left(self.columns()[0], stream_id)
        while self.begin < until:
            self._mark(self.begin)
        return before - self.live

    def is_deleted(self, position: int) -> bool:
        """Whether the entry at `position` is marked. O(1)."""
        return position < self.begin or (self.holes is not None and position in self.holes)

    # -- reading ------------------------------------------------------------------------------------------

    def columns(self) -> Columns:
        """All ids and rows, the deleted ones included: not to be changed. O(1) loose, O(block) packed."""
        packed = self._packed
        if packed is None:
            return self._ids, self._rows
        if len(packed) > _KEPT_BYTES:
            return _unpack(packed, self.base, len(self.fields))
        return _unpack_or_kept(packed, self.base, len(self.fields))

    def between(self, low: int, high: int, count: int, reverse: bool) -> Segment:
        """Up to `count` living entries with low <= id <= high, from the end if `reverse`, rising all the same.

        O(log block + count) loose, O(block) packed or with holes.
        """
        ids, rows = self.columns()
        start = self.begin if low <= self.base else max(bisect_left(ids, low), self.begin)
        stop = len(ids) if high >= self.last else bisect_right(ids, high)
        if self.holes is not None and not self.holes.isdisjoint(range(start, stop)):
            places = [at for at in range(start, stop) if at not in self.holes]
            if count < len(places):
                places = places[-count:] if reverse else places[:count]
            return Segment(self.fields, [ids[at] for at in places], [rows[at] for at in places])
        if stop - start > count:
            if reverse:
                start = stop - count
            else:
                stop = start + count
        return Segment(self.fields, ids[start:stop], rows[start:stop])

    def first_live(self) -> int:
        """The id of the first living entry; there must be one. O(1) loose, O(block) packed."""
        return self.columns()[0][self.begin]

    # -- packing ------------------------------------------------------------------------------------------

    def pack(self) -> None:
        """Pack the entries. O(block)."""
        if self._packed is None:
            self.held -= _loose_sizes(self._rows)
            self._packed = _pack(self._ids, self._rows, self.base, len(self.fields))
            self._ids, self._rows = _NONE, _NONE
            self.held += bytes_footprint(self._packed)

    def _loosen(self) -> None:
        """Unpack the entries, to append more. O(block)."""
        assert self._packed is not None
        ids, rows = _unpack(self._packed, self.base, len(self.fields))
        self.held -= bytes_footprint(self._packed)
        self._packed = None
        self._ids, self._rows = list(ids), list(rows)
        self.held += _loose_sizes(self._rows)

    def copy(self) -> Block:
        """An independent copy. O(1) packed, O(block) loose."""
        twin = Block.__new__(Block)
        twin.base, twin.last, twin.fields = self.base, self.last, self.fields
        twin.live, twin.begin = self.live, self.begin
        twin.holes = None if self.holes is None else set(self.holes)
        twin.held, twin._body, twin._packed = self.held, self._body, self._packed
        twin._ids, twin._rows = (
            (self._ids, self._rows) if self._packed is not None else (self._ids[:], self._rows[:])
        )
        return twin

    def _check(self) -> None:
        ids, rows = self.columns()
        assert len(ids) == len(rows) == self.live + self.dead
        assert all(low < high for low, high in pairwise(ids))
        if ids:
            assert self.base <= ids[0] and ids[-1] == self.last
        assert self.holes is None or (self.holes and all(self.begin < at < len(ids) for at in self.holes))
        assert all(len(row) == len(self.fields) if type(row) is tuple else len(row) % 2 == 0 for row in rows)
        fresh = Block(self.base, self.fields)
        assert self._body == fresh._body + sum(map(self._entry_size, ids, rows))
        entries = _loose_sizes(rows) if self._packed is None else bytes_footprint(self._packed)
        assert self.held == fresh.held + entries


#: In the place of the lists while a block is packed; never appended to.
_NONE: list[Any] = []


def _loose_size(row: Row) -> int:
    return sum([(len(text) + 48 & -16) + _PLACE for text in row]) + _LOOSE_ENTRY


def _loose_sizes(rows: Sequence[Row]) -> int:
    return sum(map(_loose_size, rows))


def _narrow(numbers: list[int]) -> array[int]:
    """The numbers, 0 to 2^64 - 1, in the narrowest width that fits all."""
    highest = max(numbers, default=0)
    code = "B" if highest < 1 << 8 else "H" if highest < 1 << 16 else "I" if highest < 1 << 32 else "Q"
    return array(code, numbers)


def _pack(ids: Sequence[int], rows: Sequence[Row], base: int, width: int) -> bytes:
    first_ms = base >> SEQUENCE_BITS
    times = _narrow([(each >> SEQUENCE_BITS) - first_ms for each in ids])
    sequences = [each & HALF_MAX for each in ids]
    lowest = min(sequences, default=0)
    numbers = _narrow([each - lowest for each in sequences])
    same = all(type(row) is tuple for row in rows)
    texts = list(chain.from_iterable(rows)) if same and width else list(rows)
    head = (times.typecode, times.tobytes(), numbers.typecode, numbers.tobytes(), lowest, same)
    return marshal.dumps((*head, texts), _MARSHAL)


def _unpack(packed: bytes, base: int, width: int) -> Columns:
    time_code, times, number_code, numbers, lowest, same, rows = marshal.loads(packed)
    first_ms = base >> SEQUENCE_BITS
    ids = [
        first_ms + time << SEQUENCE_BITS | lowest + number
        for time, number in zip(array(time_code, times), array(number_code, numbers), strict=True)
    ]
    if same and width:
        values = iter(rows)
        rows = list(zip(*[values] * width, strict=True))
    return ids, rows


_unpack_or_kept = lru_cache(maxsize=_KEPT)(_unpack)
