"""MIGRATE from Kedis to real Redis, and to Kedis; and Redis's MIGRATE to Kedis."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import kedis as kedis_package
from kedis.engine.table import COMMANDS
from kedis.observability.slowlog import shown_words
from kedis.server import migration
from tests.commands.driver import ErrorReply
from tests.oracle import Oracle
from tests.persistence.server import Kedis, Wire, encode

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def kedis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kedis]:
    server = Kedis(tmp_path_factory.mktemp("migrate") / "data", "--appendonly", "no")
    yield server
    server.kill()


@pytest.fixture
def wire(kedis: Kedis, oracle: Oracle) -> Iterator[Wire]:
    wire = kedis.connect()
    wire.call("FLUSHALL")
    oracle.call("FLUSHALL")
    yield wire
    wire.close()


def fill(server: Any) -> list[str]:
    server.call("SET", "text", "hello")
    server.call("PEXPIRE", "text", 10_000_000)
    server.call("RPUSH", "list", *range(1000))
    server.call("HSET", "hash", "f", "v")
    server.call("ZADD", "scores", 1.5, "a", "inf", "b")
    server.call("SADD", "set", "x", "1")
    return ["text", "list", "hash", "scores", "set"]


def test_keys_go_to_redis_and_come_back(wire: Wire, kedis: Kedis, oracle: Oracle) -> None:
    keys = fill(wire)
    before = [wire.call("DUMP", key) for key in keys]
    assert wire.call("MIGRATE", HOST, oracle.port, "text", 3, 1000) == b"OK"
    assert wire.call("EXISTS", "text") == 0
    oracle.call("SELECT", 3)
    assert oracle.call("GET", "text") == b"hello"
    assert 9_000_000 < oracle.call("PTTL", "text") <= 10_000_000
    oracle.call("MOVE", "text", 0)
    oracle.call("SELECT", 0)
    assert wire.call("MIGRATE", HOST, oracle.port, "", 0, 1000, "KEYS", *keys) == b"OK"
    assert wire.call("DBSIZE") == 0
    assert oracle.call("LLEN", "list") == 1000
    assert oracle.call("MIGRATE", HOST, kedis.port, "", 0, 1000, "KEYS", *keys) == b"OK"
    assert oracle.call("DBSIZE") == 0
    restored = dict(zip(keys, (wire.call("DUMP", key) for key in keys), strict=True))
    assert restored["text"] == before[0]
    assert wire.call("LRANGE", "list", 0, -1) == [b"%d" % number for number in range(1000)]
    assert wire.call("ZRANGE", "scores", 0, -1, "WITHSCORES") == [b"a", b"1.5", b"b", b"inf"]
    assert 9_000_000 < wire.call("PTTL", "text") <= 10_000_000


def test_copy_replace_and_what_the_other_refuses(wire: Wire, oracle: Oracle) -> None:
    wire.call("MSET", "a", 1, "b", 2)
    there = (HOST, oracle.port)
    assert wire.call("MIGRATE", *there, "a", 0, 1000, "COPY") == b"OK"
    assert wire.call("GET", "a") == b"1"
    busy = ErrorReply("ERR Target instance replied with error: BUSYKEY Target key name already exists.")
    assert wire.call("MIGRATE", *there, "a", 0, 1000) == busy
    # Of several keys, those that are taken go.
    assert wire.call("MIGRATE", *there, "", 0, 1000, "KEYS", "a", "b", "nothing") == busy
    assert wire.call("MGET", "a", "b") == [b"1", None]
    assert wire.call("MIGRATE", *there, "a", 0, 1000, "REPLACE") == b"OK"
    assert wire.call("MIGRATE", *there, "a", 0, 1000) == b"NOKEY"
    wire.call("SET", "a", 1)
    for words, problem in (
        ((99, 1000), "ERR DB index is out of range"),
        ((0, 1000, "AUTH2", "nobody", "x"), "WRONGPASS invalid username-password pair or user is disabled."),
    ):
        assert wire.call("MIGRATE", *there, "a", *words) == ErrorReply(
            f"ERR Target instance replied with error: {problem}"
        )
    assert wire.call("GET", "a") == b"1"


def test_a_password_is_given(wire: Wire, tmp_path: Path) -> None:
    other = Kedis(tmp_path / "other", "--appendonly", "no")
    other.call("CONFIG", "SET", "requirepass", "secret")
    wire.call("SET", "a", 1)
    assert "NOAUTH" in str(wire.call("MIGRATE", HOST, other.port, "a", 0, 1000))
    assert wire.call("MIGRATE", HOST, other.port, "a", 0, 1000, "AUTH", "secret") == b"OK"
    there = other.connect()
    there.call("AUTH", "secret")
    assert there.call("GET", "a") == b"1"
    other.kill()


def test_nobody_there_or_nobody_answers(wire: Wire) -> None:
    wire.call("SET", "a", 1)
    with socket.socket() as silent:
        silent.bind((HOST, 0))
        port = silent.getsockname()[1]
        for place in ((HOST, port), (HOST, "x"), ("nowhere.invalid", 1)):
            assert wire.call("MIGRATE", *place, "a", 0, 500) == ErrorReply(
                "IOERR error or timeout writing to target instance"
            )
        silent.listen()
        wire.send("MIGRATE", HOST, port, "a", 0, 50)
        assert wire.receive() == ErrorReply("IOERR error or timeout reading from target instance")
    assert wire.call("GET", "a") == b"1"
    wire.call("MULTI")
    wire.call("MIGRATE", HOST, port, "a", 0, 50)
    assert "cannot run inside a transaction" in str(wire.call("EXEC")[0])


@pytest.mark.parametrize("host", ["x" * 300, "a..b", "\udcff", "a\0b", ""])
def test_what_cannot_be_an_address(wire: Wire, host: str) -> None:
    wire.call("SET", "a", 1)
    reply = wire.call("MIGRATE", host.encode("utf-8", "surrogateescape"), 1, "a", 0, 500)
    assert reply == ErrorReply("IOERR error or timeout writing to target instance")
    assert wire.call("MIGRATE", HOST, 2**70, "a", 0, 500) == reply
    assert wire.call("GET", "a") == b"1"


@pytest.mark.parametrize(
    "answer",
    [b"nonsense\r\n", b"*1000000000\r\n", b"+OK\r\n$2\r\nOK\r\n", b"+OK\r\n+O", b"+" * 100_000, b"\0\r\n"],
)
def test_what_speaks_another_language(wire: Wire, answer: bytes) -> None:
    wire.call("SET", "a", 1)
    other = Slow(answer)
    other.answer.set()
    reply = wire.call("MIGRATE", HOST, other.port, "a", 0, 10_000)
    assert reply == ErrorReply("IOERR error or timeout reading from target instance")
    assert wire.call("GET", "a") == b"1"


def test_passwords_are_not_shown() -> None:
    words = b"MIGRATE host 1 key 0 10 COPY AUTH secret AUTH2 name secret KEYS auth secret".split()
    shown = b" ".join(shown_words(COMMANDS[b"migrate"], words))
    assert shown.endswith(b"AUTH (redacted) AUTH2 (redacted) (redacted) KEYS auth secret")


class Slow:
    """A server that answers when the test says so."""

    def __init__(self, reply: bytes = b"+OK\r\n+OK\r\n") -> None:
        self._reply = reply
        self.answer = threading.Event()
        self.asked = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            connection.recv(65536)
            self.asked.set()
            assert self.answer.wait(20)
            connection.sendall(self._reply)


def test_others_go_on_and_what_they_change_is_not_deleted(wire: Wire, kedis: Kedis) -> None:
    for change, left in ((("SET", "a", 2), b"2"), (("GET", "a"), None)):
        wire.call("SET", "a", 1)
        slow = Slow()
        wire.send("MIGRATE", HOST, slow.port, "a", 0, 10_000)
        assert slow.asked.wait(20)
        other = kedis.connect()
        assert b"blocked_clients:1" in other.call("INFO", "clients")
        other.call(*change)
        mine = next(line for line in other.call("CLIENT", "LIST").splitlines() if b"cmd=migrate" in line)
        assert other.call("CLIENT", "UNBLOCK", mine.split()[0].removeprefix(b"id=")) == 0
        slow.answer.set()
        if left is None:
            assert wire.receive() == b"OK"
        else:
            assert wire.receive() == ErrorReply(
                "ERR 'a' was changed while it was migrated: it was copied, and stays"
            )
        assert other.call("GET", "a") == left
        other.close()


def test_a_server_that_becomes_a_replica_meanwhile_deletes_nothing(wire: Wire, kedis: Kedis) -> None:
    wire.call("SET", "a", 1)
    slow = Slow()
    wire.send("MIGRATE", HOST, slow.port, "a", 0, 10_000)
    assert slow.asked.wait(20)
    other = kedis.connect()
    try:
        assert other.call("REPLICAOF", HOST, slow.port) == b"OK"
        slow.answer.set()
        assert wire.receive() == ErrorReply("READONLY You can't write against a read only replica.")
        assert other.call("EXISTS", "a") == 1
    finally:
        other.call("REPLICAOF", "NO", "ONE")
        other.close()


def test_a_client_that_leaves_meanwhile(wire: Wire, kedis: Kedis) -> None:
    wire.call("SET", "a", 1)
    slow = Slow()
    leaving = kedis.connect()
    leaving.socket.sendall(encode("MIGRATE", HOST, slow.port, "a", 0, 10_000))
    assert slow.asked.wait(20)
    leaving.close()
    while b"blocked_clients:1" in wire.call("INFO", "clients"):
        pass
    slow.answer.set()
    while wire.call("EXISTS", "a"):
        pass


def test_no_memory_for_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is answered; it would wait for ever."""

    def fails(*_words: object) -> None:
        raise MemoryError

    monkeypatch.setattr(migration, "connect", fails)
    with kedis_package.Server() as server, server.client(socket_timeout=30, retry=None) as client:
        client.set("a", "1")
        with pytest.raises(redis.ResponseError, match="IOERR"):
            client.execute_command("MIGRATE", HOST, 1, "a", 0, 1000)
        assert client.get("a") == b"1"
