"""The value of the sorted set type: a dict from member to score beside a skip list in order of score.

The dict serves look-ups by member (score, presence), the skip list look-ups by order (ranks,
ranges). Both hold the same member object; scores are floats in the dict and raw doubles in the skip list's
blocks. A set of up to `skiplist.BLOCK_MAX` members is one block without towers, which keeps small sets
cheap without a second representation to convert from.

Scans resume by position in a hash order that survives changes; this needs a third part, a ScanIndex. Sets of
at most `UNINDEXED_MAX` members do without: a scan returns them whole. It is built when the set
grows past that size and kept until the set is empty; a change of score does not touch it.

Ranks count from 0 at the lowest (score, member); ranges are half-open. Scores are never NaN, which the caller
ensures.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from random import Random

from kedis.structures.footprint import CONTAINER, DICT_ENTRY, INDEX_ENTRY, bytes_footprints
from kedis.structures.packing import Thresholds
from kedis.structures.scan_index import ScanIndex
from kedis.structures.skiplist import SkipList

UNINDEXED_MAX = 128
"""Maximum number of members of a set without a scan index."""

UNCHANGED, MOVED, ADDED = 0, 1, 2
"""What `SortedSet.put` has done with a member."""

_SCORE = 32
"""Bytes of a float object."""
_PLACE = 22
"""Bytes of a member's place in a block and its raw score, a block being full to seven tenths."""
_PARTS = 400
"""Bytes of the objects of an empty set, without the dict."""
_INDEXED = DICT_ENTRY + INDEX_ENTRY + _SCORE + _PLACE
"""Bytes of a member of a set with an index, without its own."""


