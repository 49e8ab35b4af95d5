"""SORT and SORT_RO: sort the elements of a list, set or sorted set, by themselves or by external keys.

``BY`` and ``GET`` take a pattern: ``weight_*`` names a string key with the element in place of the star,
``object_*->field`` a hash field; ``#`` is the element itself. ``BY`` without a star means unsorted.

Elements of equal weight are in byte order. With ``ALPHA`` and ``BY`` they keep their original order, as in Redis,
except with ``LIMIT``, where the order in Redis is undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from heapq import nlargest, nsmallest
from itertools import compress, count, islice
from operator import eq
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.numbers import NumberError, parse_float
from kedis.commands.parsing.options import integer
from kedis.engine.flags import DENYOOM, READONLY, WRITE
from kedis.engine.keyspec import span, unknown_keys
from kedis.engine.table import command
from kedis.errors import WRONG_TYPE, CommandError, user_errors
from kedis.structures.packed import Hash, List, Set, SortedSet

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.store.database import Database

#: From elements to what a pattern finds for each.
Lookup = Callable[[Sequence[bytes]], Sequence[bytes | None]]
#: Below this share of the elements a part is picked out of them, not cut out of all in order.
_SMALL_PART = 10
#: How many names of keys are made at a time, and of about how many bytes.
_PART, _PART_BYTES = 1000, 1 << 20

_SOURCE = span("RO access", 1)
_NAMED_AFTER_ELEMENTS = unknown_keys("RO access")
#: Words that follow an option and are never an option themselves.
_FOLLOWED_BY = {b"limit": 2, b"get": 1, b"by": 1}


class _Request:
    """The options of one call.

    Args:
        may_read_all: whether the user may read the keys that BY and GET lead to, which can be any.

    Attributes:
        must_repeat: whether a set comes in an order that is the same everywhere, also where none is asked for.
    """

    must_repeat = False

    def __init__(self, argv: Sequence[bytes], may_store: bool, may_read_all: bool) -> None:
        self.descending = self.alphabetic = False
        self.first, self.count = 0, -1
        self.by: bytes | None = None
        self.get: list[bytes] = []
        self.store: bytes | None = None
        position = 2
        while position < len(argv):
            word = argv[position].upper()
            values = argv[position + 1 : position + 3]
            if word in (b"ASC", b"DESC"):
                self.descending = word == b"DESC"
            elif word == b"ALPHA":
                self.alphabetic = True
            elif word == b"LIMIT" and len(values) == 2:
                self.first, self.count = integer(values[0]), integer(values[1])
                position += 2
            elif word == b"STORE" and values and may_store:
                self.store = values[0]
                position += 1
            elif word == b"BY" and values:
                self.by = values[0]
                if b"*" in self.by and not may_read_all:
                    raise CommandError(user_errors.SORT_BY_DENIED)
                position += 1
            elif word == b"GET" and values:
                if not may_read_all:
                    raise CommandError(user_errors.SORT_GET_DENIED)
                self.get.append(values[0])
                position += 1
            else:
                raise CommandError(errors.SYNTAX)
            position += 1

    @property
    def unsorted(self) -> bool:
        return self.by is not None and b"*" not in self.by

    def part(self, count: int) -> tuple[int, int]:
        """Start and stop of LIMIT in ``count`` elements."""
        first = min(max(self.first, 0), count)
        return first, count if self.count < 0 else min(first + self.count, count)


def _positions(argv: Sequence[bytes]) -> list[tuple[int, str]]:
    """The keys among the arguments: the source, and the destination of the last STORE.

    As in Redis a destination named STORE counts as the option again, which only COMMAND GETKEYS can tell.
    """
    found = [(1, _SOURCE.flags)]
    store = 0
    position = 2
    while position < len(argv):
        word = argv[position].lower()
        if word == b"store" and position + 1 < len(argv):
            store = position + 1
        position += 1 + _FOLLOWED_BY.get(word, 0)
    return [*found, (store, "OW update")] if store else found


@command(
    "SORT",
    arity=-2,
    flags=WRITE | DENYOOM,
    group="generic",
    since="1.0.0",
    summary="Sorts the elements of a list, set or sorted set; returns or stores the result.",
    keys=[_SOURCE, _NAMED_AFTER_ELEMENTS, unknown_keys("OW update")],
    categories="set sortedset list dangerous -keyspace",
    complexity="O(N + M log M) for N elements of which M are sorted; O(N) if unsorted",
    find_keys=_positions,
    syntax=(
        'key@0 ["BY" pattern:pattern@1] ["LIMIT" offset_count{offset:int count:int}] ["GET" '
        'pattern:pattern@1...+] [order("ASC" | "DESC")] [sorting="ALPHA"] ["STORE" '
        "destination@2]"
    ),
)
def sort(client: Client, argv: Sequence[bytes]) -> Any:
    request = _Request(argv, may_store=True, may_read_all=_may_read_all(client, b"sort", argv))
    request.must_repeat = request.store is not None or client.caller is not None
    rows = _rows(client.db, argv[1], request)
    if request.store is None:
        return rows
    if not rows:
        client.db.remove(request.store)
        return 0
    values = [row or b"" for row in rows]
    client.db.set_value(request.store, List(values), "sortstore", changes=len(values))
    return len(values)


@command(
    "SORT_RO",
    arity=-2,
    flags=READONLY,
    group="generic",
    since="7.0.0",
    summary="Like SORT, without STORE.",
    keys=[_SOURCE, _NAMED_AFTER_ELEMENTS],
    categories="set sortedset list dangerous -keyspace",
    complexity="O(N + M log M) for N elements of which M are sorted; O(N) if unsorted",
    find_keys=lambda argv: [(1, _SOURCE.flags)],
    syntax=(
        'key@0 ["BY" pattern:pattern@1] ["LIMIT" offset_count{offset:int count:int}] ["GET" '
        'pattern:pattern@1...+] [order("ASC" | "DESC")] [sorting="ALPHA"]'
    ),
)
def sort_ro(client: Client, argv: Sequence[bytes]) -> Any:
    request = _Request(argv, may_store=False, may_read_all=_may_read_all(client, b"sort_ro", argv))
    request.must_repeat = client.caller is not None
    return _rows(client.db, argv[1], request)


def _may_read_all(client: Client, name: bytes, argv: Sequence[bytes]) -> bool:
    user = client.user
    return user is None or user.may_all or user.may_sort_by_any_key(client.engine.table.declared[name], argv)


def _rows(db: Database, key: bytes, request: _Request) -> list[bytes | None]:
    """The reply: the elements in order, or the values of the GET patterns for each."""
    value = db.lookup_read(key)
    if value is not None and type(value) not in (List, Set, SortedSet):
        raise CommandError(WRONG_TYPE)
    if type(value) is SortedSet:
        db.be_full(value)  # Redis, which sorts no listpack, converts it for good
    elements = _in_order(db, () if value is None else value, request)
    if not request.get:
        return elements  # type: ignore[return-value]
    rows: list[bytes | None] = [None] * (len(elements) * len(request.get))
    for column, pattern in enumerate(request.get):
        rows[column :: len(request.get)] = _lookup(db, pattern)(elements)
    return rows


def _in_order(db: Database, value: Any, request: _Request) -> list[bytes]:
    first, end = request.part(len(value))
    by = None if request.by is None else _lookup(db, request.by)
    if request.unsorted:
        if type(value) is not Set or not request.must_repeat:
            return list(islice(_as_found(value, request.descending), first, end))
        # What is stored, or seen by a script, must not depend on the order of a hash table: others have another.
        request.alphabetic, by = True, None
    elements = list(value)
    if not request.alphabetic:
        return _by_weight(elements, _weights(by(elements) if by else elements), request)
    if by is None:
        elements.sort(reverse=request.descending)
    else:
        elements = _by_word(elements, by(elements), request.descending)
    return elements[first:end]


def _by_weight(elements: list[bytes], weights: list[float], request: _Request) -> list[bytes]:
    """The part of the elements that LIMIT selects, ordered by weight and then by bytes.  O(N log N)."""
    first, end = request.part(len(elements))
    if end < len(elements) // _SMALL_PART:
        pick = nlargest if request.descending else nsmallest
        return [element for _, element in pick(end, zip(weights, elements, strict=True))[first:]]
    # A third of what one sort by tuples takes: floats are compared in C, and ties are few, or small.
    order = sorted(range(len(elements)), key=weights.__getitem__)
    ordered = [elements[at] for at in order]
    heavy = [weights[at] for at in order]
    _sort_ties(ordered, list(compress(count(), map(eq, heavy, islice(heavy, 1, None)))))
    if request.descending:
        ordered.reverse()
    return ordered[first:end]


def _sort_ties(elements: list[bytes], ties: Sequence[int]) -> None:
    """Sort runs of equal weight by bytes; ``ties`` are the positions whose successor has the same weight."""
    at = 0
    while at < len(ties):
        first = ties[at]
        while at + 1 < len(ties) and ties[at + 1] == ties[at] + 1:
            at += 1
        last = ties[at] + 2
        elements[first:last] = sorted(elements[first:last])
        at += 1


def _by_word(elements: list[bytes], words: Sequence[bytes | None], descending: bool) -> list[bytes]:
    """The elements ordered by their words, those without one first; stable."""
    without = [element for element, word in zip(elements, words, strict=True) if word is None]
    order = [at for at, word in enumerate(words) if word is not None]
    order.sort(key=words.__getitem__, reverse=descending)  # type: ignore[arg-type]
    ordered = [elements[at] for at in order]
    return ordered + without if descending else without + ordered


def _as_found(value: Iterable[bytes], descending: bool) -> Iterable[bytes]:
    if descending and type(value) is not Set:
        return list(value)[::-1]
    return value


def _weights(texts: Sequence[bytes | None]) -> list[float]:
    """A missing weight is 0; leading space is skipped, and the number ends at a NUL."""
    return [float(text) if text and len(text) < 16 and text.isdigit() else _weight(text) for text in texts]


def _weight(text: bytes | None) -> float:
    text = (text or b"").partition(b"\0")[0].lstrip(b" \t\n\v\f\r")
    try:
        return parse_float(text) if text else 0.0
    except NumberError:
        raise CommandError(errors.SORT_NOT_A_DOUBLE) from None


def _lookup(db: Database, pattern: bytes) -> Lookup:
    """A function from elements to the value that ``pattern`` names for each."""
    if pattern == b"#":
        return lambda elements: elements
    before, star, after = pattern.partition(b"*")
    if not star:
        return lambda elements: [None] * len(elements)
    behind, arrow, field = after.partition(b"->")
    if not (arrow and field):
        return lambda elements: _in_parts(elements, before, after, partial(_strings, db))
    return lambda elements: _in_parts(elements, before, behind, partial(_fields, db, field))


def _in_parts(elements: Sequence[bytes], before: bytes, after: bytes, look_up: Lookup) -> list[bytes | None]:
    """What ``look_up`` finds for each element between two texts; not all names are there at the same time."""
    size = max(1, min(_PART, _PART_BYTES // (len(before) + len(after) + 1)))
    found: list[bytes | None] = []
    for at in range(0, len(elements), size):
        found += look_up([before + element + after for element in elements[at : at + size]])
    return found


def _strings(db: Database, keys: Sequence[bytes]) -> list[bytes | None]:
    values = db.lookup_read_many(keys)
    return [value if type(value) is bytes else _string(value) for value in values]


def _string(value: Any) -> bytes | None:
    return bytes(value) if isinstance(value, bytes | bytearray) else None


def _fields(db: Database, field: bytes, keys: Sequence[bytes]) -> list[bytes | None]:
    return [value.get(field) if type(value) is Hash else None for value in db.lookup_read_many(keys)]
