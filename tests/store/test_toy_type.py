"""A new type takes one structure and one row, and what rdb and persistence register: a toy type shows it.

The toy is a log: entries are added at its end, and clients wait for more of them.  So they must be woken by every
change of a log that is there, not only when a key appears.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kedis.config import Config
from kedis.engine import table
from kedis.engine.engine import Engine
from kedis.engine.flags import BLOCKING, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.persistence.aof_base import in_commands, write_base
from kedis.rdb import value_forms as rdb
from kedis.rdb.payload import dump, restore
from kedis.rdb.source import Source
from kedis.store.mixing import mix, number
from kedis.store.types import (
    TYPES,
    MissingFunction,
    ValueType,
    add_type,
    check_registered,
    remove_type,
)
from kedis.structures.footprint import bytes_footprints
from tests.account import check
from tests.commands.driver import Client, Clock, ErrorReply, Recorder
from tests.persistence.folders import BASE, INCR, LISTING, MANIFEST, load
from tests.persistence.server import write_folder

#: The number of the toy's RDB form; Redis has none that high.
CODE = 63


class Log:
    """Entries in the order in which they came."""

    __slots__ = ("accounted_bytes", "entries", "footprint")

    def __init__(self, entries: Sequence[bytes] = ()) -> None:
        self.entries: list[bytes] = []
        self.accounted_bytes = 0
        self.footprint = 120
        self.add(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, entries: Sequence[bytes]) -> None:
        self.entries += entries
        self.footprint += bytes_footprints(entries) + 8 * len(entries)

    def copy(self) -> Log:
        return Log(self.entries)

    def free_in_steps(self, piece: int) -> Iterator[None]:
        while self.entries:
            del self.entries[-piece:]
            yield

    def _check(self) -> None:
        assert self.footprint == 120 + bytes_footprints(self.entries) + 8 * len(self.entries)


def log_row() -> ValueType:
    return ValueType(
        b"log",
        Log,
        encoding=lambda value: b"plain",
        digest=lambda digest, value: mix(digest, number(99), *value.entries),
        serialized_length=lambda value: sum(map(len, value.entries)),
        contents=lambda value: value.entries,
        plain=list,
        copy=Log.copy,
        free_in_steps=Log.free_in_steps,
    )


def declare_commands() -> None:
    """TOY.ADD key entry…, TOY.ALL key, and TOY.WAIT key count: waits for more entries than ``count``."""

    @command(
        "TOY.ADD", arity=-3, flags=WRITE, group="toy", since="9", summary="Adds.", keys=[span("RW insert", 1)]
    )
    def add(client: Any, argv: Sequence[bytes]) -> int:
        log = client.db.lookup_or_create(argv[1], Log)
        log.add(argv[2:])
        client.db.modified(argv[1], log, "toy.add", len(argv) - 2)
        client.db.signal_key_ready(argv[1], log)
        return len(log)

    @command(
        "TOY.ALL",
        arity=2,
        flags=READONLY,
        group="toy",
        since="9",
        summary="All.",
        keys=[span("RO access", 1)],
    )
    def all_(client: Any, argv: Sequence[bytes]) -> list[bytes]:
        log = client.db.lookup_read_typed(argv[1], Log)
        return [] if log is None else list(log.entries)

    @command(
        "TOY.WAIT",
        arity=3,
        flags=READONLY | BLOCKING,
        group="toy",
        since="9",
        summary="Waits.",
        keys=[span("RO access", 1)],
    )
    def wait(client: Any, argv: Sequence[bytes]) -> Any:
        known = int(argv[2])

        def attempt(client: Any, key: bytes) -> Any:
            log = client.db.lookup_read_typed(key, Log)
            return [] if log is None else log.entries[known:]

        return attempt(client, argv[1]) or client.engine.blocking.wait(
            client, argv, Log, [argv[1]], 0, attempt
        )


@pytest.fixture
def row() -> Iterator[ValueType]:
    """The row of the toy type, which is known, and its commands, until the end of the test."""
    row = log_row()
    add_type(row)
    declare_commands()
    try:
        yield row
    finally:
        for name in (b"toy.add", b"toy.all", b"toy.wait"):
            del table.COMMANDS[name]
        remove_type(row)


@pytest.fixture
def registered(row: ValueType) -> Iterator[None]:
    """What rdb and persistence register for the type."""
    form = rdb.Form(
        CODE, lambda value: value.entries, {CODE: lambda source: Log(source.strings(source.length()))}
    )
    rdb.register(Log, form)
    row.flat = {}
    row.aof_commands = lambda key, value: in_commands(b"TOY.ADD", key, value.entries)
    try:
        yield
    finally:
        rdb.unregister(form)


@pytest.fixture
def client(registered: None) -> Iterator[Client]:
    engine = Engine(Config({"enable-debug-command": "yes"}), clock=Clock())
    Recorder(engine)
    engine.keyspace.lazy_free.enabled = True
    client = Client(engine)
    client.call("TOY.ADD", "log", "a", "b", "c")
    yield client
    empty(client)


def empty(client: Client) -> None:
    """Check the engine's account while the type is known, and leave no value of it."""
    check(client.engine)
    client.call("FLUSHALL")


