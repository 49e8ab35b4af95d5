"""Streams in RDB: forms 15 (Redis 5 and 6), 19 (Redis 7.0, which is written) and 21 (Redis 7.2).

::

    number of nodes, for each: 16 bytes of its id, a listpack
    length, last id (ms, sequence)
    19: first id, highest deleted id, number of entries ever added
    number of groups, for each:
        name, last delivered id; 19: number of entries read
        number of pending entries, for each: 16 bytes of id, milliseconds of delivery (8), number of deliveries
        number of consumers, for each:
            name, milliseconds when last seen (8); 21: when last active (8)
            number of pending entries, for each: 16 bytes of id, which the group has

A listpack is what :mod:`kedis.structures.stream_block` describes::

    living entries, deleted ones, number of fields, each field, 0
    for each entry: flags (1 deleted, 2 same fields), distances of time and of sequence number from the node's id,
        the values, or number of fields, fields and values in turn; number of elements of this entry before this one
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kedis.rdb.compact import read_listpack
from kedis.rdb.flat import write_listpack
from kedis.rdb.source import CHECK_FAILED, RdbError, Source, encode_length, encode_string, encode_text
from kedis.structures.consumer_groups import Consumer, Group
from kedis.structures.stream import Stream
from kedis.structures.stream_block import Block
from kedis.structures.stream_columns import Row
from kedis.structures.stream_id import HALF_MAX, ID_MAX, SEQUENCE_BITS

#: The forms.
STREAM_FORMS = STREAM_5, STREAM_7, STREAM_8 = 15, 19, 21
_DELETED, _SAME_FIELDS = 1, 2
_ID_BYTES, _MOMENT_BYTES = 16, 8
_SIGN, _WRAP = 1 << 63, 1 << 64
#: How many entries a group has read, when that is not known.
_UNKNOWN = _WRAP - 1

# -- writing ----------------------------------------------------------------------------------------------


def encode_stream(stream: Stream, compressed: bool) -> Iterator[bytes]:
    """``stream`` in form 19, in parts: one for each node and for each group.  O(N)."""
    yield encode_length(len(stream.blocks))
    for base, block in stream.blocks.items():
        node = write_listpack(_node_texts(block))
        yield encode_string(base.to_bytes(_ID_BYTES, "big")) + encode_text(node, compressed)
    numbers = [len(stream), *_halves(stream.last_id), *_halves(stream.first_id)]
    numbers += [*_halves(stream.max_deleted_id), stream.entries_added, len(stream.groups)]
    yield b"".join(map(encode_length, numbers))
    for name, group in sorted(stream.groups.items()):
        yield b"".join(_group_parts(name, group, compressed))


def _halves(stream_id: int) -> tuple[int, int]:
    return stream_id >> SEQUENCE_BITS, stream_id & HALF_MAX


def _node_texts(block: Block) -> Iterator[bytes]:
    yield b"%d" % block.live
    yield b"%d" % block.dead
    yield b"%d" % len(block.fields)
    yield from block.fields
    yield b"0"
    base_ms, base_sequence = _halves(block.base)
    columns = block.columns()
    entries = zip(columns.ids(0, len(columns)), columns.rows(0, len(columns)), strict=True)
    for at, (stream_id, row) in enumerate(entries):
        same = type(row) is tuple
        flags = _SAME_FIELDS * same | _DELETED * block.is_deleted(at)
        ms, sequence = _halves(stream_id)
        yield from (b"%d" % flags, b"%d" % _signed(ms - base_ms), b"%d" % _signed(sequence - base_sequence))
        if not same:
            yield b"%d" % (len(row) // 2)
        yield from row
        yield b"%d" % (len(row) + (3 if same else 4))


def _signed(number: int) -> int:
    """``number`` as it is kept in 64 bits."""
    return (number + _SIGN) % _WRAP - _SIGN


def _group_parts(name: bytes, group: Group, compressed: bool) -> Iterator[bytes]:
    read = _UNKNOWN if group.entries_read is None else group.entries_read % _WRAP
    yield encode_text(name, compressed)
    yield b"".join(map(encode_length, (*_halves(group.last_id), read, len(group.pending))))
    for stream_id, pending in group.pending.items():
        moment = pending.delivered_ms.to_bytes(_MOMENT_BYTES, "little", signed=True)
        yield stream_id.to_bytes(_ID_BYTES, "big") + moment + encode_length(pending.count % _WRAP)
    yield encode_length(len(group))
    for consumer in group.consumers():
        seen = consumer.seen_ms.to_bytes(_MOMENT_BYTES, "little", signed=True)
        yield encode_text(consumer.name, compressed) + seen + encode_length(len(consumer.pending))
        yield b"".join([stream_id.to_bytes(_ID_BYTES, "big") for stream_id in consumer.pending.keys()])  # noqa: SIM118


# -- reading ----------------------------------------------------------------------------------------------


def read_stream(source: Source, form: int) -> Stream:
    """The stream that comes next in ``form``.  Raises RdbError, whatever the bytes are.  O(N)."""
    stream = Stream()
    nodes = source.length()
    last = -1
    for number in range(nodes):
        block = _read_node(source, last)
        if number + 1 < nodes:
            block.pack()
        stream.add_block(block)
        last = block.last
    length, last_id = source.number(), _read_halves(source)
    if length != sum(block.live for block in stream.blocks.values()):
        raise source.fail("another number of entries")
    if last > last_id:
        raise source.fail("an entry above the last id")
    stream.restore(length, last_id)
    stream.entries_added = length
    if form != STREAM_5:
        _read_halves(source)  # the first id, which the entries tell
        stream.max_deleted_id = _read_halves(source)
        stream.entries_added = source.number()
    for _ in range(source.length()):
        _read_group(source, stream, form)
    return stream


def _read_halves(source: Source) -> int:
    ms, sequence = source.number(), source.number()
    return ms << SEQUENCE_BITS | sequence


def _read_node(source: Source, last: int) -> Block:
    begin = source.offset
    raw_id = source.string()
    if len(raw_id) != _ID_BYTES:
        raise source.fail("an id of a node of another length")
    base = int.from_bytes(raw_id, "big")
    if base <= last:
        raise source.fail("a node out of order")
    try:
        return _Node(read_listpack(source.string()), base).block()
    except RdbError as error:
        raise RdbError(f"Stream listpack {CHECK_FAILED}: {error.reason}", begin) from None


class _Node:
    """The elements of a node, taken one after the other."""

    def __init__(self, texts: Sequence[bytes], base: int) -> None:
        self._texts = texts
        self._base = base
        self._at = 0

    def block(self) -> Block:
        """The node as a block.  Raises RdbError."""
        live, dead = self._number(), self._number()
        fields = tuple(self._take(self._number()))
        if self._number() != 0 or not fields:
            raise self._fail("no master entry")
        entries: list[tuple[int, Row]] = []
        deleted: list[int] = []
        last = self._base - 1
        while self._at < len(self._texts):
            stream_id, row, is_deleted = self._entry(fields)
            if not last < stream_id <= ID_MAX:
                raise self._fail("an id out of order")
            if is_deleted:
                deleted.append(len(entries))
            entries.append((stream_id, row))
            last = stream_id
        if not entries or len(deleted) != dead or len(entries) - dead != live:
            raise self._fail("another number of entries")
        return Block.restored(self._base, fields, entries, deleted)

    def _entry(self, fields: tuple[bytes, ...]) -> tuple[int, Row, bool]:
        begin = self._at
        flags = self._number()
        if not 0 <= flags <= _DELETED | _SAME_FIELDS:
            raise self._fail("unknown flags")
        ms = (self._base >> SEQUENCE_BITS) + self._number()
        sequence = (self._base & HALF_MAX) + self._number()
        if not (ms >= 0 and sequence % _WRAP >= 0):
            raise self._fail("an id out of range")
        row: Row
        if flags & _SAME_FIELDS:
            row = tuple(self._take(len(fields)))
        else:
            row = list(self._take(2 * self._number()))
        if self._number() != self._at - 1 - begin or not row:
            raise self._fail("another number of elements")
        return (ms % _WRAP) << SEQUENCE_BITS | sequence % _WRAP, row, bool(flags & _DELETED)

    def _number(self) -> int:
        (text,) = self._take(1)
        if len(text) > 20 or not text.removeprefix(b"-").isdigit() or b"%d" % int(text) != text:
            raise self._fail("a text where a number must be")
        return int(text)

    def _take(self, count: int) -> Sequence[bytes]:
        begin = self._at
        if not 0 <= count <= len(self._texts) - begin:
            raise self._fail("the end where more must be")
        self._at = begin + count
        return self._texts[begin : self._at]

    def _fail(self, reason: str) -> RdbError:
        return RdbError(reason, self._at)


def _read_group(source: Source, stream: Stream, form: int) -> None:
    name = source.string()
    if name in stream.groups:
        raise source.fail("a group twice")
    last_id = _read_halves(source)
    read: int | None
    if form == STREAM_5:
        read = stream.entries_up_to(last_id)
    else:
        number = source.number()
        read = None if number == _UNKNOWN else _signed(number)
    group = stream.add_group(name, last_id, read)
    waiting: dict[int, tuple[int, int]] = {}
    for _ in range(source.length()):
        stream_id = int.from_bytes(source.take(_ID_BYTES), "big")
        if stream_id in waiting:
            raise source.fail("a pending entry twice")
        waiting[stream_id] = source.integer(_MOMENT_BYTES, signed=True), _signed(source.number())
    for _ in range(source.length()):
        _read_consumer(source, group, waiting, form)
    if waiting:
        raise source.fail("a pending entry of no consumer")


def _read_consumer(source: Source, group: Group, waiting: dict[int, tuple[int, int]], form: int) -> None:
    name = source.string()
    if group.consumer(name) is not None:
        raise source.fail("Duplicate stream consumer detected")
    consumer: Consumer = group.add_consumer(name, source.integer(_MOMENT_BYTES, signed=True))
    if form == STREAM_8:
        source.take(_MOMENT_BYTES)
    for _ in range(source.length()):
        stream_id = int.from_bytes(source.take(_ID_BYTES), "big")
        if stream_id not in waiting:
            raise source.fail("a pending entry that the group does not have")
        group.add_pending(stream_id, consumer, *waiting.pop(stream_id))
