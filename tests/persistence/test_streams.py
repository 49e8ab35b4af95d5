"""Streams on disk: what is acknowledged is there after a restart, and folders and files pass to Redis and back."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.rdb.payload import dump, restore
from kedis.rdb.source import RdbError
from kedis.structures.stream import Stream
from kedis.structures.stream_block import node_limits
from kedis.structures.stream_id import ID_MAX
from tests.commands.driver import Client
from tests.oracle import Oracle
from tests.persistence.server import Kedis, Wire
from tests.persistence.test_with_redis import Redis, until_rewritten

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
KEYS = ["log", "events", "empty", "spent"]
NODES = ["--stream-node-max-entries", "5", "--enable-debug-command", "yes"]


def fill(wire: Wire, seed: int) -> None:
    """Streams with deleted entries and several groups, one without entries, one that was never used."""
    rng = Random(seed)
    for number in range(1, 120):
        fields = [
            word for name in rng.sample("abc", 2) for word in (name, rng.choice(["x" * 40, number, ""]))
        ]
        wire.call("XADD", "log", f"{number}-{rng.randrange(3)}", *fields)
        wire.call("XADD", "events", "MAXLEN", "~", 30, "*", "f", number)
    for group in ("g", "h"):
        wire.call("XGROUP", "CREATE", "log", group, rng.choice(["0", "17-0"]))
        for consumer in ("alice", "bob"):
            wire.call(
                "XREADGROUP", "GROUP", group, consumer, "COUNT", rng.randrange(2, 20), "STREAMS", "log", ">"
            )
        wire.call("XGROUP", "CREATECONSUMER", "log", group, "idle")
    wire.call("XGROUP", "CREATE", "events", "g", "$", "ENTRIESREAD", 119)
    for number in rng.sample(range(50, 119), 25):
        wire.call("XDEL", "log", f"{number}-0", f"{number}-1")
    wire.call("XACK", "log", "g", "1-0", "1-1", "1-2", "20-0")
    wire.call("XCLAIM", "log", "g", "bob", 0, "2-0", "2-1", "2-2", "RETRYCOUNT", 7)
    wire.call("XGROUP", "CREATE", "empty", "g", "$", "MKSTREAM")
    wire.call("XADD", "spent", "5-5", "f", "v")
    wire.call("XDEL", "spent", "5-5")
    wire.call("XSETID", "spent", "9-9", "ENTRIESADDED", 77, "MAXDELETEDID", "8-8")


def content(wire: Wire, moments: bool = True) -> dict[str, Any]:
    """All that XINFO tells, less seen-times; and nodes left out, which a journal may make otherwise."""
    found: dict[str, Any] = {}
    for key in KEYS:
        told = wire.call("XINFO", "STREAM", key, "FULL", "COUNT", 0)
        facts = dict(zip(told[::2], told[1::2], strict=True))
        del facts[b"radix-tree-keys"], facts[b"radix-tree-nodes"]
        for group in facts[b"groups"]:
            for consumer in group[-1]:
                consumer[3] = None
            if not moments:
                group[5:8] = [None] * 3
        found[key] = facts
    return found


@pytest.mark.parametrize("rewritten", [False, True])
def test_a_restart_keeps_everything(tmp_path: Path, rewritten: bool) -> None:
    kedis = Kedis(tmp_path, *NODES, "--appendfsync", "always")
    wire = kedis.connect()
    fill(wire, 1)
    if rewritten:
        wire.call("BGREWRITEAOF")
        until_rewritten(wire)
        wire.call("XADD", "log", "500-0", "after", "rewrite")
    before, digest = content(wire, moments=False), wire.call("DEBUG", "DIGEST")
    kedis.kill()
    kedis = Kedis(tmp_path, *NODES)
    wire = kedis.connect()
    assert content(wire, moments=False) == before
    assert wire.call("DEBUG", "DIGEST") == digest
    assert kedis.terminate() == 0


@needs_redis
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_kedis_loads_the_folder_of_redis(tmp_path: Path, preamble: str) -> None:
    redis = Redis(tmp_path, *NODES[:2], "--aof-use-rdb-preamble", preamble)
    fill(redis.wire, 2)
    redis.wire.call("BGREWRITEAOF")
    until_rewritten(redis.wire)
    redis.wire.call("XADD", "log", "MAXLEN", "~", 60, "LIMIT", 20, "500-0", "after", "rewrite")
    redis.wire.call("XTRIM", "log", "MINID", "~", 40, "LIMIT", 10)
    redis.wire.call("XREADGROUP", "GROUP", "h", "late", "COUNT", 3, "STREAMS", "log", ">")
    before = content(redis.wire, moments=False)
    digest = redis.wire.call("DEBUG", "DIGEST")
    redis.end()
    kedis = Kedis(tmp_path, *NODES)
    wire = kedis.connect()
    assert content(wire, moments=False) == before
    assert wire.call("DEBUG", "DIGEST") == digest
    assert kedis.terminate() == 0


@needs_redis
@pytest.mark.parametrize("rewritten", [False, True])
def test_redis_loads_the_folder_of_kedis(tmp_path: Path, rewritten: bool) -> None:
    kedis = Kedis(tmp_path, *NODES)
    wire = kedis.connect()
    fill(wire, 3)
    if rewritten:
        wire.call("BGREWRITEAOF")
        until_rewritten(wire)
    before, digest = content(wire, moments=False), wire.call("DEBUG", "DIGEST")
    assert kedis.terminate() == 0
    redis = Redis(tmp_path, *NODES[:2])
    assert content(redis.wire, moments=False) == before
    assert redis.wire.call("DEBUG", "DIGEST") == digest
    redis.end()


@needs_redis
def test_snapshots_pass_in_both_directions(tmp_path: Path) -> None:
    """Everything is in a snapshot: moments, what is pending and deleted, the borders of nodes."""
    redis = Redis(tmp_path, *NODES[:2], "--appendonly", "no")
    fill(redis.wire, 4)
    redis.wire.call("XDEL", "log", "3-0", "3-1", "3-2")
    before, shape = content(redis.wire), redis.wire.call("XINFO", "STREAM", "log")
    redis.wire.call("SAVE")
    redis.end()
    kedis = Kedis(tmp_path, *NODES, "--appendonly", "no")
    wire = kedis.connect()
    assert content(wire) == before
    assert wire.call("XINFO", "STREAM", "log") == shape
    wire.call("SAVE")
    assert kedis.terminate() == 0
    redis = Redis(tmp_path, *NODES[:2], "--appendonly", "no")
    assert content(redis.wire) == before
    assert redis.wire.call("XINFO", "STREAM", "log") == shape
    redis.end()


@needs_redis
def test_dump_is_byte_for_byte_that_of_redis(tmp_path: Path) -> None:
    oracle = Oracle("--rdbcompression", "no", "--stream-node-max-entries", "5")
    client = Client()
    client.call("CONFIG", "SET", "stream-node-max-entries", 5)
    try:
        for words in (
            *(["XADD", "s", f"{n}-{n % 3}", "f", n, "g", "x" * (n % 70)] for n in range(1, 40)),
            ["XADD", "s", "90-18446744073709551615", "own", -5],
            ["XDEL", "s", "2-2", "8-2", "39-0"],
            ["XTRIM", "s", "MAXLEN", 30],
            ["XGROUP", "CREATE", "s", "g", "12-0", "ENTRIESREAD", 3],
            ["XGROUP", "CREATE", "s", "a", "0"],
        ):
            assert client.call(*words) == oracle.call(*words)
        assert client.call("DUMP", "s") == oracle.call("DUMP", "s")
        assert oracle.call("RESTORE", "t", 0, client.call("DUMP", "s")) == b"OK"
        assert client.call("RESTORE", "t", 0, oracle.call("DUMP", "s")) == b"OK"
        assert client.call("XINFO", "STREAM", "t", "FULL") == oracle.call("XINFO", "STREAM", "t", "FULL")
    finally:
        oracle.close()


def test_damaged_payloads_are_refused_or_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte flipped and the checksum made anew: RdbError, or a stream that passes its self-check."""
    stream = Stream()
    for number in range(1, 12):
        fields = (b"f", b"g") if number % 4 else (b"own",)
        stream.append(
            number << 64 | number % 3, fields, tuple(b"%d" % number for _ in fields), node_limits(4)
        )
    stream.delete(3 << 64)
    group = stream.add_group(b"g", 5 << 64, 5)
    for name in (b"alice", b"bob"):
        group.deliver(len(name) << 64, group.add_consumer(name, 1000), 2000)
    payload = dump(stream)
    assert restore(payload) == stream
    monkeypatch.setattr("kedis.rdb.payload.crc64", lambda data, crc=0: int.from_bytes(payload[-8:], "little"))
    survived = 0
    for at in range(len(payload) - 10):
        for flip in (1, 2, 0x10, 0x40, 0x80, 0xFF):
            damaged = bytearray(payload)
            damaged[at] ^= flip
            try:
                found = restore(bytes(damaged))
            except RdbError:
                continue
            if isinstance(found, Stream):
                survived += 1
                found._check()
                found.copy()._check()
                list(found.read(0, ID_MAX, reverse=True))
                if found.last_id < ID_MAX:
                    found.append(found.last_id + 1, (b"f",), (b"v",), node_limits())
                found.trim(2, approximately=False)
                found._check()
    assert survived


