"""Loading folders into engines and writing them, without a server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.engine.propagation import Propagation
from kedis.persistence.append_file import AppendFile
from kedis.persistence.folder import Folder
from kedis.persistence.loader import Loader
from kedis.persistence.manifest import Manifest
from tests.commands.driver import to_bytes

#: Where folders are made by the thousand: in memory if the system has such a place.
FAST = "/dev/shm" if os.path.isdir("/dev/shm") else None
PREFIX = "appendonly.aof"
BASE = "appendonly.aof.1.base.aof"
INCR = "appendonly.aof.1.incr.aof"
MANIFEST = "appendonly.aof.manifest"
LISTING = f"file {BASE} seq 1 type b\nfile {INCR} seq 1 type i\n".encode()


def load(directory: Path, engine: Engine | None = None, **settings: str) -> tuple[Engine, Loader]:
    """An engine (a new one, or an emptied one) with what the folder holds.  Raises AofError."""
    if engine is None:
        chosen = {name.replace("_", "-"): value for name, value in settings.items()}
        engine = Engine(Config({"appendonly": "no", **chosen}))
    for database in engine.keyspace.databases:
        if database.data:
            database.clear()
    folder = Folder(str(directory), "appendonlydir", PREFIX)
    folder.open()
    try:
        engine.set_loading(True)
        loader = Loader(engine, folder)
        for _ in loader.steps():
            pass
        engine.set_loading(False)
        return engine, loader
    finally:
        folder.close()


def strings(engine: Engine, database: int = 0) -> dict[bytes, Any]:
    """The keys and values of a database."""
    return dict(engine.keyspace.databases[database].data)


def recorded(path: Path, flushes: list[list[tuple[Any, ...]]], *, checksums: bool = True) -> bytes:
    """A file as the server writes it: each element of ``flushes`` is what one turn
    recorded, with a checksum where there are any."""
    file = AppendFile(str(path), checksums=checksums)
    journal = Propagation()
    for commands in flushes:
        for words in commands:
            journal.append(0, [to_bytes(word) for word in words])
        file.write(journal.take())
        file.seal()
    file.close()
    return path.read_bytes()


def listing(directory: Path) -> Manifest:
    """The manifest of a folder."""
    folder = Folder(str(directory), "appendonlydir", PREFIX)
    folder.open()
    folder.close()
    return folder.manifest
