"""List commands by index or by value: LRANGE, LINDEX, LSET, LINSERT, LREM, LTRIM, LPOS."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer, integer_between
from kedis.engine.flags import DENYOOM, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.resp.values import OK, SimpleString
from kedis.structures.packed import List

if TYPE_CHECKING:
    from kedis.engine.client import Client


@command(
    "LRANGE",
    arity=4,
    flags=READONLY,
    group="list",
    since="1.0.0",
    summary="Returns the elements in an index range; negative indexes count from the tail.",
    keys=[span("RO access", 1)],
    complexity="O(S / 64 + N) in the distance S from the nearer end and the number N of elements returned",
    syntax="key@0 start:int stop:int",
)
def lrange(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    first, last = integer(argv[2]), integer(argv[3])
    values = client.db.lookup_read_typed(argv[1], List)
    if values is None:
        return []
    start, stop = _bounds(first, last, len(values))
    return values.slice(start, stop) if start < stop else []


def _bounds(first: int, last: int, size: int) -> tuple[int, int]:
    """Inclusive indexes, negative ones counted from the tail, as start and stop; empty if start >= stop."""
    if first < 0:
        first = max(first + size, 0)
    if last < 0:
        last += size
    return first, min(last + 1, size)


@command(
    "LINDEX",
    arity=3,
    flags=READONLY,
    group="list",
    since="1.0.0",
    summary="Returns the element at an index; negative indexes count from the tail.",
    keys=[span("RO access", 1)],
    complexity="O(N / 64) in the distance from the nearer end",
    syntax="key@0 index:int",
)
def lindex(client: Client, argv: Sequence[bytes]) -> bytes | None:
    values = client.db.lookup_read_typed(argv[1], List)
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
    summary="Sets the element at an index.",
    keys=[span("RW update", 1)],
    complexity="O(N / 64) in the distance from the nearer end",
    syntax="key@0 index:int element",
)
def lset(client: Client, argv: Sequence[bytes]) -> SimpleString:
    _, key, raw_position, value = argv
    values = client.db.lookup_write_typed(key, List)
    if values is None:
        raise CommandError(errors.NO_SUCH_KEY)
    position = integer(raw_position)
    if not -len(values) <= position < len(values):
        raise CommandError(errors.INDEX_OUT_OF_RANGE)
    values.replace(position, value)
    client.db.modified(key, values, "lset")
    return OK


@command(
    "LINSERT",
    arity=5,
    flags=WRITE | DENYOOM,
    group="list",
    since="2.2.0",
    summary="Inserts an element before or after the first element equal to the pivot; returns the new length.",
    keys=[span("RW insert", 1)],
    complexity="O(N) in the distance of the given value from the head",
    syntax='key@0 where("BEFORE" | "AFTER") pivot element',
)
def linsert(client: Client, argv: Sequence[bytes]) -> int:
    _, key, side, pivot, value = argv
    side = side.upper()
    if side not in (b"BEFORE", b"AFTER"):
        raise CommandError(errors.SYNTAX)
    values = client.db.lookup_write_typed(key, List)
    if values is None:
        return 0
    try:
        position = values.index(pivot)
    except ValueError:
        return -1
    values.insert(position if side == b"BEFORE" else position + 1, value)
    client.db.modified(key, values, "linsert")
    return len(values)


@command(
    "LREM",
    arity=4,
    flags=WRITE,
    group="list",
    since="1.0.0",
    summary="Removes elements equal to a value; returns how many.",
    keys=[span("RW delete", 1)],
    complexity="O(N) in the length of the list",
    syntax="key@0 count:int element",
)
def lrem(client: Client, argv: Sequence[bytes]) -> int:
    _, key, raw_count, value = argv
    count = integer(raw_count)
    values = client.db.lookup_write_typed(key, List)
    if values is None:
        return 0
    removed = values.discard(value, count)
    if removed:
        client.db.modified(key, values, "lrem", removed)
    return removed


@command(
    "LTRIM",
    arity=4,
    flags=WRITE,
    group="list",
    since="1.0.0",
    summary="Removes all elements outside an index range.",
    keys=[span("RW delete", 1)],
    complexity="O(N) in the elements removed, which all are freed",
    syntax="key@0 start:int stop:int",
)
def ltrim(client: Client, argv: Sequence[bytes]) -> SimpleString:
    key = argv[1]
    first, last = integer(argv[2]), integer(argv[3])
    db = client.db
    values = db.lookup_write_typed(key, List)
    if values is None:
        return OK
    size = len(values)
    start, stop = _bounds(first, last, size)
    start = min(start, size)
    stop = max(start, stop)
    values.trim(start, stop)
    db.modified(key, values, "ltrim", size - (stop - start))
    return OK


@command(
    "LPOS",
    arity=-3,
    flags=READONLY,
    group="list",
    since="6.0.6",
    summary="Returns the indexes of elements equal to a value.",
    keys=[span("RO access", 1)],
    complexity="O(N) in the elements looked at",
    syntax='key@0 element ["RANK" rank:int] ["COUNT" num-matches:int] ["MAXLEN" len:int]',
)
def lpos(client: Client, argv: Sequence[bytes]) -> int | list[int] | None:
    rank, count, most = _parse_search(argv)
    values = client.db.lookup_read_typed(argv[1], List)
    if values is None:
        return None if count is None else []
    size = len(values)
    skipped = abs(rank) - 1
    if skipped >= size:
        return None if count is None else []
    reach = min(most or size, size)
    places = (values.positions if rank > 0 else values.positions_from_tail)(argv[2], reach)
    if count is None:
        return next(islice(places, skipped, None), None)
    return list(islice(places, skipped, skipped + min(count, size) if count else None))


def _parse_search(argv: Sequence[bytes]) -> tuple[int, int | None, int]:
    """RANK (default 1), COUNT (None) and MAXLEN (0)."""
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
                raise CommandError(value_errors.LIST_RANK_ZERO)
        elif option == b"COUNT":
            count = integer_between(argument, 0, INT64_MAX, value_errors.COUNT_NEGATIVE)
        elif option == b"MAXLEN":
            most = integer_between(argument, 0, INT64_MAX, value_errors.MAXLEN_NEGATIVE)
        else:
            raise CommandError(errors.SYNTAX)
    return rank, count, most
