"""The value behind the stream type: a log of entries with rising ids, and its consumer groups.

The log is a chain of blocks (:mod:`kedis.structures.stream_block`), found by the id that each begins with, in a sorted
map (:mod:`kedis.structures.id_map`): what the radix tree of listpacks is in Redis.  Only the last block grows.

=====================  =============================================
append                 O(entry) amortised
range                  O(log N + block + count)
delete one             O(log N + block)
trim                   O(1) amortised for each entry that goes
=====================  =============================================

A stream may be empty and yet remember: its last id, the highest id ever deleted, and how many entries it ever had.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from kedis.structures.consumer_groups import Account, Group
from kedis.structures.footprint import bytes_footprint
from kedis.structures.id_map import EMPTY, ENTRY, IdMap
from kedis.structures.listpack_size import LISTPACK_MAX
from kedis.structures.stream_block import Block, NodeLimits, Segment, node_limits
from kedis.structures.stream_columns import interleaved
from kedis.structures.stream_id import HALF_MAX, ID_MAX, SEQUENCE_BITS

#: Bytes of main memory of a stream without entries.
_STREAM = 400
#: More entries than can be.
_ALL = sys.maxsize
#: The first entry of a block is let in whatever its size.
_NO_LIMITS = node_limits(0, 0)


class EntryTooLarge(ValueError):
    """An entry that no listpack of Redis's holds."""


