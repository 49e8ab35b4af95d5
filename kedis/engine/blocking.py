"""Commands that wait: who is blocked, and how that ends.

A handler cannot wait, because nothing that runs in it may yield.  Where there is nothing to take it calls
:meth:`Blocking.wait` and returns what that returns.  The client is then marked as blocked and admits no further
command; its transport keeps what comes meanwhile.  Three things end the wait, and each puts the reply into the
client and tells the transport (:meth:`kedis.engine.client.Transport.wants_send`):

* a key comes into being.  After the command or transaction that added it, :meth:`serve` gives those who wait for it
  their turn, first come, first served; what they take is journalled behind what was added, each as a unit of its own;
* the time is up (:meth:`expire`), or CLIENT UNBLOCK says so;
* the client leaves (:meth:`forget`).

Deadlines are kept in one heap, from which those who were served early are removed when they are the greater part, so
that a wait costs O(log N) whatever its timeout.  Whoever has an event loop is told by ``on_deadline`` when to call.

A transaction does not wait, nor does the replay of a journal: for them a wait is over at once.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.errors import CommandError
from kedis.resp.values import NO_REPLY, NULL_ARRAY

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.engine.engine import Engine
    from kedis.engine.table import Command
    from kedis.store.database import Database

#: Takes what was waited for from the key, which is there and has the right type; returns the reply.
Attempt = Callable[["Client", bytes], Any]

#: Fewer deadlines than these are not worth the work of removing those that are over.
_FEW_DEADLINES = 64


class Waiter:
    """One blocked command.  ``deadline_ns`` is 0 when it waits for ever."""

    __slots__ = ("argv", "attempt", "client", "command", "deadline_ns", "keys", "kind")

    def __init__(
        self, client: Client, command: Command, argv: Sequence[bytes], kind: type, keys: Sequence[bytes]
    ) -> None:
        self.client = client
        self.command = command
        self.argv = argv
        self.kind = kind
        self.keys = keys
        self.deadline_ns = 0
        self.attempt: Attempt = _nothing


def _nothing(_session: Client, _key: bytes) -> Any:
    return NULL_ARRAY


class Blocking:
    """The blocked clients of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting = engine.keyspace.waiting
        self._serving = False
        self._deadlines: list[tuple[int, int, Waiter]] = []
        self._order = 0
        #: How many clients are blocked, and how many of them not for ever.
        self.count = 0
        self.with_deadline = 0
        #: Called with a moment of the monotonic clock, in ns, that comes before all others: call :meth:`expire` then.
        self.on_deadline: Callable[[int], None] = lambda at_ns: None

    # -- waiting ------------------------------------------------------------------------------------------

    def wait(
        self,
        client: Client,
        argv: Sequence[bytes],
        kind: type,
        keys: Sequence[bytes],
        timeout_ms: int,
        attempt: Attempt,
        otherwise: Any = NULL_ARRAY,
    ) -> Any:
        """Block ``client``, which runs ``argv``, until one of ``keys`` is a value of type ``kind``.

        Args:
            timeout_ms: how long; 0 for ever.
            attempt: what is done then.
            otherwise: the reply where waiting is not allowed.

        Returns what the handler is to return.  O(len(keys) + log N), N being the blocked clients.
        """
        engine = self._engine
        if engine.unit is not None or client.transport.kind == "journal":
            return otherwise
        waiter = Waiter(client, engine.admission.resolve(argv), argv, kind, keys)
        waiter.attempt = attempt
        self._waiting.join(waiter, client.database, kind, keys)
        self._block(client, waiter)
        if timeout_ms:
            self._set_deadline(waiter, engine.monotonic() + timeout_ms * 1_000_000)
        return NO_REPLY

    def wait_for_task(self, client: Client, argv: Sequence[bytes]) -> None:
        """Block ``client``, which runs ``argv``, until :meth:`finish` is called for it; nothing else ends that."""
        self._block(client, Waiter(client, self._engine.admission.resolve(argv), argv, type(None), ()))

    def finish(self, waiter: Waiter, attempt: Attempt) -> None:
        """What ``waiter`` waited for is done: ``attempt`` gives the reply, whether the client is still there or not."""
        engine, client = self._engine, waiter.client
        if client.blocked is waiter:
            self.forget(client)
        engine.keyspace.now_ns = engine.clock()
        engine.resume(client, waiter.command, waiter.argv, attempt, b"")
        engine.flush_pending()
        client.transport.wants_send()

    def _block(self, client: Client, waiter: Waiter) -> None:
        self.count += 1
        client.blocked = waiter
        client.last_command = waiter.command
        client.update_guard()
        self._engine.keyspace.update_observed()

    def forget(self, client: Client) -> None:
        """End the wait of ``client`` without a word; nothing happens when it is not blocked."""
        waiter = client.blocked
        if waiter is None:
            return
        client.blocked = None
        client.update_guard()
        self.count -= 1
        if waiter.deadline_ns:
            self.with_deadline -= 1
            self._thin_deadlines()
        self._waiting.leave(waiter, client.database, waiter.kind, waiter.keys)
        self._engine.keyspace.update_observed()

    def unblock(self, client: Client, error: bool = False) -> bool:
        """CLIENT UNBLOCK: answer ``client`` as if its time were up, or with an error.  False if it is not blocked."""
        waiter = client.blocked
        if waiter is None or not waiter.keys:
            return False
        self.forget(client)
        if error:
            self._engine.fail(client, waiter.command, CommandError(errors.UNBLOCKED))
        else:
            client.encode(NULL_ARRAY)
        client.transport.wants_send()
        return True

    # -- being served -------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Serve those who wait for keys that have come into being, and for keys that this brings into being.

        O(served), wherever others may wait.
        """
        if self._serving:
            return
        self._serving = True
        ready = self._waiting.ready
        databases = self._engine.keyspace.databases
        try:
            while ready:
                batch = list(ready)
                ready.clear()
                for number, key in batch:
                    self._serve_key(databases[number], key)
        finally:
            self._serving = False
        self._engine.flush_pending()

    def _serve_key(self, database: Database, key: bytes) -> None:
        while (value := database.peek(key)) is not None:
            waiter: Waiter | None = self._waiting.first(database.number, type(value), key)
            if waiter is None:
                break
            self.forget(waiter.client)
            self._engine.resume(waiter.client, waiter.command, waiter.argv, waiter.attempt, key)
            waiter.client.transport.wants_send()

    # -- deadlines ----------------------------------------------------------------------------------------

    @property
    def next_deadline_ns(self) -> int | None:
        """When :meth:`expire` has something to do at the earliest, in ns of the engine's monotonic clock."""
        return self._deadlines[0][0] if self._deadlines else None

    def expire(self) -> None:
        """Answer those whose time is up, in the order of their deadlines."""
        now = self._engine.monotonic()
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now:
            waiter = heapq.heappop(deadlines)[2]
            if _is_blocked(waiter):
                self.unblock(waiter.client)

    def _set_deadline(self, waiter: Waiter, at_ns: int) -> None:
        waiter.deadline_ns = at_ns
        self.with_deadline += 1
        self._order += 1
        is_earliest = not self._deadlines or at_ns < self._deadlines[0][0]
        heapq.heappush(self._deadlines, (at_ns, self._order, waiter))
        if is_earliest:
            self.on_deadline(at_ns)

    def _thin_deadlines(self) -> None:
        """Drop the deadlines of those who do not wait any more, once they are the greater part."""
        if len(self._deadlines) > max(_FEW_DEADLINES, 2 * self.with_deadline):
            self._deadlines[:] = [entry for entry in self._deadlines if _is_blocked(entry[2])]
            heapq.heapify(self._deadlines)


def _is_blocked(waiter: Waiter) -> bool:
    return waiter.client.blocked is waiter
