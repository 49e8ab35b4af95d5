"""A reader that need not wait for a sync shows what would be there after a power cut."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.engine.flags import Flag
from kedis.engine.table import Command, every_command, names_with
from kedis.persistence.unsynced import Unsynced
from kedis.resp.requests import RequestParser
from tests.commands.driver import Client, Clock, ErrorReply
from tests.differential.grammar import GRAMMAR, command

#: What differs between two servers with the same data: chance, order of sets and hashes on their way through a cursor.
_VARYING = {"srandmember", "hrandfield", "zrandmember", "sscan", "hscan", "zscan", "dump"}
READERS = [row for row in every_command() if row.shows_named_keys and row.name not in _VARYING]
WRITERS = [
    row.name
    for row in every_command()
    if row.writes and row.name in GRAMMAR and not row.flags & Flag.BLOCKING and "|" not in row.name
]


class Disk:
    """A server under appendfsync always, and beside it the one that a power cut would leave."""

    def __init__(self, config: Config | None = None) -> None:
        clock = Clock()
        self.now = Client(Engine(config, clock=clock))
        self.durable = Client(Engine(clock=clock))
        self._replay = Client(self.durable.engine, trusted=True)
        self.clock = clock
        self.unsynced = self.now.engine.propagation.listener = Unsynced(
            names_with(self.now.engine.table.rows, Flag.WHOLE_DATABASES)
        )
        self._written = b""
        self.now.engine.propagation.add_sink(self)

    def feed(self, pieces: Sequence[bytes]) -> None:
        self._written += b"".join(pieces)

    def lost(self) -> None: ...

    def begin_sync(self) -> None:
        self.now.engine.propagation.flush()
        self.unsynced.begin_sync()

    def end_sync(self) -> None:
        engine = self.durable.engine
        engine.keyspace.set_loading(True)  # nothing expires meanwhile
        for argv in RequestParser().feed(self._written):
            self._replay.call(*argv)
        engine.keyspace.set_loading(False)
        self._written = b""
        self.unsynced.end_sync()


def plain(reply: Any) -> Any:
    return sorted(map(repr, reply)) if isinstance(reply, list) else reply


@pytest.mark.parametrize("seed", range(40))
def test_who_need_not_wait_shows_only_what_is_durable(seed: int) -> None:
    random = Random(seed)
    disk = Disk()
    syncing = False
    free = waiting = 0
    for _ in range(600):
        kind = random.random()
        if kind < 0.45:
            disk.now.replies(*command(random, random.choice(WRITERS)))
        elif kind < 0.5:
            disk.clock.now_ns += random.randrange(2_000_000_000)
        elif kind < 0.52:
            database = random.randrange(2)
            disk.now.call("SELECT", database)
            disk.durable.call("SELECT", database)
        elif kind < 0.6:
            disk.end_sync() if syncing else disk.begin_sync()
            syncing = not syncing
        else:
            argv = command(random, random.choice([row.name for row in READERS if row.name in GRAMMAR]))
            shown = disk.now.replies(*argv)
            if disk.unsynced.touches(argv):
                waiting += 1
            else:
                free += 1
                assert plain(shown[0]) == plain(disk.durable.replies(*argv)[0]), argv
    assert free > 20 and waiting > 20


def test_who_reads_more_than_the_keys_it_names_always_waits() -> None:
    free = {row.name for row in READERS} | _VARYING
    assert {"get", "mget", "hgetall", "lrange", "zrange", "ttl", "exists", "bitcount", "geosearch"} <= free
    for name in (
        "keys",
        "scan",
        "dbsize",
        "randomkey",
        "sort_ro",
        "zunion",
        "exec",
        "set",
        "multi",
        "ping",
        "info",
    ):
        assert name not in free
    assert not any(row.writes for row in READERS)


def test_databases_changed_as_a_whole() -> None:
    for words in (["FLUSHALL"], ["flushdb", "ASYNC"], ["SWAPDB", 0, 1]):
        disk = Disk()
        disk.now.call("SET", "a", 1)
        disk.begin_sync()
        disk.end_sync()
        assert not disk.unsynced.touches([b"GET", b"a"])
        disk.now.call(*words)
        assert disk.unsynced.touches([b"GET", b"a"])
        disk.begin_sync()
        assert disk.unsynced.touches([b"GET", b"a"])
        disk.end_sync()
        assert not disk.unsynced.touches([b"GET", b"a"])


def test_what_changes_during_a_sync_waits_for_the_next() -> None:
    disk = Disk()
    disk.now.call("SET", "a", 1)
    disk.begin_sync()
    disk.now.call("APPEND", "b", 1)
    disk.now.call("EXPIRE", "c", 1)  # changes nothing
    disk.end_sync()
    assert [disk.unsynced.touches([b"GET", key]) for key in (b"a", b"b", b"c")] == [False, True, False]


def test_a_key_that_expires_when_it_is_read() -> None:
    disk = Disk()
    disk.now.call("SET", "a", 1, "PX", 5)
    disk.begin_sync()
    disk.end_sync()
    disk.clock.now_ns += 10_000_000
    assert disk.now.call("GET", "a") is None
    assert disk.unsynced.touches([b"GET", b"a"])


def test_renamed_commands_that_change_whole_databases() -> None:
    config = Config()
    config.renamed_commands = [("FLUSHALL", "wipe"), ("SWAPDB", "exchange")]
    disk = Disk(config)
    disk.now.call("SET", "a", 1)
    for words in (["WIPE"], ["exchange", 0, 1]):
        disk.begin_sync()
        disk.unsynced.end_sync()
        assert not disk.unsynced.touches([b"GET", b"a"])
        disk.now.call(*words)
        assert disk.unsynced.touches([b"GET", b"a"])


def test_words_of_handlers_that_are_no_bytes() -> None:
    unsynced = Unsynced(())
    unsynced.note((b"SET", b"k", bytearray(b"v")))
    assert unsynced.touches([b"GET", b"k"]) and not unsynced.touches([b"GET", b"v"])


def test_rows_without_a_function_show_nothing() -> None:
    rows: list[Command] = [row for row in READERS if row.function is None]
    assert rows == []
    assert not isinstance(Client().call("GET", "k"), ErrorReply)
