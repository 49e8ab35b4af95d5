"""Group commit: who syncs, the thread or, where the disk is quick, the loop itself."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

import kedis
from tests.persistence.folders import load, strings
from tests.replication.masters import until

_MANY = 2000


class Disk:
    """Stands in for the disk: notes which thread syncs, takes its time, and fails where it is told to."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.seconds = 0.0
        self.error: OSError | None = None

    def sync(self, fd: int) -> None:
        self.threads.append(threading.get_ident())
        time.sleep(self.seconds)
        if self.error is not None:
            raise self.error


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "fdatasync", disk.sync)
    return disk


@pytest.fixture
def server(disk: Disk, tmp_path: Path) -> Iterator[kedis.Server]:
    with kedis.Server(port=0, appendonly=True, appendfsync="always", dir=str(tmp_path)) as server:
        yield server


def write_until(client: redis.Redis, disk: Disk, thread: int, *, is_it: bool) -> None:
    """Write until ``thread`` syncs, or another."""
    for number in range(_MANY):
        client.set("a", number)
        if (disk.threads[-1] == thread) is is_it:
            return
    pytest.fail("the same thread went on syncing")


def test_the_loop_syncs_while_the_disk_is_quick(server: kedis.Server, disk: Disk) -> None:
    client = server.client()
    client.set("a", 1)
    worker = disk.threads[0]
    write_until(client, disk, worker, is_it=False)
    loop = disk.threads[-1]
    disk.seconds = 0.01
    client.set("a", 2)
    client.set("a", 3)
    assert disk.threads[-1] == worker
    count = len(disk.threads)
    for number in range(20):  # a disk that is slow is left to the thread
        client.set("a", number)
    assert set(disk.threads[count:]) == {worker}
    disk.seconds = 0.0
    write_until(client, disk, loop, is_it=True)
    assert client.info("persistence")["aof_pending_bio_fsync"] == 0


def test_nothing_is_acknowledged_that_the_loop_could_not_sync(
    server: kedis.Server, disk: Disk, tmp_path: Path
) -> None:
    client, reader = server.client(), server.client()
    client.set("a", 1)
    write_until(client, disk, disk.threads[0], is_it=False)
    acknowledged = client.get("a")
    disk.error = OSError(5, "Input/output error")
    for broken in (client, reader):
        with pytest.raises(redis.ConnectionError):
            broken.set("a", "lost")
    disk.error = None
    server.stop()
    assert strings(load(tmp_path)[0])[b"a"] in (acknowledged, b"lost")


@pytest.mark.parametrize("turns_off", [False, True])
def test_replicas_of_a_server_without_the_file(tmp_path: Path, turns_off: bool) -> None:
    """What is recorded for them alone waits for no sync, and for no file."""
    settings = {"port": 0, "appendfsync": "always", "repl_diskless_sync_delay": "0"}
    with (
        kedis.Server(**settings, appendonly=turns_off, dir=str(tmp_path)) as master,
        kedis.Server(port=0) as replica,
    ):
        client, reader = master.client(), replica.client()
        reader.replicaof(master.host, master.port)
        until(lambda: reader.info("replication")["master_link_status"] == "up")
        if turns_off:
            client.config_set("appendonly", "no")
        assert client.set("a", 1)
        assert client.incr("a") == 2
        assert client.get("a") == b"2"
        until(lambda: reader.get("a") == b"2")
        client.config_set("appendonly", "yes")
        assert client.incr("a") == 3
        until(lambda: client.info("persistence")["aof_rewrite_in_progress"] == 0)
        assert client.incr("a") == 4
        until(lambda: reader.get("a") == b"4")
    assert strings(load(tmp_path)[0])[b"a"] == b"4"
