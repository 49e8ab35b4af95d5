"""The slow log: the last slow commands, kept in memory for SLOWLOG GET.

Entries are truncated, so that the log does not keep a huge command alive: to 32 words of 128 bytes each.  Passwords
are blanked.

An entry is kept as one block of more than 512 bytes, which Python takes from ``malloc``. Small objects that outlive the
data around them would each keep an arena of 1 MB (docs/understand/memory.md).
"""

from __future__ import annotations

import marshal
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from kedis.engine.table import REDACTED, Command

MOST_WORDS = 32
MOST_BYTES = 128
#: Bytes of an entry, at least; with the head of the object they are more than Python's own allocator takes.
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class SlowCall:
    """One entry.  ``at_seconds`` since 1970; ``microseconds`` that the command ran."""

    id: int
    at_seconds: int
    microseconds: int
    words: list[bytes]
    address: str
    client_name: bytes


class SlowLog:
    """The newest ``limit`` slow calls; ids continue after SLOWLOG RESET."""

    def __init__(self, limit: int) -> None:
        self._calls: deque[bytes] = deque(maxlen=limit)
        self.next_id = 0

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, at_seconds: int, microseconds: int, words: list[bytes], address: str, name: bytes) -> None:
        """Remember a call whose words are cut already (:func:`shown_words`).  O(1)."""
        entry = marshal.dumps((self.next_id, at_seconds, microseconds, words, address, name))
        self._calls.appendleft(entry.ljust(_BLOCK))
        self.next_id += 1

    def newest(self, count: int) -> list[SlowCall]:
        """Up to ``count`` entries, the newest first; all when it is -1.  O(entries)."""
        kept = islice(self._calls, None if count == -1 else count)
        return [SlowCall(*marshal.loads(entry)) for entry in kept]  # which ignores the padding

    def reset(self) -> None:
        """Forget all entries."""
        self._calls.clear()

    def resize(self, limit: int) -> None:
        """Keep at most ``limit`` entries from now on; the oldest go."""
        self._calls = deque(islice(self._calls, limit), maxlen=limit)


def shown_words(command: Command, argv: Sequence[bytes]) -> list[bytes]:
    """The words of a call as the log keeps them: secrets blanked, the rest cut to size.

    O(1): looks at 32 words at most.
    """
    shown = command.redacted([bytes(word[: MOST_BYTES + 1]) for word in argv[:MOST_WORDS]])
    for position, word in enumerate(shown):
        surplus = len(argv[position]) - MOST_BYTES
        if surplus > 0 and word is not REDACTED:
            shown[position] = word[:MOST_BYTES] + b"... (%d more bytes)" % surplus
    if len(argv) > MOST_WORDS:
        shown[-1] = b"... (%d more arguments)" % (len(argv) - MOST_WORDS + 1)
    return shown
