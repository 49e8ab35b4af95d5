"""The state of the server that refuses, delays or accompanies commands of every client.

:attr:`Restrictions.needs_checks` is the one bit that the engine's loop tests for all of it.
"""

from __future__ import annotations


class Restrictions:
    """Loading, full memory, a failing disk, CLIENT PAUSE, MONITOR, the end of the server.

    Attributes:
        needs_checks: whether a command has to pass :mod:`kedis.engine.admission` before it runs.
        loading: data are being loaded.
        memory_full: the data exceed their limit (:mod:`kedis.engine.maxmemory`).
        out_of_memory: and nothing more may be evicted, so that commands which may grow are refused.
        monitored: some client has sent MONITOR.
        ended: the server ends: no command of any client runs any more, and no client is answered that one has.
        write_error: why writes are refused, as a whole error message; None when they are not.
        paused_until_ns, pause_writes_only: what CLIENT PAUSE asked for, by the monotonic clock; 0: nothing is paused.
    """

    def __init__(self) -> None:
        self.needs_checks = False
        self.loading = False
        self.memory_full = self.out_of_memory = False
        self.monitored = False
        self.ended = False
        self.write_error: str | None = None
        self._journal_error: str | None = None
        self._snapshot_error: str | None = None
        self.paused_until_ns = 0
        self.pause_writes_only = False

    def update(self) -> None:
        """Recompute ``needs_checks`` after a change of what it stands for."""
        self.needs_checks = (
            self.loading
            or self.memory_full
            or self.write_error is not None
            or self.paused_until_ns > 0
            or self.ended
            or self.monitored
        )

    def set_memory(self, *, full: bool, out_of_memory: bool = False) -> None:
        """Whether the data exceed their limit, and whether nothing more may be evicted."""
        self.memory_full, self.out_of_memory = full, out_of_memory
        self.update()

    def set_write_error(self, text: str | None) -> None:
        """Refuse writes (and PING) with ``text``, or accept them again with None, as far as the AOF goes."""
        self._journal_error = text
        self.write_error = text or self._snapshot_error
        self.update()

    def set_snapshot_error(self, text: str | None) -> None:
        """The same, as far as snapshots go."""
        self._snapshot_error = text
        self.write_error = self._journal_error or text
        self.update()

    def set_monitored(self, monitored: bool) -> None:
        """Whether some client has sent MONITOR."""
        self.monitored = monitored
        self.update()

    def pause(self, until_ns: int, writes_only: bool) -> None:
        """CLIENT PAUSE: as in Redis a later call never shortens a pause or weakens its kind."""
        if self.paused_until_ns:
            self.pause_writes_only = self.pause_writes_only and writes_only
        else:
            self.pause_writes_only = writes_only
        self.paused_until_ns = max(self.paused_until_ns, until_ns)
        self.update()

    def end_pause(self) -> None:
        """Pause no longer; :meth:`kedis.engine.client.Services.unpause` tells the clients that wait, too."""
        self.paused_until_ns = 0
        self.update()

    def end(self) -> None:
        """Run nothing any more: what clients still ask waits until their connections are closed."""
        self.ended = True
        self.update()