def test_type_and_encoding(client: Client) -> None:
    assert client.call("TYPE", "log") == b"log"
    assert client.call("OBJECT", "ENCODING", "log") == b"plain"
    assert client.call("OBJECT", "REFCOUNT", "log") == 1
    assert b"encoding:plain" in client.call("DEBUG", "OBJECT", "log")
    assert client.call("SCAN", 0, "TYPE", "log") == [b"0", [b"log"]]


def test_other_commands_refuse_it_and_it_refuses_others(client: Client) -> None:
    client.call("RPUSH", "list", "x")
    for words in (("GET", "log"), ("LPUSH", "log", "x"), ("HGET", "log", "f"), ("TOY.ADD", "list", "x")):
        assert str(client.call(*words)).startswith("WRONGTYPE")


def test_copy_is_independent(client: Client) -> None:
    assert client.call("COPY", "log", "twin") == 1
    client.call("TOY.ADD", "twin", "d")
    assert client.call("TOY.ALL", "log") == [b"a", b"b", b"c"]
    assert client.call("TOY.ALL", "twin") == [b"a", b"b", b"c", b"d"]


def test_rename_move_and_overwriting(client: Client) -> None:
    assert client.call("RENAME", "log", "other") == b"OK"
    assert client.call("MOVE", "other", 1) == 1
    client.call("SELECT", 1)
    assert client.call("TOY.ALL", "other") == [b"a", b"b", b"c"]
    client.call("SET", "other", "a string")
    assert client.call("TYPE", "other") == b"string"


def test_dump_and_restore(client: Client) -> None:
    payload = client.call("DUMP", "log")
    assert client.call("RESTORE", "again", 0, payload) == b"OK"
    assert client.call("TOY.ALL", "again") == [b"a", b"b", b"c"]
    assert client.call("DUMP", "again") == payload


def test_digests(client: Client) -> None:
    client.call("TOY.ADD", "same", "a", "b", "c")
    client.call("TOY.ADD", "different", "a", "c", "b")
    one, same, different = client.call("DEBUG", "DIGEST-VALUE", "log", "same", "different")
    assert one == same != different
    whole = client.call("DEBUG", "DIGEST")
    client.call("TOY.ADD", "log", "d")
    assert client.call("DEBUG", "DIGEST") != whole


def test_memory_usage(client: Client) -> None:
    before = client.call("MEMORY", "USAGE", "log")
    client.call("TOY.ADD", "log", "x" * 1000)
    assert client.call("MEMORY", "USAGE", "log") == before + 1000 + 48 - (1000 + 48) % 16 + 8


