"""The commands that make a stream, as Redis writes them to the base of an append-only file.

Its entries come first, each by an XADD; an empty stream by one that is trimmed at once.  XSETID then tells the last id,
how many entries there ever were and which id is the highest deleted.  A group is made by XGROUP CREATE, each pending
entry by an XCLAIM that forces it, and consumers who have none by XGROUP CREATECONSUMER.

Simplified, as in Redis: what is pending and was deleted from the stream is left out, and so is when a consumer was last
seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kedis.structures.consumer_groups import Group
from kedis.structures.stream import Stream
from kedis.structures.stream_columns import interleaved
from kedis.structures.stream_id import ID_MAX, id_text

_INT64_MAX = (1 << 63) - 1


def stream_commands(key: bytes, stream: Stream) -> Iterator[Sequence[bytes]]:
    """The commands that make ``stream`` at ``key``. O(N)."""
    for segment in stream.read(0, ID_MAX):
        for text, row in zip(segment.id_texts(0, len(segment)), segment.rows(), strict=True):
            yield (b"XADD", key, text, *interleaved(segment.fields, row))
    if not len(stream):
        yield (b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y")
    yield (
        *(
            b"XSETID",
            key,
            id_text(stream.last_id),
            b"ENTRIESADDED",
            b"%d" % min(stream.entries_added, _INT64_MAX),
        ),
        *(b"MAXDELETEDID", id_text(stream.max_deleted_id)),
    )
    for name, group in sorted(stream.groups.items()):
        yield from _group_commands(key, name, group)


def _group_commands(key: bytes, name: bytes, group: Group) -> Iterator[Sequence[bytes]]:
    read = group.entries_read
    if read is None or not 0 <= read <= _INT64_MAX:
        read = -1
    yield (b"XGROUP", b"CREATE", key, name, id_text(group.last_id), b"ENTRIESREAD", b"%d" % read)
    for consumer in group.consumers():
        if not len(consumer.pending):
            yield (b"XGROUP", b"CREATECONSUMER", key, name, consumer.name)
        for stream_id, pending in consumer.pending.items():
            yield (
                *(b"XCLAIM", key, name, consumer.name, b"0", id_text(stream_id)),
                *(b"TIME", b"%d" % pending.delivered_ms, b"RETRYCOUNT", b"%d" % pending.count),
                *(b"JUSTID", b"FORCE"),
            )
