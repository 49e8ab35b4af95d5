"""Commands on keys of any type, as scripts of commands and answers."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.commands.driver import Client, ErrorReply

NO_SUCH_KEY = ErrorReply("ERR no such key")
SYNTAX = ErrorReply("ERR syntax error")
SAME = ErrorReply("ERR source and destination objects are the same")
DB_RANGE = ErrorReply("ERR DB index is out of range")


@pytest.fixture
def client() -> Client:
    return Client()


def store(client: Client, *keys: str, ttl_ms: int | None = None) -> None:
    """Put strings into the selected database without any string command; each key is its own value."""
    for key in keys:
        client.state.db.set_value(key.encode(), key.encode())
        if ttl_ms is not None:
            client.state.db.set_expiry(key.encode(), client.now_ms + ttl_ms)
    client.engine.propagation.flush_batch()


def value(client: Client, key: str) -> bytes | None:
    found = client.state.db.lookup(key.encode())
    assert found is None or isinstance(found, bytes)
    return found


def test_removing_and_counting(client: Client) -> None:
    store(client, "a", "b", "c")
    assert client.call("EXISTS", "a", "a", "nokey") == 2
    assert client.call("TOUCH", "a", "b", "nokey") == 2
    assert client.call("DEL", "a", "a", "nokey") == 1
    assert client.journal() == ["0 DEL a a nokey"]
    assert client.call("UNLINK", "b", "b", "c") == 2
    assert client.journal() == ["0 UNLINK b b c"]
    assert client.call("DEL", "a") == 0
    assert client.call("UNLINK", "a") == 0
    assert client.journal() == []
    assert client.call("DEL") == ErrorReply("ERR wrong number of arguments for 'del' command")


def test_what_is_due_is_absent_for_every_command(client: Client) -> None:
    store(client, "due", ttl_ms=10)
    store(client, "alive")
    client.now_ms += 10
    assert client.call("DBSIZE") == 2  # still counted, as nobody asked for it
    assert client.call("KEYS", "*") == [b"alive"]
    assert client.call("RANDOMKEY") == b"alive"
    for command in (
        ["EXISTS"],
        ["TOUCH"],
        ["DEL"],
        ["UNLINK"],
        ["PERSIST"],
        ["EXPIRE", "due", 5],
        ["MOVE", "due", 1],
    ):
        store(client, "due", ttl_ms=-1)
        client.journal()
        words = command if len(command) > 1 else [*command, "due"]
        assert client.call(*words) == 0, command
        assert client.journal() == ["0 DEL due"]
    for command in (["RENAME", "due", "x"], ["RENAMENX", "due", "x"]):
        store(client, "due", ttl_ms=-1)
        assert client.call(*command) == NO_SUCH_KEY
    store(client, "due", ttl_ms=-1)
    assert client.call("COPY", "due", "x") == 0
    store(client, "due", ttl_ms=-1)
    assert client.call("TYPE", "due") == b"none"
    store(client, "due", ttl_ms=-1)
    assert client.call("SCAN", 0) == [b"0", [b"alive"]]
    assert client.call("DBSIZE") == 1
    store(client, "due", ttl_ms=-1)
    assert client.call("RENAMENX", "alive", "due") == 1
    client.state.db.check()


def test_type(client: Client) -> None:
    store(client, "s")
    assert client.call("TYPE", "s") == b"string"
    assert client.call("TYPE", "nokey") == b"none"


def test_hits_and_misses_are_counted_as_in_redis(client: Client) -> None:
    store(client, "a")
    for command in ("EXISTS", "TYPE", "TTL", "TOUCH"):
        client.call(command, "a")
        client.call(command, "nokey")
    client.call("OBJECT", "ENCODING", "a")
    client.call("COPY", "a", "b")
    client.call("DEL", "nokey")
    client.call("PERSIST", "a")
    client.call("KEYS", "*")
    client.call("SCAN", 0)
    keyspace = client.engine.keyspace
    assert (keyspace.hits, keyspace.misses) == (6, 4)


def test_keys(client: Client) -> None:
    store(client, "one", "two", "three")
    assert sorted(client.call("KEYS", "*")) == [b"one", b"three", b"two"]
    assert sorted(client.call("KEYS", "t*")) == [b"three", b"two"]
    assert client.call("KEYS", "?n[a-e]") == [b"one"]
    assert client.call("KEYS", "x*") == []
    store(client, "tea", ttl_ms=1)
    client.now_ms += 1
    assert sorted(client.call("KEYS", "t*")) == [b"three", b"two"]


def test_scan_returns_everything_once_when_nothing_changes(client: Client) -> None:
    store(client, *(f"key:{number}" for number in range(1000)))
    found: Counter[bytes] = Counter()
    cursor, calls = b"0", 0
    while calls == 0 or cursor != b"0":
        cursor, part = client.call("SCAN", cursor, "COUNT", 25)
        found.update(part)
        calls += 1
    assert len(found) == 1000 and set(found.values()) == {1}
    assert calls > 10


def test_scan_options(client: Client) -> None:
    store(client, "one", "two", "three")
    assert client.call("SCAN", 0, "MATCH", "o*", "COUNT", 100, "TYPE", "STRING") == [b"0", [b"one"]]
    assert client.call("SCAN", 0, "TYPE", "list") == [b"0", []]
    assert client.call("SCAN", 0, "TYPE", "nosuchtype") == [b"0", []]
    assert client.call("SCAN", "x") == ErrorReply("ERR invalid cursor")
    assert client.call("SCAN", 0, "COUNT", 0) == SYNTAX
    assert client.call("SCAN", 0, "MATCH") == SYNTAX
    assert client.call("SCAN", 0, "COUNT", "x") == ErrorReply("ERR value is not an integer or out of range")


def test_randomkey_is_fair(client: Client) -> None:
    assert client.call("RANDOMKEY") is None
    store(client, "a", "b", "c", "d")
    drawn = Counter(client.call("RANDOMKEY") for _ in range(4000))
    assert len(drawn) == 4 and min(drawn.values()) > 850


def test_randomkey_among_dead_keys(client: Client) -> None:
    store(client, *(f"dead{number}" for number in range(5000)), ttl_ms=-1)
    assert client.call("RANDOMKEY") is None
    assert client.call("DBSIZE") == 4900
    store(client, "alive")
    assert {client.call("RANDOMKEY") for _ in range(20)} == {b"alive"}


def test_rename(client: Client) -> None:
    store(client, "a", ttl_ms=5000)
    store(client, "b")
    assert client.call("RENAME", "nokey", "b") == NO_SUCH_KEY
    assert client.call("RENAME", "a", "a") == b"OK"
    assert client.journal() == []
    assert client.call("RENAME", "a", "b") == b"OK"
    assert client.journal() == ["0 RENAME a b"]
    assert value(client, "b") == b"a"
    assert client.call("PTTL", "b") == 5000
    store(client, "c")
    assert client.call("RENAME", "c", "b") == b"OK"
    assert client.call("PTTL", "b") == -1
    client.state.db.check()


def test_renamenx(client: Client) -> None:
    store(client, "a", "b")
    assert client.call("RENAMENX", "a", "b") == 0
    assert client.call("RENAMENX", "a", "a") == 0
    assert client.call("RENAMENX", "nokey", "b") == NO_SUCH_KEY
    assert client.journal() == []
    assert client.call("RENAMENX", "a", "c") == 1
    assert client.call("EXISTS", "a", "c") == 1


def test_move(client: Client) -> None:
    store(client, "a", ttl_ms=5000)
    assert client.call("MOVE", "a", 0) == SAME
    assert client.call("MOVE", "nokey", 16) == DB_RANGE
    assert client.call("MOVE", "a", -1) == DB_RANGE
    assert client.call("MOVE", "a", "x") == ErrorReply("ERR value is not an integer or out of range")
    assert client.call("MOVE", "a", 2**31) == ErrorReply(
        "ERR value is out of range, value must between -2147483648 and 2147483647"
    )
    assert client.call("MOVE", "nokey", 1) == 0
    assert client.call("MOVE", "a", 1) == 1
    assert client.journal() == ["0 MOVE a 1"]
    store(client, "a")
    assert client.call("MOVE", "a", 1) == 0
    client.state.select(1)
    assert client.call("PTTL", "a") == 5000
    client.state.db.check()


def test_copy(client: Client) -> None:
    store(client, "a", ttl_ms=5000)
    store(client, "b")
    assert client.call("COPY", "a", "a") == SAME
    assert client.call("COPY", "a", "b") == 0
    assert client.call("COPY", "nokey", "b", "REPLACE") == 0
    assert client.call("COPY", "a", "b", "REPLACED") == SYNTAX
    assert client.call("COPY", "a", "b", "DB") == SYNTAX
    assert client.call("COPY", "a", "b", "DB", 16) == DB_RANGE
    assert client.journal() == []
    assert client.call("COPY", "a", "b", "replace") == 1
    assert client.journal() == ["0 COPY a b replace"]
    assert (value(client, "b"), client.call("PTTL", "b")) == (b"a", 5000)
    assert client.call("COPY", "a", "a", "DB", 1) == 1
    client.state.select(1)
    assert (value(client, "a"), client.call("PTTL", "a")) == (b"a", 5000)


def test_a_copy_is_independent(client: Client) -> None:
    client.call("RPUSH", "l", 1, 2)
    client.call("SADD", "s", 1, 2)
    client.call("HSET", "h", "f", "v")
    client.call("ZADD", "z", 1, "m")
    client.call("APPEND", "t", "12")
    client.call("APPEND", "t", "3")
    for key in "lshzt":
        assert client.call("COPY", key, key + "2") == 1
    client.call("RPUSH", "l2", 3)
    client.call("SADD", "s2", 3)
    client.call("HSET", "h2", "g", "w")
    client.call("ZADD", "z2", 2, "n")
    client.call("APPEND", "t2", "4")
    assert client.call("LRANGE", "l", 0, -1) == [b"1", b"2"]
    assert client.call("SCARD", "s") == 2
    assert client.call("HGETALL", "h") == [b"f", b"v"]
    assert client.call("ZCARD", "z") == 1
    assert client.call("GET", "t") == b"123"
    assert client.call("GET", "t2") == b"1234"
    client.state.db.check()
