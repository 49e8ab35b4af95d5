"""The values of the hash and set types: dict and set with scanning and random sampling.

Reading and overwriting are those of the built-in type, at its speed. Up to `INDEX_ABOVE` entries there is no index:
a scan returns everything at once (as Redis does with its compact encodings) and a random pick lists the
entries. One more entry builds a `ScanIndex`. Every method here that adds or removes entries keeps it in step,
and it stays until the container is empty, because an iteration may be under way with one of its cursors.

Changes must go through the methods named in each class; the inherited mutators (`add`, `pop`, `update`, ...)
bypass both the index and the account, and raise TypeError. `x[field] = value` and `del x[field]` could be forbidden
only at a price of 5 % of an HSET (the slot of the type would lead to Python), so they stay: for `Hash` alone.

Both maintain ``elements_bytes``, the bytes of their entries, and ``footprint``: see `kedis.structures.footprint`.
Both record in ``packed`` whether they are small to Redis: see `kedis.structures.packing`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from random import Random
from typing import NoReturn

from kedis.structures.footprint import CONTAINER, DICT_ENTRY, INDEX_ENTRY, bypass, bytes_footprints
from kedis.structures.packing import Thresholds, are_integers, is_integer
from kedis.structures.scan_index import ScanIndex
from kedis.structures.stepwise import pop_in_steps

INDEX_ABOVE = 128

# Share of the entries (1 / 3) from which sampling lists them all instead of drawing one by one, and removing
# rebuilds the index instead of keeping it in step: 0.2 us an entry that stays, not 1 us a removed one.
_DENSE = 3


def _pick(entries: Collection[bytes], index: ScanIndex | None, rng: Random) -> bytes:
    if index is not None:
        return index.random(rng)
    return list(entries)[int(rng.random() * len(entries))]


def _sample_distinct(
    entries: Collection[bytes], index: ScanIndex | None, rng: Random, count: int
) -> list[bytes]:
    size = len(entries)
    if count >= size:
        return list(entries)
    if index is None:
        return rng.sample(list(entries), count)
    if count * _DENSE > size:
        return _sample_dense(entries, rng, count)
    # A dict keeps the order of the draws, so the order of the result is as random as its choice.
    drawn: dict[bytes, None] = {}
    while len(drawn) < count:
        drawn[index.random(rng)] = None
    return list(drawn)


def _sample_dense(entries: Collection[bytes], rng: Random, count: int) -> list[bytes]:
    """Toss a coin for each entry, biased to take a few too many, and put the surplus back.

    All choices of `count` are equally likely, and the order is that of `entries`. 0.1 us an entry, where
    `rng.sample` takes 0.6 us for each that it picks.
    """
    size = len(entries)
    chance = min(1.0, (count + 4 * count**0.5 + 4) / size)
    toss = rng.random
    taken: list[bytes] = []
    while len(taken) < count:
        taken = [entry for entry in entries if toss() < chance]
    surplus = set(rng.sample(taken, len(taken) - count))
    return [entry for entry in taken if entry not in surplus]


def _sample_with_repeats(
    entries: Collection[bytes], index: ScanIndex | None, rng: Random, count: int
) -> list[bytes]:
    if not entries:
        return []
    if index is None or count * _DENSE > len(entries):
        return rng.choices(list(entries), k=count)
    draw = index.random
    return [draw(rng) for _ in range(count)]


def _scan(
    entries: Collection[bytes], index: ScanIndex | None, cursor: int, count: int
) -> tuple[int, list[bytes]]:
    if index is None:
        return 0, list(entries)
    return index.scan(cursor, count)


def _free_in_steps(
    pop: Callable[[], object], entries: Collection[bytes], index: ScanIndex | None, piece: int
) -> Iterator[None]:
    yield from pop_in_steps(pop, entries, piece)
    if index is not None:
        yield from index.free_in_steps(piece)


def _check(entries: Collection[bytes], index: ScanIndex | None) -> None:
    if index is None:
        assert len(entries) <= INDEX_ABOVE
        return
    assert entries
    index._check()
    assert len(index) == len(entries)
    assert set(index) == set(entries)


def _elements_bytes(hash_: dict[bytes, bytes]) -> int:
    return bytes_footprints(hash_) + bytes_footprints(hash_.values())


class Hash(dict):  # type: ignore[type-arg]
    """Field to value. Change it with `put`, `put_many`, `remove`, `remove_many` and `clear` only."""

    __slots__ = ("accounted_bytes", "elements_bytes", "footprint", "index", "packed")

    footprint: int  # bytes of main memory that the hash occupies
    index: ScanIndex | None
    packed: Thresholds | None  # limits up to which it stays packed; None: it is full
    elements_bytes: int  # bytes of the fields and values
    accounted_bytes: int  # the footprint in the account of the keyspace

    def __init__(self, items: Iterable[tuple[bytes, bytes]] | dict[bytes, bytes] = ()) -> None:
        """Build from pairs or from a mapping; the later of two equal fields wins. O(N)."""
        dict.__init__(self, items)
        self.index = ScanIndex(self) if len(self) > INDEX_ABOVE else None
        self.packed = None
        self.elements_bytes = _elements_bytes(self) if self else 0
        self.accounted_bytes = 0
        self._measure()

    def _measure(self) -> None:
        """Compute the footprint. O(1)."""
        if self.index is None:
            self.footprint = self.elements_bytes + self.__sizeof__() + CONTAINER
        else:
            self.footprint = self.elements_bytes + (DICT_ENTRY + INDEX_ENTRY) * len(self) + CONTAINER

    def choose(self, thresholds: Thresholds, by_entries_alone: bool = False) -> None:
        """Become packed if the content fits into `thresholds`, else full. O(1) beyond them, or O(N)."""
        fits = len(self) <= thresholds.entries and (by_entries_alone or thresholds.fit(self, self.values()))
        self.packed = thresholds if fits else None

    def put(self, field: bytes, value: bytes) -> bool:
        """Set `field`; return whether it is new. Amortised O(1)."""
        before = len(self)
        old = dict.setdefault(self, field, value)
        size = len(value)
        if len(self) == before:
            self[field] = value
            if size != len(old):
                grown = (size & -16) - (len(old) & -16)
                self.elements_bytes += grown
                self.footprint += grown
        else:
            grown = (len(field) + 48 & -16) + (size + 48 & -16)
            self.elements_bytes += grown
            if self.index is not None:
                self.index.add(field)
                self.footprint += grown + (DICT_ENTRY + INDEX_ENTRY)
            elif len(self) <= INDEX_ABOVE:
                self.footprint = self.elements_bytes + self.__sizeof__() + CONTAINER
            else:
                self.index = ScanIndex(self)
                self._measure()
        packed = self.packed
        if packed is not None and (
            size > packed.longest or len(field) > packed.longest or len(self) > packed.entries
        ):
            self.packed = None
        return len(self) != before

    def put_many(self, fields: Sequence[bytes], values: Sequence[bytes]) -> int:
        """Set every field to its value, in order; return the number of new fields. O(fields)."""
        before = len(self)
        if before:
            for field, value in zip(fields, values, strict=True):
                self.put(field, value)
        else:
            dict.update(self, zip(fields, values, strict=True))
            self.elements_bytes = _elements_bytes(self)
            if len(self) > INDEX_ABOVE:
                self.index = ScanIndex(self)
            self._measure()
            packed = self.packed
            if packed is not None and (len(self) > packed.entries or not packed.fit(fields, values)):
                self.packed = None
        return len(self) - before

    def remove(self, field: bytes, measure: bool = True) -> bool:
        """Delete `field`; return whether it was there. Amortised O(1). `measure`: see `Set.insert`."""
        value = dict.pop(self, field, None)
        if value is None:
            return False
        self.elements_bytes -= (len(field) + 48 & -16) + (len(value) + 48 & -16)
        if self.index is not None:
            if self:
                self.index.discard(field)
            else:
                self.index = None
        if measure:
            self._measure()
        return True

    def remove_many(self, fields: Collection[bytes]) -> int:
        """Delete the existing ones of `fields`; return their number. O(fields)."""
        before = len(self)
        if self.index is not None and len(fields) * _DENSE > before:
            for field in fields:
                dict.pop(self, field, None)
            self.elements_bytes = _elements_bytes(self)
            self.index = ScanIndex(self) if self else None
            self._measure()
        else:
            for field in fields:
                self.remove(field, False)
            self._measure()
        return before - len(self)

    def clear(self) -> None:
        """Delete everything."""
        dict.clear(self)
        self.index = None
        self.elements_bytes = 0
        self._measure()

    def copy(self) -> "Hash":
        """An independent copy: O(N)."""
        twin = Hash()
        dict.update(twin, self)
        twin.index = None if self.index is None else self.index.copy()
        twin.elements_bytes = self.elements_bytes
        twin.packed = self.packed
        twin._measure()
        return twin

    def as_dict(self) -> dict[bytes, bytes]:
        """The fields with their values, to read only. O(1)."""
        return self

    def words(self) -> tuple[bytes, int] | None:
        """The words of a packed hash and their number: see `kedis.structures.packed`."""
        return None

    def random_one(self, rng: Random) -> bytes:
        """One field, each equally likely; IndexError when empty. O(1) expected."""
        return _pick(self, self.index, rng)

    def sample_distinct(self, rng: Random, count: int) -> list[bytes]:
        """`count` different fields (all of them if there are fewer). O(count) expected."""
        return _sample_distinct(self, self.index, rng, count)

    def sample_with_repeats(self, rng: Random, count: int) -> list[bytes]:
        """`count` independent picks; none when empty. O(count) expected."""
        return _sample_with_repeats(self, self.index, rng, count)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Next cursor and the fields from `cursor` on, as `ScanIndex.scan`; all at once while small."""
        return _scan(self, self.index, cursor, count)

    def free_in_steps(self, piece: int) -> Iterator[None]:
        """Empty an unreferenced hash; yields after every `piece` entries. The account is not kept. O(N)."""
        index, self.index = self.index, None
        return _free_in_steps(partial(dict.popitem, self), self, index, piece)

    def _check(self) -> None:
        _check(self, self.index)
        assert self.elements_bytes == _elements_bytes(self)
        footprint = self.footprint
        self._measure()
        assert self.footprint == footprint

    pop = popitem = setdefault = update = bypass  # type: ignore[assignment]

    def __ior__(self, _other: object) -> NoReturn:  # type: ignore[misc]
        bypass(self)


