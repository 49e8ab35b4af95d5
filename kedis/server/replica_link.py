"""The sending half of a replica's connection: what is said to it, a snapshot, and the stream.

The three follow each other in this order. Nothing is copied for one replica: of the stream it has a place
(:class:`kedis.replication.backlog.Cursor`), of a snapshot that is sent as it is made a view of the part at hand, which
all replicas of the group share, and of one in a file an offset. What the kernel does not take waits until the socket is
writable; client-output-buffer-limit ends a replica that is too far behind.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kedis.replication.replicas import Replica

if TYPE_CHECKING:
    from kedis.server.network import Network
    from kedis.server.peer import Peer

log = logging.getLogger("kedis.replication")

_WRITE = 2
#: Bytes sent at once, so that one replica cannot block the loop.
_BURST = 4 << 20
#: Bytes of a file that are read at once where they must be encrypted.
_PART = 64 * 1024
_SECOND_NS = 1_000_000_000


class _File:
    """A snapshot in a file that is being sent."""

    def __init__(self, fd: int, size: int, done: Callable[[], None]) -> None:
        self.fd = fd
        self.size = size
        self.offset = 0
        self.done = done


class ReplicaLink:
    """Sends to ``replica`` through ``connection``; see :class:`kedis.replication.replicas.Link`.

    Args:
        following: the replicas that get the stream as it comes, of which this will be one.

    Attributes:
        on_drained: called whenever all that was given has been sent.
        progress_ns: when the kernel has last taken something.
    """

    def __init__(
        self, network: Network, replica: Replica, connection: Peer, following: list[Replica]
    ) -> None:
        self._network = network
        self._engine = network.engine
        self._replica = replica
        self._connection = connection
        self._send_some = connection.sock.send
        self._following = following
        self._pending: deque[memoryview] = deque()
        self._file: _File | None = None
        self._watcher: Any = None
        self._ended = self._follows = False
        self.on_drained: Callable[[], None] | None = None
        self.progress_ns = self._engine.monotonic()

    # -- what is to be sent -------------------------------------------------------------------------------

    def say(self, data: bytes) -> None:
        """Send ``data`` at the end of this turn, before what was not sent yet of the stream."""
        if not self._pending and not self._ended:
            self._network.cycle.at_end.append(self.pump)
        self._pending.append(memoryview(data))

    def give(self, part: bytes) -> None:
        """Send a part of a snapshot now, as far as the kernel takes it."""
        self._pending.append(memoryview(part))
        self.pump()

    def give_file(self, fd: int, size: int, done: Callable[[], None]) -> None:
        """Send the ``size`` bytes of a file, which is closed then, and call ``done``."""
        self.say(b"$%d\r\n" % size)
        self._file = _File(fd, size, done)

    @property
    def is_drained(self) -> bool:
        """Whether all that was given is sent."""
        return not self._pending

    # -- sending ------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Send what there is, as far as the kernel takes it."""
        if self._ended or self._connection.closed:
            return
        if self._watcher is not None:  # it goes on when the kernel takes more
            self.check_limit()
            return
        cursor = self._replica.cursor
        if cursor is not None and self._follows:  # nearly always: one send of what the turn has added
            ahead = cursor.ahead()
            try:
                sent = self._send_some(ahead)
            except OSError:  # whatever it is: the way below finds it again
                sent = 0
            self._count(sent)
            cursor.offset += sent
            if sent == len(ahead) and cursor.is_at_end():
                return
        self._pump_all()

    def _pump_all(self) -> None:
        """Send what there is, of any kind; also when the socket is writable again."""
        if self._ended or self._connection.closed:
            return
        try:
            waits = self._send()
        except (BlockingIOError, InterruptedError):
            waits = True
        except OSError:
            self.close()
            return
        except Exception as error:
            self._connection.give_up(error)
            return
        if waits:
            self._watch()
            self.check_limit()
        else:
            self._unwatch()
        if not self._pending and self.on_drained is not None:
            self.on_drained()

    def _send(self) -> bool:
        """Send up to a burst; whether there is more."""
        budget = _BURST
        sock = self._connection.sock
        pending = self._pending
        while budget > 0:
            if pending:
                sent = sock.send(pending[0])
                if sent == len(pending[0]):
                    pending.popleft()
                else:
                    pending[0] = pending[0][sent:]
            elif self._file is not None:
                sent = self._send_file(self._file)
            else:
                cursor = self._replica.cursor
                if not self._replica.streams or cursor is None:
                    return False
                if (
                    not self._follows
                ):  # before there is anything: the native path sends to those that follow alone
                    self._follows = True
                    self._following.append(self._replica)
                if not (ahead := cursor.ahead()):
                    return False
                sent = sock.send(ahead)
                cursor.offset += sent
            budget -= sent
            self._count(sent)
            self.progress_ns = self._engine.monotonic()
        return True

    def _count(self, sent: int) -> None:
        self._replica.sent_bytes += sent
        self._network.bytes_sent += sent

    def _send_file(self, file: _File) -> int:
        """Send more of a file, by TLS through ``_pending``; returns the number of bytes sent."""
        left = file.size - file.offset
        sent = taken = 0
        if left and self._connection.tls is not None:
            part = os.pread(file.fd, min(left, _PART), file.offset)
            taken = len(part)
            self._pending.append(memoryview(part))
        elif left:
            sent = taken = os.sendfile(self._connection.fd, file.fd, file.offset, left)
        if left and not taken:
            raise OSError("the snapshot is shorter than it was")
        file.offset += taken
        if file.offset == file.size:
            self._close_file()
            file.done()
        return sent

    def _watch(self) -> None:
        if self._watcher is None:
            self._watcher = self._network.hub.loop.io(self._connection.fd, _WRITE)
            self._watcher.start(self._pump_all)
            self._replica.waits = True

    def _unwatch(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
            self._replica.waits = False

    # -- limits and the end -------------------------------------------------------------------------------

    def unsent_bytes(self) -> int:
        """Bytes that are kept for this replica alone or hold back the shared stream."""
        return self._replica.unsent_bytes() + sum(map(len, self._pending))

    def check_limit(self) -> None:
        """Close the connection if it is too far behind (client-output-buffer-limit replica).

        A hard limit below repl-backlog-size counts as that: so much is kept in any case.
        """
        replica, config = self._replica, self._engine.config
        waiting = replica.unsent_bytes()
        hard, soft, soft_seconds = config.output_limit("replica")
        if hard and waiting > max(hard, config.repl_backlog_size):
            self._cut()
        elif soft and waiting > max(soft, config.repl_backlog_size):
            now = self._engine.monotonic()
            replica.limit_since_ns = replica.limit_since_ns or now
            if now - replica.limit_since_ns > soft_seconds * _SECOND_NS:
                self._cut()
        else:
            replica.limit_since_ns = 0

    def _cut(self) -> None:
        self._network.output_buffer_disconnections += 1
        log.warning(
            "Client %s scheduled to be closed ASAP for overcoming of output buffer limits.",
            self._replica.client.address,
        )
        self.close()

    def close(self) -> None:
        """End the connection; the replica is forgotten when it is released."""
        self.end()
        self._connection.close()

    def end(self) -> None:
        """Send no more.  Idempotent."""
        self._ended = True
        if self._follows:
            self._follows = False
            self._following.remove(self._replica)
        self._unwatch()
        self._pending.clear()
        self._close_file()
        if self.on_drained is not None:
            self.on_drained()

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file.fd)
            self._file = None
