"""A snapshot for a group of replicas: made by a forked child, and sent as it is made or from a file.

As it is made (``repl-diskless-sync``), the child writes into a pipe, and each part goes to all replicas of the group
before the next is read: the slowest sets the pace, within ``repl-timeout``. The replicas find the end by a mark of 40
bytes that is announced before (``$EOF:<mark>``). A replica that does not know marks is told the length (``$<length>``),
so the snapshot goes into a file without a name, which is sent when it is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import tempfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kedis.persistence.child import Child, Outcome
from kedis.persistence.rdb_file import snapshot_of, write_all
from kedis.process.threads import real_close
from kedis.replication.replicas import Replica, State

if TYPE_CHECKING:
    from kedis.replication.master import Master
    from kedis.server.network import Network
    from kedis.server.replica_link import ReplicaLink

log = logging.getLogger("kedis.replication")

_READ = 1
_PART = 256 * 1024
_SECOND_NS = 1_000_000_000
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)
#: Announces the end of a snapshot; the same for the whole run, as in Redis, and unlike anything in the data.
_MARK = secrets.token_hex(20).encode()


class FullSync:
    """One full synchronisation under way, of one or more replicas.

    Args:
        links: the replicas, with their connections.
        on_end: called when the child has ended and nothing is left to do here.

    Raises OSError or MemoryError when the child cannot be made.
    """

    def __init__(
        self,
        network: Network,
        master: Master,
        links: dict[Replica, ReplicaLink],
        on_end: Callable[[Outcome], None],
    ) -> None:
        self._network = network
        self._master = master
        self._links = links
        self._on_end = on_end
        self._outcome: Outcome | None = None
        self._child_outcome: Outcome | None = None
        self._keys = next(iter(links)).wants_keys
        self._watchers: list[Any] = []
        self.child: Child

    @property
    def replicas(self) -> Sequence[Replica]:
        """Those that are still there and wait for the end of the snapshot."""
        return [
            replica
            for replica in self._links
            if replica.state is State.SNAPSHOT and replica.client in self._master.replicas
        ]

    def _fork(self, fd: int) -> None:
        engine, keys = self._network.engine, self._keys

        def work() -> None:
            for piece in snapshot_of(engine, keys=keys, in_child=True):
                write_all(fd, piece)

        self.child = Child(work, fd)

    def _watch(self, fd: int, callback: Callable[[], None]) -> Any:
        watcher = self._network.hub.loop.io(fd, _READ, ref=False)
        watcher.start(callback)
        self._watchers.append(watcher)
        return watcher

    def _stop_watching(self) -> None:
        while self._watchers:
            watcher = self._watchers.pop()
            watcher.stop()
            watcher.close()

    def poll(self) -> None:
        """See whether the child has ended, and whether a replica stands still."""

    def _poll_child(self) -> Outcome | None:
        if self._child_outcome is None:
            self._child_outcome = self.child.poll()
        return self._child_outcome

    def _kill_child(self) -> None:
        if self._child_outcome is None:  # else its number may be another process's by now
            self.child.kill()

    def cancel(self) -> None:
        """End the child; the replicas have to ask again."""
        self._stop_watching()
        if self._outcome is None:
            self._kill_child()
        for replica in self.replicas:
            self._master.drop(replica)


class PipedSync(FullSync):
    """The snapshot is sent as it is made."""

    def __init__(
        self,
        network: Network,
        master: Master,
        links: dict[Replica, ReplicaLink],
        on_end: Callable[[Outcome], None],
    ) -> None:
        super().__init__(network, master, links, on_end)
        self._pipe, end = os.pipe()
        try:
            if _SET_PIPE_SIZE is not None:
                with contextlib.suppress(OSError):  # a user may have too many large ones
                    fcntl.fcntl(end, _SET_PIPE_SIZE, 1 << 20)
            os.set_blocking(self._pipe, False)
            self._fork(end)
        except BaseException:
            real_close(self._pipe)
            raise
        finally:
            real_close(end)
        log.info("Background RDB transfer started by pid %d", self.child.pid)
        self._at_end = self._gives = False
        self._reads = True
        self._passed_on = 0
        for link in links.values():
            link.say(b"$EOF:%b\r\n" % _MARK)
            link.on_drained = self._drained
        self._watcher = self._watch(self._pipe, self._readable)

    def _readable(self) -> None:
        """Pass on the next part."""
        try:
            part = os.read(self._pipe, _PART)
        except BlockingIOError:
            return
        except (OSError, MemoryError) as error:
            self._network.report("reading a snapshot", error)
            for replica in self.replicas:  # without which the child, whose pipe nobody empties, is ended
                self._master.drop(replica)
            self.poll()
            return
        if not part:
            self._at_end = True
            self._watcher.stop()
            log.info(
                "Diskless rdb transfer, done reading from pipe, %d replicas still up, %d bytes",
                len(self.replicas),
                self._passed_on,
            )
            self.poll()
            return
        self._passed_on += len(part)
        self._reads = False
        self._watcher.stop()
        self._gives = True  # those that have nothing yet are not drained
        for replica in self.replicas:
            self._links[replica].give(part)
        self._gives = False
        self._drained()

    def _drained(self) -> None:
        """Go on reading when all have the last part."""
        if self._gives or self._reads or self._at_end or not self._watchers:
            return
        replicas = self.replicas
        if all(self._links[replica].is_drained for replica in replicas):
            self._reads = True
            self._watcher.start(self._readable)

    def poll(self) -> None:
        if self._outcome is not None:
            return
        replicas = self.replicas
        now = self._network.engine.monotonic()
        timeout_ns = self._network.engine.config.repl_timeout * _SECOND_NS
        for replica in replicas:
            link = self._links[replica]
            if not link.is_drained and now - link.progress_ns > timeout_ns:
                log.warning("Disconnecting timedout replica (full sync): %s", replica.name)
                self._master.drop(replica)
        outcome = self._poll_child()
        if not self._at_end and not self.replicas:
            log.warning("Diskless rdb transfer, last replica dropped, killing fork child.")
            self._kill_child()
            outcome = Outcome("the last replica has left", 0)
        elif outcome is None or not (self._at_end or outcome.failure):
            return  # what it has left in the pipe is to be read, unless that is of no use
        self._stop_watching()
        real_close(self._pipe)
        self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self._outcome = outcome
        for link in self._links.values():
            link.on_drained = None
        for replica in self.replicas:
            if outcome.failure:
                self._master.drop(replica)
            else:
                self._links[replica].give(_MARK)
                self._master.have_snapshot(replica, at_once=False)
        self._on_end(outcome)

    def cancel(self) -> None:
        if self._outcome is None:
            for link in self._links.values():
                link.on_drained = None
            real_close(self._pipe)
        super().cancel()


class FiledSync(FullSync):
    """The snapshot goes into a file first."""

    def __init__(
        self,
        network: Network,
        master: Master,
        links: dict[Replica, ReplicaLink],
        on_end: Callable[[Outcome], None],
        folder: str,
    ) -> None:
        super().__init__(network, master, links, on_end)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # until the child has ended
        try:
            self._fork(self._file.fileno())
        except BaseException:
            self._file.close()
            raise
        log.info("Background saving started by pid %d", self.child.pid)
        self._since_ns = network.engine.monotonic()

    def join(self, replica: Replica, link: ReplicaLink) -> bool:
        """Let one more replica have the file, if it wants the same and the child is at work."""
        others = self.replicas
        if self._outcome is not None or not others or replica.wants_keys != self._keys:
            return False
        self._links[replica] = link
        self._master.join_snapshot(replica, others[0])
        return True

    def poll(self) -> None:
        if self._outcome is not None:
            return
        if not self.replicas:  # nobody else would have the file
            log.warning("The last replica that waited for the snapshot has left, killing fork child.")
            self._kill_child()
            outcome = Outcome("the last replica has left", 0)
        elif (found := self._poll_child()) is not None:
            outcome = found
        else:
            return
        self._outcome = outcome
        for replica in self.replicas:
            if outcome.failure:
                self._master.drop(replica)
            else:
                self._send(replica)
        self._file.close()
        self._on_end(outcome)

    def _send(self, replica: Replica) -> None:
        def done() -> None:
            self._master.have_snapshot(replica, at_once=True)

        try:
            fd = os.dup(self._file.fileno())
        except OSError as error:
            log.warning("Cannot send the snapshot to replica %s: %s", replica.name, error.strerror)
            self._master.drop(replica)
            return
        replica.state = State.TRANSFER
        self._links[replica].give_file(fd, os.fstat(fd).st_size, done)

    def beat(self) -> None:
        """Once a second: tell those who wait that this server is alive."""
        for replica in self.replicas:
            if replica.knows_offsets:
                self._links[replica].say(b"\n")

    def cancel(self) -> None:
        super().cancel()
        self._file.close()
