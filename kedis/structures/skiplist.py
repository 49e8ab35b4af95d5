"""A skip list of (score, member) pairs whose bottom level is made of blocks.

**The idea.** W. Pugh ("Skip Lists: A Probabilistic Alternative to Balanced Trees", CACM 33(6), 1990) keeps
a sorted linked list and gives every node a tower of forward pointers whose height is drawn by coin flips. A
search runs along the sparse top level until the next node would be too far, goes down a level, runs on;
chance keeps the levels balanced, so search, insert and delete take O(log N) expected and nothing is ever
rotated. Redis adds to each forward pointer a *span*, the number of elements it jumps over, which turns the
position of a search into a rank and a rank into a position, and a backward pointer on the bottom level for
reverse ranges.

**What blocks change.** A node per element suits a language with pointers; in Python each step from node to
node costs tens of nanoseconds and a cache miss. Here a tower belongs to a *block* of up to `BLOCK_MAX`
elements: an `array('d')` of scores beside the list of their members, in order. The levels lead to the
block, `bisect` (C, over contiguous doubles) finds the place in it, and a million members need some three
thousand blocks, of which a quarter has a tower.

    level 2   head ----------------- span 900 -----------------> B3 --- span 400 ---> end
    level 1   head ---- span 600 ----> B2 ------ span 300 -----> B3 --- span 400 ---> end
    blocks    head(300) --> B1(300) --> B2(300) ---------------> B3(300) --> B4(100)

- A block that outgrows `BLOCK_MAX` is cut in two, and the right half draws a height (`PROMOTE` per level).
  A block that falls below `BLOCK_MIN` is joined to a neighbour when both fit in `MERGE_MAX`; so of two
  neighbours at least one has `BLOCK_MIN` elements. The last block, filled at its end by rising scores, is
  cut at the end and stays full.
- Every block but the head has a *separator*: the first key it had when it was cut. It is a lower bound for
  the block and above all earlier keys, and it never changes, so removing a block's first key changes no
  level.
- The caller states correctly whether a key is present (the sorted set's dict knows), so insert and delete
  correct the spans on the way down and record no path; one is needed only when blocks are cut or joined.
- There are no backward pointers: a reverse range is a forward range by rank, reversed.

Ordering is by score, then by member bytes. 0.0 and -0.0 are equal; NaN must not be added. The cost of
each operation is that of the levels, O(log(N / BLOCK_MAX)) expected, and in the block O(log BLOCK_MAX)
comparisons and a memmove, also when all scores are equal: members are then searched the same way.
ops/bench/sorted_set.py gives for a change of score (a delete and an insert) 1.2 microseconds at 1,000
elements, 2.7 at 100,000 and 4.9 at 1,000,000, the growth being mostly cache misses. Half or twice the block
size, and `PROMOTE` from 1/8 to 1/3, change that by less than a tenth.

This is the reference. skiplist.pyx is the same list in C, which runs where it was built.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from random import Random

from kedis.structures.skiplist_nodes import END_BLOCK, END_LINK, Block, Link, check_separator, cut_level

BLOCK_MAX = 512
BLOCK_MIN = 64
MERGE_MAX = 384
# Elements of a block in a bulk build: room for a third more before the first cut.
BLOCK_FILL = 384
PROMOTE = 0.25
MAX_HEIGHT = 16

_INF = float("inf")
_coin = Random()


def _draw_height() -> int:
    height = 0
    while height < MAX_HEIGHT and _coin.random() < PROMOTE:
        height += 1
    return height


class SkipList:
    """Pairs of (score, member) in order, with ranks. It trusts its caller: see the module docstring."""

    __slots__ = ("_head", "_top")

    def __init__(self) -> None:
        self._head = Block(array("d"), [], -_INF, b"")
        self._top: Link | None = None

    @classmethod
    def from_sorted(cls, scores: array[float], members: list[bytes]) -> SkipList:
        """Build from parallel sequences already in order and free of duplicates. O(N)."""
        built = cls()
        block = built._head
        block.scores, block.members = scores[:BLOCK_FILL], members[:BLOCK_FILL]
        tails: list[Link] = []
        for start in range(BLOCK_FILL, len(members), BLOCK_FILL):
            stop = start + BLOCK_FILL
            right = Block(scores[start:stop], members[start:stop], scores[start], members[start])
            block.set_next(right)
            block = right
            height = _draw_height()
            while len(tails) < height:
                built._top = Link(built._head, built._top, start)
                tails.append(built._top)
            down = None
            for level in range(height):
                down = Link(right, down, 0)
                tails[level].set_next(down)
                tails[level] = down
            for tail in tails:
                tail.span += len(right.members)
        return built

    def copy(self) -> SkipList:
        """An independent copy. O(N)."""
        scores: array[float] = array("d")
        members: list[bytes] = []
        for block in self._blocks():
            scores += block.scores
            members += block.members
        return SkipList.from_sorted(scores, members)

    def __len__(self) -> int:
        """Number of elements. O(1) expected: the top level has few links."""
        size = 0
        link = self._top
        if link is None:
            return sum(len(block.members) for block in self._blocks())
        while link is not END_LINK:
            size += link.span
            link = link.next
        return size

    def __iter__(self) -> Iterator[tuple[bytes, float]]:
        """Yield (member, score) in order; the list must not change meanwhile."""
        for block in self._blocks():
            yield from zip(block.members, block.scores, strict=True)

    def _blocks(self) -> Iterator[Block]:
        block = self._head
        while block is not END_BLOCK:
            yield block
            block = block.next

    # The three searches on the hot path are inlined: a call costs as much as two levels.

    def insert(self, score: float, member: bytes) -> None:
        """Add a key that is not present. O(log N) expected."""
        link = self._top
        block = self._head
        if link is not None:
            while True:
                ahead = link.next_score
                while ahead <= score and (ahead < score or link.next_member <= member):
                    link = link.next
                    ahead = link.next_score
                link.span += 1
                down = link.down
                if down is None:
                    break
                link = down
            block = link.block
        ahead = block.next_score
        while ahead <= score and (ahead < score or block.next_member <= member):
            block = block.next
            ahead = block.next_score
        scores = block.scores
        members = block.members
        index = bisect_right(scores, score)
        if index and scores[index - 1] == score and members[index - 1] > member:
            index = bisect_left(members, member, bisect_left(scores, score, 0, index), index)
        scores.insert(index, score)
        members.insert(index, member)
        if len(members) > BLOCK_MAX:
            at_end = block.next is END_BLOCK and index == len(members) - 1
            self._split(block, index if at_end else len(members) // 2)

    def delete(self, score: float, member: bytes) -> bytes:
        """Remove a key that is present and return the list's own member object. O(log N) expected."""
        link = self._top
        block = self._head
        if link is not None:
            while True:
                ahead = link.next_score
                while ahead <= score and (ahead < score or link.next_member <= member):
                    link = link.next
                    ahead = link.next_score
                link.span -= 1
                down = link.down
                if down is None:
                    break
                link = down
            block = link.block
        ahead = block.next_score
        while ahead <= score and (ahead < score or block.next_member <= member):
            block = block.next
            ahead = block.next_score
        scores = block.scores
        members = block.members
        index = bisect_left(scores, score)
        if members[index] != member:
            index = bisect_left(members, member, index, bisect_right(scores, score, index))
        del scores[index]
        found = members.pop(index)
        size = len(members)
        if size == BLOCK_MIN - 1 or not size:
            self._join(block)
        return found

    def move(self, score: float, to: float, member: bytes) -> None:
        """Give a key that is present another score; the member object stays. O(log N) expected."""
        self.insert(to, self.delete(score, member))

    def rank(self, score: float, member: bytes) -> int:
        """Number of keys before (score, member), which need not be present. O(log N) expected."""
        rank = 0
        link = self._top
        block = self._head
        if link is not None:
            while True:
                ahead = link.next_score
                while ahead <= score and (ahead < score or link.next_member <= member):
                    rank += link.span
                    link = link.next
                    ahead = link.next_score
                down = link.down
                if down is None:
                    break
                link = down
            block = link.block
        ahead = block.next_score
        while ahead <= score and (ahead < score or block.next_member <= member):
            rank += len(block.members)
            block = block.next
            ahead = block.next_score
        scores = block.scores
        members = block.members
        index = bisect_left(scores, score)
        if index < len(members) and members[index] != member:
            index = bisect_left(members, member, index, bisect_right(scores, score, index))
        return rank + index

    def rank_of_score(self, score: float, after: bool) -> int:
        """Number of scores below `score`, or up to and with it when `after`. O(log N) expected."""
        rank = 0
        link = self._top
        block = self._head
        while link is not None:
            while link.next_score < score or (after and link.next_score == score):
                rank += link.span
                link = link.next
            block = link.block
            link = link.down
        while block.next_score < score or (after and block.next_score == score):
            rank += len(block.members)
            block = block.next
        return rank + (bisect_right if after else bisect_left)(block.scores, score)

    def rank_of_member(self, member: bytes, after: bool) -> int:
        """As rank_of_score, by member alone: for lists in which all scores are equal. O(log N) expected."""
        rank = 0
        link = self._top
        block = self._head
        while link is not None:
            while link.next is not END_LINK and link.next_member <= member:
                rank += link.span
                link = link.next
            block = link.block
            link = link.down
        while block.next is not END_BLOCK and block.next_member <= member:
            rank += len(block.members)
            block = block.next
        return rank + (bisect_right if after else bisect_left)(block.members, member)

    def _locate(self, rank: int) -> tuple[Block, int]:
        """The block that holds position `rank` (0 <= rank < N) and the place in it. O(log N) expected."""
        link = self._top
        block = self._head
        while link is not None:
            while rank >= link.span:
                rank -= link.span
                link = link.next
            block = link.block
            link = link.down
        while rank >= len(block.members):
            rank -= len(block.members)
            block = block.next
        return block, rank

    def at(self, rank: int) -> tuple[bytes, float]:
        """The (member, score) at position `rank`, 0 <= rank < N. O(log N) expected."""
        block, index = self._locate(rank)
        return block.members[index], block.scores[index]

    def pairs(self, start: int, stop: int) -> list[tuple[bytes, float]]:
        """(member, score) of ranks start..stop-1, 0 <= start < stop <= N. O(log N + M)."""
        found: list[tuple[bytes, float]] = []
        block, first = self._locate(start)
        wanted = stop - start
        while True:
            last = first + wanted
            found += zip(block.members[first:last], block.scores[first:last], strict=True)
            wanted = stop - start - len(found)
            if not wanted:
                return found
            block, first = block.next, 0

    def members(self, start: int, stop: int) -> list[bytes]:
        """Members of ranks start..stop-1, 0 <= start < stop <= N. O(log N + M)."""
        block, first = self._locate(start)
        found = block.members[first : first + stop - start]
        while len(found) < stop - start:
            block = block.next
            found += block.members[: stop - start - len(found)]
        return found

    def columns(self, start: int, stop: int) -> tuple[list[bytes], array[float]]:
        """Members and scores of ranks start..stop-1 side by side, 0 <= start < stop <= N. O(log N + M), 10 ns each."""
        block, first = self._locate(start)
        last = first + stop - start
        members, scores = block.members[first:last], block.scores[first:last]
        while len(members) < stop - start:
            block = block.next
            left = stop - start - len(members)
            members += block.members[:left]
            scores += block.scores[:left]
        return members, scores

    # The following methods change the levels; they run once per few hundred changes of elements.

    def _path(self, score: float, member: bytes) -> tuple[list[tuple[Link, int]], Block, int]:
        """The last link of each level and the last block that begin before a key.

        Links come with the rank at which they begin, lowest level first; the block's rank is last.
        """
        path: list[tuple[Link, int]] = []
        rank = 0
        link = self._top
        block = self._head
        key = (score, member)
        while link is not None:
            while (link.next_score, link.next_member) < key:
                rank += link.span
                link = link.next
            path.append((link, rank))
            block = link.block
            link = link.down
        while (block.next_score, block.next_member) < key:
            rank += len(block.members)
            block = block.next
        path.reverse()
        return path, block, rank

    def _path_to_rank(self, rank: int) -> tuple[list[tuple[Link, int]], Block, int]:
        """As _path, for the last ones that begin at or before position `rank` < N."""
        path: list[tuple[Link, int]] = []
        begin = 0
        link = self._top
        block = self._head
        while link is not None:
            while rank - begin >= link.span:
                begin += link.span
                link = link.next
            path.append((link, begin))
            block = link.block
            link = link.down
        while rank - begin >= len(block.members):
            begin += len(block.members)
            block = block.next
        path.reverse()
        return path, block, begin

    def _split(self, block: Block, cut: int) -> None:
        """Move the elements of `block` from index `cut` on to a new block with a tower of its own."""
        right = Block(block.scores[cut:], block.members[cut:], block.scores[cut], block.members[cut])
        path, _, rank = self._path(right.low_score, right.low_member)
        del block.scores[cut:], block.members[cut:]
        right.set_next(block.next)
        block.set_next(right)
        rank += cut
        down: Link | None = None
        for level in range(_draw_height()):
            if level == len(path):
                self._top = Link(self._head, self._top, len(self))
                path.append((self._top, 0))
            link, begin = path[level]
            down = Link(right, down, begin + link.span - rank)
            down.set_next(link.next)
            link.set_next(down)
            link.span = rank - begin

    def _join(self, block: Block) -> Block:
        """Join a small block to its neighbours while they fit; return the block it became part of."""
        while len(block.members) < BLOCK_MIN:
            if block.next is not END_BLOCK and self._fit(block, block.next):
                self._absorb_next(block)
                continue
            if block is self._head:
                break
            _, before, _ = self._path(block.low_score, block.low_member)
            if not self._fit(before, block):
                break
            self._absorb_next(before)
            block = before
        return block

    @staticmethod
    def _fit(left: Block, right: Block) -> bool:
        """Whether two neighbours may become one block. An empty block always does."""
        together = len(left.members) + len(right.members)
        return together <= MERGE_MAX or not (left.members and right.members)

    def _absorb_next(self, block: Block) -> None:
        """Append the next block's elements to `block` and remove the next block's tower from the levels."""
        right = block.next
        path, _, _ = self._path(right.low_score, right.low_member)
        for link, _ in path:
            if link.next is END_LINK or link.next.block is not right:
                break
            link.span += link.next.span
            link.set_next(link.next.next)
        block.scores += right.scores
        block.members += right.members
        block.set_next(right.next)
        self._drop_empty_levels()

    def _drop_empty_levels(self) -> None:
        while self._top is not None and self._top.next is END_LINK:
            self._top = self._top.down

    def delete_ranks(self, start: int, stop: int) -> list[tuple[bytes, float]]:
        """Remove ranks start..stop-1, 0 <= start < stop <= N, and return them. O(log N + M)."""
        taken = self.pairs(start, stop)
        path, first, begin = self._path_to_rank(start)
        index = start - begin
        # `last` is the first block after `first` that keeps elements, `last_begin` its rank until now.
        last, last_begin = first.next, begin + len(first.members)
        while last is not END_BLOCK and last_begin + len(last.members) <= stop:
            last_begin += len(last.members)
            last = last.next
        for link, rank in path:
            cut_level(link, rank, start, stop, last_begin)
        del first.scores[index : index + stop - start], first.members[index : index + stop - start]
        if last is not END_BLOCK and stop > last_begin:
            del last.scores[: stop - last_begin], last.members[: stop - last_begin]
        first.set_next(last)
        self._drop_empty_levels()
        joined = self._join(first)
        if joined.next is not END_BLOCK:
            self._join(joined.next)
        return taken

    def _check(self) -> None:
        """Assert every invariant: order, separators, block sizes, levels, spans. O(N)."""
        begins: dict[int, int] = {}
        position = 0
        last_key = (-_INF, b"")
        last_size = BLOCK_MIN
        for block in self._blocks():
            begins[id(block)] = position
            assert isinstance(block.scores, array) and block.scores.typecode == "d"
            size = len(block.members)
            assert len(block.scores) == size <= BLOCK_MAX
            assert max(size, last_size) >= BLOCK_MIN, "two small neighbours"
            assert size or (block is self._head and block.next is END_BLOCK), "an empty block was left"
            keys = list(zip(block.scores, block.members, strict=True))
            low = (block.low_score, block.low_member)
            assert all(low <= key for key in keys)
            assert block is self._head or not position or last_key < low
            assert all(a < b for a, b in pairwise(keys))
            check_separator(block, None if block.next is END_BLOCK else block.next)
            position += size
            last_size = size
            last_key = keys[-1] if keys else last_key
        self._check_levels(begins, position)
        assert len(self) == position

    def _check_levels(self, begins: dict[int, int], size: int) -> None:
        top = self._top
        assert top is None or top.next is not END_LINK, "an empty level was left"
        above: set[int] = set()
        while top is not None:
            assert top.block is self._head
            here: set[int] = set()
            link = top
            while link is not END_LINK:
                here.add(id(link.block))
                stop = size if link.next is END_LINK else begins[id(link.next.block)]
                assert link.span == stop - begins[id(link.block)], "wrong span"
                assert (link.down is None) == (top.down is None)
                assert link.down is None or link.down.block is link.block
                check_separator(link, None if link.next is END_LINK else link.next.block)
                link = link.next
            assert above <= here, "a tower with a missing storey"
            above, top = here, top.down
