"""Recovery: the files of the manifest are read in order and every command is run again.

The commands' own handlers are called, by a session that nobody reads from, so that there is one meaning of each
command.  What the engine does around a handler for a client (replies, measuring, refusing) is left out; at 1 us a
command it would halve the speed.

Rules for damage, where ``last`` is the last file of the manifest:

* a last command that is not whole, or a transaction without its EXEC: in ``last`` it is cut away (the transaction back
  to before its MULTI) if aof-load-truncated allows it, anywhere else the load fails;
* anything that is not a command, an unknown command, a wrong number of arguments, a wrong checksum: the load fails.

A base may also be a snapshot in Redis's format (:mod:`kedis.rdb`).  A failed load has changed nothing on disk.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from kedis.engine import Engine
from kedis.errors import CommandError
from kedis.persistence.folder import AofError, Folder
from kedis.persistence.manifest import Entry
from kedis.persistence.rdb_file import DamagedSnapshot, SnapshotLoader
from kedis.persistence.reader import AofReader, DamagedFile
from kedis.rdb.snapshot import MAGIC
from kedis.session import Session

log = logging.getLogger("kedis.aof")

_MOST_WARNINGS = 10
_SPECIAL = frozenset(["select", "multi", "exec", "discard", "watch"])


@dataclass
class Tail:
    """Where the last file can be continued: its sound size, and what no checksum covers before it."""

    size: int = 0
    crc: int = 0
    uncovered: int = 0


class _Replay:
    """The transport of the session that replays."""

    kind = "journal"
    fd = -1

    def close(self) -> None: ...

    def output_bytes(self) -> int:
        return 0

    def input_bytes(self) -> int:
        return 0

    def wants_send(self) -> None: ...


class Loader:
    """Loads a folder into an engine; figures can be read while it does.

    Args:
        engine: empty; its settings ``aof-load-truncated`` and ``aof-checksum`` are obeyed.
        folder: opened.

    Attributes:
        total_bytes, loaded_bytes: of all files.
        commands: run so far.
        base_bytes: size of the base.
        tail: where the last file goes on, once all is loaded.
        cut_bytes: what was cut off at the end.
    """

    def __init__(self, engine: Engine, folder: Folder) -> None:
        self._engine = engine
        self._folder = folder
        self._session = Session(engine, _Replay())
        self._handlers = _handlers(engine)
        self._warnings = 0
        self._unit: list[list[bytes]] | None = None
        self._unit_place: Callable[[], int] = int
        self.commands = 0
        self.tail = Tail()
        self.cut_bytes = 0
        self.total_bytes = sum(os.path.getsize(folder.file(entry.name)) for entry in folder.manifest.files())
        self.loaded_bytes = 0
        self.base_bytes = 0

    def steps(self) -> Iterator[None]:
        """Load; yields every 64 KB of input or less, so that the caller can do other things.

        The engine must be in its loading state.  Raises AofError, with file and offset.
        """
        entries = self._folder.manifest.files()
        for entry in entries:
            yield from self._load_file(entry, entry is entries[-1])
        self._session.reset()

    def _load_file(self, entry: Entry, is_last: bool) -> Iterator[None]:
        path = self._folder.file(entry.name)
        loaded_before = self.loaded_bytes
        self._session.select(0)
        self._unit = None
        try:
            with open(path, "rb", buffering=0) as file:
                begin = 0
                if file.read(len(MAGIC)) == MAGIC:
                    begin = yield from self._load_rdb(path, entry, loaded_before)
                file.seek(begin)
                reader = AofReader(file, verify=self._engine.config.aof_checksum, begin=begin)
                for batch in reader.batches():
                    self._run(batch, reader)
                    self.loaded_bytes = loaded_before + reader.end
                    yield
        except DamagedFile as damage:
            raise AofError(f"{path} is damaged: {damage}{_remedy(damage)}") from None
        except OSError as error:
            raise AofError(f"cannot read {path} at offset {reader.end}: {error.strerror}") from None
        if entry.kind == "b":
            self.base_bytes = reader.end
        self._finish_file(path, reader, is_last)

    def _load_rdb(self, path: str, entry: Entry, loaded_before: int) -> Generator[None, None, int]:
        """Load a base in RDB form; returns where it ends (older versions of Redis appended commands to it)."""
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
        """Judge how the file ended, and cut a torn tail away."""
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
            raise AofError(f"{path} ends with {what} at offset {sound}, and aof-load-truncated is off")
        log.warning("%s ends with %s: cutting %d bytes off at offset %d", path, what, size - sound, sound)
        os.truncate(path, sound)
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
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

    def _run(self, commands: list[list[bytes]], reader: AofReader) -> None:
        engine = self._engine
        engine.keyspace.now_ns = engine.clock()
        session = self._session
        handlers = self._handlers
        self.commands += len(commands)
        for index, argv in enumerate(commands):
            handler = handlers.get(argv[0])
            if handler is None or self._unit is not None:
                self._run_special(argv, index, reader)
                continue
            function, least, most = handler
            if not least <= len(argv) <= most:
                raise DamagedFile(reader.offset_of(index), _odd(argv, "wrong number of arguments for"))
            try:
                function(session, argv)
            except CommandError as error:
                self._warn(argv, error)
        engine.pending.clear()
        engine.replaced = False

    def _run_special(self, argv: list[bytes], index: int, reader: AofReader) -> None:
        """What is not simply run: unusual spellings, SELECT, and all that belongs to a transaction."""
        try:
            row = self._engine.admission.resolve(argv)
        except CommandError as error:
            # The text of the error says what the command is to blame for.
            problem = "wrong number of arguments for" if "number of arguments" in str(error) else "unknown"
            raise DamagedFile(reader.offset_of(index), _odd(argv, problem)) from None
        if row.name == "multi" and self._unit is None:
            self._unit_place = reader.place_of(index)
            self._unit = []
        elif row.name == "exec" and self._unit is not None:
            unit, self._unit = self._unit, None
            for queued in unit:
                self._call(queued)
        elif row.name in _SPECIAL and row.name != "select":
            raise DamagedFile(reader.offset_of(index), _odd(argv, "misplaced"))
        elif self._unit is not None:
            self._unit.append(argv)
        else:
            self._call(argv)

    def _call(self, argv: list[bytes]) -> None:
        row = self._engine.admission.resolve(argv)
        assert row.function is not None  # resolve() gives nothing else
        try:
            row.function(self._session, argv)
        except CommandError as error:
            self._warn(argv, error)

    def _warn(self, argv: list[bytes], error: CommandError) -> None:
        self._warnings += 1
        if self._warnings <= _MOST_WARNINGS:
            log.warning("while loading, %s was answered with: %s", argv[0][:64].decode("latin-1"), error)


def _handlers(engine: Engine) -> dict[bytes, tuple[Any, int, int]]:
    """Handler and arity by name, for commands that are run without a further look."""
    found = {}
    for name, row in engine.commands.items():
        if row.function is not None and not row.subcommands and row.name not in _SPECIAL:
            found[name] = found[name.upper()] = (row.function, row.least, row.most)
    return found


def _remedy(damage: DamagedFile) -> str:
    if "checksum" not in damage.reason:
        return ""
    return " (if it was edited by hand: start with --aof-checksum no, then BGREWRITEAOF)"


def _odd(argv: list[bytes], problem: str) -> str:
    return f"{problem} command {argv[0][:64].decode('latin-1')!r}"


def _measure(path: str, size: int) -> Tail:
    """The checksum that is due at the end of a file that was cut back to ``size``."""
    with open(path, "rb", buffering=0) as file:
        reader = AofReader(file, verify=False)
        for _ in reader.batches():
            pass
    return Tail(size, reader.crc, reader.uncovered)
