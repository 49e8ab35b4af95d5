"""DEBUG: commands for tests and debugging; refused unless ``enable-debug-command`` allows it.

DIGEST and DIGEST-VALUE print what Redis prints for the same data (see :mod:`kedis.store.digest`).

DEBUG SLEEP blocks the whole server, which is its purpose; the server does the sleeping (``engine.process``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands import debug_replication as replication
from kedis.commands import debug_replies as replies
from kedis.commands import debug_settings as switches
from kedis.commands import debug_values as values
from kedis.commands.parsing.numbers import leading_number
from kedis.engine.flags import ADMIN, LOADING, NOSCRIPT, STALE
from kedis.engine.table import command
from kedis.errors import CommandError, debug_errors, storage_errors
from kedis.resp.values import OK, SimpleString
from kedis.store.digest import keyspace_digest, value_digest

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: The longest DEBUG SLEEP, in seconds.
_LONGEST_SLEEP = 86_400.0
_RELOAD_OPTIONS = {b"merge", b"noflush", b"nosave"}

_HELP = (
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "AOF-FLUSH-SLEEP <microseconds>",
    "    Blocks the server for so long before each write of the append-only file.",
    "CHANGE-REPL-ID",
    "    Begins a history of which no replica has any part.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    CONFIG REWRITE with a line for every setting.",
    "DIGEST",
    "    Returns a digest of the data of all databases.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Returns a digest of each value.",
    "ERROR <text>",
    "    Answers with the text as an error.",
    "HTSTATS <database>, HTSTATS-KEY <key>",
    "    Describes the tables of a database, or of a value.",
    "LISTPACK <key>, QUICKLIST <key> [<0|1>], SDSLEN <key>",
    "    Tells whether a value is kept so.",
    "LOADAOF",
    "    Loads the append-only file, even an old one that is off, in place of the data in memory;",
    "    blocks the server meanwhile.",
    "LOG <text>",
    "    Writes the text to the log.",
    "OBJECT <key>",
    "    Describes the internal representation of a value, as Redis would choose it.",
    "PAUSE-CRON <0|1>",
    "    Stops the periodic work, or goes on with it.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Adds strings named key:<number>; replicas do not learn of them.",
    "PROTOCOL <type>",
    "    Answers with a reply of a type: string, integer, double, bignum, null, array, set, map, attrib, push,",
    "    verbatim, true, false.",
    "QUICKLIST-PACKED-THRESHOLD <size>, REPLYBUFFER <PEAK-RESET-TIME|RESIZING> <value>",
    "    Accepted, without effect.",
    "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
    "    Saves a snapshot (unless NOSAVE) and loads it in place of the data, or beside them (NOFLUSH).",
    "    MERGE: keys that are there are replaced. Blocks the server meanwhile.",
    "REPLICATE <word> [<word> ...]",
    "    Sends a command to replicas alone.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Turns the removal of expired keys in the background off or on.",
    "SET-DISABLE-DENY-SCRIPTS <0|1>",
    "    Lets scripts call what is denied to them.",
    "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
    "    Leaves the checksums of snapshots and payloads unchecked.",
    "SLEEP <seconds>",
    "    Blocks the whole server; decimals are allowed.",
    "HELP",
    "    Prints this help.",
)


def _permission(client: Client) -> None:
    setting = client.engine.config.enable_debug_command
    if not (client.is_local if setting == "local" else setting == "yes"):
        raise CommandError(debug_errors.DEBUG_NOT_ALLOWED)


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


def _loadaof(client: Client, argv: Sequence[bytes]) -> SimpleString:
    engine = client.engine
    if engine.persistence is None:
        raise CommandError(storage_errors.NO_PERSISTENCE)
    try:
        engine.persistence.reload()
    except CommandError:
        raise
    except Exception:  # the files hold the data, and memory does not any more
        engine.process.shut_down(frozenset({"nosave", "now"}))
        raise CommandError(debug_errors.AOF_LOAD_FAILED) from None
    if engine.snapshots is not None:
        engine.snapshots.forget_changes()
    return OK


def _reload(client: Client, argv: Sequence[bytes]) -> SimpleString:
    options = {word.lower() for word in argv[2:]}
    if not options <= _RELOAD_OPTIONS:
        raise CommandError(debug_errors.RELOAD_OPTIONS)
    if client.engine.snapshots is None:
        raise CommandError(storage_errors.NO_PERSISTENCE)
    client.engine.snapshots.reload(
        saves=b"nosave" not in options, empties=b"noflush" not in options, merges=b"merge" in options
    )
    return OK


def _sleep(client: Client, argv: Sequence[bytes]) -> SimpleString:
    client.engine.process.sleep(max(0.0, min(leading_number(argv[2]), _LONGEST_SLEEP)))
    return OK


def _log(client: Client, argv: Sequence[bytes]) -> SimpleString:
    client.engine.process.log(f"DEBUG LOG: {argv[2].decode('utf-8', 'backslashreplace')}")
    return OK


def _help(client: Client, argv: Sequence[bytes]) -> list[SimpleString]:
    return [SimpleString(line.encode()) for line in _HELP]


_ANY_NUMBER = 2**31
#: Name -> fewest and most arguments (DEBUG and the name included), and the function.
_SUBCOMMANDS: dict[bytes, tuple[int, int, Callable[[Client, Sequence[bytes]], Any]]] = {
    b"aof-flush-sleep": (3, 3, switches.flush_delay),
    b"change-repl-id": (2, 2, replication.change_id),
    b"config-rewrite-force-all": (2, 2, switches.rewrite_all),
    b"digest": (2, 2, _digest),
    b"digest-value": (2, _ANY_NUMBER, _digest_value),
    b"error": (3, 3, replies.error),
    b"help": (2, 2, _help),
    b"htstats": (3, 3, values.htstats),
    b"htstats-key": (3, 3, values.htstats_key),
    b"listpack": (3, 3, values.listpack),
    b"loadaof": (2, _ANY_NUMBER, _loadaof),
    b"log": (3, 3, _log),
    b"object": (3, 3, values.object_),
    b"pause-cron": (3, 3, switches.switch("pauses_cron")),
    b"populate": (3, 5, replication.populate),
    b"protocol": (3, 3, replies.protocol),
    b"quicklist": (3, 4, values.quicklist),
    b"quicklist-packed-threshold": (3, 3, switches.packed_threshold),
    b"reload": (2, _ANY_NUMBER, _reload),
    b"replicate": (3, _ANY_NUMBER, replication.replicate),
    b"replybuffer": (4, 4, switches.reply_buffer),
    b"sdslen": (3, 3, values.sdslen),
    b"set-active-expire": (3, 3, switches.set_active_expire),
    b"set-disable-deny-scripts": (3, 3, switches.allow_in_scripts),
    b"set-skip-checksum-validation": (3, 3, switches.switch("skips_checksums")),
    b"sleep": (3, 3, _sleep),
}
_UNKNOWN = (1, 0, _help)
