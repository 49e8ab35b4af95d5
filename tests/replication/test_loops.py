"""Servers that follow themselves or each other: the data stay, the log says why, and they try again with a pause."""

from __future__ import annotations

import itertools
import logging

import pytest

from tests.ports import free_port
from tests.replication.pairs import eventually
from tests.replication.test_chains import Start, assert_equal, port_of, start

__all__ = ["start"]

#: Seconds between two attempts are one; a clock may be a little behind.
_PAUSE = 0.9


def attempts(caplog: pytest.LogCaptureFixture, port: int) -> list[float]:
    """When a Kedis of this process has tried to connect to ``port``."""
    wanted = f"Connecting to MASTER 127.0.0.1:{port}"
    return [record.created for record in caplog.records if record.getMessage() == wanted]


def assert_patient(caplog: pytest.LogCaptureFixture, port: int) -> None:
    """It tries again, and not at once."""
    begun = len(attempts(caplog, port))
    eventually(lambda: len(attempts(caplog, port)) > begun + 1, "another attempt")
    times = attempts(caplog, port)
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > _PAUSE


def said(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return any(words in record.getMessage() for record in list(caplog.records))


def test_itself(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kedis.replication")
    server = start("kedis")
    server.set("old", "1")
    server.replicaof("127.0.0.1", port_of(server))
    eventually(
        lambda: said(caplog, "-NOMASTERLINK Can't SYNC while not connected with my master"), "a reason"
    )
    assert_patient(caplog, port_of(server))
    assert server.get("old") == b"1" and server.info("stats")["sync_full"] == 0
    assert server.info("replication")["master_link_status"] == "down"
    server.replicaof("NO", "ONE")
    assert server.set("new", "1") and server.dbsize() == 2


@pytest.mark.parametrize("kinds", ["kedis kedis", "kedis redis", "kedis redis kedis"])
def test_each_other(start: Start, kinds: str, caplog: pytest.LogCaptureFixture) -> None:
    """Each follows the one before it, and the first the last."""
    caplog.set_level(logging.INFO, "kedis.replication")
    servers = list(map(start, kinds.split()))
    for number, server in enumerate(servers):
        server.set(f"old:{number}", "1")
    leaders = [servers[-1], *servers[:-1]]
    nobody = free_port()
    for server in servers:  # whoever still is a master would give its data to the next
        server.replicaof("127.0.0.1", nobody)
    for server, leader in zip(servers, leaders, strict=True):
        server.replicaof("127.0.0.1", port_of(leader))
    eventually(lambda: said(caplog, "NOMASTERLINK"), "a reason")
    assert_patient(caplog, port_of(servers[-1]))
    for number, server in enumerate(servers):
        assert server.get(f"old:{number}") == b"1" and server.dbsize() == 1
        assert server.info("replication")["master_link_status"] == "down"
    servers[0].replicaof("NO", "ONE")  # the way out
    for server in servers[1:]:
        eventually(lambda server=server: server.info("replication")["master_link_status"] == "up", "a link")
    servers[0].set("new", "1")
    assert_equal(*servers)
    assert servers[-1].keys("old:*") == [b"old:0"]
