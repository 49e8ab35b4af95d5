"""Room for the keys that a snapshot announces: the table of a database does not grow while they are put into it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kedis import native
from kedis.engine.engine import Engine
from kedis.persistence.rdb_file import SnapshotLoader
from kedis.rdb.snapshot import pieces
from kedis.rdb.source import encode_length
from kedis.replication.arrival import Arrival
from tests.commands.driver import Client

COUNT = 5000

pytestmark = pytest.mark.skipif(native.PATH != "native", reason="the Python path makes no room")


@pytest.fixture
def data() -> bytes:
    client = Client()
    client.call("SELECT", 2)
    client.call("MSET", *[word for number in range(COUNT) for word in (f"key:{number}", "value")])
    return b"".join(pieces(client.engine.keyspace, {}, compressed=False, checksum=False))


def announcing(data: bytes, count: int) -> bytes:
    """The snapshot with another number of keys at its beginning."""
    true, other = (b"\xfb" + encode_length(number) for number in (COUNT, count))
    assert data.count(true) == 1
    return data.replace(true, other)


def sizes_of_file(data: bytes, folder: Path) -> set[int]:
    """The sizes that the table of keys has at the steps of loading a file, but for that of an empty one."""
    (folder / "dump.rdb").write_bytes(data)
    engine = Client().engine
    loader = SnapshotLoader(engine, str(folder / "dump.rdb"))
    return sizes(loader.steps(), engine, loader)


def sizes_on_arrival(data: bytes, total_bytes: int) -> set[int]:
    parts = iter([data[at : at + 10_000] for at in range(0, len(data), 10_000)])
    engine = Client().engine
    arrival = Arrival(engine, lambda: next(parts, b""), total_bytes)

    def steps() -> Iterator[None]:
        yield from arrival.steps()
        arrival.install()

    return sizes(steps(), engine, arrival)


def sizes(steps: Iterator[None], engine: Engine, reader: SnapshotLoader | Arrival) -> set[int]:
    table = reader._databases[2].data
    found = {sys.getsizeof(table) for _ in steps}
    assert len(engine.keyspace.databases[2]) == reader.commands == COUNT
    engine.keyspace.databases[2].check()
    return found - {sys.getsizeof({})}


def test_the_table_has_its_last_size_from_the_beginning(data: bytes, tmp_path: Path) -> None:
    (size,) = sizes_of_file(data, tmp_path)
    assert sizes_on_arrival(data, len(data)) == sizes_on_arrival(data, 0) == {size}
    assert size <= sys.getsizeof({str(number).encode(): number for number in range(COUNT)})


def test_only_so_many_are_believed_as_there_can_be(data: bytes, tmp_path: Path) -> None:
    false = announcing(data, 1 << 40)
    at_most = 100 * len(data)
    assert max(sizes_of_file(false, tmp_path)) < at_most
    assert max(sizes_on_arrival(false, len(false))) < at_most
    assert max(sizes_on_arrival(false, 0)) < 48 << 20


@pytest.mark.parametrize("count", [0, 1, COUNT - 1])
def test_more_may_come_than_were_announced(data: bytes, tmp_path: Path, count: int) -> None:
    assert sizes_of_file(announcing(data, count), tmp_path)


def test_room_is_made_in_a_step_of_its_own(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(data)
    loader = SnapshotLoader(Client().engine, str(tmp_path / "dump.rdb"))
    table = loader._databases[2].data
    steps = loader.steps()
    next(steps)
    assert sys.getsizeof(table) == sys.getsizeof({})
    next(steps)
    assert sys.getsizeof(table) > sys.getsizeof({}) and not table


def announced_everywhere(before: int, behind: int) -> bytes:
    """A snapshot of one key that announces many in each of 16 databases, with so many bytes of notes around that."""

    def note(size: int) -> bytes:
        return b"\xfa" + encode_length(1) + b"n" + encode_length(size) + b"x" * size

    many = encode_length(1 << 40)
    announced = b"".join(b"\xfe" + encode_length(number) + b"\xfb" + many + many for number in range(16))
    key = b"\x00" + encode_length(1) + b"k" + encode_length(1) + b"v"
    return b"REDIS0010" + note(before) + announced + note(behind) + key + b"\xff" + bytes(8)


@pytest.mark.parametrize(("before", "behind"), [(4 << 20, 0), (0, 4 << 20)])
def test_all_databases_share_what_is_believed(tmp_path: Path, before: int, behind: int) -> None:
    data = announced_everywhere(before, behind)
    (tmp_path / "dump.rdb").write_bytes(data)
    loader = SnapshotLoader(Client().engine, str(tmp_path / "dump.rdb"))
    for _ in loader.steps():
        pass
    assert room_of(loader) < (100_000 if before else 12 * len(data))
    parts = iter([data])
    arrival = Arrival(Client().engine, lambda: next(parts, b""), 1 << 40)
    for _ in arrival.steps():
        pass
    assert room_of(arrival) < 96 << 20, "that of the largest that is believed before the bytes are there"


def room_of(reader: SnapshotLoader | Arrival) -> int:
    return sum(sys.getsizeof(database.data) for database in reader._databases)
