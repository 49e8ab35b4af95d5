"""When a container is packed and when it is full: Redis's two representations of a small and of a large value.

A hash, set or sorted set begins *packed* (in Redis one flat piece: a listpack, or an intset for integers) and becomes
*full* (a table, a skip list) with the change that passes one of the thresholds of its type.  That is sticky: a value
that shrinks again, or whose thresholds are raised, stays full while it lives; and one that is packed stays so when they
are lowered, until the next change that is looked at.  The attribute ``packed`` of a container records it: the
thresholds that bind it, or None once it is full.

Simplified: a packed container is kept as a full one is.  What ``packed`` decides is what clients see of it: OBJECT
ENCODING and the form of DUMP.
"""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST_INTEGER = 20
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1


class Thresholds:
    """Up to what the containers of one type are packed; all of them share it, so that it may change under them.

    Attributes:
        entries: the most entries.
        longest: the most bytes of an element (a field, a value, a member).
    """

    __slots__ = ("entries", "longest")

    def __init__(self, entries: int, longest: int = 0) -> None:
        self.entries = entries
        self.longest = longest

    def fit(self, *elements: Iterable[bytes]) -> bool:
        """Whether no element of any of these is too long. O(elements)."""
        return all(max(map(len, some), default=0) <= self.longest for some in elements)


def is_integer(text: bytes) -> bool:
    """Whether `text` is a signed 64-bit integer spelt as printing would spell it. O(1)."""
    if len(text) > _LONGEST_INTEGER:
        return False
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or digits[0] == 48:  # a leading 0
        return text == b"0"
    return _INT64_MIN <= int(text) <= _INT64_MAX


def are_integers(texts: Iterable[bytes]) -> bool:
    """Whether all of `texts` are. O(texts)."""
    return all(map(is_integer, texts))
