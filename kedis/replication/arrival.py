"""A snapshot that arrives from a master: read as it comes, beside the data, which it then replaces at once.

The databases that are filled are not those that clients see, so a snapshot that is cut off or damaged changes nothing.
They keep their indexes from the first key on: nothing is left to be done for all keys together at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kedis import native
from kedis.engine.engine import Engine
from kedis.errors import CommandError
from kedis.rdb.snapshot import PutStrings, SnapshotReader, put_in
from kedis.rdb.source import ArrivingSource, RdbError
from kedis.replication.handshake import Position
from kedis.scripting.service import service_of
from kedis.store.database import Database

#: Keys between two yields. (A large value may make pauses of its own, while its next bytes are awaited.)
_STEP = 128
_ID = "repl-id"
_OFFSET = "repl-offset"
_DATABASE = "repl-stream-db"


class BadSnapshot(Exception):
    """The snapshot cannot be used; the message says why."""


def position_in(notes: dict[str, str]) -> Position | None:
    """The place in a master's stream at which a snapshot stands, by its notes; None where they tell none."""
    replid, digits = notes.get(_ID, ""), notes.get(_OFFSET, "")
    if len(replid) == 40 and digits.isascii() and digits.isdigit() and len(digits) < 19:
        return Position(replid, int(digits))
    return None


def database_in(notes: dict[str, str], count: int) -> int:
    """The database in which the stream goes on after a snapshot; 0 where the notes tell none of ``count``."""
    digits = notes.get(_DATABASE, "")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
    return number if number < count else 0


class Arrival:
    """Reads one snapshot.

    Args:
        more: the next bytes of it; empty at its end. It may wait, and raise.
        total_bytes: of the snapshot, 0 if nobody knows.
        keeps: whether the keys are kept, to replace the data; else they are only looked at.

    Attributes:
        loaded_bytes, commands: bytes and keys read so far; with ``total_bytes`` and ``keys`` the figures of a loader.
        database: the one in which the stream goes on.
    """

    def __init__(
        self, engine: Engine, more: Callable[[], bytes], total_bytes: int = 0, *, keeps: bool = True
    ) -> None:
        self._engine = engine
        self._more = more
        self._databases: list[Database] = engine.keyspace.blank() if keeps else []
        self._keeps = keeps
        self._codes: list[bytes] = []
        self.total_bytes = total_bytes
        self.loaded_bytes = 0
        self.commands = 0
        self.expired = 0
        self.database = 0

    @property
    def keys(self) -> int:
        """Keys kept so far."""
        return sum(map(len, self._databases))

    def steps(self) -> Iterator[None]:
        """Read all; yields every few hundred keys. Raises BadSnapshot, and what ``more`` raises."""
        engine = self._engine
        source = ArrivingSource(self._more, verify=engine.config.rdbchecksum)
        reader = SnapshotReader(
            source,
            verify=engine.config.rdbchecksum,
            packing=engine.keyspace.packing,
            put_strings=self._put_strings() if self._keeps else None,
        )
        try:
            yield from self._read(reader)
            if source.position < source.end or self._more():
                raise RdbError("more bytes behind the end", source.offset)
        except RdbError as error:
            raise BadSnapshot(str(error)) from None
        self.loaded_bytes = reader.position
        self._codes = reader.libraries
        self.database = database_in(reader.notes, len(engine.keyspace.databases))

    def _put_strings(self) -> PutStrings | None:
        """What takes strings natively, if the native path is there."""
        if native.PATH != "native":
            return None
        from kedis.native.string_records import put_strings

        databases = self._databases

        def put(data: bytes, position: int, end: int, number: int) -> tuple[int, int]:
            return (
                put_strings(data, position, end, databases[number])
                if number < len(databases)
                else (position, 0)
            )

        return put

    def _read(self, reader: SnapshotReader) -> Iterator[None]:
        count = len(self._engine.keyspace.databases)
        databases, keeps = self._databases, self._keeps
        read = 0
        for record in reader.records():
            number, key, value = record[:3]
            if number >= count:
                raise RdbError(f"database {number} of {count} (see the setting databases)", reader.position)
            if keeps and value is not None:
                database = databases[number]
                if key in database.data:
                    raise RdbError(f"the key {key[:64]!r} a second time", reader.position)
                put_in(database, record)
            read += 1
            if read % _STEP == 0:
                self.commands = read + reader.taken
                self.loaded_bytes = reader.position
                yield
        self.commands = read + reader.taken

    def install(self) -> None:
        """Put what was read in place of the data, functions included.  Raises BadSnapshot; nothing has changed then."""
        engine = self._engine
        self.install_libraries()
        engine.keyspace.replace(self._databases)
        engine.tracking.flushed()
        self.discard()

    def install_libraries(self) -> None:
        """Put the functions in place of those that are there. Raises BadSnapshot; nothing has changed then."""
        if not self._codes and not self._engine.scripting.library_codes():
            return
        libraries = service_of(self._engine).libraries
        before = libraries.codes()
        libraries.flush()
        try:
            for code in self._codes:
                libraries.load(code)
        except CommandError as error:
            libraries.flush()
            for code in before:
                libraries.load(code)
            raise BadSnapshot(f"a library of functions cannot be loaded: {error}") from None

    def discard(self) -> None:
        """Give up what is held: what was read, or after :meth:`install` the former data. Freed in steps. Idempotent."""
        keyspace = self._engine.keyspace
        dirty = keyspace.dirty
        for database in self._databases:
            database.clear(later=True)
        keyspace.dirty = dirty
        self._databases = []
