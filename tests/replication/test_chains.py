"""Kedis and Redis in every order: master, replica, replica of a replica; and the role that changes hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from tests.oracle import Oracle
from tests.replication.pairs import PATIENCE_SECONDS, eventually, master, mixed_load

Start = Callable[[str], redis.Redis]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server, ``kedis`` or ``redis``, and returns a client of it."""
    with ExitStack() as stack:

        def begin(kind: str) -> redis.Redis:
            if kind == "kedis":
                port = stack.enter_context(master()).port
            else:
                oracle = Oracle("--repl-diskless-sync-delay", "0")
                stack.callback(oracle.close)
                port = oracle.port
            return stack.enter_context(redis.Redis(port=port, protocol=2))

        yield begin


def port_of(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


def follow(replica: redis.Redis, leader: redis.Redis) -> None:
    replica.replicaof("127.0.0.1", port_of(leader))
    eventually(lambda: replica.info("replication")["master_link_status"] == "up", "the link is up")


def assert_equal(leader: redis.Redis, *others: redis.Redis) -> None:
    """Wait until all have the leader's offset, and the same data: a key that is due may be deleted late."""

    def offset(client: redis.Redis) -> int:
        return int(client.info("replication")["master_repl_offset"])

    def digest(client: redis.Redis) -> Any:
        return client.execute_command("DEBUG", "DIGEST")

    for other in others:
        eventually(lambda other=other: offset(other) == offset(leader), "equal offsets")
        eventually(lambda other=other: digest(other) == digest(leader), "equal data")


def figures(client: redis.Redis) -> tuple[Any, Any]:
    stats = client.info("stats")
    return stats["sync_full"], stats["sync_partial_ok"]


@pytest.mark.parametrize(
    "kinds", ["kedis kedis kedis", "redis kedis redis", "kedis redis kedis", "kedis kedis redis"]
)
def test_a_replica_of_a_replica(start: Start, kinds: str) -> None:
    first, middle, last = map(start, kinds.split())
    mixed_load(first, 20, "before:")
    follow(middle, first)
    follow(last, middle)
    mixed_load(first, 20, "after:")
    assert_equal(first, middle, last)
    first.execute_command("CLIENT", "KILL", "TYPE", "replica")
    middle.execute_command("CLIENT", "KILL", "TYPE", "replica")
    mixed_load(first, 20, "cut:")
    assert_equal(first, middle, last)
    assert figures(first)[0] == figures(middle)[0] == 1


@pytest.mark.parametrize("kinds", ["kedis kedis kedis", "redis kedis redis", "kedis redis kedis"])
def test_the_role_changes_hands(start: Start, kinds: str) -> None:
    old, new, other = map(start, kinds.split())
    mixed_load(old, 10, "old:")
    follow(new, old)
    follow(other, old)
    assert_equal(old, new, other)
    identity = old.info("replication")["master_replid"]
    new.replicaof("NO", "ONE")
    assert new.info("replication")["master_replid2"] == identity
    mixed_load(new, 10, "new:")
    follow(other, new)
    follow(old, new)
    mixed_load(new, 10, "later:")
    assert_equal(new, old, other)
    assert figures(new) == (0, 2)  # nobody needed a snapshot
    assert new.execute_command("WAIT", 2, PATIENCE_SECONDS * 1000) == 2
