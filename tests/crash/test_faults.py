"""Disks that fill up, fail and dawdle: what is refused, what goes on, and how it comes back.

The kernel is made to fail by strace's fault injection; where tracing is not permitted these tests are skipped.  A disk
that is full is a tmpfs, which root may mount, or again strace.
"""

from __future__ import annotations

import re
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.driver import ErrorReply
from tests.persistence.folders import INCR, load, strings
from tests.persistence.server import Kedis, Wire, encode

NO_SPACE = ErrorReply("MISCONF Errors writing to the AOF file: No space left on device")
IO_ERROR = ErrorReply("MISCONF Errors writing to the AOF file: Input/output error")


def _why_not_trace() -> str:
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    words = [strace, "-f", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "true"]
    trial = subprocess.run(words, capture_output=True, text=True)
    return "" if trial.returncode == 0 else f"strace cannot inject faults here: {trial.stderr.strip()[-100:]}"


REASON = _why_not_trace()
traced = pytest.mark.skipif(bool(REASON), reason=REASON)


class Injection:
    """strace on a running server; the fault lasts until the end of the ``with`` block.

    ``write`` fails on the first file of changes only: the log, and what wakes the loop, are written to as well.
    """

    def __init__(self, kedis: Kedis, call: str, fault: str) -> None:
        tracing = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(kedis.process.pid)]
        if call == "write":
            tracing += ["-P", str(kedis.directory / "appendonlydir" / INCR)]
        self.process = subprocess.Popen(
            [*tracing, "-e", f"trace={call}", "-e", f"inject={call}:{fault}"], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        status = Path(f"/proc/{kedis.process.pid}/task")
        while not all(self._traced(task) for task in status.iterdir()):
            assert time.monotonic() < deadline, "strace does not attach"
            time.sleep(0.02)

    @staticmethod
    def _traced(task: Path) -> bool:
        found = re.search(r"TracerPid:\s*(\d+)", (task / "status").read_text())
        return found is not None and found[1] != "0"

    def __enter__(self) -> Injection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        self.process.wait(10)


def wait_until(wire: Wire, seconds: float, *words: object, reply: object) -> float:
    """Call ``words`` until they are answered with ``reply``; returns how long that took."""
    began = time.monotonic()
    while wire.call(*words) != reply:
        assert time.monotonic() - began < seconds, f"{words} are not answered with {reply}"
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@traced
@pytest.mark.parametrize("policy", ["everysec", "no"])
def test_no_space(directory: Path, policy: str) -> None:
    kedis = Kedis(directory, "--appendfsync", policy)
    wire = kedis.connect()
    assert wire.call("SET", "a", 1) == b"OK"
    acknowledged = {b"a": b"1"}
    with Injection(kedis, "write", "error=ENOSPC"):
        assert wire.call("SET", "b", 1) == NO_SPACE
        assert wire.call("SET", "c", 1) == NO_SPACE
        assert wire.call("PING") == NO_SPACE
        assert wire.call("GET", "a") == b"1"
        assert kedis.connect().call("GET", "a") == b"1"
    wait_until(wire, 2, "PING", reply=b"PONG")
    assert wire.call("SET", "d", 1) == b"OK"
    acknowledged[b"d"] = b"1"
    live = {key: wire.call("GET", key) for key in wire.call("KEYS", "*")}
    assert wire.call("GET", "c") is None
    kedis.kill()
    found = strings(load(directory)[0])
    assert found == live and found.items() >= acknowledged.items()


@traced
def test_no_space_under_always(directory: Path) -> None:
    kedis = Kedis(directory, "--appendfsync", "always")
    wire = kedis.connect()
    assert wire.call("SET", "a", 1) == b"OK"
    with Injection(kedis, "write", "error=ENOSPC"):
        with pytest.raises(ConnectionError):
            wire.call("SET", "b", 1)
        assert kedis.process.wait(10) == 1
    assert "cannot write the append-only file: No space left on device" in kedis.log()
    assert strings(load(directory)[0]) == {b"a": b"1"}


@traced
def test_sync_fails_under_always(directory: Path) -> None:
    kedis = Kedis(directory, "--appendfsync", "always")
    writer, reader = kedis.connect(), kedis.connect()
    assert writer.call("SET", "a", 1) == b"OK"
    with Injection(kedis, "fdatasync", "error=EIO:delay_enter=300000"):
        writer.send("SET", "a", 2)
        time.sleep(0.1)
        reader.send("GET", "a")  # shows what is not durable: no answer
        for wire in (writer, reader):
            with pytest.raises(ConnectionError):
                wire.receive()
        assert kedis.process.wait(10) == 1
    assert "cannot sync the append-only file: Input/output error" in kedis.log()


@traced
def test_sync_fails_under_everysec(directory: Path) -> None:
    kedis = Kedis(directory)
    wire = kedis.connect()
    assert wire.call("SET", "a", 1) == b"OK"
    assert wire.call("SET", "gone", 1, "PX", 700) == b"OK"
    with Injection(kedis, "fdatasync", "error=EIO"):
        accepted = (
            wire.call("SET", "b", 1) == b"OK"
        )  # refused where a sync of what came before has failed already
        assert wait_until(wire, 3, "PING", reply=IO_ERROR) < 2.5
        assert wire.call("SET", "c", 1) == IO_ERROR
        assert wire.call("GET", "a") == b"1"
        time.sleep(1.5)
        assert wire.call("PING") == IO_ERROR
    wait_until(wire, 10, "PING", reply=b"PONG")
    names = sorted(path.name for path in (directory / "appendonlydir").iterdir())
    assert "appendonly.aof.1.base.aof" not in names and "appendonly.aof.1.incr.aof" not in names
    assert wire.call("SET", "d", 1) == b"OK"
    kedis.kill()
    expected = {b"a": b"1", b"d": b"1"} | ({b"b": b"1"} if accepted else {})
    assert strings(load(directory)[0]) == expected


@traced
def test_sync_fails_when_a_rewrite_begins(directory: Path) -> None:
    """With "no" only the rewrite syncs, and the kernel tells of what it may have dropped only once."""
    kedis = Kedis(directory, "--appendfsync", "no")
    wire = kedis.connect()
    assert wire.call("SET", "a", 1) == b"OK"
    with Injection(kedis, "fdatasync", "error=EIO:when=1"):
        refused = "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
        assert wire.call("BGREWRITEAOF") == ErrorReply(refused)
        deadline = time.monotonic() + 20
        while "can be written again" not in kedis.log():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert "writing the append-only file failed: Input/output error; writes are refused" in kedis.log()
    names = {path.name for path in (directory / "appendonlydir").iterdir()}
    assert "appendonly.aof.1.incr.aof" not in names  # it is not relied on any more
    assert wire.call("SET", "b", 1) == b"OK"
    kedis.kill()
    assert strings(load(directory)[0]) == {b"a": b"1", b"b": b"1"}


@traced
def test_slow_sync(directory: Path) -> None:
    """Under always everybody waits for it, readers of what has changed too; under everysec nobody."""
    kedis = Kedis(directory, "--appendfsync", "always")
    writer, reader, later = kedis.connect(), kedis.connect(), kedis.connect()
    free, mixed = kedis.connect(), kedis.connect()
    assert writer.call("SET", "old", 7) == b"OK"
    with Injection(kedis, "fdatasync", "delay_enter=500000"):
        began = time.monotonic()
        writer.send("SET", "a", 1)
        time.sleep(0.1)
        reader.send("GET", "a")
        mixed.socket.sendall(encode("GET", "old") + encode("DBSIZE"))
        # What is durable is shown at once, to whom nothing else is owed.
        assert free.pipeline([("GET", "old"), ("EXISTS", "nothing", "old")]) == [b"7", 1]
        assert not select.select([writer.socket, mixed.socket], [], [], 0)[0]
        time.sleep(0.05)
        later.send("INCR", "n")
        assert writer.receive() == b"OK" and time.monotonic() - began > 0.4
        assert reader.receive() == b"1" and 0.4 < time.monotonic() - began < 0.95
        assert mixed.receive() == b"7" and mixed.receive() == 2
        assert later.receive() == 1 and time.monotonic() - began > 0.9
        # A client that leaves after asking still gets its answer, in order, and then the end.
        leaving = kedis.connect()
        leaving.pipeline([("SET", "q", 1)])
        leaving.socket.sendall(b"SET q 2\r\nQUIT\r\n")
        assert [leaving.receive(), leaving.receive()] == [b"OK", b"OK"]
        with pytest.raises(ConnectionError):
            leaving.receive()
        half = kedis.connect()
        half.socket.sendall(b"SET q 3\r\n")
        half.socket.shutdown(1)
        assert half.receive() == b"OK"
        # One that is killed while its answer waits gets none.
        victim = kedis.connect()
        number = victim.call("CLIENT", "ID")
        victim.send("SET", "v", 1)
        time.sleep(0.1)
        reader.send("CLIENT", "KILL", "ID", number)
        with pytest.raises(ConnectionError):
            victim.receive()
        assert reader.receive() == 1
    assert writer.call("PING") == b"PONG"
    kedis.terminate()

    kedis = Kedis(directory)
    wire = kedis.connect()
    with Injection(kedis, "fdatasync", "delay_enter=2600000"):
        slowest = 0.0
        until = time.monotonic() + 4.5
        while time.monotonic() < until:
            began = time.monotonic()
            assert wire.call("INCR", "m") > 0
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.005)
    assert slowest < 0.5
    assert "takes more than 2 seconds" in kedis.log()
    kedis.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real full disk."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    kedis = Kedis(small_disk / "data")
    wire = kedis.connect()
    acknowledged = 0
    while (reply := wire.call("SET", f"k{acknowledged}", "x" * 5000)) == b"OK":
        acknowledged += 1
    assert reply == NO_SPACE
    assert wire.call("GET", "k0") == b"x" * 5000
    kedis.kill()
    found = strings(load(small_disk / "data")[0])
    assert {b"k%d" % number for number in range(acknowledged)} == set(found)


