"""ACL LOG: what was denied, to whom, and how often.

Entries for the same reason, object, context and user within a minute are one, which counts them and moves to the head.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

#: Bytes that are kept of a key, a channel, or the name of a user.
_MOST_BYTES = 1024
#: Entries that are compared with a new one, and how old, in milliseconds, they may be.
_COMPARED = 10
_SAME_WITHIN_MS = 60_000


@dataclass(slots=True)
class Entry:
    """One line of the log; ``client`` is the line of CLIENT LIST of the last one who was denied."""

    reason: str
    context: str
    object: bytes
    user: bytes
    at_ms: int
    client: bytes
    count: int = 1

    def __post_init__(self) -> None:
        self.object, self.user = _cut(self.object), _cut(self.user)

    def is_like(self, other: Entry) -> bool:
        """Whether both are about the same."""
        return (
            (self.reason, self.context, self.object, self.user)
            == (other.reason, other.context, other.object, other.user)
        ) and abs(self.at_ms - other.at_ms) <= _SAME_WITHIN_MS


def _cut(word: bytes) -> bytes:
    """``word``, which a client may have made as long as it likes."""
    surplus = len(word) - _MOST_BYTES
    return word if surplus <= 0 else word[:_MOST_BYTES] + b"... (%d more bytes)" % surplus


class AccessLog:
    """The latest denials, and how many there were of each kind.

    Attributes:
        counts: number of denials by reason (``auth``, ``command``, ``key``, ``channel``), for the metrics.
    """

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self.counts = dict.fromkeys(("auth", "command", "key", "channel"), 0)

    def add(self, entry: Entry, most: int) -> None:
        """Add ``entry``; where it is like none that is there, drop the oldest beyond ``most``. O(1) without a drop."""
        self.counts[entry.reason] += 1
        entries = self._entries
        for known in islice(entries, _COMPARED):
            if known.is_like(entry):
                entry.count += known.count
                entries.remove(known)
                entries.appendleft(entry)
                return
        entries.appendleft(entry)
        while len(entries) > most:
            entries.pop()

    def latest(self, count: int) -> Iterator[Entry]:
        """Up to ``count`` entries, the latest first."""
        return islice(self._entries, count)

    def clear(self) -> None:
        """Forget the entries; the counts stay."""
        self._entries.clear()
