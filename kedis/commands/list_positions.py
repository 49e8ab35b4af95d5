"""What works inside a list, by position or by value.

A list is a deque of blocks of 64 elements: an element is reached by walking the blocks from the nearer end,
and Python's own ``rotate``, ``insert`` and ``del`` move whole blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.args import integer, integer_between
from kedis.commands.numbers import INT64_MAX
from kedis.commands.table import DENYOOM, READONLY, WRITE, command, span
from kedis.errors import CommandError
from kedis.resp.values import OK, SimpleString
from kedis.structures.footprint import bytes_footprint, bytes_footprints
from kedis.structures.lists import List

if TYPE_CHECKING:
    from kedis.session import Session

#: Up to this distance from an end, stepping element by element is as fast as turning the list.
_NEAR = 500


@command(
    "LRANGE",
    arity=4,
    flags=READONLY,
    group="list",
    since="1.0.0",
    summary="Returns a range of the elements of a list; negative positions count from its tail.",
    keys=[span("RO access", 1)],
    complexity="O(S / 64 + N) in the distance S from the nearer end and the number N of elements returned.",
)
def lrange(ctx: Session, argv: Sequence[bytes]) -> list[bytes]:
    first, last = integer(argv[2]), integer(argv[3])
    values = ctx.db.read(argv[1], List)
    if values is None:
        return []
    start, stop = _bounds(first, last, len(values))
    return _slice(values, start, stop) if start < stop else []


def _bounds(first: int, last: int, size: int) -> tuple[int, int]:
    """Inclusive positions, negative ones counted from the end, as start and stop; empty if start >= stop."""
    if first < 0:
        first = max(first + size, 0)
    if last < 0:
        last += size
    return first, min(last + 1, size)


def _slice(values: List, start: int, stop: int) -> list[bytes]:
    """The elements from ``start`` to before ``stop``, 0 <= start < stop <= len(values)."""
    if start <= _NEAR:
        return list(islice(values, start, stop))
    from_end = len(values) - stop
    if from_end <= _NEAR:
        part = list(islice(reversed(values), from_end, from_end + stop - start))
        part.reverse()
        return part
    # Blocks move four times as fast as an iterator steps: position 500,000 in 0.36 ms instead of 1.6 ms.
    values.rotate(-start)
    part = list(islice(values, stop - start))
    values.rotate(start)
    return part


@command(
    "LINDEX",
    arity=3,
    flags=READONLY,
    group="list",
    since="1.0.0",
    summary="Returns the element of a list at a position; a negative one counts from the tail.",
    keys=[span("RO access", 1)],
    complexity="O(N / 64) in the distance from the nearer end.",
)
def lindex(ctx: Session, argv: Sequence[bytes]) -> bytes | None:
    values = ctx.db.read(argv[1], List)
    if values is None:
        return None
    position = integer(argv[2])
    return values[position] if -len(values) <= position < len(values) else None


@command(
    "LSET",
    arity=4,
    flags=WRITE | DENYOOM,
    group="list",
    since="1.0.0",
    summary="Replaces the element of a list at a position.",
    keys=[span("RW update", 1)],
    complexity="O(N / 64) in the distance from the nearer end.",
)
def lset(ctx: Session, argv: Sequence[bytes]) -> SimpleString:
    _, key, raw_position, value = argv
    values = ctx.db.edit(key, List)
    if values is None:
        raise CommandError(errors.NO_SUCH_KEY)
    position = integer(raw_position)
    if not -len(values) <= position < len(values):
        raise CommandError(errors.INDEX_OUT_OF_RANGE)
    values.payload += bytes_footprint(value) - bytes_footprint(values[position])
    values[position] = value
    ctx.db.modified(key, values, "lset")
    return OK


@command(
    "LINSERT",
    arity=5,
    flags=WRITE | DENYOOM,
    group="list",
    since="2.2.0",
    summary="Inserts an element before or after the first one of a given value; returns the new length.",
    keys=[span("RW insert", 1)],
    complexity="O(N) in the distance of the given value from the head.",
)
def linsert(ctx: Session, argv: Sequence[bytes]) -> int:
    _, key, side, pivot, value = argv
    side = side.upper()
    if side not in (b"BEFORE", b"AFTER"):
        raise CommandError(errors.SYNTAX)
    values = ctx.db.edit(key, List)
    if values is None:
        return 0
    try:
        position = values.index(pivot)
    except ValueError:
        return -1
    values.insert(position if side == b"BEFORE" else position + 1, value)
    values.payload += bytes_footprint(value)
    ctx.db.modified(key, values, "linsert")
    return len(values)


@command(
    "LREM",
    arity=4,
    flags=WRITE,
    group="list",
    since="1.0.0",
    summary="Removes elements of a given value from a list, some or all; returns how many.",
    keys=[span("RW delete", 1)],
    complexity="O(N) in the length of the list.",
)
def lrem(ctx: Session, argv: Sequence[bytes]) -> int:
    _, key, raw_count, value = argv
    count = integer(raw_count)
    values = ctx.db.edit(key, List)
    if values is None:
        return 0
    removed = _remove(values, value, count)
    if removed:
        values.payload -= bytes_footprint(value) * removed
        ctx.db.modified(key, values, "lrem", removed)
    return removed


def _remove(values: List, value: bytes, count: int) -> int:
    """Remove ``value`` up to ``count`` times from the head, -``count`` from the tail, or (0) all; how many went.

    O(N); for a count of 1 or -1 only as far as the element is from its end.
    """
    if abs(count) == 1:
        size = len(values)
        place = next((_forward if count > 0 else _backward)(values, value, size), None)
        if place is None:
            return 0
        del values[place]
        return 1
    total = values.count(value)
    removed = min(abs(count), total) if count else total
    if removed:
        # Those that stay: before the removed ones when counting from the tail, after them otherwise.
        first = total - removed if count < 0 else 0
        doomed = range(first, first + removed)
        seen = -1
        kept = []
        for element in values:
            if element == value:
                seen += 1
                if seen in doomed:
                    continue
            kept.append(element)
        values.clear()
        values.extend(kept)
    return removed


@command(
    "LTRIM",
    arity=4,
    flags=WRITE,
    group="list",
    since="1.0.0",
    summary="Removes all elements of a list but those in a range.",
    keys=[span("RW delete", 1)],
    complexity="O(N) in the elements removed, which all are freed.",
)
def ltrim(ctx: Session, argv: Sequence[bytes]) -> SimpleString:
    key = argv[1]
    first, last = integer(argv[2]), integer(argv[3])
    db = ctx.db
    values = db.edit(key, List)
    if values is None:
        return OK
    size = len(values)
    start, stop = _bounds(first, last, size)
    kept = max(stop - start, 0)
    if kept < size - kept:
        part = _slice(values, start, stop) if kept else []
        values.clear()
        values.extend(part)
        values.payload = bytes_footprints(part)
    else:
        cut = [values.popleft() for _ in range(start)]
        cut += [values.pop() for _ in range(size - stop)]
        values.payload -= bytes_footprints(cut)
    db.modified(key, values, "ltrim", size - kept)
    return OK


@command(
    "LPOS",
    arity=-3,
    flags=READONLY,
    group="list",
    since="6.0.6",
    summary="Returns the positions at which a list has elements of a given value.",
    keys=[span("RO access", 1)],
    complexity="O(N) in the elements looked at.",
)
def lpos(ctx: Session, argv: Sequence[bytes]) -> int | list[int] | None:
    rank, count, most = _parse_search(argv)
    values = ctx.db.read(argv[1], List)
    if values is None:
        return None if count is None else []
    size = len(values)
    skipped = abs(rank) - 1
    if skipped >= size:
        return None if count is None else []
    reach = min(most or size, size)
    places = _forward(values, argv[2], reach) if rank > 0 else _backward(values, argv[2], reach)
    if count is None:
        return next(islice(places, skipped, None), None)
    return list(islice(places, skipped, skipped + min(count, size) if count else None))


def _parse_search(argv: Sequence[bytes]) -> tuple[int, int | None, int]:
    """RANK (1 when not given), COUNT (None) and MAXLEN (0)."""
    rank, count, most = 1, None, 0
    rest = iter(argv[3:])
    for word in rest:
        option = word.upper()
        argument = next(rest, None)
        if argument is None:
            raise CommandError(errors.SYNTAX)
        if option == b"RANK":
            rank = integer(argument)
            if rank == 0:
                raise CommandError(errors.LIST_RANK_ZERO)
        elif option == b"COUNT":
            count = integer_between(argument, 0, INT64_MAX, errors.COUNT_NEGATIVE)
        elif option == b"MAXLEN":
            most = integer_between(argument, 0, INT64_MAX, errors.MAXLEN_NEGATIVE)
        else:
            raise CommandError(errors.SYNTAX)
    return rank, count, most


def _forward(values: List, value: bytes, reach: int) -> Iterator[int]:
    """Positions of ``value`` among the first ``reach`` elements, from the head."""
    place = -1
    try:
        while True:
            place = values.index(value, place + 1, reach)
            yield place
    except ValueError:
        return


def _backward(values: List, value: bytes, reach: int) -> Iterator[int]:
    """Positions of ``value`` among the last ``reach`` elements, from the tail."""
    last = len(values) - 1
    return (last - i for i, element in enumerate(islice(reversed(values), reach)) if element == value)