@pytest.mark.parametrize("words", [("UNLINK", "log"), ("FLUSHALL", "ASYNC"), ("PEXPIRE", "log", "-1")])
def test_a_large_one_is_freed_in_steps(client: Client, words: tuple[str, ...]) -> None:
    keyspace = client.engine.keyspace
    client.call("TOY.ADD", "log", *[b"%d" % each for each in range(5000)])
    full = keyspace.used
    client.call(*words)
    client.call("GET", "log")
    if words[0] == "UNLINK":
        assert keyspace.lazy_free.pending == 1 and keyspace.used > full // 2
    steps = 0
    while keyspace.lazy_free.free(lambda: 0, 1):
        steps += 1
    assert keyspace.used == 0


def test_an_aof_is_rewritten_and_loaded(client: Client, tmp_path: Path) -> None:
    client.call("TOY.ADD", "large", *[b"%d" % each for each in range(200)])
    client.call("PEXPIREAT", "large", 10**14)
    write_folder(tmp_path, {INCR: b"", MANIFEST: LISTING})
    keyspace = client.engine.keyspace
    path = str(tmp_path / "appendonlydir" / BASE)
    write_base(keyspace, path, checksums=True, timestamps=False, sync_in_steps=False)
    engine, _ = load(tmp_path)
    engine.keyspace.check()
    loaded = Client(engine)
    for key in ("log", "large"):
        assert loaded.call("TOY.ALL", key) == client.call("TOY.ALL", key)
    assert dict(engine.keyspace.databases[0].expires) == dict(keyspace.databases[0].expires)
    empty(loaded)


def test_those_who_wait_are_woken_by_every_change(client: Client) -> None:
    waiting = [client.another() for _ in range(2)]
    for each in waiting:
        assert each.replies("TOY.WAIT", "log", 3) == []
    client.call("TOY.ADD", "log", "d")
    assert [each.pushed() for each in waiting] == [[[b"d"]], [[b"d"]]]
    assert waiting[0].replies("TOY.WAIT", "new", 0) == []
    client.call("TOY.ADD", "new", "first")
    assert waiting[0].pushed() == [[b"first"]]


def test_those_who_wait_for_a_list_are_not_woken_by_changes_of_one(client: Client) -> None:
    """Nobody can wait for a list that is there: only a key that appears concerns the queues."""
    other = client.another()
    assert other.replies("BLPOP", "list", 0) == []
    ready = client.engine.events.waiting.ready
    client.call("TOY.ADD", "log", "d")
    assert not ready and other.pushed() == []
    client.call("RPUSH", "list", "x")
    assert other.pushed() == [[b"list", b"x"]]


def test_events_are_published(client: Client) -> None:
    """A change of the type breaks a WATCH like any other."""
    client.call("WATCH", "log")
    client.another().call("TOY.ADD", "log", "x")
    client.call("MULTI")
    client.call("PING")
    assert client.call("EXEC") is None


def test_what_is_not_registered_is_an_error(row: ValueType) -> None:
    for name in ("rdb", "flat", "aof_commands"):
        with pytest.raises(MissingFunction, match=f"{name} of the type log"):
            check_registered(name)
    with pytest.raises(MissingFunction):
        dump(Log([b"a"]))  # type: ignore[arg-type]


def test_every_type_has_all_that_is_registered() -> None:
    check_registered("rdb", "flat", "aof_commands")
    assert {row.name for row in TYPES} == {b"string", b"list", b"set", b"zset", b"hash", b"stream"}


def test_without_the_row_nothing_is_left() -> None:
    client = Client()
    assert isinstance(client.call("TOY.ADD", "log", "a"), ErrorReply)
    body = bytes([CODE]) + b"\x01\x01a"
    with pytest.raises(ValueError, match="unknown type"):
        rdb.decode_value(Source(body, 1), CODE)
    with pytest.raises(ValueError):
        restore(body)