def test_acknowledged_entries_and_acknowledgements_survive_a_kill(tmp_path: Path) -> None:
    """A consumer group at work when the server is killed: nothing acknowledged is lost, no entry belongs to nobody."""
    kedis = Kedis(tmp_path, "--appendfsync", "always")
    wire = kedis.connect()
    wire.call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    added: list[bytes] = []
    delivered: set[bytes] = set()
    acknowledged: set[bytes] = set()
    deadline = time.monotonic() + 30
    for number in range(400):
        added.append(wire.call("XADD", "s", "*", "n", number))
        if number % 3 == 0:
            reply = wire.call("XREADGROUP", "GROUP", "g", f"c{number % 4}", "COUNT", 2, "STREAMS", "s", ">")
            ids = [entry[0] for entry in reply[0][1]]
            delivered.update(ids)
            if number % 2:
                assert wire.call("XACK", "s", "g", *ids) == len(ids)
                acknowledged.update(ids)
        assert time.monotonic() < deadline + 300
    kedis.kill()
    kedis = Kedis(tmp_path)
    wire = kedis.connect()
    assert [entry[0] for entry in wire.call("XRANGE", "s", "-", "+")] == added
    pending = {entry[0] for entry in wire.call("XPENDING", "s", "g", "-", "+", 10_000)}
    assert pending == delivered - acknowledged
    rest = wire.call("XREADGROUP", "GROUP", "g", "last", "STREAMS", "s", ">")[0][1]
    assert {entry[0] for entry in rest} == set(added) - delivered
    assert kedis.terminate() == 0


def test_the_engine_is_sound_after_loading(tmp_path: Path) -> None:
    """A large stream and its groups through the base of commands, with the self-check of the account."""
    client = Client(Engine(Config({"appendonly": "no"})))
    for number in range(1, 400):
        client.call("XADD", "s", f"{number}-1", "f", number)
    client.call("XGROUP", "CREATE", "s", "g", 0)
    client.call("XREADGROUP", "GROUP", "g", "c", "COUNT", 300, "STREAMS", "s", ">")
    client.call("XTRIM", "s", "MAXLEN", 250)
    assert client.call("RESTORE", "copy", 0, client.call("DUMP", "s")) == b"OK"
    assert client.call("XPENDING", "copy", "g") == client.call("XPENDING", "s", "g")
    for database in client.engine.keyspace.databases:
        database.check()