class SortedSet:
    """Members with scores, in order of score and then of bytes."""

    __slots__ = ("_list", "accounted_bytes", "elements_bytes", "footprint", "index", "packed", "scores")

    def __init__(self) -> None:
        self.scores: dict[bytes, float] = {}
        """Score by member, to read only."""
        self.index: ScanIndex | None = None
        self._list = SkipList()
        self.packed: Thresholds | None = None
        """Limits up to which the set stays packed; None: it is full (see `kedis.structures.packing`)."""
        self.elements_bytes = 0
        """Bytes of the members."""
        self.accounted_bytes = 0
        """The footprint in the account of the keyspace."""
        self.footprint = 0
        """Bytes of main memory that the set occupies."""
        self._measure()

    def _measure(self) -> None:
        """Compute the footprint. O(1)."""
        size = len(self.scores)
        if self.index is None:
            table = self.scores.__sizeof__()
            self.footprint = self.elements_bytes + table + (_SCORE + _PLACE) * size + (_PARTS + CONTAINER)
        else:
            self.footprint = self.elements_bytes + _INDEXED * size + (_PARTS + CONTAINER)

    @classmethod
    def from_scores(cls, scores: dict[bytes, float]) -> SortedSet:
        """Build from a dict, which becomes the set's own. O(N log N), or O(N) when it is already in order."""
        # Two sorts by one key each, the second stable, cost half of one sort by tuples.
        members = sorted(scores)
        members.sort(key=scores.__getitem__)
        return cls._built(scores, members, array("d", map(scores.__getitem__, members)))

    @classmethod
    def from_columns(cls, members: list[bytes], scores: array[float]) -> SortedSet:
        """Build from members in order and the score of each; both are taken over. O(N)."""
        return cls._built(dict(zip(members, scores, strict=True)), members, scores)

    @classmethod
    def _built(cls, by_member: dict[bytes, float], members: list[bytes], scores: array[float]) -> SortedSet:
        built = cls()
        built.scores = by_member
        built._list = SkipList.from_sorted(scores, members)
        built.elements_bytes = bytes_footprints(members)
        built._index_if_large()
        built._measure()
        return built

    def copy(self) -> SortedSet:
        """An independent copy. O(N)."""
        twin = SortedSet()
        twin.scores = self.scores.copy()
        twin._list = self._list.copy()
        twin.packed = self.packed
        twin.elements_bytes = self.elements_bytes
        twin.index = None if self.index is None else self.index.copy()
        twin._measure()
        return twin

    def choose(self, thresholds: Thresholds, by_entries_alone: bool = False) -> None:
        """Become packed if the members fit into `thresholds`, else full. O(1) beyond them, or O(N)."""
        fits = len(self.scores) <= thresholds.entries and (by_entries_alone or thresholds.fit(self.scores))
        self.packed = thresholds if fits else None

    def be_full(self) -> None:
        """Stop being packed. O(1)."""
        self.packed = None

    def _index_if_large(self) -> None:
        if self.index is None and len(self.scores) > UNINDEXED_MAX:
            self.index = ScanIndex(self.scores)

    def __len__(self) -> int:
        """Number of members. O(1)."""
        return len(self.scores)

    def __contains__(self, member: object) -> bool:
        """Whether `member` is present. O(1)."""
        return member in self.scores

    def __iter__(self) -> Iterator[bytes]:
        """Members in order; the set must not change meanwhile."""
        return (member for member, _ in self._list)

    def items(self) -> Iterator[tuple[bytes, float]]:
        """(member, score) in order; the set must not change meanwhile."""
        return iter(self._list)

    def add(self, member: bytes, score: float) -> bool:
        """Give `member` this score; True if it is new. An equal score changes nothing. O(log N) expected."""
        return self.put(member, score) == ADDED

    def put(self, member: bytes, score: float) -> int:
        """As `add`; returns `ADDED`, `MOVED` or `UNCHANGED`."""
        scores = self.scores
        old = scores.get(member)
        if old is None:
            scores[member] = score
            size = len(member) + 48 & -16
            self.elements_bytes += size
            self._list.insert(score, member)
            if self.index is not None:
                self.index.add(member)
                self.footprint += size + _INDEXED
            else:
                if len(scores) > UNINDEXED_MAX:
                    self.index = ScanIndex(scores)
                self._measure()
            packed = self.packed
            if packed is not None and (len(scores) > packed.entries or len(member) > packed.longest):
                self.packed = None
            return ADDED
        if old == score:
            return UNCHANGED
        scores[member] = score
        self._list.move(
            old, score, member
        )  # keeps the object that the dict holds as its key, not the caller's
        return MOVED

    def score(self, member: bytes) -> float | None:
        """The score of `member`, None if absent. O(1)."""
        return self.scores.get(member)

    def remove(self, member: bytes) -> bool:
        """Remove `member`; False if it was absent. O(log N) expected."""
        score = self.scores.pop(member, None)
        if score is None:
            return False
        self.elements_bytes -= len(member) + 48 & -16
        self._list.delete(score, member)
        if self.index is not None:
            self._unindex((member,))
        self._measure()
        return True

    def _unindex(self, members: Sequence[bytes]) -> None:
        """Remove members that are no longer in `scores` from the index, which is dropped with the last of them."""
        index = self.index
        scores = self.scores
        if index is None or not scores:
            self.index = None
        elif len(members) > len(scores):
            self.index = ScanIndex(scores)  # cursors stay valid: they are positions in the order of hashes
        else:
            for member in members:
                index.discard(member)

    def rank(self, member: bytes, reverse: bool = False) -> int | None:
        """Position of `member`, from the highest when `reverse`; None if absent. O(log N) expected."""
        score = self.scores.get(member)
        if score is None:
            return None
        rank = self._list.rank(score, member)
        return len(self.scores) - 1 - rank if reverse else rank

    def at(self, rank: int) -> tuple[bytes, float]:
        """(member, score) at `rank`, 0 <= rank < N (IndexError otherwise). O(log N) expected."""
        if not 0 <= rank < len(self.scores):
            raise IndexError("rank out of range")
        return self._list.at(rank)

    def slice(self, start: int, stop: int, reverse: bool = False) -> list[tuple[bytes, float]]:
        """(member, score) of ranks start..stop-1, cut to 0..N. O(log N + M).

        With `reverse`, ranks count from the highest and the result runs downwards.
        """
        start, stop = self._forward(start, stop, reverse)
        if start >= stop:
            return []
        found = self._list.pairs(start, stop)
        if reverse:
            found.reverse()
        return found

    def members(self, start: int, stop: int, reverse: bool = False) -> list[bytes]:
        """As `slice`, without the scores and several times as fast. O(log N + M)."""
        start, stop = self._forward(start, stop, reverse)
        if start >= stop:
            return []
        found = self._list.members(start, stop)
        if reverse:
            found.reverse()
        return found

    def columns(self, start: int, stop: int, reverse: bool = False) -> tuple[list[bytes], array[float]]:
        """As `slice`, members and scores side by side: a tenth of the time and memory. O(log N + M)."""
        start, stop = self._forward(start, stop, reverse)
        if start >= stop:
            return [], array("d")
        members, scores = self._list.columns(start, stop)
        if reverse:
            members.reverse()
            scores.reverse()
        return members, scores

    def _forward(self, start: int, stop: int, reverse: bool) -> tuple[int, int]:
        """Cut a range to the set's size and count it from the lowest."""
        size = len(self.scores)
        start = max(start, 0)
        stop = min(stop, size)
        return (size - stop, size - start) if reverse else (start, stop)

    def rank_range_by_score(
        self, low: float, low_exclusive: bool, high: float, high_exclusive: bool
    ) -> tuple[int, int]:
        """Ranks (start, stop) of the scores between two bounds, equal if none. O(log N) expected."""
        start = self._list.rank_of_score(low, after=low_exclusive)
        stop = self._list.rank_of_score(high, after=not high_exclusive)
        return start, max(start, stop)

    def rank_range_by_lex(
        self, low: bytes | None, low_exclusive: bool, high: bytes | None, high_exclusive: bool
    ) -> tuple[int, int]:
        """Ranks (start, stop) of the members between two bounds, None being no bound. O(log N) expected.

        All scores must be equal; otherwise the answer is some valid range without meaning.
        """
        start = 0 if low is None else self._list.rank_of_member(low, after=low_exclusive)
        size = len(self.scores)
        stop = size if high is None else self._list.rank_of_member(high, after=not high_exclusive)
        return start, max(start, stop)

    def remove_range(self, start: int, stop: int) -> list[tuple[bytes, float]]:
        """Remove ranks start..stop-1, cut to 0..N, and return them in order. O(log N + M)."""
        start, stop = self._forward(start, stop, reverse=False)
        if start >= stop:
            return []
        if stop - start == 1:
            pair = self._list.at(start)
            self.remove(pair[0])
            return [pair]
        if stop - start == len(self.scores):
            return self._remove_all()
        taken = self._list.delete_ranks(start, stop)
        scores = self.scores
        members = [member for member, _ in taken]
        for member in members:
            del scores[member]
        self.elements_bytes -= bytes_footprints(members)
        self._unindex(members)
        self._measure()
        return taken

    def _remove_all(self) -> list[tuple[bytes, float]]:
        """Remove everything and return it in order. O(N), 0.2 us each."""
        taken = list(zip(*self._list.columns(0, len(self.scores)), strict=True))
        self._list = SkipList()
        self.scores.clear()
        self.index = None
        self.elements_bytes = 0
        self._measure()
        return taken

    def pop_min(self, count: int = 1) -> list[tuple[bytes, float]]:
        """Remove and return up to `count` of the lowest, lowest first. O(log N + count)."""
        return self.remove_range(0, count)

    def pop_max(self, count: int = 1) -> list[tuple[bytes, float]]:
        """Remove and return up to `count` of the highest, highest first. O(log N + count)."""
        size = len(self.scores)
        taken = self.remove_range(size - count, size)
        taken.reverse()
        return taken

    def random_member(self, rng: Random) -> tuple[bytes, float]:
        """A (member, score), each equally likely; the set must not be empty. O(log N) expected."""
        return self._list.at(int(rng.random() * len(self.scores)))

    def sample(self, count: int, rng: Random) -> list[tuple[bytes, float]]:
        """Up to `count` different (member, score) in random order, all samples equally likely.

        O(count log N) expected.
        """
        size = len(self.scores)
        return [self._list.at(rank) for rank in rng.sample(range(size), min(count, size))]

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        """The next cursor (0 when complete) and some (member, score); see ScanIndex.scan. O(count) expected.

        A set without an index returns everything at once, whatever the cursor.
        """
        if self.index is None:
            return 0, list(self._list)
        cursor, found = self.index.scan(cursor, count)
        scores = self.scores
        return cursor, [(member, scores[member]) for member in found]

    def free_in_steps(self, piece: int) -> Iterator[None]:
        """Empty an unreferenced set; yields after every `piece` members. O(N log N)."""
        index, self.index = self.index, None
        while self.scores:
            self.pop_max(piece)
            yield
        if index is not None:
            yield from index.free_in_steps(piece)

    def _check(self) -> None:
        """Assert every invariant of the set and its parts. O(N log N)."""
        self._list._check()
        scores = self.scores
        assert self.elements_bytes == bytes_footprints(scores)
        footprint = self.footprint
        self._measure()
        assert self.footprint == footprint
        ordered = list(self._list)
        assert len(ordered) == len(scores)
        keys = {member: member for member in scores}
        for member, score in ordered:
            assert scores[member] == score
            assert keys[member] is member, "the dict and the skip list hold copies"
        if self.index is None:
            assert len(scores) <= UNINDEXED_MAX
        else:
            self.index._check()
            assert scores and set(self.index) == set(scores)
