"""Records of a snapshot, read natively: as the reader in Python reads them, or not at all."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest

from kedis import native
from kedis.config import Config
from kedis.rdb.flat import encode_flat
from kedis.rdb.snapshot import SnapshotReader, put_in
from kedis.rdb.source import RdbError, encode_length, encode_string
from kedis.rdb.value_forms import encode_value
from kedis.store.database import Database
from kedis.store.keyspace import Keyspace
from kedis.store.types import type_of
from kedis.structures.packed import Hash, List
from kedis.structures.packing import Thresholds

if native.PATH != "native":
    pytest.skip("the native path is not built", allow_module_level=True)


from kedis.native.snapshot_records import put_records

RANDOM = Random(11)
CONFIG = Config()


def text(large: bool = True) -> bytes:
    """A text of a kind of its own; those above 10 KB take Python long to compress."""
    return RANDOM.choice(
        [
            b"",
            b"%d" % RANDOM.randrange(-300, 300),
            b"%d" % RANDOM.randrange(-(2**33), 2**33),
            b"-0",
            b"007",
            RANDOM.randbytes(RANDOM.randrange(80)),
            b"ab" * RANDOM.randrange(200),
            RANDOM.randbytes(20) + bytes(RANDOM.randrange(20_000 if large else 500)),
            RANDOM.randbytes(70_000 if large else 300),
        ]
    )


def value(kind: int) -> Any:
    """A string, or a small hash or list."""
    if kind == 0:
        return text()
    count = RANDOM.choice([1, 2, 10, 64])
    large = RANDOM.randrange(10) == 0
    if kind == 1:
        return List([text(large) for _ in range(count)])
    return Hash({b"%d" % number + text(large): text(large) for number in range(count)})


def records(count: int, flat: bool = True) -> bytes:
    """The records of ``count`` values as Redis writes them, in one piece or as strings; some with a time to live."""
    keyspace = Keyspace(1)
    database = keyspace.databases[0]
    written = []
    for number in range(count):
        key = b"%d:%b" % (number, text())
        made = value(RANDOM.randrange(3))
        if type(made) is Hash:
            made.choose(keyspace.packing[Hash])
        database.place(key, made)
        before = b""
        if RANDOM.randrange(2):
            before = b"\xfc" + RANDOM.choice([1, 1 << 40, -1]).to_bytes(8, "little", signed=True)
        before += RANDOM.choice(
            [
                b"",
                b"\xf8" + encode_length(RANDOM.choice([0, 63, 64, 100_000, 1 << 21, (1 << 32) - 1])),
                b"\xf9" + RANDOM.randbytes(1),
            ]
        )
        form = encode_flat(made, CONFIG) if flat and type(made) is not bytes else None
        code, content = encode_value(made, compressed=True) if form is None else form
        written.append(before + bytes([code]) + encode_string(key) + (content))
    return b"".join(written)


def read_natively(data: bytes) -> tuple[int, Database]:
    keyspace = Keyspace(1)
    database = keyspace.databases[0]
    end, count = put_records(data, 0, len(data), database, keyspace.packing[Hash], -(1 << 63))
    assert count == len(database)
    keyspace.check()
    return end, database


def tracking(policy: str) -> Keyspace:
    """A keyspace some minutes after it has begun to note accesses for ``policy``."""
    keyspace = Keyspace(1)
    keyspace.now_ns = 1_700_000_000_123_456_789
    keyspace.track_access(policy)
    keyspace.now_ns += 600_000_000_000
    return keyspace


def read_in_python(data: bytes, policy: str = "noeviction") -> Database:
    """What comes before the first fault."""
    keyspace = tracking(policy)
    database = keyspace.databases[0]
    reader = SnapshotReader(b"REDIS0010" + data + b"\xff" + bytes(8), verify=False, packing=keyspace.packing)
    try:
        for record in reader.records():
            if record.value is not None and record.key not in database.data:
                put_in(database, record)
    except RdbError:
        pass
    return database


def contents(database: Database) -> dict[bytes, Any]:
    """Keys with type, encoding and elements of their values."""
    return {
        key: (type_of(value).encoding(value), list(value.items()) if type(value) is Hash else list(value))
        for key, value in database.data.items()
    }


many_records = cache(records)


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "volatile-lfu"])
def test_all_forms(flat: bool, policy: str) -> None:
    """Record by record, where Python reads on what was left to it; with what the policy has noted of each key."""
    data = many_records(250, flat)
    keyspace = tracking(policy)
    database = keyspace.databases[0]
    taken = []

    def put(data: bytes, position: int, end: int, number: int) -> tuple[int, int]:
        position, count = put_records(data, position, end, database, keyspace.packing[Hash], -(1 << 63))
        taken.append(count)
        return position, count

    reader = SnapshotReader(
        b"REDIS0010" + data + b"\xff" + bytes(8),
        verify=False,
        packing=keyspace.packing,
        put_records=put,
    )
    for record in reader.records():
        put_in(database, record)
    expected = read_in_python(data, policy)
    assert list(database.data) == list(expected.data)
    assert contents(database) == contents(expected)
    assert dict(database.expires) == dict(expected.expires)
    assert database.account.used == expected.account.used
    if database.access_tracker is not None and expected.access_tracker is not None:
        noted = dict(database.access_tracker.last_access)
        assert noted == dict(expected.access_tracker.last_access)
        assert len(noted) == len(database) and len(set(noted.values())) > 5
    assert sum(taken) == reader.taken > 120
    keyspace.check()


def test_cut_off_anywhere() -> None:
    data = records(14)
    whole = contents(read_in_python(data))
    for size in range(0, len(data), 1 + len(data) // 3000):
        end, database = read_natively(data[:size])
        assert end <= size
        assert contents(database).items() <= whole.items()


def test_damaged_anywhere() -> None:
    for flat in (True, False):
        data = records(20, flat)
        for _ in range(700):
            at = RANDOM.randrange(len(data))
            bad = data[:at] + RANDOM.randbytes(1) + data[at + 1 :]
            end, database = read_natively(bad)
            assert end <= len(bad)
            there = contents(read_in_python(bad))
            assert all(there[key] == value for key, value in contents(database).items())


def test_a_damaged_listpack_is_left_alone() -> None:
    """Every byte of one replaced by every other: what is read natively is what Python reads."""
    code, content = encode_flat(packed_hash({b"one": b"0", b"long": b"x" * 70, b"n": b"70000"}), CONFIG) or (
        0,
        b"",
    )
    assert code == 16
    record = b"\x10\x01k" + content
    for at in range(3, len(record)):
        for byte in range(256):
            bad = record[:at] + bytes([byte]) + record[at + 1 :]
            database = read_natively(bad)[1]
            if database.data:
                assert contents(database) == contents(read_in_python(bad)), (at, byte)


def packed_hash(fields: dict[bytes, bytes]) -> Hash:
    made = Hash(fields)
    made.choose(Keyspace(1).packing[Hash], by_entries_alone=True)
    return made


def test_what_needs_python() -> None:
    keyspace = Keyspace(1)
    database = keyspace.databases[0]
    thresholds = keyspace.packing[Hash]

    def taken(data: bytes, thresholds: Thresholds | None = thresholds, least_ms: int = 0) -> int:
        return put_records(data, 0, len(data), database, thresholds, least_ms)[1]

    twice = b"\x04\x01h\x02\x01f\x011\x01f\x012"
    assert not taken(twice)
    assert not taken(b"\x04\x01h\x00") and not taken(b"\x01\x01l\x00")
    assert not taken(b"\x04\x01h\x01\x01f\x011", None)
    assert not taken(b"\x04\x01h\x01\x01f\x40\x41" + b"x" * 65)  # longer than a packed value
    assert not taken(b"\xfc" + (99).to_bytes(8, "little") + b"\x00\x01k\x01v", least_ms=100)
    assert not database.data and keyspace.used == 0
    assert taken(b"\x04\x01h\x01\x01f\x011") and database.data[b"h"].packed is thresholds


def test_other_records_are_left_alone() -> None:
    keyspace = Keyspace(1)
    database = keyspace.databases[0]

    def put(data: bytes, end: int) -> tuple[int, int]:
        return put_records(data, 0, end, database, keyspace.packing[Hash], 0)

    key = b"\x00\x01k\x01v"
    set_ = b"\x02\x01l\x01\x01v"
    assert put(key + set_, 9) == (len(key), 1)
    assert put(set_, len(set_)) == (0, 0)
    assert put(key, len(key)) == (0, 0)  # it is there already
    assert put(b"", 0) == (0, 0)
