"""Key specifications: the positions of the keys among the arguments of a command.

This is the form in which Redis 7 publishes key positions (COMMAND INFO): where the keys begin (an index, or the
argument after a keyword), how to find the rest (a range or a count), and how the command uses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

Argv = Sequence[bytes]
#: Access to a key that an access rule (ACL) grants and a command needs, as bits.
READS = 1
CHANGES = 2
#: Digits of the largest 64-bit integer.
_MOST_DIGITS = 19
_NOWHERE = range(0)


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

    def positions(self, argv: Argv) -> range:
        """The positions of the keys in ``argv``; ValueError when the arguments do not fit.

        O(1), or O(arguments) where a keyword is searched.
        """
        begin = self.index if self.keyword is None else self._begin(argv, self.keyword)
        if self.unknown or begin is None:
            return _NOWHERE
        if self.count_at is not None:
            if begin + self.count_at >= len(argv):
                raise ValueError("no key count")
            first = begin + self.first_key
            end = first + (_count(argv[begin + self.count_at]) - 1) * self.step
            if end >= len(argv):
                raise ValueError("key count out of range")
        else:
            first = begin
            end = begin + self.last if self.last >= 0 else len(argv) + self.last
            if self.last == -1 and self.limit > 1:
                end = begin + (len(argv) - begin) // self.limit - 1
            if not first <= end < len(argv):
                raise ValueError("missing keys")
        return range(first, end + 1, self.step)

    def _begin(self, argv: Argv, keyword: str) -> int | None:
        word = _encoded(keyword)
        size, start = len(word), self.start_from
        if start > 0:
            position = start
            for each in argv[start:-1]:  # after the last argument there is no key
                position += 1
                if len(each) == size and (each == word or each.upper() == word):
                    return position
            return None
        for position in range(len(argv) + start, 0, -1):
            if len(argv[position]) == size and argv[position].upper() == word:
                return position + 1
        return None

    @property
    def is_fixed_range(self) -> bool:
        return self.keyword is None and self.count_at is None and not self.unknown


@cache
def _encoded(keyword: str) -> bytes:
    return keyword.encode()


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