class Stream:
    """A log and its consumer groups; true even when it has no entries.

    Attributes:
        blocks: the blocks by the id that each begins with.
        groups: the consumer groups by name; changed by :meth:`add_group` and :meth:`remove_group`.
        last_id: the highest id ever added.
        max_deleted_id: the highest id ever deleted by :meth:`delete`.
        entries_added: how many entries were ever added.
        accounted_bytes: the footprint in the account of the keyspace.
    """

    __slots__ = (
        "_account",
        "_first_id",
        "_length",
        "accounted_bytes",
        "blocks",
        "entries_added",
        "groups",
        "last_id",
        "max_deleted_id",
        "tail",
    )

    def __init__(self) -> None:
        self.blocks: IdMap = IdMap()
        self.tail: Block | None = None
        self.groups: dict[bytes, Group] = {}
        self.last_id = 0
        self.max_deleted_id = 0
        self.entries_added = 0
        self.accounted_bytes = 0
        self._length = 0
        self._first_id: int | None = 0
        self._account = Account()

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        """Whether clients see the same, but for when what was delivered and who was last seen when. O(N)."""
        return isinstance(other, Stream) and self.contents() == other.contents()

    __hash__ = None  # type: ignore[assignment]

    @property
    def footprint(self) -> int:
        """Bytes of main memory that the stream occupies. O(1)."""
        return self._account.held + _STREAM

    # -- the log, changing --------------------------------------------------------------------------------

    def append(
        self, stream_id: int, fields: tuple[bytes, ...], values: tuple[bytes, ...], limits: NodeLimits
    ) -> None:
        """Append an entry with `fields` and as many `values`; `stream_id` must be above `last_id`.

        O(entry); when a block begins, O(block) to pack the one before.  Raises EntryTooLarge, and changes nothing.
        """
        self.append_at(stream_id, stream_id >> SEQUENCE_BITS, stream_id & HALF_MAX, fields, values, limits)

    def append_at(
        self,
        stream_id: int,
        time: int,
        number: int,
        fields: tuple[bytes, ...],
        values: tuple[bytes, ...],
        limits: NodeLimits,
    ) -> None:
        """As :meth:`append`; `time` and `number` are the halves of `stream_id`."""
        block, added, fits = self.tail, self.entries_added + 1, False
        if block is not None:
            before = block.held
            try:
                fits = block.add(stream_id, time, number, fields, values, limits)
            finally:  # it may be arranged otherwise, too
                self._account.held += block.held - before
        if not fits:
            if sum(map(len, fields)) + sum(map(len, values)) > LISTPACK_MAX:
                raise EntryTooLarge
            block = self._next_block(stream_id, fields)
            block.add(stream_id, time, number, fields, values, _NO_LIMITS)
            self.add_block(block)
        if not self._length:
            self._first_id = stream_id
        self._length += 1
        self.entries_added = added
        self.last_id = stream_id

    def _next_block(self, base: int, fields: tuple[bytes, ...]) -> Block:
        """The block behind the last, which is packed; not added yet."""
        last = self.tail
        if last is not None:
            before = last.held
            last.pack()
            self._account.held += last.held - before
            if last.fields == fields:
                fields = last.fields
        return Block(base, fields)

    def add_block(self, block: Block) -> None:
        """Append a block; its entries are not counted in the length. O(1)."""
        self.blocks[block.base] = block
        self.tail = block
        self._account.held += block.held + ENTRY

    def _remove_block(self, block: Block) -> None:
        self.blocks.pop(block.base)
        self._account.held -= block.held + ENTRY
        if block is self.tail:
            last = self.blocks.last()
            self.tail = None if last is None else self.blocks[last]

    def delete(self, stream_id: int) -> bool:
        """Delete the entry `stream_id`; False when it is not there. O(log N + block)."""
        base = self.blocks.floor(stream_id)
        if base is None:
            return False
        block = self.blocks[base]
        if not block.delete(stream_id):
            return False
        if not block.live:
            self._remove_block(block)
        self._length -= 1
        self._first_id = None
        self.max_deleted_id = max(self.max_deleted_id, stream_id)
        return True

    def trim(self, length: int, approximately: bool, limit: int = 0) -> int:
        """Delete the oldest entries until `length` are left; how many went.

        Args:
            approximately: only blocks as wholes.
            limit: at most so many entries, the marked ones included; 0 for no limit.

        O(1) amortised for each entry that goes.
        """
        removed = 0
        while (surplus := self._length - length) > 0:
            block = self._oldest()
            if block is None or (limit and removed + block.live > limit):
                break
            if block.live > surplus:
                if not approximately:
                    removed += surplus
                    block.delete_first(surplus)
                    self._length -= surplus
                break
            removed += self._trim_block(block)
        return self._trimmed(removed)

    def trim_below(self, stream_id: int, approximately: bool, limit: int = 0) -> int:
        """Delete the entries below `stream_id`; as :meth:`trim` otherwise."""
        removed = 0
        while (block := self._oldest()) is not None:
            if limit and removed + block.live > limit:
                break
            if block.last >= stream_id:
                if not approximately:
                    fewer = block.delete_below(stream_id)
                    removed += fewer
                    self._length -= fewer
                break
            removed += self._trim_block(block)
        return self._trimmed(removed)

    def _oldest(self) -> Block | None:
        base = self.blocks.first()
        return None if base is None else self.blocks[base]

    def _trim_block(self, block: Block) -> int:
        self._remove_block(block)
        self._length -= block.live
        return block.live

    def _trimmed(self, removed: int) -> int:
        if removed:
            self._first_id = None
        return removed

    # -- the log, reading ---------------------------------------------------------------------------------

    @property
    def first_id(self) -> int:
        """The id of the first entry, 0 when there is none. O(1), after a deletion O(block)."""
        if self._first_id is None:
            if not self._length:
                self._first_id = 0
            else:
                (segment,) = self.read(0, ID_MAX, 1)
                self._first_id = segment.first_id
        return self._first_id

    @property
    def oldest_id(self) -> int:
        """The first id that is kept, marked as deleted or not; the highest of all where there is none. O(block)."""
        base = self.blocks.first()
        return ID_MAX if base is None else self.blocks[base].columns().id_at(0)

    @property
    def top_id(self) -> int:
        """The id of the last entry, 0 when there is none. O(1), after deletions at the end O(block)."""
        tail = self.tail
        if tail is not None and not tail.is_deleted(tail.count - 1):
            return tail.last
        found = self.read(0, ID_MAX, 1, reverse=True)
        return found[0].first_id if found else 0

    def read(self, low: int, high: int, count: int = _ALL, reverse: bool = False) -> list[Segment]:
        """Up to `count` entries with low <= id <= high, in runs of a block's, to be read before the stream changes.

        If `reverse`, the last of them, and the last run first; each is rising all the same.
        O(log N + block + count), and O(log N) for each block.
        """
        found: list[Segment] = []
        blocks = self.blocks
        base = blocks.floor(high) if reverse else blocks.floor(low)
        if base is None and not reverse:
            base = blocks.first()
        while base is not None and count > 0 and low <= high:
            block: Block = blocks[base]
            if block.last < low if reverse else base > high:
                break
            for segment in block.between(low, high, count, reverse):
                found.append(segment)
                count -= len(segment)
            base = blocks.floor(base - 1) if reverse else blocks.above(base)
        return found

    def find(self, stream_id: int) -> Segment | None:
        """The entry `stream_id` alone, or None. O(log N + block)."""
        found = self.read(stream_id, stream_id, 1)
        return found[0] if found else None

    def __contains__(self, stream_id: int) -> bool:
        """Whether the entry `stream_id` is there. O(log N + log block), where the block is packed O(block)."""
        base = self.blocks.floor(stream_id)
        return base is not None and self.blocks[base].position(stream_id) is not None

    # -- distances ----------------------------------------------------------------------------------------

    def has_deleted_from(self, stream_id: int) -> bool:
        """Whether an entry from `stream_id` on may be missing between others. O(1), after a deletion O(block)."""
        deleted = self.max_deleted_id
        return bool(self._length and deleted) and stream_id <= deleted and self.first_id <= deleted

    def entries_up_to(self, stream_id: int) -> int | None:
        """How many entries the stream had ever got when `stream_id` was its last; None where that is not known.

        O(1), after a deletion O(block).
        """
        if not self.entries_added:
            return 0
        if not self._length and stream_id <= self.last_id:
            return self.entries_added
        if stream_id == self.last_id:
            return self.entries_added
        if stream_id > self.last_id:
            return None
        first = self.first_id
        if self.max_deleted_id < first:  # nothing is missing in the middle
            if stream_id < first:
                return self.entries_added - self._length
            if stream_id == first:
                return self.entries_added - self._length + 1
        return None

    def lag(self, group: Group) -> int | None:
        """How many entries `group` has not read; None where that is not known. O(1), after a deletion O(block)."""
        if not self.entries_added:
            return 0
        read = group.entries_read
        if read is None or self.has_deleted_from(group.last_id):
            read = self.entries_up_to(group.last_id)
        return None if read is None else self.entries_added - read

    def advance(self, group: Group, ids: Sequence[int]) -> None:
        """Have `group` pass the entries `ids`. O(1), after deletions O(entries)."""
        if group.entries_read is not None and not self.has_deleted_from(ids[0]):
            group.entries_read += len(ids)
        elif self.entries_added:
            for stream_id in ids:
                if group.entries_read is not None and not self.has_deleted_from(stream_id):
                    group.entries_read += 1
                else:
                    group.entries_read = self.entries_up_to(stream_id)
        group.last_id = ids[-1]

    # -- groups -------------------------------------------------------------------------------------------

    def add_group(self, name: bytes, last_id: int, entries_read: int | None) -> Group:
        """Make the group `name`, which must not be there. O(1)."""
        group = self.groups[name] = Group(self._account, last_id, entries_read)
        self._account.held += group.footprint() + bytes_footprint(name)
        return group

    def remove_group(self, name: bytes) -> None:
        """Remove the group `name`, which is there. O(consumers)."""
        self._account.held -= self.groups.pop(name).footprint() + bytes_footprint(name)

    # -- the whole ----------------------------------------------------------------------------------------

    def restore(self, length: int, last_id: int) -> None:
        """State the length and the last id of a stream whose blocks were added. O(1)."""
        self._length = length
        self.last_id = last_id
        self._first_id = None

    def copy(self) -> Stream:
        """An independent copy; packed blocks are shared. O(blocks + pending)."""
        twin = Stream()
        for base, block in self.blocks.items():
            twin.blocks[base] = twin.tail = block.copy()
        twin._account.held = self._account.held
        twin.groups = {name: group.copy(twin._account) for name, group in self.groups.items()}
        twin.restore(self._length, self.last_id)
        twin.max_deleted_id, twin.entries_added = self.max_deleted_id, self.entries_added
        return twin

    def free_in_steps(self, piece: int) -> Iterator[None]:
        """Empty what nobody uses any more; yields after about `piece` entries. The account is not kept. O(N)."""
        while (base := self.blocks.last()) is not None:
            count = 0
            while base is not None and count < piece:
                block = self.blocks.pop(base)
                count += 0 if block is None else block.count
                base = self.blocks.last()
            yield
        self.tail = None
        self._length = 0
        for group in self.groups.values():
            yield from group.free_in_steps(piece)

    def contents(self) -> tuple[Any, ...]:
        """All that clients see of the stream, as plain Python; moments of deliveries left out. O(N)."""
        entries = [
            (stream_id, *interleaved(segment.fields, row))
            for segment in self.read(0, ID_MAX)
            for stream_id, row in zip(segment.ids(), segment.rows(), strict=True)
        ]
        groups = [(name, group.contents()) for name, group in sorted(self.groups.items())]
        return entries, self.last_id, self.max_deleted_id, self.entries_added, groups

    def _check(self) -> None:
        self.blocks._check()
        last = -1
        for base, block in self.blocks.items():
            assert block.base == base > last
            assert block._packed is not None or block is self.tail
            block._check()
            last = block.last
        assert last <= self.last_id
        end = self.blocks.last()
        assert self.tail is (None if end is None else self.blocks[end])
        assert self._length == sum(block.live for block in self.blocks.values())
        assert self._first_id in (None, sum(segment.first_id for segment in self.read(0, ID_MAX, 1)))
        held = sum(block.held + ENTRY for block in self.blocks.values())
        for name, group in self.groups.items():
            group._check()
            held += group.footprint() + bytes_footprint(name)
        assert self._account.held == held


assert EMPTY <= _STREAM
