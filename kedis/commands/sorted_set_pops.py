"""ZPOPMIN, ZPOPMAX and ZMPOP.

ZMPOP is journalled as ZPOPMIN or ZPOPMAX of the key that it found, with the number of members popped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer_between, natural
from kedis.engine.flags import FAST, WRITE
from kedis.engine.keyspec import counted, span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.resp.values import NULL_ARRAY, Pairs
from kedis.structures.packed import SortedSet

if TYPE_CHECKING:
    from kedis.engine.client import Client

Scored = list[tuple[bytes, float]]


def pop(client: Client, key: bytes, members: SortedSet, highest: bool, count: int) -> Scored:
    """Pop up to ``count`` members from one end."""
    taken = members.pop_max(count) if highest else members.pop_min(count)
    if taken:
        client.db.modified(key, members, "zpopmax" if highest else "zpopmin", len(taken))
    return taken


def _zpop(client: Client, argv: Sequence[bytes], highest: bool) -> Any:
    key = argv[1]
    if len(argv) == 2:
        db = client.db
        members = db.lookup_write_typed(key, SortedSet)
        if members is None:
            return []
        first = members.at(len(members) - 1 if highest else 0)
        members.remove(first[0])
        db.modified(key, members, "zpopmax" if highest else "zpopmin")
        return list(first)
    if len(argv) > 3:
        raise CommandError(errors.SYNTAX)
    count = natural(argv[2])
    members = client.db.lookup_write_typed(key, SortedSet)
    return [] if members is None else Pairs(pop(client, key, members, highest, count))


@command(
    "ZPOPMIN",
    arity=-2,
    flags=WRITE | FAST,
    group="sorted-set",
    since="5.0.0",
    summary="Removes and returns the members with the lowest scores.",
    keys=[span("RW access delete", 1)],
    complexity="O(log(N)) for each member",
    syntax="key@0 [count:int]",
)
def zpopmin(client: Client, argv: Sequence[bytes]) -> Any:
    return _zpop(client, argv, False)


@command(
    "ZPOPMAX",
    arity=-2,
    flags=WRITE | FAST,
    group="sorted-set",
    since="5.0.0",
    summary="Removes and returns the members with the highest scores.",
    keys=[span("RW access delete", 1)],
    complexity="O(log(N)) for each member",
    syntax="key@0 [count:int]",
)
def zpopmax(client: Client, argv: Sequence[bytes]) -> Any:
    return _zpop(client, argv, True)


def parse_zmpop(argv: Sequence[bytes], at: int) -> tuple[Sequence[bytes], bool, int]:
    """``numkeys key [key ...] MIN|MAX [COUNT count]`` from ``at`` on: keys, whether highest, count."""
    number = integer_between(argv[at], 1, INT64_MAX, value_errors.KEY_COUNT_NOT_POSITIVE)
    where = at + 1 + number
    if where >= len(argv) or (side := argv[where].upper()) not in (b"MIN", b"MAX"):
        raise CommandError(errors.SYNTAX)
    options = argv[where + 1 :]
    count = 1
    if options:
        if len(options) < 2 or options[0].upper() != b"COUNT":
            raise CommandError(errors.SYNTAX)
        count = integer_between(options[1], 1, INT64_MAX, value_errors.POP_COUNT_NOT_POSITIVE)
        if len(options) > 2:
            raise CommandError(errors.SYNTAX)
    return argv[at + 1 : where], side == b"MAX", count


@command(
    "ZMPOP",
    arity=-4,
    flags=WRITE,
    group="sorted-set",
    since="7.0.0",
    summary="Removes and returns lowest or highest members of the first non-empty sorted set of several.",
    keys=[counted("RW access delete", 1)],
    complexity="O(K) + O(log(N)) for each member, K being the keys",
    syntax='numkeys:int key@0... where("MIN" | "MAX") ["COUNT" count:int]',
)
def zmpop(client: Client, argv: Sequence[bytes]) -> Any:
    keys, highest, count = parse_zmpop(argv, 1)
    for key in keys:
        members = client.db.lookup_write_typed(key, SortedSet)
        if members is not None:
            taken = pop(client, key, members, highest, count)
            client.propagate(b"ZPOPMAX" if highest else b"ZPOPMIN", key, b"%d" % len(taken))
            return [key, [list(pair) for pair in taken]]
    return NULL_ARRAY
