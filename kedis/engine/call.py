"""The call of a command: its handler runs, its effects are recorded, its figures are counted.

:func:`call` serves EXEC, scripts, blocked clients, instrumented clients (MONITOR, client-side caching) and a master's
stream; :func:`replay` runs what was recorded already, for the loader of the AOF. The loop over a network client's
requests (:meth:`kedis.engine.engine.Engine.run`) keeps the same steps inlined, because a function call costs 0.1 us
there and the answer another; ``tests/engine/test_call.py`` shows that the two agree.

The steps, in this order:

1. the handler returns a value, or raises CommandError (the client's fault) or anything else (ours);
2. the value is handed to ``answer``;
3. what changed goes into the propagation stream, or into the unit under way;
4. MONITOR gets its line, and client-side caching what was read (:mod:`kedis.engine.instrumentation`);
5. time and errors are counted, and a slow call is reported;
6. outside of a unit, clients that were blocked on what is ready now are served, each by a call of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from kedis import errors
from kedis.engine import instrumentation
from kedis.engine.blocking import NOT_READY, Attempt, Waiter
from kedis.engine.client import Client, Queued, Services
from kedis.engine.execution import Execution
from kedis.engine.table import Command, Handler
from kedis.errors import CommandError
from kedis.errors.fault_log import FaultLog
from kedis.resp.values import NO_REPLY, NULL_ARRAY, NoReply, Replies
from kedis.store.types import is_value, type_of

_faults = FaultLog(logging.getLogger("kedis.engine"))

Answer = Callable[[Any], None]


def call(
    client: Client,
    command: Command,
    argv: Sequence[bytes],
    *,
    answer: Answer | None = None,
    attempt: Callable[[], Any] | None = None,
) -> Any:
    """Run ``command``, which has been admitted, for ``client``.

    Args:
        argv: the words, the name included; they must not change any more.
        answer: takes the value, or the error, before anything else is told of the call; one that cannot take it raises.
        attempt: runs in place of the handler: a blocked client takes what it waited for. It counts as part of the call
            that was blocked.

    Returns what the handler returned, or the CommandError that it raised or that stands for an internal error.
    """
    engine = client.engine
    keyspace = engine.keyspace
    propagation = engine.propagation
    instrumented = attempt is None and client.is_instrumented
    outer = instrumentation.begin(client, command) if instrumented else None
    dirty = keyspace.dirty
    mark = len(client.out)
    began = engine.clock()
    try:
        try:
            value = command.function(client, argv) if attempt is None else attempt()  # type: ignore[misc]
            if answer is not None and value is not NOT_READY:
                answer(value)
        except CommandError as error:
            value = error
            engine.count_error(command, error)
            if answer is not None:
                answer(error)
        except Exception as error:
            take_back(client, mark)
            value = fault(engine, command, error)
            if answer is not None:
                answer(value)
            # A command that writes may have changed something before it counted that as a change.
            engine.durability.distrust(keyspace.dirty != dirty or command.writes)
        if propagation.batch or dirty != keyspace.dirty:
            try:
                record(client, command, argv, dirty != keyspace.dirty)
            except Exception as error:
                take_back(client, mark)
                value = unrecorded(client, command, error)
                if answer is not None:
                    answer(value)
        if instrumented or client.caching is not None:
            instrumentation.after(client, command, argv)
    finally:
        if instrumented:
            instrumentation.end(client, outer)
    elapsed = engine.clock() - began
    if not 0 <= elapsed < engine.slow_ns:
        elapsed = max(elapsed - engine.check_clock(), 0)
    counters = command.counters
    counters.nanoseconds += elapsed
    if attempt is None:
        if elapsed < counters.short_ns:
            counters.histogram[elapsed >> 6] += 1
        else:
            counters.count(elapsed)
        if elapsed >= engine.slow_ns:
            engine.observer.take_slow_call(client, command, argv, elapsed)
    if engine.events.waiting.ready and engine.execution is None:
        serve_blocked(engine)
    return value


def record(client: Client, command: Command, argv: Sequence[bytes], changed: bool) -> None:
    """Put the effects of the command that has just run into the propagation stream, or into the unit under way."""
    engine = client.engine
    propagation = engine.propagation
    effects = propagation.batch
    if engine.keyspace.account.used > engine.memory.limit and not engine.restrictions.memory_full:
        engine.memory.fill_up()
    if changed and command.writes:
        client.dirty_epoch = propagation.epoch
        if not propagation.overridden:
            effects.append((client.database, argv))
    propagation.overridden = False
    if engine.execution is not None:
        engine.execution.effects += effects
    else:
        propagation.append_unit(effects)
    effects.clear()


def run_unit(client: Client, body: Callable[[], Any]) -> Any:
    """Run ``body``, whose calls are one unit: at one moment, and propagated together. Returns what it returns."""
    engine = client.engine
    execution = engine.execution = Execution(engine.execution)
    try:
        value = body()
    finally:
        engine.execution = execution.outer
        if execution.outer is None:
            _propagate(engine, execution)
    return value


def _propagate(engine: Services, execution: Execution) -> None:
    try:
        engine.propagation.append_unit(execution.effects)
    except Exception as error:  # a part of it may be there
        engine.durability.unrecorded(error)
        raise


def run_queue(client: Client, queue: Sequence[Queued]) -> Replies | NoReply:
    """Run what MULTI queued, as one unit; returns the list of replies.

    A command may write to the connection itself: SUBSCRIBE, HELLO, CLIENT REPLY, a message that the client sends to
    itself. From there on, as in Redis, the replies are written one by one behind the header of the list, each in the
    protocol that holds when its command has run.
    """
    replies = _Replies(client, len(queue))

    def run() -> None:
        for command, argv in queue:
            replies.add(call(client, command, argv))

    run_unit(client, run)
    return replies.value()


class _Replies:
    """The replies to a transaction: a list as long as nothing else is written to the connection."""

    def __init__(self, client: Client, count: int) -> None:
        self._client = client
        self._count = count
        self._values = Replies()
        self._written = self._closed = False
        self._mark = len(client.out)
        self._form = client.encoders, client.reply_mode

    def add(self, value: Any) -> None:
        client = self._client
        form = client.encoders, client.reply_mode
        if not self._written and (len(client.out) != self._mark or form != self._form or self._closed):
            self._write_values()
        if self._closed:  # a command before has closed the connection: it gets no more replies
            return
        self._closed = client.close_after_reply
        if self._written:
            client.encode(value)
        else:
            self._values.append(kept(value))

    def _write_values(self) -> None:
        """Put the header and the replies of up to now before what was written to the connection meanwhile."""
        self._written = True
        client = self._client
        encoders, mode = self._form
        chunks: list[Any] = [b"*%d\r\n" % self._count]
        for value in self._values:
            encoders[type(value)](value, chunks.append)
        if mode == "on":
            client.out[self._mark : self._mark] = chunks

    def value(self) -> Replies | NoReply:
        return NO_REPLY if self._written else self._values


def kept(value: Any) -> Any:
    """``value`` as it will stay though later commands change the keyspace: a container of that is copied. O(N)."""
    kind = type(value)
    if kind is bytes or kind is int or kind is list or kind is dict or kind is set:
        return value
    if is_value(value):
        row = type_of(value)
        return row.plain(row.contents(value))
    return value


# -- blocked clients --------------------------------------------------------------------------------------


def serve_blocked(engine: Services) -> None:
    """Serve the clients that wait for keys that are ready now, and for those that this makes ready."""
    for waiter, attempt, key in engine.blocking.ready():
        _finish(waiter, attempt, key)
    engine.propagation.flush_batch()


def after_removals(engine: Services) -> None:
    """Keys were removed outside of any command, by expiry or eviction: record that, and tell who waits for them."""
    engine.propagation.flush_batch()
    if engine.events.waiting.ready and engine.execution is None:
        serve_blocked(engine)


def finish_blocked(engine: Services, waiter: Waiter, attempt: Attempt) -> None:
    """The task of ``waiter`` has ended: ``attempt`` gives the reply, whether the client is still there or not."""
    engine.keyspace.now_ns = engine.clock()
    _finish(waiter, attempt, b"")
    engine.propagation.flush_batch()


def _finish(waiter: Waiter, attempt: Attempt, key: bytes) -> None:
    client = waiter.client
    assert isinstance(client, Client)

    def answer(value: Any) -> None:
        if client.blocked is waiter:
            client.engine.blocking.forget(client)
        client.encode(value)

    if (
        call(client, waiter.command, waiter.argv, answer=answer, attempt=partial(attempt, client, key))
        is not NOT_READY
    ):
        client.transport.wants_send()


def unblock(client: Client, error: CommandError | None = None) -> bool:
    """Answer ``client`` as if its time were up, or with ``error`` (CLIENT UNBLOCK). False if it is not blocked."""
    waiter = client.blocked
    if waiter is None or not waiter.keys:
        return False
    client.engine.blocking.forget(client)
    if error is not None:
        client.engine.count_error(waiter.command, error)
    client.encode(NULL_ARRAY if error is None else error)
    client.transport.wants_send()
    return True


def expire_blocked(engine: Services) -> None:
    """Answer the blocked clients whose time is up, in the order of their deadlines."""
    for waiter in engine.blocking.due():
        assert isinstance(waiter.client, Client)
        unblock(waiter.client)


# -- replay -----------------------------------------------------------------------------------------------


def replay(
    client: Client,
    handlers: Mapping[bytes, tuple[Handler, int, int]],
    commands: Sequence[list[bytes]],
    start: int,
) -> tuple[int, Exception | None]:
    """Run ``commands[start:]``, which were recorded once: handlers alone, nothing recorded, counted or answered.

    Args:
        handlers: name -> (handler, fewest words, most words) of the commands that are run here.

    Returns the position of the first command that was not run, and the exception that it raised; None where it is not
    among ``handlers``, does not fit, or is the end. 0.25 us a command, where :func:`call` takes 1.
    """
    find = handlers.get
    propagation = client.engine.propagation
    position = start
    try:
        for position in range(start, len(commands)):
            argv = commands[position]
            row = find(argv[0])
            if row is None or not row[1] <= len(argv) <= row[2]:
                return position, None
            row[0](client, argv)
        position = len(commands)
    except Exception as error:
        return position, error
    finally:
        propagation.batch.clear()
        propagation.overridden = False
    return position, None


# -- faults -----------------------------------------------------------------------------------------------


def fault(engine: Services, command: Command, error: Exception) -> CommandError:
    """``command`` has failed in a way that is not the client's fault: log and count that; returns the answer."""
    answer = CommandError(text_of(error))
    _faults.report(command.name, error)
    engine.faults += 1
    engine.count_error(command, answer)
    return answer


def unrecorded(client: Client, command: Command, error: Exception) -> CommandError:
    """``command`` has made a change that the stream could not be told of: it is not acknowledged."""
    propagation = client.engine.propagation
    propagation.batch.clear()
    propagation.overridden = False
    answer = fault(client.engine, command, error)
    client.engine.durability.unrecorded(error)
    return answer


def unadmitted(client: Client, argv: Sequence[bytes], error: Exception) -> CommandError:
    """A command was to be admitted or queued, and that failed: nothing of it has run, or will. Returns the answer."""
    client.engine.faults += 1
    _faults.report("admission", error)
    return CommandError(text_of(error))


def text_of(error: Exception) -> str:
    """What an internal error is answered with."""
    return errors.NO_MEMORY if isinstance(error, MemoryError) else errors.INTERNAL


def take_back(client: Client, mark: int) -> None:
    """Remove what was appended to the replies since there were ``mark`` pieces of them.

    Messages may be among it, of which the client would never know: the connection of one who gets such is ended.
    """
    if len(client.out) > mark:
        del client.out[mark:]
        if client.subscriptions or client.caching is not None:
            client.close_after_reply = True
