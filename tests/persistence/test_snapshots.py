"""SAVE, BGSAVE, save points, and snapshots that Redis and Kedis exchange."""

from __future__ import annotations

import gc
import os
import re
import shutil
import signal
import subprocess
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.errors import CommandError
from kedis.persistence.child import Child
from kedis.persistence.folder import make_folder
from kedis.persistence.rdb_file import DamagedSnapshot, SnapshotLoader, write_rdb
from kedis.persistence.saver import Saver
from kedis.rdb.crc64 import crc64
from tests.commands.driver import Client, Clock, ErrorReply
from tests.persistence.folders import MANIFEST
from tests.persistence.server import Kedis, Wire, write_folder
from tests.persistence.test_start import first_connection
from tests.persistence.test_with_redis import Redis, content, fill

OFF = ("--appendonly", "no")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def info(wire: Wire) -> dict[str, str]:
    lines = wire.call("INFO", "persistence").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


# -- with Redis -------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
@pytest.mark.parametrize("compression", ["yes", "no"])
def test_snapshots_are_exchanged_with_redis(tmp_path: Path, compression: str) -> None:
    redis = Redis(tmp_path, "--appendonly", "no", "--rdbcompression", compression)
    fill(redis.wire, 7)
    redis.wire.call("SET", "compressible", "abcd" * 5000)
    redis.wire.call("SET", "over soon", "x", "PX", 1)
    time.sleep(0.002)
    expected = content(redis.wire)
    redis.wire.call("SAVE")
    redis.end()
    kedis = Kedis(tmp_path, *OFF, "--rdbcompression", compression)
    wire = kedis.connect()
    assert content(wire) == expected
    assert info(wire)["rdb_last_load_keys_loaded"] == str(len(expected))
    wire.call("SET", "from", "kedis")
    expected = content(wire)
    assert wire.call("SAVE") == b"OK"
    assert kedis.terminate() == 0
    check = subprocess.run(["redis-check-rdb", str(tmp_path / "dump.rdb")], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    redis = Redis(tmp_path, "--appendonly", "no")
    assert content(redis.wire) == expected
    redis.end()


# -- a running server -------------------------------------------------------------------------------------


def test_saving_in_the_background(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path, *OFF)
    wire = kedis.connect()
    wire.call("SET", "a", 1)
    assert info(wire)["rdb_changes_since_last_save"] == "1"
    assert wire.call("BGSAVE", "x") == ErrorReply("ERR syntax error")
    assert wire.call("BGSAVE") == b"Background saving started"
    until(lambda: info(wire)["rdb_bgsave_in_progress"] == "0")
    figures = info(wire)
    assert figures["rdb_last_bgsave_status"] == "ok"
    assert figures["rdb_changes_since_last_save"] == "0"
    assert figures["rdb_saves"] == "1"
    assert int(figures["rdb_last_save_time"]) == wire.call("LASTSAVE")
    wire.call("SET", "b", 2)  # not saved
    kedis.kill()
    kedis = Kedis(tmp_path, *OFF)
    assert kedis.call("MGET", "a", "b") == [b"1", None]
    kedis.kill()


def test_save_points_save_and_so_does_an_orderly_end(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path, *OFF, "--save", "1 2")
    wire = kedis.connect()
    wire.pipeline([("SET", "a", 1), ("SET", "b", 2)])
    until(lambda: info(wire)["rdb_saves"] == "1")
    wire.call("SET", "c", 3)
    assert kedis.terminate() == 0
    kedis = Kedis(tmp_path, *OFF, "--save", "3600 1")
    assert kedis.call("MGET", "a", "b", "c") == [b"1", b"2", b"3"]
    wire = kedis.connect()
    wire.call("SET", "d", 4)
    wire.send("SHUTDOWN", "NOSAVE")
    assert kedis.process.wait(20) == 0
    kedis = Kedis(tmp_path, *OFF)
    wire = kedis.connect()
    assert wire.call("EXISTS", "d") == 0
    wire.call("SET", "e", 5)
    wire.send("SHUTDOWN", "SAVE")
    assert kedis.process.wait(20) == 0
    kedis = Kedis(tmp_path, *OFF)
    assert kedis.call("GET", "e") == b"5"
    kedis.kill()


def test_a_save_that_fails_keeps_the_server_and_refuses_writes(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path, *OFF, "--save", "3600 1", "--enable-protected-configs", "yes")
    wire = kedis.connect()
    wire.call("SET", "a", 1)
    # As root, too: where a folder has the name, no file can have it.
    blocked = tmp_path / "taken"
    (blocked / "x").mkdir(parents=True)
    wire.call("CONFIG", "SET", "dbfilename", "taken")
    assert wire.call("SAVE") == ErrorReply("ERR")
    assert wire.call("SHUTDOWN") == ErrorReply("ERR Errors trying to SHUTDOWN. Check logs.")
    assert wire.call("BGSAVE") == b"Background saving started"
    until(lambda: info(wire)["rdb_last_bgsave_status"] == "err")
    refusal = wire.call("SET", "a", 2)
    assert isinstance(refusal, ErrorReply)
    assert str(refusal).startswith("MISCONF Redis is configured to save RDB snapshots")
    assert wire.call("GET", "a") == b"1"
    assert wire.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no") == b"OK"
    assert wire.call("SET", "a", 2) == b"OK"
    assert wire.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes") == b"OK"
    assert isinstance(wire.call("SET", "a", 3), ErrorReply)
    assert wire.call("CONFIG", "SET", "dbfilename", "dump.rdb") == b"OK"
    assert wire.call("SAVE") == b"OK"
    assert wire.call("SET", "a", 3) == b"OK"
    os.kill(kedis.process.pid, signal.SIGTERM)
    assert kedis.process.wait(20) == 0
    assert not list(tmp_path.glob("temp-*"))


def test_saves_and_rewrites_take_turns(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path, "--rdb-key-save-delay", "0")
    wire = kedis.connect()
    for number in range(20):
        wire.pipeline([("SET", f"key:{number}:{part}", "x" * 200) for part in range(5000)])
    replies = wire.pipeline([("BGSAVE",), ("BGSAVE",), ("SAVE",), ("BGREWRITEAOF",)])
    assert replies == [
        b"Background saving started",
        ErrorReply("ERR Background save already in progress"),
        ErrorReply("ERR Background save already in progress"),
        b"Background append only file rewriting scheduled",
    ]
    until(lambda: info(wire)["aof_rewrite_in_progress"] == "1")
    replies = wire.pipeline([("BGSAVE",), ("BGSAVE", "SCHEDULE")])
    assert isinstance(replies[0], ErrorReply)
    assert "Another child process is active" in str(replies[0])
    assert replies[1] == b"Background saving scheduled"
    until(lambda: info(wire)["rdb_saves"] == "2")
    assert info(wire)["aof_last_bgrewrite_status"] == "ok"
    assert kedis.terminate() == 0


def test_killed_while_saving_the_file_before_is_whole(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path, *OFF)
    wire = kedis.connect()
    wire.call("SET", "a", 1)
    wire.call("SAVE")
    for _ in range(5):
        wire.pipeline([("RPUSH", "large", *("x" * 100 for _ in range(1000))) for _ in range(100)])
        wire.call("BGSAVE")
        kedis.kill()
        kedis = Kedis(tmp_path, *OFF)
        wire = kedis.connect()
        assert wire.call("GET", "a") == b"1"
    kedis.kill()


def test_a_snapshot_that_is_ignored_is_named(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path, *OFF)
    kedis.call("SET", "a", 1)
    kedis.call("SAVE")
    kedis.kill()
    kedis = Kedis(tmp_path)
    assert "dump.rdb is not loaded, because appendonly is on" in kedis.log()
    assert kedis.terminate() == 0
    shutil.rmtree(tmp_path / "appendonlydir")
    kedis = Kedis(tmp_path, *OFF)
    wire = kedis.connect()
    assert wire.call("CONFIG", "SET", "appendonly", "yes") == b"OK"
    until(lambda: info(wire)["aof_rewrite_in_progress"] == "0" and info(wire)["aof_enabled"] == "1")
    kedis.kill()
    kedis = Kedis(tmp_path)
    assert kedis.call("GET", "a") == b"1"
    kedis.kill()


@pytest.mark.parametrize("damage", ["empty", "no snapshot", "flipped", "cut", "later version"])
def test_a_damaged_snapshot_ends_the_start_in_one_line(tmp_path: Path, damage: str) -> None:
    engine = Engine(Config({"appendonly": "no"}))
    client = Client(engine)
    client.call("MSET", "a", "hello", "b", "x" * 100)
    path = tmp_path / "dump.rdb"
    write_rdb(engine, str(path))
    sound = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "no snapshot": b"hello, world",
            "flipped": sound.replace(b"hello", b"hellp"),
            "cut": sound[:-20],
            "later version": b"REDIS0013" + sound[9:],
        }[damage]
    )
    kedis = Kedis(tmp_path, *OFF, wait=False)
    assert kedis.process.wait(20) == 1
    last = kedis.log().splitlines()[-1]
    assert str(path) in last or "bye" in last
    assert "Traceback" not in kedis.log()
    expected = "dump.rdb is of a later server" if damage == "later version" else "dump.rdb is damaged"
    assert any(expected in line for line in kedis.log().splitlines())


