"""SAVE and BGSAVE: the snapshot ``dump.rdb`` of a running server, and its figures.

A snapshot is written under a temporary name, synced, and renamed: on any failure the previous one stays whole.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable

from kedis import errors
from kedis.engine.engine import Engine
from kedis.errors import CommandError, debug_errors, storage_errors
from kedis.persistence.aof import remove_if_there
from kedis.persistence.child import Child, Outcome
from kedis.persistence.folder import TemporaryFolder, make_folder
from kedis.persistence.rdb_file import DamagedSnapshot, SnapshotLoader, replace_file, write_rdb
from kedis.persistence.reasons import reason_with_file
from kedis.process.clock import monotonic
from kedis.scripting.service import service_of

log = logging.getLogger("kedis.rdb")

#: Delay of the save points after a failure.
_RETRY_SECONDS = 5


class Saver:
    """Saves ``engine``, whose attribute ``snapshots`` is this object.

    Args:
        other_child: whether another child process is at work; only one may be.
        fork: save in a child process; otherwise BGSAVE does the same as SAVE.

    The attributes shown by INFO have its names. Durations are in seconds; -1 is "never".
    """

    def __init__(
        self, engine: Engine, other_child: Callable[[], bool] = lambda: False, *, fork: bool = True
    ) -> None:
        self._engine = engine
        self._fork = fork
        self._other_child = other_child
        self._child: Child | None = None
        #: The child that makes a snapshot for replicas.
        self._transfer: Child | None = None
        self._path = self._temporary = ""
        self._folder = ""
        self._own_folder: TemporaryFolder | None = None
        self._began = 0.0
        self._dirty_at_fork = 0
        self._saved_dirty = 0
        self._tried_at = float("-inf")
        self.scheduled = False
        self.rdb_last_save_time = engine.started_ns // 1_000_000_000
        self._saved_ns = engine.started_monotonic_ns
        self.rdb_last_bgsave_status = "ok"
        self.rdb_last_bgsave_time_sec = -1
        self.rdb_saves = 0
        self.rdb_last_cow_size = 0
        self.rdb_last_load_keys_expired = 0
        self.rdb_last_load_keys_loaded = 0
        self.forks = 0
        self.fork_seconds = 0.0
        self.forked_at = 0.0
        self.save_seconds = 0.0
        self.failures = 0

    # -- figures ------------------------------------------------------------------------------------------

    @property
    def rdb_bgsave_in_progress(self) -> int:
        return int(self._child is not None or self._transfer is not None)

    @property
    def rdb_changes_since_last_save(self) -> int:
        return int(self._engine.keyspace.dirty - self._saved_dirty)

    @property
    def rdb_current_bgsave_time_sec(self) -> int:
        return int(monotonic() - self._began) if self.rdb_bgsave_in_progress else -1

    def loaded(self, keys: int, expired: int) -> None:
        """Reset the figures after a load: the data are those of the file."""
        self.rdb_last_load_keys_loaded = keys
        self.rdb_last_load_keys_expired = expired
        self.forget_changes()

    def forget_changes(self) -> None:
        """Count the changes since the last snapshot from 0."""
        self._saved_dirty = self._engine.keyspace.dirty

    # -- saving -------------------------------------------------------------------------------------------

    @property
    def folder(self) -> str:
        """``dir``; for a program that has named no folder a temporary one, or nothing before it is made."""
        if self._engine.config.has_folder():
            return self._engine.config.dir
        return self._own_folder.path if self._own_folder is not None else ""

    def path(self) -> str:
        """The file."""
        return os.path.join(self.folder, self._engine.config.dbfilename)

    def make_folder(self) -> None:
        """Create the folder of the file, once: a folder that is lost later (an unmounted disk) is not replaced.

        A temporary one goes when the store does. Raises OSError.
        """
        if not self._engine.config.has_folder():
            self._own_folder = self._own_folder or TemporaryFolder()
        elif self.folder != self._folder:
            make_folder(self.folder)
            self._folder = self.folder

    def close(self) -> None:
        """Remove the temporary folder, if there is one. Idempotent."""
        if self._own_folder is not None:
            self._own_folder.remove()
            self._own_folder = None

    def save(self) -> None:
        """Save in this process. Raises CommandError."""
        if self._engine.loading:  # the data are a part of the file that would be replaced
            raise CommandError(errors.LOADING)
        if self.rdb_bgsave_in_progress:
            raise CommandError(storage_errors.BGSAVE_IN_PROGRESS)
        temporary = ""
        try:
            self.make_folder()
            temporary = temporary_name(self.path(), os.getpid())
            write_rdb(self._engine, temporary)
            replace_file(temporary, self.path())
        except Exception as error:
            self._remove(temporary)
            log.error("cannot save to %s: %s", self.path(), reason_with_file(error))
            raise CommandError(storage_errors.SAVE_FAILED) from None
        self._succeeded(self._engine.keyspace.dirty)

    def reload(self, *, saves: bool = True, empties: bool = True, merges: bool = False) -> None:
        """Load the snapshot while all clients wait. Raises CommandError.

        Args:
            saves: save it first.
            empties: remove the data in memory before.
            merges: replace keys that are there; else one of them is an error.
        """
        if saves:
            self.save()
        engine = self._engine
        if not os.path.exists(self.path()):
            raise CommandError(debug_errors.RELOAD_FAILED)
        if empties:
            for database in engine.keyspace.databases:
                database.clear()
            if engine.scripting.library_codes():
                service_of(engine).libraries.flush()
        engine.set_loading(True)
        try:
            loader = SnapshotLoader(
                engine,
                self.path(),
                is_base=engine.keyspace.follows,
                merges=merges,
                adds=not empties and not merges,
            )
            for _ in loader.steps():
                pass
        except (DamagedSnapshot, OSError) as error:
            log.critical("cannot load what was just saved: %s", error)
            raise CommandError(debug_errors.RELOAD_FAILED) from None
        finally:
            engine.set_loading(False)
        self.loaded(loader.keys, loader.expired)

    def flushed(self) -> None:
        """Handle FLUSHALL: cancel a save under way; with save points set, save, so that no file restores the data."""
        self.cancel()
        if self._engine.config.save:
            with contextlib.suppress(CommandError):  # the error is logged
                self.save()

    def background(self, *, schedule: bool) -> bytes:
        """BGSAVE; returns its reply.  Raises CommandError."""
        if self.rdb_bgsave_in_progress:
            raise CommandError(storage_errors.BGSAVE_IN_PROGRESS)
        if self._other_child():
            if not schedule:
                raise CommandError(storage_errors.BGSAVE_ANOTHER_CHILD)
            self.scheduled = True
            return b"Background saving scheduled"
        if not self.start():
            raise CommandError(storage_errors.SAVE_FAILED)
        return b"Background saving started"

    def start(self) -> bool:
        """Begin a save in a child process; none may be under way. Returns False when that failed."""
        engine = self._engine
        self.scheduled = False
        if not self._fork:
            self.save()
            return True
        self._tried_at = self._began = monotonic()
        self._dirty_at_fork = engine.keyspace.dirty
        try:
            self.make_folder()
            self._path = self.path()
            self._temporary = ""
            self._child = Child(lambda: _save(engine, self._path))
            self._temporary = temporary_name(self._path, self._child.pid)
        except Exception as error:
            self._failed(reason_with_file(error))
            return False
        self._count_fork(self._child)
        log.info("saving in process %d (fork took %.1f ms)", self._child.pid, self.fork_seconds * 1e3)
        return True

    def poll(self) -> None:
        """Check whether the child has ended; to be called a few times a second."""
        outcome = self._child.poll() if self._child is not None else None
        if outcome is not None:
            self._child = None
            self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self.save_seconds = monotonic() - self._began
        self.rdb_last_bgsave_time_sec = int(self.save_seconds)
        self.rdb_last_cow_size = outcome.copied_bytes
        failure = outcome.failure
        if not failure:
            try:
                replace_file(self._temporary, self._path)
            except Exception as error:
                failure = reason_with_file(error)
        if failure:
            self._failed(failure)
        else:
            log.info("saved to %s in %.1f s", self._path, self.save_seconds)
            self._succeeded(self._dirty_at_fork)

    def _count_fork(self, child: Child) -> None:
        self.forks += 1
        self.fork_seconds = child.fork_seconds
        self.forked_at = monotonic()

    def begin_transfer(self, child: Child) -> None:
        """``child`` makes a snapshot for replicas: none is made for the disk meanwhile."""
        self._transfer = child
        self._began = monotonic()
        self._count_fork(child)

    def end_transfer(self, copied_bytes: int) -> None:
        """That child has ended; it had ``copied_bytes`` of memory of its own."""
        self._transfer = None
        self.rdb_last_cow_size = copied_bytes

    def cancel(self) -> None:
        """Kill the save under way; the file is not changed."""
        if self._child is not None:
            self._child.kill()
            self._child = None
            remove_if_there(self._temporary)

    def wants_to_start(self) -> bool:
        """Whether a save point is reached or a save was scheduled, and it may start now.

        It may not in a script, nor while loading.
        """
        if self.rdb_bgsave_in_progress or self._other_child() or self._engine.restrictions.busy is not None:
            return False
        if self._engine.loading:  # a replica may have no data at all then
            return False
        now = monotonic()
        if self.rdb_last_bgsave_status == "err" and now - self._tried_at < _RETRY_SECONDS:
            return False
        if self.scheduled:
            return True
        changes = self.rdb_changes_since_last_save
        seconds = (self._engine.monotonic() - self._saved_ns) // 1_000_000_000
        return any(changes >= least and seconds > after for after, least in self._engine.config.save)

    # -- outcomes -----------------------------------------------------------------------------------------

    def _succeeded(self, dirty: int) -> None:
        self._saved_dirty = dirty
        self.rdb_saves += 1
        self.rdb_last_save_time = self._engine.clock() // 1_000_000_000
        self._saved_ns = self._engine.monotonic()
        self.rdb_last_bgsave_status = "ok"
        self.judge()

    def _failed(self, reason: str) -> None:
        self._remove(self._temporary)
        self.failures += 1
        self.rdb_last_bgsave_status = "err"
        log.error("saving failed: %s", reason)
        self.judge()

    def judge(self) -> None:
        """Refuse writes, or accept them again, after a save, or a change of the settings that decide it."""
        config = self._engine.config
        bad = (
            self.rdb_last_bgsave_status == "err" and bool(config.save) and config.stop_writes_on_bgsave_error
        )
        self._engine.restrictions.set_snapshot_error(storage_errors.BGSAVE_FAILED if bad else None)

    @staticmethod
    def _remove(temporary: str) -> None:
        with contextlib.suppress(OSError):  # the failed save is the error to report
            remove_if_there(temporary)


def _save(engine: Engine, path: str) -> None:
    write_rdb(engine, temporary_name(path, os.getpid()), in_child=True)


def temporary_name(path: str, process: int) -> str:
    """The name under which ``process`` writes the snapshot ``path``, as in Redis."""
    return os.path.join(os.path.dirname(path), f"temp-{process}.rdb")
