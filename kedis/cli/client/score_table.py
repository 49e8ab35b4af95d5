"""Members of sorted sets with their scores, from the replies of both protocols."""

from __future__ import annotations

from collections.abc import Sequence

from kedis.cli.client.render import elements_of

_IF_ASKED = frozenset(
    b"ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANDMEMBER ZUNION ZINTER ZDIFF".split()
)
_ALWAYS = frozenset([b"ZPOPMIN", b"ZPOPMAX"])
_OF_A_KEY = frozenset([b"ZMPOP", b"BZMPOP"])

Scored = list[tuple[object, object]]


def scored_members(words: Sequence[bytes], reply: object) -> tuple[object | None, Scored] | None:
    """The key, where the reply names it, and the members with their scores; None where the reply has no scores."""
    name = words[0].upper() if words else b""
    elements = elements_of(reply)
    if not elements:
        return None
    if name in _OF_A_KEY and len(elements) == 2:
        pairs = _pairs(elements_of(elements[1]) or [])
        return (elements[0], pairs) if pairs else None
    if name in _ALWAYS or (name in _IF_ASKED and b"WITHSCORES" in map(bytes.upper, words)):
        pairs = _pairs(elements)
        return (None, pairs) if pairs else None
    return None


def _pairs(elements: list[object]) -> Scored | None:
    """RESP3 has a pair for each member, RESP2 one flat list."""
    nested = [elements_of(each) for each in elements]
    if all(each is None for each in nested):
        return list(zip(elements[::2], elements[1::2], strict=True)) if len(elements) % 2 == 0 else None
    pairs = [(each[0], each[1]) for each in nested if each is not None and len(each) == 2]
    if len(pairs) < len(nested) or any(elements_of(part) is not None for pair in pairs for part in pair):
        return None
    return pairs