def test_two_servers_on_one_folder(directory: Path) -> None:
    first = Kedis(directory)
    second = Kedis(directory, wait=False)
    assert second.process.wait(20) == 1
    assert "another server is using the folder" in second.log()
    assert first.call("SET", "a", 1) == b"OK"
    first.kill()
    third = Kedis(directory)
    assert third.call("GET", "a") == b"1"
    third.kill()


@pytest.mark.parametrize("policy", ["everysec", "always", "no"])
def test_sigterm_under_load(directory: Path, policy: str) -> None:
    """Exit code 0, and nothing that was answered is lost."""
    kedis = Kedis(directory, "--appendfsync", policy)
    acknowledged = [0] * 4

    def write(number: int) -> None:
        wire = kedis.connect()
        try:
            while True:
                acknowledged[number] = wire.call("INCR", f"n{number}")
        except (OSError, ConnectionError):
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert kedis.terminate() == 0
    assert time.monotonic() - began < 5
    for thread in threads:
        thread.join()
    found = strings(load(directory)[0])
    for number in range(4):
        assert int(found[b"n%d" % number]) >= acknowledged[number] > 0


SLOW_DISK = """
import os, runpy, time
os.fdatasync = lambda fd: time.sleep(8)
runpy.run_module("kedis", run_name="__main__")
"""


def test_sigint_ends_at_once_a_shutdown_that_takes_long(directory: Path) -> None:
    kedis = Kedis(directory, program=("-c", SLOW_DISK))
    kedis.call("SET", "a", 1)
    for _ in range(2):
        kedis.process.terminate()
        time.sleep(0.3)
        assert kedis.process.poll() is None
    kedis.process.send_signal(signal.SIGINT)
    assert kedis.process.wait(2) == 1
    assert "You insist... exiting now." in kedis.log()


def test_a_disk_that_does_not_answer_at_shutdown(directory: Path) -> None:
    kedis = Kedis(directory, "--shutdown-timeout", "1", program=("-c", SLOW_DISK))
    kedis.call("SET", "a", 1)
    began = time.monotonic()
    assert kedis.terminate() == 1
    assert 0.9 < time.monotonic() - began < 3
    assert "within the shutdown timeout" in kedis.log()