def fits_packed_set(members: set[bytes], thresholds: Thresholds) -> bool:
    """Whether a new set of `members` is packed: few, and integers only. O(1) beyond the thresholds, or O(N)."""
    return len(members) <= thresholds.entries and are_integers(members)


class Set(set):  # type: ignore[type-arg]
    """Distinct members.

    Change it with `insert`, `insert_many`, `remove_member`, `remove_many`, `pop_random` and `clear` only.
    """

    __slots__ = ("accounted_bytes", "elements_bytes", "footprint", "index", "packed")

    footprint: int  # bytes of main memory that the set occupies
    index: ScanIndex | None
    packed: Thresholds | None  # limits up to which it stays packed; None: it is full
    elements_bytes: int  # bytes of the members
    accounted_bytes: int  # the footprint in the account of the keyspace

    def __init__(self, members: Iterable[bytes] = ()) -> None:
        """Build from members, repeats allowed. O(N)."""
        set.__init__(self, members)
        self.index = ScanIndex(self) if len(self) > INDEX_ABOVE else None
        self.packed = None
        self.elements_bytes = bytes_footprints(self) if self else 0
        self.accounted_bytes = 0
        self._measure()

    def _measure(self) -> None:
        """Compute the footprint. O(1)."""
        indexed = 0 if self.index is None else len(self)
        self.footprint = self.elements_bytes + self.__sizeof__() + (CONTAINER + INDEX_ENTRY * indexed)

    def choose(self, thresholds: Thresholds, by_entries_alone: bool = False) -> None:
        """Become packed if the members fit into `thresholds`, else full: only integers are packed. O(1) or O(N)."""
        fits = len(self) <= thresholds.entries if by_entries_alone else fits_packed_set(self, thresholds)
        self.packed = thresholds if fits else None

    def be_full(self) -> None:
        """Stop being packed. O(1)."""
        self.packed = None

    def insert(self, member: bytes, measure: bool = True) -> bool:
        """Add `member`; return whether it is new. Amortised O(1).

        `measure` is False where the caller computes the footprint, which takes 0.1 us, at the end of a series.
        """
        before = len(self)
        set.add(self, member)
        if len(self) == before:
            return False
        self.elements_bytes += len(member) + 48 & -16
        if self.index is not None:
            self.index.add(member)
        elif before >= INDEX_ABOVE:
            self.index = ScanIndex(self)
        if measure:
            self._measure()
        packed = self.packed
        if packed is not None and (before >= packed.entries or not is_integer(member)):
            self.packed = None
        return True

    def insert_many(self, members: Iterable[bytes]) -> int:
        """Add every member; return the number of new ones. O(members)."""
        before = len(self)
        if before:
            for member in members:
                self.insert(member, False)
            self._measure()
        else:
            set.update(self, members)
            self.elements_bytes = bytes_footprints(self)
            if len(self) > INDEX_ABOVE:
                self.index = ScanIndex(self)
            self._measure()
            if self.packed is not None:
                self.choose(self.packed)
        return len(self) - before

    def remove_member(self, member: bytes, measure: bool = True) -> bool:
        """Remove `member`; return whether it was there. Amortised O(1). `measure`: see `insert`."""
        before = len(self)
        set.discard(self, member)
        if len(self) == before:
            return False
        self.elements_bytes -= len(member) + 48 & -16
        if self.index is not None:
            if self:
                self.index.discard(member)
            else:
                self.index = None
        if measure:
            self._measure()
        return True

    def remove_many(self, members: Collection[bytes]) -> int:
        """Remove the existing ones of `members`; return their number. O(members)."""
        before = len(self)
        if self.index is not None and len(members) * _DENSE > before:
            set.difference_update(self, members)
            self.elements_bytes = bytes_footprints(self)
            self.index = ScanIndex(self) if self else None
            self._measure()
        else:
            for member in members:
                self.remove_member(member, False)
            self._measure()
        return before - len(self)

    def clear(self) -> None:
        """Remove everything."""
        set.clear(self)
        self.index = None
        self.elements_bytes = 0
        self._measure()

    def copy(self) -> "Set":
        """An independent copy: O(N)."""
        twin = Set()
        set.update(twin, self)
        twin.index = None if self.index is None else self.index.copy()
        twin.elements_bytes = self.elements_bytes
        twin.packed = self.packed
        twin._measure()
        return twin

    def as_set(self) -> set[bytes]:
        """The members, to read only. O(1)."""
        return self

    def integers(self) -> tuple[int, bytes] | None:
        """Width and bytes of the integers of a packed set: see `kedis.structures.packed`."""
        return None

    def pop_random(self, rng: Random) -> bytes:
        """Remove and return one member, each equally likely; IndexError when empty. O(1) expected."""
        member = _pick(self, self.index, rng)
        self.remove_member(member)
        return member

    def random_one(self, rng: Random) -> bytes:
        """One member, each equally likely; IndexError when empty. O(1) expected."""
        return _pick(self, self.index, rng)

    def sample_distinct(self, rng: Random, count: int) -> list[bytes]:
        """`count` different members (all of them if there are fewer). O(count) expected."""
        return _sample_distinct(self, self.index, rng, count)

    def sample_with_repeats(self, rng: Random, count: int) -> list[bytes]:
        """`count` independent picks; none when empty. O(count) expected."""
        return _sample_with_repeats(self, self.index, rng, count)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Next cursor and the members from `cursor` on, as `ScanIndex.scan`; all at once while small."""
        return _scan(self, self.index, cursor, count)

    def free_in_steps(self, piece: int) -> Iterator[None]:
        """Empty an unreferenced set; yields after every `piece` entries. The account is not kept. O(N)."""
        index, self.index = self.index, None
        return _free_in_steps(partial(set.pop, self), self, index, piece)

    def _check(self) -> None:
        _check(self, self.index)
        assert self.elements_bytes == bytes_footprints(self)
        footprint = self.footprint
        self._measure()
        assert self.footprint == footprint
        assert self.packed is None or are_integers(self)

    add = difference_update = discard = intersection_update = bypass
    pop = remove = symmetric_difference_update = update = bypass

    def __iand__(self, _other: object) -> NoReturn:
        bypass(self)

    def __ior__(self, _other: object) -> NoReturn:
        bypass(self)

    def __isub__(self, _other: object) -> NoReturn:
        bypass(self)

    def __ixor__(self, _other: object) -> NoReturn:
        bypass(self)
