"""``call()`` in C against ``call()`` in Python: commands of transactions, and all that can be seen of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from kedis.commands import load_all
from kedis.config import Config
from kedis.engine.call import run_queue
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.transport import NullTransport
from kedis.native.path import Path
from kedis.resp.long_replies import wire_of
from kedis.store.digest import keyspace_digest
from tests.differential import grammar

load_all()

#: Commands that depend on more than the engine, or wait.
_BESIDE = ("config|", "debug|", "latency|", "slowlog|", "shutdown", "migrate", "client|", "object|freq")
_NAMES = [
    name
    for name in grammar.known_names()
    if not name.startswith(_BESIDE)
    and name not in ("multi", "exec", "discard", "watch", "reset", "quit", "info")
]
_FREQUENT = """
    get set setnx incr decr incrby decrby mget mset exists del unlink ttl pttl ping echo lpush rpush lpop rpop llen
    lrange hset hget hmget hdel hexists hlen hincrby hgetall sadd srem sismember scard spop zadd zincrby zrem zrank
    zrevrank zrange zscore zcard expire xadd xlen xrange xread xreadgroup xack xgroup|create
""".split()  # noqa: SIM905 - one each would take fifty lines


class Sink:
    def __init__(self) -> None:
        self.wire = b""

    def feed(self, pieces: Sequence[bytes]) -> None:
        self.wire += b"".join(pieces)

    def lost(self) -> None:
        raise AssertionError("a command could not be encoded")


class Side:
    """One engine, whose clock stands still; calls run in C where ``native``."""

    def __init__(self, native: bool, policy: str, protocol: int) -> None:
        self.now_ns = 1_700_000_000_000_000_000
        self.engine = Engine(
            Config({"maxmemory-policy": policy, "maxmemory": "1gb"}), clock=lambda: self.now_ns
        )
        self.engine.keyspace.random = Random(5)
        self.sink = Sink()
        self.engine.propagation.add_sink(self.sink)
        self.client = Client(self.engine, NullTransport(), in_parts=True)
        self.client.speak(protocol)
        if native:
            self.engine.native = Path(self.engine).call_command

    def transaction(self, commands: list[list[bytes]]) -> bytes:
        self.engine.keyspace.now_ns = self.now_ns
        queue = []
        for argv in commands:
            row = self.engine.table.named(argv[0])
            if (
                row is not None
                and row.function is not None
                and row.accepts(len(argv))
                and not row.subcommands
            ):
                queue.append((row, argv))
        self.client.encode(run_queue(self.client, queue))
        self.engine.propagation.flush()
        reply = wire_of(self.client.out)
        self.client.out.clear()
        return reply

    def state(self) -> dict[str, object]:
        keyspace = self.engine.keyspace
        return {
            "keys": keyspace_digest(keyspace),
            "used": keyspace.used,
            "counts": (keyspace.hits, keyspace.misses, keyspace.dirty, keyspace.expired_keys),
            "accesses": [
                dict(database.access_tracker.last_access) if database.access_tracker is not None else None
                for database in keyspace.databases
            ],
            "calls": {
                row.name: (row.counters.calls, dict(row.counters.errors)) for row in self.engine.table.every()
            },
            "random": keyspace.random.getstate(),
        }


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "allkeys-lfu"])
def test_transactions_agree(policy: str, protocol: int) -> None:
    random = Random(f"{policy} {protocol}")
    sides = [Side(native, policy, protocol) for native in (True, False)]
    for step in range(150):
        commands = [
            [*grammar.command(random, random.choice(_FREQUENT if random.random() < 0.8 else _NAMES))]
            for _ in range(random.randint(1, 12))
        ]
        replies = [side.transaction(commands) for side in sides]
        assert replies[0] == replies[1], (step, commands)
        assert sides[0].sink.wire == sides[1].sink.wire, (step, commands)
        states = [side.state() for side in sides]
        assert states[0] == states[1], (step, commands)
        jump = random.choice((0, 1, 10**6, 10**9, 10**12))
        for side in sides:
            side.now_ns += jump
    for side in sides:
        side.engine.keyspace.check()


def test_a_pop_of_a_random_member_is_recorded_in_its_transaction() -> None:
    """The form in C chooses the words to record itself; within a unit they are an effect of the unit."""
    side = Side(True, "noeviction", 2)
    side.transaction([[b"SADD", b"s", b"1", b"2", b"3"]])
    side.sink.wire = b""
    side.transaction([[b"SPOP", b"s"], [b"SET", b"a", b"1", b"EX", b"100"]])
    assert side.sink.wire.startswith(b"*1\r\n$5\r\nMULTI\r\n*3\r\n$4\r\nSREM\r\n$1\r\ns\r\n")
    assert side.sink.wire.endswith(b"$4\r\nPXAT\r\n$13\r\n1700000100000\r\n*1\r\n$4\r\nEXEC\r\n")
