"""The AOF rewrite: a child process writes the data as a new base while the parent continues in a new file of changes.

The steps, and the state after a crash between them:

1. in the worker: sync the file of changes, create the next one, write a manifest that lists it under a temporary
   name: the manifest on disk is the old one, the new file is empty and unlisted;
2. in the loop, without yielding: write the recorded changes, sync them, rename the manifest, switch to the new file,
   fork. (Without that sync a power cut could tear a file which is not the last any more.)
3. in the child: write the base under a temporary name, sync it, exit;
4. in the worker: rename the base, write a manifest of the new base and the new file, all older ones as history;
   delete these, and remove them from the manifest.

Where no valid file is on disk yet (turned on at run time), or where the existing files are unreliable (a sync failed,
after which the kernel may have dropped the written bytes), the new file of changes is listed only together with the new
base: until then it has a temporary name.

With ``aof-use-rdb-preamble`` the base is a snapshot in Redis's format, otherwise commands like the other files.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable

from kedis.persistence.aof import Aof, remove_if_there
from kedis.persistence.aof_base import write_base
from kedis.persistence.append_file import AppendFile
from kedis.persistence.child import Child
from kedis.persistence.folder import TEMPORARY
from kedis.persistence.manifest import Manifest
from kedis.persistence.rdb_file import adjust_oom_score, write_rdb
from kedis.persistence.reasons import reason_of
from kedis.persistence.worker import InlineWorker, Worker
from kedis.process.clock import monotonic
from kedis.process.system import sync_directory

log = logging.getLogger("kedis.aof")

#: After this many failures in a row, automatic rewrites wait 1, 2, 4 … 60 minutes.
_PATIENCE = 3
_LONGEST_DELAY_MINUTES = 60


class _SyncFailed(OSError):
    """The recorded changes could not be synced: the kernel may have dropped them, and reports it only once."""


class Rewriter:
    """Runs one rewrite at a time.

    Args:
        worker: does the slow steps.
        fork: write the base in a child process; otherwise inline.
        on_end: called with None when a rewrite has succeeded, else with the reason of its failure.
        on_sync_error: called before ``on_end`` when a failed sync of the recorded changes was the reason.

    Attributes:
        afresh: mode of the current or last rewrite; see :meth:`start`.
        fork_seconds: time for which the last fork blocked the loop.
    """

    def __init__(
        self,
        aof: Aof,
        worker: Worker | InlineWorker,
        *,
        fork: bool = True,
        on_end: Callable[[str | None], None] = lambda failure: None,
        on_sync_error: Callable[[Exception], None],
    ) -> None:
        self._aof = aof
        self._worker = worker
        self._fork = fork
        self._on_end = on_end
        self._on_sync_error = on_sync_error
        self.afresh = False
        self._put_off: Callable[[], None] | None = None
        self._cancelled = False
        self._child: Child | None = None
        self._as_rdb = False
        self._began = 0.0
        self._not_before = 0.0
        self._delay_told = False
        self.fork_seconds = 0.0

    # -- starting -----------------------------------------------------------------------------------------

    @property
    def may_start_by_itself(self) -> bool:
        """Whether an automatic rewrite may start now; a delay is logged once."""
        left = self._not_before - monotonic()
        if left > 0 and not self._delay_told:
            self._delay_told = True
            log.warning(
                "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in %d minutes",
                -(-left // 60),
            )
        return not self._aof.aof_rewrite_in_progress and left <= 0

    def start(self, *, afresh: bool = False) -> None:
        """Begin a rewrite; none may be under way.

        ``afresh``: do not rely on the listed files; they are replaced as a whole, or stay.
        """
        aof = self._aof
        aof.aof_rewrite_in_progress = aof.awaits_child = True
        aof.aof_rewrite_scheduled = False
        self.afresh = afresh
        self._cancelled = False
        self._began = aof.rewrite_began = monotonic()
        self._as_rdb = aof.engine.config.aof_use_rdb_preamble
        aof.rewrite_path = self._base_path()
        if afresh:
            self._worker.submit(
                self._open_aside,
                lambda file, error: self._between_scripts(lambda: self._begin_afresh(file, error)),
            )
        elif aof.state == "off":
            self._between_scripts(self._write_base)
        else:
            assert aof.file is not None  # the AOF is on
            old = aof.file
            manifest = aof.folder.manifest.copy()
            path = aof.folder.file(manifest.add_incr(aof.folder.prefix).name)
            self._worker.submit(
                lambda: self._prepare(old, path, manifest),
                lambda file, error: self._between_scripts(lambda: self._switch(file, error, manifest)),
            )

    def _between_scripts(self, step: Callable[[], None]) -> None:
        """Take a step that divides the changes before it from those behind it: now, or when no script runs any more.

        Half of what a script has done would be in the base otherwise, and all of it in the file that follows.
        """
        if self._aof.engine.restrictions.busy is not None:
            self._put_off = step
        else:
            self._put_off = None
            step()

    def _open_aside(self) -> AppendFile:
        path = self._aof.folder.file(f"{TEMPORARY}incr.aof")
        if os.path.exists(path):
            log.info("Removing the temp incr aof file %s, whose base was not written", path)
            remove_if_there(path)
        return AppendFile(path, checksums=self._aof.engine.config.aof_checksum, size=0)

    def _begin_afresh(self, file: AppendFile | None, error: Exception | None) -> None:
        if file is None or self._cancelled:
            self._end(_reason(error))
            return
        aof = self._aof
        aof.discard()
        old = aof.switch_to(file)
        if old is not None:
            self._worker.submit(old.close)
        if not aof.is_recording:
            aof.record("waiting")
        self._write_base()

    def _prepare(self, old: AppendFile, path: str, manifest: Manifest) -> AppendFile:
        _sync(old)
        file = AppendFile(path, checksums=self._aof.engine.config.aof_checksum, size=0)
        os.ftruncate(file.fd, 0)
        os.fsync(file.fd)
        self._aof.folder.write_aside(manifest)
        sync_directory(self._aof.folder.path)
        return file

    def _switch(self, file: AppendFile | None, error: Exception | None, manifest: Manifest) -> None:
        aof = self._aof
        if file is None or self._cancelled:
            self._give_up(error)
            return
        assert aof.file is not None  # the AOF was on at the start, and the rewrite was not cancelled
        try:
            aof.write()
            aof.file.seal()
            _sync(aof.file)
            aof.folder.put_in_place(manifest)
        except Exception as problem:
            file.close()
            self._give_up(problem)
            return
        old = aof.switch_to(file)
        path = aof.folder.path
        self._worker.submit(lambda: sync_directory(path))
        if old is not None:
            self._worker.submit(old.close)
        self._write_base()

    def _give_up(self, error: Exception | None) -> None:
        if isinstance(error, _SyncFailed):
            self._on_sync_error(error)
        self._end(_reason(error))

    # -- the base -----------------------------------------------------------------------------------------

    def _base_path(self) -> str:
        return self._aof.folder.file(f"{TEMPORARY}rewriteaof-bg-{os.getpid()}.aof")

    def _write_base(self) -> None:
        if not self._fork:
            try:
                self._dump(self._base_path())
            except Exception as error:
                self._end(_reason(error))
            else:
                self._finish()
            return
        path = self._base_path()
        try:
            self._child = Child(lambda: self._dump(path))
        except Exception as error:
            self._end(_reason(error))
            return
        self.fork_seconds = self._aof.fork_seconds = self._child.fork_seconds
        self._aof.forked_at = monotonic()
        self._aof.forks += 1
        log.info(
            "rewriting the append-only file in process %d (fork took %.1f ms)",
            self._child.pid,
            self.fork_seconds * 1e3,
        )
        self._aof.rewrite_begun()

    def _dump(self, path: str) -> None:
        engine = self._aof.engine
        config = engine.config
        if self._as_rdb:
            write_rdb(engine, path, is_base=True, in_child=True)
            return
        adjust_oom_score(engine)
        write_base(
            engine.keyspace,
            path,
            checksums=config.aof_checksum,
            timestamps=config.aof_timestamp_enabled,
            sync_in_steps=config.aof_rewrite_incremental_fsync,
            libraries=engine.scripting.library_codes(),
        )

    def poll(self) -> None:
        """Check whether the child has ended; to be called a few times a second."""
        aof = self._aof
        if self._put_off is not None:
            self._between_scripts(self._put_off)
        if self._child is None:
            return
        aof.aof_current_rewrite_time_sec = int(monotonic() - self._began)
        outcome = self._child.poll()
        if outcome is None:
            return
        self._child = None
        aof.aof_last_cow_size = outcome.copied_bytes
        if outcome.failure or self._cancelled:
            self._end(outcome.failure or "cancelled")
        else:
            self._finish()

    def cancel(self) -> None:
        """Kill the rewrite under way; the folder is not changed."""
        if not self._aof.aof_rewrite_in_progress:
            return
        self._cancelled = True
        if self._child is not None:
            log.info("Killing AOF child %d: the rewrite is cancelled", self._child.pid)
            self._child.kill()
            self._child = None
            self._end("cancelled")
        elif self._put_off is not None:
            step, self._put_off = self._put_off, None
            step()

    # -- ending -------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        self._worker.submit(self._list_base, self._listed)

    def _list_base(self) -> int:
        """Add the new base, and a file of changes with a temporary name, to the manifest."""
        folder = self._aof.folder
        file = self._aof.file
        manifest = folder.manifest.copy()
        base = folder.file(manifest.add_base(folder.prefix, as_rdb=self._as_rdb).name)
        if self.afresh and file is not None:
            file.sync()
            manifest.retire_incrs(keep=0)
            path = folder.file(manifest.add_incr(folder.prefix).name)
            os.rename(file.path, path)
            file.path = path
        else:
            manifest.retire_incrs(keep=1 if file is not None else 0)
        os.rename(self._base_path(), base)
        size = os.path.getsize(base)
        sync_directory(folder.path)
        folder.persist(manifest)
        self._aof.delete_history()
        return size

    def _listed(self, base_bytes: int | None, error: Exception | None) -> None:
        if base_bytes is None:
            self._end(_reason(error))
            return
        aof = self._aof
        if aof.state == "waiting":
            aof.state = "on"
        aof.rewritten(base_bytes)
        self._end(None)

    def _end(self, failure: str | None) -> None:
        aof = self._aof
        seconds = monotonic() - self._began
        aof.aof_rewrite_in_progress = False
        aof.aof_current_rewrite_time_sec = -1
        aof.aof_last_rewrite_time_sec = int(seconds)
        aof.rewrite_seconds = seconds
        with contextlib.suppress(OSError):
            remove_if_there(self._base_path())
        if failure is None:
            aof.aof_rewrites += 1
            aof.aof_last_bgrewrite_status = "ok"
            aof.aof_rewrites_consecutive_failures = 0
            self._not_before = 0.0
            log.info("append-only file rewritten in %.1f s, %d bytes", seconds, aof.aof_base_size)
        elif not self._cancelled:
            aof.aof_last_bgrewrite_status = "err"
            aof.aof_rewrites_consecutive_failures += 1
            aof.rewrite_failures += 1
            self._delay(aof.aof_rewrites_consecutive_failures)
            log.warning("rewriting the append-only file failed: %s", failure)
        aof.rewrite_begun(failure)
        self._on_end(failure)

    def _delay(self, failures: int) -> None:
        if failures >= _PATIENCE:
            minutes = min(2 ** (failures - _PATIENCE), _LONGEST_DELAY_MINUTES)
            self._not_before = monotonic() + 60 * minutes
            self._delay_told = False


def _reason(error: Exception | None) -> str:
    if error is None:
        return "cancelled"
    return f"{reason_of(error)} ({getattr(error, 'filename', None) or 'append-only file'})"


def _sync(file: AppendFile) -> None:
    try:
        file.sync()
    except OSError as error:
        raise _SyncFailed(*error.args) from None
