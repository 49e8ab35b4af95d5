"""When the append-only file is written and synced, and who waits for it: persistence meets the event loop.

Every turn of the loop ends with :meth:`AofService.flush`: what the turn has changed goes out in one write, and then its
replies may go out.  Under ``appendfsync always`` they wait for a sync too, in a thread, while the loop goes on:

* at the end of a turn that changed something, the replies that wait are *sealed* in a batch and a sync begins;
* replies of later turns belong to the batch under way if nothing has been changed since, for then they show nothing
  that it does not make durable; else they wait for the next;
* readers of keys that were not changed since a sync wait for none (:mod:`kedis.persistence.unsynced`);
* when the sync has ended the batch is sent, and the same turn writes and seals the next.

So one sync serves all clients of the turns before it, and nobody, reader or writer, is answered with anything that is
not durable yet.  ``everysec`` hands a sync to the same thread once a second and nobody waits for it.

Faults, by policy:

===============  ===================================  =======================================================
                 always                               everysec, no
===============  ===================================  =======================================================
write fails      stop with exit code 1; what was not  the turn's writes are answered -MISCONF, and all later
                 written was not acknowledged         ones; the entries are kept and tried again ten times a
                                                      second, until all is well
nothing can be   the same                             -MISCONF until a whole new base and file of changes are
recorded                                              written and synced
sync fails       the same                             the same: the kernel may have dropped pages
sync takes long  replies wait                         counted as aof_delayed_fsync from 2 seconds on
===============  ===================================  =======================================================

A write fails by any exception, not only by an error of the disk: there may be no memory for what is to be written.
What cannot be recorded is a change that the journal could not take, or an entry that cannot be encoded.

No exception may leave a callback of the event loop: gevent ends the watch of a descriptor whose callback raises, and
prints the traceback of every other each time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from kedis import errors
from kedis.config import Config, SettingRefused
from kedis.engine.flags import WHOLE_DATABASES
from kedis.engine.table import names_with
from kedis.errors import CommandError
from kedis.errors.fault_log import FaultLog
from kedis.persistence.aof import Aof
from kedis.persistence.append_file import AppendFile
from kedis.persistence.folder import AofError, Folder
from kedis.persistence.reasons import reason_of
from kedis.persistence.rewrite import Rewriter
from kedis.persistence.unsynced import Unsynced
from kedis.persistence.worker import Worker
from kedis.server.progress import Progress, in_slices, timed_loading
from kedis.server.server import StartError

if TYPE_CHECKING:
    from kedis.server.connection import Connection
    from kedis.server.server import NetworkServer

log = logging.getLogger("kedis.aof")

_TICK_SECONDS = 0.1
_SYNC_INTERVAL = 1.0
#: A sync that takes longer is counted as delayed.
_PATIENCE_SECONDS = 2.0
_RETRY_SECONDS = (1.0, 60.0)
#: Failures are logged so often at most, and so often at most is written anew what may differ from memory.
_LOG_INTERVAL = _DISTRUST_INTERVAL = 60.0
#: A sync may be put off for the sake of clients that were just answered: as long as the last took and their requests
#: will, about, but not longer than this.
_LONGEST_GATHERING_NS = 1_000_000
_REQUEST_NS = 12_000
#: Of so many clients this share need not have come: they are read while the disk works.  50 clients gain 3 %, of 10 a
#: sync that serves only 7 would lose 9 %.
_MANY_CLIENTS = 32
_LATE_SHARE = 0.3
#: How long a shutdown waits for the disk where shutdown-timeout sets no limit, and how often it looks.
_SHUTDOWN_SECONDS = 10.0
_SHUTDOWN_STEP = 0.005
_READABLE = 1  # what a watcher of a descriptor waits for


class AofService:
    """The append-only file of a network server.

    Args:
        network: whose engine is recorded and whose cycle is held back.
        on_fatal: called when the server must stop at once, with nothing more answered.
    """

    def __init__(self, network: NetworkServer, on_fatal: Callable[[], None]) -> None:
        self._network = network
        self._engine = network.engine
        self._cycle = network.cycle
        self._on_fatal = on_fatal
        self.aof = Aof(network.engine)
        self.aof.request_rewrite = self.request_rewrite
        loop = network.hub.loop
        self._tick_timer = loop.timer(_TICK_SECONDS, _TICK_SECONDS, ref=False)
        self._worker = Worker()
        self._notice = loop.io(self._worker.notice_fd, _READABLE)
        self._notice.start(self._collect)
        self._faults = FaultLog(log)
        self._rewriter = Rewriter(
            self.aof, self._worker, on_end=self._rewrite_ended, on_sync_error=self._sync_of_rewrite_failed
        )
        self.selective = self._always = False
        self._unsynced_keys = Unsynced(names_with(network.engine.table.rows, WHOLE_DATABASES))
        self._syncing = False
        self._batch: list[Connection] = []  # whose sealed replies wait for the sync under way
        self._expected = 0
        self._gather_until_ns = 0
        self._unsynced = False
        self._sync_began = 0.0
        self._sync_counted = False
        self._write_failed = False
        self._must_replace = self._lost_meanwhile = False
        #: Turned on while a rewrite is being cancelled, whose folder is in use until it has ended.
        self._turns_on_later = False
        self._retry_at = 0.0
        self._retry_seconds = _RETRY_SECONDS[0]
        self._logged_at = -_LOG_INTERVAL
        self._logged = False
        self._distrusted = False
        self._trust_at = -_DISTRUST_INTERVAL
        self._engine.persistence = self.aof
        self._engine.durability = self
        self._engine.config.subscribe("appendonly", self._turn_on_or_off)

    # -- start --------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Lock the folder and read its manifest.  Raises StartError."""
        try:
            self.aof.open()
        except AofError as error:
            raise StartError(str(error)) from None

    def load(self, interrupted: Callable[[], bool]) -> None:
        """Load what is there, giving way to the loop, and record from then on.

        ``interrupted`` is asked between slices; where it says so, loading ends early.  Raises StartError.
        """
        loader = self.aof.replay
        assert loader is not None  # open() made it
        try:
            with timed_loading(self.aof):
                for _ in in_slices(loader.steps(), Progress(loader, log), self._network):
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
        self._tick_timer.start(self._tick)
        self._follow(config)
        config.subscribe("appendfsync", self._follow)
        config.subscribe("aof-checksum", self._follow)
        config.subscribe("aof-timestamp-enabled", self._follow)

    def _follow(self, config: Config) -> None:
        self.selective = self._always = config.appendfsync == "always"
        self._engine.propagation.listener = self._unsynced_keys if self._always else None
        self.aof.timestamps = config.aof_timestamp_enabled
        if self.aof.file is not None:
            self.aof.file.checksums = config.aof_checksum

    # -- end ----------------------------------------------------------------------------------------------

    def stop(self) -> bool:
        """Write and sync what there is, send the replies that waited for it; False when that failed.

        Waits at most ``shutdown-timeout`` seconds.  The network no longer reads.
        """
        self._rewriter.cancel()
        deadline = time.monotonic() + (self._engine.config.shutdown_timeout or _SHUTDOWN_SECONDS)
        while self._is_busy() and time.monotonic() < deadline:
            gevent.sleep(_SHUTDOWN_STEP)
        self._tick_timer.stop()
        good = not self._cycle.halted and self._sync_at_last(deadline)
        self._cycle.journal = None
        if not good:
            self._cycle.halt()
        self.aof.close()
        self._notice.stop()
        self._notice.close()
        if not self._worker.pending:  # else the disk hangs, and the thread with it
            self._worker.close()
        self._tick_timer.close()
        return good

    def discard(self) -> None:
        """After a start that failed: give back the folder, the thread that syncs and its pipes."""
        self._tick_timer.stop()
        self._tick_timer.close()
        self._notice.stop()
        self._notice.close()
        self._worker.close()
        self.aof.close()

    def abandon(self) -> None:
        """In a forked child: close its copies of the file and of the folder, whose lock is the parent's alone then."""
        self.aof.abandon()
        self._worker.abandon()

    def _is_busy(self) -> bool:
        """Whether replies still wait to be made durable by the turns that come."""
        if self._cycle.halted or self._write_failed:
            return False
        return self._syncing or bool(self._engine.propagation.entries) or bool(self._cycle.waiting)

    def _sync_at_last(self, deadline: float) -> bool:
        file = self.aof.file
        try:
            if file is not None:
                self.aof.write()
        except Exception as error:
            log.critical("cannot write the append-only file at shutdown: %s", reason_of(error))
            return False
        outcome: list[Exception | None] = []
        ended = Event()

        def done(result: Any, error: Exception | None) -> None:
            outcome.append(error)
            ended.set()

        self._worker.submit(_nothing if file is None else file.sync, done)
        ended.wait(max(deadline - time.monotonic(), _SHUTDOWN_STEP))
        if not outcome:
            log.critical("the disk has not taken the data within the shutdown timeout")
            return False
        if outcome[0] is not None:
            log.critical("cannot sync the append-only file at shutdown: %s", reason_of(outcome[0]))
        return outcome[0] is None and not self._must_replace

    # -- turns --------------------------------------------------------------------------------------------

    def flush(self) -> bool:
        """Write what this turn has recorded; see :meth:`kedis.server.cycle.TurnJournal.flush`."""
        try:
            return self._flush()
        except Exception as error:
            self._faults.report("writing the append-only file", error)
            self._on_write_error(error)
            return not self._always

    def _flush(self) -> bool:
        changed = self._engine.propagation.entries or self.aof.unwritten
        if not self._always and not self._batch:
            if changed:
                if self._write_failed:
                    self._refuse_turn()
                else:
                    self._write()
            return True
        if self._syncing:
            if not changed:
                self._cycle.seal(self._batch)
            return False
        if not changed:
            return True
        if not self._is_gathering():
            self._begin_batch()
        return False

    def shows_only_durable(self, commands: Sequence[Sequence[bytes]]) -> bool:
        """See :meth:`kedis.server.cycle.TurnJournal.shows_only_durable`."""
        lookup = self._engine.table.lookup
        touches = self._unsynced_keys.touches
        for argv in commands:
            command = lookup(argv[0])
            if command is None or not command.shows_named_keys or touches(argv):
                return False
        return True

    def _is_gathering(self) -> bool:
        """Whether the next sync should wait a moment for those whom the last one has just answered.

        Clients that wait for each reply would otherwise fall apart into two halves, each waiting for the sync of
        the other: twice the syncs for the same requests (10 clients: 5.2 requests a sync instead of 9.4).  What a
        sync costs in processor time and switches of threads outweighs that half could run while the others' is under
        way (50 clients: 38,000 requests a second in halves, 44,000 together).
        """
        if len(self._cycle.waiting) >= self._expected or time.perf_counter_ns() >= self._gather_until_ns:
            return False
        self._network.next_turn(_nothing)  # or the loop would sleep
        return True

    def _plan_gathering(self, nanoseconds: int) -> None:
        """A sync took so long, and those whom it answers, and those who came meanwhile, may come again."""
        clients = len(self._batch) + len(self._cycle.waiting)
        longest = min(nanoseconds + clients * _REQUEST_NS, _LONGEST_GATHERING_NS)
        late = min(int(clients * _LATE_SHARE), nanoseconds // _REQUEST_NS) if clients >= _MANY_CLIENTS else 0
        self._expected = clients - late
        self._gather_until_ns = time.perf_counter_ns() + longest

    def _write(self) -> bool:
        try:
            self.aof.write()
        except Exception as error:
            self._on_write_error(error)
            return False
        self._engine.propagation.epoch += 1
        self._unsynced = True
        return True

    def _begin_sync(self) -> None:
        file = self.aof.file
        assert file is not None  # something has just been written to it
        self._worker.submit(lambda: _timed_sync(file), self._sync_ended)
        self._syncing = True
        self._unsynced = False
        self._sync_counted = False
        self._sync_began = time.monotonic()
        self.aof.aof_pending_bio_fsync = 1
        self.aof.count_group()
        if not self._engine.propagation.entries:  # which would be counted as synced, too
            self._unsynced_keys.begin_sync()

    def _collect(self) -> None:
        """The worker has ended a job."""
        try:
            self._worker.collect()
        except Exception as error:
            self._engine.faults += 1
            self._faults.report("what follows the work of the thread", error)
            self._network.next_turn(self._collect)  # there may be more outcomes

    def _sync_ended(self, nanoseconds: int | None, error: Exception | None) -> None:
        self._syncing = False
        self.aof.aof_pending_bio_fsync = 0
        if nanoseconds is None:
            self.aof.fsync_errors += 1
            self._on_sync_error(error if error is not None else OSError("no outcome"))
        else:
            self.aof.count_sync(nanoseconds)
            self._unsynced_keys.end_sync()
            self._plan_gathering(nanoseconds)
        self._cycle.send_sealed(self._batch)

    def _begin_batch(self) -> None:
        if self._write():
            self._cycle.seal(self._batch)
            self._begin_sync()

    # -- periodic work ------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Ten times a second: what does not belong to any client's turn."""
        try:
            self._look_after()
        except Exception as error:
            self._engine.faults += 1
            self._faults.report("the upkeep of the append-only file", error)

    def _look_after(self) -> None:
        now = time.monotonic()
        self._rewriter.poll()
        if self._cycle.halted:
            return
        if self._write_failed and not self._must_replace and self._write():
            self._write_failed = False
            self._recover()
        self._care_for_syncs(now)
        self._care_for_rewrites(now)

    def _care_for_syncs(self, now: float) -> None:
        config = self._engine.config
        if self._syncing:
            if now - self._sync_began > _PATIENCE_SECONDS and not self._sync_counted:
                self._sync_counted = True
                self.aof.aof_delayed_fsync += 1
                log.warning("the disk is slow: syncing the append-only file takes more than 2 seconds")
            return
        if not self._unsynced or config.appendfsync == "no" or self.aof.file is None:
            return
        if config.no_appendfsync_on_rewrite and self.aof.aof_rewrite_in_progress:
            return
        if now - self._sync_began >= _SYNC_INTERVAL:
            self._begin_sync()

    def _care_for_rewrites(self, now: float) -> None:
        aof = self.aof
        snapshots = self._engine.snapshots
        if aof.aof_rewrite_in_progress or (snapshots is not None and snapshots.rdb_bgsave_in_progress):
            return
        if self._must_replace or aof.state == "waiting":
            if now >= self._retry_at:
                self._rewriter.start(afresh=True)
        elif aof.aof_rewrite_scheduled:
            self._rewriter.start()
        elif self._distrusted and now >= self._trust_at:
            self._distrusted = False
            self._trust_at = now + _DISTRUST_INTERVAL
            self._rewriter.start()
        elif aof.state == "on" and aof.wants_rewrite() and self._rewriter.may_start_by_itself:
            log.info("the append-only file has grown to %d bytes", aof.aof_current_size)
            self._rewriter.start()

    # -- faults -------------------------------------------------------------------------------------------

    def _on_write_error(self, error: BaseException) -> None:
        """What was recorded could not be written; it is kept."""
        if not isinstance(error, (OSError, MemoryError)):  # another attempt would end as this one
            self._faults.report("encoding the append-only file", error)
            self._must_replace = True
        reason = reason_of(error)
        if self._always:
            self._stop_at_once(f"cannot write the append-only file: {reason}")
            return
        self._refuse_writes(reason)
        if not self._write_failed:
            self._write_failed = True
            self._refuse_turn()

    def _refuse_turn(self) -> None:
        """What this turn has written is not in the file: say so to those who have written it."""
        turn = self._engine.propagation.epoch
        self._engine.propagation.epoch += 1
        refusal = CommandError(self._engine.restrictions.write_error or errors.INTERNAL)
        for connection in self._cycle.waiting:
            client = connection.client
            if client.dirty_epoch == turn:
                try:
                    client.refuse_replies(refusal)
                except Exception:  # then nothing is said: what is there is not true
                    client.out.clear()
                    connection.give_up()

    def unrecorded(self, error: BaseException) -> None:
        """A change was made that is not in the journal: nothing may be acknowledged that builds on it."""
        if self.aof.state == "off":
            return
        reason = reason_of(error)
        if self._always:
            self._stop_at_once(f"cannot record a change in the append-only file: {reason}")
            return
        self._must_replace = self._write_failed = True
        self._lost_meanwhile = self.aof.aof_rewrite_in_progress  # whose base may be without it
        self._refuse_writes(reason)

    def _sync_of_rewrite_failed(self, error: Exception) -> None:
        self.aof.fsync_errors += 1
        self._on_sync_error(error)

    def _on_sync_error(self, error: Exception) -> None:
        reason = reason_of(error)
        if self._always:
            self._stop_at_once(f"cannot sync the append-only file: {reason}")
            return
        self._must_replace = True
        self._refuse_writes(reason)

    def _refuse_writes(self, reason: str) -> None:
        self.aof.aof_last_write_status = "err"
        self._engine.restrictions.set_write_error(errors.aof_write_error(reason))
        now = time.monotonic()
        if now - self._logged_at >= _LOG_INTERVAL:
            self._logged_at = now
            self._logged = True
            log.error("writing the append-only file failed: %s; writes are refused until it succeeds", reason)

    def _recover(self) -> None:
        """Accept writes again, if nothing stands against it any more."""
        if self._write_failed or self._must_replace:
            return
        self.aof.aof_last_write_status = "ok"
        self._engine.restrictions.set_write_error(None)
        if self._logged:  # a disk that comes and goes ten times a second must not fill the log
            self._logged = False
            log.warning("the append-only file can be written again; writes are accepted")

    def _stop_at_once(self, text: str) -> None:
        self._cycle.halt()
        log.critical("%s: stopping, so that nothing is acknowledged that could be lost", text)
        self._on_fatal()

    def distrust(self, changed: bool) -> None:
        """An internal error struck after a change: file and memory may differ, so write it anew from memory."""
        if changed and self.aof.state == "on":
            self._distrusted = True
            self._faults.announce(
                "an internal error may have left a change unrecorded: rewriting the append-only file"
            )

    # -- rewriting, and turning on and off ----------------------------------------------------------------

    def request_rewrite(self) -> None:
        """BGREWRITEAOF, when none is in progress."""
        if self.aof.state == "off" and not self._open_folder():
            return
        self._rewriter.start()

    def _rewrite_ended(self, failure: str | None) -> None:
        if failure is None:
            self._retry_seconds = _RETRY_SECONDS[0]
            if self._lost_meanwhile:
                self._lost_meanwhile = False
            elif self._must_replace and self._rewriter.afresh:
                self._must_replace = self._write_failed = False
                self._recover()
        else:
            self._retry_at = time.monotonic() + self._retry_seconds
            self._retry_seconds = min(self._retry_seconds * 2, _RETRY_SECONDS[1])
        if self.aof.state == "off":
            self.aof.folder.close()
        if self._turns_on_later:
            self._turns_on_later = False
            self._turn_on_at_last()

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

    def _turn_on(self) -> None:
        self._rewriter.cancel()
        if self.aof.aof_rewrite_in_progress:
            self._turns_on_later = True
            return
        if not self._open_folder():
            raise SettingRefused("Unable to turn on AOF. Check server logs.")
        self.aof.state = "waiting"
        self._rewriter.start(afresh=True)

    def _turn_off(self) -> None:
        self._rewriter.cancel()
        file = self.aof.file
        try:
            self.aof.write()
            if file is not None:
                file.sync()
        except Exception as error:
            log.error("cannot write the append-only file before it is turned off: %s", reason_of(error))
        self.aof.file = None
        self.aof.close()
        if file is not None:  # behind the sync that may wait in the thread: of a closed file it would fail
            self._worker.submit(file.close)
        self._unsynced = self._write_failed = self._must_replace = False
        self._recover()


def _nothing() -> None:
    """What there is to do in a turn, or a job, that is wanted for itself."""


def _timed_sync(file: AppendFile) -> int:
    began = time.perf_counter_ns()
    file.sync()
    return time.perf_counter_ns() - began
