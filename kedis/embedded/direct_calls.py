"""The call of a command without its protocol: words in, the Python object of redis-py out.

:func:`direct_caller` does the same steps as the loop over requests (:meth:`kedis.engine.engine.Engine.run`), of
which ``tests/embedded/test_direct_calls.py`` shows that they agree. It serves clients and commands for which nothing
has to be checked; who calls it sees to that. Where the native path is there it runs the command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kedis.engine.call import fault, record, serve_blocked, take_back, unrecorded
from kedis.engine.client import Client, Services
from kedis.engine.table import Command
from kedis.errors import CommandError
from kedis.resp.python_replies import PythonReplies


class InSocket(Exception):
    """The type of ``IN_SOCKET``: the reply is, or will be, among those that the client reads from its socket.

    An exception, never raised, so that one test tells the usual replies from errors and from what is no reply.
    """


IN_SOCKET: Final = InSocket()

#: Runs a command for a client that has no unread replies; returns what the table of replies makes of its value, or
#: IN_SOCKET.
DirectCall = Callable[[Client, Command, list[bytes], PythonReplies], Any]


def direct_caller(engine: Services) -> DirectCall:
    """The function that calls commands for the clients of ``engine``.

    What a call needs is looked up once: 0.5 us a call beside the handler, where ``Engine.run`` takes 1.0 for a command
    that comes alone.
    """
    keyspace, propagation, memory = engine.keyspace, engine.propagation, engine.memory
    account, batch, ready = keyspace.account, propagation.batch, engine.events.waiting.ready

    def call(client: Client, command: Command, argv: list[bytes], replies: PythonReplies) -> Any:
        keyspace.now_ns = began = engine.clock()
        dirty = keyspace.dirty
        unchanged = replies.unchanged
        try:
            value = command.function(client, argv)  # type: ignore[misc]
            try:
                kind = type(value)
                reply = value if kind in unchanged else replies[kind](value)
            except Exception:  # not convertible; or not decodable, which the parser reports in its own way
                client.encode(value)
                reply = IN_SOCKET
        except CommandError as error:
            engine.count_error(command, error)
            reply = replies[CommandError](error)
        except Exception as error:
            take_back(client, 0)
            reply = replies[CommandError](fault(engine, command, error))
            # A command that writes may have changed data before it counted the change.
            engine.durability.distrust(keyspace.dirty != dirty or command.writes)
        if batch or (dirty != keyspace.dirty and command.writes):
            try:
                if batch or propagation.overridden or account.used > memory.limit:
                    record(client, command, argv, dirty != keyspace.dirty)
                else:  # nearly always
                    client.dirty_epoch = propagation.epoch
                    if propagation.active:
                        propagation.append(client.database, argv)
            except Exception as error:
                take_back(client, 0)
                reply = replies[CommandError](unrecorded(client, command, error))
            if ready:
                serve_blocked(engine)
        elapsed = engine.clock() - began
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
        return reply

    native = engine.native
    if native is None:
        return call

    def call_natively(client: Client, command: Command, argv: list[bytes], replies: PythonReplies) -> Any:
        keyspace.now_ns = engine.clock()
        value = native(client, command, argv)
        if value is NotImplemented:
            return call(client, command, argv, replies)
        kind = type(value)
        if kind in replies.unchanged:
            return value
        try:
            return replies[kind](value)
        except Exception:
            client.encode(value)
            return IN_SOCKET

    return call_natively
