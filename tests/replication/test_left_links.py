"""A link that the server has left changes nothing more, though its greenlet may have a turn before it learns of it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kedis
from kedis.server import snapshot_intake
from kedis.server.following import Following
from kedis.server.master_link import MasterLink
from tests.replication.masters import ID, Raw, scripted, until
from tests.replication.test_bad_masters import NEW, counted, hold, sends

_FLUSH = b"*1\r\n$8\r\nFLUSHALL\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[kedis.Server]:
    with kedis.Server(port=0, appendonly="no", save="3600 1", dir=str(tmp_path)) as server:
        yield server


@pytest.fixture
def replica(server: kedis.Server) -> Iterator[Raw]:
    connection = Raw(server.port)
    yield connection
    connection.close()


def following_of(server: kedis.Server) -> Following:
    app = server._life._app  # type: ignore[union-attr]
    return app.network.engine.following  # type: ignore[no-any-return,union-attr]


def leading_before(
    monkeypatch: pytest.MonkeyPatch, server: kedis.Server, step: str, times: int
) -> Callable[[], bool]:
    """Have the server become a master while its link waits in ``step``; gives whether it has."""
    following, original = following_of(server), getattr(MasterLink, step)
    calls: list[None] = []

    def changed(link: MasterLink) -> None:
        calls.append(None)
        if len(calls) == times:
            following.lead("a test")
        original(link)

    monkeypatch.setattr(MasterLink, step, changed)
    return lambda: len(calls) >= times


def test_the_stream(server: kedis.Server, replica: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def act(connection: socket.socket, _words: list[bytes]) -> None:
        connection.sendall(counted(NEW))
        goes_on.wait(60)
        connection.sendall(_FLUSH)
        hold(connection)

    with scripted(act) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: replica.info()["master_link_status"] == "up")
        has_led = leading_before(monkeypatch, server, "await_quiet", 1)
        goes_on.set()
        until(has_led)
        until(lambda: replica.info()["role"] == "master")
        assert replica.call("DBSIZE") == 2
        assert replica.info()["second_repl_offset"] == "101"
        assert replica.info()["master_repl_offset"] == "100"


@pytest.mark.parametrize("setting", ["disabled", "swapdb"])
def test_the_data_are_kept(
    server: kedis.Server, replica: Raw, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """Until they go the server may become a master, whose writes are acknowledged."""
    replica.call("CONFIG", "SET", "repl-diskless-load", setting)
    replica.call("SET", "old", 1)
    has_led = leading_before(monkeypatch, server, "await_quiet", 1)
    with scripted(sends(counted(NEW), then=hold)) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(has_led)
        until(lambda: replica.info()["role"] == "master")
        assert replica.call("GET", "old") == b"1"
        assert replica.call("DBSIZE") == 1


def test_the_history(server: kedis.Server, replica: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a full copy is being synced: what becomes a master then has a history of its own."""
    replica.call("CONFIG", "SET", "repl-diskless-load", "disabled")
    following, original = following_of(server), snapshot_intake.replace_file

    def replace(temporary: str, path: str) -> None:
        following.lead("a test")
        original(temporary, path)

    monkeypatch.setattr(snapshot_intake, "replace_file", replace)
    with scripted(sends(counted(NEW), then=hold)) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: replica.info()["role"] == "master")
        assert replica.info()["master_replid"] != ID
        assert replica.info()["second_repl_offset"] == "-1"
        assert replica.call("SET", "a", 1) == b"OK"


def test_a_file_that_cannot_be_synced(
    replica: Raw, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log says so in a line, and in no traceback of the thread."""

    def fail(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    replica.call("CONFIG", "SET", "repl-diskless-load", "disabled")
    with scripted(sends(counted(NEW), then=hold)) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: replica.info()["master_link_status"] == "up")
        assert replica.call("DBSIZE") == 2
        replica.call("REPLICAOF", "NO", "ONE")
    assert "Traceback" not in capfd.readouterr().err
