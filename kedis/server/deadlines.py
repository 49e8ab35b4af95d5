"""Timeouts of blocked clients: one timer, set for the earliest deadline."""

from __future__ import annotations

from typing import Any

from kedis.engine.call import expire_blocked
from kedis.server.network import Network

#: Seconds after which a timer for a later deadline is set anew.
_LONGEST_TIMER = 3600.0


class Deadlines:
    """Answers the blocked clients of ``network`` whose timeout has passed."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._timer: Any = None

    def arm(self, at_ns: int) -> None:
        """Have clients answered at ``at_ns`` (monotonic), the earliest deadline; replaces an earlier timer."""
        self.stop()
        seconds = (at_ns - self._network.engine.monotonic()) / 1e9
        self._timer = self._network.hub.loop.timer(min(max(seconds, 0.0), _LONGEST_TIMER))
        self._timer.start(self._reached, update=True)

    def stop(self) -> None:
        """Stop the timer.  Idempotent."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def _reached(self) -> None:
        blocking = self._network.engine.blocking
        try:
            expire_blocked(self._network.engine)
        except Exception as error:  # other clients' deadlines stand
            self._network.report("answering a blocked client", error)
        if blocking.next_deadline_ns is None:
            self.stop()
        else:
            self.arm(blocking.next_deadline_ns)
