"""Offline check of an append-only file: finds the sound part, reports damage, and can cut it off.

First the format is checked, as ``redis-check-aof`` does it, plus Kedis's checksums. Then, of a whole folder, the
commands are run in memory, in the way a server loads them, which finds commands that do not fit the data before
them. A single file is not run, because the data before it are unknown. Only the last file is ever
shortened, and only where its format is at fault; damage in an earlier one is reported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap

from kedis.commands import load_all
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.persistence.folder import AofError, Folder
from kedis.persistence.loader import Loader
from kedis.persistence.manifest import ManifestError, parse_manifest
from kedis.persistence.reader import AofReader, DamagedFile
from kedis.rdb.snapshot import MAGIC, SnapshotReader
from kedis.rdb.source import RdbError
from kedis.rdb.unsupported_features import Unsupported

_EXTENSION = ".manifest"
#: Minimum and maximum number of databases for the run, whatever SELECT asks for.
_FEWEST_DATABASES, _MOST_DATABASES = 16, 4096


class CheckFailed(Exception):
    """The check has failed; the message is for the user."""


@dataclass
class FileReport:
    """The report on one file: its sizes, and its damage, if any.

    ``commands`` also counts keys, where the file begins with a snapshot; ``sound`` is the offset up to which the file
    is whole; ``later`` that of the first entry after the wanted time. ``unsupported`` names the content of a sound
    snapshot that this version cannot hold; ``databases`` is the number of databases up to the highest one used.
    """

    path: str
    size: int
    commands: int = 0
    sound: int = 0
    problem: str = ""
    later: int | None = None
    unsupported: str = ""
    databases: int = 1
    is_snapshot: bool = False


def check_file(path: str, *, until: int | None = None) -> FileReport:
    """Read one file.

    Args:
        until: find the first entry later than this time (seconds since 1970).

    Raises CheckFailed when it cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            report = FileReport(path, os.fstat(file.fileno()).st_size)
            begin = 0
            if file.read(len(MAGIC)) == MAGIC:
                report.is_snapshot = True
                with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                    begin = _read_snapshot(SnapshotReader(data), report)
                report.is_snapshot = False
            file.seek(begin)
            _read(AofReader(file, until=until, begin=begin), report)
            return report
    except RdbError as error:
        report.problem = str(error)
        return report
    except OSError as error:
        raise CheckFailed(f"cannot read {path}: {error.strerror}") from None


def _read_snapshot(reader: SnapshotReader, report: FileReport) -> int:
    """Read a snapshot; returns the offset of its end. Raises RdbError."""
    try:
        for record in reader.records():
            report.commands += 1
            report.databases = max(report.databases, record.database + 1)
    except Unsupported as error:
        report.unsupported = str(error)
    return reader.position


def _read(reader: AofReader, report: FileReport) -> None:
    unit: Callable[[], int] | None = None  # gives the offset of the transaction under way
    try:
        for commands in reader.batches():
            for index, argv in enumerate(commands):
                if len(argv) == 1 and len(argv[0]) < 6:
                    unit = _follow(argv[0].upper(), unit, reader, index)
                elif (
                    len(argv) == 2
                    and argv[0].upper() == b"SELECT"
                    and argv[1].isdigit()
                    and len(argv[1]) < 19
                ):
                    report.databases = max(report.databases, int(argv[1]) + 1)
            report.commands += len(commands)
    except DamagedFile as damage:
        report.problem = str(damage)
        report.sound = damage.offset if unit is None else unit()
        return
    report.sound = reader.end if unit is None else unit()
    report.later = None if reader.later is None else report.sound
    if reader.torn is not None:
        report.problem = f"it ends with a command that is not whole, at offset {reader.end}"
    elif unit is not None and reader.later is None:
        report.problem = f"it ends with a transaction without its EXEC, at offset {report.sound}"


def _follow(
    name: bytes, unit: Callable[[], int] | None, reader: AofReader, index: int
) -> Callable[[], int] | None:
    """Return the function that gives the offset of the transaction after the command ``name``; None outside of one."""
    if name == b"MULTI":
        if unit is not None:
            raise DamagedFile(reader.offset_of(index), "MULTI inside a transaction")
        return reader.place_of(index)
    if name == b"EXEC":
        if unit is None:
            raise DamagedFile(reader.offset_of(index), "EXEC without MULTI")
        return None
    return unit