# -- parts ------------------------------------------------------------------------------------------------


def saved(tmp_path: Path) -> tuple[Client, Path]:
    client = Client(Engine(Config({"appendonly": "no", "maxmemory-policy": "allkeys-lru"}), clock=Clock()))
    client.call("SET", "a", 1)
    client.call("RPUSH", "l", *range(1000))
    client.call("SELECT", 5)
    client.call("ZADD", "z", 1, "x", "inf", "y")
    client.call("PEXPIREAT", "z", 4_000_000_000_000)
    client.call("SET", "gone", 1, "PX", 50)
    path = tmp_path / "dump.rdb"
    write_rdb(client.engine, str(path))
    return client, path


def test_every_byte_flipped_is_noticed(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    sound = path.read_bytes()
    for at in range(0, len(sound), 5):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 0x20]) + sound[at + 1 :])
        engine = Engine(Config({"appendonly": "no"}), clock=Clock())
        engine.set_loading(True)
        with pytest.raises(DamagedSnapshot, match="offset"):
            for _ in SnapshotLoader(engine, str(path)).steps():
                pass


def test_uses_and_times_come_back_and_what_is_over_does_not(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    clock = Clock()
    clock.now_ns += 100_000_000
    later = Client(Engine(Config({"appendonly": "no", "maxmemory-policy": "allkeys-lru"}), clock=clock))
    later.engine.set_loading(True)
    loader = SnapshotLoader(later.engine, str(path))
    for _ in loader.steps():
        pass
    later.engine.set_loading(False)
    assert loader.expired == 1
    assert loader.loaded_bytes == loader.total_bytes == path.stat().st_size
    assert later.call("LLEN", "l") == 1000
    later.call("SELECT", 5)
    assert later.call("PEXPIRETIME", "z") == 4_000_000_000_000
    assert later.call("DBSIZE") == 1
    later.engine.keyspace.check()


def test_a_failed_child_tells_why() -> None:
    def work() -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    child = Child(work)
    while (outcome := child.poll()) is None:
        time.sleep(0.005)
    assert outcome.failure == "No space left on device (/somewhere)"
    child = Child(lambda: None)
    while (outcome := child.poll()) is None:
        time.sleep(0.005)
    assert outcome.failure == ""
    child = Child(lambda: time.sleep(60))
    os.kill(child.pid, signal.SIGKILL)
    while (outcome := child.poll()) is None:
        time.sleep(0.005)
    assert "ended with status 9" in outcome.failure


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A snapshot that takes a good part of a second to load: of values that the reader in Python reads."""
    client = Client(Engine(Config({"appendonly": "no"})))
    for number in range(100_000):
        client.call("ZADD", f"key:{number}", number, "member")
    path = tmp_path_factory.mktemp("made") / "dump.rdb"
    write_rdb(client.engine, str(path))
    return path.read_bytes()


@pytest.mark.parametrize("end", ["SIGTERM", "SHUTDOWN", "SHUTDOWN SAVE"])
@pytest.mark.parametrize("flags", [OFF, ()], ids=["snapshot", "append-only file"])
def test_an_end_while_loading_leaves_the_files_alone(
    tmp_path: Path, large: bytes, flags: tuple[str, ...], end: str
) -> None:
    snapshot = large
    if not flags:
        snapshot = b"another"
        base = "appendonly.aof.1.base.rdb"
        write_folder(tmp_path, {base: large, MANIFEST: f"file {base} seq 1 type b\n".encode()})
    (tmp_path / "dump.rdb").write_bytes(snapshot)
    kedis = Kedis(tmp_path, *flags, "--save", "3600 1", "--enable-debug-command", "yes", wait=False)
    wire = first_connection(kedis.port)
    loading = ErrorReply("LOADING Redis is loading the dataset in memory")
    assert wire.pipeline([("PING",), ("SAVE",), ("DEBUG", "RELOAD")]) == [loading] * 3
    if end == "SIGTERM":
        os.kill(kedis.process.pid, signal.SIGTERM)
    else:
        wire.send(*end.split())
    assert kedis.process.wait(20) == 0
    assert "loaded" not in kedis.log(), "it was still loading"
    assert (tmp_path / "dump.rdb").read_bytes() == snapshot


def saving(tmp_path: Path, **settings: str) -> tuple[Client, Saver]:
    """A client of an engine that saves without a child."""
    settings = {"appendonly": "no", "dir": str(tmp_path), "enable_debug_command": "yes", **settings}
    client = Client(
        Engine(Config({name.replace("_", "-"): text for name, text in settings.items()}), clock=Clock())
    )
    client.engine.snapshots = Saver(client.engine, fork=False)
    return client, client.engine.snapshots


def test_debug_reload_changes_nothing(tmp_path: Path) -> None:
    client, saver = saving(tmp_path)
    client.call("SET", "a", 1, "PX", 1_000_000)
    client.call("APPEND", "b", "x")
    client.call("SELECT", 3)
    for words in (("RPUSH", "l"), ("SADD", "s"), ("HSET", "h"), ("ZADD", "z")):
        client.call(*words, *range(400))
    before = client.call("DEBUG", "DIGEST"), client.call("DBSIZE"), client.engine.keyspace.used
    assert client.call("DEBUG", "RELOAD") == b"OK"
    after = client.call("DEBUG", "DIGEST"), client.call("DBSIZE"), client.engine.keyspace.used
    assert after[:2] == before[:2]
    assert after[2] == pytest.approx(before[2], rel=0.05)
    client.engine.keyspace.check()
    assert saver.rdb_changes_since_last_save == 0
    assert sorted(client.call("SCAN", 0, "COUNT", 100)[1]) == [b"h", b"l", b"s", b"z"]


def test_flushall_empties_the_file_where_there_are_save_points(tmp_path: Path) -> None:
    client, saver = saving(tmp_path, save="3600 1")
    client.call("SET", "a", 1)
    client.call("SAVE")
    client.call("FLUSHDB")
    assert saver.rdb_saves == 1
    client.call("FLUSHALL")
    assert saver.rdb_saves == 2
    loader = SnapshotLoader(Engine(Config()), str(tmp_path / "dump.rdb"))
    for _ in loader.steps():
        pass
    assert loader.keys == 0
    client.call("CONFIG", "SET", "save", "")
    client.call("FLUSHALL")
    assert saver.rdb_saves == 2


def test_save_points(tmp_path: Path) -> None:
    client = Client(
        Engine(Config({"appendonly": "no", "dir": str(tmp_path), "save": "60 2 300 1"}), clock=Clock())
    )
    busy = False
    saver = Saver(client.engine, lambda: busy, fork=False)
    client.engine.snapshots = saver
    clock = client.engine.clock
    assert isinstance(clock, Clock)
    client.call("SET", "a", 1)
    clock.now_ns += 61 * 10**9
    assert not saver.wants_to_start()
    client.call("SET", "a", 2)
    assert saver.wants_to_start()
    busy = True
    assert not saver.wants_to_start()
    busy = False
    assert client.call("BGSAVE") == b"Background saving started"
    assert not saver.wants_to_start()
    client.call("SET", "a", 3)
    clock.now_ns += 301 * 10**9
    assert saver.wants_to_start()
    with pytest.raises(CommandError, match="Another child"):
        Saver(client.engine, lambda: True).background(schedule=False)


@pytest.mark.parametrize("way", ["SAVE", "BGSAVE", "SHUTDOWN", "SIGTERM", "save point"])
def test_the_folder_is_made_when_something_is_saved(tmp_path: Path, way: str) -> None:
    """Whoever only uses memory has no folder made; where save points hold it is there from the start."""
    directory = tmp_path / "nowhere" / "yet"
    points = {"SIGTERM": ["--save", "900 1"], "save point": ["--save", "1 1"]}.get(way, ["--save", ""])
    log = tmp_path / "kedis"
    kedis = Kedis(log, *OFF, "--dir", str(directory), *points)
    wire = kedis.connect()
    assert directory.exists() == (way in ("SIGTERM", "save point"))
    assert wire.call("SET", "a", 1) == b"OK"
    if way == "SHUTDOWN":
        wire.send("SHUTDOWN", "SAVE")
        assert kedis.process.wait(30) == 0
    elif way == "SIGTERM":
        assert kedis.terminate() == 0
    else:
        if way != "save point":
            assert not isinstance(wire.call(way), ErrorReply)
        until((directory / "dump.rdb").exists)
        kedis.kill()
    engine = Engine(Config({"appendonly": "no"}))
    for _ in SnapshotLoader(engine, str(directory / "dump.rdb")).steps():
        pass
    assert engine.keyspace.databases[0].data == {b"a": b"1"}


def test_info_counts_the_forks_of_snapshots_and_rewrites(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path)
    wire = kedis.connect()

    def forks() -> int:
        return int(re.search(rb"total_forks:(\d+)", wire.call("INFO", "stats"))[1])  # type: ignore[index]

    assert forks() == 0 and b"latest_fork_usec:0\r\n" in wire.call("INFO", "stats")
    for number, name in enumerate(("BGSAVE", "BGREWRITEAOF", "BGSAVE"), 1):
        wire.call(name)
        until(lambda expected=number: forks() == expected)
        until(lambda: b"_in_progress:1" not in wire.call("INFO", "persistence"))
        assert b"latest_fork_usec:0\r\n" not in wire.call("INFO", "stats")
    assert kedis.terminate() == 0


def test_a_new_folder_is_durable_with_all_that_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr("kedis.persistence.folder.sync_directory", synced.append)
    make_folder(str(tmp_path / "a" / "b" / "c"))
    assert synced == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")]
    make_folder(str(tmp_path / "a" / "b" / "c"))
    assert len(synced) == 3 and (tmp_path / "a" / "b" / "c").is_dir()
    monkeypatch.chdir(tmp_path)
    make_folder("relative")
    assert synced[-1] == "." and (tmp_path / "relative").is_dir()


@pytest.mark.parametrize("delay", [1_000_000, -1])
def test_a_save_in_the_background_pauses_behind_each_key(tmp_path: Path, delay: int) -> None:
    kedis = Kedis(tmp_path, *OFF, "--rdb-key-save-delay", str(delay))
    try:
        wire = kedis.connect()
        wire.call("MSET", *range(120))
        wire.call("SAVE")  # not in a child: no pause
        wire.call("BGSAVE")
        if delay > 0:
            assert info(wire)["rdb_bgsave_in_progress"] == "1"
            wire.call("SHUTDOWN", "NOSAVE", "NOW")
        else:
            until(lambda: info(wire)["rdb_bgsave_in_progress"] == "0")
    except ConnectionError:
        pass
    finally:
        kedis.kill()


def test_what_is_wrong_is_also_said_in_the_words_of_redis(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, path = saved(tmp_path)
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(DamagedSnapshot, match="RDB CRC error"):
        load_again(path)
    path.write_bytes(b"REDIS0010\x02\x01s\x00\x04\x01h\x00\x00\x01k\x01v\xff" + bytes(8))
    assert load_again(path).keys == 1
    assert "skipping empty key: s" in caplog.text
    assert "empty keys skipped: 2" in caplog.text


def load_again(path: Path) -> SnapshotLoader:
    engine = Engine(Config({"appendonly": "no"}), clock=Clock())
    engine.set_loading(True)
    loader = SnapshotLoader(engine, str(path))
    for _ in loader.steps():
        pass
    return loader


def test_a_damaged_payload_is_logged(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path, *OFF)
    try:
        body = b"\x10\x03abc\x0a\x00"
        payload = body + crc64(body).to_bytes(8, "little")
        assert str(kedis.call("RESTORE", "k", 0, payload)) == "ERR Bad data format"
        until(lambda: "integrity check failed" in kedis.log())
    finally:
        kedis.kill()


def test_a_fork_keeps_no_garbage() -> None:
    """What is frozen is never freed: what nobody reaches any more must not be."""

    class Cycle:
        def __init__(self) -> None:
            self.me = self

    gc.disable()
    try:
        gone = weakref.ref(Cycle())
        assert gone() is not None
        child = Child(lambda: None)
        assert gone() is None
    finally:
        gc.enable()
        gc.unfreeze()
        while child.poll() is None:
            time.sleep(0.01)
