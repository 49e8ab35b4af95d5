"""Direct access to the engine of the standalone mode and its values, without commands or sockets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kedis.cli.client.standalone.home import APPEND_FOLDER, APPEND_PREFIX, Alone, StandaloneError
from kedis.cli.client.standalone.key_values import NEVER, Value
from kedis.commands import load_all
from kedis.config import Config
from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.engine.engine import Engine
from kedis.persistence.aof import Aof
from kedis.persistence.folder import AofError
from kedis.store.database import Database
from kedis.store.keyspace import Keyspace
from kedis.store.types import type_of

_ANOTHER = "another server is using"


def open_engine(alone: Alone) -> EmbeddedEngine:
    """The engine on the data of standing alone; every write is synced. Raises StandaloneError."""
    settings = {
        "appendonly": "yes",
        "appendfsync": "always",
        # The file of changes is the journal: it is kept until the user discards it.
        "auto-aof-rewrite-percentage": "0",
        "dir": str(alone.data),
        "databases": str(alone.databases),
    }
    try:
        return EmbeddedEngine(Config(settings))
    except AofError as error:
        raise _explained(error, alone.data) from None


def load_base(alone: Alone, progress: Callable[[int, int], None] = lambda done, total: None) -> Keyspace:
    """The data at the beginning; nothing is written. Raises StandaloneError. O(data)."""
    settings = {"appendonly": "no", "databases": str(alone.databases)}
    if alone.base is None:
        return Engine(Config(settings)).keyspace
    load_all()
    engine = Engine(Config({**settings, "dir": str(alone.base)}))
    aof = Aof(engine)
    try:
        loader = aof.open()
        engine.set_loading(True)
        for _ in loader.steps():
            progress(loader.loaded_bytes, loader.total_bytes)
    except AofError as error:
        raise _explained(error, alone.base) from None
    finally:
        engine.set_loading(False)
        aof.close()
    return engine.keyspace


def _explained(error: AofError, directory: Path) -> StandaloneError:
    text = str(error)
    if text.startswith(_ANOTHER):
        return StandaloneError(f"another program is using the standalone folder {directory}")
    manifest = directory / APPEND_FOLDER / f"{APPEND_PREFIX}.manifest"
    return StandaloneError(f"standalone data: {text}; see kedis-check-aof {manifest}")


def value_at(database: Database, key: bytes) -> Value | None:
    """The value of a key; None when it is missing or expired. O(size)."""
    if not has(database, key):
        return None
    held = database.data[key]
    expire_at_ms = database.expires.get(key, NEVER)
    row = type_of(held)
    return Value(row.name.decode(), row.plain(row.contents(held)), expire_at_ms)


def has(database: Database, key: bytes) -> bool:
    """Whether the key exists and has not expired."""
    return key in database.data and not _is_due(database, key)


def is_same(here: Database, there: Database, key: bytes) -> bool:
    """Whether a key holds the same in two databases. O(size), about 0.5 us for a small string."""
    mine, theirs = here.data.get(key), there.data.get(key)
    if here.expires and mine is not None and _is_due(here, key):
        mine = None
    if there.expires and theirs is not None and _is_due(there, key):
        theirs = None
    if mine is None or theirs is None:
        return mine is theirs
    if here.expires.get(key) != there.expires.get(key):
        return False
    row = type_of(mine)
    return row is type_of(theirs) and bool(row.contents(mine) == row.contents(theirs))


def _is_due(database: Database, key: bytes) -> bool:
    """Like Database.is_due, by the clock and not by the moment of the last command."""
    at_ms = database.expires.get(key)
    return at_ms is not None and at_ms * 1_000_000 <= database.keyspace.now_ns
