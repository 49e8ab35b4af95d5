"""The steps in which the keys of a snapshot are read, from a file or as they arrive, and how far they have come."""

from __future__ import annotations

from collections.abc import Iterator

from kedis import native
from kedis.rdb.snapshot import MakeRoom, PutRecords, Record, SnapshotReader
from kedis.rdb.source import RdbError
from kedis.rdb.value_forms import Packing
from kedis.store.database import Database
from kedis.structures.packed import Hash

#: Number of keys, and of bytes, between two rests.
_STEP_KEYS = 128
_STEP_BYTES = 64 * 1024
#: Bytes of a record at least, where there are so many that keys of one and two bytes do not count.
_LEAST_RECORD = 6
#: Keys for which room is made while the bytes of a snapshot are still to arrive: 42 MB.
_MOST_UNPROVED = 2_000_000 * 2 // 3


class SnapshotSteps:
    """What reads one snapshot.

    Attributes:
        total_bytes: of the snapshot; 0 if nobody knows.
        loaded_bytes, commands: number of bytes and of keys read.
    """

    def __init__(self, databases: list[Database], total_bytes: int) -> None:
        self._databases = databases
        self.total_bytes = total_bytes
        self.loaded_bytes = 0
        self.commands = 0

    @property
    def keys(self) -> int:
        """Keys held so far, in all databases."""
        return sum(map(len, self._databases))

    def _records(self, reader: SnapshotReader, databases: int) -> Iterator[Record | None]:
        """The keys in order, and None wherever the caller may do other work.

        Raises as the reader, and RdbError for a key of a database beyond the first ``databases``.
        """
        read = 0
        rest_at = _STEP_BYTES
        for record in reader.read():
            if record is not None:
                if record[0] >= databases:
                    raise RdbError(
                        f"database {record[0]} of {databases} (see the setting databases)", reader.position
                    )
                yield record
                read += 1
                if read % _STEP_KEYS and reader.position <= rest_at:
                    continue
            self.commands = read + reader.taken
            self.loaded_bytes = reader.position
            rest_at = reader.position + _STEP_BYTES
            yield None
        self.commands = read + reader.taken
        self.loaded_bytes = reader.position

    def _putting(self, packing: Packing | None, least_ms: int | None) -> PutRecords | None:
        """What takes records natively, where the native path is there: kedis.native.snapshot_records.

        Args:
            packing: the thresholds by which containers are packed.
            least_ms: keys that expire before it are left to the caller; None for none.
        """
        if native.PATH != "native":
            return None
        from kedis.native.snapshot_records import put_records

        databases = self._databases
        thresholds = packing[Hash] if packing is not None else None
        least = -(1 << 63) if least_ms is None else least_ms

        def put(data: bytes, position: int, end: int, number: int) -> tuple[int, int]:
            if number >= len(databases):
                return position, 0
            return put_records(data, position, end, databases[number], thresholds, least)

        return put

    def _making_room(self, *, is_there: bool) -> MakeRoom | None:
        """What makes room for the keys that a snapshot announces, where the native path is there.

        Believed are as many, in all databases together, as the bytes that follow can hold.

        Args:
            is_there: whether the bytes are there; if not, whatever was said of their number is believed so far only.
        """
        if native.PATH != "native":
            return None
        from kedis.native.snapshot_records import make_room

        databases, total = self._databases, self.total_bytes
        left = total // _LEAST_RECORD if total else _MOST_UNPROVED
        if not is_there:
            left = min(left, _MOST_UNPROVED)

        def make(number: int, keys: int) -> None:
            nonlocal left
            if total:
                left = max(min(left, (total - self.loaded_bytes) // _LEAST_RECORD), 0)
            if number < len(databases):
                believed = min(keys, left)
                left -= believed
                make_room(databases[number], believed)

        return make
