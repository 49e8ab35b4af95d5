"""The loop's inlined form of a call and :func:`kedis.engine.call.call` agree, and what only the latter does."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from kedis.engine.call import NOT_READY, call, kept, run_unit, serve_blocked
from kedis.engine.engine import Engine
from kedis.engine.execution import Execution
from kedis.errors import CommandError
from kedis.resp.values import OK, Replies
from kedis.store.digest import keyspace_digest
from kedis.structures.strings import Buffer
from tests.commands.driver import Client, Clock, ErrorReply, Recorder, recorder_of
from tests.differential.grammar import known_names
from tests.differential.scripts import draw_script

SCRIPTS = 120


class Side:
    """An engine with two clients, whose commands all go one way."""

    def __init__(self, instrumented: bool) -> None:
        self.clock = Clock()
        self.engine = Engine(clock=self.clock)
        self.engine.keyspace.random.seed(1)
        self.recorder = Recorder(self.engine)
        self.clients = [Client(self.engine) for _ in range(2)]
        other = Client(self.engine)
        if instrumented:  # then no command of anybody takes the inlined way
            other.call("MONITOR")

    def step(self, number: int, words: list[bytes]) -> list[Any]:
        """Run a command; everything that can be seen of it."""
        self.clock.now_ns += 1_000_000
        client = self.clients[number].state
        done = self.engine.run(client, [words])
        wire = b"".join(client.out)
        client.out.clear()
        if client.close_after_reply:
            self.engine.disconnect(client)
            self.clients[number] = Client(self.engine)
        if client.blocked is not None:
            self.engine.blocking.forget(client)
        return [
            done,
            wire,
            self.engine.keyspace.dirty,
            self.engine.keyspace.used,
            list(self.recorder.entries),
        ]

    def counters(self) -> dict[str, Any]:
        """What was counted, the command MONITOR aside."""
        table = self.engine.table
        rows = {row.name: row.counters for row in table.every() if row.name != "monitor"}
        figures: dict[str, Any] = {
            name: (each.calls, dict(each.errors), dict(each.refusals)) for name, each in rows.items()
        }
        keyspace = self.engine.keyspace
        figures["errors"] = dict(table.error_counts), dict(table.unknown.refusals), self.engine.transactions
        figures["keyspace"] = keyspace.hits, keyspace.misses, keyspace.expired_keys, self.engine.faults
        return figures


def test_the_loop_and_the_call_agree() -> None:
    """Replies, effects, the account and the counters, after each of random requests."""
    steps = 0
    for seed in range(SCRIPTS):
        inlined, called = Side(False), Side(True)
        for number, words in draw_script(Random(seed), known_names()):
            steps += 1
            assert inlined.step(number, list(words)) == called.step(number, list(words)), (seed, words)
        assert inlined.counters() == called.counters(), seed
        assert keyspace_digest(inlined.engine.keyspace) == keyspace_digest(called.engine.keyspace), seed
        called.engine.keyspace.check()
    assert steps > 2000


@pytest.fixture
def client() -> Client:
    return Client()


def words(*texts: Any) -> list[bytes]:
    return [str(text).encode() for text in texts]


def run(client: Client, *texts: Any) -> Any:
    """:func:`call` of a command by its words."""
    argv = words(*texts)
    return call(client.state, client.engine.table.resolve(argv), argv)


def test_a_call_returns_the_value_and_answers_nobody(client: Client) -> None:
    assert run(client, "SET", "k", "v") is OK
    assert run(client, "GET", "k") == b"v"
    error = run(client, "LPUSH", "k", "v")
    assert isinstance(error, CommandError) and error.code == "WRONGTYPE"
    assert client.pushed() == []
    assert client.journal() == ["0 SET k v"]
    assert client.engine.table.rows[b"get"].counters.calls == 1
    assert client.engine.table.error_counts == {"WRONGTYPE": 1}


def test_a_unit_is_propagated_as_one_and_units_nest(client: Client) -> None:
    def inner() -> Any:
        return run(client, "INCR", "n")

    def outer() -> list[Any]:
        execution = client.engine.execution
        assert isinstance(execution, Execution) and execution.outer is None
        found = [run(client, "INCR", "n"), run_unit(client.state, inner), run(client, "INCR", "n")]
        assert client.engine.execution is execution
        return found

    assert run_unit(client.state, outer) == [1, 2, 3]
    assert client.engine.execution is None
    assert client.journal() == ["0 MULTI", "0 INCR n", "0 INCR n", "0 INCR n", "0 EXEC"]


def test_a_unit_that_fails_leaves_none_behind(client: Client) -> None:
    def fails() -> None:
        run(client, "INCR", "n")
        raise KeyError

    with pytest.raises(KeyError):
        run_unit(client.state, fails)
    assert client.engine.execution is None
    assert client.journal() == ["0 INCR n"]  # what was done is done


def test_nothing_blocks_inside_a_unit(client: Client) -> None:
    assert run_unit(client.state, lambda: run(client, "BLPOP", "l", 0)) is not NOT_READY
    assert client.state.blocked is None


def test_blocked_clients_are_served_behind_the_unit(client: Client) -> None:
    waiting = client.another()
    assert waiting.replies("BLPOP", "l", 0) == []

    def body() -> None:
        run(client, "RPUSH", "l", "a")
        assert waiting.pushed() == []
        run(client, "RPUSH", "l", "b")

    run_unit(client.state, body)
    serve_blocked(client.engine)
    assert waiting.pushed() == [[b"l", b"a"]]
    assert client.journal() == ["0 MULTI", "0 RPUSH l a", "0 RPUSH l b", "0 EXEC", "0 LPOP l"]


def test_exec_returns_a_list_of_values(client: Client) -> None:
    """Also of containers that later commands of the same transaction change."""
    client.call("SADD", "s", "a")
    client.call("HSET", "h", "f", "v")
    client.call("RPUSH", "l", "x")
    client.call("MULTI")
    for each in (["SMEMBERS", "s"], ["SADD", "s", "b"], ["HGETALL", "h"], ["HSET", "h", "f", "w"]):
        client.call(*each)
    for each in (["LRANGE", "l", 0, -1], ["RPUSH", "l", "y"], ["LPUSH", "s", "x"]):
        client.call(*each)
    value = run(client, "EXEC")
    assert isinstance(value, Replies)
    assert value[:6] == [{b"a"}, 1, {b"f": b"v"}, 0, [b"x"], 2]
    assert isinstance(value[6], CommandError)


def test_what_is_kept_is_no_longer_the_keyspaces() -> None:
    client = Client()
    client.call("SADD", "s", "a")
    live = client.engine.keyspace.databases[0].data[b"s"]
    assert kept(live) == {b"a"} and type(kept(live)) is set
    assert type(kept(Buffer(b"x"))) is bytes
    own = [1]
    assert kept(own) is own


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_change_their_protocol_in_the_middle(protocol: int) -> None:
    """HELLO in a transaction: what follows it, itself included, is in the new protocol, as in Redis."""
    client = Client(resp=protocol)
    client.call("HSET", "h", "f", "v")
    client.call("MULTI")
    for each in (["HGETALL", "h"], ["HELLO", 5 - protocol], ["HGETALL", "h"]):
        client.call(*each)
    client.engine.run(client.state, [[b"EXEC"]])
    wire = b"".join(client.state.out)
    client.state.out.clear()
    flat, mapped = b"*2\r\n$1\r\nf\r\n$1\r\nv\r\n", b"%1\r\n$1\r\nf\r\n$1\r\nv\r\n"
    before, after = (flat, mapped) if protocol == 2 else (mapped, flat)
    assert wire.startswith(b"*3\r\n" + before) and wire.endswith(after)


def test_messages_to_oneself_come_where_they_were_sent() -> None:
    client = Client(resp=3)
    client.replies("SUBSCRIBE", "c")
    client.call("MULTI")
    for each in (["SET", "k", "v"], ["PUBLISH", "c", "m"], ["GET", "k"]):
        client.call(*each)
    client.engine.run(client.state, [[b"EXEC"]])
    wire = b"".join(client.state.out)
    client.state.out.clear()
    message = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"
    assert wire == b"*3\r\n+OK\r\n" + message + b":1\r\n$1\r\nv\r\n"


def test_a_transaction_refused_by_a_bug_of_one_command_goes_on(client: Client) -> None:
    client.engine.table.rows[b"get"].function = lambda client, argv: 1 // 0
    client.call("MULTI")
    client.call("GET", "k")
    client.call("SET", "k", "v")
    assert client.call("EXEC") == [ErrorReply("ERR internal error"), b"OK"]
    assert client.engine.faults == 1 and recorder_of(client.engine).entries == [(0, words("SET", "k", "v"))]
