"""Before the loop sleeps (Redis: beforeSleep), once per turn: write the journal, then send every waiting reply.

libev calls a *prepare* watcher when all events of a turn have been handled, just before it would sleep.  By then
every client with input has been served, so one journal write and at most one send per client
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

    #: Whether replies of reads may be sent before the sync (appendfsync always).
    selective: bool

    def shows_only_durable(self, commands: Sequence[Sequence[bytes]]) -> bool:
        """Whether the replies to ``commands``, which have just run, depend on durable data only."""

    def touches_unsynced(self, argv: Sequence[bytes]) -> bool:
        """Whether a reader with the arguments ``argv`` may show data that are not durable."""

    def flush(self) -> bool:
        """Write the journal of this turn.  True when the replies of this turn may be sent now.

        Otherwise they wait in :attr:`BeforeSleep.waiting` until a later turn, or until the journal takes and
        seals them (:meth:`BeforeSleep.seal`).
        """


class StreamEnd(Protocol):
    """The replication stream, as the end of a turn uses it."""

    def end_turn(self) -> None:
        """Send what this turn has added to the stream."""


class BeforeSleep:
    """Collects the connections with replies, and sends these at the end of each turn.

    Args:
        clock: the engine's, in nanoseconds.

    Attributes:
        waiting: connections whose replies are sent after the journal is written.
    """

    def __init__(self, hub: Any, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.figures = TurnFigures()
        self.journal: TurnJournal | None = None
        #: The stream for replicas, while there is one: it is sent before the replies.
        self.replication: StreamEnd | None = None
        self.waiting: list[Peer] = []
        #: Connections whose replies depend on durable data only: sent without waiting for the journal.
        self.durable: list[Peer] = []
        self.turns = 0
        #: Turns that ended with an exception; since when all have, 0 if the last has not.
        self.faults = 0
        self.failing_since_ns = 0
        self._fault_log = FaultLog(log)
        #: Monotonic time at which the current or last turn began to serve clients.
        self.moment_ns = 0
        self.halted = False
        #: One-shot callbacks of this turn, called before the journal is written.
        self.at_end: list[Callable[[], None]] = []
        #: Send the replies of each of these connections, and the sealed ones; the native path puts its own here.
        self.send_all: Callable[[list[Peer]], None] = _send
        self.send_all_sealed: Callable[[list[Peer]], None] = _send_sealed
        self._watcher = hub.loop.prepare(ref=False, priority=-2)

    def start(self) -> None:
        """Begin to run at the end of every turn."""
        self._watcher.start(self._end_of_turn)

    def stop(self) -> None:
        """Stop for good."""
        self._watcher.stop()
        self._watcher.close()

    def _end_of_turn(self) -> None:
        """The callback of the loop; raises nothing, whatever a participant raises."""
        self.turns += 1
        try:
            if self.at_end:
                self._run_at_end()
            if self.durable:
                self._release_durable()
            durable = self.journal is None or self.journal.flush()
            if self.replication is not None:
                self.replication.end_turn()
            if not durable:
                if self.figures.began_ns:
                    self.figures.hold(len(self.waiting), self._clock())
                self.failing_since_ns = 0
                return  # held back until the data behind the replies are durable
            replied = len(self.waiting)
            if replied:
                self.release()
            if self.figures.began_ns:
                self.figures.end_turn(self._clock(), replied)
            self.failing_since_ns = 0
        except Exception as error:
            self._abort_turn(error)

    def _run_at_end(self) -> None:
        while self.at_end:
            callback = self.at_end.pop()
            try:
                callback()
            except Exception as error:
                self.faults += 1
                self._fault_log.report("the end of a turn", error)

    def _abort_turn(self, error: Exception) -> None:
        """The journal may lack this turn's changes: close the waiting connections without a reply."""
        self.faults += 1
        self.failing_since_ns = self.failing_since_ns or self._clock()
        self._fault_log.report("the end of a turn", error)
        self.figures.began_ns = 0
        waiting, self.waiting = self.waiting, []
        for connection in waiting:
            connection.give_up()

    def halt(self) -> None:
        """Never send again: the replies would acknowledge lost writes."""
        self._watcher.stop()
        self.waiting.clear()
        self.durable.clear()
        self.halted = True

    def seal(self, batch: list[Peer]) -> None:
        """Move all waiting connections to ``batch``, with the replies of up to now sealed."""
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
        """Send the sealed replies of ``batch``, which are durable now, and empty it."""
        if self.halted:
            return
        sealed = self.figures.unseal()
        self.send_all_sealed(batch)
        batch.clear()
        self.figures.sent(sealed, self._clock())

    def release(self) -> None:
        """Send the replies of every waiting connection."""
        if self.halted:
            return
        waiting, self.waiting = self.waiting, []
        self.send_all(waiting)

    def _release_durable(self) -> None:
        durable, self.durable = self.durable, []
        self.send_all(durable)
        self.figures.sent([(self.figures.began_ns, len(durable))], self._clock())

    def hold_back(self, connection: Peer) -> None:
        """Move ``connection`` from durable to waiting: it got another reply in this turn, which may not be durable."""
        if connection in self.durable:
            self.durable.remove(connection)
            self.waiting.append(connection)


def _send(waiting: list[Peer]) -> None:
    for connection in waiting:
        connection.queued = False
        try:
            connection.send()
        except Exception as error:
            connection.give_up(error)


def _send_sealed(batch: list[Peer]) -> None:
    for connection in batch:
        try:
            connection.send(connection.sealed)
        except Exception as error:
            connection.give_up(error)
