"""The snapshot of a full synchronisation: taken over from the link, loaded, and put in place of the data.

By ``repl-diskless-load`` it goes to a file first, or is read as it comes (``swapdb``, and ``on-empty-db`` where there
are no data). Either way it is whole and sound before the old data go:

* from a file it is read twice where there are old data: first only to see that it can be, since the old and the new
  data need not fit into memory at once. The file then becomes the snapshot of this server;
* as it comes it is read beside the old data.

Clients are answered -LOADING while keys are read in place of data that are gone, or that are of another history; the
old data of the same history are served until they are replaced.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import IO

import gevent

from kedis.persistence.aof import Aof
from kedis.persistence.rdb_file import replace_file
from kedis.persistence.reasons import reason_with_file
from kedis.persistence.saver import Saver
from kedis.process.threads import real_close
from kedis.replication.arrival import Arrival
from kedis.replication.handshake import FullSync, SnapshotBegins
from kedis.replication.replica import Replica
from kedis.server.loading import KeyDelay, timed_loading
from kedis.server.master_link import MasterLink
from kedis.server.network import Network

log = logging.getLogger("kedis.replication")

_FILE_READ = 256 * 1024


class SnapshotIntake:
    """Takes over the snapshots of one server's masters.

    Args:
        aof: shows the figures of loading.
        saver: whose file a snapshot becomes.

    Attributes:
        loads_beside: a snapshot is being loaded beside the data, which are served meanwhile.
        has_changed: the data are others than before :meth:`take`, or gone.
    """

    def __init__(self, network: Network, state: Replica, aof: Aof, saver: Saver) -> None:
        self._network = network
        self._engine = network.engine
        self._state = state
        self._aof = aof
        self._saver = saver
        self.loads_beside = self.has_changed = False

    def take(self, link: MasterLink, full: FullSync, begins: SnapshotBegins) -> int:
        """Take the snapshot over; returns the database in which the stream goes on.

        Raises LinkError, OSError or BadSnapshot; the data are as before then, unless they :attr:`has_changed`.
        """
        self.has_changed = False
        length = begins.length
        reads_at_once = self._reads_at_once()
        if length is None:
            log.info(
                "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to %s",
                "parser" if reads_at_once else "disk",
            )
        else:
            log.info(
                "MASTER <-> REPLICA sync: receiving %d bytes from master to %s",
                length,
                "parser" if reads_at_once else "disk",
            )
        self._state.begin_transfer(length or 0)
        if reads_at_once:
            return self._read_at_once(link, full, length or 0)
        return self._read_by_file(link)

    def _reads_at_once(self) -> bool:
        setting = self._engine.config.repl_diskless_load
        return setting == "swapdb" or (setting == "on-empty-db" and not self._has_data())

    def _has_data(self) -> bool:
        return any(map(len, self._engine.keyspace.databases))

    def _data_of(self, link: MasterLink) -> Callable[[], bytes]:
        state = self._state

        def more() -> bytes:
            data = link.next_snapshot_data()
            state.transferred(len(data))
            return data

        return more

    # -- as it comes --------------------------------------------------------------------------------------

    def _read_at_once(self, link: MasterLink, full: FullSync, length: int) -> int:
        serves = self._has_data() and full.offset >= 0 and full.replid == self._state.history.replid
        arrival = Arrival(self._engine, self._data_of(link), length)
        log.info("MASTER <-> REPLICA sync: Loading DB in memory")
        self._load(arrival, link, refuses=not serves)
        link.end_snapshot()
        return arrival.database

    # -- by a file ----------------------------------------------------------------------------------------

    def _read_by_file(self, link: MasterLink) -> int:
        self._saver.make_folder()
        path = self._saver.path()
        temporary = os.path.join(os.path.dirname(path), f"temp-{int(time.time())}.{os.getpid()}.rdb")
        try:
            with open(temporary, "w+b", buffering=0) as file:
                self._receive(link, file)
                if self._has_data():
                    self._look_through(link, file)
                    self._state.distrust()  # until all of the new data are there, and known to be
                    self._empty(link)
                file.seek(0)
                arrival = Arrival(self._engine, self._data_in(file, link), os.fstat(file.fileno()).st_size)
                log.info("MASTER <-> REPLICA sync: Loading DB in memory")
                self._load(arrival, link, refuses=True)
                self._state.distrust()  # others have a turn before it is said what the data are
                self._keep(file, temporary, path)
                link.check()
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return arrival.database

    def _receive(self, link: MasterLink, file: IO[bytes]) -> None:
        more = self._data_of(link)
        while data := more():
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
        link.end_snapshot()

    def _data_in(self, file: IO[bytes], link: MasterLink) -> Callable[[], bytes]:
        def more() -> bytes:
            link.give_way()
            link.show_life()
            return file.read(_FILE_READ)

        return more

    def _look_through(self, link: MasterLink, file: IO[bytes]) -> None:
        """Read the whole file, and keep nothing but the functions: whether they can be loaded shows when they are.

        Raises BadSnapshot; nothing has changed then.
        """
        file.seek(0)
        arrival = Arrival(self._engine, self._data_in(file, link), keeps=False)
        for _ in arrival.steps():
            link.give_way()
        link.await_quiet()
        arrival.install_libraries()

    def _empty(self, link: MasterLink) -> None:
        """Remove the data; their memory is free afterwards, unless ``replica-lazy-flush`` leaves that for later."""
        log.info("MASTER <-> REPLICA sync: Flushing old data")
        link.await_quiet()
        engine = self._engine
        engine.restrictions.set_loading(True)
        try:
            old = Arrival(engine, bytes)
            self.has_changed = True
            old.install()
            while not engine.config.replica_lazy_flush and engine.keyspace.lazy_free.free(engine.monotonic):
                link.show_life()
                self._network.pass_turn()
        finally:
            engine.restrictions.set_loading(False)

    def _keep(self, file: IO[bytes], temporary: str, path: str) -> None:
        """Make the file this server's snapshot, unless that is not wanted; a failure is only logged."""
        config = self._engine.config
        if config.rdb_del_sync_files and not config.save and not config.appendonly:
            return
        try:
            error = gevent.get_hub().threadpool.apply(_sync, (os.dup(file.fileno()),))
            if error is not None:
                raise error
            replace_file(temporary, path)
        except OSError as error:
            log.warning(
                "Failed trying to rename the temp DB into %s in MASTER <-> REPLICA synchronization: %s",
                path,
                reason_with_file(error),
            )

    # -- loading ------------------------------------------------------------------------------------------

    def _load(self, arrival: Arrival, link: MasterLink, *, refuses: bool) -> None:
        with self._loading(arrival, refuses=refuses), timed_loading(self._aof):
            delay = KeyDelay(arrival, self._engine.config)
            try:
                for _ in arrival.steps():
                    link.give_way()
                    link.show_life()
                    for _ in delay.pauses():
                        link.show_life()
                link.await_quiet()
                arrival.install()
                self.has_changed = True
            finally:
                arrival.discard()

    @contextlib.contextmanager
    def _loading(self, arrival: Arrival, *, refuses: bool) -> Iterator[None]:
        restrictions = self._engine.restrictions
        self._aof.loader = arrival
        self.loads_beside = not refuses
        if refuses:
            restrictions.set_loading(True)
        try:
            yield
        finally:
            self.loads_beside = False
            if refuses:
                restrictions.set_loading(False)


def _sync(fd: int) -> OSError | None:
    """Sync ``fd`` and close it; returns the error: what a thread of gevent's raises is printed, besides.

    The descriptor is the thread's own: the copy may be given up, and its file closed, before the thread comes to it.
    """
    try:
        os.fsync(fd)
    except OSError as error:
        return error
    finally:
        real_close(fd)
    return None
