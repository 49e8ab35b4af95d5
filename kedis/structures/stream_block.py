"""A block of a stream: the entries that one node of Redis's would hold, in packed bytes.

In Redis a stream is a radix tree of listpacks.  Each *node* begins with a master entry: how many entries live, how many
are marked as deleted, and the names of the first entry's fields.  An entry that has the same fields stores its values
only, and its id as the distance from the node's own id.  A node takes entries until it has ``stream-node-max-entries``
of them, the deleted ones included, or until the next would take it to ``stream-node-max-bytes``.

What clients see of this is ``XTRIM ~``, which removes nodes as wholes.  A block therefore has the borders of Redis's
node: it knows the size that the listpack would have (``size``), and keeps deleted entries, marked, until all are.  The
size is measured when it may matter: XADD only adds up bytes, an upper bound, until that comes near the limit.

The last block of a stream is *loose*, so that XADD appends to lists; when the next block begins it is *packed* into one
string of bytes (:mod:`kedis.structures.stream_columns`).

Entries are counted by position in the block; those before ``begin`` and those in ``holes`` are deleted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise, repeat

from kedis.structures.footprint import bytes_footprint, bytes_footprints
from kedis.structures.listpack_size import (
    FRAME,
    LISTPACK_MAX,
    MOST_AROUND_LONG_TEXT,
    MOST_AROUND_SHORT_TEXT,
    SHORT_TEXT,
    elements_size,
    integer_size,
)
from kedis.structures.stream_columns import (
    ENTRY,
    PLACE,
    ROW,
    VALUE,
    Columns,
    Row,
    footprint,
    interleaved,
    row_footprint,
    unpacked,
)
from kedis.structures.stream_id import HALF_MAX, SEQUENCE_BITS

#: Bytes of main memory of a block around its entries.
_BLOCK = 200
#: Bytes of a small integer in a listpack, and of both counters of a node at most.
_SMALL, _COUNTERS = integer_size(0), 2 * integer_size(1 << 30)
#: Nodes that ``~`` trims at most, where LIMIT says nothing; entries where nodes have no limit, and in any case.
_NODES_A_TRIM, _ENTRIES_A_TRIM, _MOST_ENTRIES_A_TRIM = 100, 10_000, 1_000_000


class NodeLimits:
    """When a node of Redis's is full; :func:`node_limits` makes them of the settings.

    Attributes:
        entries, size: so many entries, or bytes of a listpack.
        trimmed: how many entries XTRIM ~ removes at most, where it does not say.
    """

    __slots__ = ("entries", "size", "trimmed")

    def __init__(self, entries: int, size: int, trimmed: int) -> None:
        self.entries = entries
        self.size = size
        self.trimmed = trimmed


@lru_cache(maxsize=8)
def node_limits(entries: int = 100, size: int = 4096) -> NodeLimits:
    """The limits that ``stream-node-max-entries`` and ``-bytes`` set; 0 is no limit. O(1)."""
    trimmed = min(_NODES_A_TRIM * entries or _ENTRIES_A_TRIM, _MOST_ENTRIES_A_TRIM)
    return NodeLimits(entries or sys.maxsize, min(size or LISTPACK_MAX, LISTPACK_MAX), trimmed)


class Segment:
    """Living entries of one block that stand next to each other.

    Attributes:
        fields: those of the block.
    """

    __slots__ = ("_base_ms", "_columns", "_packed", "_start", "_stop", "_texts", "fields")

    def __init__(self, block: Block, start: int, stop: int) -> None:
        """Entries start..stop-1 of `block`."""
        self.fields = block.fields
        self._start = start
        self._stop = stop
        self._packed = block._packed
        self._columns = block._columns
        self._base_ms = block.base >> SEQUENCE_BITS
        self._texts: list[bytes] | None = None

    def __len__(self) -> int:
        return self._stop - self._start

    def keep(self) -> Segment:
        """Copy what would change with the block; returns itself. O(1) packed, O(N) loose."""
        if self._packed is None:
            self._columns = self._columns.part(self._start, self._stop)
            self._start, self._stop = 0, self._stop - self._start
        return self

    @property
    def columns(self) -> Columns:
        """The entries of the block. O(1) loose, O(block) packed."""
        return self._columns if self._packed is None else unpacked(self._packed, self._base_ms)

    @property
    def first_id(self) -> int:
        return self.columns.id_at(self._start)

    def ids(self) -> list[int]:
        """The ids, rising. O(N)."""
        return self.columns.ids(self._start, self._stop)

    def rows(self) -> Sequence[Row]:
        """The rows. O(N)."""
        return self.columns.rows(self._start, self._stop)

    def texts(self) -> list[bytes]:
        """The ids as clients see them, remembered for :meth:`id_texts`. O(N)."""
        self._texts = self.columns.id_texts(self._start, self._stop)
        return self._texts

    # What :class:`kedis.resp.entries.Run` asks for; positions are those in the segment.

    def id_texts(self, start: int, stop: int) -> list[bytes]:
        """The ids of some entries as clients see them. O(stop - start)."""
        if self._texts is not None:
            return self._texts[start:stop]
        return self.columns.id_texts(self._start + start, self._start + stop)

    def value_columns(self, start: int, stop: int) -> list[list[bytes]] | None:
        """For each field the values of some entries; None where not all of the block have its fields. O(values)."""
        return self.columns.value_columns(self._start + start, self._start + stop)

    def pairs(self, start: int, stop: int) -> list[list[bytes]]:
        """Fields and values in turn of some entries. O(values)."""
        rows = self.columns.rows(self._start + start, self._start + stop)
        return list(map(interleaved, repeat(self.fields), rows))


class Block:
    """Entries with rising ids.

    Attributes:
        base: the id of the first entry ever, which is the node's own.
        last: the id of the last one, deleted or not.
        fields: the fields of the first entry.
        count: entries, deleted or not.
        live: entries that are not deleted.
        begin: how many positions at the start are deleted.
        holes: the positions of other deleted entries, None for none.
        held: bytes of main memory of the entries.
    """

    __slots__ = (
        "_columns",
        "_fields_bytes",
        "_frame",
        "_measured",
        "_most",
        "_own",
        "_packed",
        "_size",
        "base",
        "begin",
        "count",
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
        self.count = self.live = 0
        self.begin = 0
        self.holes: set[int] | None = None
        self._own = self.held = bytes_footprints(fields) + PLACE * len(fields) + _BLOCK
        # The master entry: two counters, the number of fields, the fields, a zero.
        self._size = (
            FRAME + integer_size(len(fields)) + elements_size(fields) + _SMALL
        )  # without the counters
        self._measured = 0  # entries that `_size` contains
        self._most = self._size + _COUNTERS  # at least the size
        self._fields_bytes = sum(map(len, fields))
        # An entry's flags, and the number of elements behind the values.
        self._frame = _SMALL + integer_size(len(fields) + 3)
        self._columns = Columns(base >> SEQUENCE_BITS, len(fields))
        self._packed: bytes | None = None

    @classmethod
    def restored(
        cls,
        base: int,
        fields: tuple[bytes, ...],
        entries: Iterable[tuple[int, Row]],
        deleted: Iterable[int],
    ) -> Block:
        """A loose block of entries that exist elsewhere.

        Args:
            entries: ids, rising, the first not below `base`, and rows; at least one.
            deleted: the positions of those that are marked as deleted, rising.

        O(block).
        """
        block = cls(base, fields)
        for stream_id, row in entries:
            block._append(stream_id, row)
        for at in deleted:
            block._mark(at)
        return block

    @property
    def dead(self) -> int:
        """Entries that are marked as deleted. O(1)."""
        return self.count - self.live

    # -- changing -----------------------------------------------------------------------------------------

    def add(
        self,
        stream_id: int,
        time: int,
        number: int,
        fields: tuple[bytes, ...],
        values: tuple[bytes, ...],
        limits: NodeLimits,
    ) -> bool:
        """Append an entry, whose id is above all others, unless the node is full; whether it was not.

        `time` and `number` are the halves of `stream_id`. O(entry); O(block) when the block was packed.
        """
        columns = self._columns
        if not columns.width or (fields is not self.fields and fields != self.fields):
            return self._add_slowly(stream_id, fields, values, limits)
        length = 0
        for value in values:
            length += len(value)
        added = self._fields_bytes + length
        if self.count >= limits.entries:
            return False
        if self._most + added >= limits.size and self._is_too_large(added, limits):
            return False
        time -= columns.base_ms
        around = MOST_AROUND_SHORT_TEXT if length < SHORT_TEXT else MOST_AROUND_LONG_TEXT
        self._most += (
            self._frame
            + (_SMALL if time < 128 else integer_size(time))
            + (_SMALL if not number else integer_size(number - (self.base & HALF_MAX)))
            + length
            + around * len(values)
        )
        columns.extend(time, number, values)
        self.held += length + VALUE * len(values) + ENTRY
        self.last = stream_id
        self.count += 1
        self.live += 1
        return True

    def _add_slowly(
        self, stream_id: int, fields: tuple[bytes, ...], values: tuple[bytes, ...], limits: NodeLimits
    ) -> bool:
        added = sum(map(len, fields)) + sum(map(len, values))
        if self.count >= limits.entries or self._is_too_large(added, limits):
            return False
        if self._packed is not None:
            self._loosen()
        self._append(stream_id, values if fields == self.fields else interleaved(fields, values))
        return True

    def _is_too_large(self, added: int, limits: NodeLimits) -> bool:
        """Whether texts of ``added`` bytes would take the node to its limit. O(entries since the last time)."""
        size = self.size
        self._most = self._size + _COUNTERS
        return size + added >= limits.size

    @property
    def size(self) -> int:
        """Bytes of the listpack that Redis would have. O(entries since the last time)."""
        if self._measured < self.count:
            columns, start = self.columns(), self._measured
            rows = columns.rows(start, self.count)
            self._size += sum(map(self._entry_size, columns.ids(start, self.count), rows))
            self._measured = self.count
        return self._size + integer_size(self.live) + integer_size(self.dead)

    def _append(self, stream_id: int, row: Row) -> None:
        columns = self._columns
        if columns.width and type(row) is list:
            columns.mix()
            self.held += ROW * len(columns)
        grown = row_footprint(row) + (0 if columns.width else ROW)
        columns.append(stream_id, row)
        self.held += grown
        self._most = LISTPACK_MAX  # not known
        self.last = stream_id
        self.count += 1
        self.live += 1

    def _entry_size(self, stream_id: int, row: Row) -> int:
        base = self.base
        size = integer_size((stream_id >> SEQUENCE_BITS) - (base >> SEQUENCE_BITS))
        size += integer_size((stream_id & HALF_MAX) - (base & HALF_MAX))
        if type(row) is tuple:
            return size + elements_size(row) + self._frame
        return size + _SMALL + integer_size(len(row) // 2) + elements_size(row) + integer_size(len(row) + 4)

    def delete(self, stream_id: int) -> bool:
        """Mark the entry `stream_id` as deleted; False when it is not there. O(log block), packed O(block)."""
        at = self.position(stream_id)
        if at is None:
            return False
        self._mark(at)
        return True

    def position(self, stream_id: int) -> int | None:
        """The position of the living entry `stream_id`, None when it is not there. O(log block), packed O(block)."""
        columns = self.columns()
        at = columns.at_or_above(stream_id)
        if at == len(columns) or columns.id_at(at) != stream_id or self.is_deleted(at):
            return None
        return at

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
        until = self.columns().at_or_above(stream_id)
        while self.begin < until:
            self._mark(self.begin)
        return before - self.live

    def is_deleted(self, position: int) -> bool:
        """Whether the entry at `position` is marked. O(1)."""
        return position < self.begin or (self.holes is not None and position in self.holes)

    # -- reading ------------------------------------------------------------------------------------------

    def columns(self) -> Columns:
        """All entries, the deleted ones included: not to be changed. O(1) loose, O(block) packed."""
        if self._packed is None:
            return self._columns
        return unpacked(self._packed, self.base >> SEQUENCE_BITS)

    def between(self, low: int, high: int, count: int, reverse: bool) -> list[Segment]:
        """Up to `count` living entries with low <= id <= high, rising; if `reverse`, the last of them, from the end.

        Without holes that is one segment. O(log block) loose, O(block) packed or with holes; O(1) where all of the
        block is wanted.
        """
        start = self.begin if low <= self.base else max(self.columns().at_or_above(low), self.begin)
        stop = self.count if high >= self.last else self.columns().above(high)
        if self.holes is None:
            if stop - start > count:
                if reverse:
                    start = stop - count
                else:
                    stop = start + count
            return [Segment(self, start, stop)] if start < stop else []
        found: list[Segment] = []
        for begin, end in self._runs(start, stop, reverse):
            if end - begin > count:
                if reverse:
                    begin = end - count
                else:
                    end = begin + count
            if begin < end:
                found.append(Segment(self, begin, end))
                count -= end - begin
        return found

    def _runs(self, start: int, stop: int, reverse: bool) -> list[tuple[int, int]]:
        """The runs of living entries among start..stop-1, where there are holes; the last first if `reverse`."""
        assert self.holes is not None
        runs: list[tuple[int, int]] = []
        left = start
        for at in sorted(self.holes):
            if start <= at < stop:
                if left < at:
                    runs.append((left, at))
                left = at + 1
        if left < stop:
            runs.append((left, stop))
        return runs[::-1] if reverse else runs

    # -- packing ------------------------------------------------------------------------------------------

    def pack(self) -> None:
        """Pack the entries. O(block)."""
        if self._packed is None:
            packed = self._columns.pack()
            self.held = self._own + bytes_footprint(packed)
            self._packed, self._columns = packed, _NONE

    def _loosen(self) -> None:
        """Unpack the entries, to append more. O(block)."""
        assert self._packed is not None
        self._columns = Columns.unpack(self._packed, self.base >> SEQUENCE_BITS)
        self._columns.loosen()
        self._packed = None
        self.held = self._own + footprint(self._columns)

    def copy(self) -> Block:
        """An independent copy. O(1) packed, O(block) loose."""
        twin = Block(self.base, self.fields)
        twin.last, twin.count, twin.live, twin.begin = self.last, self.count, self.live, self.begin
        twin.held, twin._packed = self.held, self._packed
        twin._size, twin._measured, twin._most = self._size, self._measured, self._most
        twin.holes = None if self.holes is None else set(self.holes)
        twin._columns = _NONE if self._packed is not None else self._columns.part(0, len(self._columns))
        return twin

    def _check(self) -> None:
        columns = self.columns()
        size = len(columns)
        ids, rows = columns.ids(0, size), columns.rows(0, size)
        assert len(columns.numbers) == len(rows) == size == self.count
        assert self.dead == self.begin + len(self.holes or ())
        assert all(low < high for low, high in pairwise(ids))
        if ids:
            assert self.base <= ids[0] and ids[-1] == self.last
        assert self.holes is None or (self.holes and all(self.begin < at < size for at in self.holes))
        assert all(len(row) == len(self.fields) if type(row) is tuple else len(row) % 2 == 0 for row in rows)
        assert columns.width in (0, len(self.fields))
        fresh = Block(self.base, self.fields)
        counters = integer_size(self.live) + integer_size(self.dead)
        size = fresh._size + counters + sum(map(self._entry_size, ids, rows))
        known = self._size, self._measured
        assert self._most >= size
        assert self.size == size
        self._size, self._measured = known  # what was not measured stays so
        entries = footprint(columns) if self._packed is None else bytes_footprint(self._packed)
        assert self.held == fresh.held + entries


#: In the place of the columns while a block is packed; never appended to.
_NONE = Columns(0, 0)
