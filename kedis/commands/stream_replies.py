"""What the stream commands share: entries as replies, and texts of ids."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import chain
from typing import Any

from kedis.structures.stream import Stream
from kedis.structures.stream_block import Segment
from kedis.structures.stream_id import HALF_MAX

#: More entries than a stream can have.
ALL = sys.maxsize


def entry_list(segments: Iterable[Segment], reverse: bool = False) -> list[Any]:
    """Entries as clients see them, [id, [field, value, ...]]; each segment from its end if `reverse`. O(N)."""
    found: list[Any] = []
    for fields, ids, rows in segments:
        part = [
            [
                b"%d-%d" % (each >> 64, each & HALF_MAX),
                list(chain.from_iterable(zip(fields, row, strict=True))) if type(row) is tuple else row,
            ]
            for each, row in zip(ids, rows, strict=True)
        ]
        if reverse:
            part.reverse()
        found += part
    return found


def entry(stream: Stream, stream_id: int) -> Any:
    """The entry `stream_id` as clients see it, or None. O(log N + block)."""
    segment = stream.find(stream_id)
    return None if segment is None else entry_list([segment])[0]
