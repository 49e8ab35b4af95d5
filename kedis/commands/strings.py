"""Strings: values of bytes, one at a time or several.

A string that was set as a whole is stored as the ``bytes`` that came; one that was changed in place (APPEND,
SETRANGE, see :mod:`kedis.commands.string_ranges`) is a :class:`~kedis.structures.strings.Buffer`.

The journal never holds a relative time: SET with any expiry is journalled with PXAT, GETEX as PEXPIREAT, PERSIST or
DEL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer
from kedis.engine.flags import DENYOOM, FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, key_errors
from kedis.resp.values import OK, SimpleString

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.store.database import Database

_SET_WORDS = frozenset([b"NX", b"XX", b"GET", b"KEEPTTL"])
_GETEX_WORDS = frozenset([b"PERSIST"])
#: Unit of an expiry -> milliseconds in one, and whether it counts from now.
_UNITS = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}
_EXPIRIES = frozenset(_UNITS)
#: What says how long the value lives: at most one of them may be given.
_LIFETIMES = _EXPIRIES | {b"KEEPTTL", b"PERSIST"}
_CONDITIONS = frozenset([b"NX", b"XX"])


# -- one value --------------------------------------------------------------------------------------------


@command(
    "GET",
    arity=2,
    flags=READONLY | FAST,
    group="string",
    since="1.0.0",
    summary="Returns the string at a key.",
    keys=[span("RO access", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def get(client: Client, argv: Sequence[bytes]) -> bytes | None:
    return client.db.lookup_read_string(argv[1])


def _set_flags(argv: Sequence[bytes]) -> str:
    return "RW access update" if any(word.upper() == b"GET" for word in argv[3:]) else "OW update"


@command(
    "SET",
    arity=-3,
    flags=WRITE | DENYOOM,
    group="string",
    since="1.0.0",
    summary="Sets a key to a string, replacing any value; options: condition, expiry, return of the old value.",
    keys=[span("RW access update variable_flags", 1)],
    complexity="O(1)",
    key_flags=_set_flags,
    syntax=(
        'key@0 value [condition("NX" | "XX")~2.6.12] ["GET"~6.2.0] [expiration("EX" '
        'seconds:int~2.6.12 | "PX" milliseconds:int~2.6.12 | "EXAT" '
        'unix-time-seconds:time~6.2.0 | "PXAT" unix-time-milliseconds:time~6.2.0 | '
        '"KEEPTTL"~6.0.0)]'
    ),
)
def set_(client: Client, argv: Sequence[bytes]) -> SimpleString | bytes | None:
    if len(argv) == 3:
        client.db.set_value(argv[1], argv[2])
        return OK
    if len(argv) == 5 and argv[3].upper() in _UNITS:  # what caches send
        return _set_expiring(client, argv[1], argv[2], _moment(client, argv[3].upper(), argv[4], "set"))
    return _set_with_options(client, argv)


def _set_with_options(client: Client, argv: Sequence[bytes]) -> SimpleString | bytes | None:
    _, key, value = argv[:3]
    options = _parse_options(argv, 3, _SET_WORDS)
    at_ms = _expire_at_ms(client, options, "set")
    db = client.db
    old = db.lookup_read_string(key) if b"GET" in options else None
    if options.keys() & _CONDITIONS and db.exists(key) != (b"XX" in options):
        return old
    if b"KEEPTTL" in options:
        db.lookup(key)  # or a time to live that has run out would be kept as well
        db.set_value(key, value, keep_ttl=True)
    else:
        db.set_value(key, value)
    if at_ms is not None:
        _expire(db, key, at_ms)
        client.propagate(b"SET", key, value, b"PXAT", b"%d" % at_ms)
    elif b"GET" in options:
        client.propagate(*argv[:3], *(word for word in argv[3:] if word.upper() != b"GET"))
    return old if b"GET" in options else OK


@command(
    "SETNX",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    group="string",
    since="1.0.0",
    summary="Sets a key to a string unless the key exists; returns 1 if set, else 0.",
    keys=[span("OW insert", 1)],
    complexity="O(1)",
    syntax="key@0 value",
)
def setnx(client: Client, argv: Sequence[bytes]) -> int:
    db = client.db
    if db.exists(argv[1]):
        return 0
    db.set_value(argv[1], argv[2])
    return 1


@command(
    "SETEX",
    arity=4,
    flags=WRITE | DENYOOM,
    group="string",
    since="2.0.0",
    summary="Sets a key to a string with a time to live in seconds.",
    keys=[span("OW update", 1)],
    complexity="O(1)",
    syntax="key@0 seconds:int value",
)
def setex(client: Client, argv: Sequence[bytes]) -> SimpleString:
    return _set_expiring(client, argv[1], argv[3], _moment(client, b"EX", argv[2], "setex"))


@command(
    "PSETEX",
    arity=4,
    flags=WRITE | DENYOOM,
    group="string",
    since="2.6.0",
    summary="Sets a key to a string with a time to live in milliseconds.",
    keys=[span("OW update", 1)],
    complexity="O(1)",
    syntax="key@0 milliseconds:int value",
)
def psetex(client: Client, argv: Sequence[bytes]) -> SimpleString:
    return _set_expiring(client, argv[1], argv[3], _moment(client, b"PX", argv[2], "psetex"))


def _set_expiring(client: Client, key: bytes, value: bytes, at_ms: int) -> SimpleString:
    client.db.set_value(key, value)
    _expire(client.db, key, at_ms)
    client.propagate(b"SET", key, value, b"PXAT", b"%d" % at_ms)
    return OK


@command(
    "GETSET",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    group="string",
    since="1.0.0",
    summary="Sets a key to a string; returns the old one.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax="key@0 value",
    deprecated=("6.2.0", "SET with GET"),
)
def getset(client: Client, argv: Sequence[bytes]) -> bytes | None:
    _, key, value = argv
    old = client.db.lookup_read_string(key)
    client.db.set_value(key, value)
    client.propagate(b"SET", key, value)
    return old


@command(
    "GETDEL",
    arity=2,
    flags=WRITE | FAST,
    group="string",
    since="6.2.0",
    summary="Returns the string at a key and deletes the key.",
    keys=[span("RW access delete", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def getdel(client: Client, argv: Sequence[bytes]) -> bytes | None:
    key = argv[1]
    value = client.db.lookup_read_string(key)
    if value is not None:
        client.db.delete(key)
        client.propagate(b"DEL", key)
    return value


@command(
    "GETEX",
    arity=-2,
    flags=WRITE | FAST,
    group="string",
    since="6.2.0",
    summary="Returns the string at a key and sets or removes its time to live.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax=(
        'key@0 [expiration("EX" seconds:int | "PX" milliseconds:int | "EXAT" '
        'unix-time-seconds:time | "PXAT" unix-time-milliseconds:time | "PERSIST")]'
    ),
)
def getex(client: Client, argv: Sequence[bytes]) -> bytes | None:
    key = argv[1]
    db = client.db
    options = _parse_options(argv, 2, _GETEX_WORDS)
    value = db.lookup_read_string(key)
    if value is None:
        return None
    at_ms = _expire_at_ms(client, options, "getex")
    if at_ms is not None and at_ms <= db.keyspace.now_ms and not db.keyspace.loading:
        db.delete(key)
        client.propagate(b"DEL", key)
    elif at_ms is not None:
        _expire(db, key, at_ms, 1)
        client.propagate(b"PEXPIREAT", key, b"%d" % at_ms)
    elif b"PERSIST" in options and db.clear_expiry(key):
        db.signal_modified(key, "persist")
        client.propagate(b"PERSIST", key)
    return value


def _parse_options(argv: Sequence[bytes], start: int, words: frozenset[bytes]) -> dict[bytes, bytes]:
    """The options from ``argv[start]`` on, in upper case, each with its argument (empty when it takes none).

    ``words`` are those without argument; the expiries are always allowed.
    """
    options: dict[bytes, bytes] = {}
    rest = iter(argv[start:])
    for word in rest:
        option = word.upper()
        if option in words:
            options[option] = b""
            continue
        argument = next(rest, None)
        if option not in _EXPIRIES or argument is None:
            raise CommandError(errors.SYNTAX)
        options[option] = argument
    given = options.keys()
    if len(given & _LIFETIMES) > 1 or len(given & _CONDITIONS) > 1:
        raise CommandError(errors.SYNTAX)
    return options


def _expire_at_ms(client: Client, options: dict[bytes, bytes], name: str) -> int | None:
    """The moment that one of the expiries in ``options`` gives, in ms since 1970; None without one."""
    for unit in options.keys() & _EXPIRIES:
        return _moment(client, unit, options[unit], name)
    return None


def _moment(client: Client, unit: bytes, raw: bytes, name: str) -> int:
    """The moment of ``EX``, ``PX``, ``EXAT`` or ``PXAT`` in ms since 1970; ``name`` is named in errors."""
    at_ms = integer(raw)
    if at_ms <= 0:
        raise CommandError(key_errors.invalid_expire_time(name))
    milliseconds, from_now = _UNITS[unit]
    at_ms *= milliseconds
    if from_now:
        at_ms += client.engine.keyspace.now_ms
    if at_ms > INT64_MAX:
        raise CommandError(key_errors.invalid_expire_time(name))
    return at_ms


def _expire(db: Database, key: bytes, at_ms: int, changes: int = 0) -> None:
    """Set the expiry of ``key``, whose new value has been counted as a change."""
    db.set_expiry(key, at_ms)
    db.signal_modified(key, "expire", changes)


# -- several values ---------------------------------------------------------------------------------------


@command(
    "MGET",
    arity=-2,
    flags=READONLY | FAST,
    group="string",
    since="1.0.0",
    summary="Returns the strings at several keys, nil for a key without one.",
    keys=[span("RO access", 1, last=-1)],
    tips=["request_policy:multi_shard"],
    complexity="O(N) in the number of keys",
    syntax="key@0...",
)
def mget(client: Client, argv: Sequence[bytes]) -> list[bytes | None]:
    return [
        value if type(value) is bytes else bytes(value) if isinstance(value, bytearray) else None
        for value in map(client.db.lookup_read, argv[1:])
    ]


@command(
    "MSET",
    arity=-3,
    flags=WRITE | DENYOOM,
    group="string",
    since="1.0.1",
    summary="Sets several keys to strings.",
    keys=[span("OW update", 1, last=-1, step=2)],
    tips=["request_policy:multi_shard", "response_policy:all_succeeded"],
    complexity="O(N) in the number of keys",
    syntax="key_value{key@0 value}...",
)
def mset(client: Client, argv: Sequence[bytes]) -> SimpleString:
    if len(argv) % 2 == 0:
        raise CommandError(errors.wrong_arity("mset"))
    set_value = client.db.set_value
    words = iter(argv)
    next(words)
    for key, value in zip(words, words, strict=True):
        set_value(key, value)
    return OK


@command(
    "MSETNX",
    arity=-3,
    flags=WRITE | DENYOOM,
    group="string",
    since="1.0.1",
    summary="Sets several keys to strings unless one of them exists; returns 1 if set, else 0.",
    keys=[span("OW insert", 1, last=-1, step=2)],
    tips=["request_policy:multi_shard", "response_policy:agg_min"],
    complexity="O(N) in the number of keys",
    syntax="key_value{key@0 value}...",
)
def msetnx(client: Client, argv: Sequence[bytes]) -> int:
    if len(argv) % 2 == 0:
        raise CommandError(errors.wrong_arity("msetnx"))
    if any(map(client.db.exists, argv[1::2])):
        return 0
    mset(client, argv)
    return 1
