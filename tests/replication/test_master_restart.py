"""A master that starts again from its snapshot goes on with its history: replicas need no other snapshot."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replication.masters import until
from tests.replication.sentinels import Node, make_node


@pytest.fixture(params=["kedis", "redis"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    """A Kedis master, and a replica."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    master = make_node("kedis", 0, tmp_path, program)
    replica = make_node(request.param, 1, tmp_path, program)
    master.start()
    replica.start("--replicaof", "127.0.0.1", str(master.port))
    until(lambda: "state=online" in master.info().get("slave0", ""))
    yield master, replica
    for node in (master, replica):
        node.kill()


def start_again(master: Node, *words: str) -> None:
    with contextlib.suppress(ConnectionError):
        master.call("SHUTDOWN", *words)
    master.wait()
    master.start()


def test_replicas_follow_on(nodes: tuple[Node, Node]) -> None:
    master, replica = nodes
    master.call("SET", "kept", 1)
    master.call("SET", "short", 1, "PX", 200)
    assert master.call("WAIT", 1, 60_000) == 1
    before = master.info()
    start_again(master, "SAVE", "NOW")
    after = master.info()
    assert after["master_replid2"] == before["master_replid"] != after["master_replid"]
    assert int(after["second_repl_offset"]) >= int(before["master_repl_offset"]) + 1
    assert after["repl_backlog_active"] == "1"
    until(lambda: replica.info()["master_link_status"] == "up")
    assert (figures := master.info("stats"))["sync_partial_ok"] == "1" and figures["sync_full"] == "0"
    assert master.call("SET", "after", 2) == b"OK"
    assert master.call("WAIT", 1, 60_000) == 1
    assert replica.call("MGET", "kept", "after") == [b"1", b"2"]
    # What has expired while nobody was there: the replica learns of it.
    until(lambda: replica.call("DBSIZE") == master.call("DBSIZE") == 2)
    until(lambda: replica.call("DEBUG", "DIGEST") == master.call("DEBUG", "DIGEST"))


def test_a_replica_that_has_more_than_the_snapshot_copies_everything(nodes: tuple[Node, Node]) -> None:
    master, replica = nodes
    master.call("SET", "saved", 1)
    assert master.call("SAVE") == b"OK"
    master.call("SET", "lost", 1)
    assert master.call("WAIT", 1, 60_000) == 1
    master.kill()
    master.start()
    until(lambda: replica.info()["master_link_status"] == "up")
    assert master.info("stats")["sync_full"] == "1"
    assert replica.call("EXISTS", "lost") == 0
    assert replica.call("GET", "saved") == b"1"
