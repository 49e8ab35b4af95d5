"""Streams: adding, trimming, deleting and reading entries of one stream.

XADD is journalled with the id that it came to.  What ``~`` trims depends on the nodes, so XADD and XTRIM with it are
journalled with ``=`` and the length, or the first id, that they left.  (Redis keeps the LIMIT beside it, which it takes
from a journal only.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.options import integer
from kedis.commands.parsing.stream_ids import parse_end, parse_id, parse_start, parse_time_of_partial
from kedis.commands.parsing.stream_trimming import Trimming
from kedis.commands.stream_replies import ALL, entries
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError
from kedis.errors import stream_errors as texts
from kedis.resp.values import NULL_ARRAY, OK
from kedis.structures.stream import EntryTooLarge, Stream
from kedis.structures.stream_id import HALF_MAX, ID_MAX, SEQUENCE_BITS, id_text

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: The whole id 0-0, as :func:`_parse_new_id` gives it: below every entry.
_ZERO = (0, True)

# -- XADD -------------------------------------------------------------------------------------------------


@command(
    "XADD",
    arity=-5,
    flags=WRITE | DENYOOM | FAST,
    group="stream",
    since="5.0.0",
    summary="Appends an entry to a stream, which is created if need be, and may trim it; returns the id.",
    keys=[span("RW update", 1)],
    tips=["nondeterministic_output"],
    complexity="O(1), and O(N) in the number of entries trimmed",
    syntax=(
        'key@0 ["NOMKSTREAM"~6.2.0] [trim{strategy("MAXLEN" | "MINID"~6.2.0) [operator(equal="=" | '
        'approximately="~")] threshold ["LIMIT" count:int~6.2.0]}] id_or_auto(auto_id="*" | id) '
        "field_value{field value}..."
    ),
)
def xadd(client: Client, argv: Sequence[bytes]) -> bytes | None:
    word = argv[2]
    trimming, at, create = None, 2, True
    if word != b"*" and not word[:1].isdigit():
        trimming, at, create = _parse_xadd(client, argv)
        word = argv[at] if at < len(argv) else b"*"
    given = None if word == b"*" else _parse_new_id(word)
    words = len(argv) - at
    if words < 3 or words % 2 == 0:
        raise CommandError(errors.wrong_arity("xadd"))
    if given == _ZERO:
        raise CommandError(texts.ID_ZERO)
    fields, values = tuple(argv[at + 1 :: 2]), tuple(argv[at + 2 :: 2])
    db, key = client.db, argv[1]
    stream = db.lookup_write_typed(key, Stream)
    if stream is None and not create:
        return None
    log = Stream() if stream is None else stream
    stream_id = _next_id(client, log.last_id, given)
    try:
        log.append(stream_id, fields, values, db.keyspace.node_limits)
    except EntryTooLarge:
        raise CommandError(texts.ENTRY_TOO_LARGE) from None
    if stream is None:
        db.place(key, log)
    db.modified(key, log, "xadd")
    db.signal_key_ready(key, log)
    if trimming is not None and trimming.strategy and trimming.trim(log):
        db.modified(key, log, "xtrim", 0)
    text = id_text(stream_id)
    is_whole = given is not None and given[1]
    if not is_whole or (trimming is not None and trimming.approximate):
        told = list(argv)
        if not is_whole:
            told[at] = text
        client.propagate(*told if trimming is None else trimming.deterministic(told, log))
    return text


def _parse_xadd(client: Client, argv: Sequence[bytes]) -> tuple[Trimming, int, bool]:
    """The trimming, the position of the id, and whether the stream may be created.  Raises CommandError."""
    trimming = Trimming()
    create = True
    at = 2
    while at < len(argv) and argv[at] != b"*":
        after = trimming.parse_option(argv, at)
        if after == at:
            if argv[at].upper() != b"NOMKSTREAM":
                _parse_new_id(argv[at])
                break
            create = False
            after += 1
        at = after
    trimming.check(client, for_xadd=True)
    return trimming, at, create


def _parse_new_id(raw: bytes) -> tuple[int, bool] | None:
    """What an id of XADD says: an id and whether it is whole, or the time alone; None for ``*``.

    Raises CommandError.
    """
    if raw == b"*":
        return None
    digits, _, sequence = raw.partition(b"-")
    if digits.isdigit() and sequence.isdigit() and len(digits) < 20 and len(sequence) < 20:  # nearly all
        return int(digits) << SEQUENCE_BITS | int(sequence), True
    ms = parse_time_of_partial(raw)
    if ms is not None:
        return ms << SEQUENCE_BITS, False
    return parse_id(raw), True


def _next_id(client: Client, last: int, given: tuple[int, bool] | None) -> int:
    """The id of a new entry behind ``last``.  Raises CommandError."""
    if last == ID_MAX:
        raise CommandError(texts.IDS_EXHAUSTED)
    if given is None:
        return max(client.db.keyspace.now_ms << SEQUENCE_BITS, last + 1)
    stream_id, whole = given
    if not whole and stream_id >> SEQUENCE_BITS == last >> SEQUENCE_BITS and last & HALF_MAX != HALF_MAX:
        stream_id = last + 1
    if stream_id <= last:
        raise CommandError(texts.ID_NOT_ABOVE_TOP)
    return stream_id


# -- trimming and deleting --------------------------------------------------------------------------------


@command(
    "XTRIM",
    arity=-4,
    flags=WRITE,
    group="stream",
    since="5.0.0",
    summary="Deletes the oldest entries of a stream, down to a length or an id; returns how many.",
    keys=[span("RW delete", 1)],
    tips=["nondeterministic_output"],
    complexity="O(N) in the number of entries deleted",
    syntax=(
        'key@0 trim{strategy("MAXLEN" | "MINID"~6.2.0) [operator(equal="=" | approximately="~")] '
        'threshold ["LIMIT" count:int~6.2.0]}'
    ),
)
def xtrim(client: Client, argv: Sequence[bytes]) -> int:
    trimming = Trimming()
    at = 2
    while at < len(argv):
        after = trimming.parse_option(argv, at)
        if after == at:
            raise CommandError(errors.SYNTAX)
        at = after
    trimming.check(client, for_xadd=False)
    db, key = client.db, argv[1]
    stream = db.lookup_write_typed(key, Stream)
    if stream is None:
        return 0
    removed = trimming.trim(stream)
    if removed:
        db.modified(key, stream, "xtrim", removed)
        client.propagate(*trimming.deterministic(argv, stream))
    return removed


@command(
    "XDEL",
    arity=-3,
    flags=WRITE | FAST,
    group="stream",
    since="5.0.0",
    summary="Deletes entries of a stream by id; returns how many were there.",
    keys=[span("RW delete", 1)],
    complexity="O(log N) for each id, N being the entries of the stream",
    syntax="key@0 id...",
)
def xdel(client: Client, argv: Sequence[bytes]) -> int:
    db, key = client.db, argv[1]
    stream = db.lookup_write_typed(key, Stream)
    if stream is None:
        return 0
    ids = [parse_id(raw) for raw in argv[2:]]
    removed = sum(map(stream.delete, ids))
    if removed:
        db.modified(key, stream, "xdel", removed)
    return removed


@command(
    "XSETID",
    arity=-3,
    flags=WRITE | DENYOOM | FAST,
    group="stream",
    since="5.0.0",
    summary="Sets the last id of a stream, and how many entries it ever had; for copies of streams.",
    keys=[span("RW update", 1)],
    complexity="O(1)",
    syntax=(
        'key@0 last-id ["ENTRIESADDED" entries_added:int~7.0.0] ["MAXDELETEDID" max_deleted_entry_id~7.0.0]'
    ),
)
def xsetid(client: Client, argv: Sequence[bytes]) -> Any:
    stream_id = parse_id(argv[2])
    added, deleted = _parse_xsetid(argv, stream_id)
    db, key = client.db, argv[1]
    stream = db.lookup_write_typed(key, Stream)
    if stream is None:
        raise CommandError(errors.NO_SUCH_KEY)
    if len(stream):
        if stream_id < stream.top_id:
            raise CommandError(texts.SETID_BELOW_TOP)
        if added is not None and added < len(stream):
            raise CommandError(texts.ADDED_BELOW_LENGTH)
    stream.last_id = stream_id
    if added is not None:
        stream.entries_added = added
    if deleted:
        stream.max_deleted_id = deleted
    db.annotated(key, stream, "xsetid")
    return OK


def _parse_xsetid(argv: Sequence[bytes], stream_id: int) -> tuple[int | None, int]:
    """ENTRIESADDED and MAXDELETEDID.  Raises CommandError."""
    added, deleted = None, 0
    for at in range(3, len(argv), 2):
        option = argv[at].upper()
        if option not in (b"ENTRIESADDED", b"MAXDELETEDID") or at + 1 == len(argv):
            raise CommandError(errors.SYNTAX)
        if option == b"ENTRIESADDED":
            added = integer(argv[at + 1])
            if added < 0:
                raise CommandError(texts.ENTRIES_ADDED_NEGATIVE)
        else:
            deleted = parse_id(argv[at + 1])
            if stream_id < deleted:
                raise CommandError(texts.SETID_BELOW_GIVEN)
    return added, deleted


# -- reading ----------------------------------------------------------------------------------------------


@command(
    "XLEN",
    arity=2,
    flags=READONLY | FAST,
    group="stream",
    since="5.0.0",
    summary="Returns the number of entries of a stream.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def xlen(client: Client, argv: Sequence[bytes]) -> int:
    stream = client.db.lookup_read_typed(argv[1], Stream)
    return 0 if stream is None else len(stream)


@command(
    "XRANGE",
    arity=-4,
    flags=READONLY,
    group="stream",
    since="5.0.0",
    summary="Returns the entries of a stream between two ids.",
    keys=[span("RO access", 1)],
    complexity="O(log N + M), N being the entries of the stream and M those returned",
    syntax='key@0 start end ["COUNT" count:int]',
)
def xrange_(client: Client, argv: Sequence[bytes]) -> Any:
    return _range(client, argv, argv[2], argv[3], reverse=False)


@command(
    "XREVRANGE",
    arity=-4,
    flags=READONLY,
    group="stream",
    since="5.0.0",
    summary="Returns the entries of a stream between two ids, the highest first.",
    keys=[span("RO access", 1)],
    complexity="O(log N + M), N being the entries of the stream and M those returned",
    syntax='key@0 end start ["COUNT" count:int]',
)
def xrevrange(client: Client, argv: Sequence[bytes]) -> Any:
    return _range(client, argv, argv[3], argv[2], reverse=True)


def _range(client: Client, argv: Sequence[bytes], start: bytes, end: bytes, reverse: bool) -> Any:
    low, high = parse_start(start), parse_end(end)
    count = ALL
    for at in range(4, len(argv), 2):
        if argv[at].upper() != b"COUNT" or at + 1 == len(argv):
            raise CommandError(errors.SYNTAX)
        count = max(integer(argv[at + 1]), 0)
    stream = client.db.lookup_read_typed(argv[1], Stream)
    if stream is None:
        return []
    if not count:
        return NULL_ARRAY
    return entries(stream.read(low, high, count, reverse), reverse)
