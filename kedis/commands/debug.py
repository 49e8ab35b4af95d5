"""DEBUG: commands for tests and debugging; refused unless ``enable-debug-command`` allows it.

DIGEST and DIGEST-VALUE print what Redis prints for the same data (see :mod:`kedis.store.digest`).

DEBUG SLEEP blocks the whole server, which is its purpose; the server does the sleeping (``engine.process``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.engine.flags import ADMIN, LOADING, NOSCRIPT, STALE
from kedis.engine.table import command
from kedis.errors import CommandError
from kedis.resp.values import OK, SimpleString
from kedis.store.digest import keyspace_digest, value_digest
from kedis.store.types import type_of

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: The longest DEBUG SLEEP, in seconds.
_LONGEST_SLEEP = 86_400.0
_LEADING_NUMBER = re.compile(rb"\s*+([+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)")

_HELP = (
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DIGEST",
    "    Returns a digest of the data of all databases.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Returns a digest of each value.",
    "LOADAOF",
    "    Loads the append-only file in place of the data in memory; blocks the server meanwhile.",
    "OBJECT <key>",
    "    Describes the internal representation of a value, as Redis would choose it.",
    "RELOAD",
    "    Saves a snapshot and loads it again; blocks the server meanwhile.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Turns the removal of expired keys in the background off or on.",
    "SLEEP <seconds>",
    "    Blocks the whole server; decimals are allowed.",
    "HELP",
    "    Prints this help.",
)


def _permission(client: Client) -> None:
    setting = client.engine.config.enable_debug_command
    if not (client.is_local if setting == "local" else setting == "yes"):
        raise CommandError(errors.DEBUG_NOT_ALLOWED)


@command(
    "DEBUG",
    arity=-2,
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    group="server",
    since="1.0.0",
    summary="Debugging: key-space digests, object internals, sleeping, reloading.",
    complexity="Depends on the subcommand",
    permission=_permission,
    system=True,
)
def debug(client: Client, argv: Sequence[bytes]) -> Any:
    _permission(client)
    least, most, handler = _SUBCOMMANDS.get(argv[1].lower(), _UNKNOWN)
    if not least <= len(argv) <= most:
        raise CommandError(errors.wrong_subcommand(argv[1], "debug"))
    return handler(client, argv)


def _digest(client: Client, argv: Sequence[bytes]) -> SimpleString:
    return SimpleString(keyspace_digest(client.engine.keyspace).hex().encode())


def _digest_value(client: Client, argv: Sequence[bytes]) -> list[SimpleString]:
    return [SimpleString(value_digest(client.db, key).hex().encode()) for key in argv[2:]]


def _object(client: Client, argv: Sequence[bytes]) -> SimpleString:
    key = argv[2]
    value = client.db.lookup(key)
    if value is None:
        raise CommandError(errors.NO_SUCH_KEY)
    row = type_of(value)
    name = row.encoding(value)
    length = row.serialized_length(value)
    line = (
        f"Value at:{id(value):#x} refcount:{row.references(value)} encoding:{name.decode()} "
        f"serializedlength:{length} lru:{(client.engine.clock() // 1_000_000_000) & 0xFFFFFF} lru_seconds_idle:0"
    )
    if name == b"quicklist":
        line += (
            f" ql_nodes:1 ql_avg_node:{len(value):.2f} ql_listpack_max:-2 ql_compressed:0 "
            f"ql_uncompressed_size:{length}"
        )
    return SimpleString(line.encode())


def _loadaof(client: Client, argv: Sequence[bytes]) -> SimpleString:
    engine = client.engine
    if engine.persistence is None:
        raise CommandError(errors.NO_PERSISTENCE)
    try:
        engine.persistence.reload()
    except CommandError:
        raise
    except Exception:  # the files hold the data, and memory does not any more
        engine.process.shut_down(frozenset({"nosave", "now"}))
        raise CommandError(errors.AOF_LOAD_FAILED) from None
    if engine.snapshots is not None:
        engine.snapshots.forget_changes()
    return OK


def _reload(client: Client, argv: Sequence[bytes]) -> SimpleString:
    if client.engine.snapshots is None:
        raise CommandError(errors.NO_PERSISTENCE)
    client.engine.snapshots.reload()
    return OK


def _set_active_expire(client: Client, argv: Sequence[bytes]) -> SimpleString:
    client.engine.keyspace.active_expiry = _leading_number(argv[2]) != 0
    return OK


def _sleep(client: Client, argv: Sequence[bytes]) -> SimpleString:
    client.engine.process.sleep(max(0.0, min(_leading_number(argv[2]), _LONGEST_SLEEP)))
    return OK


def _leading_number(text: bytes) -> float:
    """The number that ``text`` begins with, 0 when there is none: DEBUG takes any text."""
    match = _LEADING_NUMBER.match(text[:64])
    return float(match[1]) if match else 0.0


def _help(client: Client, argv: Sequence[bytes]) -> list[SimpleString]:
    return [SimpleString(line.encode()) for line in _HELP]


_ANY_NUMBER = 2**31
#: Name -> fewest and most arguments (DEBUG and the name included), and the function.
_SUBCOMMANDS: dict[bytes, tuple[int, int, Callable[[Client, Sequence[bytes]], Any]]] = {
    b"digest": (2, 2, _digest),
    b"digest-value": (2, _ANY_NUMBER, _digest_value),
    b"help": (2, 2, _help),
    b"loadaof": (2, _ANY_NUMBER, _loadaof),
    b"object": (3, 3, _object),
    b"reload": (2, 2, _reload),
    b"set-active-expire": (3, 3, _set_active_expire),
    b"sleep": (3, 3, _sleep),
}
_UNKNOWN = (1, 0, _help)
