"""Sets: distinct members under one key, their algebra, and random members.

SPOP is journalled as SREM of the members chosen, or DEL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.options import natural
from kedis.commands.parsing.sampling import parse_sample_count, sample
from kedis.commands.parsing.scan_options import parse_cursor, parse_scan
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError
from kedis.resp.values import OrderedSet
from kedis.structures.packed import Set

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: The most members that one SREM in the journal names.
JOURNAL_CHUNK = 1024
#: Where SPOP leaves no more than the count divided by this, Redis builds the set anew from those that stay.
_REBUILT = 5


# -- members ----------------------------------------------------------------------------------------------


@command(
    "SADD",
    arity=-3,
    flags=WRITE | DENYOOM | FAST,
    group="set",
    since="1.0.0",
    summary="Adds members to a set, creating it if needed; returns how many are new.",
    keys=[span("RW insert", 1)],
    complexity="O(1) for each member",
    syntax="key@0 member...",
)
def sadd(client: Client, argv: Sequence[bytes]) -> int:
    db = client.db
    key = argv[1]
    members = db.lookup_or_create(key, Set)
    if len(argv) == 3:
        added = 1 if members.insert(argv[2]) else 0
    else:
        added = members.insert_many(argv[2:])
    if added:
        db.modified(key, members, "sadd", added)
    return added


@command(
    "SREM",
    arity=-3,
    flags=WRITE | FAST,
    group="set",
    since="1.0.0",
    summary="Removes members from a set; returns how many existed.",
    keys=[span("RW delete", 1)],
    complexity="O(1) for each member",
    syntax="key@0 member...",
)
def srem(client: Client, argv: Sequence[bytes]) -> int:
    key = argv[1]
    members = client.db.lookup_write_typed(key, Set)
    if members is None:
        return 0
    removed = members.remove_many(argv[2:])
    if removed:
        client.db.modified(key, members, "srem", removed)
    return removed


@command(
    "SMOVE",
    arity=4,
    flags=WRITE | FAST,
    group="set",
    since="1.0.0",
    summary="Moves a member from one set to another; returns 1 if it existed, else 0.",
    keys=[span("RW access delete", 1), span("RW insert", 2)],
    complexity="O(1)",
    syntax="source@0 destination@1 member",
)
def smove(client: Client, argv: Sequence[bytes]) -> int:
    _, source_key, target_key, member = argv
    db = client.db
    source = db.lookup_write_typed(source_key, Set)
    if source is None:
        return 0
    target = db.lookup_write_typed(target_key, Set)
    if member not in source:
        return 0
    if source is target:
        return 1
    source.remove_member(member)
    db.modified(source_key, source, "srem")
    target = db.lookup_or_create(target_key, Set)
    if target.insert(member):
        db.modified(target_key, target, "sadd")
    return 1


@command(
    "SISMEMBER",
    arity=3,
    flags=READONLY | FAST,
    group="set",
    since="1.0.0",
    summary="Returns 1 if a set contains a member, else 0.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0 member",
)
def sismember(client: Client, argv: Sequence[bytes]) -> int:
    members = client.db.lookup_read_typed(argv[1], Set)
    return 1 if members is not None and argv[2] in members else 0


@command(
    "SMISMEMBER",
    arity=-3,
    flags=READONLY | FAST,
    group="set",
    since="6.2.0",
    summary="Returns 1 or 0 for each of several members: whether the set contains it.",
    keys=[span("RO access", 1)],
    complexity="O(1) for each member",
    syntax="key@0 member...",
)
def smismember(client: Client, argv: Sequence[bytes]) -> list[int]:
    members = client.db.lookup_read_typed(argv[1], Set)
    if members is None:
        return [0] * (len(argv) - 2)
    return [1 if member in members else 0 for member in argv[2:]]


@command(
    "SCARD",
    arity=2,
    flags=READONLY | FAST,
    group="set",
    since="1.0.0",
    summary="Returns the size of a set.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def scard(client: Client, argv: Sequence[bytes]) -> int:
    return len(client.db.lookup_read_typed(argv[1], Set) or ())


@command(
    "SMEMBERS",
    arity=2,
    flags=READONLY,
    group="set",
    since="1.0.0",
    summary="Returns all members of a set.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output_order"],
    complexity="O(N) in the size of the set",
    syntax="key@0",
)
def smembers(client: Client, argv: Sequence[bytes]) -> set[bytes] | OrderedSet:
    members = client.db.lookup_read_typed(argv[1], Set)
    if members is None:
        return set()
    if members.packed is not None:  # integers, which Redis gives in ascending order, too
        return OrderedSet(sorted(members, key=int) if isinstance(members, set) else members)
    return members.as_set()


# -- random members and scanning --------------------------------------------------------------------------


@command(
    "SPOP",
    arity=-2,
    flags=WRITE | FAST,
    group="set",
    since="1.0.0",
    summary="Removes and returns random members of a set.",
    keys=[span("RW access delete", 1)],
    tips=["nondeterministic_output"],
    complexity="O(1) expected for each member popped; O(N) while the set is small",
    syntax="key@0 [count:int~3.2.0]",
)
def spop(client: Client, argv: Sequence[bytes]) -> bytes | set[bytes] | None:
    if len(argv) > 2:
        return _spop_count(client, argv)
    key = argv[1]
    db = client.db
    members = db.lookup_write_typed(key, Set)
    if members is None:
        return None
    member = members.pop_random(db.keyspace.random)
    db.modified(key, members, "spop")
    client.propagate(b"SREM", key, member)
    return member


def _spop_count(client: Client, argv: Sequence[bytes]) -> set[bytes]:
    if len(argv) > 3:
        raise CommandError(errors.SYNTAX)
    count = natural(argv[2])
    key = argv[1]
    db = client.db
    members = db.lookup_write_typed(key, Set)
    if members is None or count == 0:
        return set()
    if count >= len(members):
        # The set itself is the reply: it leaves the keyspace as it is.
        db.signal_modified(key, "spop")
        db.delete(key)
        client.propagate(b"DEL", key)
        return members.as_set()
    popped = members.sample_distinct(db.keyspace.random, count)
    members.remove_many(popped)
    if len(members) * _REBUILT <= count:
        members.choose(db.keyspace.packing[Set])
    db.modified(key, members, "spop", count)
    for start in range(0, count, JOURNAL_CHUNK):
        client.propagate(b"SREM", key, *popped[start : start + JOURNAL_CHUNK])
    return set(popped)


@command(
    "SRANDMEMBER",
    arity=-2,
    flags=READONLY,
    group="set",
    since="1.0.0",
    summary="Returns random members of a set.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output"],
    complexity="O(1) expected for each member asked for; O(N) while the set is small",
    syntax="key@0 [count:int~2.6.0]",
)
def srandmember(client: Client, argv: Sequence[bytes]) -> bytes | list[bytes] | None:
    rng = client.db.keyspace.random
    if len(argv) == 2:
        members = client.db.lookup_read_typed(argv[1], Set)
        return None if members is None else members.random_one(rng)
    if len(argv) > 3:
        raise CommandError(errors.SYNTAX)
    count = parse_sample_count(argv[2])
    members = client.db.lookup_read_typed(argv[1], Set)
    return [] if members is None else sample(client, members, count)


@command(
    "SSCAN",
    arity=-3,
    flags=READONLY,
    group="set",
    since="2.8.0",
    summary="Iterates over the members of a set by cursor.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output"],
    complexity="O(COUNT) for each call; O(N) while the set is small",
    syntax='key@0 cursor:int ["MATCH" pattern:pattern] ["COUNT" count:int]',
)
def sscan(client: Client, argv: Sequence[bytes]) -> list[Any]:
    cursor = parse_cursor(argv[2])
    members = client.db.lookup_read_typed(argv[1], Set)
    if members is None:
        return [b"0", []]
    options = parse_scan(argv, 3)
    cursor, found = members.scan(cursor, options.count)
    if options.match is not None:
        found = list(filter(options.match, found))
    return [b"%d" % cursor, found]
