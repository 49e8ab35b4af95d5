"""DUMP and RESTORE: values serialized in the RDB format.

RESTORE is journalled with its expiry time (ABSTTL), or as DEL if that has passed. A payload of a later version of the
format is journalled in the version of Redis 7.0, which any replica and any reader of the append-only file knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer
from kedis.engine.flags import ASKING, DENYOOM, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, storage_errors
from kedis.rdb.payload import VERSION, WrongFooter, dump, restore, version_of
from kedis.rdb.source import CHECK_FAILED, RdbError
from kedis.rdb.unsupported_features import Unsupported
from kedis.resp.values import OK
from kedis.store.access import LfuTracker, LruTracker

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.store.types import Value

_COUNT_MAX = 255


class _Options:
    """The options of RESTORE."""

    def __init__(self, words: Sequence[bytes]) -> None:
        self.replace = self.absolute = False
        self.idle_seconds: int | None = None
        self.frequency: int | None = None
        position = 0
        while position < len(words):
            word = words[position].lower()
            has_value = position + 1 < len(words)
            if word == b"replace":
                self.replace = True
            elif word == b"absttl":
                self.absolute = True
            elif word == b"idletime" and has_value and self.frequency is None:
                position += 1
                self.idle_seconds = integer(words[position])
                if self.idle_seconds < 0:
                    raise CommandError(storage_errors.INVALID_IDLETIME)
            elif word == b"freq" and has_value and self.idle_seconds is None:
                position += 1
                self.frequency = integer(words[position])
                if not 0 <= self.frequency <= _COUNT_MAX:
                    raise CommandError(storage_errors.INVALID_FREQ)
            else:
                raise CommandError(errors.SYNTAX)
            position += 1


@command(
    "DUMP",
    arity=2,
    flags=READONLY,
    group="generic",
    since="2.6.0",
    summary="Serializes the value of a key in the format that RESTORE reads.",
    keys=[span("RO access", 1)],
    complexity="O(N) in the bytes of the value",
    tips=["nondeterministic_output"],
    syntax="key@0",
)
def dump_(client: Client, argv: Sequence[bytes]) -> bytes | None:
    value = client.db.lookup_read(argv[1])
    return None if value is None else dump(value, client.engine.config)


@command(
    "RESTORE",
    arity=-4,
    flags=WRITE | DENYOOM,
    group="generic",
    since="2.6.0",
    summary="Creates a key from a value serialized by DUMP.",
    keys=[span("OW update", 1)],
    categories="dangerous",
    complexity="O(N) in the bytes; O(N log N) for a sorted set",
    syntax=(
        'key@0 ttl:int serialized-value ["REPLACE"~3.0.0] ["ABSTTL"~5.0.0] ["IDLETIME" '
        'seconds:int~5.0.0] ["FREQ" frequency:int~5.0.0]'
    ),
)
def restore_(client: Client, argv: Sequence[bytes]) -> Any:
    options = _Options(argv[4:])
    db, key = client.db, argv[1]
    if not options.replace and db.exists(key):
        raise CommandError(storage_errors.BUSY_KEY)
    ttl = integer(argv[2])
    if ttl < 0:
        raise CommandError(storage_errors.INVALID_TTL)
    value = _restored(client, argv[3])
    now_ms = db.keyspace.now_ms
    at_ms = ttl if options.absolute or not ttl else min(ttl + now_ms, INT64_MAX)
    if 0 < at_ms <= now_ms and not db.keyspace.loading:
        if options.replace and db.delete(key):
            client.propagate(b"DEL", key)
        return OK
    db.place(key, value)
    if at_ms:
        db.set_expiry(key, at_ms)
    if options.idle_seconds is not None and isinstance(db.access_tracker, LruTracker):
        db.access_tracker.set_idle(key, options.idle_seconds)
    elif options.frequency is not None and isinstance(db.access_tracker, LfuTracker):
        db.access_tracker.set_frequency(key, options.frequency)
    db.signal_modified(key, "restore")
    is_ours = version_of(argv[3]) <= VERSION
    if not is_ours or (at_ms and not options.absolute):
        payload = argv[3] if is_ours else dump(value, client.engine.config)
        client.propagate(*argv[:2], b"%d" % at_ms, payload, *argv[4:], b"ABSTTL")
    return OK


def _restored(client: Client, payload: bytes) -> Value:
    """The value in ``payload``, or with ``unsupported-data drop`` what can be held of it. Raises CommandError. O(N)."""
    try:
        return restore(payload, client.db.keyspace.packing, verify=not client.engine.debug.skips_checksums)
    except WrongFooter:
        raise CommandError(storage_errors.DUMP_FOOTER) from None
    except Unsupported as error:
        if client.engine.config.unsupported_data == "drop" and error.remainder is not None:
            return error.remainder  # type: ignore[no-any-return]
        raise CommandError(storage_errors.unsupported_payload(error.what)) from None
    except RdbError as error:
        begin = "" if CHECK_FAILED in error.reason else f"{CHECK_FAILED}: "
        client.engine.process.log(f"RESTORE: {begin}{error}")
        raise CommandError(storage_errors.DUMP_FORMAT) from None


@command(
    "RESTORE-ASKING",
    arity=-4,
    flags=WRITE | DENYOOM | ASKING,
    group="server",
    since="3.0.0",
    summary="RESTORE between the nodes of a cluster.",
    keys=[span("OW update", 1)],
    categories="keyspace dangerous",
    complexity="That of RESTORE",
    syntax=(
        'key@0 ttl:int serialized-value ["REPLACE"~3.0.0] ["ABSTTL"~5.0.0] ["IDLETIME" '
        'seconds:int~5.0.0] ["FREQ" frequency:int~5.0.0]'
    ),
    system=True,
)
def restore_asking(client: Client, argv: Sequence[bytes]) -> Any:
    return restore_(client, [b"RESTORE", *argv[1:]])
