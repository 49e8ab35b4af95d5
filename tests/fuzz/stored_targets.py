"""What is read from files: snapshots and dumps, the append-only file, the manifest."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

from kedis.persistence.checksum import checksum_line
from kedis.persistence.folder import AofError
from kedis.persistence.manifest import ManifestError, parse_manifest
from kedis.persistence.reader import AofReader, DamagedFile, read_command
from kedis.rdb.crc64 import crc64
from kedis.rdb.payload import VERSION, dump, restore
from kedis.rdb.snapshot import Record, SnapshotReader
from kedis.rdb.snapshot import pieces as snapshot_pieces
from kedis.rdb.source import ArrivingSource, RdbError, Source
from kedis.rdb.unsupported_features import Unsupported
from kedis.rdb.value_forms import decode_value, encode_value
from kedis.resp.replies import encode_command
from kedis.store.digest import value_digest
from tests.commands.driver import Client, ErrorReply
from tests.differential.scripts import FILLS
from tests.fuzz.target import Find, Target, pieces
from tests.oracle import Oracle
from tests.persistence.folders import BASE, FAST, INCR, LISTING, load
from tests.persistence.server import write_folder

_STREAMS = (b"\x0f", b"\x13", b"\x15")
_STRICTER = (
    "a string where a length must be",
    "a string where a number must be",
    "a score that is not a number",
)


class Rdb(Target):
    """A snapshot, read as a file and as it arrives; and the payload of RESTORE, beside Redis's."""

    name = "rdb"
    modules = ("kedis.rdb",)
    compares = True
    words = (
        b"REDIS0010",
        b"\xfe\x00",
        b"\xfc",
        b"\xfd",
        b"\xff",
        b"\xc3",
        b"\x80",
        b"\x81",
        b"\xc0",
        b"\xc1",
        b"\xc2",
    )

    def __init__(self, redis: Callable[..., Oracle]) -> None:
        super().__init__(redis)
        self._redis = redis("--sanitize-dump-payload", "yes")
        self._client = Client()
        self._client.engine.config.enable_debug_command = "yes"

    def run(self, data: bytes) -> None:
        if data[:1] == b"R":
            self._restore(data[1:])
        elif data:
            self._snapshot(b"REDIS0010" + data[1:], data[0] % 64 + 1)

    # -- a snapshot ---------------------------------------------------------------------------------------

    def _snapshot(self, data: bytes, size: int) -> None:
        whole = self._read(data)
        parts = pieces(data, size)
        arrived = self._read(ArrivingSource(lambda: next(parts, b""), verify=False))
        if whole != arrived:
            raise Find("arrived", f"in pieces of {size}: {arrived!r:.600} instead of {whole!r:.600}")

    def _read(self, data: bytes | Source) -> list[Any]:
        """The records in a comparable form, and how reading ends."""
        found: list[Any] = []
        try:
            found.extend(map(self._comparable, SnapshotReader(data, verify=False).records()))
        except RdbError:  # in pieces nobody knows how much is left, so that the reason may be another
            found.append("refused")
        except Unsupported as error:
            found.append(("unsupported", str(error)))
        return found

    def _comparable(self, record: Record) -> tuple[Any, ...]:
        content = None if record.value is None else _written_and_read(record.value)
        return (*record[:2], content, *record[3:])

    # -- a dump -------------------------------------------------------------------------------------------

    def _restore(self, data: bytes) -> None:
        payload = data + VERSION.to_bytes(2, "little")
        payload += crc64(payload).to_bytes(8, "little")
        mine = self._client.call("RESTORE", "k", 0, payload, "REPLACE")
        if self._client.engine.faults:
            self._client.engine.faults = 0
            raise Find("an internal error")
        theirs = self._ask_redis("RESTORE", "k", 0, payload, "REPLACE")
        if theirs is None:
            return
        if mine != theirs and not self._is_stricter(payload, theirs):
            raise Find(
                f"restore {data[:1].hex()} {isinstance(mine, ErrorReply)}",
                f"Redis answers {theirs!r}, Kedis {mine!r}",
            )
        if isinstance(mine, ErrorReply):
            return
        ask = ("DEBUG", "DIGEST-VALUE", "k")
        if (one := self._client.call(*ask)) != (other := self._ask_redis(*ask)):
            raise Find(f"digest {data[:1].hex()}", f"Redis answers {other!r}, Kedis {one!r}")

    def _is_stricter(self, payload: bytes, theirs: object) -> bool:
        """Whether Kedis refuses what nobody writes and Redis takes.

        That is a number in the form of a string, a score with letters, a stream whose figures do not fit what it holds,
        and a value that runs into the checksum.
        """
        try:
            restore(payload)
        except RdbError as error:
            overruns = error.reason.startswith("the end where") or "bytes where" in error.reason
            return theirs == b"OK" and (overruns or error.reason in _STRICTER or payload[:1] in _STREAMS)
        return False

    def _ask_redis(self, *words: object) -> Any:
        """Redis's reply; None where the payload has brought it down."""
        try:
            return self._redis.call(*words)
        except OSError:
            self._redis.close()
            self._redis = self._start_redis("--sanitize-dump-payload", "yes")
            return None

    def seeds(self) -> Iterator[bytes]:
        client = Client()
        for words in FILLS:
            client.call(*words)
        keyspace = client.engine.keyspace
        for compressed in (False, True):
            data = b"".join(snapshot_pieces(keyspace, {"a": "b"}, compressed=compressed, checksum=True))
            yield b"\x07" + data[9:4000]
        for value in keyspace.databases[0].data.values():
            for payload in (dump(value), dump(value, client.engine.config)):
                if len(payload) < 3000:
                    yield b"R" + payload[:-10]
        theirs = self._redis
        for words in FILLS:
            theirs.call(*words)
        theirs.call("SET", "text", "abcd" * 100)
        theirs.call("RPUSH", "l", *range(20))
        theirs.call("HSET", "h", "a", 1, "b", "x")
        theirs.call("ZADD", "z", 1, "a", 2.5, "b")
        theirs.call("SADD", "i", 1, 2, 3, 70000)
        for key in theirs.call("KEYS", "*"):
            payload = theirs.call("DUMP", key)
            if len(payload) < 3000:
                yield b"R" + payload[:-10]
        theirs.call("FLUSHALL")


