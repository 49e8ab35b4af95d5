"""The folder of the standalone mode, one for each server:

    HOME/127.0.0.1:6379/
        snapshots/20261123T101502.123/   a copy of the server's data: snapshot.json and an append-only file
        alone/alone.json                 since when, from which server, begun from which snapshot
        alone/data/appendonlydir/        the data, and after its base the journal of all writes
        alone/base/appendonlydir/        the data at the beginning; missing when there were none
        alone/settled.jsonl              the resolved differences (module `settled`)

Folders are filled under a temporary name, synced and renamed, so that a folder with its final name is complete. The
base shares its file with the snapshot and the data by a hard link, as files of a base are never changed.
One process at a time may use `alone`; the lock is on the server's folder and ends with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kedis.cli.client.link import LinkLost
from kedis.persistence.folder import Folder
from kedis.process.system import sync_directory

APPEND_FOLDER = "appendonlydir"
APPEND_PREFIX = "appendonly.aof"
DEFAULT_DATABASES = 16
_TEMPORARY = "temp-"
_FORMAT = 1
_SNAPSHOTS_KEPT = 3


class StandaloneError(LinkLost):
    """The standalone mode cannot begin or go on; str() is one clear line."""


def default_home(environment: Mapping[str, str]) -> Path:
    """The default folder: in $XDG_DATA_HOME, or ~/.local/share."""
    data = environment.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return Path(data) / "kedis" / "standalone"


def server_folder(home: str | os.PathLike[str], server: str) -> Path:
    """The folder of one server (its address as the prompt shows it)."""
    return Path(home) / urllib.parse.quote(server, safe=":[]")


@dataclass(frozen=True)
class Snapshot:
    """A copy of a server's data: of which server, begun when, and how many keys."""

    path: Path
    server: str
    taken_at_ms: int
    keys: int
    databases: int
    left_out: int


@dataclass(frozen=True)
class Alone:
    """The description of standing alone: since when, from which server, from which snapshot if any."""

    folder: Path
    server: str
    since_ms: int
    databases: int
    snapshot_taken_at_ms: int | None = None

    @property
    def data(self) -> Path:
        """Directory of the data and their journal."""
        return self.folder / "data"

    @property
    def base(self) -> Path | None:
        """Directory of the data at the beginning; None when there were none."""
        return None if self.snapshot_taken_at_ms is None else self.folder / "base"

    @property
    def journal_bytes(self) -> int:
        """Size of the journal of writes."""
        files = (self.data / APPEND_FOLDER).glob("*.incr.aof")
        return sum(file.stat().st_size for file in files)


