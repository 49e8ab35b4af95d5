"""Sorted sets: adding and removing members, scores, ranks, random members, ZSCAN.

A score of -0.0 is stored as 0.0: Redis, too, loses the sign in its compact encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX, format_double
from kedis.commands.parsing.options import double
from kedis.commands.parsing.sampling import parse_sample_count, repeats
from kedis.commands.parsing.scan_options import parse_cursor, parse_scan
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.resp.values import Pairs
from kedis.structures.packed import SortedSet

if TYPE_CHECKING:
    from kedis.engine.client import Client

_READ = [span("RO access", 1)]

# -- adding -----------------------------------------------------------------------------------------------


@command(
    "ZADD",
    arity=-4,
    flags=WRITE | DENYOOM | FAST,
    group="sorted-set",
    since="1.2.0",
    summary="Adds members with scores to a sorted set, or updates their scores.",
    keys=[span("RW update", 1)],
    complexity="O(log(N)) for each member",
    syntax=(
        'key@0 [condition("NX" | "XX")~3.0.2] [comparison("GT" | "LT")~6.2.0] '
        '[change="CH"~3.0.2] [increment="INCR"~3.0.2] score_member{score:double member}...'
    ),
)
def zadd(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) == 4:
        raw, key, name = argv[2], argv[1], argv[3]
        # What `double` does with whole numbers, without its calls: a quarter of this function's own time.
        score = float(raw) if raw.isdigit() and len(raw) < 16 else _only_score(raw)
        db = client.db
        members = db.lookup_or_create(key, SortedSet)
        old = members.score(name)
        if old == score:
            return 0
        members.add(name, score)
        db.modified(key, members, "zadd")
        return 1 if old is None else 0
    options, position = _zadd_options(argv)
    rest = argv[position:]
    if not rest or len(rest) % 2:
        raise CommandError(errors.SYNTAX)
    _check_zadd_options(options, len(rest) // 2)
    return _add_all(client, argv[1], [double(raw) for raw in rest[::2]], rest[1::2], options)


_ZADD_OPTIONS = frozenset([b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"])


def _only_score(raw: bytes) -> float:
    """The score of a ZADD with four arguments; an option in its place leaves the last argument without a pair."""
    if raw.upper() in _ZADD_OPTIONS:
        raise CommandError(errors.SYNTAX)
    return double(raw) + 0.0


def _zadd_options(argv: Sequence[bytes]) -> tuple[set[bytes], int]:
    """The options before the scores, and the position of the first score."""
    options = set()
    position = 2
    while position < len(argv) and (word := argv[position].upper()) in _ZADD_OPTIONS:
        options.add(word)
        position += 1
    return options, position


def _check_zadd_options(options: set[bytes], pairs: int) -> None:
    if b"NX" in options and b"XX" in options:
        raise CommandError(value_errors.NX_AND_XX)
    if len(options & {b"NX", b"GT", b"LT"}) > 1:
        raise CommandError(value_errors.GT_LT_AND_NX)
    if b"INCR" in options and pairs > 1:
        raise CommandError(value_errors.INCR_OF_SEVERAL)


def _add_all(
    client: Client, key: bytes, scores: list[float], names: Sequence[bytes], options: set[bytes]
) -> Any:
    """ZADD with options: the number of members added (or changed), or the new score."""
    db = client.db
    members = db.lookup_write_typed(key, SortedSet)
    increment = b"INCR" in options
    if members is None:
        if b"XX" in options:
            return None if increment else 0
        members = db.lookup_or_create(key, SortedSet)
    elif increment and b"NX" not in options:
        total = (members.score(names[0]) or 0.0) + scores[0]
        if total != total:
            raise CommandError(value_errors.SCORE_NOT_A_NUMBER)
    added = updated = 0
    result: float | None = None
    for score, name in zip(scores, names, strict=True):
        before = members.score(name)
        after = score if before is None or not increment else before + score
        if not _wanted(before, after, options):
            continue
        result = after
        if before is None:
            added += 1
        elif before != after:
            updated += 1
        else:
            continue
        members.add(name, after + 0.0)
    if added or updated:
        db.modified(key, members, "zincr" if increment else "zadd", added + updated)
    if increment:
        return result
    return added + updated if b"CH" in options else added


def _wanted(before: float | None, after: float, options: set[bytes]) -> bool:
    """Whether NX, XX, GT and LT let the score of one member change."""
    if before is None:
        return b"XX" not in options
    if b"NX" in options:
        return False
    return not ((b"GT" in options and after <= before) or (b"LT" in options and after >= before))


@command(
    "ZINCRBY",
    arity=4,
    flags=WRITE | DENYOOM | FAST,
    group="sorted-set",
    since="1.2.0",
    summary="Increments the score of a member, 0 if it is missing; returns the new score.",
    keys=[span("RW access update", 1)],
    complexity="O(log(N))",
    syntax="key@0 increment:int member",
)
def zincrby(client: Client, argv: Sequence[bytes]) -> Any:
    total = double(argv[2])
    key, name = argv[1], argv[3]
    db = client.db
    members = db.lookup_write_typed(key, SortedSet)
    old = None if members is None else members.score(name)
    if old is not None:
        total += old
        if total != total:
            raise CommandError(value_errors.SCORE_NOT_A_NUMBER)
        if total == old:
            return total
    if members is None:
        members = db.lookup_or_create(key, SortedSet)
    members.add(name, total + 0.0)
    db.modified(key, members, "zincr")
    return total


# -- removing ---------------------------------------------------------------------------------------------


@command(
    "ZREM",
    arity=-3,
    flags=WRITE | FAST,
    group="sorted-set",
    since="1.2.0",
    summary="Removes members from a sorted set; returns how many existed.",
    keys=[span("RW delete", 1)],
    complexity="O(log(N)) for each member",
    syntax="key@0 member...",
)
def zrem(client: Client, argv: Sequence[bytes]) -> int:
    members = client.db.lookup_write_typed(argv[1], SortedSet)
    if members is None:
        return 0
    removed = sum(map(members.remove, argv[2:]))
    if removed:
        client.db.modified(argv[1], members, "zrem", removed)
    return removed


# -- looking ----------------------------------------------------------------------------------------------


@command(
    "ZCARD",
    arity=2,
    flags=READONLY | FAST,
    group="sorted-set",
    since="1.2.0",
    summary="Returns the size of a sorted set.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def zcard(client: Client, argv: Sequence[bytes]) -> int:
    members = client.db.lookup_read_typed(argv[1], SortedSet)
    return 0 if members is None else len(members)


@command(
    "ZSCORE",
    arity=3,
    flags=READONLY | FAST,
    group="sorted-set",
    since="1.2.0",
    summary="Returns the score of a member.",
    keys=_READ,
    complexity="O(1)",
    syntax="key@0 member",
)
def zscore(client: Client, argv: Sequence[bytes]) -> float | None:
    members = client.db.lookup_read_typed(argv[1], SortedSet)
    return None if members is None else members.score(argv[2])


@command(
    "ZMSCORE",
    arity=-3,
    flags=READONLY | FAST,
    group="sorted-set",
    since="6.2.0",
    summary="Returns the scores of several members.",
    keys=_READ,
    complexity="O(1) for each member",
    syntax="key@0 member...",
)
def zmscore(client: Client, argv: Sequence[bytes]) -> list[float | None]:
    members = client.db.lookup_read_typed(argv[1], SortedSet)
    if members is None:
        return [None] * (len(argv) - 2)
    return [members.score(name) for name in argv[2:]]


@command(
    "ZRANK",
    arity=3,
    flags=READONLY | FAST,
    group="sorted-set",
    since="2.0.0",
    summary="Returns the rank of a member, lowest score first.",
    keys=_READ,
    complexity="O(log(N))",
    syntax="key@0 member",
)
def zrank(client: Client, argv: Sequence[bytes]) -> int | None:
    members = client.db.lookup_read_typed(argv[1], SortedSet)
    return None if members is None else members.rank(argv[2])


@command(
    "ZREVRANK",
    arity=3,
    flags=READONLY | FAST,
    group="sorted-set",
    since="2.0.0",
    summary="Returns the rank of a member, highest score first.",
    keys=_READ,
    complexity="O(log(N))",
    syntax="key@0 member",
)
def zrevrank(client: Client, argv: Sequence[bytes]) -> int | None:
    members = client.db.lookup_read_typed(argv[1], SortedSet)
    return None if members is None else members.rank(argv[2], reverse=True)


@command(
    "ZRANDMEMBER",
    arity=-2,
    flags=READONLY,
    group="sorted-set",
    since="6.2.0",
    summary="Returns random members of a sorted set.",
    keys=_READ,
    tips=["nondeterministic_output"],
    complexity="O(log(N)) for each member returned",
    syntax='key@0 [options{count:int ["WITHSCORES"]}]',
)
def zrandmember(client: Client, argv: Sequence[bytes]) -> Any:
    rng = client.engine.keyspace.random
    if len(argv) == 2:
        members = client.db.lookup_read_typed(argv[1], SortedSet)
        return None if members is None else members.random_member(rng)[0]
    count = parse_sample_count(argv[2])
    with_scores = len(argv) > 3
    if with_scores:
        if len(argv) > 4 or argv[3].upper() != b"WITHSCORES":
            raise CommandError(errors.SYNTAX)
        if abs(count) > INT64_MAX // 2:
            raise CommandError(errors.OUT_OF_RANGE)
    members = client.db.lookup_read_typed(argv[1], SortedSet)
    if members is None:
        return []
    if count >= 0:
        chosen = members.sample(count, rng)
    else:
        chosen = [members.random_member(rng) for _ in range(repeats(client, count))]
    return Pairs(chosen) if with_scores else [name for name, _ in chosen]


#: Up to here Redis keeps a whole score of a small set as an integer, and ZSCAN shows it as one.
_WHOLE_MAX = 2.0**62


@command(
    "ZSCAN",
    arity=-3,
    flags=READONLY,
    group="sorted-set",
    since="2.8.0",
    summary="Iterates over the members and scores of a sorted set by cursor.",
    keys=_READ,
    tips=["nondeterministic_output"],
    complexity="O(1) a call, O(N) for a whole walk",
    syntax='key@0 cursor:int ["MATCH" pattern:pattern] ["COUNT" count:int]',
)
def zscan(client: Client, argv: Sequence[bytes]) -> list[Any]:
    cursor = parse_cursor(argv[2])
    members = client.db.lookup_read_typed(argv[1], SortedSet)
    if members is None:
        return [b"0", []]
    options = parse_scan(argv, 3)
    compact = members.packed is not None
    following, found = members.scan(cursor, options.count)
    flat: list[bytes] = []
    for name, score in found:
        if options.match is None or options.match(name):
            whole = compact and abs(score) <= _WHOLE_MAX and score.is_integer()
            flat += (name, b"%d" % score if whole else format_double(score))
    return [b"%d" % following, flat]
