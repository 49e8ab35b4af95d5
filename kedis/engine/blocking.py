"""Blocking commands: the blocked clients, and the events that end a wait.

A handler cannot wait, because nothing that runs in it may yield. A handler that finds nothing to take calls
:meth:`Blocking.wait` and returns its result. The client is then marked as blocked and admits no further
command; its transport buffers the input received meanwhile. Three events end the wait. Each puts the reply into the
client and notifies the transport (:meth:`kedis.engine.client.Transport.wants_send`):

* a key that the client waits for is ready. After the command or unit that made it ready, its waiters are served,
  first come, first served (:func:`kedis.engine.call.serve_blocked`); the elements they take are recorded after the
  write that added them, each as a unit of its own;
* the timeout is reached (:meth:`Blocking.expire`), or CLIENT UNBLOCK ends the wait;
* the client disconnects (:meth:`Blocking.forget`).

Deadlines are kept in one heap. The deadlines of clients that were served early are removed when they are the greater
part, so that a wait costs O(log N) whatever its timeout. The event loop is asked to call :meth:`Blocking.expire`.

Nothing blocks inside a unit (MULTI, a script), nor for a client that may not block: such a wait is over at once.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from kedis.engine.ports import EventLoop
from kedis.engine.table import Command
from kedis.engine.waiting import Waiting
from kedis.resp.values import NO_REPLY, NULL_ARRAY
from kedis.store.keyspace import Keyspace

#: Takes the awaited value from the key; returns the reply, or :data:`NOT_READY`.
Attempt = Callable[[Any, bytes], Any]

#: Minimum number of deadlines; below it, removing those that are over is not worth the work.
_FEW_DEADLINES = 64


class NotReady:
    """The type of ``NOT_READY``: the key has nothing for this client, which keeps waiting."""

    __slots__ = ()


NOT_READY = NotReady()


class BlockedTransport(Protocol):
    """The transport of a client that can be blocked."""

    def wants_send(self) -> None:
        """Signal that there is a reply to send, and that the client is no longer blocked."""


class BlockedClient(Protocol):
    """The part of a client that blocking uses."""

    database: int
    blocked: Waiter | None
    last_command: Command | None
    may_block: bool
    last_interaction_ns: int

    @property
    def transport(self) -> BlockedTransport: ...

    def update_checks(self) -> None:
        """Recompute ``needs_checks`` after a change of ``blocked``."""


class Waiter:
    """One blocked command.

    Attributes:
        command, argv: the blocked command and its words.
        kind: the class of the awaited values.
        keys: the awaited keys; none for a wait for a task.
        deadline_ns: latest time of the answer, by the monotonic clock; 0: none.
        attempt: takes the awaited value.
        when_gone: gives the reply when a key was deleted or changed its type; None: the client keeps waiting.
        when_late: gives the reply at the deadline, and to CLIENT UNBLOCK; None: a null array.
        queue: name shared by the waiters of a key that wait for the same values, such as the members of a consumer
            group: where one of them gets nothing, the next are not tried. None: tried in any case.
    """

    __slots__ = (
        "argv",
        "attempt",
        "client",
        "command",
        "deadline_ns",
        "keys",
        "kind",
        "queue",
        "when_gone",
        "when_late",
    )

    def __init__(
        self,
        client: BlockedClient,
        command: Command,
        argv: Sequence[bytes],
        kind: type,
        keys: Sequence[bytes],
        attempt: Attempt,
        when_gone: Attempt | None,
        queue: bytes | None = None,
    ) -> None:
        self.client = client
        self.command = command
        self.argv = argv
        self.kind = kind
        self.keys = keys
        self.deadline_ns = 0
        self.attempt = attempt
        self.when_gone = when_gone
        self.queue = queue
        self.when_late: Callable[[], Any] | None = None


class Blocking:
    """The blocked clients of one server.

    Args:
        monotonic: clock in nanoseconds that is never set.
        resolve: returns the row of the command table for a command's words.
        in_unit: whether a unit is under way, in which nothing blocks.

    Attributes:
        count: number of blocked clients.
        with_deadline: number of blocked clients with a timeout.
        loop: event loop that calls :meth:`expire`.
        shared: what attempts of one round keep for those that follow, by keys of their own; empty between rounds.
    """

    def __init__(
        self,
        keyspace: Keyspace,
        waiting: Waiting,
        monotonic: Callable[[], int],
        resolve: Callable[[Sequence[bytes]], Command],
        in_unit: Callable[[], bool],
        loop: EventLoop,
    ) -> None:
        self._keyspace = keyspace
        self._waiting = waiting
        self._monotonic = monotonic
        self._resolve = resolve
        self._in_unit = in_unit
        self.loop = loop
        self._serving = False
        self._deadlines: list[tuple[int, int, Waiter]] = []
        self._order = 0
        self._told_when_gone: Counter[type] = Counter()  # waiters by kind, of those with `when_gone`
        self.count = 0
        self.with_deadline = 0
        self.shared: dict[Any, Any] = {}

    # -- waiting ------------------------------------------------------------------------------------------

    def wait(
        self,
        client: BlockedClient,
        argv: Sequence[bytes],
        kind: type,
        keys: Sequence[bytes],
        timeout_ms: int,
        attempt: Attempt,
        otherwise: Any = NULL_ARRAY,
        when_gone: Attempt | None = None,
        queue: bytes | None = None,
    ) -> Any:
        """Block ``client``, which runs ``argv``, until one of ``keys`` is ready as a value of type ``kind``.

        Args:
            timeout_ms: timeout in milliseconds; 0 for none.
            attempt: called when a key is ready; :data:`NOT_READY` keeps the client waiting.
            otherwise: the reply where waiting is not allowed.
            when_gone: called when a key was deleted or changed its type; None: the client keeps waiting.
            queue: name of those who wait for the same values (:class:`Waiter`).

            Returns the value that the handler is to return. O(len(keys) + log N), N being the blocked clients.
        """
        if not client.may_block or self._in_unit():
            return otherwise
        waiter = Waiter(client, self._resolve(argv), argv, kind, keys, attempt, when_gone, queue)
        self._waiting.join(waiter, client.database, kind, keys)
        self._told_when_gone[kind] += when_gone is not None
        self._block(client, waiter)
        if timeout_ms:
            self._set_deadline(waiter, self._monotonic() + timeout_ms * 1_000_000)
        return NO_REPLY

    def wait_for_task(
        self,
        client: BlockedClient,
        argv: Sequence[bytes],
        timeout_ms: int = 0,
        when_late: Callable[[], Any] | None = None,
    ) -> None:
        """Block ``client``, which runs ``argv``, until a task ends (:func:`kedis.engine.call.finish_blocked`).

        Args:
            timeout_ms: timeout in milliseconds; 0 for none.
            when_late: gives the reply at the timeout, and to CLIENT UNBLOCK; without it nothing else ends the wait.
        """
        waiter = Waiter(client, self._resolve(argv), argv, type(None), (), _nothing, None)
        waiter.when_late = when_late
        self._block(client, waiter)
        if timeout_ms:
            self._set_deadline(waiter, self._monotonic() + timeout_ms * 1_000_000)

    def _block(self, client: BlockedClient, waiter: Waiter) -> None:
        self.count += 1
        client.blocked = waiter
        client.last_command = waiter.command
        client.update_checks()
        self._keyspace.update_observed()

    def forget(self, client: BlockedClient) -> None:
        """End the wait of ``client`` without a reply. Does nothing when it is not blocked."""
        waiter = client.blocked
        if waiter is None:
            return
        client.blocked = None
        client.last_interaction_ns = self._monotonic()  # the wait was no idleness
        client.update_checks()
        self.count -= 1
        if waiter.deadline_ns:
            self.with_deadline -= 1
            self._thin_deadlines()
        self._told_when_gone[waiter.kind] -= waiter.when_gone is not None
        self._waiting.leave(waiter, client.database, waiter.kind, waiter.keys)
        self._keyspace.update_observed()

    # -- being served -------------------------------------------------------------------------------------

    def ready(self) -> Iterator[tuple[Waiter, Attempt, bytes]]:
        """Yield the waiters to try, each with its attempt and the ready key, until no key is ready.

        The caller must run an attempt before it takes the next waiter: the elements taken and the waiter's state decide
        which is next. A second generator yields nothing while one is under way, which continues with the keys that
        became ready meanwhile. O(waiters tried), however many clients wait for other keys.
        """
        if self._serving:
            return
        self._serving = True
        places = self._waiting.ready
        try:
            while places:
                batch = list(places)
                places.clear()
                for number, kind, key in batch:
                    yield from self._ready_at(number, kind, key)
        finally:
            self._serving = False
            self.shared.clear()

    def _ready_at(self, number: int, kind: type, key: bytes) -> Iterator[tuple[Waiter, Attempt, bytes]]:
        waiting, peek = self._waiting, self._keyspace.databases[number].lookup
        waiter: Waiter | None = None
        while type(peek(key)) is kind and (first := waiting.first(number, kind, key)) is not None:
            if first is waiter:  # it was tried and still waits: so may those behind it
                yield from self._ready_behind(number, kind, key, waiter.queue)
                return
            waiter = first
            yield waiter, waiter.attempt, key
        if self._told_when_gone[kind] and type(peek(key)) is not kind:
            for each in waiting.all(number, kind, key):
                if each.when_gone is not None:
                    yield each, each.when_gone, key

    def _ready_behind(
        self, number: int, kind: type, key: bytes, queue: bytes | None
    ) -> Iterator[tuple[Waiter, Attempt, bytes]]:
        """Those behind the first waiter, who is of ``queue`` and got nothing. O(waiters), 0.1 us for one not tried."""
        peek = self._keyspace.databases[number].lookup
        in_vain = {queue}
        for waiter in self._waiting.all(number, kind, key)[1:]:
            if waiter.queue is not None and waiter.queue in in_vain:
                continue
            if type(peek(key)) is not kind:
                break
            if is_blocked(waiter):
                yield waiter, waiter.attempt, key
                if is_blocked(waiter):
                    in_vain.add(waiter.queue)

    # -- deadlines ----------------------------------------------------------------------------------------

    @property
    def next_deadline_ns(self) -> int | None:
        """Earliest deadline, in ns of the monotonic clock; None: there is none."""
        return self._deadlines[0][0] if self._deadlines else None

    def due(self) -> Iterator[Waiter]:
        """Yield the waiters whose timeout is reached, in the order of their deadlines."""
        now = self._monotonic()
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now:
            waiter = heapq.heappop(deadlines)[2]
            if is_blocked(waiter):
                yield waiter

    def _set_deadline(self, waiter: Waiter, at_ns: int) -> None:
        waiter.deadline_ns = at_ns
        self.with_deadline += 1
        self._order += 1
        is_earliest = not self._deadlines or at_ns < self._deadlines[0][0]
        heapq.heappush(self._deadlines, (at_ns, self._order, waiter))
        if is_earliest:
            self.loop.await_deadline(at_ns)

    def _thin_deadlines(self) -> None:
        """Drop the deadlines of clients that are no longer waiting, once they are the greater part."""
        if len(self._deadlines) > max(_FEW_DEADLINES, 2 * self.with_deadline):
            self._deadlines[:] = [entry for entry in self._deadlines if is_blocked(entry[2])]
            heapq.heapify(self._deadlines)


def is_blocked(waiter: Waiter) -> bool:
    """Whether the client of ``waiter`` still waits for it."""
    return waiter.client.blocked is waiter


def _nothing(_client: Any, _key: bytes) -> Any:
    return NULL_ARRAY
