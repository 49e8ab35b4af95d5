"""Key specifications: the positions of the keys among the arguments of a command.

This is the form in which Redis 7 publishes key positions (COMMAND INFO): where the keys begin (an index, or the
argument after a keyword), how to find the rest (a range or a count), and how the command uses them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

Argv = Sequence[bytes]
#: Access to a key that an access rule (ACL) grants and a command needs, as bits.
READS = 1
CHANGES = 2
#: Digits of the largest 64-bit integer.
_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One key specification: how keys are found in a command and how they are used.

    ``flags`` are Redis's words (``"RW access update"``). The keys begin at ``index``, or after the word
    ``keyword`` searched from argument ``start_from`` on. They are then a range (``last``, ``step``,
    ``limit``), or, with ``count_at`` given, as many as that argument gives. ``unknown`` marks positions
    that no specification can describe.
    """

    flags: str
    index: int = 0
    keyword: str | None = None
    start_from: int = 0
    last: int = 0
    step: int = 1
    limit: int = 0
    count_at: int | None = None
    first_key: int = 1
    unknown: bool = False

    def positions(self, argv: Argv) -> Iterator[int]:
        """Yield the positions of the keys in ``argv``; ValueError when the arguments do not fit."""
        begin = self._begin(argv)
        if begin is None:
            return
        if self.count_at is not None:
            if begin + self.count_at >= len(argv):
                raise ValueError("no key count")
            count = _count(argv[begin + self.count_at])
            first = begin + self.first_key
            end = first + (count - 1) * self.step
            if end >= len(argv):
                raise ValueError("key count out of range")
        else:
            first = begin
            end = begin + self.last if self.last >= 0 else len(argv) + self.last
            if self.last == -1 and self.limit > 1:
                end = begin + (len(argv) - begin) // self.limit - 1
            if not first <= end < len(argv):
                raise ValueError("missing keys")
        yield from range(first, end + 1, self.step)

    def _begin(self, argv: Argv) -> int | None:
        if self.unknown:
            return None
        if self.keyword is None:
            return self.index
        word = self.keyword.encode()
        if self.start_from > 0:
            search = range(self.start_from, len(argv) - 1)  # after the last argument there is no key
        else:
            search = range(len(argv) + self.start_from, 0, -1)
        for position in search:
            if argv[position].upper() == word:
                return position + 1
        return None

    @property
    def is_fixed_range(self) -> bool:
        return self.keyword is None and self.count_at is None and not self.unknown


def _count(text: bytes) -> int:
    """A key count of at least 1 in canonical form; ValueError for anything else.  O(1)."""
    if len(text) > _MOST_DIGITS or not text.isdigit() or text.startswith(b"0"):
        raise ValueError("not a key count")
    return int(text)


@cache
def access_of(flags: str) -> int:
    """The access that a use of a key, in Redis's words, needs; 0 where any will do, as for EXISTS. O(1)."""
    words = set(flags.split())
    return READS * ("access" in words) | CHANGES * bool(words & {"insert", "delete", "update"})


def span(flags: str, index: int, last: int = 0, step: int = 1, limit: int = 0) -> KeySpec:
    """Keys from argument ``index`` on: ``last`` counts from there (0: that one only) or from the end (-1)."""
    return KeySpec(flags, index=index, last=last, step=step, limit=limit)


def counted(flags: str, index: int, first_key: int = 1, step: int = 1) -> KeySpec:
    """Keys after argument ``index``, which gives their number."""
    return KeySpec(flags, index=index, count_at=0, first_key=first_key, step=step)


def after_keyword(
    flags: str, keyword: str, start_from: int, last: int = 0, step: int = 1, limit: int = 0
) -> KeySpec:
    """Keys after the word ``keyword``, which is searched from argument ``start_from`` on (or back from the end)."""
    return KeySpec(flags, keyword=keyword, start_from=start_from, last=last, step=step, limit=limit)


def unknown_keys(flags: str) -> KeySpec:
    """Keys whose positions depend on data."""
    return KeySpec(flags, unknown=True)
