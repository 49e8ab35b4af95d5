"""Group commit: one sync of the append-only file makes the writes of many clients durable.

Under ``appendfsync always`` replies wait for a sync, in a thread, while the loop goes on:

* at the end of a turn that changed something, the replies that wait are *sealed* in a batch and a sync begins;
* replies of later turns belong to the batch under way if nothing has been changed since, for then they show nothing
  that it does not make durable; else they wait for the next;
* readers of keys that were not changed since a sync wait for none (:mod:`kedis.persistence.unsynced`);
* when the sync has ended the batch is sent, and the same turn writes and seals the next.

So one sync serves all clients of the turns before it, and no client, reader or writer, is sent anything that is not
durable yet.  Where the disk is quick, a sync takes less time than two switches of threads: then the loop syncs itself,
and the replies of the turn are sent at once.  ``everysec`` hands a sync to the same thread once a second and no client
waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from kedis.engine.flags import WHOLE_DATABASES
from kedis.engine.table import names_with
from kedis.persistence.aof import Aof
from kedis.persistence.append_file import AppendFile
from kedis.persistence.unsynced import Unsynced
from kedis.persistence.worker import Worker
from kedis.process.clock import monotonic, monotonic_ns
from kedis.server.network import Network
from kedis.server.peer import Peer

log = logging.getLogger("kedis.aof")

_SYNC_INTERVAL_SECONDS = 1.0
#: A sync that takes longer is counted as delayed.
_SLOW_SYNC_SECONDS = 2.0
#: Group-commit delay: a sync may wait for the clients just answered as long as the last sync and their requests take,
#: about, but not longer than this.
_LONGEST_DELAY_NS = 1_000_000
_REQUEST_NS = 12_000
#: From so many clients on, this share need not have come: they are read while the disk works.  50 clients gain 3 %, of
#: 10 a sync that serves only 7 would lose 9 %.
_MANY_CLIENTS = 32
_LATE_SHARE = 0.3
#: The loop itself syncs after so many syncs of less than the first time, until one takes longer than the second.
_QUICK_SYNCS = 8
_QUICK_NS = 300_000
_SLOW_NS = 2_000_000
_READABLE = 1  # what a watcher of a descriptor waits for


class GroupCommit:
    """Syncs ``aof`` in a thread, and holds replies back until then.

    Args:
        write: writes what is recorded; False when that has failed.
        on_sync_error: called with the error of a failed sync.
        on_internal_error: called with an exception of what follows a job of the thread.

    Attributes:
        worker: the thread; it also does the slow steps of rewrites.
        batch: clients whose sealed replies wait for the sync under way.
        syncing: a sync is under way.
        unsynced: something was written after the last sync began.
        unsynced_keys: the keys changed since then.
    """

    def __init__(
        self,
        network: Network,
        aof: Aof,
        write: Callable[[], bool],
        on_sync_error: Callable[[Exception], None],
        on_internal_error: Callable[[Exception], None],
    ) -> None:
        self._network = network
        self._cycle = network.cycle
        self._aof = aof
        self._write = write
        self._on_sync_error = on_sync_error
        self._on_internal_error = on_internal_error
        self.worker = Worker()
        self._notice = network.hub.loop.io(self.worker.notice_fd, _READABLE)
        self._notice.start(self._collect)
        self.batch: list[Peer] = []
        self.syncing = False
        self.unsynced = False
        self.unsynced_keys = Unsynced(names_with(network.engine.table.rows, WHOLE_DATABASES))
        #: Quick syncs since the last one that was not.
        self._quick_syncs = 0
        self._expected = 0
        self._delay_until_ns = 0
        self._sync_began = 0.0
        self._counted_as_slow = False

    # -- appendfsync always -------------------------------------------------------------------------------

    def flush(self, changed: bool) -> bool:
        """End a turn in which something was ``changed`` or not; True when its replies may be sent now."""
        if self.syncing:
            if not changed:
                self._cycle.seal(self.batch)
            return False
        if not changed:
            return True
        if self._aof.file is None:
            return self._pass_on()
        return not self._is_delayed() and self._begin_batch()

    def shows_only_durable(self, commands: Sequence[Sequence[bytes]]) -> bool:
        """See :meth:`kedis.server.before_sleep.TurnJournal.shows_only_durable`."""
        lookup = self._network.engine.table.lookup
        touches = self.unsynced_keys.touches
        for argv in commands:
            command = lookup(argv[0])
            if command is None or not command.shows_named_keys or touches(argv):
                return False
        return True

    def _pass_on(self) -> bool:
        """Give replicas what is recorded for them alone, while there is no file; True, unless that fails."""
        if not self._write():
            return False
        self.unsynced_keys.begin_sync()  # no sync will come that could end for these keys
        self.unsynced_keys.end_sync()
        return True

    def _begin_batch(self) -> bool:
        """Write and sync, or begin to; True when all is durable."""
        if not self._write():
            return False
        if self._quick_syncs >= _QUICK_SYNCS:
            return self._sync_at_once()
        self._cycle.seal(self.batch)
        self.begin_sync()
        return False

    def _sync_at_once(self) -> bool:
        """Sync in the loop; True when replies may be sent."""
        file = self._file_to_sync()
        try:
            nanoseconds = _timed_sync(file)
        except Exception as error:
            self._quick_syncs = 0
            self._on_sync_error(error)
        else:
            self._count(nanoseconds)
        return not self._cycle.halted

    def _is_delayed(self) -> bool:
        """Whether the next sync waits for the clients just answered, so that it covers them all (group-commit delay).

        Clients that wait for each reply would otherwise fall apart into two halves, each waiting for the sync of
        the other: twice the syncs for the same requests (10 clients: 5.2 requests a sync instead of 9.4).  What a
        sync costs in processor time and switches of threads outweighs that half could run while the others' is under
        way (50 clients: 38,000 requests a second in halves, 44,000 together).
        """
        if len(self._cycle.waiting) >= self._expected or monotonic_ns() >= self._delay_until_ns:
            return False
        self._network.next_turn(_no_op)  # or the loop would sleep
        return True

    def _plan_delay(self, sync_ns: int) -> None:
        """Set the delay of the next sync, after one that took ``sync_ns``.

        The clients that it answers, and those that came meanwhile, are expected to send again.
        """
        clients = len(self.batch) + len(self._cycle.waiting)
        longest = min(sync_ns + clients * _REQUEST_NS, _LONGEST_DELAY_NS)
        late = min(int(clients * _LATE_SHARE), sync_ns // _REQUEST_NS) if clients >= _MANY_CLIENTS else 0
        self._expected = clients - late
        self._delay_until_ns = monotonic_ns() + longest

    # -- syncs --------------------------------------------------------------------------------------------

    def begin_sync(self) -> None:
        """Sync the file in the thread."""
        file = self._file_to_sync()
        self.worker.submit(lambda: _timed_sync(file), self._sync_ended)
        self.syncing = True
        self._counted_as_slow = False
        self._aof.aof_pending_bio_fsync = 1

    def _file_to_sync(self) -> AppendFile:
        """The file, whose sync begins now."""
        file = self._aof.file
        assert file is not None  # something has just been written to it
        self.unsynced = False
        self._sync_began = monotonic()
        self._aof.count_group()
        if not self._aof.has_unwritten:  # which would be counted as synced, too
            self.unsynced_keys.begin_sync()
        return file

    def _sync_ended(self, nanoseconds: int | None, error: Exception | None) -> None:
        self.syncing = False
        self._aof.aof_pending_bio_fsync = 0
        if nanoseconds is None:
            self._quick_syncs = 0
            self._on_sync_error(error if error is not None else OSError("no outcome"))
        else:
            self._count(nanoseconds)
        self._cycle.send_sealed(self.batch)

    def _count(self, nanoseconds: int) -> None:
        """A sync has ended well."""
        self._aof.count_sync(nanoseconds)
        self.unsynced_keys.end_sync()
        self._plan_delay(nanoseconds)
        if nanoseconds < _QUICK_NS:
            self._quick_syncs += 1
        elif nanoseconds > _SLOW_NS or self._quick_syncs < _QUICK_SYNCS:
            self._quick_syncs = 0

    def check_fsync(self, now: float) -> None:
        """Periodic: begin the sync of each second, and count one that takes long as delayed."""
        config = self._network.engine.config
        if self.syncing:
            if now - self._sync_began > _SLOW_SYNC_SECONDS and not self._counted_as_slow:
                self._counted_as_slow = True
                self._aof.aof_delayed_fsync += 1
                log.warning("the disk is slow: syncing the append-only file takes more than 2 seconds")
            return
        if not self.unsynced or config.appendfsync == "no" or self._aof.file is None:
            return
        if config.no_appendfsync_on_rewrite and self._aof.aof_rewrite_in_progress:
            return
        if now - self._sync_began >= _SYNC_INTERVAL_SECONDS:
            self.begin_sync()

    def _collect(self) -> None:
        """The thread has ended a job."""
        try:
            self.worker.collect()
        except Exception as error:
            self._on_internal_error(error)
            self._network.next_turn(self._collect)  # there may be more outcomes

    # -- end ----------------------------------------------------------------------------------------------

    def submit_last_sync(self, done: Callable[[int | None, Exception | None], None]) -> None:
        """Sync what was written, and call ``done``; behind all jobs of the thread."""
        file = self._aof.file
        self.worker.submit(_no_op if file is None else file.sync, done)

    def stop(self) -> None:
        """End the thread, unless it hangs in the disk."""
        self._notice.stop()
        self._notice.close()
        if not self.worker.pending:
            self.worker.close()

    def discard(self) -> None:
        """After a start that failed: end the thread and close its pipes."""
        self._notice.stop()
        self._notice.close()
        self.worker.close()


def _no_op() -> None:
    """A deferred call, or a job, whose turn is all that is wanted."""


def _timed_sync(file: AppendFile) -> int:
    began = monotonic_ns()
    file.sync()
    return monotonic_ns() - began
