"""Active defragmentation: objects are made anew, and nobody can tell."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kedis import native, structures
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.store.moving import Moving
from tests.commands.driver import Client, Clock


def copied(text: bytes) -> bytes:
    return bytes(bytearray(text))


def filled(policy: str = "noeviction") -> tuple[Engine, Client]:
    """An engine with values of every type, small and large, in two databases, half of them with a time to live."""
    settings = {"maxmemory-policy": policy, "maxmemory": "1gb", "enable-debug-command": "yes"}
    engine = Engine(Config(settings), clock=Clock())
    client = Client(engine)
    for number in range(300):
        if number == 200:
            client.call("SELECT", "3")
        client.call("SET", f"text:{number}", "v" * number * 3)
        client.call("SET", f"number:{number}", number * 77)
        client.call(
            "HSET", f"hash:{number}", *[word for n in range(number % 40 + 1) for word in (n, "x" * n)]
        )
        client.call("RPUSH", f"list:{number}", *range(number % 30 + 1), "text")
        client.call("SADD", f"numbers:{number}", *range(number % 30 + 1))
        client.call("SADD", f"texts:{number}", *[f"member {n}" for n in range(number % 30 + 1)])
        client.call(
            "ZADD", f"scores:{number}", *[w for n in range(number % 30 + 1) for w in (n * 1.5, f"m{n}")]
        )
        client.call("XADD", f"stream:{number}", "1-1", "field", "value")
        client.call("PFADD", f"count:{number}", "a", "b")
        client.call("SET", f"k{number}", "short key", "EX", "1000")
        for kind in ("hash", "list", "scores"):
            if number % 2:
                client.call("EXPIRE", f"{kind}:{number}", 2000 + number)
    return engine, client


def state(engine: Engine) -> list[Any]:
    """All that a client can see, and the account."""
    client = Client(engine)
    found: list[Any] = [client.call("DEBUG", "DIGEST"), engine.keyspace.used, engine.keyspace.dirty]
    for number, database in enumerate(engine.keyspace.databases):
        client.call("SELECT", str(number))
        for key in sorted(database.data):
            at = database.expire_at_ms(key)
            tracker = database.access_tracker
            note = tracker.last_access.get(key) if tracker is not None else None
            found.append((key, at, note, client.call("OBJECT", "ENCODING", key)))
    return found


def check(engine: Engine) -> None:
    for database in engine.keyspace.databases:
        database.check()
        for key in database.data:
            assert database.index.held(key) == key
            if key in database.expires:
                assert database.expires.held(key) is database.index.held(key), "one object for a key"


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "allkeys-lfu"])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_a_pass_changes_objects_and_nothing_else(policy: str, share: float) -> None:
    engine, _ = filled(policy)
    before = state(engine)
    held = {id(key): key for database in engine.keyspace.databases for key in database.data}
    rng = random.Random(1)
    moving = Moving(engine.keyspace, lambda thing: rng.random() < share, copied)
    steps = 1
    while not moving.step():
        steps += 1
    assert state(engine) == before
    check(engine)
    count = sum(map(len, engine.keyspace.databases))
    assert moving.moved_keys + moving.kept_keys == count > 2500 and steps >= count / 64
    assert moving.moved + moving.kept == 2 * count
    new = [key for database in engine.keyspace.databases for key in database.data if id(key) not in held]
    if share == 1:
        assert len(new) == moving.moved_keys == count
        packed = 1.4 if structures.COMPILED else 1.2
        assert moving.moved > packed * count, "values as well"
    if share == 0:
        assert not new and not moving.moved


def test_keys_come_and_go_between_the_steps_and_a_scan_misses_none() -> None:
    engine, client = filled()
    client.call("SELECT", "0")
    rng = random.Random(2)
    moving = Moving(engine.keyspace, lambda thing: rng.random() < 0.7, copied)
    stay = set(engine.keyspace.databases[0].data)
    seen: set[bytes] = set()
    cursor = b"0"
    for number in range(100_000):
        cursor, keys = client.call("SCAN", cursor, "COUNT", "7")
        seen |= set(keys)
        moving.step()
        client.call("SET", f"new:{number}", "value of some length")
        if number % 3 == 0:
            client.call("DEL", f"new:{rng.randrange(number + 1)}")
        if cursor == b"0":
            break
    assert cursor == b"0" and seen >= stay
    check(engine)


def test_a_watch_holds() -> None:
    engine, client = filled()
    client.call("SELECT", "0")
    client.call("WATCH", "text:5")
    moving = Moving(engine.keyspace, lambda thing: True, copied)
    while not moving.step():
        pass
    client.call("MULTI")
    client.call("APPEND", "text:5", "!")
    assert client.call("EXEC") == [16]


def test_shared_and_large_values_stay() -> None:
    engine = Engine(Config())
    client = Client(engine)
    for key, value in (("one", "1"), ("many", "9999"), ("large", "v" * 600)):
        client.call("SET", key, value)
    held = dict(engine.keyspace.databases[0].data)
    moving = Moving(engine.keyspace, lambda thing: True, copied)
    while not moving.step():
        pass
    data = engine.keyspace.databases[0].data
    assert all(data[key] is value for key, value in held.items()) and moving.moved == 3


@pytest.mark.skipif(not native.LOOP, reason="the native path of Linux")
@pytest.mark.parametrize("count", [10, 21, 42])  # what tables of three sizes take
def test_no_key_is_lost_without_memory(count: int) -> None:
    testcapi = pytest.importorskip("_testcapi")
    from kedis.native import pools

    failed = 0
    for moment in range(40):
        engine = Engine(Config(), clock=Clock())
        database = engine.keyspace.databases[0]
        expected = {b"key:%06d" % number: b"value:%06d" % number for number in range(count)}
        for key, value in expected.items():
            database.set_value(key, value)
        assert pools.places(database.data) == 0
        moving = Moving(engine.keyspace, lambda thing: True, pools.copied, pools.places)
        testcapi.set_nomemory(moment, moment + 1)
        try:
            moving.step()
        except MemoryError:
            failed += 1
        finally:
            testcapi.remove_mem_hooks()
        assert database.data == expected
        engine.keyspace.check()
        while not moving.step():
            pass
        assert database.data == expected and moving.moved_keys >= count
        engine.keyspace.check()
    assert failed
