"""An engine socket whose owner may also call commands directly, without bytes, while no bytes are under way.

A call is declined wherever something has to be checked or told beside it: MULTI, a subscription, client-side caching,
CLIENT REPLY, unread replies, a pause, MONITOR, a failing disk, data over their limit of memory. The command then goes
through the socket as over a network. Both ways serve one client, in the order of the calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kedis.embedded.direct_calls import IN_SOCKET
from kedis.embedded.embedded_engine import UPKEEP_NS, EmbeddedEngine
from kedis.embedded.engine_socket import EngineSocket
from kedis.engine.call import call
from kedis.engine.client import Client
from kedis.engine.table import Command
from kedis.errors import CommandError
from kedis.resp.python_replies import PythonReplies

#: A command and its words.
Call = tuple[Command, list[bytes]]


class Declined(Exception):
    """The type of ``DECLINED``: nothing has run; send the command through the socket. Never raised (InSocket)."""


DECLINED: Final = Declined()


class DirectSocket(EngineSocket):
    """See the module.

    Args:
        tables: the replies by protocol, 2 and 3.

    A call returns a reply as redis-py's parser would, an error as an exception object; or IN_SOCKET where the reply is
    to be read from the socket: that of a blocking command, which comes later, or one without direct form. Calls raise
    OSError like :meth:`sendall`; the socket is closed then. After any other exception it must be closed by its owner.
    """

    def __init__(self, embedded: EmbeddedEngine, tables: Mapping[int, PythonReplies]) -> None:
        super().__init__(embedded)
        self._tables = tables
        self._table = tables[2]
        #: Whether nothing was under way, and nothing has been sent or pushed since.
        self.is_plain = False
        self._kept: Any = None
        self._failure: OSError | None = None
        # What every call needs, at hand.
        self._direct_call = embedded.direct_call
        self._keyspace = embedded.engine.keyspace
        self._restrictions = embedded.engine.restrictions

    def call(self, command: Command, argv: list[bytes]) -> Any:
        """Run one command; returns its reply, IN_SOCKET, DECLINED, or the OSError with which it has failed."""
        embedded = self._embedded
        with embedded.lock:
            client, keyspace = self.client, self._keyspace
            if not self.is_plain and not self._check():
                return DECLINED
            if (client.needs_checks or self._restrictions.needs_checks) and self._is_checked(client):
                return DECLINED
            try:
                if keyspace.observed or embedded.departed:
                    embedded.begin()  # somebody may wait up to now, or is gone
                reply = self._direct_call(client, command, argv, self._table)
                client.last_command = command
                if (
                    embedded.is_persistent
                    or keyspace.observed
                    or reply is IN_SOCKET
                    or not 0 < embedded.upkeep_due_ns - keyspace.now_ns <= UPKEEP_NS
                ):
                    return self._end(client, reply)[0]
            except OSError as error:
                return error
            except BaseException:  # such as KeyboardInterrupt: the command may have run or not
                self.close()
                raise
            return reply

    def _end(self, client: Client, *replies: Any) -> list[Any]:
        """Do what follows commands; returns ``replies``, or the errors that the disk has put in their place."""
        if replies[-1] is IN_SOCKET:
            self.is_plain = False
        try:
            refusal = self._embedded.end(client)
        except OSError as error:
            self._fail(error)
            raise
        if refusal is None:
            return list(replies)
        make_error = self._table[CommandError]
        return [reply if reply is IN_SOCKET else make_error(refusal) for reply in replies]

    def call_all(self, calls: Sequence[Call]) -> list[Any] | None:
        """Run commands in order; returns their replies, or None where they were declined.

        From the first command on that must be checked, or whose reply is in the socket, they go through the socket.
        """
        embedded = self._embedded
        with embedded.lock:
            client, restrictions = self.client, self._restrictions
            if not self._may_call(client):
                return None
            embedded.begin()
            direct_call, table = self._direct_call, self._table
            replies: list[Any] = []
            for command, argv in calls:
                if (client.needs_checks or restrictions.needs_checks) and self._is_checked(client):
                    break
                reply = direct_call(client, command, argv, table)
                replies.append(reply)
                if reply is IN_SOCKET:
                    break
            client.last_command = command
            replies = self._end(client, *replies)
            rest = calls[len(replies) :]
            if rest:
                self.is_plain = False
                try:
                    self._run([argv for _, argv in rest])
                except OSError as error:
                    self._fail(error)
                    raise
            self._take_replies()
            return replies + [IN_SOCKET] * len(rest)

    def call_transaction(self, calls: Sequence[Call]) -> Any:
        """Run commands between MULTI and EXEC; returns the reply of EXEC, IN_SOCKET or DECLINED."""
        with self._embedded.lock:
            client, lookup = self.client, self._embedded.engine.table.lookup
            multi, execute = lookup(b"MULTI"), lookup(b"EXEC")
            if multi is None or execute is None or not self._may_call(client):
                return DECLINED
            self._embedded.begin()
            self._direct_call(client, multi, [b"MULTI"], self._table)
            assert client.queue is not None, "a transaction is open"
            client.queue += calls
            call(client, execute, [b"EXEC"], answer=self._keep)
            client.last_command = execute
            reply, self._kept = self._kept, None
            return self._end(client, reply)[0]

    def _keep(self, value: Any) -> None:
        try:
            self._kept = self._table[type(value)](value)
        except Exception:  # as in direct_calls
            self.client.encode(value)
            self._kept = IN_SOCKET

    # -- whether to call ----------------------------------------------------------------------------------

    def _may_call(self, client: Client) -> bool:
        return self._check() and not self._is_checked(client)

    def _check(self) -> bool:
        """Find out whether nothing is under way. The engine's lock is held."""
        client = self.client
        self.is_plain = (
            self.is_quiet()
            and client.queue is None
            and client.caching is None
            and client.reply_mode == "on"
            and not client.close_after_reply
            and client not in client.engine.monitors
        )
        self._table = self._tables[client.resp]
        return self.is_plain

    def _is_checked(self, client: Client) -> bool:
        """Whether a command has to pass admission, even after the evictions that are due."""
        engine = client.engine
        if engine.restrictions.memory_full:
            engine.memory.make_room()
        return client.needs_checks or engine.restrictions.needs_checks

    def _fail(self, error: OSError) -> None:
        self._failure = error
        self.client.out.clear()
        self.close()

    # -- the socket ---------------------------------------------------------------------------------------

    def sendall(self, data: bytes) -> None:
        """As :meth:`EngineSocket.sendall`; after a call that has failed with OSError it raises that."""
        self.is_plain = False
        if self._failure is not None:
            raise self._failure
        super().sendall(data)

    def wants_send(self) -> None:
        self.is_plain = False
        super().wants_send()

    def close(self) -> None:
        self.is_plain = False
        super().close()

    def abandon(self) -> None:
        self.is_plain = False
        super().abandon()
