"""kill -9 of either end at a random moment under load: what WAIT 1 has confirmed is on the survivor."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replication.masters import Raw, until
from tests.replication.sentinels import Node, make_node


@pytest.fixture(params=["kedis kedis", "kedis redis", "redis kedis"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    """A master, and its replica."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    first, second = request.param.split()
    master = make_node(first, 0, tmp_path, program)
    replica = make_node(second, 1, tmp_path, program)
    master.start()
    replica.start("--replicaof", "127.0.0.1", str(master.port))
    until(lambda: "state=online" in master.info().get("slave0", ""))
    yield master, replica
    for node in (master, replica):
        node.kill()


class Load:
    """Writes numbers until the connection breaks, or ``ended`` is set; ``confirmed`` are those on the replica."""

    def __init__(self, master: Node) -> None:
        self.confirmed: list[int] = []
        self.ended = threading.Event()
        self._connection = Raw(master.port)
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        until(lambda: len(self.confirmed) > 50)
        time.sleep(random.random() / 4)

    def _write(self) -> None:
        number = 0
        while not self.ended.is_set():
            number += 1
            try:
                self._connection.call("RPUSH", "written", number)
                if self._connection.call("WAIT", 1, 100) >= 1:
                    self.confirmed.append(number)
            except OSError:
                return

    def join(self) -> None:
        self._thread.join(60)
        self._connection.close()


def written(node: Node) -> set[int]:
    return set(map(int, node.call("LRANGE", "written", 0, -1)))


def test_the_master_dies(nodes: tuple[Node, Node]) -> None:
    master, replica = nodes
    load = Load(master)
    master.kill()
    load.join()
    assert replica.call("REPLICAOF", "NO", "ONE") == b"OK"
    assert set(load.confirmed) <= written(replica)
    master.start("--replicaof", "127.0.0.1", str(replica.port))
    until(lambda: master.info().get("master_link_status") == "up")
    assert master.call("DEBUG", "DIGEST") == replica.call("DEBUG", "DIGEST")


def test_the_replica_dies(nodes: tuple[Node, Node]) -> None:
    master, replica = nodes
    load = Load(master)
    replica.kill()
    count = len(load.confirmed)
    replica.start("--replicaof", "127.0.0.1", str(master.port))
    until(lambda: len(load.confirmed) > count + 50, "no more writes are confirmed")
    load.ended.set()
    load.join()
    assert set(load.confirmed) <= written(master)
    until(lambda: master.call("DEBUG", "DIGEST") == replica.call("DEBUG", "DIGEST"))