class Home:
    """The folder of one server."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._fd = -1

    # -- the lock

    def lock(self) -> None:
        """Lock the folder against other clients. Raises StandaloneError."""
        if self._fd >= 0:
            return
        try:
            make_folder(self.folder)
            self._fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.unlock()
            raise StandaloneError(f"another kedis-cli is using the standalone folder {self.folder}") from None
        except OSError as error:
            self.unlock()
            raise StandaloneError(
                f"cannot use the standalone folder {self.folder}: {error.strerror}"
            ) from None

    def unlock(self) -> None:
        """Release the lock. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # -- standing alone

    @property
    def alone_folder(self) -> Path:
        """The folder of the data of standing alone, until they are discarded."""
        return self.folder / "alone"

    def alone(self) -> Alone | None:
        """The description, if standing alone was begun and not discarded. Raises StandaloneError if damaged."""
        if not self.alone_folder.exists():
            return None
        told = _read_json(self.alone_folder / "alone.json")
        try:
            return Alone(self.alone_folder, **{name: told[name] for name in _ALONE_FIELDS})
        except (KeyError, TypeError):
            raise _damaged(self.alone_folder / "alone.json", "something is missing in it") from None

    def begin(self, server: str, snapshot: Snapshot | None, now_ms: int) -> Alone:
        """Begin to stand alone, with nothing or with a snapshot. Locked; raises StandaloneError."""
        taken_at = None if snapshot is None else snapshot.taken_at_ms
        databases = DEFAULT_DATABASES if snapshot is None else snapshot.databases
        alone = Alone(self.alone_folder, server, now_ms, databases, taken_at)
        try:
            with filled(self.alone_folder) as folder:
                make_folder(folder / "data")
                if snapshot is not None:
                    for name in ("data", "base"):
                        _link_tree(snapshot.path / "data", folder / name)
                _write_json(folder / "alone.json", {name: getattr(alone, name) for name in _ALONE_FIELDS})
        except OSError as error:
            raise StandaloneError(f"cannot write to {self.folder}: {error.strerror}") from None
        return alone

    def discard(self) -> None:
        """Delete the data of standing alone, their journal and the resolutions. Locked; raises StandaloneError."""
        try:
            if self.alone_folder.exists():
                doomed = self.folder / f"{_TEMPORARY}discarded-{os.getpid()}"
                shutil.rmtree(doomed, ignore_errors=True)
                os.rename(self.alone_folder, doomed)
                sync_directory(str(self.folder))
                shutil.rmtree(doomed)
        except OSError as error:
            raise StandaloneError(f"cannot discard {self.alone_folder}: {error.strerror}") from None

    # -- snapshots

    @property
    def snapshots_folder(self) -> Path:
        """Where snapshots are kept."""
        return self.folder / "snapshots"

    def newest_snapshot(self) -> Snapshot | None:
        """The newest snapshot. Raises StandaloneError when its description is damaged."""
        names = self._snapshot_names()
        if not names:
            return None
        path = self.snapshots_folder / names[-1]
        told = _read_json(path / "snapshot.json")
        try:
            return Snapshot(path, **{name: told[name] for name in _SNAPSHOT_FIELDS})
        except (KeyError, TypeError):
            raise _damaged(path / "snapshot.json", "something is missing in it") from None

    def describe(self, snapshot: Snapshot, folder: Path) -> None:
        """Write the description of a snapshot into its folder. Raises OSError."""
        told = asdict(snapshot)
        _write_json(folder / "snapshot.json", {name: told[name] for name in _SNAPSHOT_FIELDS})

    def drop_old_snapshots(self) -> None:
        """Keep the newest three. Raises OSError."""
        for name in self._snapshot_names()[:-_SNAPSHOTS_KEPT]:
            shutil.rmtree(self.snapshots_folder / name, ignore_errors=True)

    def _snapshot_names(self) -> list[str]:
        try:
            names = os.listdir(self.snapshots_folder)
        except OSError:
            return []
        return sorted(name for name in names if not name.startswith(_TEMPORARY))


_ALONE_FIELDS = ("server", "since_ms", "databases", "snapshot_taken_at_ms")
_SNAPSHOT_FIELDS = ("server", "taken_at_ms", "keys", "databases", "left_out")


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can access, and its parents. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to `folder` when the block succeeds. Raises OSError."""
    temporary = folder.parent / f"{_TEMPORARY}{folder.name}-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    make_folder(temporary)
    try:
        yield temporary
        sync_directory(str(temporary))
        os.rename(temporary, folder)
        sync_directory(str(folder.parent))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def new_append_folder(directory: Path) -> tuple[Folder, Path]:
    """An empty append-only folder whose manifest lists a base, and the path at which to write that.

    Write the base, then `persist` the manifest and `close` the folder. Raises OSError, AofError.
    """
    make_folder(directory)
    folder = Folder(str(directory), APPEND_FOLDER, APPEND_PREFIX)
    folder.open()
    entry = folder.manifest.add_base(APPEND_PREFIX)
    return folder, Path(folder.file(entry.name))


def _link_tree(source: Path, target: Path) -> None:
    """Make `target` a second home of the append-only folder in `source`, sharing its files where that can be."""
    origin, copy = source / APPEND_FOLDER, target / APPEND_FOLDER
    make_folder(copy)
    for name in sorted(os.listdir(origin)):
        try:
            if not name.endswith(".base.aof"):
                raise OSError  # a manifest is replaced, but must not look as if it were shared
            os.link(origin / name, copy / name)
        except OSError:
            shutil.copyfile(origin / name, copy / name)
            _sync_file(copy / name)
    sync_directory(str(copy))


def _sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_json(path: Path, content: dict[str, object]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"format": _FORMAT, **content}, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def _read_json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise _damaged(path, f"no JSON at offset {error.pos}") from None
    except UnicodeDecodeError as error:
        raise _damaged(path, f"no text at offset {error.start}") from None
    except OSError as error:
        raise StandaloneError(f"cannot read {path}: {error.strerror}") from None
    if not isinstance(told, dict) or told.get("format") != _FORMAT:
        raise _damaged(path, "it is of another format")
    return told


def _damaged(path: Path, reason: str) -> StandaloneError:
    return StandaloneError(f"{path} is damaged ({reason}); move {path.parent} away to begin anew")
