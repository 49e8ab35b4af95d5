"""Strings of a snapshot, read natively: as the reader in Python reads them, or not at all."""

from __future__ import annotations

from random import Random

import pytest

from kedis import native
from kedis.rdb.snapshot import SnapshotReader, pieces, put_in
from kedis.rdb.source import RdbError
from kedis.store.database import Database
from kedis.store.keyspace import Keyspace

if native.PATH != "native":
    pytest.skip("the native path is not built", allow_module_level=True)

from kedis.native.string_records import put_strings

RANDOM = Random(11)


def text() -> bytes:
    return RANDOM.choice(
        [
            b"",
            b"%d" % RANDOM.randrange(-300, 300),
            b"%d" % RANDOM.randrange(-(2**33), 2**33),
            b"-0",
            b"007",
            RANDOM.randbytes(RANDOM.randrange(80)),
            b"ab" * RANDOM.randrange(200),
            RANDOM.randbytes(20) + bytes(RANDOM.randrange(20_000)),
            RANDOM.randbytes(70_000),
        ]
    )


def records(count: int) -> bytes:
    """The records of ``count`` strings as Redis writes them, some with a time to live."""
    keyspace = Keyspace(1)
    database = keyspace.databases[0]
    for number in range(count):
        key = b"%d:%b" % (number, text())
        database.place(key, text())
        if RANDOM.randrange(2):
            database.set_expiry(key, RANDOM.choice([-1, 1, 1 << 40]))
    whole = b"".join(pieces(keyspace, {}, compressed=True, checksum=False))
    begin = whole.index(b"\xfe\x00\xfb") + 3  # behind it two lengths
    for _ in range(2):
        begin += 2 if whole[begin] >= 0x40 else 1
    return whole[begin:-9]


def read_natively(data: bytes) -> tuple[int, Database]:
    database = Keyspace(1).databases[0]
    end, count = put_strings(data, 0, len(data), database)
    assert count == len(database)
    database.keyspace.check()
    return end, database


def read_in_python(data: bytes) -> Database:
    """What comes before the first fault."""
    database = Keyspace(1).databases[0]
    reader = SnapshotReader(b"REDIS0010" + data + b"\xff" + bytes(8), verify=False)
    try:
        for record in reader.records():
            if record.value is not None and record.key not in database.data:
                put_in(database, record)
    except RdbError:
        pass
    return database


def test_all_forms() -> None:
    data = records(400)
    end, database = read_natively(data)
    expected = read_in_python(data)
    assert end == len(data)
    assert database.data == expected.data
    assert database.expires == expected.expires
    assert set(database.index) == set(database.data)


def test_cut_off_anywhere() -> None:
    data = records(12)
    whole = read_natively(data)[1].data
    for size in range(0, len(data), 1 + len(data) // 3000):
        end, database = read_natively(data[:size])
        assert end <= size
        assert database.data.items() <= whole.items()


def test_damaged_anywhere() -> None:
    data = records(30)
    for _ in range(700):
        at = RANDOM.randrange(len(data))
        bad = data[:at] + RANDOM.randbytes(1) + data[at + 1 :]
        end, database = read_natively(bad)
        assert end <= len(bad)
        assert database.data.items() <= read_in_python(bad).data.items()


def test_other_records_are_left_alone() -> None:
    database = Keyspace(1).databases[0]
    key = b"\x00\x01k\x01v"
    list_ = b"\x01\x01l\x01\x01v"
    assert put_strings(key + list_, 0, 9, database) == (len(key), 1)
    assert put_strings(list_, 0, len(list_), database) == (0, 0)
    assert put_strings(key, 0, len(key), database) == (0, 0)  # it is there already
    assert put_strings(b"", 0, 0, database) == (0, 0)
