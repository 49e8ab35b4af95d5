"""Starting on a large file: who asks early is told so, and the log says how far it is."""

from __future__ import annotations

import logging
import re
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kedis.server.loading import LoadingLog
from tests.commands.driver import ErrorReply
from tests.persistence.folders import BASE, INCR, LISTING, MANIFEST, recorded
from tests.persistence.server import Kedis, Wire, encode, files, write_folder

COMMANDS = 1_200_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("made")
    flushes = [[("SET", f"k{at + i}", "x" * 20) for i in range(1000)] for at in range(0, 50_000, 1000)]
    part = recorded(path / "part", flushes, checksums=False)
    return {BASE: part * (COMMANDS // 50_000), INCR: b"", MANIFEST: LISTING}


def first_connection(port: int) -> Wire:
    deadline = time.monotonic() + 20
    while True:
        try:
            return Wire(port)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_while_loading(tmp_path: Path, large: dict[str, bytes]) -> None:
    write_folder(tmp_path / "data", large)
    kedis = Kedis(tmp_path / "data", wait=False)
    wire = first_connection(kedis.port)
    loading = ErrorReply("LOADING Redis is loading the dataset in memory")
    assert wire.call("GET", "k1") == loading
    longest = 0.0
    while True:
        began = time.monotonic()
        reply = wire.call("PING")
        longest = max(longest, time.monotonic() - began)
        if reply == b"PONG":
            break
        assert reply == loading
        time.sleep(0.01)
    assert longest < 0.5
    assert wire.call("DBSIZE") == 50_000
    assert kedis.terminate() == 0
    assert re.search(rf"loaded {COMMANDS + 24} commands", kedis.log())


def test_progress_is_told_every_two_seconds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    loader: Any = SimpleNamespace(loaded_bytes=0, total_bytes=400_000_000, keys=0, commands=0)
    now = [100.0]
    progress = LoadingLog(loader, logging.getLogger("test"), clock=lambda: now[0])
    now[0] = 101.9
    progress.report()
    assert caplog.messages == []
    loader.loaded_bytes, loader.keys, loader.commands, now[0] = 100_000_000, 5000, 800_000, 102.0
    progress.report()
    progress.report()
    assert caplog.messages == [
        "loading: 100 of 400 MB (25%), 5000 keys, 400000 commands/s, 50 MB/s, 6 s left",
    ]


def test_stopped_while_loading(tmp_path: Path, large: dict[str, bytes]) -> None:
    write_folder(tmp_path / "data", large)
    kedis = Kedis(tmp_path / "data", wait=False)
    first_connection(kedis.port)
    began = time.monotonic()
    assert kedis.terminate() == 0
    assert time.monotonic() - began < 2
    assert files(tmp_path / "data") == large


@pytest.mark.parametrize("appendonly", ["yes", "no"])
def test_loading_takes_as_long_as_a_test_wants(tmp_path: Path, appendonly: str) -> None:
    flags = ("--enable-debug-command", "yes", "--appendonly", appendonly, "--save", "3600 1")
    kedis = Kedis(tmp_path / "data", *flags)
    kedis.call("DEBUG", "POPULATE", 500, "key", 1000)
    if appendonly == "yes":  # the keys are in no file yet
        kedis.call("BGREWRITEAOF")
        while kedis.info()["aof_rewrite_in_progress"] == "1":
            time.sleep(0.01)
    assert kedis.terminate() == 0
    kedis = Kedis(tmp_path / "data", *flags, "--key-load-delay", "50000", wait=False)
    wire = first_connection(kedis.port)
    time.sleep(1)  # without the delay it would be done
    assert wire.call("GET", "key:1") == ErrorReply("LOADING Redis is loading the dataset in memory")
    assert kedis.terminate() == 0


def test_a_damaged_file_stops_the_start_in_one_line(tmp_path: Path) -> None:
    content = {BASE: b"", INCR: encode("SET", "a", 1) + b"junk", MANIFEST: LISTING}
    write_folder(tmp_path / "data", content)
    kedis = Kedis(tmp_path / "data", wait=False)
    assert kedis.process.wait(20) == 1
    last = kedis.log().splitlines()[-1]
    assert last.startswith("kedis-server: ") and INCR in last and "offset 27" in last
    assert files(tmp_path / "data") == content
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", kedis.port))


def test_a_new_folder_holds_an_empty_base_and_a_file_of_changes(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path / "data")
    assert str(tmp_path / "data") in kedis.log()
    assert files(tmp_path / "data") == {BASE: b"", INCR: b"", MANIFEST: LISTING}
    kedis.kill()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    kedis = Kedis(tmp_path / "data", wait=False)
    assert kedis.process.wait(20) == 1
    assert "cannot use the folder" in kedis.log().splitlines()[-1]
