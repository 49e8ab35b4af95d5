"""Two stores that are given the same: one calls commands directly, of the other every command passes its socket.

Time stands still for both and goes on when they wait, and chance is the same, so all that they answer and hold may be
compared, types and figures included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
import redis

import kedis
import kedis.embedded.engine_socket
import kedis.process.clock
from kedis.embedded.direct_requests import NothingDirect
from kedis.engine.table import COMMANDS
from tests.commands.driver import Clock, Recorder

#: A command as given to ``execute_command``.
Words = Sequence[Any]


class _Latch:
    """A latch that nobody sets: a wait ends when its time is over, at once."""

    clock: Clock
    is_set = False

    def wait(self, seconds: float | None = None) -> bool:
        assert seconds is not None, "a wait without end, and nobody else is there"
        self.clock.now_ns += max(int(seconds * 1e9), 1)
        return False

    def set(self) -> None:
        pass


class Store:
    """One of the stores, with what can be seen of it."""

    def __init__(self, direct: bool, options: dict[str, Any]) -> None:
        self.client: Any = kedis.connect(settings={"enable-debug-command": "yes"}, **options)
        if not direct:
            self.client._requests = NothingDirect()
        self.engine = self.client._embedded.engine
        self.engine.keyspace.random.seed(1)
        self.recorder = Recorder(self.engine)

    def outcome(self, act: Callable[[Any], Any]) -> Any:
        """What ``act`` returns or raises, with all types."""
        try:
            return typed(act(self.client))
        except redis.RedisError as error:
            return "raised", typed(error)
        except (UnicodeError, TypeError, AttributeError, ValueError, IndexError) as error:
            # redis-py leaves replies unread when one of its callbacks fails on a reply in the middle of a pipeline.
            self.client.connection_pool.disconnect()
            return "raised", typed(error)

    def state(self) -> dict[str, Any]:
        """What it holds, has recorded and has counted."""
        engine = self.engine
        keyspace = engine.keyspace
        return {
            "digest": self.outcome(lambda client: client.execute_command("DEBUG", "DIGEST")),
            "recorded": list(self.recorder.entries),
            "calls": {row.name: row.counters.calls for row in engine.table.every() if row.counters.calls},
            "errors": {row.name: dict(row.counters.errors) for row in engine.table.every()},
            "refusals": {row.name: dict(row.counters.refusals) for row in engine.table.every()},
            "error replies": dict(engine.table.error_counts),
            "unknown": dict(engine.table.unknown.refusals),
            "transactions": dict(engine.transactions),
            "hits": (keyspace.hits, keyspace.misses, keyspace.expired_keys),
            "dirty": keyspace.dirty,
            "last command": [
                client.last_command and client.last_command.name for client in engine.clients.values()
            ],
            "faults": engine.faults,
        }


class TwoWays:
    """Both stores.

    Attributes:
        direct: number of commands that were called directly.
    """

    def __init__(self, clock: Clock, options: dict[str, Any]) -> None:
        self.clock = clock
        self.stores = Store(True, options), Store(False, options)
        self.direct = 0
        self._count_direct_calls()

    def _count_direct_calls(self) -> None:
        embedded = self.stores[0].client._embedded
        call = embedded.direct_call

        def counted(*arguments: Any) -> Any:
            self.direct += 1
            return call(*arguments)

        embedded.direct_call = counted

    def agree(self, act: Callable[[Any], Any], story: object) -> Any:
        """Do ``act`` with both clients; they must return or raise the same. Returns what the direct one did."""
        began = self.clock.now_ns
        mine = self.stores[0].outcome(act)
        self.clock.now_ns = began
        theirs = self.stores[1].outcome(act)
        assert mine == theirs, f"{story}\ndirect: {mine}\nsocket: {theirs}"
        self.clock.now_ns += 1_000_000
        return mine

    def command(self, words: Words) -> Any:
        return self.agree(lambda client: client.execute_command(*words), words)

    def pipeline(self, commands: Sequence[Words], transaction: bool, raise_on_error: bool) -> Any:
        def act(client: Any) -> Any:
            with client.pipeline(transaction=transaction) as pipe:
                for words in commands:
                    pipe.execute_command(*words)
                return pipe.execute(raise_on_error)

        return self.agree(act, (transaction, commands))

    def compare_states(self) -> None:
        """They must hold, have recorded and have counted the same."""
        mine, theirs = (store.state() for store in self.stores)
        for name in mine:
            assert mine[name] == theirs[name], name

    def close(self) -> None:
        for store in self.stores:
            store.client.close()


@contextmanager
def two_ways(**options: Any) -> Iterator[TwoWays]:
    """Make both; ``options`` are those of ``kedis.connect``."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kedis.process.clock, "PROGRAM_CLOCKS", (clock, clock))
        patch.setattr(_Latch, "clock", clock, raising=False)
        patch.setattr(kedis.embedded.engine_socket, "Latch", _Latch)
        patch.setattr(kedis.embedded.engine_socket, "is_alone", lambda: True)
        both = TwoWays(clock, options)
        try:
            yield both
        finally:
            both.close()


def typed(value: Any) -> Any:
    """``value`` in a form that is equal only to the same of the same type."""
    kind = type(value)
    if isinstance(value, Exception):
        return kind.__name__, tuple(map(typed, value.args))
    if kind is dict:
        return kind, [(typed(key), typed(each)) for key, each in value.items()]
    if kind in (list, tuple):
        return kind, [typed(each) for each in value]
    if kind is set:
        return kind, sorted(map(repr, value))
    return kind, repr(value)


def spelled(words: Sequence[bytes], random: Random) -> list[Any]:
    """``words`` as redis-py takes them: names of two words as one, and all types of arguments, at random."""
    container = COMMANDS.get(words[0].lower())
    if container is not None and container.subcommands and len(words) > 1 and random.randrange(3):
        words = [b" ".join(words[:2]), *words[2:]]
    name = words[0].decode() if words[0].isascii() and random.randrange(3) else words[0]
    return [name, *(_spelled(word, random.randrange(12)) for word in words[1:])]


def _spelled(word: bytes, kind: int) -> Any:
    if kind < 4:
        try:
            return word.decode()
        except UnicodeDecodeError:
            return word
    if kind == 4:
        return bytearray(word)
    if kind == 5:
        return memoryview(word)
    for number in (int, float):
        try:
            if kind < 9 and repr(number(word)).encode() == word:
                return number(word)
        except ValueError:
            pass
    return word
