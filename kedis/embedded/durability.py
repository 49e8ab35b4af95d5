"""The append-only file of an engine that is embedded in a program without an event loop.

Each request ends with :meth:`EmbeddedAof.settle`, before its replies can be read: its changes are written, and under
``always`` synced. Under ``everysec`` a thread syncs once a second. There is no child process, because a program may
have threads that a fork would break: a rewrite runs inline, and only on request or by the automatic rule.

Faults: a failed write is answered with -MISCONF and retried by the next request; after a failed sync the whole
file is rewritten first. Under ``always`` either error ends the store: every later request raises, and unsynced changes
were never acknowledged.
"""

from __future__ import annotations

from kedis import errors
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.errors import CommandError
from kedis.persistence.aof import Aof
from kedis.persistence.append_file import AppendFile
from kedis.persistence.folder import AofError
from kedis.persistence.reasons import reason_of
from kedis.persistence.rewrite import Rewriter
from kedis.persistence.worker import InlineWorker
from kedis.persistence.write_status import WriteStatus
from kedis.process.clock import monotonic_ns
from kedis.process.threads import Latch, start_thread

_SYNC_INTERVAL = 1.0


class EmbeddedAof:
    """Loads the folder named by the engine's settings, and records from then on.

    All methods are called with the engine's lock held, except by the thread that syncs. Raises AofError when
    the folder cannot be used.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.aof = Aof(engine)
        self._status = WriteStatus(self.aof)
        self._rewriter = Rewriter(
            self.aof,
            InlineWorker(),
            fork=False,
            on_end=self._rewrite_ended,
            on_sync_error=self._sync_failed,
        )
        self._unsynced = False
        self._sync_failure: Exception | None = None
        #: The file and the exception of a failed sync in the thread.
        self._failed_sync: tuple[AppendFile, Exception] | None = None
        self._closing = Latch()
        self.failure: str | None = None
        self._load()
        engine.persistence = self.aof
        self.aof.request_rewrite = self._schedule_rewrite
        engine.durability = self
        self._thread = start_thread(self._sync_regularly, "kedis-sync")

    def _load(self) -> None:
        loader = self.aof.open()
        self._engine.set_loading(True)
        try:
            for _ in loader.steps():
                pass
            self.aof.begin()
        except AofError:
            self.aof.close()
            raise
        finally:
            self._engine.set_loading(False)

    def settle(self, client: Client) -> CommandError | None:
        """Write and sync the recorded changes as the policy demands, before ``client`` is answered.

        Returns the error that takes the place of its replies, where its changes could not be written; those in
        ``client.out`` are replaced already. Raises OSError when the store has ended.
        """
        refusal = None
        if self.failure is not None:
            raise OSError(self.failure)
        if self._failed_sync is not None:
            file, error = self._failed_sync
            self._failed_sync = None
            if file is self.aof.file:  # otherwise a rewrite has replaced and closed it
                self._sync_failure = error
        if self._sync_failure is not None:
            self._write_anew(self._sync_failure)
            if self._sync_failure is not None:
                refusal = self._refuse_turn(client)
        if self.aof.has_unwritten:
            refusal = self._write(client) or refusal
        if self.aof.aof_rewrite_scheduled or (
            self.aof.wants_rewrite() and self._rewriter.may_start_by_itself
        ):
            self._rewriter.start()
        return refusal

    def _write(self, client: Client) -> CommandError | None:
        always = self._engine.config.appendfsync == "always"
        try:
            self.aof.write()
            self._unsynced = True
            if always and self.aof.file is not None:
                self.aof.file.sync()
                self._unsynced = False
        except Exception as error:
            reason = reason_of(error)
            if always:
                self.failure = f"the append-only file has failed: {reason}"
                raise OSError(self.failure) from error
            self._status.refuse_writes(reason)
            return self._refuse_turn(client)
        self._engine.propagation.epoch += 1
        if self._engine.restrictions.write_error is not None and self._sync_failure is None:
            self._status.accept_writes()
        return None

    def _refuse_turn(self, client: Client) -> CommandError | None:
        """Replace the replies of ``client`` if it has just written; returns the error, or None if it has not.

        Raises OSError where that is impossible, because the replies would be false.
        """
        turn = self._engine.propagation.epoch
        self._engine.propagation.epoch += 1
        text = self._engine.restrictions.write_error or errors.INTERNAL
        if not self._status.withdraw_replies(client, turn):
            raise OSError(text)
        return CommandError(text) if client.dirty_epoch == turn else None

    def _write_anew(self, error: Exception) -> None:
        self._status.refuse_writes(reason_of(error))
        self._rewriter.start(afresh=True)

    def _rewrite_ended(self, failure: str | None) -> None:
        if failure is None and self._sync_failure is not None and self._rewriter.afresh:
            self._sync_failure = None
            self._status.accept_writes()

    def _sync_failed(self, error: Exception) -> None:
        self._sync_failure = error

    def distrust(self, changed: bool) -> None:
        """Schedule a rewrite after an internal error if, because of it, file and memory may differ (``changed``)."""
        self.aof.aof_rewrite_scheduled = self.aof.aof_rewrite_scheduled or changed

    def unrecorded(self, error: BaseException) -> None:
        """Acknowledge nothing before the file, which misses a change, is rewritten; under ``always`` end the store."""
        if self._engine.config.appendfsync == "always":
            self.failure = f"the append-only file has failed: {reason_of(error)}"
        elif isinstance(error, Exception):
            self._sync_failure = error

    def _schedule_rewrite(self) -> None:
        self.aof.aof_rewrite_scheduled = True

    def _sync_regularly(self) -> None:
        """Sync the written changes once a second, in a thread of its own, under ``everysec``.

        The flag is cleared before the sync begins: later writes set it again.
        """
        while not self._closing.wait(_SYNC_INTERVAL):
            file = self.aof.file
            if not self._unsynced or self._engine.config.appendfsync != "everysec" or file is None:
                continue
            self._unsynced = False
            began = monotonic_ns()
            try:
                file.sync()
            except Exception as error:
                self._failed_sync = (file, error)
            else:
                self.aof.count_sync(monotonic_ns() - began)

    def close(self) -> None:
        """Write and sync the rest, and release the folder. Raises OSError; idempotent."""
        if self._closing.is_set:
            return
        self._closing.set()
        self._thread.join()
        try:
            if self.failure is None and self.aof.file is not None:
                self.aof.write()
                self.aof.file.seal()
                self.aof.file.sync()
        finally:
            self.aof.close()

    def abandon(self) -> None:
        """In a forked child: close the descriptors, the folder's lock among them, and write nothing."""
        self.aof.abandon()
