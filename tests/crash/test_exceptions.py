"""Whatever exception writing and syncing end with: the server goes on or ends, and nothing acknowledged is lost."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.driver import ErrorReply
from tests.persistence.folders import load, strings
from tests.persistence.server import Kedis, Wire
from tests.ports import free_port

SECONDS = 60
REASONS = {
    "MemoryError": "Cannot allocate memory",
    "OSError": "No space left on device",
    "KeyError": "KeyError()",
}


def wait_until_recording(kedis: Kedis) -> None:
    """The server is ready, and not only listening."""
    wait_for(lambda: "ready to accept connections" in kedis.log().lower())


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Servers are killed where a test fails, too."""
    started: list[Kedis] = []
    begin = Kedis.__init__

    def begin_and_note(self: Kedis, *arguments: Any, **options: Any) -> None:
        started.append(self)
        begin(self, *arguments, **options)

    monkeypatch.setattr(Kedis, "__init__", begin_and_note)
    yield
    for kedis in started:
        if hasattr(kedis, "process"):
            kedis.kill()


class Faulty(Kedis):
    """A server whose writes and syncs can be made to fail."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.fault = directory.parent / "fault"
        self.metrics_port = free_port()
        super().__init__(
            directory,
            "--metrics-port",
            str(self.metrics_port),
            *flags,
            program=("-m", "tests.crash.faulty_kedis"),
            environment={"KEDIS_FAULT": str(self.fault)},
        )
        wait_until_recording(self)

    def strike(self, call: str, exception: str) -> None:
        aside = self.fault.with_suffix(".new")
        aside.write_text(f"{call} {exception}")
        aside.rename(self.fault)

    def heal(self) -> None:
        self.fault.unlink()

    def readiness(self) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=SECONDS)
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.05)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.mark.parametrize("policy", ["everysec", "no"])
@pytest.mark.parametrize("exception", REASONS)
def test_a_write_that_raises_is_refused_and_tried_again(directory: Path, policy: str, exception: str) -> None:
    kedis = Faulty(directory, "--appendfsync", policy)
    wire, other = kedis.connect(), kedis.connect()
    assert wire.call("SET", "a", 1) == b"OK"
    kedis.strike("write", exception)
    refused = ErrorReply(f"MISCONF Errors writing to the AOF file: {REASONS[exception]}")
    assert wire.pipeline([("SET", "b", 1), ("GET", "a")]) == [refused, refused]
    for _ in range(50):
        assert wire.call("SET", "c", 1) == refused
        assert other.call("GET", "a") == b"1"

    def tells() -> bool:
        """A rewrite may just have replaced the file, until the next write fails."""
        assert wire.call("SET", "c", 1) == refused
        status, reason = kedis.readiness()
        return status == 503 and "writes are refused" in reason

    wait_for(tells)
    assert kedis.log().count("writes are refused until it succeeds") == 1
    assert kedis.log().count("Traceback") <= 1
    kedis.heal()
    wait_for(lambda: wire.call("PING") == b"PONG")
    assert wire.call("SET", "d", 1) == b"OK"
    assert kedis.readiness()[0] == 200
    # What was refused may be there, as it is in memory.
    live = {key: wire.call("GET", key) for key in wire.call("KEYS", "*")}
    kedis.kill()
    found = strings(load(directory)[0])
    assert found == live and found.items() >= {b"a": b"1", b"d": b"1"}.items()


@pytest.mark.parametrize("call", ["write", "sync"])
@pytest.mark.parametrize("exception", REASONS)
def test_under_always_the_server_ends(directory: Path, call: str, exception: str) -> None:
    kedis = Faulty(directory, "--appendfsync", "always")
    writer, reader = kedis.connect(SECONDS), kedis.connect(SECONDS)
    assert writer.call("SET", "a", 1) == b"OK"
    kedis.strike(call, exception)
    for wire in (writer, reader):
        with pytest.raises(ConnectionError):
            pytest.fail(f"answered with {wire.call('SET', 'b', 1)}")
    assert kedis.process.wait(SECONDS) == 1
    assert f"cannot {call} the append-only file: {REASONS[exception]}" in kedis.log()
    assert strings(load(directory)[0])[b"a"] == b"1"


@pytest.mark.parametrize("exception", ["MemoryError", "KeyError"])
def test_under_everysec_a_sync_that_raises_has_all_written_anew(directory: Path, exception: str) -> None:
    kedis = Faulty(directory)
    wire = kedis.connect()
    kedis.strike("sync", exception)
    assert wire.call("SET", "a", 1) == b"OK"
    refused = ErrorReply(f"MISCONF Errors writing to the AOF file: {REASONS[exception]}")
    wait_for(lambda: wire.call("PING") == refused)
    assert wire.call("GET", "a") == b"1"
    kedis.heal()
    wait_for(lambda: wire.call("PING") == b"PONG")
    assert wire.call("SET", "b", 1) == b"OK"
    kedis.kill()
    assert strings(load(directory)[0]) == {b"a": b"1", b"b": b"1"}


def test_a_disk_that_comes_and_goes_does_not_fill_the_log(directory: Path) -> None:
    kedis = Faulty(directory)
    wire = kedis.connect()
    for number in range(20):
        kedis.strike("write", "MemoryError")
        assert isinstance(wire.call("SET", f"k{number}", 1), ErrorReply)
        kedis.heal()
        wait_for(lambda: wire.call("PING") == b"PONG")
    log = kedis.log()
    assert log.count("writes are refused until it succeeds") <= 2
    assert log.count("can be written again") <= 2
    assert kedis.terminate() == 0


@pytest.mark.parametrize("healed", [True, False])
def test_sigterm_while_writing_fails(directory: Path, healed: bool) -> None:
    """Exit code 0 only if all is on the disk."""
    kedis = Faulty(directory)
    wire = kedis.connect()
    assert wire.call("SET", "a", 1) == b"OK"
    kedis.strike("write", "MemoryError")
    assert isinstance(wire.call("SET", "b", 1), ErrorReply)
    if healed:
        kedis.heal()
        assert kedis.terminate() == 0
    else:
        assert kedis.terminate() == 1
        assert "cannot write the append-only file at shutdown: Cannot allocate memory" in kedis.log()
    assert "Traceback" not in kedis.log()
    assert strings(load(directory)[0])[b"a"] == b"1"


def test_who_waits_for_the_disk_is_not_ready(directory: Path) -> None:
    kedis = Faulty(directory, "--appendfsync", "always")
    wire = kedis.connect(SECONDS)
    assert wire.call("SET", "a", 1) == b"OK" and kedis.readiness()[0] == 200
    kedis.strike("sync", "hang")
    wire.send("SET", "b", 1)
    wait_for(lambda: kedis.readiness()[0] == 503)
    assert "replies have been waiting for the disk" in kedis.readiness()[1]
    kedis.heal()
    assert wire.receive() == b"OK"
    assert kedis.readiness()[0] == 200


LIMITED = """
import resource, runpy, kedis.cli.server
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 300_000_000,) * 2)
runpy.run_module("kedis", run_name="__main__")
"""


@pytest.mark.parametrize("policy", ["everysec", "always"])
def test_a_process_whose_memory_is_really_used_up(directory: Path, policy: str) -> None:
    """What does not fit is refused, by a reply or an end of the connection; the server serves, and loses nothing."""
    kedis = Kedis(directory, "--appendfsync", policy, program=("-c", LIMITED))
    wait_until_recording(kedis)
    wire = kedis.connect(SECONDS)
    value = b"x" * 20_000_000
    acknowledged = 0
    refusals: list[object] = []
    while len(refusals) < 3:
        try:
            reply = wire.call("SET", f"k{acknowledged}", value)
        except ConnectionError:
            reply = None
        if reply != b"OK":
            refusals.append(reply)
            assert reply is None or str(reply).startswith("OOM "), reply
            wire = kedis.connect(SECONDS)
            continue
        acknowledged += 1
        assert acknowledged < 100, "no limit was met"
    assert acknowledged > 1
    assert kedis.call("PING") == b"PONG"
    assert kedis.call("STRLEN", "k0") == len(value)
    assert kedis.call("DEL", "k0") == 1
    assert kedis.call("SET", "small", 1) == b"OK"
    kedis.kill()
    found = strings(load(directory)[0])
    assert {b"k%d" % number for number in range(1, acknowledged)} <= set(found) and found[b"small"] == b"1"
    assert all(len(each) == len(value) for key, each in found.items() if key.startswith(b"k"))


def test_a_reply_that_no_memory_is_there_for(directory: Path) -> None:
    kedis = Kedis(directory, program=("-c", LIMITED))
    wait_until_recording(kedis)
    wire: Wire = kedis.connect(SECONDS)
    assert wire.call("SETRANGE", "a", 60_000_000, "x") == 60_000_001
    for words in (("SETRANGE", "b", 500_000_000, "x"), ("BITFIELD", "b", "SET", "u8", 4_000_000_000, 1)):
        reply = wire.call(*words)
        assert isinstance(reply, ErrorReply) and str(reply) == "OOM command failed: not enough memory"
        assert wire.call("EXISTS", "b") == 0
    assert wire.call("STRLEN", "a") == 60_000_001
    assert wire.call("PING") == b"PONG"
    kedis.kill()
