"""XREAD and XREADGROUP: what is new in several streams, at once or when it comes.

What XREADGROUP delivers is journalled as what it does to the group: one XCLAIM of the entries (Redis writes one for
each entry, 15 words), or, with NOACK, an XGROUP SETID.  That a consumer reads its own history again is
not journalled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.options import integer
from kedis.commands.parsing.stream_ids import parse_id
from kedis.commands.stream_pending import propagate_last_id, seen_consumer
from kedis.commands.stream_replies import ALL, entries, entry
from kedis.engine.blocking import NOT_READY
from kedis.engine.flags import BLOCKING, READONLY, WRITE
from kedis.engine.keyspec import after_keyword
from kedis.engine.table import command
from kedis.errors import CommandError, client_errors
from kedis.errors import stream_errors as texts
from kedis.resp.entries import Entries
from kedis.resp.values import NULL_ARRAY, ByKey
from kedis.structures.stream import Stream
from kedis.structures.stream_id import ID_MAX, id_text

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: Entries that a client gets at most when it has waited without COUNT.
_COUNT_AFTER_WAITING = 1000
#: The id ``>`` of XREADGROUP: what the group has not delivered.
_NEW = ID_MAX
#: Entries in a journalled XCLAIM at most.
_CLAIMED_AT_ONCE = 1000
_DELIVERED_ONCE = (b"RETRYCOUNT", b"1", b"FORCE", b"JUSTID", b"LASTID")


@dataclass(slots=True)
class Reading:
    """The arguments of XREAD or XREADGROUP.

    Attributes:
        group: the name of the group; None for XREAD.
        count: at most so many entries of each stream; 0 for all.
        block_ms: how long to wait, 0 for ever; None for not at all.
        after: for each key, the id behind which XREAD reads once it has waited.
    """

    group: bytes | None = None
    consumer: bytes = b""
    count: int = 0
    block_ms: int | None = None
    noack: bool = False
    keys: Sequence[bytes] = ()
    raw_ids: Sequence[bytes] = ()
    after: dict[bytes, int] | None = None


def _by_options(argv: Sequence[bytes]) -> range:
    """The positions behind the STREAMS that stands where an option may stand.  ValueError when there is none.

    So Redis finds the keys where the description does not fit, for these two commands.
    """
    at = 1
    while at < len(argv):
        option = argv[at].upper()
        if option == b"STREAMS":
            keys, odd = divmod(len(argv) - at - 1, 2)
            if not keys or odd:
                break
            return range(at + 1, at + 1 + keys)
        skipped = {b"BLOCK": 2, b"COUNT": 2, b"GROUP": 3, b"NOACK": 1}.get(option)
        if skipped is None:
            break
        at += skipped
    raise ValueError("no streams")


_READ_KEYS = after_keyword("RO access", "STREAMS", 1, last=-1, limit=2)
_DELIVERED_KEYS = after_keyword("RO access", "STREAMS", 4, last=-1, limit=2)


@command(
    "XREAD",
    arity=-4,
    flags=READONLY | BLOCKING,
    group="stream",
    since="5.0.0",
    summary="Returns the entries of several streams behind an id each; waits for one if need be.",
    keys=[_READ_KEYS],
    odd_keys=_by_options,
    complexity="O(log N + M) for each stream, N being its entries and M those returned",
    syntax='["COUNT" count:int] ["BLOCK" milliseconds:int] "STREAMS" streams{key@0... id...}',
)
def xread(client: Client, argv: Sequence[bytes]) -> Any:
    reading = _parse(client, argv, for_group=False)
    ids = [_parse_after(client, key, raw) for key, raw in zip(reading.keys, reading.raw_ids, strict=True)]
    found = ByKey()
    for key, after in zip(reading.keys, ids, strict=True):
        stream = client.db.lookup_read_typed(key, Stream)
        if stream is not None and (new := _entries_after(stream, after, reading.count)):
            found.append((key, new))
    if found or reading.block_ms is None:
        return found or NULL_ARRAY
    reading.after = {}
    for key, after in zip(reading.keys, ids, strict=True):
        reading.after.setdefault(key, after)
    attempt = partial(_read_when_ready, reading=reading)
    return client.engine.blocking.wait(client, argv, Stream, reading.keys, reading.block_ms, attempt)


def _parse_after(client: Client, key: bytes, raw: bytes) -> int:
    stream = client.db.lookup_read_typed(key, Stream)
    if raw == b"$":
        return 0 if stream is None else stream.last_id
    if raw == b">":
        raise CommandError(texts.GREATER_WITHOUT_GROUP)
    return parse_id(raw)


def _entries_after(stream: Stream, after: int, count: int) -> Entries:
    return entries(stream.read(after + 1, ID_MAX, count or ALL))


def _read_when_ready(client: Client, key: bytes, reading: Reading) -> Any:
    """What XREAD gets when it has waited for ``key``, which is there.

    Like Redis it goes by the last id, so it gets nothing where the new entries are deleted already.
    """
    assert reading.after is not None
    stream, after = client.db.lookup_read_typed(key, Stream), reading.after[key]
    if stream is None or stream.last_id <= after:
        return NOT_READY
    count = reading.count or _COUNT_AFTER_WAITING
    # Thousands may have waited behind the same id: they get the same entries.
    shared, place = client.engine.blocking.shared, (client.database, key, after, count)
    new = shared.get(place)
    if new is None:
        new = shared[place] = _entries_after(stream, after, count)
    return ByKey([(key, new)])


# -- groups -----------------------------------------------------------------------------------------------


@command(
    "XREADGROUP",
    arity=-7,
    flags=WRITE | BLOCKING,
    group="stream",
    since="5.0.0",
    summary="Delivers entries of several streams to a consumer of a group, its pending ones again; may wait.",
    keys=[_DELIVERED_KEYS],
    odd_keys=_by_options,
    complexity="O(log N + M) for each stream, N being its entries and M those returned",
    syntax=(
        '"GROUP" group_consumer{group consumer} ["COUNT" count:int] ["BLOCK" milliseconds:int] ["NOACK"] '
        '"STREAMS" streams{key@0... id...}'
    ),
)
def xreadgroup(client: Client, argv: Sequence[bytes]) -> Any:
    reading = _parse(client, argv, for_group=True)
    ids = [
        _parse_delivered(client, reading, *each) for each in zip(reading.keys, reading.raw_ids, strict=True)
    ]
    found = ByKey()
    for key, after in zip(reading.keys, ids, strict=True):
        new = _read_group(client, reading, key, after)
        if new is not None:
            found.append((key, new))
    if found or reading.block_ms is None:
        return found or NULL_ARRAY
    attempt = partial(_deliver_when_ready, reading=reading)
    wait = client.engine.blocking.wait
    timeout_ms, queue = reading.block_ms, reading.group
    return wait(client, argv, Stream, reading.keys, timeout_ms, attempt, when_gone=_key_is_gone, queue=queue)


def _parse_delivered(client: Client, reading: Reading, key: bytes, raw: bytes) -> int:
    assert reading.group is not None
    stream = client.db.lookup_read_typed(key, Stream)
    if stream is None or reading.group not in stream.groups:
        raise CommandError(texts.no_group_to_read(key, reading.group))
    if raw == b"$":
        raise CommandError(texts.DOLLAR_WITH_GROUP)
    return _NEW if raw == b">" else parse_id(raw)


def _read_group(client: Client, reading: Reading, key: bytes, after: int) -> Any:
    """What one stream has for the consumer; None when there is nothing new."""
    assert reading.group is not None
    stream = client.db.lookup_read_typed(key, Stream)
    assert stream is not None
    group = stream.groups[reading.group]
    if after != _NEW:
        return _history(client, reading, key, stream, after)
    if not len(stream) or stream.top_id <= group.last_id:
        return None
    return _deliver(client, reading, key, stream, _New(stream, group.last_id, reading.count))


def _history(client: Client, reading: Reading, key: bytes, stream: Stream, after: int) -> list[Any]:
    """The entries behind ``after`` that are pending for the consumer, delivered once more."""
    assert reading.group is not None
    group = stream.groups[reading.group]
    consumer = seen_consumer(client, key, stream, group, reading.consumer)
    now_ms, found = client.db.keyspace.now_ms, []
    if after < ID_MAX:
        for stream_id in consumer.pending.keys(after + 1):
            shown = entry(stream, stream_id)
            if shown is None:
                found.append([id_text(stream_id), NULL_ARRAY])
            else:
                found.append(shown)
                pending = consumer.pending[stream_id]
                pending.delivered_ms = now_ms
                pending.deliver_again()
            if len(found) == reading.count:
                break
    client.db.annotated(key, stream)
    client.propagate_nothing()
    return found


class _New:
    """Entries that no consumer of a group has got yet.

    Attributes:
        ids: by segment.
        texts: the ids as clients see them.
        reply: the entries.
    """

    __slots__ = ("ids", "reply", "texts")

    def __init__(self, stream: Stream, after: int, count: int) -> None:
        """Those behind ``after``, at most ``count``, 0 for all."""
        segments = stream.read(after + 1, ID_MAX, count or ALL)
        self.ids = [segment.ids() for segment in segments]
        self.texts = [text for segment in segments for text in segment.texts()]
        self.reply = entries(segments)


def _deliver(client: Client, reading: Reading, key: bytes, stream: Stream, new: _New) -> Entries:
    """Deliver ``new`` to the consumer."""
    assert reading.group is not None
    group = stream.groups[reading.group]
    known = group.consumer(reading.consumer) is not None
    consumer = seen_consumer(client, key, stream, group, reading.consumer)
    if reading.noack and not known:
        client.propagate(b"XGROUP", b"CREATECONSUMER", key, reading.group, reading.consumer)
    for ids in new.ids:
        stream.advance(group, ids)
    if reading.noack:
        if new.ids:
            propagate_last_id(client, key, reading.group, group)
    else:
        now_ms = client.db.keyspace.now_ms
        for ids in new.ids:
            group.deliver_all(ids, consumer, now_ms)
        _propagate_delivery(client, key, reading.group, consumer.name, b"%d" % now_ms, new.texts)
    client.db.annotated(key, stream)
    client.propagate_nothing()  # but what was said above
    return new.reply


def _propagate_delivery(
    client: Client, key: bytes, group: bytes, consumer: bytes, moment: bytes, texts: Sequence[bytes]
) -> None:
    """Journal the first delivery of the entries with the ids ``texts``."""
    for start in range(0, len(texts), _CLAIMED_AT_ONCE):
        some = texts[start : start + _CLAIMED_AT_ONCE]
        claimed = (b"XCLAIM", key, group, consumer, b"0", *some)
        client.propagate(*claimed, b"TIME", moment, *_DELIVERED_ONCE, some[-1])


def _deliver_when_ready(client: Client, key: bytes, reading: Reading) -> Any:
    """What XREADGROUP gets when it has waited for ``key``, which is there.  Raises NOGROUP."""
    assert reading.group is not None
    stream = client.db.lookup_read_typed(key, Stream)
    if stream is None:
        return NOT_READY
    group = stream.groups.get(reading.group)
    if group is None:
        raise CommandError(texts.BLOCKED_GROUP_GONE)
    if stream.last_id <= group.last_id:
        return NOT_READY
    count = reading.count or _COUNT_AFTER_WAITING
    # As in _read_when_ready: thousands of groups may stand at the same id.
    shared, place = client.engine.blocking.shared, (client.database, key, group.last_id, count, "new")
    new = shared.get(place)
    if new is None:
        new = shared[place] = _New(stream, group.last_id, count)
    return ByKey([(key, _deliver(client, reading, key, stream, new))])


def _key_is_gone(_client: Client, _key: bytes) -> Any:
    """The answer to XREADGROUP when it waits for a key that is deleted, or of another type now."""
    raise CommandError(texts.BLOCKED_KEY_GONE)


# -- arguments --------------------------------------------------------------------------------------------


def _parse(client: Client, argv: Sequence[bytes], for_group: bool) -> Reading:
    """The arguments; the ids are left as they are.  Raises CommandError."""
    reading = Reading()
    at, words = 1, len(argv)
    while at < words:
        option, more = argv[at].upper(), words - at - 1
        if option == b"BLOCK" and more:
            if client.caller is not None:
                raise CommandError(texts.block_in_script(argv[0]))
            reading.block_ms = integer(argv[at + 1], client_errors.TIMEOUT_NOT_AN_INTEGER)
            if reading.block_ms < 0:
                raise CommandError(client_errors.TIMEOUT_NEGATIVE)
            at += 2
        elif option == b"COUNT" and more:
            reading.count = max(integer(argv[at + 1]), 0)
            at += 2
        elif option == b"STREAMS" and more:
            if more % 2:
                raise CommandError(texts.UNBALANCED)
            reading.keys = argv[at + 1 : at + 1 + more // 2]
            reading.raw_ids = argv[at + 1 + more // 2 :]
            break
        elif option == b"GROUP" and more >= 2:
            if not for_group:
                raise CommandError(texts.GROUP_WITH_XREAD)
            reading.group, reading.consumer = argv[at + 1], argv[at + 2]
            at += 3
        elif option == b"NOACK":
            if not for_group:
                raise CommandError(texts.NOACK_WITH_XREAD)
            reading.noack = True
            at += 1
        else:
            raise CommandError(errors.SYNTAX)
    if not reading.keys:
        raise CommandError(errors.SYNTAX)
    if for_group and reading.group is None:
        raise CommandError(texts.MISSING_GROUP)
    return reading
