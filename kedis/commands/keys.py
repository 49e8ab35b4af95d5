"""Commands on keys of any type: deleting, testing, finding (KEYS, SCAN, RANDOMKEY), renaming, moving, copying.

An expired key counts as absent; every command that accesses one removes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.options import database_number
from kedis.commands.parsing.scan_options import parse_cursor, parse_scan
from kedis.engine.flags import DENYOOM, FAST, READONLY, TOUCHES_KEYS, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, key_errors
from kedis.resp.values import OK, SimpleString
from kedis.store.types import type_of
from kedis.structures.glob import compile_glob

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.store.database import Database

#: How many due keys RANDOMKEY meets (and removes) before it looks for a live one in another way.
_RANDOM_TRIES = 100

_NO_TYPE = SimpleString(b"none")


@command(
    "DEL",
    arity=-2,
    flags=WRITE,
    group="generic",
    since="1.0.0",
    summary="Deletes keys and frees their memory at once.",
    keys=[span("RM delete", 1, -1)],
    tips=["request_policy:multi_shard", "response_policy:agg_sum"],
    complexity="O(N) in the number of keys, and in the number of elements of a container",
    syntax="key@0...",
)
def del_(client: Client, argv: Sequence[bytes]) -> int:
    remove = client.db.unlink if client.engine.config.lazyfree_lazy_user_del else client.db.delete
    removed = 0
    for key in argv[1:]:
        removed += remove(key)
    return removed


@command(
    "UNLINK",
    arity=-2,
    flags=WRITE | FAST,
    group="generic",
    since="4.0.0",
    summary="Deletes keys; the memory of large values is freed in steps.",
    keys=[span("RM delete", 1, -1)],
    tips=["request_policy:multi_shard", "response_policy:agg_sum"],
    complexity="O(1) for each key",
    syntax="key@0...",
)
def unlink(client: Client, argv: Sequence[bytes]) -> int:
    remove = client.db.unlink
    removed = 0
    for key in argv[1:]:
        removed += remove(key)
    return removed


@command(
    "EXISTS",
    arity=-2,
    flags=READONLY | FAST,
    group="generic",
    since="1.0.0",
    summary="Counts the given keys that exist; a key given twice counts twice.",
    keys=[span("RO", 1, -1)],
    tips=["request_policy:multi_shard", "response_policy:agg_sum"],
    complexity="O(N) in the number of keys",
    syntax="key@0...",
)
def exists(client: Client, argv: Sequence[bytes]) -> int:
    look = client.db.lookup_read_no_touch
    return sum(look(key) is not None for key in argv[1:])


@command(
    "TOUCH",
    arity=-2,
    flags=READONLY | FAST | TOUCHES_KEYS,
    group="generic",
    since="3.2.1",
    summary="Counts the given keys that exist and updates their last access time.",
    keys=[span("RO", 1, -1)],
    tips=["request_policy:multi_shard", "response_policy:agg_sum"],
    complexity="O(N) in the number of keys",
    syntax="key@0...",
)
def touch(client: Client, argv: Sequence[bytes]) -> int:
    find = client.db.lookup_read
    return sum(find(key) is not None for key in argv[1:])


@command(
    "TYPE",
    arity=2,
    flags=READONLY | FAST,
    group="generic",
    since="1.0.0",
    summary="Returns the type of the value at a key.",
    keys=[span("RO", 1)],
    complexity="O(1)",
    syntax="key@0",
)
def type_(client: Client, argv: Sequence[bytes]) -> SimpleString:
    value = client.db.lookup_read_no_touch(argv[1])
    return _NO_TYPE if value is None else SimpleString(type_of(value).name)


# -- finding keys -----------------------------------------------------------------------------------------


@command(
    "KEYS",
    arity=2,
    flags=READONLY,
    group="generic",
    since="1.0.0",
    summary="Returns all keys that match a glob pattern.",
    categories="dangerous",
    tips=["request_policy:all_shards", "nondeterministic_output_order"],
    complexity="O(N) in the number of keys of the database, each match at worst pattern times key length",
    syntax="pattern:pattern",
)
def keys(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    db = client.db
    pattern = argv[1]
    found: Any = db.data if pattern == b"*" else filter(compile_glob(pattern), db.data)
    if not db.expires:
        return list(found)
    is_due = db.is_due
    return [key for key in found if not is_due(key)]


@command(
    "SCAN",
    arity=-2,
    flags=READONLY,
    group="generic",
    since="2.8.0",
    summary="Iterates over the keys of the database by cursor.",
    tips=["nondeterministic_output", "request_policy:special"],
    complexity="O(COUNT) a call",
    syntax='cursor:int ["MATCH" pattern:pattern] ["COUNT" count:int] ["TYPE" type~6.0.0]',
)
def scan(client: Client, argv: Sequence[bytes]) -> list[Any]:
    db = client.db
    cursor = parse_cursor(argv[1])
    options = parse_scan(argv, 2, allow_type=True)
    cursor, found = db.index.scan(cursor, options.count)
    if options.match is not None:
        found = list(filter(options.match, found))
    if options.type is not None:
        wanted = options.type
        found = [key for key in found if _is_of_type(db.lookup_read_no_touch(key), wanted)]
    elif db.expires:
        found = [key for key in found if db.exists(key)]
    return [b"%d" % cursor, found]


def _is_of_type(value: Any, wanted: bytes) -> bool:
    return value is not None and type_of(value).name == wanted


@command(
    "RANDOMKEY",
    arity=1,
    flags=READONLY,
    group="generic",
    since="1.0.0",
    summary="Returns a random key.",
    tips=["request_policy:all_shards", "nondeterministic_output"],
    complexity="O(1) expected; O(N) if nearly all keys have expired and are not yet removed",
)
def randomkey(client: Client, argv: Sequence[bytes]) -> bytes | None:
    db = client.db
    for _ in range(_RANDOM_TRIES):
        if not db.data:
            return None
        key = db.index.random(db.keyspace.random)
        if db.exists(key):
            return key
    return _walk_to_alive(db)


def _walk_to_alive(db: Database) -> bytes | None:
    """The next unexpired key from a random place on; expired ones are not removed."""
    start = db.keyspace.random.getrandbits(64)
    for cursor in (start, 0):
        while True:
            cursor, found = db.index.scan(cursor, 1000)
            for key in found:
                if not db.is_due(key):
                    return key
            if not cursor:
                break
    return None


# -- moving and copying -----------------------------------------------------------------------------------


@command(
    "RENAME",
    arity=3,
    flags=WRITE,
    group="generic",
    since="1.0.0",
    summary="Renames a key, replacing the new key if it exists.",
    keys=[span("RW access delete", 1), span("OW update", 2)],
    complexity="O(1), and O(N) to free the elements of a container that is replaced",
    syntax="key@0 newkey@1",
)
def rename(client: Client, argv: Sequence[bytes]) -> SimpleString:
    _, source, target = argv
    db = client.db
    value = db.lookup(source)
    if value is None:
        raise CommandError(errors.NO_SUCH_KEY)
    if source != target:
        _transfer(db, source, "rename_from", db, target, "rename_to")
    return OK


@command(
    "RENAMENX",
    arity=3,
    flags=WRITE | FAST,
    group="generic",
    since="1.0.0",
    summary="Renames a key unless the new key exists.",
    keys=[span("RW access delete", 1), span("OW insert", 2)],
    complexity="O(1)",
    syntax="key@0 newkey@1",
)
def renamenx(client: Client, argv: Sequence[bytes]) -> int:
    _, source, target = argv
    db = client.db
    if db.lookup(source) is None:
        raise CommandError(errors.NO_SUCH_KEY)
    if db.exists(target):
        return 0
    _transfer(db, source, "rename_from", db, target, "rename_to")
    return 1


@command(
    "MOVE",
    arity=3,
    flags=WRITE | FAST,
    group="generic",
    since="1.0.0",
    summary="Moves a key to another database unless it exists there.",
    keys=[span("RW access update", 1)],
    complexity="O(1)",
    syntax="key@0 db:int",
)
def move(client: Client, argv: Sequence[bytes]) -> int:
    key = argv[1]
    databases = client.engine.keyspace.databases
    source, target = client.db, databases[database_number(argv[2], len(databases))]
    if source is target:
        raise CommandError(key_errors.SAME_OBJECT)
    if source.lookup(key) is None or target.exists(key):
        return 0
    _transfer(source, key, "move_from", target, key, "move_to")
    return 1


def _transfer(
    source: Database, old: bytes, old_event: str, target: Database, new: bytes, new_event: str
) -> None:
    """Move the value and the expiry time of the existing key ``old`` to ``new``."""
    expire_at_ms = source.expire_at_ms(old)
    target.place(new, source.data[old])
    if expire_at_ms is not None:
        target.set_expiry(new, expire_at_ms)
    source.delete(old, old_event)
    target.signal_modified(new, new_event, 0)


@command(
    "COPY",
    arity=-3,
    flags=WRITE | DENYOOM,
    group="generic",
    since="6.2.0",
    summary="Copies a key with its time to live to another key or database.",
    keys=[span("RO access", 1), span("OW update", 2)],
    complexity="O(N) in the number of elements of a container",
    syntax='source@0 destination@1 ["DB" destination-db:int] ["REPLACE"]',
)
def copy(client: Client, argv: Sequence[bytes]) -> int:
    old, new = argv[1], argv[2]
    target, replace = _parse_copy(client, argv)
    source = client.db
    if source is target and old == new:
        raise CommandError(key_errors.SAME_OBJECT)
    value = source.lookup_read(old)
    if value is None or (target.exists(new) and not replace):
        return 0
    expire_at_ms = source.expire_at_ms(old)
    target.place(new, type_of(value).copy(value))
    if expire_at_ms is not None:
        target.set_expiry(new, expire_at_ms)
    target.signal_modified(new, "copy_to")
    return 1


def _parse_copy(client: Client, argv: Sequence[bytes]) -> tuple[Database, bool]:
    """The target database, and whether REPLACE is given."""
    databases = client.engine.keyspace.databases
    target, replace = client.db, False
    options = iter(argv[3:])
    for option in options:
        word = option.upper()
        if word == b"REPLACE":
            replace = True
            continue
        number = next(options, None)
        if word != b"DB" or number is None:
            raise CommandError(errors.SYNTAX)
        target = databases[database_number(number, len(databases))]
    return target, replace
