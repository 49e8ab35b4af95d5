"""Snapshot files: written whole or not at all, and loaded in steps."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from mmap import ACCESS_READ, mmap

from kedis.engine.engine import Engine
from kedis.errors import CommandError
from kedis.persistence.snapshot_steps import SnapshotSteps
from kedis.process.oom_score import MASTER, REPLICA, adjust_child
from kedis.process.system import OPEN_FLAGS, sync_directory
from kedis.process.threads import real_sleep
from kedis.rdb.snapshot import PutRecords, SnapshotReader, pieces, put_in
from kedis.rdb.source import RdbError
from kedis.rdb.unsupported_features import describe, listed
from kedis.scripting.service import service_of
from kedis.store.keyspace import Keyspace
from kedis.version import REDIS_VERSION, VERSION

log = logging.getLogger("kedis.rdb")

_SYNC_EVERY = 4 << 20
#: The note of a snapshot that names the history whose data it holds.
_HISTORY = "repl-id"
#: Keys without elements that the log names.
_MOST_NAMED = 20


class DamagedSnapshot(Exception):
    """The file cannot be loaded; the message names it, and the offset."""


def adjust_oom_score(engine: Engine) -> None:
    """In the child process that saves: let it be killed before the server, as ``oom-score-adj`` says."""
    config, part = engine.config, REPLICA if engine.keyspace.follows else MASTER
    adjust_child(config.oom_score_adj, config.oom_score_adj_values, part)


def snapshot_of(
    engine: Engine, *, is_base: bool = False, keys: bool = True, in_child: bool = False
) -> Iterator[bytes]:
    """All data, or the functions only without ``keys``, in pieces of about 1 MB. O(data); nothing may change meanwhile.

    ``is_base``: of an append-only file. ``in_child``: in a process of its own, where rdb-key-save-delay applies.
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
    if in_child:
        adjust_oom_score(engine)
    pause = _pause(config.rdb_key_save_delay) if in_child else None
    made = pieces(
        engine.keyspace if keys else Keyspace(0),
        notes,
        compressed=config.rdbcompression,
        checksum=config.rdbchecksum,
        libraries=engine.scripting.library_codes(),
        one_by_one=pause is not None,
    )
    return made if pause is None else _slowly(made, pause)


def _slowly(made: Iterator[bytes], pause: Callable[[], None]) -> Iterator[bytes]:
    for piece in made:
        yield piece
        pause()


def _pause(microseconds: int) -> Callable[[], None] | None:
    """What waits so long behind each key; of a negative number, one microsecond behind so many keys."""
    if microseconds < 0:
        counter = count(1)
        return lambda: None if next(counter) % -microseconds else real_sleep(1e-6)
    return partial(real_sleep, microseconds / 1e6) if microseconds else None


def write_rdb(engine: Engine, path: str, *, is_base: bool = False, in_child: bool = False) -> int:
    """Write all data to a new file at ``path`` and sync it; returns its size.

    ``is_base``: of an append-only file; ``in_child``: in a process of its own.

    Raises OSError. O(data); nothing may change meanwhile.
    """
    config = engine.config
    size = synced = 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OPEN_FLAGS, 0o666)
    with os.fdopen(fd, "wb", buffering=0) as file:
        for piece in snapshot_of(engine, is_base=is_base, in_child=in_child):
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


class SnapshotLoader(SnapshotSteps):
    """Loads a file into an engine in its loading state; its figures can be read meanwhile.

    Args:
        is_base: of an append-only file, or of a replica's data: later commands may still name expired keys.
        merges: a key of the file takes the place of one that is there; else it is an error.
        adds: a library of functions that is there is an error, too; else it is replaced.

    Attributes:
        expired, empty: number of keys left out because they had expired, or have no elements.
        gone: the former, with their databases, where the file tells its place in a history: replicas may have them yet.
        notes: what the file says of its writer, once all is loaded.
    """

    def __init__(
        self, engine: Engine, path: str, *, is_base: bool = False, merges: bool = False, adds: bool = False
    ) -> None:
        super().__init__(engine.keyspace.databases, os.path.getsize(path))
        self._engine = engine
        self._is_base = is_base
        self._merges = merges
        self._adds = adds
        self.path = path
        self.expired = self.empty = 0
        self.gone: list[tuple[int, bytes]] = []
        self.notes: dict[str, str] = {}

    def steps(self) -> Iterator[None]:
        """Load; yields every 64 KB or so, so that the caller can do other work.

        Raises DamagedSnapshot; OSError when the file cannot be read.
        """
        with open(self.path, "rb") as file:
            if not self.total_bytes:
                raise DamagedSnapshot(f"{self.path} is damaged: it is empty")
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                config = self._engine.config
                reader = SnapshotReader(
                    data,
                    verify=config.rdbchecksum and not self._engine.debug.skips_checksums,
                    packing=self._engine.keyspace.packing,
                    drop_unsupported=config.unsupported_data == "drop",
                    put_records=self._natively(),
                    make_room=self._making_room(is_there=True),
                )
                try:
                    yield from self._load(reader)
                    self._load_libraries(reader.libraries)
                    self.notes = reader.notes
                    if self.empty:
                        log.warning("%s: empty keys skipped: %d", self.path, self.empty)
                    if reader.left_out:
                        log.warning(
                            "%s: left out, as unsupported-data asks: %s", self.path, listed(reader.left_out)
                        )
                except RdbError as error:
                    raise DamagedSnapshot(describe(self.path, error)) from None

    def _natively(self) -> PutRecords | None:
        """What takes records natively, unless somebody is to be told of each key."""
        keyspace = self._engine.keyspace
        keyspace.now_ns = self._engine.clock()
        if keyspace.observed:
            return None
        return self._putting(keyspace.packing, None if self._is_base else keyspace.now_ms + 1)

    def _load_libraries(self, codes: Sequence[bytes]) -> None:
        """Load libraries of functions, which take the place of those of the same name (DEBUG RELOAD)."""
        for code in codes:
            try:
                service_of(self._engine).libraries.load(code, replace=not self._adds)
            except CommandError as error:
                raise DamagedSnapshot(f"{self.path} holds functions that cannot be loaded: {error}") from None

    def _skipped(self, key: bytes) -> None:
        self.empty += 1
        if self.empty <= _MOST_NAMED:
            log.warning("%s: skipping empty key: %s", self.path, key[:64].decode("utf-8", "backslashreplace"))

    def _load(self, reader: SnapshotReader) -> Iterator[None]:
        databases = self._databases
        now_ms = self._engine.keyspace.now_ms
        for record in self._records(reader, len(databases)):
            if record is None:
                yield
                continue
            number, key, value, expire_at_ms, _, _ = record
            if expire_at_ms is not None and expire_at_ms <= now_ms and not self._is_base:
                self.expired += 1
                if _HISTORY in reader.notes:
                    self.gone.append((number, key))
            elif value is not None:
                database = databases[number]
                if key in database.data:
                    if not self._merges:
                        raise RdbError(f"the key {key[:64]!r} a second time", reader.position)
                    database.delete(key)
                put_in(database, record)
            else:
                self._skipped(key)
