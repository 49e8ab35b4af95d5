"""A machine that fails under the server: no name service, a folder that is read-only, a process that is stopped.

Full and failing disks are in test_faults.py, memory in test_exceptions.py, descriptors in
tests/end_to_end/test_listening.py, clocks that are set in tests/test_clocks.py.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.driver import ErrorReply
from tests.persistence.folders import load, strings
from tests.persistence.server import Kedis
from tests.ports import free_port
from tests.wire.kedis_process import KedisProcess

_PATIENCE_SECONDS = 60
NOWHERE = "nowhere.invalid"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.05)


@pytest.fixture
def nameless(tmp_path: Path) -> Iterator[Kedis]:
    kedis = Kedis(tmp_path / "data", program=("-m", "tests.crash.nameless_kedis"))
    yield kedis
    kedis.kill()


def test_a_name_service_that_does_not_answer(nameless: Kedis) -> None:
    """Who asks for a name waits; nobody else does, and the server ends in order."""
    wire = nameless.connect(_PATIENCE_SECONDS)
    assert wire.call("SET", "k", "v") == b"OK"
    migrating = [nameless.connect(_PATIENCE_SECONDS) for _ in range(15)]
    for each in migrating:
        each.send("MIGRATE", NOWHERE, 6379, "k", 0, 300)
    assert wire.call("PING") == b"PONG"
    for each in migrating:
        reply = each.receive()
        assert isinstance(reply, ErrorReply) and str(reply).startswith("IOERR"), reply
    assert wire.call("GET", "k") == b"v"
    assert wire.call("REPLICAOF", NOWHERE, 6379) == b"OK"
    for _ in range(20):
        assert wire.call("GET", "k") == b"v"
        time.sleep(0.05)
    assert wire.call("REPLICAOF", "NO", "ONE") == b"OK"
    assert wire.call("SET", "l", "w") == b"OK"
    assert nameless.terminate() == 0
    assert strings(load(nameless.directory)[0]) == {b"k": b"v", b"l": b"w"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, which can be made read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(place)], check=True)


def test_a_disk_that_is_full_under_snapshots(disk: Path) -> None:
    """As Redis: writes are refused after a snapshot that has failed, and accepted after one that has not."""
    (disk / "data").mkdir()
    kedis = Kedis(disk / "data", "--appendonly", "no", "--save", "900 1")
    try:
        wire = kedis.connect(_PATIENCE_SECONDS)
        assert wire.call("SET", "k", random.randbytes(100_000)) == b"OK"
        assert wire.call("SAVE") == b"OK"
        with open(disk / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"x" * 4096):
                pass
        assert wire.call("BGSAVE") == b"Background saving started"
        until(lambda: kedis.info()["rdb_last_bgsave_status"] == "err")
        refused = wire.call("SET", "k", "w")
        assert isinstance(refused, ErrorReply) and str(refused).startswith("MISCONF"), refused
        assert wire.call("STRLEN", "k") == 100_000
        assert isinstance(wire.call("SAVE"), ErrorReply)
        (disk / "filler").unlink()
        assert wire.call("SAVE") == b"OK"
        assert wire.call("SET", "k", "w") == b"OK"
        assert kedis.terminate() == 0
        assert "Traceback" not in kedis.log()
        assert [path.name for path in (disk / "data").iterdir()] == ["dump.rdb"]
    finally:
        kedis.kill()


def test_a_read_only_folder_for_an_append_only_file(disk: Path) -> None:
    """The server says so and ends."""
    (disk / "data").mkdir()
    remount(disk, "ro")
    words = [
        sys.executable,
        "-m",
        "kedis",
        "--port",
        str(free_port()),
        "--metrics-port",
        "no",
        "--dir",
        str(disk / "data"),
    ]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE_SECONDS)
    assert ended.returncode == 1
    told = ended.stdout + ended.stderr
    assert "Read-only file system" in told
    assert "Traceback" not in told


def test_a_read_only_folder_without_anything_to_write(disk: Path) -> None:
    """The server serves, and cannot save."""
    (disk / "data").mkdir()
    remount(disk, "ro")
    with KedisProcess("--dir", str(disk / "data")) as server:
        assert server.run(b"SET k v") == b"+OK\r\n"
        assert server.run(b"SAVE").startswith(b"-ERR")
        assert server.run(b"GET k") == b"$1\r\nv\r\n"
        assert "Traceback" not in server.output()


def test_a_process_that_is_stopped_and_goes_on(tmp_path: Path) -> None:
    """What was sent meanwhile is answered, what was due is done, and what was blocked is given up."""
    kedis = Kedis(tmp_path / "data", "--appendfsync", "always")
    try:
        wire, blocked, late = (kedis.connect(_PATIENCE_SECONDS) for _ in range(3))
        assert wire.call("SET", "k", "v", "PX", 300) == b"OK"
        blocked.send("BLPOP", "jobs", 0.3)
        os.kill(kedis.process.pid, signal.SIGSTOP)
        late.send("INCR", "n")
        threading.Event().wait(0.8)
        os.kill(kedis.process.pid, signal.SIGCONT)
        assert late.receive() == 1
        assert blocked.receive() is None
        assert wire.call("GET", "k") is None
        assert wire.call("INCR", "n") == 2
        assert kedis.terminate() == 0
        assert strings(load(tmp_path / "data")[0]) == {b"n": b"2"}
    finally:
        kedis.kill()
