"""Compaction under load, cut short at every step, and turned on and off while the server runs."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.persistence.aof import Aof
from kedis.persistence.aof_base import write_base
from kedis.persistence.manifest import Manifest, parse_manifest
from kedis.persistence.rewrite import Rewriter
from kedis.persistence.worker import InlineWorker
from tests.commands.driver import Client
from tests.persistence.folders import BASE, INCR, LISTING, MANIFEST, listing, load, strings
from tests.persistence.server import Kedis, files, write_folder
from tests.persistence.test_with_redis import content


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def test_a_base_holds_every_type(tmp_path: Path) -> None:
    rng = random.Random(5)
    client = Client()
    for number in (0, 3, 9):
        client.call("SELECT", number)
        for size in (1, 64, 65, 500):
            words = [rng.randbytes(rng.randrange(1, 40)) for _ in range(size)]
            pairs = [part for word in words for part in (word, word[::-1])]
            scores = [part for word in words for part in (rng.choice([b"-inf", b"inf", b"0.1", b"17"]), word)]
            client.call("SET", f"s{size}", b"".join(words))
            client.call("RPUSH", f"l{size}", *words)
            client.call("SADD", f"m{size}", *words)
            client.call("HSET", f"h{size}", *pairs)
            client.call("ZADD", f"z{size}", *scores)
            client.call("PEXPIRE", f"{rng.choice('slmhz')}{size}", 5000)
        client.call("APPEND", "changed in place", "x")
        client.call("APPEND", "changed in place", "y" * 70_000)
    write_folder(tmp_path, {INCR: b"", MANIFEST: LISTING})
    path = tmp_path / "appendonlydir" / BASE
    size = write_base(client.engine.keyspace, str(path), checksums=True, timestamps=True, sync_in_steps=True)
    assert size == path.stat().st_size
    engine, loader = load(tmp_path)
    assert loader.base_bytes == size
    for ours, theirs in zip(engine.keyspace.databases, client.engine.keyspace.databases, strict=True):
        ours.check()
        assert dict(ours.expires) == dict(theirs.expires)
        assert list(ours.data) == list(theirs.data)
        for key, value in theirs.data.items():
            if hasattr(value, "scores"):
                assert list(ours.data[key].items()) == list(value.items())
            else:
                assert ours.data[key] == value


def test_20000_increments_while_rewriting(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path / "data")
    wire = kedis.connect()
    wire.pipeline([("SET", f"k{i}", "x" * 100) for i in range(20_000)])
    done = 0
    rewrites = 0
    while done < 20_000:
        if wire.call("BGREWRITEAOF") == b"Background append only file rewriting started":
            rewrites += 1
        replies = wire.pipeline([("INCR", "n")] * 20)
        assert replies == list(range(done + 1, done + 21))
        done += 20
    assert rewrites >= 1, "the increments came too fast to meet a rewrite"
    assert wire.call("GET", "n") == b"20000"
    kedis.kill()
    kedis = Kedis(tmp_path / "data")
    assert kedis.call("GET", "n") == b"20000"
    assert kedis.call("DBSIZE") == 20_001
    kedis.kill()


def test_killed_at_each_step(tmp_path: Path) -> None:
    """strace would stop at system calls; a kill at many moments of many rewrites finds the steps as well."""
    directory = tmp_path / "data"
    rng = random.Random(6)
    written = 0
    for round_ in range(int(os.environ.get("KEDIS_CRASH_ROUNDS", "12"))):
        kedis = Kedis(directory)
        wire = kedis.connect()
        if written:
            assert wire.call("LLEN", "l") == written
            assert wire.call("LINDEX", "l", -1) == b"%d" % (written - 1)
        if round_ == 0:
            wire.pipeline([("SET", f"k{i}", "x" * 200) for i in range(30_000)])
        wire.call("BGREWRITEAOF")
        until = time.monotonic() + rng.uniform(0, 0.4)
        while time.monotonic() < until:
            assert wire.call("RPUSH", "l", written) == written + 1
            written += 1
        kedis.kill()
    kedis = Kedis(directory)
    assert kedis.call("LLEN", "l") == written
    assert kedis.call("DBSIZE") == 30_001
    assert kedis.terminate() == 0
    assert not [name for name in files(directory) if name.startswith("temp-")]


STEPS = ["fsync", "rename", "unlink"]


@pytest.mark.parametrize("step", range(10))
def test_a_folder_as_a_crash_at_each_step_leaves_it(tmp_path: Path, step: int) -> None:
    """Every call of the parent that changes the folder is, in turn, the last one."""

    class Crash(BaseException):
        pass

    calls = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls > step:
                raise Crash
            return real(*arguments)

        return call

    engine = Engine(Config({"appendonly": "yes", "dir": str(tmp_path)}))
    client = Client(engine)
    aof = Aof(engine)
    for _ in aof.open().steps():
        pass
    aof.begin()
    client.call("SET", "a", 1)
    client.call("RPUSH", "l", 1, 2)
    aof.write()
    rewriter = Rewriter(aof, InlineWorker(), fork=False, on_sync_error=pytest.fail)
    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, counted(getattr(os, name)))
        try:
            rewriter.start()
        except Crash:
            pass
        else:
            assert step >= 8, "the rewrite has more steps than are tried"
    if aof.state != "off":
        client.call("SET", "b", 2)
        aof.write()
    aof.close()
    loaded, _ = load(tmp_path)
    assert strings(loaded) == strings(engine)


def test_a_failed_child_is_counted_and_the_data_are_whole(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path / "data")
    wire = kedis.connect()
    wire.pipeline([("SET", f"k{i}", "x" * 500) for i in range(50_000)])
    for round_ in range(3):
        assert wire.call("BGREWRITEAOF") == b"Background append only file rewriting started"
        child = 0

        def has_child() -> bool:
            nonlocal child
            path = Path(f"/proc/{kedis.process.pid}/task/{kedis.process.pid}/children")
            children = path.read_text().split()
            child = int(children[0]) if children else 0
            return bool(child)

        wait_for(has_child)
        os.kill(child, signal.SIGKILL)
        wire.call("SET", f"after{round_}", 1)
        failures = round_ + 1
        wait_for(lambda: kedis.log().count("rewriting the append-only file failed") == failures)  # noqa: B023
    kedis.kill()
    kedis = Kedis(tmp_path / "data")
    assert kedis.call("DBSIZE") == 50_003
    kedis.kill()


def test_the_automatic_rule(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path / "data", "--auto-aof-rewrite-min-size", "200kb")
    wire = kedis.connect()
    for _ in range(5):
        wire.pipeline([("SET", "k", "x" * 1000)] * 100)
    wait_for(lambda: manifest_of(tmp_path / "data").base_seq == 2)
    wire.call("SET", "k", "last")
    kedis.kill()
    assert strings(load(tmp_path / "data")[0]) == {b"k": b"last"}


def manifest_of(directory: Path) -> Manifest:
    """The manifest of a folder that is in use."""
    return parse_manifest((directory / "appendonlydir" / MANIFEST).read_bytes())


def test_turned_on_and_off(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    kedis = Kedis(directory, "--appendonly", "no")
    wire = kedis.connect()
    wire.call("SET", "before", 1)
    stop = threading.Event()
    acknowledged = 0

    def write() -> None:
        nonlocal acknowledged
        own = kedis.connect()
        while not stop.is_set():
            acknowledged = own.call("INCR", "n")
        own.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert wire.call("CONFIG", "SET", "appendonly", "yes") == b"OK"
    wait_for(lambda: (directory / "appendonlydir" / MANIFEST).exists())
    time.sleep(0.2)
    stop.set()
    thread.join()
    expected = content(wire)
    kedis.kill()
    kedis = Kedis(directory)
    wire = kedis.connect()
    assert content(wire) == expected
    assert wire.call("GET", "n") == b"%d" % acknowledged
    assert wire.call("CONFIG", "SET", "appendonly", "no") == b"OK"
    wire.call("SET", "forgotten", 1)
    second = Kedis(directory)  # the folder was given back
    assert content(second.connect()) == expected
    second.kill()
    assert wire.call("CONFIG", "SET", "appendonly", "yes") == b"OK"
    wait_for(
        lambda: any(
            b"forgotten" in data for name, data in files(directory).items() if name.endswith("base.aof")
        )
    )
    assert kedis.terminate() == 0
    assert strings(load(directory)[0])[b"forgotten"] == b"1"


def test_turned_on_again_while_a_rewrite_is_being_cancelled(tmp_path: Path) -> None:
    """The folder is in use until that has ended; the file is turned on then, and not left off."""
    directory = tmp_path / "data"
    kedis = Kedis(directory)
    wire = kedis.connect()
    for number in range(20):
        wire.call("SET", f"n{number}", b"x" * 1_000_000)
        wire.call("BGREWRITEAOF")
        assert wire.call("CONFIG", "SET", "appendonly", "no") == b"OK"
        assert wire.call("CONFIG", "SET", "appendonly", "yes") == b"OK"
    wait_for(lambda: b"aof_enabled:1" in wire.call("INFO", "persistence"))
    wait_for(lambda: b"aof_rewrite_in_progress:0" in wire.call("INFO", "persistence"))
    assert wire.call("SET", "last", 1) == b"OK"
    assert kedis.terminate() == 0
    kept = strings(load(directory)[0])
    assert set(kept) == {b"last", *(b"n%d" % number for number in range(20))}


def test_bgrewriteaof_without_an_append_only_file(tmp_path: Path) -> None:
    """As in Redis it writes a base all the same."""
    kedis = Kedis(tmp_path / "data", "--appendonly", "no")
    kedis.call("SET", "a", 1)
    assert kedis.call("BGREWRITEAOF") == b"Background append only file rewriting started"
    wait_for(lambda: (tmp_path / "data" / "appendonlydir" / MANIFEST).exists())
    kedis.kill()
    assert strings(load(tmp_path / "data")[0]) == {b"a": b"1"}
    assert [entry.kind for entry in listing(tmp_path / "data").files()] == ["b"]
