"""Intersection, union and difference of sets: returned, stored, or counted.

A missing key is an empty set, and all keys are read, so that one of another type is always an error. The work is done
by Python's set operations, on a copy of the members where a set is packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer_between, natural
from kedis.engine.flags import DENYOOM, READONLY, WRITE
from kedis.engine.keyspec import counted, span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.structures.containers import fits_packed_set
from kedis.structures.packed import Set

if TYPE_CHECKING:
    from kedis.engine.client import Client

Members = set[bytes]

_EMPTY: Members = set()


def _sets(client: Client, keys: Sequence[bytes]) -> list[Members]:
    read = client.db.lookup_read_typed
    return [_EMPTY if (members := read(key, Set)) is None else members.as_set() for key in keys]


def _intersection(sets: list[Members]) -> Members:
    first, *rest = sorted(sets, key=len)
    return first.intersection(*rest) if rest else first


def _union(sets: list[Members]) -> Members:
    first, *rest = sets
    return _EMPTY.union(first, *rest) if rest else first


def _difference(sets: list[Members]) -> Members:
    first, *rest = sets
    return first.difference(*rest) if rest else first


def _store(client: Client, key: bytes, result: Members, event: str) -> int:
    if not result:
        client.db.remove(key)
        return 0
    client.db.set_value(key, Set(result), event)
    return len(result)


@command(
    "SINTER",
    arity=-2,
    flags=READONLY,
    group="set",
    since="1.0.0",
    summary="Returns the intersection of sets.",
    keys=[span("RO access", 1, -1)],
    tips=["nondeterministic_output_order"],
    complexity="O(N*M) with N the size of the smallest set and M the number of sets",
    syntax="key@0...",
)
def sinter(client: Client, argv: Sequence[bytes]) -> Members:
    return _intersection(_sets(client, argv[1:]))


@command(
    "SINTERSTORE",
    arity=-3,
    flags=WRITE | DENYOOM,
    group="set",
    since="1.0.0",
    summary="Stores the intersection of sets; returns its size.",
    keys=[span("RW update", 1), span("RO access", 2, -1)],
    complexity="O(N*M) with N the size of the smallest set and M the number of sets",
    syntax="destination@0 key@1...",
)
def sinterstore(client: Client, argv: Sequence[bytes]) -> int:
    return _store(client, argv[1], _intersection(_sets(client, argv[2:])), "sinterstore")


@command(
    "SINTERCARD",
    arity=-3,
    flags=READONLY,
    group="set",
    since="7.0.0",
    summary="Returns the size of the intersection of sets, at most LIMIT.",
    keys=[counted("RO access", 1)],
    complexity="O(N*M) with N the size of the smallest set and M the number of sets",
    syntax='numkeys:int key@0... ["LIMIT" limit:int]',
)
def sintercard(client: Client, argv: Sequence[bytes]) -> int:
    count = integer_between(argv[1], 1, INT64_MAX, value_errors.KEY_COUNT_NOT_POSITIVE)
    end = 2 + count
    if end > len(argv):
        raise CommandError(value_errors.KEY_COUNT_TOO_LARGE)
    limit = 0
    for position in range(end, len(argv), 2):
        if argv[position].upper() != b"LIMIT" or position + 1 == len(argv):
            raise CommandError(errors.SYNTAX)
        limit = natural(argv[position + 1], value_errors.LIMIT_NEGATIVE)
    sets = _sets(client, argv[2:end])
    if not limit:
        return len(_intersection(sets))
    first, *rest = sorted(sets, key=len)
    shared = (member for member in first if all(member in other for other in rest))
    return sum(1 for _ in islice(shared, limit))


@command(
    "SUNION",
    arity=-2,
    flags=READONLY,
    group="set",
    since="1.0.0",
    summary="Returns the union of sets.",
    keys=[span("RO access", 1, -1)],
    tips=["nondeterministic_output_order"],
    complexity="O(N) in the size of all sets together",
    syntax="key@0...",
)
def sunion(client: Client, argv: Sequence[bytes]) -> Members:
    return _union(_sets(client, argv[1:]))


@command(
    "SUNIONSTORE",
    arity=-3,
    flags=WRITE | DENYOOM,
    group="set",
    since="1.0.0",
    summary="Stores the union of sets; returns its size.",
    keys=[span("OW update", 1), span("RO access", 2, -1)],
    complexity="O(N) in the size of all sets together",
    syntax="destination@0 key@1...",
)
def sunionstore(client: Client, argv: Sequence[bytes]) -> int:
    return _store(client, argv[1], _union(_sets(client, argv[2:])), "sunionstore")


@command(
    "SDIFF",
    arity=-2,
    flags=READONLY,
    group="set",
    since="1.0.0",
    summary="Returns the difference of the first set and the others.",
    keys=[span("RO access", 1, -1)],
    tips=["nondeterministic_output_order"],
    complexity="O(N) in the size of all sets together; less when the first is small",
    syntax="key@0...",
)
def sdiff(client: Client, argv: Sequence[bytes]) -> Members:
    return _difference(_sets(client, argv[1:]))


@command(
    "SDIFFSTORE",
    arity=-3,
    flags=WRITE | DENYOOM,
    group="set",
    since="1.0.0",
    summary="Stores the difference of the first set and the others; returns its size.",
    keys=[span("OW update", 1), span("RO access", 2, -1)],
    complexity="O(N) in the size of all sets together; less when the first is small",
    syntax="destination@0 key@1...",
)
def sdiffstore(client: Client, argv: Sequence[bytes]) -> int:
    db, key = client.db, argv[1]
    sets = _sets(client, argv[2:])
    thresholds = db.keyspace.packing[Set]
    once_full = _removes_from_a_copy(sets) and not fits_packed_set(sets[0], thresholds)
    count = _store(client, key, _difference(sets), "sdiffstore")
    if count and once_full:
        db.be_full(db.data[key])
    return count


def _removes_from_a_copy(sets: list[Members]) -> bool:
    """Whether Redis computes SDIFF by removing from a copy of the first set, which keeps its full encoding.

    It does so if the other sets are small compared to the first; otherwise it adds members found in no other set.
    """
    present = [len(members) for members in sets if members]
    return len(sets[0]) * len(present) // 2 > sum(present)
