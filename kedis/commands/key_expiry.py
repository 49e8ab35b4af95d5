"""Key expiry: the EXPIRE family sets it, the TTL family reads it, PERSIST removes it.

Every form is journalled as PEXPIREAT, with a Unix time in milliseconds, so that a later replay sets the same expiry
time. A time in the past deletes the key at once, journalled as DEL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer
from kedis.engine.flags import FAST, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, key_errors

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: The largest number of seconds that fits 64 bits of milliseconds; the smallest is its negative.
_MOST_SECONDS = INT64_MAX // 1000
_OPTIONS = frozenset([b"NX", b"XX", b"GT", b"LT"])
_NO_OPTIONS: frozenset[bytes] = frozenset()


@command(
    "EXPIRE",
    arity=-3,
    flags=WRITE | FAST,
    group="generic",
    since="1.0.0",
    summary="Sets the time to live of a key in seconds.",
    keys=[span("RW update", 1)],
    complexity="O(1)",
    syntax='key@0 seconds:int [condition("NX" | "XX" | "GT" | "LT")~7.0.0]',
)
def expire(client: Client, argv: Sequence[bytes]) -> int:
    return _expire(client, argv, "expire", seconds=True, relative=True)


@command(
    "PEXPIRE",
    arity=-3,
    flags=WRITE | FAST,
    group="generic",
    since="2.6.0",
    summary="Sets the time to live of a key in milliseconds.",
    keys=[span("RW update", 1)],
    complexity="O(1)",
    syntax='key@0 milliseconds:int [condition("NX" | "XX" | "GT" | "LT")~7.0.0]',
)
def pexpire(client: Client, argv: Sequence[bytes]) -> int:
    return _expire(client, argv, "pexpire", seconds=False, relative=True)


@command(
    "EXPIREAT",
    arity=-3,
    flags=WRITE | FAST,
    group="generic",
    since="1.2.0",
    summary="Sets the expiry time of a key as a Unix time in seconds.",
    keys=[span("RW update", 1)],
    complexity="O(1)",
    syntax='key@0 unix-time-seconds:time [condition("NX" | "XX" | "GT" | "LT")~7.0.0]',
)
def expireat(client: Client, argv: Sequence[bytes]) -> int:
    return _expire(client, argv, "expireat", seconds=True, relative=False)


@command(
    "PEXPIREAT",
    arity=-3,
    flags=WRITE | FAST,
    group="generic",
    since="2.6.0",
    summary="Sets the expiry time of a key as a Unix time in milliseconds.",
    keys=[span("RW update", 1)],
    complexity="O(1)",
    syntax='key@0 unix-time-milliseconds:time [condition("NX" | "XX" | "GT" | "LT")~7.0.0]',
)
def pexpireat(client: Client, argv: Sequence[bytes]) -> int:
    return _expire(client, argv, "pexpireat", seconds=False, relative=False)


def _expire(client: Client, argv: Sequence[bytes], name: str, seconds: bool, relative: bool) -> int:
    options = _parse_options(argv) if len(argv) > 3 else _NO_OPTIONS
    keyspace = client.engine.keyspace
    now_ms = keyspace.now_ms
    at_ms = integer(argv[2])
    if seconds:
        if not -_MOST_SECONDS <= at_ms <= _MOST_SECONDS:
            raise CommandError(key_errors.invalid_expire_time(name))
        at_ms *= 1000
    if relative:
        if at_ms > INT64_MAX - now_ms:
            raise CommandError(key_errors.invalid_expire_time(name))
        at_ms += now_ms
    db = client.db
    key = argv[1]
    if db.lookup(key) is None:
        return 0
    if options and not _permitted(options, db.expire_at_ms(key), at_ms):
        return 0
    if at_ms <= now_ms and not keyspace.loading:
        db.delete(key)
        client.propagate(b"DEL", key)
        return 1
    db.set_expiry(key, at_ms)
    db.signal_modified(key, "expire")
    if seconds or relative:
        client.propagate(b"PEXPIREAT", key, b"%d" % at_ms, *argv[3:])
    return 1


def _parse_options(argv: Sequence[bytes]) -> frozenset[bytes]:
    options = frozenset(word.upper() for word in argv[3:])
    if not options <= _OPTIONS:
        raise CommandError(
            key_errors.unsupported_option(next(word for word in argv[3:] if word.upper() not in _OPTIONS))
        )
    if b"NX" in options and len(options) > 1:
        raise CommandError(key_errors.NX_AND_OTHERS)
    if b"GT" in options and b"LT" in options:
        raise CommandError(key_errors.GT_AND_LT)
    return options


def _permitted(options: frozenset[bytes], current_ms: int | None, at_ms: int) -> bool:
    """Whether the options allow the change. A key without expiry counts as expiring never: GT never applies."""
    if b"NX" in options and current_ms is not None:
        return False
    if b"XX" in options and current_ms is None:
        return False
    if b"GT" in options and (current_ms is None or at_ms <= current_ms):
        return False
    return not (b"LT" in options and current_ms is not None and at_ms >= current_ms)


@command(
    "PERSIST",
    arity=2,
    flags=WRITE | FAST,
    group="generic",
    since="2.2.0",
    summary="Removes the time to live of a key.",
    keys=[span("RW update", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def persist(client: Client, argv: Sequence[bytes]) -> int:
    db = client.db
    key = argv[1]
    if db.lookup(key) is None or not db.clear_expiry(key):
        return 0
    db.signal_modified(key, "persist")
    return 1


# -- telling ----------------------------------------------------------------------------------------------

_NO_KEY = -2
_NO_EXPIRY = -1


def _expire_at_ms(client: Client, key: bytes) -> int:
    """The expiry time of ``key`` in ms since 1970; ``_NO_EXPIRY`` or ``_NO_KEY`` where there is none."""
    if client.db.lookup_read_no_touch(key) is None:
        return _NO_KEY
    at_ms = client.db.expire_at_ms(key)
    return _NO_EXPIRY if at_ms is None else at_ms


@command(
    "TTL",
    arity=2,
    flags=READONLY | FAST,
    group="generic",
    since="1.0.0",
    summary="Returns the remaining time to live of a key in seconds.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output"],
    complexity="O(1)",
    syntax="key@0",
)
def ttl(client: Client, argv: Sequence[bytes]) -> int:
    at_ms = _expire_at_ms(client, argv[1])
    return at_ms if at_ms < 0 else (at_ms - client.engine.keyspace.now_ms + 500) // 1000


@command(
    "PTTL",
    arity=2,
    flags=READONLY | FAST,
    group="generic",
    since="2.6.0",
    summary="Returns the remaining time to live of a key in milliseconds.",
    keys=[span("RO access", 1)],
    tips=["nondeterministic_output"],
    complexity="O(1)",
    syntax="key@0",
)
def pttl(client: Client, argv: Sequence[bytes]) -> int:
    at_ms = _expire_at_ms(client, argv[1])
    return at_ms if at_ms < 0 else at_ms - client.engine.keyspace.now_ms


@command(
    "EXPIRETIME",
    arity=2,
    flags=READONLY | FAST,
    group="generic",
    since="7.0.0",
    summary="Returns the expiry time of a key as a Unix time in seconds.",
    keys=[span("RO access", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def expiretime(client: Client, argv: Sequence[bytes]) -> int:
    at_ms = _expire_at_ms(client, argv[1])
    return at_ms if at_ms < 0 else (at_ms + 500) // 1000


@command(
    "PEXPIRETIME",
    arity=2,
    flags=READONLY | FAST,
    group="generic",
    since="7.0.0",
    summary="Returns the expiry time of a key as a Unix time in milliseconds.",
    keys=[span("RO access", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def pexpiretime(client: Client, argv: Sequence[bytes]) -> int:
    return _expire_at_ms(client, argv[1])
