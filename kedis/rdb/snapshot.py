"""A whole data set as a file.

``REDIS0010``, notes about the writer, then for each database its number, its sizes, and its keys: an optional expiry
time and an optional access record, the type, the key, the value. At the end a mark and the checksum of all bytes
before it; a checksum of zero means that none was computed.

==  ==========================  ==  =============================================
F4  keys of a slot of a cluster
F5  functions                   FB  number of keys, and of those that expire
F7  a module's data             FC  milliseconds since 1970 when the key expires
F8  seconds unused              FD  the same in seconds
F9  frequency of use            FE  number of a database
FA  a note: name and value      FF  the end
==  ==========================  ==  =============================================
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any, NamedTuple

from kedis.rdb.crc64 import crc64
from kedis.rdb.payload import LATEST, VERSION
from kedis.rdb.source import (
    LONGEST_INTEGER,
    SHORTEST_COMPRESSED,
    RdbError,
    Source,
    encode_length,
    encode_string,
    encode_text,
)
from kedis.rdb.unsupported_features import (
    WRONG_CHECKSUM,
    LaterVersion,
    Unsupported,
    is_passed_over,
    pass_over,
)
from kedis.rdb.value_forms import (
    Packing,
    decode_value,
    encode_value,
    is_value_type,
)
from kedis.store.access import LfuTracker, LruTracker
from kedis.store.database import Database
from kedis.store.keyspace import Keyspace
from kedis.store.types import Value

MAGIC = b"REDIS"
#: What a snapshot of Valkey 9 or later begins with.
_VALKEY = b"VALKEY"
_STRING = 0
PutRecords = Callable[[Any, int, int, int], tuple[int, int]]
MakeRoom = Callable[[int, int], None]
#: What a record may begin with that is given to such a function: an access, a time to live, a string, a hash, a list.
PUT = frozenset([0xF8, 0xF9, 0xFC, _STRING, 1, 4, 16, 18])
#: The mark of a hint: a slot of a cluster, and how many keys it has, and how many that expire.
_SLOT = 0xF4
#: The mark of a library of functions; its code follows.
FUNCTIONS = 0xF5
_IDLE, _FREQUENCY, _NOTE, _SIZES, _EXPIRE_MS, _EXPIRE_S, _DATABASE, _END = range(0xF8, 0x100)
_HEADER = len(MAGIC) + 4
_PIECE = 1 << 20
#: Bytes that are given to ``put_records`` at once; it takes a few milliseconds for them.
_STEP = 1 << 17
_new = tuple.__new__
_PACK_EXPIRE = struct.Struct("<BQ").pack

# -- writing ----------------------------------------------------------------------------------------------


def pieces(
    keyspace: Keyspace,
    notes: dict[str, str],
    *,
    compressed: bool,
    checksum: bool,
    libraries: Sequence[bytes] = (),
    one_by_one: bool = False,
) -> Iterator[bytes]:
    """The file, in pieces of about 1 MB.

    Args:
        notes: names and values that describe the writer.
        compressed: compress strings.
        checksum: end with a checksum.
        libraries: the code of each library of functions.
        one_by_one: a piece for each key instead.

    Nothing may change meanwhile. O(data).
    """
    crc = 0
    for piece in _unchecked(keyspace, notes, compressed, libraries, 1 if one_by_one else _PIECE):
        if checksum:
            crc = crc64(piece, crc)
        yield piece
    yield crc.to_bytes(8, "little")


def _unchecked(
    keyspace: Keyspace, notes: dict[str, str], compressed: bool, libraries: Sequence[bytes], piece: int
) -> Iterator[bytes]:
    head = [MAGIC, b"%04d" % VERSION]
    for name, text in notes.items():
        head += [bytes([_NOTE]), encode_text(name.encode()), encode_text(text.encode())]
    for code in libraries:
        head += [bytes([FUNCTIONS]), encode_text(code, compressed)]
    yield b"".join(head)
    for database in keyspace.databases:
        if database.data:
            sizes = encode_length(len(database.data)) + encode_length(len(database.expires))
            yield bytes([_DATABASE]) + encode_length(database.number) + bytes([_SIZES]) + sizes
            yield from _keys(database, compressed, piece)
    yield bytes([_END])


def _keys(database: Database, compressed: bool, piece: int) -> Iterator[bytes]:
    """The keys of a database, in pieces of at least so many bytes. A string of usual length takes 0.5 us."""
    expires = database.expires
    use = _use_of(database)
    plain = LONGEST_INTEGER, 64 if not compressed else SHORTEST_COMPRESSED
    gathered: list[bytes] = []
    append = gathered.append
    size = 0
    for key, value in database.data.items():
        before = _PACK_EXPIRE(_EXPIRE_MS, max(expires[key], 0)) if key in expires else b""
        if use is not None:
            before += use(key)
        length, key_length = len(value), len(key)
        if type(value) is bytes and plain[0] < length < plain[1] and key_length < 64:
            record = b"%b\0%c%b%c%b" % (before, key_length, key, length, value)
        else:
            kind, content = encode_value(value, compressed)
            record = b"%b%c%b%b" % (before, kind, encode_string(key), content)
        append(record)
        size += len(record)
        if size >= piece:
            yield b"".join(gathered)
            gathered.clear()
            size = 0
    yield b"".join(gathered)


def _use_of(database: Database) -> Callable[[bytes], bytes] | None:
    tracker = database.access_tracker
    if isinstance(tracker, LruTracker):
        return lambda key: bytes([_IDLE]) + encode_length(tracker.idle_ns(key) // 1_000_000_000)
    if isinstance(tracker, LfuTracker):
        return lambda key: bytes([_FREQUENCY, tracker.frequency(key)])
    return None


# -- reading ----------------------------------------------------------------------------------------------


class Record(NamedTuple):
    """A key of a snapshot.  ``value`` is None for a container without elements, which Redis skips."""

    database: int
    key: bytes
    value: Value | None
    expire_at_ms: int | None
    idle_seconds: int | None
    frequency: int | None


@dataclass
class SnapshotReader:
    """Reads a file, or what arrives from a source.

    Attributes:
        packing: the thresholds by which containers are packed; without them all are full.
        put_records: takes the records that it can, instead of :meth:`records`: the bytes, the position of a record,
            the end, and the number of the database. It returns the position behind those that it has taken, and how
            many they were.
        make_room: called with the number of a database and how many keys it has, by what the file says.
        drop_unsupported: leave out what cannot be held. Of a hash with times to live of fields the others are kept.
        left_out: what was, and how many of each.
        taken: number of those.
        position: offset up to which the file has been read; at the end that behind the checksum.
        version: of the format.
        notes: names and values that describe the writer.
        libraries: the code of each library of functions that has been read.
    """

    data: bytes | mmap | Source
    verify: bool = True
    packing: Packing | None = None
    put_records: PutRecords | None = None
    make_room: MakeRoom | None = None
    position: int = 0
    version: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    libraries: list[bytes] = field(default_factory=list)
    taken: int = 0
    drop_unsupported: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    _unsupported: Unsupported | None = None

    def records(self) -> Iterator[Record]:
        """The keys in order, without those that ``put_records`` has taken. Raises as :meth:`read`."""
        return (record for record in self.read() if record is not None)

    def read(self) -> Iterator[Record | None]:
        """The keys in order; None whenever ``put_records`` has taken some, and before and after room is made.

        Raises RdbError, with the offset, for any file that is not a sound snapshot. Unsupported content is left
        out, and unless it is to be dropped raises Unsupported when the rest has been read and found sound.
        """
        source = self.data if isinstance(self.data, Source) else Source(self.data)
        self._read_header(source)
        database = 0
        expire_at_ms: int | None = None
        idle: int | None = None
        frequency: int | None = None
        string, byte, packing, put_records = source.string, source.byte, self.packing, self.put_records
        while (code := byte()) != _END:
            if (
                put_records is not None
                and code in PUT
                and (expire_at_ms is idle is frequency is None)
                and self._put_records(source, database, put_records)
            ):
                if source.position - source.checked >= _PIECE and self.verify:
                    source.check()
                yield None
                continue
            if code < 0x40 and is_value_type(code):
                key = string()
                try:
                    value = decode_value(source, code, packing) if code else string()
                except Unsupported as error:
                    value = self._without(error, key)
                    if value is None:
                        expire_at_ms = idle = frequency = None
                        continue
                except RdbError as error:
                    raise RdbError(f"{error.reason} in the key {key[:64]!r}", error.offset) from None
                # Not Record(...), which takes 0.2 us more.
                yield _new(Record, (database, key, value, expire_at_ms, idle, frequency))
                expire_at_ms = idle = frequency = None
                self.position = source.base + source.position
                if source.position - source.checked >= _PIECE and self.verify:
                    source.check()
            elif code == _EXPIRE_MS:
                expire_at_ms = source.integer(8, signed=True)
                if expire_at_ms == -1:  # which Redis takes for none
                    expire_at_ms = None
            elif code == _EXPIRE_S:
                expire_at_ms = 1000 * source.integer(4, signed=True)
            elif code == _IDLE:
                idle = source.number()
            elif code == _FREQUENCY:
                frequency = source.byte()
            elif code == _DATABASE:
                database = source.number()
            elif code == _SIZES:
                keys, _ = source.number(), source.number()
                if self.make_room is not None:
                    self.position = source.offset
                    yield None  # it takes a step of its own
                    self.make_room(database, keys)
                    yield None
            elif code == _SLOT:
                source.number(), source.number(), source.number()
            elif code == _NOTE:
                name, text = source.string(), source.string()
                self.notes[name.decode("utf-8", "replace")] = text.decode("utf-8", "replace")
            elif code == FUNCTIONS:
                self.libraries.append(source.string())
            else:
                self._pass_over(source, code)
                expire_at_ms = idle = frequency = None
        self._finish(source)
        if self._unsupported is not None:
            raise self._unsupported

    def _put_records(self, source: Source, database: int, put_records: PutRecords) -> bool:
        """Have the records taken that begin at the byte before; False where none is."""
        begin = source.position - 1
        end, count = put_records(source.data, begin, min(source.end, begin + _STEP), database)
        if not count:
            return False
        source.position = end
        self.position = source.offset
        self.taken += count
        return True

    def _pass_over(self, source: Source, code: int) -> None:
        """Skip unsupported content, and remember the first."""
        offset = source.offset - 1
        if not is_passed_over(code):
            raise RdbError(f"an unknown mark, 0x{code:02x},", offset)
        key = source.string() if code < _SLOT else None
        self._without(Unsupported(pass_over(source, code), offset), key)

    def _without(self, error: Unsupported, key: bytes | None) -> Value | None:
        """Note unsupported content; returns what of the value is to be kept, if any."""
        self.left_out[error.what] += error.count
        if self.drop_unsupported:
            return error.remainder  # type: ignore[no-any-return]
        if self._unsupported is None:
            where = f" in the key {key[:64]!r}" if key is not None else ""
            self._unsupported = Unsupported(error.what, error.offset, where)
        return None

    def _read_header(self, source: Source) -> None:
        header = source.take(_HEADER)
        if header.startswith(_VALKEY):
            raise LaterVersion("a snapshot of Valkey 9 or later, whose format is not read,", 0)
        digits = header[len(MAGIC) :]
        if not header.startswith(MAGIC) or not digits.isdigit():
            raise RdbError("no snapshot", 0)
        self.version = int(digits)
        if not 1 <= self.version <= LATEST:
            raise LaterVersion(
                f"version {self.version} of the format, which is later than {LATEST},", len(MAGIC)
            )

    def _finish(self, source: Source) -> None:
        end = self.position = source.offset
        if self.version < 5:
            return
        if self.verify:
            source.check()
        computed = source.crc
        expected = source.integer(8)
        if self.verify and expected and computed != expected:
            raise RdbError(WRONG_CHECKSUM, end)
        self.position = source.offset


def put_in(database: Any, record: Record) -> None:
    """Put a key into a database, in which it must not exist; not counted as a change."""
    _, key, value, expire_at_ms, idle_seconds, frequency = record
    database.place(key, value)
    if expire_at_ms is not None:
        database.set_expiry(key, expire_at_ms)
    if idle_seconds is not None and isinstance(database.access_tracker, LruTracker):
        database.access_tracker.set_idle(key, idle_seconds)
    elif frequency is not None and isinstance(database.access_tracker, LfuTracker):
        database.access_tracker.set_frequency(key, frequency)
