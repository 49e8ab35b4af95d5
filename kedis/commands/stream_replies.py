"""What the stream commands share: entries as replies."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from kedis.resp.entries import Entries
from kedis.structures.stream import Stream
from kedis.structures.stream_block import Segment

#: More entries than a stream can have.
ALL = sys.maxsize


def entries(segments: Iterable[Segment], reverse: bool = False) -> Entries:
    """Entries as a reply, which later changes do not touch; each segment from its end if `reverse`. O(blocks)."""
    return Entries([segment.keep() for segment in segments], reverse)


def entry(stream: Stream, stream_id: int) -> list[Any] | None:
    """The entry `stream_id` as clients see it, or None. O(log N + block)."""
    segment = stream.find(stream_id)
    return None if segment is None else [segment.id_texts(0, 1)[0], segment.pairs(0, 1)[0]]
