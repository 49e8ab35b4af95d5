"""The states of the server in which commands of every client are refused, delayed or accompanied by hooks.

:attr:`Restrictions.needs_checks` is the one bit that the engine's loop tests for all of them.
"""

from __future__ import annotations


class Restrictions:
    """Loading, full memory, a failing disk, CLIENT PAUSE, MONITOR, the shutdown of the server.

    Attributes:
        needs_checks: whether a command has to pass :mod:`kedis.engine.admission` before it runs.
        loading: data are being loaded.
        read_only: this is a replica, on which clients may not write.  It does not set ``needs_checks``: reads are to be
            as fast as elsewhere, so whoever runs commands looks at it for those that write.
        master_down: this is a replica without a link to its master, and is not to answer from data that may be old.
        memory_full: the data exceed their limit (:mod:`kedis.engine.maxmemory`).
        out_of_memory: the data exceed their limit and no key may be evicted: commands that may grow are refused.
        monitored: some client has sent MONITOR.
        busy: the error for commands that are refused while a script is over its time limit; None: no such script.
        ended: the server has shut down: no command runs any more, and none is acknowledged.
        few_replicas: fewer replicas follow than ``min-replicas-to-write`` asks for: writes are refused.
        write_error: whole error message with which writes are refused; None when they are accepted.
        writes_held: writes wait, until a shutdown or a failover has come to its end; nothing expires meanwhile.
        paused_until_ns, pause_writes_only: the arguments of CLIENT PAUSE, by the monotonic clock; 0: no pause.
    """

    __slots__ = (
        "_holders",
        "_journal_error",
        "_snapshot_error",
        "busy",
        "ended",
        "few_replicas",
        "loading",
        "master_down",
        "memory_full",
        "monitored",
        "needs_checks",
        "out_of_memory",
        "pause_writes_only",
        "paused_until_ns",
        "read_only",
        "write_error",
        "writes_held",
    )

    def __init__(self) -> None:
        self.needs_checks = False
        self.loading = False
        self.read_only = self.master_down = False
        self.memory_full = self.out_of_memory = False
        self.monitored = False
        self.ended = self.few_replicas = False
        self.busy: str | None = None
        self.write_error: str | None = None
        self._journal_error: str | None = None
        self._snapshot_error: str | None = None
        self.paused_until_ns = 0
        self.pause_writes_only = self.writes_held = False
        self._holders: set[str] = set()  # for what writes wait

    def update(self) -> None:
        """Recompute ``needs_checks`` after a change of the state that it depends on."""
        self.needs_checks = (
            self.loading
            or self.master_down
            or self.memory_full
            or self.write_error is not None
            or self.paused_until_ns > 0
            or self.writes_held
            or self.ended
            or self.busy is not None
            or self.few_replicas
            or self.monitored
        )

    def set_replica(self, *, read_only: bool, master_down: bool) -> None:
        """Set what a replica refuses; both False for a master."""
        self.read_only, self.master_down = read_only, master_down
        self.update()

    def set_loading(self, loading: bool) -> None:
        """Set whether data are being loaded; :meth:`kedis.engine.client.Services.set_loading` also stops expiry."""
        self.loading = loading
        self.update()

    def set_memory(self, *, full: bool, out_of_memory: bool = False) -> None:
        """Set whether the data exceed their limit, and whether no key may be evicted."""
        self.memory_full, self.out_of_memory = full, out_of_memory
        self.update()

    def set_write_error(self, text: str | None) -> None:
        """Refuse writes (and PING) with ``text`` because of the AOF; None accepts them again."""
        self._journal_error = text
        self.write_error = text or self._snapshot_error
        self.update()

    def set_snapshot_error(self, text: str | None) -> None:
        """Refuse writes (and PING) with ``text`` because of snapshots; None accepts them again."""
        self._snapshot_error = text
        self.write_error = self._journal_error or text
        self.update()

    def set_few_replicas(self, few: bool) -> None:
        """Refuse writes because too few replicas follow, or accept them again."""
        if few != self.few_replicas:
            self.few_replicas = few
            self.update()

    def set_monitored(self, monitored: bool) -> None:
        """Set whether some client has sent MONITOR."""
        self.monitored = monitored
        self.update()

    def set_busy(self, text: str | None) -> None:
        """Refuse commands that are not allowed during a slow script with ``text``, or accept them again with None."""
        self.busy = text
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
        """End the pause; :meth:`kedis.engine.client.Services.unpause` also resumes the paused clients."""
        self.paused_until_ns = 0
        self.update()

    def hold_writes(self, purpose: str, held: bool) -> None:
        """Let writes wait for ``purpose``, or not for that any more.

        :meth:`kedis.engine.client.Services.release_writes` also resumes who waited.
        """
        if held:
            self._holders.add(purpose)
        else:
            self._holders.discard(purpose)
        self.writes_held = bool(self._holders)
        self.update()

    def end(self) -> None:
        """Stop running commands: later requests wait until their connections are closed."""
        self.ended = True
        self.update()
