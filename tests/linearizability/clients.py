"""Clients that make a history: they ask at random, note what they were answered, and connect again at once."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.commands.driver import ErrorReply
from tests.linearizability.model import UNKNOWN, Operation
from tests.persistence.server import Wire

_SCRIPT = """
local before = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
return {before, redis.call('RPUSH', KEYS[2], ARGV[1])}
"""
#: Often enough taken out for the lists to stay short.
_KINDS = (
    *("get", "set", "swap", "increment", "range", "unit", "script", "push", "push"),
    *("pop", "pop", "blocking pop", "blocking pop", "watch", "watch", "delete"),
)
_PATIENCE_SECONDS = 60


class NotServed(Exception):
    """The server has answered that it does not run commands now."""


class Clients:
    """Threads that work until they have done so many operations together.

    Args:
        port: of the server, which may be killed and started again meanwhile.
        pairs: how many pairs of keys there are.
        operations: how many are to be done.
        seed: of the choices of each client.
    """

    def __init__(
        self, port: int, *, clients: int = 20, pairs: int = 10, operations: int, seed: int = 1
    ) -> None:
        self._port = port
        self._pairs = pairs
        self._operations = operations
        self._begun = itertools.count()
        self._is_over = False
        self._notes: list[list[Operation]] = [[] for _ in range(clients)]
        self._problems: list[str] = []
        self._threads = [
            threading.Thread(target=self._work, args=(number, random.Random(f"{seed} {number}")), daemon=True)
            for number in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> int:
        """How many operations there have been."""
        return sum(map(len, self._notes))

    def finish(self, seconds: float = 3600) -> list[Operation]:
        """Wait until all is done; returns the history."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
            assert not thread.is_alive(), "the clients do not come to an end"
        assert not self._problems, self._problems[:5]
        return [operation for notes in self._notes for operation in notes]

    def _work(self, number: int, dice: random.Random) -> None:
        values = itertools.count(number * 10_000_000)
        while not self._is_over:
            try:
                wire = Wire(self._port, _PATIENCE_SECONDS)
            except OSError:
                time.sleep(0.001)
                continue
            client = _Client(wire, number, self._notes[number], dice, values)
            try:
                while next(self._begun) < self._operations:
                    client.act(dice.choice(_KINDS), dice.randrange(self._pairs))
                self._is_over = True
            except (OSError, NotServed):
                pass  # what was under way has been noted
            except Exception as problem:
                self._problems.append(repr(problem))
                return
            finally:
                wire.close()


class _Client:
    """One connection."""

    def __init__(
        self, wire: Wire, number: int, notes: list[Operation], dice: random.Random, values: Iterator[int]
    ) -> None:
        self._wire, self._number, self._notes, self._dice, self._values = wire, number, notes, dice, values

    def act(self, kind: str, pair: int) -> None:
        """Do something of a kind to a pair. Raises OSError where the connection ends, once it is noted."""
        number, elements = f"number{pair}", f"list{pair}"
        value = next(self._values)
        if kind == "watch":
            self._watch(pair, number, value)
            return
        words: dict[str, list[tuple[Any, ...]]] = {
            "get": [("GET", number)],
            "set": [("SET", number, value)],
            "swap": [("SET", number, value, "GET")],
            "increment": [("INCR", number)],
            "push": [("RPUSH", elements, value)],
            "pop": [("LPOP", elements)],
            "blocking pop": [("BLPOP", elements, self._dice.choice((0.002, 0.02)))],
            "range": [("LRANGE", elements, 0, -1)],
            "delete": [("DEL", number, elements)],
            "unit": [
                ("MULTI",),
                ("INCR", number),
                ("RPUSH", elements, value),
                ("LRANGE", elements, 0, -1),
                ("EXEC",),
            ],
            "script": [("EVAL", _SCRIPT, 2, number, elements, value)],
        }
        self._note(pair, kind, value, words[kind], _READ.get(kind, _as_is))

    def _watch(self, pair: int, number: str, value: int) -> None:
        """A change that depends on what was read."""
        watched = self._note(pair, "get", None, [("WATCH", number), ("GET", number)], _integer)
        words = [("MULTI",), ("SET", number, value), ("EXEC",)]
        self._note(pair, "exec", (watched, value), words, lambda reply: reply is not None)

    def _note(
        self, pair: int, kind: str, argument: Any, words: list[tuple[Any, ...]], read: Callable[[Any], Any]
    ) -> Any:
        invoked = time.monotonic_ns()
        try:
            reply = self._wire.pipeline(words)[-1]
        except OSError:
            self._notes.append(
                Operation(self._number, pair, kind, argument, UNKNOWN, invoked, time.monotonic_ns())
            )
            raise
        returned = time.monotonic_ns()
        if isinstance(reply, ErrorReply):
            if str(reply).startswith(("LOADING", "EXECABORT")):
                raise NotServed
            raise AssertionError(f"{words}: {reply}")
        result = read(reply)
        if kind != "exec" or result:  # a transaction that was given up has done nothing
            self._notes.append(Operation(self._number, pair, kind, argument, result, invoked, returned))
        return result


def _as_is(reply: Any) -> Any:
    return reply


def _integer(reply: Any) -> int | None:
    return None if reply is None else int(reply)


def _integers(reply: Any) -> tuple[int, ...]:
    return tuple(map(int, reply))


_READ: dict[str, Callable[[Any], Any]] = {
    "get": _integer,
    "swap": _integer,
    "pop": _integer,
    "blocking pop": lambda reply: None if reply is None else int(reply[1]),
    "range": _integers,
    "unit": lambda reply: (reply[0], reply[1], _integers(reply[2])),
    "script": lambda reply: (_integer(reply[0]), reply[1]),
}
