"""The network side of MIGRATE, in a greenlet per command, so that only its client waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gevent.pool import Group

from kedis.commands.migrate import Migration
from kedis.engine.call import finish_blocked
from kedis.errors import storage_errors
from kedis.resp.replies import encode_command
from kedis.server.outgoing import connect
from kedis.server.receive_buffer import ReceiveBuffer

if TYPE_CHECKING:
    from kedis.engine.blocking import Waiter
    from kedis.engine.client import Client
    from kedis.server.network import Network

_RECEIVED = _LONGEST_LINE = 64 * 1024


class Migrations:
    """Runs MIGRATE: sends the requests to the other server and finishes the command with the replies."""

    def __init__(self, network: Network) -> None:
        self._engine = network.engine
        self._greenlets = Group()

    def stop(self) -> None:
        """Cancel migrations in progress.  Idempotent."""
        self._greenlets.kill()

    def begin(self, client: Client, migration: Migration) -> None:
        """Carry out ``migration`` for ``client``, which the command has blocked."""
        assert client.blocked is not None  # the command has seen to it
        self._greenlets.spawn(self._carry_out, client.blocked, migration)

    def _carry_out(self, waiter: Waiter, migration: Migration) -> None:
        replies: list[Any] = []
        failure = ""
        try:
            with connect(migration.host, migration.port, migration.timeout_seconds) as connection:
                connection.sendall(b"".join(map(encode_command, migration.requests)))
                failure = storage_errors.MIGRATE_READING
                replies.extend(_replies(connection, len(migration.requests)))
                failure = ""
        # ValueError and OverflowError are for what cannot be an address.
        except (OSError, ValueError, OverflowError, MemoryError):
            failure = failure or storage_errors.MIGRATE_WRITING
        if (
            not self._engine.restrictions.ended
        ):  # else nobody could make it durable that the keys are gone from here
            finish_blocked(self._engine, waiter, lambda client, _: migration.finish(client, replies, failure))


def _replies(connection: Any, count: int) -> Iterator[bytes | str]:
    """The replies to ``count`` requests, errors as text, as far as they come.  Raises OSError.

    Every request is answered by one line; any other reply is refused, and a line is bounded.
    """
    received = b""
    buffer = ReceiveBuffer(_RECEIVED)
    while count:
        line, end, rest = received.partition(b"\r\n")
        if end and line[:1] in (b"+", b"-"):
            received = rest
            count -= 1
            yield line[1:].decode("utf-8", "replace") if line.startswith(b"-") else line[1:]
            continue
        data = b"" if end or len(line) > _LONGEST_LINE else buffer.receive(connection, _RECEIVED)
        if not data:
            raise ConnectionError("the other server has closed the connection, or speaks another language")
        received += data
