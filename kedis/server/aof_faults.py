"""Faults of the append-only file: who is refused, and what has to happen before writes are accepted again.

===============  ===================================  =======================================================
                 appendfsync always                   everysec, no
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
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kedis.errors.fault_log import FaultLog
from kedis.persistence.aof import Aof
from kedis.persistence.reasons import reason_of
from kedis.persistence.write_status import WriteStatus
from kedis.process.clock import monotonic
from kedis.server.network import Network

log = logging.getLogger("kedis.aof")

#: Seconds between two log lines about failed writes, and between two rewrites after internal errors.
_LOG_INTERVAL = _DISTRUST_INTERVAL = 60.0


class AofFaults:
    """The faults of ``aof``.

    Args:
        on_fatal: called when the server must stop at once, with nothing more answered.

    Attributes:
        always: the policy is ``appendfsync always``.
        write_failed: entries wait to be written again.
        must_replace: the files are incomplete, or may be: writes are refused until a rewrite has replaced them.
    """

    def __init__(self, network: Network, aof: Aof, on_fatal: Callable[[], None]) -> None:
        self._engine = network.engine
        self._cycle = network.cycle
        self._aof = aof
        self._on_fatal = on_fatal
        self._status = WriteStatus(aof)
        self._fault_log = FaultLog(log)
        self.always = False
        self.write_failed = False
        self.must_replace = False
        #: A change was lost while a rewrite was in progress, whose base may be without it.
        self._lost_during_rewrite = False
        self._logged_at = -_LOG_INTERVAL
        self._logged = False
        self._distrusted = False
        self._trust_at = -_DISTRUST_INTERVAL

    def report(self, place: str, error: BaseException) -> None:
        """Log an internal error, at most once a minute for each place."""
        self._fault_log.report(place, error)

    # -- what has failed ----------------------------------------------------------------------------------

    def fail_write(self, error: BaseException) -> None:
        """The recorded entries could not be written; they are kept."""
        if not isinstance(error, (OSError, MemoryError)):  # another attempt would end as this one
            self.report("encoding the append-only file", error)
            self.must_replace = True
        reason = reason_of(error)
        if self.always:
            self._stop_server(f"cannot write the append-only file: {reason}")
            return
        self._refuse_writes(reason)
        if not self.write_failed:
            self.write_failed = True
            self.refuse_turn()

    def fail_sync(self, error: Exception) -> None:
        """A sync has failed: the kernel may have dropped what was written."""
        self._aof.fsync_errors += 1
        reason = reason_of(error)
        if self.always:
            self._stop_server(f"cannot sync the append-only file: {reason}")
            return
        self.must_replace = True
        self._refuse_writes(reason)

    def unrecorded(self, error: BaseException) -> None:
        """A change was made that is not in the journal: no reply that depends on it may be sent."""
        if self._aof.state == "off":
            return
        reason = reason_of(error)
        if self.always:
            self._stop_server(f"cannot record a change in the append-only file: {reason}")
            return
        self.must_replace = self.write_failed = True
        self._lost_during_rewrite = self._aof.aof_rewrite_in_progress
        self._refuse_writes(reason)

    def distrust(self, changed: bool) -> None:
        """An internal error after a change: file and memory may differ, so the file is to be rewritten from memory."""
        if changed and self._aof.state == "on":
            self._distrusted = True
            self._fault_log.announce(
                "an internal error may have left a change unrecorded: rewriting the append-only file"
            )

    def refuse_turn(self) -> None:
        """The writes of this turn are not in the file: answer them with -MISCONF."""
        turn = self._engine.propagation.epoch
        self._engine.propagation.epoch += 1
        for connection in self._cycle.waiting:
            connection.surface()
            if not self._status.withdraw_replies(connection.client, turn):
                connection.give_up()

    def _refuse_writes(self, reason: str) -> None:
        self._status.refuse_writes(reason)
        now = monotonic()
        if now - self._logged_at >= _LOG_INTERVAL:
            self._logged_at = now
            self._logged = True
            log.error("writing the append-only file failed: %s; writes are refused until it succeeds", reason)

    def _stop_server(self, text: str) -> None:
        self._cycle.halt()
        log.critical("%s: stopping, so that nothing is acknowledged that could be lost", text)
        self._on_fatal()

    # -- what has been mended -----------------------------------------------------------------------------

    def written(self) -> None:
        """All entries were written."""
        self.write_failed = False
        self._recover()

    def replaced(self, afresh: bool) -> None:
        """A rewrite has ended well; ``afresh``: nothing of the old files is left."""
        if self._lost_during_rewrite:
            self._lost_during_rewrite = False
        elif self.must_replace and afresh:
            self.must_replace = self.write_failed = False
            self._recover()

    def forget(self) -> None:
        """The append-only file was turned off."""
        self.write_failed = self.must_replace = False
        self._recover()

    def wants_rewrite(self, now: float) -> bool:
        """Whether a rewrite is due after an internal error, at most once a minute; asking takes the request."""
        if self._distrusted and now >= self._trust_at:
            self._distrusted = False
            self._trust_at = now + _DISTRUST_INTERVAL
            return True
        return False

    def _recover(self) -> None:
        """Accept writes again, if no other fault stands against it."""
        if self.write_failed or self.must_replace:
            return
        self._status.accept_writes()
        if self._logged:  # a disk that comes and goes ten times a second must not fill the log
            self._logged = False
            log.warning("the append-only file can be written again; writes are accepted")
