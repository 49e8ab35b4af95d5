"""Stream ids: a time in milliseconds and a sequence number, 64 bits each, as one integer.

``ms << 64 | sequence`` compares as the pair does, and costs one object where a tuple costs three.
"""

from __future__ import annotations

SEQUENCE_BITS = 64
#: The highest number of either half.
HALF_MAX = (1 << 64) - 1
#: The highest id.
ID_MAX = (1 << 128) - 1


def id_text(stream_id: int) -> bytes:
    """`stream_id` as clients see it. O(1)."""
    return b"%d-%d" % (stream_id >> 64, stream_id & HALF_MAX)
