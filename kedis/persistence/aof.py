"""The append-only file of a running server: open file, written bytes, and figures.

This part has no policy: the owner of the event loop (:mod:`kedis.server.aof_policy`), or the in-process engine, decides
when to write, when to sync and which clients to answer. The states are

``off``      nothing is recorded
``waiting``  turned on at run time: changes go to a file that counts once the first base is complete
``on``       every change goes to the last file of the manifest
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence

from kedis.engine.engine import Engine
from kedis.engine.ports import LoadProgress
from kedis.errors import CommandError, debug_errors
from kedis.persistence.append_file import AppendFile
from kedis.persistence.folder import AofError, Folder
from kedis.persistence.loader import Loader, Tail
from kedis.persistence.rdb_file import write_rdb
from kedis.process.clock import monotonic, monotonic_ns
from kedis.process.system import sync_directory
from kedis.scripting.service import service_of
from kedis.structures.histogram import Histogram

log = logging.getLogger("kedis.aof")


class Aof:
    """The append-only file of ``engine``, which is set as ``engine.persistence``.

    The attributes shown by INFO have its names. Durations are in seconds, sizes in bytes; -1 is "never".
    """

    def __init__(self, engine: Engine) -> None:
        config = engine.config
        self.engine = engine
        self.folder = Folder(config.dir, config.appenddirname, config.appendfilename)
        self.file: AppendFile | None = None
        self.state = "off"
        self.is_recording = False
        #: Loader of the data, also after the load; a snapshot's where there is no append-only file.
        self.loader: LoadProgress | None = None
        self.replay: Loader | None = None
        #: Pieces fed by the propagation stream and not written yet.
        self.unwritten: list[bytes] = []
        #: Write ``#TS:SECONDS`` before the first command of a second.
        self.timestamps = False
        self._second = 0
        self._earlier_bytes = 0  # size of the files before the one being written
        self._rewrite_base_bytes = 0
        self.request_rewrite: Callable[[], None] = lambda: None
        #: Called once, when the child of the rewrite under way has begun, or with the reason why it will not.
        self.rewrite_waiters: list[Callable[[str | None], None]] = []
        #: Whether the rewrite under way has no child yet.
        self.awaits_child = False
        self.aof_rewrite_in_progress = False
        self.aof_rewrite_scheduled = False
        self.aof_last_rewrite_time_sec = -1
        self.aof_current_rewrite_time_sec = -1
        self.aof_last_bgrewrite_status = "ok"
        self.aof_last_write_status = "ok"
        self.aof_last_cow_size = 0
        self.aof_rewrites = 0
        self.aof_rewrites_consecutive_failures = 0
        self.aof_pending_bio_fsync = 0
        self.aof_delayed_fsync = 0
        #: Durations of writes, and of syncs by policy, in ns; number of changes that one sync made durable.
        self.writes = Histogram()
        self.fsyncs: Mapping[str, Histogram] = {
            "everysec": Histogram(),
            "always": Histogram(),
            "no": Histogram(),
        }
        self.group_commits = Histogram()
        self.written_bytes = 0
        self.write_errors = 0
        self.fsync_errors = 0
        self.rewrite_failures = 0
        self.rewrite_began = 0.0
        self.rewrite_seconds = 0.0
        self.fork_seconds = 0.0
        self.forked_at = 0.0
        self.forks = 0
        #: Path of the base that a rewrite is writing.
        self.rewrite_path = ""
        self.loading_start_time = 0
        self.load_seconds = 0.0
        self._synced_dirty = 0

    # -- figures ------------------------------------------------------------------------------------------

    @property
    def aof_enabled(self) -> bool:
        return self.state != "off"

    @property
    def aof_current_size(self) -> int:
        return self._earlier_bytes + (self.file.size if self.file else 0)

    @property
    def aof_base_size(self) -> int:
        """Size after the last rewrite, the reference of the automatic rule."""
        return self._rewrite_base_bytes

    @property
    def aof_buffer_length(self) -> int:
        return sum(map(len, self.unwritten)) + self.engine.propagation.size()

    @property
    def load_progress(self) -> LoadProgress | None:
        """The loader of the data, also after the load."""
        return self.loader

    def count_sync(self, nanoseconds: int) -> None:
        """Count one sync of this duration."""
        self.fsyncs[self.engine.config.appendfsync].add(nanoseconds)

    def count_group(self) -> None:
        """Count, when a sync begins, the changes since the last one began. (Later changes count with the next.)"""
        dirty = self.engine.keyspace.dirty
        self.group_commits.add(dirty - self._synced_dirty)
        self._synced_dirty = dirty

    def rewrite_elapsed_seconds(self) -> float:
        """Duration of the rewrite under way; 0 when there is none."""
        return monotonic() - self.rewrite_began if self.aof_rewrite_in_progress else 0.0

    def rewrite_written_bytes(self) -> int:
        """Size of the new base so far; 0 when no rewrite is under way."""
        if not self.aof_rewrite_in_progress:
            return 0
        try:
            return os.path.getsize(self.rewrite_path)
        except OSError:  # not begun, or just put in place
            return 0

    # -- start and end ------------------------------------------------------------------------------------

    def open(self) -> Loader:
        """Lock the folder and return its loader. Raises AofError."""
        self.folder.open()
        try:
            self.loader = self.replay = Loader(self.engine, self.folder)
        except OSError as error:
            raise AofError(f"cannot read {self.folder.path}: {error.strerror}") from None
        return self.replay

    def begin(self) -> None:
        """Record from now on: after loading, or in a new folder. Raises AofError."""
        folder = self.folder
        replay = self.replay
        tail = replay.tail if replay else Tail()
        try:
            if not folder.manifest.incrs:
                self._create_files()
                tail = Tail()
            entry = folder.manifest.incrs[-1]
            self.file = AppendFile(
                folder.file(entry.name),
                checksums=self.engine.config.aof_checksum,
                size=tail.size,
                crc=tail.crc,
                uncovered=tail.uncovered,
            )
            self.delete_history()
        except OSError as error:
            raise AofError(f"cannot write to {folder.path}: {error.strerror}") from None
        base = replay.base_bytes if replay else 0
        total = replay.loaded_bytes if replay else 0
        self._earlier_bytes = total - tail.size
        self._rewrite_base_bytes = base
        self.record("on")

    def record(self, state: str) -> None:
        """Start recording the engine's changes; ``state`` is ``on`` or ``waiting``."""
        self.state = state
        self.is_recording = True
        self.timestamps = self.engine.config.aof_timestamp_enabled
        self.engine.propagation.add_sink(self)
        self._synced_dirty = self.engine.keyspace.dirty

    def _create_files(self) -> None:
        """Create the first files of a folder: an empty base where there is none, and a file of changes."""
        folder = self.folder
        manifest = folder.manifest.copy()
        if manifest.base is None:
            as_rdb = self.engine.config.aof_use_rdb_preamble
            base = folder.file(manifest.add_base(folder.prefix, as_rdb=as_rdb).name)
            if as_rdb:
                write_rdb(self.engine, base, is_base=True)
            else:
                AppendFile(base).close()
        AppendFile(folder.file(manifest.add_incr(folder.prefix).name)).close()
        sync_directory(folder.path)
        folder.persist(manifest)
        sync_directory(folder.directory)

    def delete_history(self) -> None:
        """Delete the files that are no longer needed, unless ``aof-disable-auto-gc`` keeps them. Raises OSError."""
        if not self.engine.config.aof_disable_auto_gc:
            self.folder.delete_history()

    def switch_to(self, file: AppendFile) -> AppendFile | None:
        """Write to ``file`` from now on; returns the previous file, still open."""
        before = self.file
        if before is not None:
            self._earlier_bytes += before.size
        self.file = file
        self.engine.propagation.reselect()
        return before

    def rewritten(self, base_bytes: int) -> None:
        """Count only a new base of this size and the open file from now on."""
        self._earlier_bytes = base_bytes
        self._rewrite_base_bytes = self.aof_current_size

    def discard(self) -> None:
        """Forget the unwritten changes, because a new base will hold them."""
        propagation = self.engine.propagation
        try:
            propagation.flush()
        except Exception:  # changes that cannot be encoded are in the new base, but in no other sink
            propagation.drop()
        propagation.reselect()
        self.unwritten = []

    def stop(self) -> None:
        """Stop recording; the caller has written and synced the changes to keep."""
        self.state = "off"
        self.is_recording = False
        self.engine.propagation.remove_sink(self)
        self.unwritten = []
        if self.file is not None:
            self.file.close()
            self.file = None
        self._earlier_bytes = 0

    def close(self) -> None:
        """Stop, and release the folder."""
        self.stop()
        self.folder.close()

    def abandon(self) -> None:
        """In a forked child: close its copies of the descriptors and write nothing."""
        if self.file is not None:
            self.file.close()
        self.folder.close()

    # -- loading again ------------------------------------------------------------------------------------

    def reload(self) -> None:
        """DEBUG LOADAOF: load the files in place of the data in memory, while all clients wait.

        What is recorded is synced before; where the file is off, what it holds replaces newer data, as in Redis.
        Raises CommandError, with the data as they were, where there is nothing to load; AofError where the files
        cannot be loaded, with a part of the data in memory.
        """
        engine = self.engine
        if engine.execution is not None:  # of which nothing is recorded before it ends
            raise CommandError(debug_errors.AOF_LACKS_UNIT)
        if self.state == "on":
            self._sync_before_reload()
            self._load_again(self.folder)
        elif self.aof_rewrite_in_progress:
            raise CommandError(debug_errors.AOF_LACKS_DATA)
        elif self.state == "waiting":
            self._load_again(self.folder)
        else:
            self._load_while_off()

    def rewrite_begun(self, failure: str | None = None) -> None:
        """Tell those who wait for the child of the rewrite that it is there, or why it will not come."""
        self.awaits_child = False
        waiters, self.rewrite_waiters = self.rewrite_waiters, []
        for waiter in waiters:
            waiter(failure)

    def _sync_before_reload(self) -> None:
        try:
            self.write()
            if self.file is not None:
                self.file.sync()
        except Exception as error:
            self.engine.durability.unrecorded(error)
            raise CommandError(debug_errors.AOF_LOAD_FAILED) from None

    def _load_while_off(self) -> None:
        config = self.engine.config
        folder = Folder(config.dir, config.appenddirname, config.appendfilename)
        if not os.path.exists(folder.manifest_path):
            raise CommandError(debug_errors.AOF_LACKS_DATA)
        try:
            folder.open()
        except AofError as error:
            log.error("%s", error)
            raise CommandError(debug_errors.AOF_LOAD_FAILED) from None
        try:
            self._load_again(folder)
        finally:
            folder.close()

    def _load_again(self, folder: Folder) -> None:
        if not folder.manifest.files():
            raise CommandError(debug_errors.AOF_LACKS_DATA)
        engine = self.engine
        for database in engine.keyspace.databases:
            database.clear()
        service_of(engine).libraries.flush()
        engine.set_loading(True)
        try:
            for _ in Loader(engine, folder).steps():
                pass
        except Exception as error:
            log.critical("cannot load the append-only file again: %s", error)
            raise
        finally:
            engine.set_loading(False)

    # -- writing ------------------------------------------------------------------------------------------

    def feed(self, pieces: Sequence[bytes]) -> None:
        """See :class:`kedis.engine.propagation.Sink`."""
        if self.timestamps:
            second = self.engine.clock() // 1_000_000_000
            if second != self._second:
                self.unwritten.append(b"#TS:%d\r\n" % second)
                self._second = second
        self.unwritten += pieces

    def lost(self) -> None:
        """See :class:`kedis.engine.propagation.Sink`: only :meth:`discard` drops changes, for a new base."""

    def write(self) -> None:
        """Write the recorded changes. On any exception they are kept for the next call, and the file is as before."""
        began = monotonic_ns()
        try:
            self.engine.propagation.flush()
            if not self.unwritten:
                return
            if delay_us := self.engine.debug.flush_delay_us:
                self.engine.process.sleep(delay_us / 1e6)
            assert self.file is not None  # changes are recorded only while a file is open
            length = self.file.write(self.unwritten)
        except Exception:
            self.write_errors += 1
            raise
        self.unwritten = []
        self.written_bytes += length
        self.writes.add(monotonic_ns() - began)

    @property
    def has_unwritten(self) -> bool:
        return bool(self.unwritten) or bool(self.engine.propagation.entries)

    def wants_rewrite(self) -> bool:
        """The automatic rule: large enough, and grown enough since the last rewrite."""
        config = self.engine.config
        size = self.aof_current_size
        percentage = config.auto_aof_rewrite_percentage
        if not percentage or size <= config.auto_aof_rewrite_min_size:
            return False
        base = self._rewrite_base_bytes or 1
        return size * 100 // base - 100 >= percentage


def remove_if_there(path: str) -> None:
    """Delete a file, if it exists."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
