"""BGREWRITEAOF and CONFIG SET appendonly, as those who ask for them see it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.persistence.server import Kedis, files

_STARTED = b"Background append only file rewriting started"
_SECONDS = 60


@pytest.fixture
def kedis(tmp_path: Path) -> Iterator[Kedis]:
    flags = ("--enable-debug-command", "yes", "--save", "", "--aof-use-rdb-preamble", "yes")
    kedis = Kedis(tmp_path, *flags)
    yield kedis
    kedis.kill()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_rewrite(kedis: Kedis) -> None:
    wait_for(lambda: kedis.info()["aof_rewrite_in_progress"] == "0")


def children(kedis: Kedis) -> list[int]:
    pid = kedis.process.pid
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += [int(word) for word in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    return found


def manifest(kedis: Kedis) -> list[str]:
    (content,) = [data for name, data in files(kedis.directory).items() if name.endswith(".manifest")]
    return [f"{line.split()[1]} {line.split()[-1]}" for line in content.decode().splitlines()]


def test_the_first_base_is_of_the_form_that_bases_have(kedis: Kedis) -> None:
    assert manifest(kedis) == ["appendonly.aof.1.base.rdb b", "appendonly.aof.1.incr.aof i"]
    kedis.call("SET", "a", 1)
    assert kedis.call("DEBUG", "LOADAOF") == b"OK"
    assert kedis.call("GET", "a") == b"1"


def test_the_answer_comes_when_the_child_is_there(kedis: Kedis) -> None:
    kedis.call("SET", "k", 1)
    kedis.call("CONFIG", "SET", "rdb-key-save-delay", 10_000_000)
    for _ in range(2):
        assert kedis.call("BGREWRITEAOF") == _STARTED
        (child,) = children(kedis)
        os.kill(child, signal.SIGKILL)
        wait_for_rewrite(kedis)
    assert kedis.call("BGREWRITEAOF") == _STARTED
    assert kedis.call("CONFIG", "SET", "appendonly", "no") == b"OK"
    assert "Killing AOF child" in kedis.log()
    assert kedis.call("CONFIG", "SET", "rdb-key-save-delay", 0, "appendonly", "yes") == b"OK"
    wait_for_rewrite(kedis)


def test_in_a_transaction_it_is_scheduled(kedis: Kedis) -> None:
    forks = int(kedis.info()["total_forks"])
    wire = kedis.connect()
    *_, replies = wire.pipeline([("MULTI",), ("SET", "k", 2), ("BGREWRITEAOF",), ("EXEC",)])
    assert replies == [b"OK", b"Background append only file rewriting scheduled"]
    wait_for(lambda: int(kedis.info()["total_forks"]) > forks)
    wait_for_rewrite(kedis)
    wire.close()


def test_files_that_are_no_longer_needed_are_kept_on_request(kedis: Kedis) -> None:
    before = manifest(kedis)
    kedis.call("CONFIG", "SET", "aof-disable-auto-gc", "yes")
    for _ in range(2):
        assert kedis.call("BGREWRITEAOF") == _STARTED
        wait_for_rewrite(kedis)
    kept = [line for line in manifest(kedis) if line.endswith(" h")]
    assert len(kept) == 4 and kept[-1] == before[0][:-1] + "h" and kept[-2] == before[1][:-1] + "h"
    assert all(line.split()[0] in files(kedis.directory) for line in kept)
    assert kedis.call("CONFIG", "SET", "aof-disable-auto-gc", "no") == b"OK"
    assert len(manifest(kedis)) == 2 and len(files(kedis.directory)) == 3


def test_while_a_snapshot_is_saved_the_first_file_waits(kedis: Kedis) -> None:
    """The snapshot goes on, and DEBUG LOADAOF loads what the files hold, as in Redis."""
    kedis.call("CONFIG", "SET", "appendonly", "no", "rdb-key-save-delay", 10_000_000)
    kedis.call("BGSAVE")
    (child,) = children(kedis)
    assert kedis.call("CONFIG", "SET", "appendonly", "yes") == b"OK"
    assert kedis.info()["aof_rewrite_scheduled"] == "1"
    kedis.call("SET", "later", 1)
    assert kedis.call("DEBUG", "LOADAOF") == b"OK"
    assert kedis.call("EXISTS", "later") == 0
    kedis.call("CONFIG", "SET", "rdb-key-save-delay", 0)
    assert children(kedis) == [child]
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: kedis.info()["aof_rewrite_scheduled"] == "0")
    wait_for_rewrite(kedis)
    kedis.call("SET", "k", "recorded")
    assert kedis.call("DEBUG", "LOADAOF") == b"OK"
    assert kedis.call("GET", "k") == b"recorded"


def test_a_delayed_write_delays_the_reply(kedis: Kedis) -> None:
    kedis.call("CONFIG", "SET", "appendfsync", "always")
    assert kedis.call("DEBUG", "AOF-FLUSH-SLEEP", 300_000) == b"OK"
    began = time.monotonic()
    kedis.call("INCR", "n")
    assert time.monotonic() - began >= 0.3
    assert kedis.call("DEBUG", "AOF-FLUSH-SLEEP", 0) == b"OK"


def test_a_signal_waits_while_the_periodic_work_is_paused(kedis: Kedis) -> None:
    assert kedis.call("DEBUG", "PAUSE-CRON", 1) == b"OK"
    kedis.process.send_signal(signal.SIGTERM)
    wait_for(lambda: kedis.call("SHUTDOWN", "ABORT") == b"OK")
    assert "Shutdown manually aborted" in kedis.log()
    kedis.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert kedis.call("PING") == b"PONG"
    kedis.call("DEBUG", "PAUSE-CRON", 0)
    assert kedis.process.wait(_SECONDS) == 0
