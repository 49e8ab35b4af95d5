"""Union, intersection and difference of sorted sets, with weights; members of plain sets have the score 1.

Scores are added set by set, smallest set first, as in Redis: the last bit of a sum depends on the order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kedis import errors
from kedis.commands.parsing.options import double, integer, natural
from kedis.engine.flags import DENYOOM, READONLY, WRITE
from kedis.engine.keyspec import counted, span
from kedis.engine.table import Handler, command
from kedis.errors import WRONG_TYPE, CommandError, value_errors
from kedis.resp.values import Scored
from kedis.structures.packed import Set, SortedSet

if TYPE_CHECKING:
    from kedis.engine.client import Client

Scores = Mapping[bytes, float]
Weighted = tuple[Scores, float]
Aggregate = Callable[[float, float], float]

_READ = [counted("RO access", 1)]
_STORE = [span("OW update", 1), counted("RO access", 2)]

# -- arguments --------------------------------------------------------------------------------------------


def _inputs(client: Client, argv: Sequence[bytes], at: int, name: str) -> tuple[list[Scores], int]:
    """The sets of ``numkeys key [key ...]`` from ``at`` on, and where the options begin."""
    number = integer(argv[at])
    if number < 1:
        raise CommandError(value_errors.no_input_keys(name))
    end = at + 1 + number
    if end > len(argv):
        raise CommandError(errors.SYNTAX)
    return [_scores(client.db.lookup_read(key)) for key in argv[at + 1 : end]], end


class _Ones(Mapping[bytes, float]):
    """A plain set as scores, without a copy of it."""

    __slots__ = ("_members",)

    def __init__(self, members: Set) -> None:
        self._members = members

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __getitem__(self, name: bytes) -> float:
        if name in self._members:
            return 1.0
        raise KeyError(name)

    def get(self, name: bytes, default: Any = None) -> Any:
        return 1.0 if name in self._members else default


def _scores(value: Any) -> Scores:
    if value is None:
        return {}
    if type(value) is SortedSet:
        return value.scores
    if type(value) is Set:
        return _Ones(value)
    raise CommandError(WRONG_TYPE)


def _add(old: float, new: float) -> float:
    total = old + new
    return 0.0 if total != total else total  # inf and -inf


# The builtins keep the first of two that do not compare, as Redis does with not-a-number.
_AGGREGATES: dict[bytes, Aggregate] = {b"SUM": _add, b"MIN": min, b"MAX": max}


class _Options:
    """WEIGHTS, AGGREGATE and WITHSCORES."""

    def __init__(self, argv: Sequence[bytes], at: int, sets: int, *, weighted: bool, scored: bool) -> None:
        self.weights = [1.0] * sets
        self.aggregate: Aggregate = _add
        self.scores = False
        position = at
        while position < len(argv):
            word = argv[position].upper()
            left = len(argv) - position
            if weighted and word == b"WEIGHTS" and left >= sets + 1:
                raw = argv[position + 1 : position + 1 + sets]
                self.weights = [double(weight, value_errors.WEIGHT_NOT_A_FLOAT) for weight in raw]
                position += sets + 1
            elif weighted and word == b"AGGREGATE" and left >= 2:
                self.aggregate = self._named(argv[position + 1])
                position += 2
            elif scored and word == b"WITHSCORES":
                self.scores = True
                position += 1
            else:
                raise CommandError(errors.SYNTAX)

    @staticmethod
    def _named(word: bytes) -> Aggregate:
        found = _AGGREGATES.get(word.upper())
        if found is None:
            raise CommandError(errors.SYNTAX)
        return found


# -- the operations: O(N) in the members looked at ---------------------------------------------------------


def _weighed(weight: float, items: Iterable[tuple[bytes, float]]) -> Iterable[tuple[bytes, float]]:
    """Members with their scores times ``weight``; 0 times infinity is 0."""
    if weight == 1.0:
        return items
    products = ((name, weight * score) for name, score in items)
    return ((name, product if product == product else 0.0) for name, product in products)


def _by_size(sets: list[Scores], weights: list[float]) -> list[Weighted]:
    return sorted(zip(sets, weights, strict=True), key=lambda pair: len(pair[0]))


def _union(sets: list[Scores], options: _Options) -> dict[bytes, float]:
    (first, first_weight), *rest = _by_size(sets, options.weights)
    result = dict(_weighed(first_weight, first.items()))
    aggregate = options.aggregate
    for scores, weight in rest:
        for name, score in _weighed(weight, scores.items()):
            old = result.get(name)
            result[name] = score if old is None else aggregate(old, score)
    return result


def _intersection(sets: list[Scores], options: _Options) -> dict[bytes, float]:
    """As in Redis, 0 times infinity is 0 in the smallest set only; in the others it is left to AGGREGATE."""
    (first, first_weight), *rest = _by_size(sets, options.weights)
    aggregate = options.aggregate
    result: dict[bytes, float] = {}
    for name, total in _weighed(first_weight, first.items()):
        for scores, weight in rest:
            other = scores.get(name)
            if other is None:
                break
            total = aggregate(total, weight * other)
        else:
            result[name] = total
    return result


def _difference(sets: list[Scores], _options: _Options) -> dict[bytes, float]:
    first, *rest = sets
    return {name: score for name, score in first.items() if not any(name in other for other in rest)}


Operation = Callable[[list[Scores], _Options], dict[bytes, float]]


def _read(client: Client, argv: Sequence[bytes], name: str, operation: Operation) -> Any:
    sets, at = _inputs(client, argv, 1, name)
    options = _Options(argv, at, len(sets), weighted=operation is not _difference, scored=True)
    result = operation(sets, options)
    members = sorted(result)
    members.sort(key=result.__getitem__)  # two sorts by one key each cost half of one by tuples
    return Scored(members, [result[name] for name in members]) if options.scores else members


def _store(client: Client, argv: Sequence[bytes], name: str, operation: Operation) -> int:
    sets, at = _inputs(client, argv, 2, name)
    options = _Options(argv, at, len(sets), weighted=operation is not _difference, scored=False)
    result = operation(sets, options)
    if not result:
        client.db.remove(argv[1])
        return 0
    client.db.set_value(
        argv[1], SortedSet.from_scores({key: score + 0.0 for key, score in result.items()}), name
    )
    return len(result)


# -- the commands -----------------------------------------------------------------------------------------


class _Pair(NamedTuple):
    """An operation and its two commands."""

    read: str
    store: str
    store_since: str
    operation: Operation
    result: str
    complexity: str
    options: str = ""


def _reader(name: str, operation: Operation) -> Handler:
    def read(client: Client, argv: Sequence[bytes]) -> Any:
        return _read(client, argv, name, operation)

    return read


def _storer(name: str, operation: Operation) -> Handler:
    def store(client: Client, argv: Sequence[bytes]) -> int:
        return _store(client, argv, name, operation)

    return store


_WEIGHTED = ' ["WEIGHTS" weight:int...] ["AGGREGATE" aggregate("SUM" | "MIN" | "MAX")]'

for _pair in (
    _Pair(
        "ZUNION",
        "ZUNIONSTORE",
        "2.0.0",
        _union,
        "the union of sorted sets",
        "O(N)+O(M*log(M)), N being all members and M those of the result",
        _WEIGHTED,
    ),
    _Pair(
        "ZINTER",
        "ZINTERSTORE",
        "2.0.0",
        _intersection,
        "the intersection of sorted sets",
        "O(N*K)+O(M*log(M)), N being the smallest of K sets and M the result",
        _WEIGHTED,
    ),
    _Pair(
        "ZDIFF",
        "ZDIFFSTORE",
        "6.2.0",
        _difference,
        "the difference of the first sorted set and the others",
        "O(N*K)+O(M*log(M)), N being the first of K sets and M the result",
    ),
):
    command(
        _pair.read,
        arity=-3,
        flags=READONLY,
        group="sorted-set",
        since="6.2.0",
        summary=f"Returns {_pair.result}.",
        keys=_READ,
        complexity=_pair.complexity,
        syntax=f'numkeys:int key@0...{_pair.options} ["WITHSCORES"]',
    )(_reader(_pair.read.lower(), _pair.operation))
    command(
        _pair.store,
        arity=-4,
        flags=WRITE | DENYOOM,
        group="sorted-set",
        since=_pair.store_since,
        summary=f"Stores {_pair.result}; returns its size.",
        keys=_STORE,
        complexity=_pair.complexity,
        syntax=f"destination@0 numkeys:int key@1...{_pair.options}",
    )(_storer(_pair.store.lower(), _pair.operation))


@command(
    "ZINTERCARD",
    arity=-3,
    flags=READONLY,
    group="sorted-set",
    since="7.0.0",
    summary="Returns the size of the intersection of sorted sets, at most LIMIT.",
    keys=_READ,
    complexity="O(N*K), N being the smallest of K sets",
    syntax='numkeys:int key@0... ["LIMIT" limit:int]',
)
def zintercard(client: Client, argv: Sequence[bytes]) -> int:
    sets, at = _inputs(client, argv, 1, "zintercard")
    limit: float = math.inf
    position = at
    while position < len(argv):
        if argv[position].upper() != b"LIMIT" or position + 1 >= len(argv):
            raise CommandError(errors.SYNTAX)
        limit = natural(argv[position + 1], value_errors.NEGATIVE_LIMIT) or math.inf
        position += 2
    first, *rest = sorted(sets, key=len)
    counted_so_far = 0
    for name in first:
        if all(name in other for other in rest):
            counted_so_far += 1
            if counted_so_far >= limit:
                break
    return counted_so_far
