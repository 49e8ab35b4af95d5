"""Snapshots that arrive in pieces: read the same wherever they are cut, beside the data, and in little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.rdb.snapshot import pieces
from kedis.replication.arrival import Arrival, BadSnapshot, database_in, position_in
from kedis.replication.handshake import Position
from kedis.scripting.service import service_of
from kedis.store.digest import keyspace_digest
from tests.commands.driver import Client, Clock

LIBRARY = b"#!lua name=one\nredis.register_function('f', function() return 1 end)"


def filled() -> Client:
    client = Client()
    call = client.call
    call("SET", "text", "x" * 100)
    call("SET", "number", "12345")
    call("SET", "long", "y" * 20_000)
    call("SET", "later", "1", "PX", "100000")
    call("RPUSH", "list", *range(300))
    call("SADD", "set", *range(50), "a")
    call("HSET", "hash", *range(1200))
    call("ZADD", "sorted", *[word for at in range(200) for word in (at, f"m{at}")])
    call("XADD", "stream", "1-1", "a", "1")
    call("XGROUP", "CREATE", "stream", "group", "0")
    call("XREADGROUP", "GROUP", "group", "me", "STREAMS", "stream", ">")
    call("SELECT", "3")
    call("SET", "elsewhere", "1")
    call("SELECT", "0")
    call("FUNCTION", "LOAD", LIBRARY.decode())
    return client


def snapshot(engine: Engine, notes: dict[str, str] | None = None) -> bytes:
    codes = engine.scripting.library_codes()
    return b"".join(pieces(engine.keyspace, notes or {}, compressed=True, checksum=True, libraries=codes))


def giver(parts: Iterator[bytes]) -> Callable[[], bytes]:
    return lambda: next(parts, b"")


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return iter([data[at : at + size] for at in range(0, len(data), size)])


def load(engine: Engine, parts: Iterator[bytes]) -> Arrival:
    arrival = Arrival(engine, giver(parts))
    try:
        for _ in arrival.steps():
            pass
        arrival.install()
    finally:
        arrival.discard()
    return arrival


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000, 1 << 20])
def test_pieces_of_every_size(size: int) -> None:
    source = filled().engine
    target = Client().engine
    load(target, cut(snapshot(source), size))
    assert keyspace_digest(target.keyspace) == keyspace_digest(source.keyspace)
    assert target.scripting.library_codes() == [LIBRARY]
    target.keyspace.check()


def test_cut_in_two_at_every_place() -> None:
    client = Client()
    for words in (
        ("SET", "a", "1" * 30),
        ("RPUSH", "l", 1, "b"),
        ("ZADD", "z", 1, "m"),
        ("SET", "t", 1, "EX", 9),
    ):
        client.call(*words)
    data = snapshot(client.engine)
    for at in range(1, len(data)):
        target = Client().engine
        load(target, iter([data[:at], data[at:]]))
        assert keyspace_digest(target.keyspace) == keyspace_digest(client.engine.keyspace)


def damaged(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 97):
        yield data[:at]
        yield data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
    yield data + b"x"
    yield data[:-8] + bytes(8) + b"more"


def test_a_damaged_snapshot_changes_nothing() -> None:
    data = snapshot(filled().engine)
    client = Client()
    client.call("SET", "mine", "1")
    client.call("FUNCTION", "LOAD", LIBRARY.replace(b"one", b"two").replace(b"'f'", b"'g'").decode())
    before, used = keyspace_digest(client.engine.keyspace), client.engine.keyspace.used
    codes = client.engine.scripting.library_codes()
    refused = 0
    for bad in damaged(data):
        with pytest.raises(BadSnapshot):
            load(client.engine, cut(bad, 4096))
        refused += 1
    assert refused > 50
    assert keyspace_digest(client.engine.keyspace) == before
    assert client.engine.keyspace.used == used
    assert client.engine.scripting.library_codes() == codes
    client.engine.keyspace.check()


def test_a_checksum_of_zero_is_none() -> None:
    data = snapshot(filled().engine)[:-8] + bytes(8)
    target = Client().engine
    load(target, cut(data, 500))
    assert target.keyspace.databases[3].data


def test_what_arrives_replaces_the_data_and_breaks_watches() -> None:
    client = filled()
    client.call("WATCH", "mine")
    other = Client()
    other.call("SET", "mine", "2")
    load(client.engine, cut(snapshot(other.engine), 100))
    assert client.call("GET", "mine") == b"2"
    assert client.call("DBSIZE") == 1
    assert client.call("FUNCTION", "LIST") == []
    client.call("MULTI")
    client.call("PING")
    assert client.call("EXEC") is None
    client.engine.keyspace.check()


def test_a_key_that_has_expired_is_kept_for_the_master_to_remove() -> None:
    client = filled()
    data = snapshot(client.engine)
    target = Client()
    target.now_ms += 200_000
    load(target.engine, cut(data, 100))
    assert b"later" in target.engine.keyspace.databases[0].data


def test_a_database_that_is_not_there() -> None:
    client = Client()
    client.call("SELECT", "15")
    client.call("SET", "a", "1")
    config = Config()
    config.databases = 4
    target = Client(Engine(config, clock=Clock()))
    with pytest.raises(BadSnapshot, match="database 15 of 4"):
        load(target.engine, cut(snapshot(client.engine), 100))


def test_only_looking_keeps_nothing() -> None:
    engine = Client().engine
    arrival = Arrival(engine, giver(cut(snapshot(filled().engine), 100)), keeps=False)
    for _ in arrival.steps():
        pass
    assert arrival.commands == 10
    assert not engine.keyspace.used


def test_memory_beside_the_data_is_little() -> None:
    client = Client()
    for at in range(2000):
        client.call("SET", f"key:{at}", bytes(1000))
    client.call("SET", "long", bytes(8 << 20))
    data = snapshot_plain(client.engine)
    engine = Client().engine
    piece = 64 * 1024
    arrival = Arrival(engine, giver(cut_lazily(data, piece)))
    tracemalloc.start()
    try:
        for _ in arrival.steps():
            pass
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - kept < (1 << 20) + 8 * piece  # what is at hand, and not a second copy of the longest value


def snapshot_plain(engine: Engine) -> bytes:
    return b"".join(pieces(engine.keyspace, {}, compressed=False, checksum=True))


def cut_lazily(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def test_notes() -> None:
    notes = {"repl-id": "f" * 40, "repl-offset": "123", "repl-stream-db": "5"}
    assert position_in(notes) == Position("f" * 40, 123)
    assert database_in(notes, 16) == 5
    assert database_in(notes, 5) == 0
    assert database_in({}, 16) == 0
    for wrong in ({"repl-id": "f"}, {"repl-offset": "-1"}, {"repl-offset": "x"}, {"repl-offset": ""}):
        assert position_in(notes | wrong) is None
    assert position_in({}) is None


def test_functions_alone_are_put_in_place() -> None:
    engine = Client().engine
    data = snapshot(filled().engine)
    arrival = Arrival(engine, giver(cut(data, 100)), keeps=False)
    for _ in arrival.steps():
        pass
    arrival.install_libraries()
    assert engine.scripting.library_codes() == [LIBRARY]


def test_a_library_that_cannot_be_loaded_leaves_all_as_it_is() -> None:
    source = Client()
    source.call("FUNCTION", "LOAD", LIBRARY.decode())
    service_of(source.engine).libraries.by_name[b"one"].code = b"#!lua name=one\nthis is no Lua"
    target = filled()
    before = keyspace_digest(target.engine.keyspace)
    with pytest.raises(BadSnapshot, match="cannot be loaded"):
        load(target.engine, cut(snapshot(source.engine), 100))
    assert keyspace_digest(target.engine.keyspace) == before
    assert target.call("FCALL", "f", "0") == 1