def _written_and_read(value: Any) -> bytes:
    """The digest of ``value``, which must be that of what is written and read again."""
    kind, content = encode_value(value, False)
    again = decode_value(Source(content), kind, None)
    digest = _digest(value)
    if again is None or _digest(again) != digest:
        raise Find(f"written {kind}", "written and read again it is another value")
    return bytes([kind]) + digest


def _digest(value: Any) -> bytes:
    database = Client().engine.keyspace.databases[0]
    database.place(b"k", value)
    return value_digest(database, b"k")


class _Strictly(AofReader):
    """Reads command by command, without the two quick ways."""

    def _checked_section(self, section: bytes) -> tuple[Any, int]:
        return [], 0

    def _section(self, data: bytes, position: int) -> tuple[Any, int]:
        try:
            argv, end = read_command(data, position)
        except DamagedFile as damage:
            raise DamagedFile(self.end, damage.reason) from None
        return [argv], end - position


class _Dripping(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 5, 5))


class Aof(Target):
    """An append-only file: the quick ways of the reader agree with the strict one, and it can be loaded or not."""

    name = "aof"
    modules = ("kedis.persistence.reader", "kedis.persistence.checksum", "kedis.persistence.loader")
    words = (
        b"*1\r\n",
        b"$3\r\n",
        b"#TS:1\r\n",
        b"#",
        b"MULTI",
        b"EXEC",
        b"SELECT",
        b"INCR",
        b"\r\n",
        b"REDIS0010",
    )

    def __init__(self, redis: Callable[..., Oracle]) -> None:
        super().__init__(redis)
        self._folder = Path(tempfile.mkdtemp(prefix="fuzz-aof-", dir=FAST))
        self._engine = Client().engine

    def __del__(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, data: bytes) -> None:
        if not data:
            return
        verify, data = bool(data[0] & 1), data[1:]
        strict = self._read(_Strictly(io.BytesIO(data), verify=verify))
        for reader in (AofReader(io.BytesIO(data), verify=verify), AofReader(_Dripping(data), verify=verify)):
            found = self._read(reader)
            if found != strict:
                raise Find(type(reader._file).__name__, f"{found!r:.600} instead of {strict!r:.600}")
        if len(data) % 8 == 0:
            self._load(data)

    def _read(self, reader: AofReader) -> tuple[list[list[bytes]], str, int | None]:
        commands: list[list[bytes]] = []
        try:
            for batch in reader.batches():
                commands += batch
        except DamagedFile as damage:
            if not 0 <= damage.offset <= len(reader._file.getvalue()):  # type: ignore[attr-defined]
                raise Find("place of damage", f"{damage.offset}") from None
            return [], "damaged", None
        return commands, "torn" if reader.torn is not None else "whole", reader.torn

    def _load(self, data: bytes) -> None:
        write_folder(self._folder, {BASE: b"", INCR: data, "appendonly.aof.manifest": LISTING})
        try:
            load(self._folder, self._engine)
        except AofError:
            self._engine.set_loading(False)
        if self._engine.faults:
            self._engine.faults = 0
            raise Find("an internal error")

    def seeds(self) -> Iterator[bytes]:
        some = [
            [b"SELECT", b"0"],
            [b"SET", b"a", b"1"],
            [b"INCR", b"a"],
            [b"MULTI"],
            [b"RPUSH", b"l", b"x"],
            [b"EXEC"],
        ]
        text = b"".join(map(encode_command, some))
        yield b"\1" + text
        yield b"\1" + text + checksum_line(crc32(text), len(text)) + text
        yield b"\0#TS:1700000000\r\n" + text + b"# a comment\n" + text[:-3]
        for words in FILLS:
            yield b"\1" + encode_command(words)[:2000]


class ManifestFile(Target):
    """The manifest: refused with a reason, or understood and written as the same again."""

    name = "manifest"
    modules = ("kedis.persistence.manifest",)
    words = (
        b"file ",
        b" seq ",
        b" type b\n",
        b" type i\n",
        b" type h\n",
        b"#",
        b'"',
        b"\\x",
        b"\n",
        b"appendonly.aof.1.",
    )

    def run(self, data: bytes) -> None:
        try:
            manifest = parse_manifest(data)
        except ManifestError:
            return
        if parse_manifest(manifest.format()) != manifest:
            raise Find("written", f"{manifest.format()!r} is not {manifest}")
        changed = manifest.copy()
        changed.add_base("appendonly.aof")
        changed.add_incr("appendonly.aof")
        changed.retire_incrs(1)
        if parse_manifest(changed.format()) != changed:
            raise Find("changed", f"{changed.format()!r} is not {changed}")

    def seeds(self) -> Iterator[bytes]:
        yield LISTING
        yield b"# comment\n" + LISTING + b"file appendonly.aof.2.incr.aof seq 2 type i\n"
        yield b'file "a b\\x41.aof" seq 7 type h more words\n' + LISTING
        random = Random(1)
        yield b"".join(b"file f%d seq %d type i\n" % (n, n) for n in range(1, random.randint(5, 9)))
