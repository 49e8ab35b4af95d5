"""Snapshot files: written whole or not at all, and loaded in steps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from mmap import ACCESS_READ, mmap

from kedis.engine.engine import Engine
from kedis.errors import CommandError
from kedis.process.system import OPEN_FLAGS, sync_directory
from kedis.rdb.snapshot import SnapshotReader, pieces, put_in
from kedis.rdb.source import RdbError
from kedis.rdb.unsupported_features import describe
from kedis.scripting.service import service_of
from kedis.store.keyspace import Keyspace
from kedis.version import REDIS_VERSION, VERSION

_SYNC_EVERY = 4 << 20
#: Number of keys, and of bytes, between two yields of the loader.
_STEP_KEYS = 256
_STEP_BYTES = 64 * 1024


class DamagedSnapshot(Exception):
    """The file cannot be loaded; the message names it, and the offset."""


def snapshot_of(engine: Engine, *, is_base: bool = False, keys: bool = True) -> Iterator[bytes]:
    """All data, or the functions only without ``keys``, in pieces of about 1 MB. O(data); nothing may change meanwhile.

    ``is_base``: of an append-only file.
    """
    config = engine.config
    notes = {
        "redis-ver": REDIS_VERSION,
        "redis-bits": "64",
        "ctime": str(int(time.time())),
        "used-mem": str(engine.keyspace.used),
        **engine.replication.notes(),
        "aof-base": str(int(is_base)),
        "kedis-ver": VERSION,
    }
    return pieces(
        engine.keyspace if keys else Keyspace(0),
        notes,
        compressed=config.rdbcompression,
        checksum=config.rdbchecksum,
        libraries=engine.scripting.library_codes(),
    )


def write_rdb(engine: Engine, path: str, *, is_base: bool = False) -> int:
    """Write all data to a new file at ``path`` and sync it; returns its size.

    ``is_base``: of an append-only file.  Raises OSError.  O(data); nothing may change meanwhile.
    """
    config = engine.config
    size = synced = 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OPEN_FLAGS, 0o666)
    with os.fdopen(fd, "wb", buffering=0) as file:
        for piece in snapshot_of(engine, is_base=is_base):
            size += write_all(file.fileno(), piece)
            if config.rdb_save_incremental_fsync and size - synced > _SYNC_EVERY:
                os.fsync(file.fileno())
                synced = size
        os.fsync(file.fileno())
    return size


def write_all(fd: int, data: bytes) -> int:
    """Write all of ``data``; returns its length. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return len(data)


def replace_file(temporary: str, path: str) -> None:
    """Rename the whole, synced file ``temporary`` to ``path``, durably. Raises OSError."""
    os.replace(temporary, path)
    sync_directory(os.path.dirname(path) or ".")


def copy_data(source: Engine, target: Engine) -> None:
    """Copy all data, and the libraries of functions, into an empty engine, through the format in memory.  O(data)."""
    parts = pieces(
        source.keyspace, {}, compressed=False, checksum=False, libraries=source.scripting.library_codes()
    )
    reader = SnapshotReader(b"".join(parts), verify=False, packing=target.keyspace.packing)
    for record in reader.records():
        put_in(target.keyspace.databases[record.database], record)
    for code in reader.libraries:
        service_of(target).libraries.load(code, replace=True)


class SnapshotLoader:
    """Loads a file into an engine in its loading state; its figures can be read meanwhile.

    Args:
        is_base: of an append-only file, or of a replica's data: later commands may still name expired keys.

    Attributes:
        total_bytes, loaded_bytes: of the file.
        commands: number of keys loaded.
        expired: number of keys left out because they had expired.
        notes: what the file says of its writer, once all is loaded.
    """

    def __init__(self, engine: Engine, path: str, *, is_base: bool = False) -> None:
        self._engine = engine
        self._is_base = is_base
        self.path = path
        self.total_bytes = os.path.getsize(path)
        self.loaded_bytes = 0
        self.commands = 0
        self.expired = 0
        self.notes: dict[str, str] = {}

    @property
    def keys(self) -> int:
        """Keys loaded so far, in all databases."""
        return sum(map(len, self._engine.keyspace.databases))

    def steps(self) -> Iterator[None]:
        """Load; yields every 64 KB or so, so that the caller can do other work.

        Raises DamagedSnapshot; OSError when the file cannot be read.
        """
        with open(self.path, "rb") as file:
            if not self.total_bytes:
                raise DamagedSnapshot(f"{self.path} is damaged: it is empty")
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                reader = SnapshotReader(
                    data, verify=self._engine.config.rdbchecksum, packing=self._engine.keyspace.packing
                )
                try:
                    yield from self._load(reader)
                    self._load_libraries(reader.libraries)
                    self.notes = reader.notes
                except RdbError as error:
                    raise DamagedSnapshot(describe(self.path, error)) from None
                self.loaded_bytes = reader.position

    def _load_libraries(self, codes: Sequence[bytes]) -> None:
        """Load libraries of functions, which take the place of those of the same name (DEBUG RELOAD)."""
        for code in codes:
            try:
                service_of(self._engine).libraries.load(code, replace=True)
            except CommandError as error:
                raise DamagedSnapshot(f"{self.path} holds functions that cannot be loaded: {error}") from None

    def _load(self, reader: SnapshotReader) -> Iterator[None]:
        keyspace = self._engine.keyspace
        databases = keyspace.databases
        keyspace.now_ns = self._engine.clock()
        now_ms = keyspace.now_ms
        rest_at = _STEP_BYTES
        count = 0
        for record in reader.records():
            number, key, value, expire_at_ms, _, _ = record
            if number >= len(databases):
                raise RdbError(
                    f"database {number} of {len(databases)} (see the setting databases)", reader.position
                )
            if expire_at_ms is not None and expire_at_ms <= now_ms and not self._is_base:
                self.expired += 1
            elif value is not None:
                database = databases[number]
                if key in database.data:
                    raise RdbError(f"the key {key[:64]!r} a second time", reader.position)
                put_in(database, record)
            count += 1
            if count % _STEP_KEYS == 0 or reader.position > rest_at:
                self.commands = count
                self.loaded_bytes = reader.position
                rest_at = reader.position + _STEP_BYTES
                yield
        self.commands = count
