"""What consumer groups have delivered without being acknowledged: XPENDING, XCLAIM, XAUTOCLAIM, XACK.

XCLAIM and XAUTOCLAIM are journalled as an XCLAIM for each entry that changes hands, with its time and count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer, integer_between
from kedis.commands.parsing.stream_ids import parse_end, parse_id, parse_start
from kedis.commands.stream_replies import entry
from kedis.engine.flags import FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError
from kedis.errors import stream_errors as texts
from kedis.resp.values import NULL_ARRAY
from kedis.structures.consumer_groups import Consumer, Group, Pending
from kedis.structures.stream import Stream
from kedis.structures.stream_id import id_text

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: XAUTOCLAIM looks at so many pending entries for each that it is asked for.
_LOOKS_FOR_EACH = 10
#: The most that COUNT of XAUTOCLAIM takes.
_MOST_CLAIMED = INT64_MAX // 16


def find_group(client: Client, key: bytes, name: bytes) -> tuple[Stream, Group]:
    """The stream at ``key`` and its group ``name``.  Raises WRONGTYPE, NOGROUP."""
    stream = client.db.lookup_read_typed(key, Stream)
    if stream is None or name not in stream.groups:
        raise CommandError(texts.no_group(key, name))
    return stream, stream.groups[name]


def seen_consumer(client: Client, key: bytes, stream: Stream, group: Group, name: bytes) -> Consumer:
    """The consumer ``name``, made if need be, who asks for something now."""
    now_ms = client.db.keyspace.now_ms
    consumer = group.consumer(name)
    if consumer is None:
        consumer = group.add_consumer(name, now_ms)
        client.db.annotated(key, stream, "xgroup-createconsumer")
    consumer.seen_ms = now_ms
    return consumer


def propagate_claim(
    client: Client, key: bytes, name: bytes, stream_id: int, pending: Pending, last_id: int
) -> None:
    """Journal that ``stream_id`` is pending as it is, and that the group has delivered up to ``last_id``."""
    client.propagate(
        *(b"XCLAIM", key, name, pending.consumer.name, b"0", id_text(stream_id)),
        *(b"TIME", b"%d" % pending.delivered_ms, b"RETRYCOUNT", b"%d" % pending.count),
        *(b"FORCE", b"JUSTID", b"LASTID", id_text(last_id)),
    )


def propagate_last_id(client: Client, key: bytes, name: bytes, group: Group) -> None:
    """Journal up to where ``group`` has delivered."""
    read = group.entries_read
    if read is None or not 0 <= read <= INT64_MAX:
        read = -1
    client.propagate(*(b"XGROUP", b"SETID", key, name, id_text(group.last_id), b"ENTRIESREAD", b"%d" % read))


@command(
    "XACK",
    arity=-4,
    flags=WRITE | FAST,
    group="stream",
    since="5.0.0",
    summary="Acknowledges pending entries of a group; returns how many were pending.",
    keys=[span("RW update", 1)],
    complexity="O(log N) for each id, N being the pending entries of the group",
    syntax="key@0 group id...",
)
def xack(client: Client, argv: Sequence[bytes]) -> int:
    key = argv[1]
    stream = client.db.lookup_read_typed(key, Stream)
    group = None if stream is None else stream.groups.get(argv[2])
    if stream is None or group is None:
        return 0
    acknowledged = group.acknowledge_all([parse_id(raw) for raw in argv[3:]])
    if acknowledged:
        client.db.annotated(key, stream, changes=acknowledged)
    return acknowledged


# -- XPENDING ---------------------------------------------------------------------------------------------


@command(
    "XPENDING",
    arity=-3,
    flags=READONLY,
    group="stream",
    since="5.0.0",
    summary="Returns how many entries of a group are pending for whom, or some of them in detail.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output"],
    complexity="O(log N + M), N being the pending entries and M those looked at; O(consumers) for the summary",
    syntax='key@0 group [filters{["IDLE" min-idle-time:int~6.2.0] start end count:int [consumer]}]',
)
def xpending(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) == 3:
        return _summary(find_group(client, argv[1], argv[2])[1])
    if not 6 <= len(argv) <= 9:
        raise CommandError(errors.SYNTAX)
    at, least_idle_ms = 3, 0
    if argv[3].upper() == b"IDLE":
        least_idle_ms = integer(argv[4])
        if len(argv) < 8:
            raise CommandError(errors.SYNTAX)
        at = 5
    count = max(integer(argv[at + 2]), 0)
    low, high = parse_start(argv[at]), parse_end(argv[at + 1])
    group = find_group(client, argv[1], argv[2])[1]
    found = group.pending
    if at + 3 < len(argv):
        consumer = group.consumer(argv[at + 3])
        if consumer is None:
            return []
        found = consumer.pending
    now_ms = client.db.keyspace.now_ms
    shown: list[Any] = []
    for stream_id in found.keys(low):
        if stream_id > high or len(shown) >= count:
            break
        pending = found[stream_id]
        idle_ms = now_ms - pending.delivered_ms
        if not least_idle_ms or idle_ms >= least_idle_ms:
            shown.append([id_text(stream_id), pending.consumer.name, max(idle_ms, 0), pending.count])
    return shown


def _summary(group: Group) -> list[Any]:
    """How many entries are pending, the lowest and the highest id, and how many for each consumer."""
    first, last = group.pending.first(), group.pending.last()
    if first is None or last is None:
        return [0, None, None, NULL_ARRAY]
    consumers = [[each.name, b"%d" % len(each.pending)] for each in group.consumers() if len(each.pending)]
    return [len(group.pending), id_text(first), id_text(last), consumers]


# -- XCLAIM -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Claim:
    """The arguments of XCLAIM behind the consumer; times in ms, None for what was not given."""

    least_idle_ms: int
    ids: list[int] = field(default_factory=list)
    delivered_ms: int | None = None
    count: int | None = None
    force: bool = False
    just_ids: bool = False
    last_id: int = 0


@command(
    "XCLAIM",
    arity=-6,
    flags=WRITE | FAST,
    group="stream",
    since="5.0.0",
    summary="Gives pending entries of a group to a consumer, as if they were delivered to it; returns them.",
    keys=[span("RW update", 1)],
    tips=["nondeterministic_output"],
    complexity="O(log N) for each id, N being the pending entries of the group",
    syntax=(
        'key@0 group consumer min-idle-time id... ["IDLE" ms:int] ["TIME" unix-time-milliseconds:time] '
        '["RETRYCOUNT" count:int] ["FORCE"] ["JUSTID"] ["LASTID" id]'
    ),
)
def xclaim(client: Client, argv: Sequence[bytes]) -> Any:
    key, name = argv[1], argv[2]
    stream, group = find_group(client, key, name)
    now_ms = client.db.keyspace.now_ms
    claim = _parse_claim(argv, now_ms)
    moved = claim.last_id > group.last_id
    if moved:
        group.last_id = claim.last_id
        client.db.annotated(key, stream)
    delivered_ms = claim.delivered_ms
    if delivered_ms is None or not 0 <= delivered_ms <= now_ms:
        delivered_ms = now_ms
    found: list[Any] = []
    for stream_id in claim.ids:
        pending = group.pending.get(stream_id)
        if stream_id not in stream:
            if pending is not None:
                propagate_claim(client, key, name, stream_id, pending, group.last_id)
                moved = False
                group.acknowledge(stream_id)
                client.db.annotated(key, stream)
            continue
        if pending is None:
            if not claim.force:
                continue
        elif claim.least_idle_ms and now_ms - pending.delivered_ms < claim.least_idle_ms:
            continue
        consumer = seen_consumer(client, key, stream, group, argv[3])
        if pending is None:
            pending = group.add_pending(stream_id, consumer, delivered_ms, 1)
        group.assign(stream_id, pending, consumer)
        pending.delivered_ms = delivered_ms
        if claim.count is not None:
            pending.count = claim.count
        elif not claim.just_ids:
            pending.deliver_again()
        found.append(id_text(stream_id) if claim.just_ids else entry(stream, stream_id))
        propagate_claim(client, key, name, stream_id, pending, group.last_id)
        moved = False
        client.db.annotated(key, stream)
    if moved:
        propagate_last_id(client, key, name, group)
    return found


def _parse_claim(argv: Sequence[bytes], now_ms: int) -> Claim:
    """What stands behind the consumer.  Raises CommandError."""
    claim = Claim(max(integer(argv[4], texts.invalid_idle_time("XCLAIM")), 0))
    at = 5
    while at < len(argv):
        try:
            claim.ids.append(parse_id(argv[at]))
        except CommandError:
            break
        at += 1
    while at < len(argv):
        option = argv[at].upper()
        at += 1
        if option == b"FORCE":
            claim.force = True
        elif option == b"JUSTID":
            claim.just_ids = True
        elif at == len(argv):
            raise CommandError(texts.unknown_claim_option(argv[at - 1]))
        else:
            _parse_claim_value(claim, option, argv[at - 1], argv[at], now_ms)
            at += 1
    return claim


def _parse_claim_value(claim: Claim, option: bytes, word: bytes, raw: bytes, now_ms: int) -> None:
    if option == b"IDLE":
        claim.delivered_ms = now_ms - integer(raw, texts.invalid_claim_option("IDLE"))
    elif option == b"TIME":
        claim.delivered_ms = integer(raw, texts.invalid_claim_option("TIME"))
    elif option == b"RETRYCOUNT":
        count = integer(raw, texts.invalid_claim_option("RETRYCOUNT"))
        claim.count = count if count >= 0 else None
    elif option == b"LASTID":
        claim.last_id = parse_id(raw)
    else:
        raise CommandError(texts.unknown_claim_option(word))


# -- XAUTOCLAIM -------------------------------------------------------------------------------------------


@command(
    "XAUTOCLAIM",
    arity=-6,
    flags=WRITE | FAST,
    group="stream",
    since="6.2.0",
    summary="Gives entries of a group that are pending for long to a consumer; returns a cursor and the entries.",
    keys=[span("RW delete", 1)],
    tips=["nondeterministic_output"],
    complexity="O(log N + COUNT), N being the pending entries of the group",
    syntax='key@0 group consumer min-idle-time start ["COUNT" count:int] ["JUSTID"]',
)
def xautoclaim(client: Client, argv: Sequence[bytes]) -> Any:
    key, name = argv[1], argv[2]
    least_idle_ms = max(integer(argv[4], texts.invalid_idle_time("XAUTOCLAIM")), 0)
    start = parse_start(argv[5])
    count, just_ids = _parse_autoclaim(argv)
    stream, group = find_group(client, key, name)
    now_ms = client.db.keyspace.now_ms
    found: list[Any] = []
    deleted: list[int] = []
    following = 0
    for looks, stream_id in enumerate(group.pending.keys(start)):
        if looks == count * _LOOKS_FOR_EACH or len(found) + len(deleted) == count:
            following = stream_id
            break
        pending = group.pending[stream_id]
        if stream_id not in stream:
            deleted.append(stream_id)
        elif least_idle_ms and now_ms - pending.delivered_ms < least_idle_ms:
            continue
        else:
            group.assign(stream_id, pending, seen_consumer(client, key, stream, group, argv[3]))
            pending.delivered_ms = now_ms
            if not just_ids:
                pending.deliver_again()
            found.append(id_text(stream_id) if just_ids else entry(stream, stream_id))
        propagate_claim(client, key, name, stream_id, pending, group.last_id)
    for stream_id in deleted:
        group.acknowledge(stream_id)
    if found or deleted:
        client.db.annotated(key, stream, changes=len(found) + len(deleted))
    return [id_text(following), found, list(map(id_text, deleted))]


def _parse_autoclaim(argv: Sequence[bytes]) -> tuple[int, bool]:
    """COUNT and JUSTID.  Raises CommandError."""
    count, just_ids = 100, False
    at = 6
    while at < len(argv):
        option = argv[at].upper()
        if option == b"COUNT" and at + 1 < len(argv):
            count = integer_between(argv[at + 1], 1, _MOST_CLAIMED, texts.AUTOCLAIM_COUNT)
            at += 2
        elif option == b"JUSTID":
            just_ids = True
            at += 1
        else:
            raise CommandError(errors.SYNTAX)
    return count, just_ids
