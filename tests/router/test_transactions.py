"""What the router answers itself, inside of transactions: as Redis answers it there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import Oracle
from tests.router.clusters import Cluster
from tests.router.doors import Door, Wire

#: Transactions in one slot; the protocol is 2 again at the end.
QUEUES: list[list[tuple[Any, ...]]] = [
    [("SET", "k", 1), ("UNWATCH",), ("INCR", "k")],
    [("UNWATCH",), ("PING",), ("ECHO", "x")],
    [("CLIENT", "SETNAME", "me"), ("GET", "k"), ("CLIENT", "GETNAME")],
    [
        ("HGETALL", "hash"),
        ("HELLO", 3),
        ("HGETALL", "hash"),
        ("GET", "none"),
        ("HELLO", 2),
        ("HGETALL", "hash"),
    ],
    [("HELLO", 4), ("HGETALL", "hash"), ("HELLO", "x")],
    [("HGETALL", "hash"), ("HELLO", 3, "AUTH", "nobody", "wrong"), ("HGETALL", "hash")],
    [("HELLO", 3, "SETNAME", "a b"), ("HGETALL", "hash"), ("HELLO", 3, "NOSUCH"), ("HGETALL", "hash")],
    [
        ("HELLO", 3, "AUTH", "default", "any", "SETNAME", "x"),
        ("HGETALL", "hash"),
        ("HELLO", 2, "SETNAME", ""),
    ],
    [("SUBSCRIBE", "news"), ("INCR", "k"), ("UNSUBSCRIBE", "news"), ("PING",)],
    [("SUBSCRIBE", "news", "more"), ("UNSUBSCRIBE", "more"), ("UNSUBSCRIBE",)],
    [("LPUSH", "k", 1), ("SELECT", "x"), ("OBJECT", "HELP", "x"), ("GET", "k")],
    [("PUBLISH", "nobody", "x"), ("SCRIPT", "NOSUCH"), ("GET", "k")],
    [("CLIENT", "REPLY", "ON"), ("BLPOP", "nothing", 0), ("SELECT", 0), ("GET", "k")],
    [("EVAL", "return redis.call('get', KEYS[1])", 1, "k"), ("EVAL", "return 1", 0), ("UNWATCH",)],
]


def _tagged(commands: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Keys in the slot of a tag."""
    names = {"k": "{t}k", "hash": "{t}hash", "none": "{t}none", "nothing": "{t}nothing"}
    return [tuple(names.get(word, word) for word in words) for words in commands]


def _plain(reply: Any) -> Any:
    """Without what tells servers apart: the reply to HELLO."""
    if isinstance(reply, list):
        return [_plain(each) for each in reply]
    if isinstance(reply, dict) and b"server" in reply:
        return "HELLO 3"
    return reply


def _exchange(wire: Wire, queue: list[tuple[Any, ...]]) -> list[Any]:
    """The replies to a transaction, and to what comes after it."""
    wire.send_all(("MULTI",), *queue, ("EXEC",), ("HGETALL", "{t}hash"), ("CLIENT", "GETNAME"))
    replies = [wire.receive() for _ in range(len(queue) + 4)]
    return [_plain(_without_hello(reply)) for reply in replies]


def _without_hello(reply: Any) -> Any:
    if isinstance(reply, list):
        flat = [b"server"]
        return ["HELLO 2" if isinstance(each, list) and each[:1] == flat else each for each in reply]
    return reply


@pytest.mark.parametrize("watching", [False, True])
@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: "-".join(str(words[0]) for words in queue))
def test_what_the_router_answers_has_its_place(
    door: Door, nodes: Cluster, oracle: Oracle, queue: list[tuple[Any, ...]], watching: bool
) -> None:
    wires = [door.wire(), Wire(oracle.port)]
    found = []
    oracle.call("FLUSHALL")
    for wire in wires:
        wire.call("HSET", "{t}hash", "f", "v")
        if watching:
            wire.call("WATCH", "{t}k")
        found.append(_exchange(wire, _tagged(queue)))
        wire.close()
    assert found[0] == found[1]


def test_a_watched_key_that_changed_runs_nothing_here_either(door: Door, nodes: Cluster) -> None:
    wire = door.wire()
    wire.call("WATCH", "k")
    door.call("SET", "k", "by another")
    replies = wire.pipeline(
        [("MULTI",), ("CLIENT", "SETNAME", "me"), ("GET", "k"), ("EXEC",), ("CLIENT", "GETNAME")]
    )
    assert replies[-2:] == [None, None]
    wire.close()


@pytest.mark.parametrize(
    "words",
    [("DBSIZE",), ("FLUSHALL",), ("KEYS", "*"), ("SCAN", 0), ("RANDOMKEY",), ("SCRIPT", "LOAD", "return 1")],
)
def test_what_is_for_all_shards_is_refused_and_never_acknowledged(
    door: Door, nodes: Cluster, words: tuple[Any, ...]
) -> None:
    """The router has no data of its own that such a command could be about."""
    wire = door.wire()
    wire.call("SET", "k", 1)
    queued, executed = wire.pipeline([("MULTI",), words, ("EXEC",)])[1:]
    assert str(queued).startswith("ERR ") and "all shards" in queued
    assert str(executed).startswith("EXECABORT")
    assert wire.call("GET", "k") == b"1"
    wire.close()


def test_a_user_who_lost_a_right_between_multi_and_exec(door: Door, nodes: Cluster) -> None:
    door.call("ACL", "SETUSER", "u", "on", "nopass", "~*", "+@all")
    wire = door.wire()
    wire.call("AUTH", "u", "x")
    wire.pipeline([("MULTI",), ("SET", "k", 1), ("GET", "k")])
    door.call("ACL", "SETUSER", "u", "-set")
    refused, value = wire.call("EXEC")
    assert refused.startswith("NOPERM") and value is None
    assert door.call("EXISTS", "k") == 0
    door.call("ACL", "DELUSER", "u")
    wire.close()


def test_select_inside_of_a_transaction(oracle: Oracle) -> None:
    """Before a single server: what follows is in the other database; the shared connection stays in its own."""
    with Door(f"redis://127.0.0.1:{oracle.port}") as door:
        wire, other = door.wire(), door.wire()
        queue = [("SET", "k", "in 0"), ("SELECT", 5), ("SET", "k", "in 5"), ("SELECT", 99), ("GET", "k")]
        replies = wire.pipeline([("MULTI",), *queue, ("EXEC",), ("GET", "k")])
        assert replies[-2:] == [
            [b"OK", b"OK", b"OK", "ERR DB index is out of range", b"in 5"],
            b"in 5",
        ]
        assert other.call("GET", "k") == b"in 0"
        other.pipeline([("WATCH", "k"), ("SELECT", 5)])
        assert other.call("GET", "k") == b"in 5"
        assert other.pipeline([("MULTI",), ("GET", "k"), ("EXEC",)])[-1] == [b"in 5"]
        wire.close()
        other.close()
