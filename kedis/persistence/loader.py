"""Recovery: reads the files of the manifest in order and runs every command again.

The commands' own handlers are called, by a client without a reader, so that there is one implementation of each
command; where the native path is there, it runs them from the bytes of the file (:mod:`kedis.native.recovery`). The
engine's other steps for a client (replies, measuring, refusing) are left out; at 1 us a command they would halve the
speed.

Rules for damage, where ``last`` is the last file of the manifest:

* a last command that is not whole, or a transaction without its EXEC: in ``last`` it is cut off (the transaction back
  to before its MULTI) if aof-load-truncated allows it, anywhere else the load fails;
* any bytes that are not a command, an unknown command, a wrong number of arguments, a wrong checksum: the load fails;
* a command that is answered with an error: it does not fit the data loaded before it, so commands are missing or out
  of order. The load fails, too, unless ``propagation-error-behavior`` skips the command, as Redis does.

No recorded command is answered with an error when it is run again, neither of Kedis's own commands nor of
Redis's: while loading nothing expires, no limit of memory or length applies, and a time in the past is accepted.

A file may also be sound and hold a feature that this version does not know. That is reported only after the rest of
it (up to the next checksum that covers the place) has been found sound.

A base may also be a snapshot in Redis's format (:mod:`kedis.rdb`). A failed load has changed nothing on disk.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from kedis import native
from kedis.engine.call import replay
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.flags import NOT_QUEUED, OPENS_QUEUE, RUNS_QUEUE, SELECTS_DATABASE
from kedis.engine.transport import NullTransport
from kedis.errors import CommandError
from kedis.persistence.features import missing_feature
from kedis.persistence.folder import AofError, Folder
from kedis.persistence.manifest import Entry
from kedis.persistence.rdb_file import DamagedSnapshot, SnapshotLoader
from kedis.persistence.reader import AofReader, Batch, DamagedFile, read_command
from kedis.process.system import OPEN_FLAGS
from kedis.process.threads import real_close
from kedis.rdb.payload import WrongFooter, restore
from kedis.rdb.snapshot import MAGIC
from kedis.rdb.source import RdbError
from kedis.rdb.unsupported_features import Unsupported

log = logging.getLogger("kedis.aof")

_MOST_WARNINGS = 10
#: Commands that :func:`replay` does not run: SELECT, and those of a transaction.
_SPECIAL = NOT_QUEUED | SELECTS_DATABASE


@dataclass
class Tail:
    """The end of the last file, for writing on: its sound size, and the bytes that no checksum covers before it."""

    size: int = 0
    crc: int = 0
    uncovered: int = 0


class _Refused(Exception):
    """A whole command cannot be run; ``sound`` says that the file is not damaged."""

    def __init__(self, text: str, offset: int, *, sound: bool = False) -> None:
        super().__init__(text)
        self.offset = offset
        self.sound = sound


class Loader:
    """Loads a folder into an engine; its figures can be read meanwhile.

    Args:
        engine: empty; its settings ``aof-load-truncated`` and ``aof-checksum`` apply.
        folder: opened.

    Attributes:
        total_bytes, loaded_bytes: of all files.
        commands: number of commands run so far.
        base_bytes: size of the base.
        tail: end of the last file, once all is loaded.
        cut_bytes: number of bytes cut off at the end.
    """

    def __init__(self, engine: Engine, folder: Folder) -> None:
        self._engine = engine
        self._folder = folder
        self._client = Client(engine, NullTransport(), trusted=True)
        self._handlers = _handlers(engine)
        self._natively: Any = None
        if native.PATH == "native":
            from kedis.native.path import Path
            from kedis.native.recovery import Recovery

            self._natively = Recovery(Path(engine), self._client, self._handlers)
        self._warnings = 0
        self._unit: list[tuple[list[bytes], Callable[[], int]]] | None = None
        self._unit_place: Callable[[], int] = int
        self.commands = 0
        self.tail = Tail()
        self.cut_bytes = 0
        self.total_bytes = sum(os.path.getsize(folder.file(entry.name)) for entry in folder.manifest.files())
        self.loaded_bytes = 0
        self.base_bytes = 0

    def steps(self) -> Iterator[None]:
        """Load; yields every 64 KB of input or less, so that the caller can do other work.

        The engine must be in its loading state. Raises AofError, with file and offset.
        """
        entries = self._folder.manifest.files()
        for entry in entries:
            yield from self._load_file(entry, entry is entries[-1])
        self._client.reset()

    def _load_file(self, entry: Entry, is_last: bool) -> Iterator[None]:
        path = self._folder.file(entry.name)
        loaded_before = self.loaded_bytes
        self._client.select(0)
        self._unit = None
        try:
            with open(path, "rb", buffering=0) as file:
                begin = 0
                if file.read(len(MAGIC)) == MAGIC:
                    begin = yield from self._load_rdb(path, entry, loaded_before)
                file.seek(begin)
                reader = AofReader(
                    file,
                    verify=self._engine.config.aof_checksum,
                    begin=begin,
                    whole_bytes=None if self._natively is None else self._natively.whole_bytes,
                )
                batches = reader.pieces()
                for batch in batches:
                    try:
                        self._run(batch, reader)
                    except _Refused as refused:
                        yield from _look_further(batches, reader, refused.offset)
                        state = "is not damaged" if refused.sound else "cannot be loaded"
                        raise AofError(f"{path} {state}: {refused}") from None
                    self.loaded_bytes = loaded_before + reader.end
                    yield
        except DamagedFile as damage:
            raise AofError(f"{path} is damaged: {damage}{_remedy(damage)}{_in_known_words(damage)}") from None
        except OSError as error:
            raise AofError(f"cannot read {path} at offset {reader.end}: {error.strerror}") from None
        if entry.kind == "b":
            self.base_bytes = reader.end
        self._finish_file(path, reader, is_last)

    def _load_rdb(self, path: str, entry: Entry, loaded_before: int) -> Generator[None, None, int]:
        """Load a base in RDB form; returns the offset of its end (older versions of Redis appended commands to it)."""
        if entry.kind != "b":
            raise AofError(f"{path} is in RDB form at offset 0, and not the base")
        loader = SnapshotLoader(self._engine, path, is_base=True)
        try:
            for _ in loader.steps():
                self.loaded_bytes = loaded_before + loader.loaded_bytes
                yield
        except DamagedSnapshot as damage:
            raise AofError(str(damage)) from None
        self.commands += loader.commands
        return loader.loaded_bytes

    def _finish_file(self, path: str, reader: AofReader, is_last: bool) -> None:
        """Check the end of the file, and cut a torn tail off."""
        size = os.path.getsize(path)
        sound = reader.end
        if self._unit is not None:
            sound = self._unit_place()
        elif reader.torn is None:
            self.tail = Tail(sound, reader.crc, reader.uncovered)
            return
        what = "a transaction without its EXEC" if self._unit is not None else "a command that is not whole"
        if not is_last:
            raise AofError(f"{path} ends with {what} at offset {sound}, and is not the last file")
        if not self._engine.config.aof_load_truncated:
            raise AofError(
                f"{path} ends with {what} at offset {sound}, and aof-load-truncated is off "
                "(Unexpected end of file reading the append only file)"
            )
        log.warning("%s ends with %s: cutting %d bytes off at offset %d", path, what, size - sound, sound)
        os.truncate(path, sound)
        fd = os.open(path, os.O_WRONLY | OPEN_FLAGS)
        try:
            os.fsync(fd)
        finally:
            real_close(fd)
        self.cut_bytes = size - sound
        self.loaded_bytes -= reader.end - sound
        self.tail = (
            _measure(path, sound) if sound != reader.end else Tail(sound, reader.crc, reader.uncovered)
        )
        self._unit = None

    @property
    def keys(self) -> int:
        """Keys loaded so far, in all databases."""
        return sum(map(len, self._engine.keyspace.databases))

    # -- running ------------------------------------------------------------------------------------------

    def _run(self, commands: Batch, reader: AofReader) -> None:
        self._engine.keyspace.now_ns = self._engine.clock()
        if isinstance(commands, bytes):
            self._run_natively(commands, reader)
        else:
            self._run_split(commands, reader)

    def _run_split(self, commands: list[list[bytes]], reader: AofReader) -> None:
        self.commands += len(commands)
        index = 0
        while index < len(commands):
            if self._unit is None:
                index, error = replay(self._client, self._handlers, commands, index)
                if error is not None:
                    self._judge(commands[index], error, reader.place_of(index))
                    index += 1
                    continue
            if index < len(commands):
                self._run_special(commands[index], index, reader)
                index += 1

    def _run_natively(self, data: bytes, reader: AofReader) -> None:
        index = position = 0
        while position < len(data):
            error = None
            if self._unit is None:
                ran, position, error = self._natively.run(data, position)
                index += ran
            if position < len(data):
                argv, position = read_command(data, position)
                if error is not None:
                    self._judge(argv, error, reader.place_of(index))
                else:
                    self._run_special(argv, index, reader)
                index += 1
        self.commands += index

    def _run_special(self, argv: list[bytes], index: int, reader: AofReader) -> None:
        """Run a command that :func:`replay` leaves: an unusual spelling, SELECT, or a command of a transaction."""
        try:
            row = self._engine.table.resolve_recorded(argv)
        except CommandError as error:
            if feature := missing_feature(argv[0]):
                raise _unsupported(feature, argv, reader.offset_of(index)) from None
            # The text of the error tells which fault the command has.
            problem = "wrong number of arguments for" if "number of arguments" in str(error) else "unknown"
            raise DamagedFile(reader.offset_of(index), _odd(argv, problem)) from None
        if row.flags & OPENS_QUEUE and self._unit is None:
            self._unit_place = reader.place_of(index)
            self._unit = []
        elif row.flags & RUNS_QUEUE and self._unit is not None:
            unit, self._unit = self._unit, None
            for queued, place in unit:
                self._call(queued, place)
        elif row.flags & NOT_QUEUED:
            raise DamagedFile(reader.offset_of(index), _odd(argv, "misplaced"))
        elif self._unit is not None:
            self._unit.append((argv, reader.place_of(index)))
        else:
            self._call(argv, reader.place_of(index))

    def _call(self, argv: list[bytes], place: Callable[[], int]) -> None:
        row = self._engine.table.resolve_recorded(argv)
        assert row.function is not None  # resolve_recorded() returns only rows with a handler
        handler = {argv[0]: (row.function, 1, len(argv))}
        _, error = replay(self._client, handler, [argv], 0)
        if error is not None:
            self._judge(argv, error, place)

    def _judge(self, argv: list[bytes], error: Exception, place: Callable[[], int]) -> None:
        """Raise _Refused for the ``error`` of ``argv``, which begins at ``place()``, or skip the command."""
        name = argv[0][:64].decode("latin-1")
        command = f"the command {name!r} at offset {place()}"
        if not isinstance(error, CommandError):
            log.error("internal error while loading", exc_info=error)
            raise _Refused(f"{command} met an internal error, {error!r}", place())
        feature = _feature_of_payload(argv)
        if feature and self._engine.config.unsupported_data != "drop":
            raise _unsupported(feature, argv, place())
        if (
            self._engine.table.resolve_recorded(argv).flags & SELECTS_DATABASE
        ):  # the following commands would go to another database
            raise _Refused(f"{command} was answered with: {error} (see the setting databases)", place())
        if self._engine.config.propagation_error_behavior == "panic" and not feature:
            raise _Refused(
                f"{command} was answered with: {error}; it does not fit what is before it, where something must be "
                "missing (to pass over such commands: --propagation-error-behavior ignore, then BGREWRITEAOF)",
                place(),
            )
        self._warnings += 1
        if self._warnings <= _MOST_WARNINGS:
            log.warning("passed over: %s was answered with: %s", command, error)


def _look_further(batches: Iterator[Any], reader: AofReader, offset: int) -> Iterator[None]:
    """Read on until a checksum covers ``offset``, or to the end. Raises DamagedFile, which takes precedence."""
    for _ in batches:
        if reader.end - reader.uncovered > offset:
            return
        yield


def _unsupported(feature: str, argv: list[bytes], offset: int) -> _Refused:
    name = argv[0][:64].decode("latin-1")
    text = f"holds {feature}, which this version cannot hold (the command {name!r} at offset {offset})"
    return _Refused(text, offset, sound=True)


def _feature_of_payload(argv: list[bytes]) -> str:
    """The feature that this version lacks in a RESTORE payload; empty when the command failed for another reason."""
    if argv[0].lower() in (b"restore", b"restore-asking") and len(argv) > 3:
        try:
            restore(argv[3])
        except Unsupported as error:
            return error.what
        except (RdbError, WrongFooter):
            pass
    return ""


def _handlers(engine: Engine) -> dict[bytes, tuple[Any, int, int]]:
    """Handler and arity by name, for commands that are run without further checks."""
    found = {}
    for name, row in engine.table.recorded.items():
        if row.function is not None and not row.subcommands and not row.flags & _SPECIAL:
            found[name] = found[name.upper()] = (row.function, row.least, row.most)
    return found


def _remedy(damage: DamagedFile) -> str:
    if "checksum" not in damage.reason:
        return ""
    return " (if it was edited by hand: start with --aof-checksum no, then BGREWRITEAOF)"


def _in_known_words(damage: DamagedFile) -> str:
    """The same in the words that whoever operates a Redis knows, and looks for in logs."""
    problem = "Bad file format"
    if damage.reason.startswith("unknown command"):
        problem = f"U{damage.reason[1:]}"
    return f" ({problem} reading the append only file)"


def _odd(argv: list[bytes], problem: str) -> str:
    return f"{problem} command {argv[0][:64].decode('latin-1')!r}"


def _measure(path: str, size: int) -> Tail:
    """The state of the checksum chain at the end of a file that was cut off at ``size``."""
    with open(path, "rb", buffering=0) as file:
        reader = AofReader(file, verify=False)
        for _ in reader.batches():
            pass
    return Tail(size, reader.crc, reader.uncovered)
