"""The policy of RDB snapshots in a server: loaded at the start, saved by save points, on request and at shutdown."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from kedis.config import Config
from kedis.errors import CommandError
from kedis.errors.fault_log import FaultLog
from kedis.persistence.rdb_file import DamagedSnapshot, SnapshotLoader
from kedis.persistence.reasons import reason_with_file
from kedis.persistence.saver import Saver
from kedis.server.loading import in_slices, timed_loading
from kedis.server.start_error import StartError

if TYPE_CHECKING:
    from kedis.persistence.aof import Aof
    from kedis.server.network import Network

log = logging.getLogger("kedis.rdb")

_TICK_SECONDS = 0.1


class SnapshotPolicy:
    """Saves the engine of ``network``; never while ``aof`` is being rewritten."""

    def __init__(self, network: Network, aof: Aof) -> None:
        self._network = network
        self._engine = network.engine
        self._aof = aof
        self._faults = FaultLog(log)
        #: What the file that was loaded says of its writer.
        self.notes: dict[str, str] = {}
        #: Keys that were left out of it, as they had expired.
        self.gone: list[tuple[int, bytes]] = []
        self.saver = Saver(network.engine, lambda: aof.aof_rewrite_in_progress)
        self._timer = network.hub.loop.timer(_TICK_SECONDS, _TICK_SECONDS, ref=False)
        self._engine.snapshots = self.saver

    def load(self, interrupted: Callable[[], bool]) -> None:
        """Load the file, if there is one, in slices.  Where save points are set its folder is created.

        ``interrupted`` is asked between slices; where it says so, loading ends early.  Raises StartError.
        """
        if self._engine.config.save:
            self._make_folder()
        path = self.saver.path()
        if not self._engine.config.has_folder() or not os.path.exists(path):
            return
        try:
            with timed_loading(self._aof):
                follows = bool(self._engine.config.replicaof)
                loader = self._aof.loader = SnapshotLoader(self._engine, path, is_base=follows)
                for _ in in_slices(loader, log, self._network):
                    if interrupted():
                        return
            self.saver.loaded(loader.keys, loader.expired)
            self.notes, self.gone = loader.notes, loader.gone
            log.info("loaded %d keys, %d bytes from %s", loader.keys, loader.loaded_bytes, path)
        except DamagedSnapshot as damage:
            log.critical("Terminating server after rdb file reading failure.")
            raise StartError(str(damage)) from None
        except OSError as error:
            raise StartError(f"cannot read {path}: {reason_with_file(error)}") from None

    def _make_folder(self) -> None:
        """Create the folder: a server that could not save at shutdown must not start."""
        try:
            self.saver.make_folder()
        except OSError as error:
            raise StartError(
                f"cannot use the folder {self._engine.config.dir}: {reason_with_file(error)}"
            ) from None

    def warn_of_ignored_file(self) -> None:
        """Warn when an empty append-only file was loaded instead of an existing snapshot."""
        path = self.saver.path()
        if os.path.exists(path) and not any(map(len, self._engine.keyspace.databases)):
            log.warning(
                "%s is not loaded, because appendonly is on. To take it over: start with --appendonly no, "
                "then CONFIG SET appendonly yes",
                path,
            )

    def start(self) -> None:
        """Begin to save by the save points."""
        if self._engine.config.appendonly:  # it exists: the append-only file is in it
            self.saver.make_folder()
        self._timer.start(self._tick)
        for name in ("save", "stop-writes-on-bgsave-error"):
            self._engine.config.subscribe(name, self._follow)

    def stop(self) -> None:
        """Stop saving; a BGSAVE in progress is cancelled."""
        self._timer.stop()
        self._timer.close()
        self.saver.cancel()
        self.saver.close()

    def save_at_end(self, words: frozenset[str]) -> bool:
        """Save before shutdown, if ``words`` (of SHUTDOWN, or the settings) or the save points want it.

        A server that is still loading has nothing to save, as in Redis.  Returns False when saving failed and
        ``force`` is not among them.
        """
        if self._engine.loading or "nosave" in words or not ("save" in words or self._engine.config.save):
            return True
        self.saver.cancel()
        try:
            self.saver.save()
        except CommandError:
            if "force" in words:
                return True
            log.error("Error trying to save the DB, can't exit.")  # in the words that operators know
            return False
        log.info("saved to %s", self.saver.path())
        return True

    def _follow(self, _config: Config) -> None:
        self.saver.judge()

    def _tick(self) -> None:
        try:
            self.saver.poll()
            if self.saver.wants_to_start():
                self.saver.start()
        except Exception as error:
            self._engine.faults += 1
            self._faults.report("saving", error)
