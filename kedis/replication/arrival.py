"""A snapshot that arrives from a master: read as it comes, beside the data, which it then replaces at once.

The databases that are filled are not those that clients see, so a snapshot that is cut off or damaged changes nothing.
They keep their indexes from the first key on: nothing is left to be done for all keys together at the end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from kedis.engine.engine import Engine
from kedis.errors import CommandError
from kedis.persistence.snapshot_steps import SnapshotSteps
from kedis.rdb.snapshot import SnapshotReader, put_in
from kedis.rdb.source import ArrivingSource, RdbError
from kedis.rdb.unsupported_features import REMEDY, LaterVersion, Unsupported, listed
from kedis.replication.handshake import Position
from kedis.scripting.service import service_of

log = logging.getLogger("kedis.replication")

_ID = "repl-id"
_OFFSET = "repl-offset"
_DATABASE = "repl-stream-db"


class BadSnapshot(Exception):
    """The snapshot cannot be used; the message says why."""


class UnreadableSnapshot(BadSnapshot):
    """It is of a later server, or holds what this version cannot hold: so will the next."""


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


class Arrival(SnapshotSteps):
    """Reads one snapshot. (A large value may make pauses of its own, while its next bytes are awaited.)

    Args:
        more: the next bytes of it; empty at its end. It may wait, and raise.
        total_bytes: of the snapshot, 0 if nobody knows.
        keeps: whether the keys are kept, to replace the data; else they are only looked at.

    Attributes:
        database: the one in which the stream goes on.
    """

    def __init__(
        self, engine: Engine, more: Callable[[], bytes], total_bytes: int = 0, *, keeps: bool = True
    ) -> None:
        super().__init__(engine.keyspace.blank() if keeps else [], total_bytes)
        self._engine = engine
        self._more = more
        self._keeps = keeps
        self._codes: list[bytes] = []
        self.expired = 0
        self.database = 0

    def steps(self) -> Iterator[None]:
        """Read all; yields every few hundred keys. Raises BadSnapshot, and what ``more`` raises."""
        engine = self._engine
        source = ArrivingSource(self._more, verify=engine.config.rdbchecksum)
        reader = SnapshotReader(
            source,
            verify=engine.config.rdbchecksum,
            packing=engine.keyspace.packing,
            put_records=self._putting(engine.keyspace.packing, None) if self._keeps else None,
            make_room=self._making_room(is_there=False) if self._keeps else None,
            drop_unsupported=engine.config.unsupported_data == "drop",
        )
        try:
            yield from self._read(reader)
            if source.position < source.end or self._more():
                raise RdbError("more bytes behind the end", source.offset)
        except Unsupported as error:
            raise UnreadableSnapshot(f"{error}{REMEDY}") from None
        except LaterVersion as error:
            raise UnreadableSnapshot(str(error)) from None
        except RdbError as error:
            raise BadSnapshot(str(error)) from None
        if reader.left_out and self._keeps:
            log.warning(
                "MASTER <-> REPLICA sync: left out, as unsupported-data asks: %s", listed(reader.left_out)
            )
        self._codes = reader.libraries
        self.database = database_in(reader.notes, len(engine.keyspace.databases))

    def _read(self, reader: SnapshotReader) -> Iterator[None]:
        for record in self._records(reader, len(self._engine.keyspace.databases)):
            if record is None:
                yield
            elif self._keeps and record.value is not None:
                database = self._databases[record.database]
                if record.key in database.data:
                    raise RdbError(f"the key {record.key[:64]!r} a second time", reader.position)
                put_in(database, record)

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
