"""Commands of a script run by a closure of their own (``caller_in_unit``): it must do what ``call`` does."""

from __future__ import annotations

import random
from typing import Any

from kedis.config import Config
from kedis.engine.call import call, caller_in_unit, run_unit
from kedis.engine.client import Client as EngineClient
from kedis.engine.engine import Engine
from kedis.errors import CommandError
from tests.commands.driver import Client, Clock, Recorder

_COMMANDS = [
    b"SET k v", b"SET k v EX 10", b"GET k", b"INCR k", b"INCR n", b"INCRBYFLOAT n 1.5", b"DEL k", b"DEL n k",
    b"LPUSH l a b", b"LPOP l", b"SADD s 1 2", b"SPOP s", b"EXPIRE n 100", b"GETDEL k", b"HSET h f v", b"HGETALL h",
    b"ZADD z 1 m", b"RENAME k l", b"SELECT 1", b"SELECT 0", b"PFADD p a", b"PFCOUNT p", b"SET k v NX", b"BLPOP l 0",
]  # fmt: skip


class _Side:
    def __init__(self) -> None:
        self.engine = Engine(Config({"maxmemory-policy": "allkeys-lru"}), clock=Clock())
        self.recorder = Recorder(self.engine)
        self.state: EngineClient = Client(self.engine).state

    def unit(self, commands: list[list[bytes]], fast: bool) -> list[Any]:
        def body() -> list[Any]:
            quick = caller_in_unit(self.state)
            find = self.engine.table.resolve
            if fast:
                return [quick(find(argv), argv) for argv in commands]
            return [call(self.state, find(argv), argv) for argv in commands]

        values: list[Any] = run_unit(self.state, body)
        return [str(value) if isinstance(value, CommandError) else repr(value) for value in values]

    def counters(self) -> dict[str, Any]:
        rows = self.engine.table.every()
        return {row.name: (row.counters.calls, dict(row.counters.errors)) for row in rows}


def test_both_agree() -> None:
    rng = random.Random(20)
    one, other = _Side(), _Side()
    for _ in range(300):
        commands = [rng.choice(_COMMANDS).split() for _ in range(rng.randrange(1, 6))]
        commands = [argv for argv in commands if argv[0] != b"SPOP"]
        assert one.unit(commands, True) == other.unit([list(argv) for argv in commands], False)
        assert one.recorder.entries == other.recorder.entries
    assert one.counters() == other.counters()
    assert one.engine.table.error_counts == other.engine.table.error_counts
    assert one.engine.keyspace.dirty == other.engine.keyspace.dirty
    assert one.engine.keyspace.check() is None


def test_an_internal_error_is_answered_and_counted(monkeypatch: Any) -> None:
    side = _Side()
    row = side.engine.table.resolve([b"get", b"k"])
    monkeypatch.setattr(row, "function", lambda client, argv: 1 // 0)
    assert side.unit([[b"get", b"k"]], True) == ["ERR internal error"]
    assert side.engine.faults == 1
