"""The call of a command: runs the handler, records the effects, updates the counters.

:func:`call` serves EXEC, scripts, blocked clients, instrumented clients (MONITOR, client-side caching) and a master's
stream; :func:`replay` runs recorded commands for the AOF loader. The loop over a network client's
requests (:meth:`kedis.engine.engine.Engine.run`) keeps the same steps inlined, because a function call costs 0.1 us
there and the answer another; ``tests/engine/test_call.py`` shows that the two agree.

The steps, in this order:

1. the handler returns a value, or raises CommandError (the client's fault) or anything else (ours);
2. the value is handed to ``answer``;
3. changes go into the propagation stream, or into the unit under way;
4. MONITOR gets its line, and client-side caching the keys read (:mod:`kedis.engine.instrumentation`);
5. time and errors are counted, and a slow call is reported;
6. outside a unit, clients blocked on keys that are now ready are served, each by a call of its own.
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
from kedis.engine.denials import refusal_in_exec
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
        argv: the words, the name included; they must not change afterwards.
        answer: receives the value, or the error, before any other step; raises when it cannot take it.
        attempt: runs in place of the handler when a blocked client takes the awaited value. It counts as part of the
            blocked call.

        Returns the value of the handler, or the CommandError that it raised or that reports an internal error.
    """
    engine = client.engine
    if engine.native is not None and answer is None and attempt is None and not client.is_instrumented:
        value = engine.native(client, command, argv)
        if value is not NotImplemented:
            return value
    keyspace = engine.keyspace
    propagation = engine.propagation
    instrumented = client.is_instrumented if attempt is None else client.caching is not None
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
            # A command that writes may have changed data before it counted the change.
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
            instrumentation.after(client, command, argv, was_blocked=attempt is not None)
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
    if elapsed >= engine.slow_ns and client.blocked is None:
        engine.observer.take_slow_call(client, command, argv, elapsed)
    if engine.events.waiting.ready and engine.execution is None:
        serve_blocked(engine)
    return value


def caller_in_unit(client: Client) -> Callable[[Command, Sequence[bytes]], Any]:
    """A function that runs commands as :func:`call` does, for ``client``, in the unit that is under way.

    For a script, whose calls are many: what call() looks up each time is looked up once, 0.9 us a call in place of 1.8.
    Nothing accompanies the calls (``client.is_instrumented``).
    ``tests/scripting/test_calls.py`` shows that the two agree.
    """
    engine = client.engine
    keyspace, propagation, memory = engine.keyspace, engine.propagation, engine.memory
    account, batch, clock = keyspace.account, propagation.batch, engine.clock
    assert engine.execution is not None, "a unit is under way"
    add_effect = engine.execution.effects.append
    native = engine.native

    def run(command: Command, argv: Sequence[bytes]) -> Any:
        if native is not None and (value := native(client, command, argv)) is not NotImplemented:
            return value
        dirty = keyspace.dirty
        began = clock()
        try:
            value = command.function(client, argv)  # type: ignore[misc]
        except CommandError as error:
            value = error
            engine.count_error(command, error)
        except Exception as error:
            value = fault(engine, command, error)
            engine.durability.distrust(keyspace.dirty != dirty or command.writes)
        if batch or dirty != keyspace.dirty:
            if batch or propagation.overridden or not command.writes or account.used > memory.limit:
                try:
                    record(client, command, argv, dirty != keyspace.dirty)
                except Exception as error:
                    value = unrecorded(client, command, error)
            else:
                add_effect((client.database, argv))
        elapsed = clock() - began
        if not 0 <= elapsed < engine.slow_ns:
            elapsed = max(elapsed - engine.check_clock(), 0)
            if elapsed >= engine.slow_ns:
                engine.observer.take_slow_call(client, command, argv, elapsed)
        counters = command.counters
        counters.nanoseconds += elapsed
        if elapsed < counters.short_ns:
            counters.histogram[elapsed >> 6] += 1
        else:
            counters.count(elapsed)
        return value

    return run


def record(client: Client, command: Command, argv: Sequence[bytes], changed: bool) -> None:
    """Put the effects of the last command into the propagation stream, or into the unit under way."""
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
    elif command.writes:
        propagation.append_unit(effects)
    else:  # keys that a read has found expired, none of which has to do with another
        for effect in effects if propagation.active else ():
            propagation.append(*effect)
    effects.clear()


def run_unit(client: Client, body: Callable[[], Any]) -> Any:
    """Run ``body`` as one unit: its calls see one time and are propagated together. Returns the value of ``body``."""
    engine = client.engine
    execution = engine.execution = Execution(engine.execution)
    try:
        value = body()
    finally:
        engine.execution = execution.outer
        if execution.outer is None:
            propagate_effects(engine, execution)
    return value


def propagate_effects(engine: Services, execution: Execution) -> None:
    if engine.restrictions.ended and execution.effects:  # the server has ended in the middle of the unit
        raise CommandError(errors.CUT_OFF)
    try:
        engine.propagation.append_unit(execution.effects)
    except Exception as error:  # a part may be recorded
        engine.durability.unrecorded(error)
        raise


