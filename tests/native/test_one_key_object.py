"""One object for each key, to which all tables refer, and for each small integer, to which all keys refer."""

from __future__ import annotations

import pytest

from kedis.structures.small_integers import SPELLED
from tests.native.sides import Side


@pytest.mark.parametrize("native", [False, True], ids=["python", "native"])
@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "allkeys-lfu"])
def test_every_structure_refers_to_the_same_object(native: bool, policy: str) -> None:
    side = Side(native, 1, 7)
    keyspace = side.engine.keyspace
    for number in range(100):
        side.command(0, b"SET", b"key:%d" % number, b"1")
        side.command(0, b"HSET", b"hash:%d" % number, b"field", b"value")
        side.command(0, b"SET", b"born:%d" % number, b"1", b"EX", b"100")
    keyspace.track_access(policy)  # when the keys are there, as after a restart
    for number in range(100):
        side.command(0, b"EXPIRE", b"key:%d" % number, b"100")
        side.command(0, b"PEXPIREAT", b"hash:%d" % number, b"99999999999999")
        side.command(0, b"SET", b"key:%d" % number, b"2", b"PX", b"90000")
        side.command(0, b"GET", b"born:%d" % number)
        side.command(0, b"HGET", b"hash:%d" % number, b"field")
        side.command(0, b"INCR", b"key:%d" % number)
    keyspace.swap(0, 1)
    side.command(0, b"SELECT", b"1")
    for number in range(100):
        side.command(0, b"GET", b"key:%d" % number)
        side.command(0, b"EXPIRE", b"born:%d" % number, b"200")
    database = keyspace.databases[1]
    objects = {id(key) for key in database.data}
    assert len(objects) == 300
    assert objects == {id(key) for key in database.index}
    assert objects == {id(key) for key in database.expires}
    if database.access_tracker is not None:
        assert {id(key) for key in database.access_tracker.last_access} == objects
    side.check()


@pytest.mark.parametrize("native", [False, True], ids=["python", "native"])
def test_small_integers_are_shared_however_they_came_about(native: bool) -> None:
    side = Side(native, 1, 7)
    side.command(0, b"SET", b"set", b"4711")
    side.command(0, b"SET", b"expiring", b"4711", b"EX", b"100")
    side.command(0, b"MSET", b"one", b"4711", b"two", b"4711")
    side.command(0, b"INCRBY", b"sum", b"4710")
    side.command(0, b"INCR", b"sum")
    side.command(0, b"COPY", b"set", b"copy")
    side.command(0, b"DUMP", b"set")
    side.command(0, b"SETRANGE", b"set", b"0", b"5")  # in a buffer of its own
    database = side.engine.keyspace.databases[0]
    for key in (b"expiring", b"one", b"two", b"sum", b"copy"):
        assert database.data[key] is SPELLED[4711], key
    assert bytes(database.data[b"set"]) == b"5711" and SPELLED[4711] == b"4711"
    side.check()
