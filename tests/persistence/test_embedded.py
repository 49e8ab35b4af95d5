"""The in-process client on a folder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis

import kedis
from kedis.persistence.folder import AofError
from tests.persistence.folders import listing, load, strings
from tests.persistence.server import files


def test_what_is_kept(tmp_path: Path) -> None:
    with kedis.connect(tmp_path / "data") as store:
        store.set("a", 1)
        store.rpush("l", 1, 2)
        with store.pipeline() as pipe:
            pipe.incr("a").sadd("s", "x").execute()
        with pytest.raises(AofError, match="another server is using"):
            kedis.connect(tmp_path / "data")
    with kedis.connect(tmp_path / "data") as store:
        assert store.get("a") == b"2" and store.lrange("l", 0, -1) == [b"1", b"2"]
        assert store.bgrewriteaof()
        store.incr("a")
    assert listing(tmp_path / "data").base_seq == 2
    with kedis.connect(tmp_path / "data") as store:
        assert store.get("a") == b"3" and store.dbsize() == 3


def test_closed_is_closed(tmp_path: Path) -> None:
    store = kedis.connect(tmp_path / "data")
    store.set("a", 1)
    store.close()
    store.close()
    with pytest.raises(redis.ConnectionError):
        store.get("a")


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with kedis.connect() as store:
        store.set("a", 1)
    assert not list(tmp_path.iterdir())


PROGRAM = """
import kedis, os, sys
store = kedis.connect(sys.argv[1], settings={"appendfsync": sys.argv[2]})
for i in range(1000):
    print(store.incr("n"), flush=True)
if sys.argv[3] == "crash":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("policy", ["always", "everysec"])
@pytest.mark.parametrize("end", ["crash", "exit"])
def test_the_program_ends(tmp_path: Path, policy: str, end: str) -> None:
    """By itself or not: nothing that was answered is lost."""
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), policy, end]
    finished = subprocess.run(words, capture_output=True, text=True)
    assert finished.returncode == (0 if end == "exit" else -9), finished.stderr
    assert strings(load(tmp_path / "data")[0]) == {b"n": finished.stdout.split()[-1].encode()}


def test_threads_share_it(tmp_path: Path) -> None:
    store = kedis.connect(tmp_path / "data")

    def count() -> None:
        for _ in range(200):
            store.incr("n")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert strings(load(tmp_path / "data")[0]) == {b"n": b"800"}


class Disk:
    """Stands in for calls that fail while ``fault`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, fault: int) -> None:
        real = getattr(os, name)
        self.broken = False

        def call(*arguments: object) -> object:
            if self.broken:
                raise OSError(fault, os.strerror(fault))
            return real(*arguments)

        monkeypatch.setattr(os, name, call)


def test_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = kedis.connect(tmp_path / "data")
    store.set("a", 1)
    disk = Disk(monkeypatch, "write", errno.ENOSPC)
    disk.broken = True
    for _ in range(2):
        with pytest.raises(redis.ResponseError, match=r"MISCONF Errors writing.*No space left"):
            store.set("b", 1)
    assert store.get("a") == b"1"
    disk.broken = False
    store.get("a")
    assert store.set("c", 1)
    store.close()
    assert strings(load(tmp_path / "data")[0]).keys() >= {b"a", b"c"}


def test_sync_fails_under_everysec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = kedis.connect(tmp_path / "data")
    disk = Disk(monkeypatch, "fdatasync", errno.EIO)
    disk.broken = True
    store.set("a", 1)
    deadline = time.monotonic() + 5
    with pytest.raises(redis.ResponseError, match=r"MISCONF Errors writing.*Input/output error"):
        while time.monotonic() < deadline:
            store.set("b", 1)
            time.sleep(0.05)
    disk.broken = False
    store.get("a")
    assert store.set("c", 1)
    store.close()
    assert listing(tmp_path / "data").base_seq >= 2
    assert strings(load(tmp_path / "data")[0]) == {b"a": b"1", b"b": b"1", b"c": b"1"}


def test_sync_fails_under_always(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = kedis.connect(tmp_path / "data", settings={"appendfsync": "always"})
    store.set("a", 1)
    disk = Disk(monkeypatch, "fdatasync", errno.EIO)
    disk.broken = True
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            store.set("a", 2)
    disk.broken = False
    with pytest.raises(redis.ConnectionError):
        store.get("a")
    store.close()
    assert "temp-incr.aof" not in files(tmp_path / "data")