def listed_files(path: str) -> list[str]:
    """The files to check: those of a manifest, or ``path`` itself.  Raises CheckFailed."""
    if not path.endswith(_EXTENSION):
        return [path]
    try:
        with open(path, "rb") as file:
            manifest = parse_manifest(file.read())
    except OSError as error:
        raise CheckFailed(f"cannot read {path}: {error.strerror}") from None
    except ManifestError as error:
        raise CheckFailed(f"bad manifest {path}: {error}") from None
    folder = os.path.dirname(path)
    return [os.path.join(folder, entry.name) for entry in manifest.files()]


def check(
    path: str,
    *,
    fix: bool = False,
    until: int | None = None,
    format_only: bool = False,
    ask: Callable[[str], bool] = lambda question: False,
) -> Iterator[str]:
    """Check a manifest with its files, or one file; yields lines of the report.

    Args:
        fix: cut the last file off where its sound part ends, if ``ask`` agrees.
        until: cut the last file off where entries of a later time begin.
        format_only: do not run the commands of a folder, for which all its data must fit in memory.

    Raises CheckFailed at the first file that is not sound.
    """
    paths = listed_files(path)
    unsupported = ""
    databases = _FEWEST_DATABASES
    for each in paths:
        report = check_file(each, until=until)
        databases = max(databases, report.databases)
        if report.unsupported and not unsupported:
            unsupported = f"{each} is not damaged: {report.unsupported}"
        is_last = each == paths[-1]
        yield f"{each}: {report.commands} commands, sound up to offset {report.sound} of {report.size}"
        if report.problem:
            if not fix:
                remedy = "" if report.is_snapshot else "; --fix can cut the last file off there"
                raise CheckFailed(f"{each} is not valid: {report.problem}{remedy}")
            yield f"{each}: {report.problem}"
            yield from _cut(report, is_last, ask)
        elif report.later is not None:
            if not is_last:
                raise CheckFailed(f"{each} has entries after {until}, but is not the last file")
            if report.later == 0:
                raise CheckFailed(f"{each} has nothing before {until}")
            _truncate(each, report.later)
            yield f"{each}: cut off at offset {report.later}, where entries after {until} begin"
    if unsupported:
        raise CheckFailed(unsupported)
    if path.endswith(_EXTENSION) and not format_only:
        yield _run(path, databases)
    yield f"{path} is valid"


def _run(path: str, databases: int) -> str:
    """Load the folder of the manifest ``path`` into memory; returns a line of the report. Raises CheckFailed."""
    parent, name = os.path.split(os.path.dirname(os.path.abspath(path)))
    folder = Folder(parent, name, os.path.basename(path).removesuffix(_EXTENSION))
    # Another process may still write to it: then the tail is torn, and must not be cut off here.
    settings = {"databases": str(min(databases, _MOST_DATABASES)), "aof-load-truncated": "no"}
    load_all()
    engine = Engine(Config(settings))
    engine.set_loading(True)
    try:
        with open(path, "rb") as file:
            folder.manifest = parse_manifest(file.read())
        loader = Loader(engine, folder)
        for _ in loader.steps():
            pass
    except AofError as error:
        raise CheckFailed(str(error)) from None
    except OSError as error:
        raise CheckFailed(f"cannot read {path}: {error.strerror}") from None
    return f"{path}: {loader.commands} commands run, which make {loader.keys} keys"


def _cut(report: FileReport, is_last: bool, ask: Callable[[str], bool]) -> Iterator[str]:
    if report.is_snapshot:
        raise CheckFailed(f"{report.path} cannot be cut off: it is a snapshot")
    if not is_last:
        raise CheckFailed(f"{report.path} cannot be cut off: it is not the last file")
    lost = report.size - report.sound
    if not ask(f"This cuts {lost} bytes off {report.path}, to {report.sound} bytes. Continue? [y/N]: "):
        raise CheckFailed("nothing was changed")
    _truncate(report.path, report.sound)
    yield f"{report.path}: cut off at offset {report.sound}"


def _truncate(path: str, size: int) -> None:
    try:
        with open(path, "r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())
    except OSError as error:
        raise CheckFailed(f"cannot cut {path} off: {error.strerror}") from None
