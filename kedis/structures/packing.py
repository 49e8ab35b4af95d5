"""Packed and full containers: Redis's two representations of a small and of a large value.

A hash, set or sorted set begins *packed* (in Redis one flat piece: a listpack, or an intset for integers) and becomes
*full* (a table, a skip list) with the change that exceeds one of the thresholds of its type. That is permanent: a value
that shrinks again, or whose thresholds are raised, stays full while it lives; a packed one stays packed when they
are lowered, until the next change that is checked. The attribute ``packed`` of a container records the state: the
thresholds that apply to it, or None once it is full.

In the compiled build a packed hash or set is stored so (`kedis.structures.packed`). Simplified: in Python it is stored
like a full one, and ``packed`` determines only what clients see: OBJECT ENCODING and the form of DUMP.
"""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST_INTEGER = 20
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1


class Thresholds:
    """The packing thresholds of one type; shared by its containers, so that a change applies to all of them.

    Attributes:
        entries: maximum number of entries.
        longest: maximum bytes of an element (a field, a value, a member).
    """

    __slots__ = ("entries", "longest")

    def __init__(self, entries: int, longest: int = 0) -> None:
        self.entries = entries
        self.longest = longest

    def fit(self, *elements: Iterable[bytes]) -> bool:
        """Whether all elements are short enough. O(elements)."""
        return all(max(map(len, some), default=0) <= self.longest for some in elements)


def is_integer(text: bytes) -> bool:
    """Whether `text` is a signed 64-bit integer in its canonical decimal spelling. O(1)."""
    if len(text) > _LONGEST_INTEGER:
        return False
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or digits[0] == 48:  # a leading 0
        return text == b"0"
    return _INT64_MIN <= int(text) <= _INT64_MAX


def are_integers(texts: Iterable[bytes]) -> bool:
    """Whether all of `texts` are such integers. O(texts)."""
    return all(map(is_integer, texts))
