"""Kedis and Redis in every order: master, replica, replica of a replica; and the role that changes hands."""

from __future__ import annotations

import itertools
import signal
import threading
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


@pytest.mark.parametrize("kinds", ["kedis kedis kedis", "redis kedis kedis", "kedis redis kedis"])
def test_failover(start: Start, kinds: str) -> None:
    """Every write that was acknowledged, before, during and after, is on the new master."""
    old, new, other = map(start, kinds.split())
    mixed_load(old, 10, "old:")
    follow(new, old)
    follow(other, old)
    written: list[int] = []
    refused = threading.Event()

    def write() -> None:
        with redis.Redis(port=port_of(old), protocol=2) as client:
            for number in itertools.count():
                try:
                    client.set(f"number:{number}", number)
                except redis.ReadOnlyError:
                    refused.set()
                    return
                written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    eventually(lambda: len(written) > 100, "a hundred writes")
    assert old.execute_command("FAILOVER", "TO", "127.0.0.1", port_of(new), "TIMEOUT", 60_000)
    assert refused.wait(PATIENCE_SECONDS)
    writer.join()
    eventually(lambda: new.info("replication")["role"] == "master", "the replica leads")
    eventually(lambda: old.info("replication").get("master_link_status") == "up", "the old one follows")
    assert old.info("replication")["master_failover_state"] == "no-failover"
    assert figures(new) == (0, 1)  # and no snapshot was needed
    assert new.get(f"number:{written[-1]}") == b"%d" % written[-1]
    assert new.dbsize() >= len(written)
    follow(other, new)
    mixed_load(new, 10, "new:")
    assert_equal(new, old, other)
    assert figures(new) == (0, 2)


def test_a_failover_that_nobody_can_take(start: Start) -> None:
    old, new = start("kedis"), start("kedis")

    def refusal(*words: object) -> str:
        with pytest.raises(redis.ResponseError) as caught:
            old.execute_command("FAILOVER", *words)
        return str(caught.value)

    assert refusal() == "FAILOVER requires connected replicas."
    assert refusal("ABORT") == "No failover in progress."
    follow(new, old)
    assert refusal("TO", "127.0.0.1", 1) == "FAILOVER target HOST and PORT is not a replica."
    assert (
        refusal("FORCE", "TIMEOUT", 1)
        == "FAILOVER with force option requires both a timeout and target HOST and IP."
    )
    old.config_set("repl-ping-replica-period", 1000)
    old.set("a", 1)
    assert old.execute_command("FAILOVER", "TIMEOUT", 60_000)
    eventually(lambda: new.info("replication")["role"] == "master", "the replica leads")
    with pytest.raises(redis.ResponseError, match="FAILOVER is not valid when server is a replica"):
        old.execute_command("FAILOVER")


def test_a_failover_in_vain(start: Start) -> None:
    """A replica that stands still never has everything: the master stays it, and writers go on."""
    old = start("kedis")
    stopped = Oracle()
    try:
        stopped.call("REPLICAOF", "127.0.0.1", port_of(old))
        eventually(lambda: old.info("replication").get("slave0", {}).get("state") == "online", "it follows")
        stopped.process.send_signal(signal.SIGSTOP)
        old.set("a", 1)
        assert old.execute_command("FAILOVER", "TIMEOUT", 100)
        old.set("a", 2)  # waits for the end
        assert old.info("replication")["role"] == "master"
        assert old.execute_command("FAILOVER")
        assert old.info("replication")["master_failover_state"] == "waiting-for-sync"
        with pytest.raises(redis.ResponseError, match="FAILOVER already in progress"):
            old.execute_command("FAILOVER")
        assert old.execute_command("FAILOVER", "ABORT")
        old.set("a", 3)
    finally:
        stopped.process.send_signal(signal.SIGCONT)
        stopped.close()


def test_info_and_role_are_those_of_redis(start: Start) -> None:
    def pair(kind: str) -> tuple[redis.Redis, redis.Redis]:
        leader, replica = start(kind), start(kind)
        leader.config_set("min-replicas-to-write", 1)
        follow(replica, leader)
        return leader, replica

    for ours, theirs in zip(pair("kedis"), pair("redis"), strict=True):
        assert list(ours.info("replication")) == list(theirs.info("replication"))
        our_role, their_role = ours.execute_command("ROLE"), theirs.execute_command("ROLE")
        assert [type(part) for part in our_role] == [type(part) for part in their_role]
        assert our_role[0] == their_role[0]
