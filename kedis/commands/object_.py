"""OBJECT: encoding, access statistics and reference count of a value, as Redis would report them.

Simplification: accesses are recorded only under an LRU or LFU eviction policy; under others IDLETIME is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis.commands.help import help_lines
from kedis.engine.flags import LOADING, READONLY, STALE
from kedis.engine.keyspec import span
from kedis.engine.table import command, container
from kedis.errors import CommandError, key_errors
from kedis.resp.values import SimpleString
from kedis.store.access import LfuTracker, LruTracker
from kedis.store.types import type_of

if TYPE_CHECKING:
    from kedis.engine.client import Client

container(
    "OBJECT",
    arity=-2,
    group="generic",
    since="2.2.3",
    summary="Internals of the value at a key.",
    complexity="Depends on the subcommand",
)


@command(
    "OBJECT|ENCODING",
    arity=3,
    flags=READONLY,
    group="generic",
    since="2.2.3",
    summary="Returns the encoding of a value, as Redis would choose it.",
    keys=[span("RO", 2)],
    tips=["nondeterministic_output"],
    complexity="O(1); for a small container O(N) in its elements",
    syntax="key@0",
)
def object_encoding(client: Client, argv: Sequence[bytes]) -> bytes | None:
    value = client.db.lookup_read_no_touch(argv[2], notify_miss=False)
    return None if value is None else type_of(value).encoding(value)


@command(
    "OBJECT|FREQ",
    arity=3,
    flags=READONLY,
    group="generic",
    since="4.0.0",
    summary="Returns the access frequency of a key; needs an LFU eviction policy.",
    keys=[span("RO", 2)],
    tips=["nondeterministic_output"],
    complexity="O(1)",
    syntax="key@0",
)
def object_freq(client: Client, argv: Sequence[bytes]) -> int | None:
    if client.db.lookup_read_no_touch(argv[2], notify_miss=False) is None:
        return None
    if not _is_lfu(client):
        raise CommandError(key_errors.LFU_NOT_SELECTED)
    tracker = client.db.access_tracker
    return tracker.frequency(argv[2]) if isinstance(tracker, LfuTracker) else 0


@command(
    "OBJECT|IDLETIME",
    arity=3,
    flags=READONLY,
    group="generic",
    since="2.2.3",
    summary="Returns the seconds since the last access to a key; not under an LFU eviction policy.",
    keys=[span("RO", 2)],
    tips=["nondeterministic_output"],
    complexity="O(1)",
    syntax="key@0",
)
def object_idletime(client: Client, argv: Sequence[bytes]) -> int | None:
    if client.db.lookup_read_no_touch(argv[2], notify_miss=False) is None:
        return None
    if _is_lfu(client):
        raise CommandError(key_errors.LFU_SELECTED)
    tracker = client.db.access_tracker
    return tracker.idle_ns(argv[2]) // 1_000_000_000 if isinstance(tracker, LruTracker) else 0


@command(
    "OBJECT|REFCOUNT",
    arity=3,
    flags=READONLY,
    group="generic",
    since="2.2.3",
    summary="Returns the reference count of a value.",
    keys=[span("RO", 2)],
    tips=["nondeterministic_output"],
    complexity="O(1)",
    syntax="key@0",
)
def object_refcount(client: Client, argv: Sequence[bytes]) -> int | None:
    value: Any = client.db.lookup_read_no_touch(argv[2], notify_miss=False)
    return None if value is None else type_of(value).references(value)


@command(
    "OBJECT|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="generic",
    since="6.2.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def object_help(client: Client, argv: Sequence[bytes]) -> list[SimpleString]:
    return help_lines("OBJECT")


def _is_lfu(client: Client) -> bool:
    return client.engine.config.maxmemory_policy.endswith("-lfu")
