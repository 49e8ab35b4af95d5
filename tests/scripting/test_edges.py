"""EVALSHA amid transactions, blocked clients, messages, tracking and full memory: as real Redis has it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.driver import ErrorReply
from tests.oracle import Oracle
from tests.scripting.test_slow_scripts import Link
from tests.wire.kedis_process import KedisProcess

_INCREMENT = "return redis.call('incr', KEYS[1])"
_PUSH = "return redis.call('rpush', KEYS[1], ARGV[1])"
_PUBLISH = "return redis.call('publish', 'ch', ARGV[1])"
_MANY = (
    "redis.call('set', KEYS[1], 'v', 'px', 100000) redis.call('hset', 'h', 'f', 1.5) "
    "redis.call('zadd', 'z', 1.5, 'm') "
    "return {redis.call('hgetall', 'h'), redis.call('zrange', 'z', 0, -1, 'withscores'), "
    "redis.call('zscore', 'z', 'm'), redis.call('mget', 'h', 'q', KEYS[1]), "
    "redis.call('ping'), redis.call('echo', 'x'), redis.call('dbsize')}"
)


class Talk:
    """Three clients of a server, and all that they were answered."""

    def __init__(self, server: Any) -> None:
        self.links = {name: Link(server) for name in "abc"}
        self.replies: list[Any] = []

    def call(self, name: str, *words: Any) -> None:
        reply = self.links[name].call(*words)
        self.replies.append((words, str(reply) if isinstance(reply, ErrorReply) else reply))

    def receive(self, name: str) -> None:
        self.replies.append(self.links[name].receive())

    def ask(self, *words: Any) -> Any:
        return self.links["a"].call(*words)


def _transactions(talk: Talk, increment: bytes) -> None:
    for words in (("MULTI",), ("EVALSHA", increment, 1, "n"), ("EXEC",)):
        talk.call("a", *words)
    talk.call("b", "WATCH", "n")
    talk.call("a", "EVALSHA", increment, 1, "n")
    for words in (("MULTI",), ("GET", "n"), ("EXEC",)):
        talk.call("b", *words)


def _blocked(talk: Talk) -> None:
    talk.links["c"].send("BLPOP", "l", 0)
    while "blocked_clients:1" not in str(talk.ask("INFO", "clients")):
        pass
    talk.call("a", "EVALSHA", talk.ask("SCRIPT", "LOAD", _PUSH), 1, "l", "value")
    talk.receive("c")


def _protocols_and_messages(talk: Talk, increment: bytes) -> None:
    many, publish = talk.ask("SCRIPT", "LOAD", _MANY), talk.ask("SCRIPT", "LOAD", _PUBLISH)
    talk.call("a", "EVALSHA", many, 1, "k")
    talk.ask("HELLO", 3)
    talk.call("a", "EVALSHA", many, 1, "k")
    talk.call("b", "SUBSCRIBE", "ch")
    talk.call("a", "EVALSHA", publish, 0, "message")
    talk.receive("b")
    talk.call("a", "SUBSCRIBE", "ch")
    talk.call("a", "EVALSHA", publish, 0, "to itself")
    talk.receive("a")
    talk.call("a", "UNSUBSCRIBE", "ch")
    talk.links["c"].call("HELLO", 3)
    talk.call("c", "CLIENT", "TRACKING", "ON")
    talk.call("c", "GET", "n")
    talk.call("a", "EVALSHA", increment, 1, "n")
    talk.receive("c")


def _refusals(talk: Talk, increment: bytes) -> None:
    talk.call("a", "CONFIG", "SET", "maxmemory", 1)
    talk.call("a", "EVALSHA", increment, 1, "n")
    talk.call("a", "CONFIG", "SET", "maxmemory", 0)
    for words in (
        ("EVALSHA", increment, 1, "n"),
        ("EVALSHA", "f" * 40, 0),
        ("EVALSHA", increment, "x"),
        ("EVALSHA", increment, 5, "n"),
        ("EVALSHA_RO", increment, 1, "n"),
        ("EVALSHA", increment, 0),
        ("EVALSHA", increment.upper(), 1, "n"),
        ("evalsha", increment, 1, "n"),
        ("SET", "n", "x"),
        ("EVALSHA", increment, 1, "n"),
        ("SCRIPT", "FLUSH"),
        ("EVALSHA", increment, 1, "n"),
    ):
        talk.call("a", *words)


def _counted(talk: Talk) -> set[str]:
    """What INFO says of the commands and errors, without times."""
    shown = set()
    for line in _text(talk.ask("INFO", "commandstats")).splitlines():
        if line.startswith(("cmdstat_evalsha:", "cmdstat_rpush:", "cmdstat_incr:")):
            fields = line.split(",")
            shown.add(",".join([fields[0], *fields[3:]]))
    return shown | set(_text(talk.ask("INFO", "errorstats")).splitlines())


def _text(reply: Any) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)


def _talk(server: Any) -> tuple[list[Any], set[str]]:
    talk = Talk(server)
    increment = talk.ask("SCRIPT", "LOAD", _INCREMENT)
    _transactions(talk, increment)
    _blocked(talk)
    _protocols_and_messages(talk, increment)
    _refusals(talk, increment)
    return talk.replies, _counted(talk)


class _Address:
    def __init__(self, oracle: Oracle) -> None:
        self.address = ("127.0.0.1", oracle.port)


@pytest.mark.parametrize("pure", ["", "1"])
def test_all_of_it_is_as_in_redis(pure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDIS_PURE", pure)
    oracle = Oracle()
    try:
        expected = _talk(_Address(oracle))
    finally:
        oracle.close()
    with KedisProcess() as server:
        assert _talk(server) == expected
