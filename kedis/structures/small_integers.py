"""Small integers as values: one object for each, for all keys. Counters and flags are most of what such values are.

The account counts each value as if it had its own.
"""

from __future__ import annotations

#: How many there are, from 0 on; as many as Redis shares.
COUNT = 10_000
_LONGEST = len(str(COUNT - 1))

#: The spelling of each.
SPELLED = tuple([b"%d" % number for number in range(COUNT)])


def shared(value: bytes) -> bytes:
    """The common object that equals ``value``; ``value`` itself where there is none. 0.1 us."""
    if len(value) > _LONGEST or not value.isdigit():
        return value
    found = SPELLED[int(value)]
    return found if found == value else value  # 007 is another text
