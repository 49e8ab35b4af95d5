"""The parts of the skip list: blocks of elements, links of levels, and the end marks of both.

A link or block holds a copy of the separator it leads to, so that a search that stops before a block has
not touched the block's memory. At the end of a level that copy is NaN, which no comparison passes: a search
by key needs no test for the end. The module kedis.structures.skiplist explains the whole.
"""

from __future__ import annotations

from array import array

_NAN = float("nan")


class Block:
    """A run of neighbouring elements, its separator, and the way to the next block."""

    __slots__ = ("low_member", "low_score", "members", "next", "next_member", "next_score", "scores")

    def __init__(
        self, scores: array[float], members: list[bytes], low_score: float, low_member: bytes
    ) -> None:
        self.scores = scores
        self.members = members
        self.low_score = low_score
        self.low_member = low_member
        self.next: Block = END_BLOCK
        self.next_score = _NAN
        self.next_member = b""

    def set_next(self, block: Block) -> None:
        """Make `block` (or END_BLOCK) the next one and copy its separator."""
        self.next = block
        if block is END_BLOCK:
            self.next_score, self.next_member = _NAN, b""
        else:
            self.next_score, self.next_member = block.low_score, block.low_member


class Link:
    """One level of a tower: the link to the next tower of this height, and the number of elements it jumps over.

    `span` counts from the first element of `block` to the last before the next tower of the level.
    """

    __slots__ = ("block", "down", "next", "next_member", "next_score", "span")

    def __init__(self, block: Block, down: Link | None, span: int) -> None:
        self.block = block
        self.down = down
        self.span = span
        self.next: Link = END_LINK
        self.next_score = _NAN
        self.next_member = b""

    def set_next(self, link: Link) -> None:
        """Make `link` (or END_LINK) the next one of the level and copy its block's separator."""
        self.next = link
        if link is END_LINK:
            self.next_score, self.next_member = _NAN, b""
        else:
            self.next_score, self.next_member = link.block.low_score, link.block.low_member


# End marks after the last block and the last link. They hold nothing: using a field of theirs is an error.


class _EndBlock(Block):
    def __init__(self) -> None: ...


class _EndLink(Link):
    def __init__(self) -> None: ...


END_BLOCK: Block = _EndBlock()
END_LINK: Link = _EndLink()


def cut_level(link: Link, begin: int, start: int, stop: int, last_begin: int) -> None:
    """Remove ranks start..stop-1 from a level; `link`, at rank `begin`, is its last at or before `start`.

    Towers before rank `last_begin` are removed; the one there, if any, loses the deleted elements of its block.
    """
    end = begin + link.span
    following = link.next
    while following is not END_LINK and end < last_begin:
        end += following.span
        following = following.next
    link.span = end - begin - (min(stop, end) - start)
    link.set_next(following)
    if following is not END_LINK and stop > end:
        following.span -= stop - end


def check_separator(holder: Block | Link, block: Block | None) -> None:
    """Assert that `holder` has a true copy of the separator of the `block` it leads to, None at the end."""
    if block is None:
        assert holder.next_score != holder.next_score and holder.next_member == b""
    else:
        assert (holder.next_score, holder.next_member) == (block.low_score, block.low_member)
