"""Ranges of sorted sets by rank, score or lexicographic order: returned, stored, counted, removed.

Each range is first converted to ranks (start, stop) in O(log N). Counting is then a subtraction, LIMIT is arithmetic,
and reading or removing is one operation of the structure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from kedis import errors
from kedis.commands.parsing.numbers import NumberError, parse_lex_bound, parse_score_bound
from kedis.commands.parsing.options import integer
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import Handler, command
from kedis.errors import CommandError, value_errors
from kedis.resp.values import Scored
from kedis.structures.packed import SortedSet

if TYPE_CHECKING:
    from kedis.engine.client import Client

Ranks = tuple[int, int]
Resolve = Callable[[SortedSet], Ranks]

_READ = [span("RO access", 1)]
_DELETE = [span("RW delete", 1)]

# -- the three kinds of range -----------------------------------------------------------------------------


def by_rank(first: bytes, last: bytes) -> Resolve:
    """Ranks, both inclusive, negative ones counted from the end."""
    start, stop = integer(first), integer(last)

    def resolve(members: SortedSet) -> Ranks:
        size = len(members)
        low = max(start + size if start < 0 else start, 0)
        high = stop + size if stop < 0 else stop
        return low, max(low, min(high + 1, size))

    return resolve


def by_score(low: bytes, high: bytes) -> Resolve:
    """Scores, inclusive unless marked by ``(``."""
    try:
        bounds = (*parse_score_bound(low), *parse_score_bound(high))
    except NumberError:
        raise CommandError(value_errors.RANGE_NOT_A_FLOAT) from None
    return lambda members: members.rank_range_by_score(*bounds)


def by_name(low: bytes, high: bytes) -> Resolve:
    """Members in a lexicographic range; needs equal scores."""
    try:
        first, last = parse_lex_bound(low), parse_lex_bound(high)
    except NumberError:
        raise CommandError(value_errors.RANGE_NOT_A_STRING) from None
    if first.infinite > 0 or last.infinite < 0:
        return lambda members: (0, 0)
    from_name = None if first.infinite else first.member
    to_name = None if last.infinite else last.member
    return lambda members: members.rank_range_by_lex(from_name, first.exclusive, to_name, last.exclusive)


_KINDS = {"rank": by_rank, "score": by_score, "name": by_name}

# -- reading ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Options:
    """The options of ZRANGE, or of an old form."""

    kind: str = ""
    reverse: bool | None = None
    scores: bool = False
    offset: int = 0
    count: int = -1


def _parse_options(argv: Sequence[bytes], at: int, options: Options, storing: bool) -> None:
    """Parse the options from ``at`` on into ``options``; what is set already cannot be given again."""
    position = at
    while position < len(argv):
        word = argv[position].upper()
        if word == b"WITHSCORES" and not storing:
            options.scores = True
        elif word == b"LIMIT" and position + 2 < len(argv):
            options.offset, options.count = integer(argv[position + 1]), integer(argv[position + 2])
            position += 2
        elif word == b"REV" and options.reverse is None:
            options.reverse = True
        elif word == b"BYSCORE" and not options.kind:
            options.kind = "score"
        elif word == b"BYLEX" and not options.kind:
            options.kind = "name"
        else:
            raise CommandError(errors.SYNTAX)
        position += 1
    options.kind = options.kind or "rank"
    options.reverse = bool(options.reverse)
    if options.count != -1 and options.kind == "rank":
        raise CommandError(value_errors.LIMIT_OF_RANKS)
    if options.scores and options.kind == "name":
        raise CommandError(value_errors.SCORES_OF_NAMES)


def _range(client: Client, argv: Sequence[bytes], at: int, options: Options, storing: bool = False) -> Any:
    """``key first last options`` from ``at`` on: members, or pairs when scores are asked for or stored."""
    _parse_options(argv, at + 3, options, storing)
    first, last = argv[at + 1], argv[at + 2]
    if options.reverse and options.kind != "rank":
        first, last = last, first
    resolve = _KINDS[options.kind](first, last)
    members = client.db.lookup_read_typed(argv[at], SortedSet)
    if members is None:
        return Scored([], []) if options.scores else []
    start, stop = resolve(members)
    if options.reverse and options.kind != "rank":
        start, stop = len(members) - stop, len(members) - start
    if options.kind != "rank":
        start, stop = _limited(start, stop, options)
    reverse = bool(options.reverse)
    if options.scores or storing:
        return Scored(*members.columns(start, stop, reverse))
    return members.members(start, stop, reverse)


def _limited(start: int, stop: int, options: Options) -> Ranks:
    """LIMIT: a negative offset finds nothing, a negative count all."""
    if options.offset < 0:
        return start, start
    start = min(start + options.offset, stop)
    return (start, stop) if options.count < 0 else (start, min(start + options.count, stop))


@command(
    "ZRANGE",
    arity=-4,
    flags=READONLY,
    group="sorted-set",
    since="1.2.0",
    summary="Returns the members in a range of ranks, scores (BYSCORE) or lexicographic order (BYLEX).",
    keys=_READ,
    complexity="O(log(N)+M), M being the members returned",
    syntax=(
        'key@0 start stop [sortby("BYSCORE" | "BYLEX")~6.2.0] ["REV"~6.2.0] ["LIMIT" '
        'offset_count{offset:int count:int}~6.2.0] ["WITHSCORES"]'
    ),
)
def zrange(client: Client, argv: Sequence[bytes]) -> Any:
    return _range(client, argv, 1, Options())


@command(
    "ZRANGESTORE",
    arity=-5,
    flags=WRITE | DENYOOM,
    group="sorted-set",
    since="6.2.0",
    summary="Stores the members in a range in another sorted set; returns their number.",
    keys=[span("OW update", 1), span("RO access", 2)],
    complexity="O(log(N)+M), M being the members stored",
    syntax=(
        'dst@0 src@1 min max [sortby("BYSCORE" | "BYLEX")] ["REV"] ["LIMIT" '
        "offset_count{offset:int count:int}]"
    ),
)
def zrangestore(client: Client, argv: Sequence[bytes]) -> int:
    options = Options()
    found = _range(client, argv, 2, options, storing=True)
    if not found:
        client.db.remove(argv[1])
        return 0
    members, scores = found.members, found.scores
    if options.reverse:
        members.reverse()
        scores.reverse()
    client.db.set_value(argv[1], SortedSet.from_columns(members, scores), "zrangestore")
    return len(members)


class _OldForm(NamedTuple):
    """A command for one kind of range in one direction, which ZRANGE has as options."""

    name: str
    since: str
    kind: str
    reverse: bool
    what: str
    syntax: str
    instead: str


def _old_form(kind: str, reverse: bool) -> Handler:
    def read(client: Client, argv: Sequence[bytes]) -> Any:
        return _range(client, argv, 1, Options(kind=kind, reverse=reverse))

    return read


_LIMIT = '["LIMIT" offset_count{offset:int count:int}]'

for _form in (
    _OldForm(
        "ZREVRANGE",
        "1.2.0",
        "rank",
        True,
        "range of ranks, highest score first",
        'key@0 start:int stop:int ["WITHSCORES"]',
        "ZRANGE with REV",
    ),
    _OldForm(
        "ZRANGEBYSCORE",
        "1.0.5",
        "score",
        False,
        "range of scores",
        f'key@0 min:double max:double ["WITHSCORES"~2.0.0] {_LIMIT}',
        "ZRANGE with BYSCORE",
    ),
    _OldForm(
        "ZREVRANGEBYSCORE",
        "2.2.0",
        "score",
        True,
        "range of scores, highest score first",
        f'key@0 max:double min:double ["WITHSCORES"] {_LIMIT}',
        "ZRANGE with REV and BYSCORE",
    ),
    _OldForm(
        "ZRANGEBYLEX",
        "2.8.9",
        "name",
        False,
        "lexicographic range; needs equal scores",
        f"key@0 min max {_LIMIT}",
        "ZRANGE with BYLEX",
    ),
    _OldForm(
        "ZREVRANGEBYLEX",
        "2.8.9",
        "name",
        True,
        "lexicographic range, last first; needs equal scores",
        f"key@0 max min {_LIMIT}",
        "ZRANGE with REV and BYLEX",
    ),
):
    command(
        _form.name,
        arity=-4,
        flags=READONLY,
        group="sorted-set",
        since=_form.since,
        summary=f"Returns the members in a {_form.what}.",
        keys=_READ,
        complexity="O(log(N)+M), M being the members returned",
        syntax=_form.syntax,
        deprecated=("6.2.0", _form.instead),
    )(_old_form(_form.kind, _form.reverse))


# -- counting ---------------------------------------------------------------------------------------------


def _count(client: Client, key: bytes, resolve: Resolve) -> int:
    members = client.db.lookup_read_typed(key, SortedSet)
    if members is None:
        return 0
    start, stop = resolve(members)
    return stop - start


@command(
    "ZCOUNT",
    arity=4,
    flags=READONLY | FAST,
    group="sorted-set",
    since="2.0.0",
    summary="Counts the members in a range of scores.",
    keys=_READ,
    complexity="O(log(N))",
    syntax="key@0 min:double max:double",
)
def zcount(client: Client, argv: Sequence[bytes]) -> int:
    return _count(client, argv[1], by_score(argv[2], argv[3]))


@command(
    "ZLEXCOUNT",
    arity=4,
    flags=READONLY | FAST,
    group="sorted-set",
    since="2.8.9",
    summary="Counts the members in a lexicographic range; needs equal scores.",
    keys=_READ,
    complexity="O(log(N))",
    syntax="key@0 min max",
)
def zlexcount(client: Client, argv: Sequence[bytes]) -> int:
    return _count(client, argv[1], by_name(argv[2], argv[3]))


# -- removing ---------------------------------------------------------------------------------------------


def _remove(client: Client, key: bytes, resolve: Resolve, event: str) -> int:
    members = client.db.lookup_write_typed(key, SortedSet)
    if members is None:
        return 0
    removed = len(members.remove_range(*resolve(members)))
    if removed:
        client.db.modified(key, members, event, removed)
    return removed


def _remover(resolver: Callable[[bytes, bytes], Resolve], event: str) -> Handler:
    def remove(client: Client, argv: Sequence[bytes]) -> int:
        return _remove(client, argv[1], resolver(argv[2], argv[3]), event)

    return remove


for _name, _since, _resolver, _what, _bounds in (
    ("ZREMRANGEBYRANK", "2.0.0", by_rank, "range of ranks", "start:int stop:int"),
    ("ZREMRANGEBYSCORE", "1.2.0", by_score, "range of scores", "min:double max:double"),
    ("ZREMRANGEBYLEX", "2.8.9", by_name, "lexicographic range; needs equal scores", "min max"),
):
    command(
        _name,
        arity=4,
        flags=WRITE,
        group="sorted-set",
        since=_since,
        summary=f"Removes the members in a {_what}; returns how many.",
        keys=_DELETE,
        complexity="O(log(N)+M), M being the members removed",
        syntax=f"key@0 {_bounds}",
    )(_remover(_resolver, _name.lower()))
