"""Once per turn of the event loop: write the journal, then send every waiting reply.

libev calls a *prepare* watcher when all events of a turn have been handled, just before it would sleep.  By then
every client that had something to say has been served, so one journal write and at most one send per client
cover the turn, and nothing is sent before the journal has it.

The watcher has a lower priority than gevent's own prepare watcher, which runs the callbacks that greenlets have
scheduled; replies they produce are therefore sent in the same turn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kedis.errors.fault_log import FaultLog
from kedis.observability.turns import TurnFigures
from kedis.server.peer import Peer

log = logging.getLogger("kedis.server")


class TurnJournal(Protocol):
    """The append-only file, as the end of a turn uses it."""

    #: Whether it tells readers apart (appendfsync always).
    selective: bool

    def shows_only_durable(self, commands: Sequence[Sequence[bytes]]) -> bool:
        """Whether the replies to ``commands``, which have just run, show nothing that is not durable."""

    def flush(self) -> bool:
        """Write what was recorded in this turn.  True when the replies of this turn may go out now.

        Otherwise they wait in :attr:`BeforeSleep.waiting` until a later turn, or until the journal takes and
        seals them (:meth:`BeforeSleep.seal`).
        """


class BeforeSleep:
    """Collects the connections that have replies waiting, and serves them at the end of each turn.

    ``clock`` gives nanoseconds, the same as that of the engine.
    """

    def __init__(self, hub: Any, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.figures = TurnFigures()
        self.journal: TurnJournal | None = None
        self.waiting: list[Peer] = []
        #: Those whose replies show nothing that is not durable: they wait for no journal.
        self.durable: list[Peer] = []
        self.turns = 0
        #: Exceptions that turns have ended with, and since when every turn has; 0 when the last has ended well.
        self.faults = 0
        self.failing_since_ns = 0
        self._fault_log = FaultLog(log)
        #: When the turn under way, or the last one, began to serve clients, by the engine's monotonic clock.
        self.moment_ns = 0
        self.halted = False
        #: Called once, at the end of this turn, before the journal is written and replies are sent.
        self.at_end: list[Callable[[], None]] = []
        self._watcher = hub.loop.prepare(ref=False, priority=-2)

    def start(self) -> None:
        """Begin to run at the end of every turn."""
        self._watcher.start(self._end_of_turn)

    def stop(self) -> None:
        """Run no more."""
        self._watcher.stop()
        self._watcher.close()

    def _end_of_turn(self) -> None:
        """A callback of the loop: nothing is raised, whoever of the participants does."""
        self.turns += 1
        try:
            if self.at_end:
                self._run_at_end()
            if self.durable:
                self._release_durable()
            if self.journal is not None and not self.journal.flush():
                if self.figures.began_ns:
                    self.figures.hold(len(self.waiting), self._clock())
                self.failing_since_ns = 0
                return  # held back until what they saw is durable
            replied = len(self.waiting)
            if replied:
                self.release()
            if self.figures.began_ns:
                self.figures.end_turn(self._clock(), replied)
            self.failing_since_ns = 0
        except Exception as error:
            self._give_turn_up(error)

    def _run_at_end(self) -> None:
        while self.at_end:
            callback = self.at_end.pop()
            try:
                callback()
            except Exception as error:
                self.faults += 1
                self._fault_log.report("the end of a turn", error)

    def _give_turn_up(self, error: Exception) -> None:
        """Whether the journal has what this turn changed is not known: those who wait get no answer, but an end."""
        self.faults += 1
        self.failing_since_ns = self.failing_since_ns or self._clock()
        self._fault_log.report("the end of a turn", error)
        self.figures.began_ns = 0
        waiting, self.waiting = self.waiting, []
        for connection in waiting:
            connection.give_up()

    def halt(self) -> None:
        """Send nothing any more, ever: what was answered would not be true."""
        self._watcher.stop()
        self.waiting.clear()
        self.durable.clear()
        self.halted = True

    def seal(self, batch: list[Peer]) -> None:
        """Move all waiting connections to ``batch``, their replies of up to now apart from later ones."""
        waiting = self.waiting
        batch += waiting
        self.waiting = []
        for connection in waiting:
            connection.queued = False
            try:
                connection.seal()
            except Exception as error:
                connection.give_up(error)
        self.figures.seal(len(waiting), self._clock())

    def send_sealed(self, batch: list[Peer]) -> None:
        """Send the sealed replies of ``batch``, which have become durable, and empty it."""
        if self.halted:
            return
        sealed = self.figures.unseal()
        for connection in batch:
            try:
                connection.send(connection.sealed)
            except Exception as error:
                connection.give_up(error)
        batch.clear()
        self.figures.sent(sealed, self._clock())

    def release(self) -> None:
        """Send the replies of every waiting connection."""
        if self.halted:
            return
        waiting, self.waiting = self.waiting, []
        self._send(waiting)

    def _release_durable(self) -> None:
        durable, self.durable = self.durable, []
        self._send(durable)
        self.figures.sent([(self.figures.began_ns, len(durable))], self._clock())

    def hold_back(self, connection: Peer) -> None:
        """``connection`` has something to send that may not be durable, whatever it had before in this turn."""
        if connection in self.durable:
            self.durable.remove(connection)
            self.waiting.append(connection)

    @staticmethod
    def _send(waiting: list[Peer]) -> None:
        for connection in waiting:
            connection.queued = False
            try:
                connection.send()
            except Exception as error:
                connection.give_up(error)
