"""The base of the append-only file: all data at one moment as the fewest commands that create them.

Keys are in the order of the keyspace. Large containers are spread over commands of 64 elements, as in Redis, so that
no command is huge; a time to live follows its key as PEXPIREAT.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from kedis.engine.propagation import Propagation
from kedis.persistence.append_file import AppendFile
from kedis.persistence.stream_commands import stream_commands
from kedis.resp.replies import format_double
from kedis.store.keyspace import Keyspace
from kedis.store.types import check_registered, type_of, type_of_class
from kedis.structures.packed import Hash, List, Set, SortedSet
from kedis.structures.stream import Stream

ITEMS_PER_COMMAND = 64
_CHUNK = 64 * 1024
_SYNC_EVERY = 4 << 20


def write_base(
    keyspace: Keyspace,
    path: str,
    *,
    checksums: bool,
    timestamps: bool,
    sync_in_steps: bool,
    libraries: Sequence[bytes] = (),
) -> int:
    """Write the data to a new file at ``path`` and sync it; returns its size.

    Args:
        sync_in_steps: sync every 4 MB, so that the disk is never swamped.
        libraries: the code of each library of functions.

    Raises OSError. O(data); nothing may change meanwhile.
    """
    file = AppendFile(path, checksums=checksums, size=0)
    journal = Propagation()
    if timestamps:
        journal.entries.append(b"#TS:%d\r\n" % time.time())
    for code in libraries:
        journal.entries.append([b"FUNCTION", b"LOAD", code])
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
        file.seal()
        os.fsync(file.fd)
    finally:
        file.close()
    return file.size


def _record_keys(database: Any, journal: Propagation) -> Iterator[None]:
    """Record every key; yields when enough has been recorded for a write."""
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
    """The commands that create ``value`` at ``key``."""
    return type_of(value).aof_commands(key, value)


def in_commands(
    name: bytes, key: bytes, arguments: Iterable[bytes], width: int = 1
) -> Iterator[Sequence[bytes]]:
    """Commands ``name key arguments...`` of 64 elements at most; an element is ``width`` arguments."""
    parts = iter(arguments)
    while part := tuple(islice(parts, ITEMS_PER_COMMAND * width)):
        yield (name, key, *part)


def _string(key: bytes, value: bytes | bytearray) -> Iterator[Sequence[bytes]]:
    yield (b"SET", key, bytes(value))


def _hash(key: bytes, value: Hash) -> Iterator[Sequence[bytes]]:
    return in_commands(b"HMSET", key, chain.from_iterable(value.items()), width=2)


def _sorted_set(key: bytes, value: SortedSet) -> Iterator[Sequence[bytes]]:
    pairs = ((format_double(score), member) for member, score in value.items())
    return in_commands(b"ZADD", key, chain.from_iterable(pairs), width=2)


type_of_class(bytes).aof_commands = _string
type_of_class(List).aof_commands = lambda key, value: in_commands(b"RPUSH", key, value)
type_of_class(Set).aof_commands = lambda key, value: in_commands(b"SADD", key, value)
type_of_class(Hash).aof_commands = _hash
type_of_class(SortedSet).aof_commands = _sorted_set
type_of_class(Stream).aof_commands = stream_commands
check_registered("aof_commands")
