"""The policy of the append-only file in a server: when it is loaded, written, synced, rewritten, turned on or off.

Every turn of the loop ends with :meth:`AofPolicy.flush`: what the turn has changed goes out in one write, and then its
replies may be sent.  Under ``appendfsync always`` they wait for a sync too (:mod:`kedis.server.group_commit`).
Faults are :mod:`kedis.server.aof_faults`.

No exception may leave a callback of the event loop: gevent ends the watch of a descriptor whose callback raises, and
prints the traceback of every other each time.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from gevent.event import Event

from kedis.config import Config, SettingRefused
from kedis.persistence.aof import Aof
from kedis.persistence.append_file import AppendFile
from kedis.persistence.folder import AofError, Folder
from kedis.persistence.reasons import reason_of
from kedis.persistence.rewrite import Rewriter
from kedis.process.clock import monotonic
from kedis.server.aof_faults import AofFaults
from kedis.server.group_commit import GroupCommit
from kedis.server.loading import in_slices, timed_loading
from kedis.server.network import Network
from kedis.server.start_error import StartError

log = logging.getLogger("kedis.aof")

_CRON_SECONDS = 0.1
#: How often what was written gets a checksum.
_SEAL_SECONDS = 1.0
#: Delay of a rewrite after one that failed: the first, and the longest, in seconds.
_RETRY_SECONDS = (1.0, 60.0)
#: How long a shutdown waits for the disk where shutdown-timeout sets no limit, and how often it looks.
_SHUTDOWN_SECONDS = 10.0
_SHUTDOWN_STEP = 0.005


class AofPolicy:
    """The append-only file of a network server.

    Args:
        network: whose engine is recorded and whose replies are held back.
        on_fatal: called when the server must stop at once, with nothing more answered.
    """

    def __init__(self, network: Network, on_fatal: Callable[[], None]) -> None:
        self._network = network
        self._engine = network.engine
        self._cycle = network.cycle
        self.aof = Aof(network.engine)
        self.aof.request_rewrite = self.request_rewrite
        self._timer = network.hub.loop.timer(_CRON_SECONDS, _CRON_SECONDS, ref=False)
        self._faults = AofFaults(network, self.aof, on_fatal)
        self.commits = GroupCommit(
            network, self.aof, self._write, self._faults.fail_sync, self._report_outcome
        )
        self._rewriter = Rewriter(
            self.aof,
            self.commits.worker,
            on_end=self._rewrite_ended,
            on_sync_error=self._faults.fail_sync,
        )
        self.selective = self._always = False
        #: Turned on while a rewrite is being cancelled, whose folder is in use until it has ended.
        self._turns_on_later = False
        #: Called once, when the file that has been turned on is whole.
        self.on_whole: Callable[[], None] | None = None
        self._retry_at = self._sealed_at = 0.0
        self._retry_seconds = _RETRY_SECONDS[0]
        self._engine.persistence = self.aof
        self._engine.durability = self._faults
        self._engine.config.subscribe("appendonly", self._turn_on_or_off)
        self._engine.config.subscribe("aof-disable-auto-gc", self._delete_history)

    # -- start --------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Lock the folder and read its manifest.  Raises StartError."""
        try:
            self.aof.open()
        except AofError as error:
            remedy = "\n  give this one a folder of its own: --dir FOLDER" if error.is_in_use else ""
            raise StartError(f"{error}{remedy}") from None

    def load(self, interrupted: Callable[[], bool]) -> None:
        """Load what is there, giving way to the loop, and record from then on.

        ``interrupted`` is asked between slices; where it says so, loading ends early.  Raises StartError.
        """
        loader = self.aof.replay
        assert loader is not None  # open() made it
        try:
            with timed_loading(self.aof):
                for _ in in_slices(loader, log, self._network):
                    if interrupted():
                        return
                self.aof.begin()
        except AofError as error:
            raise StartError(str(error)) from None
        if loader.commands:
            log.info("loaded %d commands, %d bytes", loader.commands, loader.loaded_bytes)

    def start(self) -> None:
        """Take part in the turns of the loop."""
        config = self._engine.config
        self._cycle.journal = self
        self._timer.start(self._cron)
        self._follow(config)
        config.subscribe("appendfsync", self._follow)
        config.subscribe("aof-checksum", self._follow)
        config.subscribe("aof-timestamp-enabled", self._follow)

    def _follow(self, config: Config) -> None:
        self.selective = self._always = self._faults.always = config.appendfsync == "always"
        self._engine.propagation.listener = self.commits.unsynced_keys if self._always else None
        self.aof.timestamps = config.aof_timestamp_enabled
        if self.aof.file is not None:
            self.aof.file.checksums = config.aof_checksum

    # -- end ----------------------------------------------------------------------------------------------

    def stop(self) -> bool:
        """Write and sync what there is, send the replies that waited for it; False when that failed.

        Waits at most ``shutdown-timeout`` seconds.  The network no longer reads.
        """
        self._rewriter.cancel()
        deadline = monotonic() + (self._engine.config.shutdown_timeout or _SHUTDOWN_SECONDS)
        while self._is_busy() and monotonic() < deadline:
            gevent.sleep(_SHUTDOWN_STEP)
        self._timer.stop()
        good = not self._cycle.halted and self._sync_at_last(deadline)
        self._cycle.journal = None
        if not good:
            self._cycle.halt()
        self.aof.close()
        self.commits.stop()
        self._timer.close()
        return good

    def discard(self) -> None:
        """After a start that failed: give back the folder, the thread that syncs and its pipes."""
        self._timer.stop()
        self._timer.close()
        self.commits.discard()
        self.aof.close()

    def abandon(self) -> None:
        """In a forked child: close its copies of the file and of the folder, whose lock is the parent's alone then."""
        self.aof.abandon()
        self.commits.worker.abandon()

    def _is_busy(self) -> bool:
        """Whether replies still wait to be made durable by the turns that come."""
        if self._cycle.halted or self._faults.write_failed:
            return False
        return self.commits.syncing or bool(self._engine.propagation.entries) or bool(self._cycle.waiting)

    def _sync_at_last(self, deadline: float) -> bool:
        try:
            if self.aof.file is not None:
                self.aof.write()
                self.aof.file.seal()
        except Exception as error:
            log.critical("cannot write the append-only file at shutdown: %s", reason_of(error))
            return False
        outcome: list[Exception | None] = []
        ended = Event()

        def done(result: Any, error: Exception | None) -> None:
            outcome.append(error)
            ended.set()

        self.commits.submit_last_sync(done)
        ended.wait(max(deadline - monotonic(), _SHUTDOWN_STEP))
        if not outcome:
            log.critical("the disk has not taken the data within the shutdown timeout")
            return False
        if outcome[0] is not None:
            log.critical("cannot sync the append-only file at shutdown: %s", reason_of(outcome[0]))
        return outcome[0] is None and not self._faults.must_replace

    # -- turns --------------------------------------------------------------------------------------------

    def flush(self) -> bool:
        """Write what this turn has recorded; see :meth:`kedis.server.before_sleep.TurnJournal.flush`."""
        try:
            return self._flush()
        except Exception as error:
            self._faults.report("writing the append-only file", error)
            self._faults.fail_write(error)
            return not self._always

    @property
    def holds_replies(self) -> bool:
        """Whether replies may have to wait for a sync."""
        return self._always or bool(self.commits.batch)

    def direct_file(self) -> AppendFile | None:
        """The file, where the changes of a turn may be written to it at once and then the replies sent; else None."""
        aof, propagation = self.aof, self._engine.propagation
        if (
            self._always
            or self.commits.batch
            or self._faults.write_failed
            or aof.timestamps
            or self._engine.debug.flush_delay_us
            or aof.unwritten
            or propagation.entries
            or not propagation.feeds(aof)
        ):
            return None
        return aof.file

    @property
    def has_entries(self) -> bool:
        """Whether something is to be written."""
        return bool(self._engine.propagation.entries or self.aof.unwritten)

    def _flush(self) -> bool:
        changed = self.has_entries
        if self._always or self.commits.batch:
            return self.commits.flush(changed)
        if changed:
            if self._faults.write_failed:
                self._faults.refuse_turn()
            else:
                self._write()
        return True

    def shows_only_durable(self, commands: Sequence[Sequence[bytes]]) -> bool:
        """See :meth:`kedis.server.before_sleep.TurnJournal.shows_only_durable`."""
        return self.commits.shows_only_durable(commands)

    def touches_unsynced(self, argv: Sequence[bytes]) -> bool:
        """See :meth:`kedis.server.before_sleep.TurnJournal.touches_unsynced`."""
        return self.commits.unsynced_keys.touches(argv)

    def _write(self) -> bool:
        try:
            self.aof.write()
        except Exception as error:
            self._faults.fail_write(error)
            return False
        self._engine.propagation.epoch += 1
        self.commits.unsynced = True
        return True

    # -- periodic work ------------------------------------------------------------------------------------

    def _cron(self) -> None:
        """Ten times a second: failed writes are tried again, syncs and rewrites begun."""
        try:
            self._run_cron()
        except Exception as error:
            self._engine.faults += 1
            self._faults.report("the upkeep of the append-only file", error)

    def _run_cron(self) -> None:
        now = monotonic()
        self._rewriter.poll()
        if self._cycle.halted:
            return
        if self._faults.write_failed and not self._faults.must_replace and self._write():
            self._faults.written()
        self._seal(now)
        self.commits.check_fsync(now)
        self._check_rewrite(now)

    def _seal(self, now: float) -> None:
        """Once a second: a checksum behind what was written; not while writing fails, which is tried for itself."""
        file = self.aof.file
        if file is None or self._faults.write_failed or now - self._sealed_at < _SEAL_SECONDS:
            return
        self._sealed_at = now
        with contextlib.suppress(
            OSError
        ):  # where the disk takes no more, the next change says so to its client
            file.seal()

    def _report_outcome(self, error: Exception) -> None:
        self._engine.faults += 1
        self._faults.report("what follows the work of the thread", error)

    # -- rewrites -----------------------------------------------------------------------------------------

    def request_rewrite(self) -> None:
        """BGREWRITEAOF, when none is in progress."""
        if self.aof.state == "off" and not self._open_folder():
            return
        self._rewriter.start()

    def _check_rewrite(self, now: float) -> None:
        aof = self.aof
        if aof.aof_rewrite_in_progress or self._saves_snapshot():
            return
        if self._faults.must_replace or aof.state == "waiting":
            if now >= self._retry_at:
                self._rewriter.start(afresh=True)
        elif aof.aof_rewrite_scheduled:
            aof.aof_rewrite_scheduled = False
            self.request_rewrite()
        elif self._faults.wants_rewrite(now):
            self._rewriter.start()
        elif aof.state == "on" and aof.wants_rewrite() and self._rewriter.may_start_by_itself:
            log.info("the append-only file has grown to %d bytes", aof.aof_current_size)
            self._rewriter.start()

    def _delete_history(self, _config: Config) -> None:
        """Delete what ``aof-disable-auto-gc`` has kept; during a rewrite that does it at its end."""
        if self.aof.state == "on" and not self.aof.aof_rewrite_in_progress:
            try:
                self.aof.delete_history()
            except OSError as error:
                log.warning("cannot delete append-only files that are no longer needed: %s", reason_of(error))

    def _saves_snapshot(self) -> bool:
        snapshots = self._engine.snapshots
        return snapshots is not None and bool(snapshots.rdb_bgsave_in_progress)

    def _rewrite_ended(self, failure: str | None) -> None:
        if failure is None:
            self._retry_seconds = _RETRY_SECONDS[0]
            self._faults.replaced(self._rewriter.afresh)
            if self.on_whole is not None:
                self._network.next_turn(self.on_whole)
                self.on_whole = None
        else:
            self._retry_at = monotonic() + self._retry_seconds
            self._retry_seconds = min(self._retry_seconds * 2, _RETRY_SECONDS[1])
        if self.aof.state == "off":
            self.aof.folder.close()
        if self._turns_on_later:
            self._turns_on_later = False
            self._turn_on_at_last()

    # -- turning on and off -------------------------------------------------------------------------------

    def _turn_on_at_last(self) -> None:
        config = self._engine.config
        if config.appendonly and self.aof.state == "off":
            try:
                self._turn_on()
            except SettingRefused:
                config.appendonly = False
                log.error("the append-only file could not be turned on: appendonly is off")

    def _open_folder(self) -> bool:
        config = self._engine.config
        self.aof.folder = Folder(config.dir, config.appenddirname, config.appendfilename)
        try:
            self.aof.folder.open()
        except AofError as error:
            log.error("%s", error)
            return False
        return True

    def _turn_on_or_off(self, config: Config) -> None:
        if self._engine.loading:  # what is turned on or off is not known before the journal is open
            raise SettingRefused("Not while the data are being loaded.")
        if config.appendonly == self.aof.aof_enabled:
            return
        if config.appendonly:
            self._turn_on()
        else:
            self._turn_off()

    def start_over(self) -> None:
        """All data were replaced by others that nobody has recorded: begin with a new base, if the file is on."""
        if self.aof.aof_enabled:
            self._turn_off()
            self._turn_on_at_last()

    def _turn_on(self) -> None:
        self._rewriter.cancel()
        if self.aof.aof_rewrite_in_progress:
            self._turns_on_later = True
            return
        if not self._open_folder():
            raise SettingRefused("Unable to turn on AOF. Check server logs.")
        self.aof.state = "waiting"
        if self._saves_snapshot() or self._engine.execution is not None:
            self.aof.aof_rewrite_scheduled = True
            log.info("AOF background was scheduled to start when possible: the append-only file is turned on")
            return
        self._rewriter.start(afresh=True)

    def may_end(self, *, forced: bool) -> bool:
        """Whether the server may end: not while the file that has been turned on is not whole, unless it is forced."""
        if self.aof.state != "waiting":
            return True
        log.warning("Writing initial AOF. Exit anyway." if forced else "Writing initial AOF, can't exit.")
        return forced

    def _turn_off(self) -> None:
        self._rewriter.cancel()
        file = self.aof.file
        try:
            self.aof.write()
            if file is not None:
                file.seal()
                file.sync()
        except Exception as error:
            log.error("cannot write the append-only file before it is turned off: %s", reason_of(error))
        self.aof.file = None
        self.aof.close()
        if file is not None:  # behind the sync that may wait in the thread: of a closed file it would fail
            self.commits.worker.submit(file.close)
        self.commits.unsynced = False
        self._faults.forget()
