"""The whole data at one moment as the fewest commands that make it: the base of the append-only file.

Keys come in the order of the keyspace.  Large containers are spread over commands of 64 elements, as in Redis, so that
no reader meets a giant; a time to live follows its key as PEXPIREAT.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from kedis.engine.propagation import Propagation
from kedis.persistence.append_file import AppendFile
from kedis.resp.replies import format_double
from kedis.store.keyspace import Keyspace
from kedis.structures.containers import Hash, Set
from kedis.structures.lists import List
from kedis.structures.sorted_set import SortedSet

ITEMS_PER_COMMAND = 64
_CHUNK = 64 * 1024
_SYNC_EVERY = 4 << 20


def write_base(
    keyspace: Keyspace, path: str, *, checksums: bool, timestamps: bool, sync_in_steps: bool
) -> int:
    """Write the data to a new file at ``path`` and sync it; returns its size.

    Args:
        sync_in_steps: sync every 4 MB, so that the disk is never swamped.

    Raises OSError.  O(data); nothing may change meanwhile.
    """
    file = AppendFile(path, checksums=checksums, size=0)
    journal = Propagation()
    if timestamps:
        journal.entries.append(b"#TS:%d\r\n" % time.time())
    synced = 0
    try:
        for database in keyspace.databases:
            for _ in _record_keys(database, journal):
                file.write(journal.take())
                if sync_in_steps and file.size - synced > _SYNC_EVERY:
                    file.sync()
                    synced = file.size
        if journal.entries:
            file.write(journal.take())
        os.fsync(file.fd)
    finally:
        file.close()
    return file.size


def _record_keys(database: Any, journal: Propagation) -> Iterator[None]:
    """Record every key; yields when enough has been recorded to be written."""
    expires = database.expires
    number = database.number
    append = journal.append
    entries = journal.entries
    weight = 0
    for key, value in database.data.items():
        if type(value) is bytes:
            append(number, [b"SET", key, value])
            weight += len(value) + 64
        else:
            for argv in commands_of(key, value):
                append(number, argv)
                weight += sum(map(len, argv))
                if weight > _CHUNK:
                    yield
                    weight = 0
        if key in expires:
            append(number, (b"PEXPIREAT", key, b"%d" % expires[key]))
        if weight > _CHUNK or len(entries) > _CHUNK:
            yield
            weight = 0


def commands_of(key: bytes, value: Any) -> Iterator[Sequence[bytes]]:
    """The commands that make ``value`` at ``key``."""
    kind = type(value)
    if isinstance(value, bytes | bytearray):
        yield (b"SET", key, bytes(value))
        return
    name, arguments = _WRITERS[kind](value)
    parts = iter(arguments)
    while part := tuple(islice(parts, ITEMS_PER_COMMAND * (1 if kind in (List, Set) else 2))):
        yield (name, key, *part)


def _list(value: List) -> tuple[bytes, Iterator[bytes]]:
    return b"RPUSH", iter(value)


def _set(value: Set) -> tuple[bytes, Iterator[bytes]]:
    return b"SADD", iter(value)


def _hash(value: Hash) -> tuple[bytes, Iterator[bytes]]:
    return b"HMSET", chain.from_iterable(value.items())


def _sorted_set(value: SortedSet) -> tuple[bytes, Iterator[bytes]]:
    return b"ZADD", chain.from_iterable((format_double(score), member) for member, score in value.items())


_WRITERS: dict[type, Callable[[Any], tuple[bytes, Iterator[bytes]]]] = {
    List: _list,
    Set: _set,
    Hash: _hash,
    SortedSet: _sorted_set,
}