def run_queue(client: Client, queue: Sequence[Queued]) -> Replies | NoReply:
    """Run the commands queued by MULTI as one unit; returns the list of replies.

    A command may write to the connection itself: SUBSCRIBE, HELLO, CLIENT REPLY, a message that the client sends to
    itself. From that point on, as in Redis, the replies are written one by one after the header of the list, each in
    the protocol selected when its command has run.
    """
    replies = _Replies(client, len(queue))

    def run() -> None:
        for command, argv in queue:
            replies.add(_refused(client, command, argv) or call(client, command, argv))

    client.transaction = queue
    try:
        run_unit(client, run)
    finally:
        client.transaction = None
    return replies.value()


def _refused(client: Client, command: Command, argv: Sequence[bytes]) -> CommandError | None:
    """The error in place of a queued command that the user, perhaps another one by now, may not run."""
    user = client.user
    if user is not None and user.may_all:
        return None
    error = refusal_in_exec(client, command, argv)
    if error is not None:
        client.engine.table.error_counts.add(error.code)
    return error


class _Replies:
    """The replies to a transaction: a list, unless a command writes to the connection itself."""

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
        """Write the header and the replies so far, before the bytes that a command wrote to the connection."""
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
    """A ``value`` that later commands cannot change: containers of the keyspace are copied. O(N)."""
    kind = type(value)
    if kind is bytes or kind is int or kind is list or kind is dict or kind is set:
        return value
    if is_value(value):
        row = type_of(value)
        return row.plain(row.contents(value))
    for plain in (dict, set):  # the table of a large one, which the compiled build has within its own
        if isinstance(value, plain):
            return plain(value)
    return value


# -- blocked clients --------------------------------------------------------------------------------------


def serve_blocked(engine: Services) -> None:
    """Serve the clients that wait for ready keys, and those whose keys become ready by that."""
    if engine.restrictions.ended:
        return
    for waiter, attempt, key in engine.blocking.ready():
        _finish(waiter, attempt, key)
    engine.propagation.flush_batch()


def after_removals(engine: Services) -> None:
    """Keys were removed outside of any command, by expiry or eviction: record that, and tell who waits for them."""
    engine.propagation.flush_batch()
    if engine.events.waiting.ready and engine.execution is None:
        serve_blocked(engine)


def finish_blocked(engine: Services, waiter: Waiter, attempt: Attempt) -> None:
    """End the wait of ``waiter`` for its task: ``attempt`` gives the reply, even if the client has disconnected."""
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
    """Answer ``client`` as at its timeout, or with ``error`` (CLIENT UNBLOCK). False if it is not blocked."""
    waiter = client.blocked
    if waiter is None or not (waiter.keys or waiter.when_late):
        return False
    value = NULL_ARRAY if waiter.when_late is None else waiter.when_late()
    client.engine.blocking.forget(client)
    if error is not None:
        client.engine.count_error(waiter.command, error)
    client.encode(value if error is None else error)
    client.transport.wants_send()
    return True


def expire_blocked(engine: Services) -> None:
    """Answer the blocked clients whose timeout is reached, in the order of their deadlines."""
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
    """Run the recorded ``commands[start:]``: only the handlers; nothing is recorded, counted or answered.

    Args:
        handlers: name -> (handler, fewest words, most words) of the commands that may run.

    Returns the position of the first command that was not run, and the exception that it raised. The exception is None
    for a command that is not in ``handlers`` or has a wrong number of words, and at the end. 0.25 us a command, where
    :func:`call` takes 1.
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
    """Log and count an exception of ``command`` that is not the client's fault; returns the error to answer with."""
    answer = CommandError(text_of(error))
    _faults.report(command.name, error)
    engine.faults += 1
    engine.count_error(command, answer)
    return answer


def unrecorded(client: Client, command: Command, error: Exception) -> CommandError:
    """Handle a change by ``command`` that could not be recorded: it is not acknowledged."""
    propagation = client.engine.propagation
    propagation.batch.clear()
    propagation.overridden = False
    answer = fault(client.engine, command, error)
    client.engine.durability.unrecorded(error)
    return answer


def unadmitted(client: Client, argv: Sequence[bytes], error: Exception) -> CommandError:
    """Handle an exception while a command was admitted or queued: it has not run and will not. Returns the answer."""
    client.engine.faults += 1
    _faults.report("admission", error)
    return CommandError(text_of(error))


def text_of(error: Exception) -> str:
    """The error text that reports an internal error."""
    return errors.NO_MEMORY if isinstance(error, MemoryError) else errors.INTERNAL


def take_back(client: Client, mark: int) -> None:
    """Remove the chunks appended to the replies after the first ``mark``.

    Messages may be among them, and the client would never learn of these: a client that receives messages is
    disconnected.
    """
    if len(client.out) > mark:
        del client.out[mark:]
        if client.subscriptions or client.caching is not None:
            client.close_after_reply = True
