"""A master killed, a node paused, connections cut: no wrong reply, nothing lost that Redis keeps, errors in time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.oracle import Oracle
from tests.replication.sentinels import Gate
from tests.router.clusters import Cluster, long, slot_of, until
from tests.router.doors import Door, Wire
from tests.router.load import Client, Load

#: Far beyond what requests may take: the retries, a time-out of a node, and a machine that is busy.
BOUND_SECONDS = 40.0


@pytest.fixture
def harmed(nodes: Cluster) -> Iterator[Cluster]:
    """The shared cluster, which is healed after the test, whatever has become of it."""
    yield nodes
    nodes.heal()


@pytest.fixture(scope="module")
def quick_door(shared_cluster: Cluster) -> Iterator[Door]:
    """A router that gives up a node that says nothing for a second."""
    with Door(shared_cluster.url, "--upstream-timeout-ms", "1000") as running:
        yield running


@pytest.fixture
def impatient_door(shared_cluster: Cluster) -> Iterator[Door]:
    """A router that tries again for half a second alone."""
    with Door(shared_cluster.url, "--upstream-timeout-ms", "1000", "--upstream-retry-ms", "500") as running:
        yield running


def kept(nodes: Cluster, clients: list[Client]) -> dict[str, int]:
    """Numbers of writes that were acknowledged, and that the replicas have, too."""
    found = {key.name: key.acked for client in clients for key in client.keys}
    for node in nodes.masters:
        wire = Wire(node.port)
        # On the same connection, after all that was acknowledged before: WAIT is about the whole stream up to here.
        replies = wire.pipeline([("SET", _key_of(nodes, node), "x"), ("WAIT", 1, 60_000)])
        assert replies[-1] >= 1
        wire.close()
    return found


def _key_of(nodes: Cluster, node: Any) -> str:
    first = next(first for first, _, owner in nodes.ranges() if owner is node)
    last = next(last for _, last, owner in nodes.ranges() if owner is node)
    return next(f"marker:{n}" for n in range(10_000) if first <= slot_of(f"marker:{n}") <= last)


def test_a_master_killed_and_failed_over(quick_door: Door, harmed: Cluster) -> None:
    tags = [harmed.tag(shard) for shard in range(3)]
    victim = harmed.owner(tags[1])
    harmed.hasty()
    with Load(quick_door.port, tags, losses=True) as load:
        confirmed = kept(harmed, load.clients)
        victim.kill()
        harmed.await_failover(victim)
        load.goes_on(300)
        before = len(load.errors)
        load.goes_on(300)
        assert len(load.errors) - before < 20, f"errors go on: {load.errors[-3:]}"
    load.check(harmed.call)
    for name, number in confirmed.items():
        value = harmed.call(name, "GET", name)
        assert number == 0 or int(value.decode().rpartition("=")[2]) >= number, name
    assert load.longest_seconds < BOUND_SECONDS
    assert quick_door.total("kedis_router_topology_changes_total") > 0
    assert victim.known not in {int(labels["shard"].rpartition(":")[2]) for labels, _ in _up(quick_door)}


def _up(door: Door) -> list[tuple[dict[str, str], float]]:
    return door.metrics()["kedis_router_up"]


def test_the_last_one_standing_answers(impatient_door: Door, harmed: Cluster) -> None:
    """A shard without a replica is killed: its requests are errors, in bounded time, until it is there again."""
    tags = [harmed.tag(shard) for shard in range(3)]
    victim = harmed.owner(tags[0])
    for node in harmed.nodes:
        node.call(
            "CONFIG", "SET", "cluster-require-full-coverage", "no", "cluster-replica-no-failover", "yes"
        )
    try:
        impatient_door.call("SET", f"{tags[0]}x", 1)
        impatient_door.call("SET", f"{tags[1]}x", 1)
        victim.kill()
        wire = impatient_door.wire()
        began = time.monotonic()
        replies = wire.pipeline([("GET", f"{tags[0]}x"), ("GET", f"{tags[1]}x")])
        assert time.monotonic() - began < BOUND_SECONDS
        assert isinstance(replies[0], str) and replies[0] != "x", replies
        assert replies[1] == b"1"
        assert isinstance(wire.call("MGET", f"{tags[0]}x", f"{tags[1]}x"), str)
        assert isinstance(wire.call("DBSIZE"), str)
        until(lambda: 0.0 in [value for _, value in _up(impatient_door)])
        victim.start()
        until(lambda: isinstance(wire.call("SET", f"{tags[0]}x", 2), bytes))
        until(lambda: 0.0 not in [value for _, value in _up(impatient_door)])
        wire.close()
    finally:
        for node in harmed.answering:
            node.call(
                "CONFIG", "SET", "cluster-require-full-coverage", "yes", "cluster-replica-no-failover", "no"
            )


def test_a_paused_node_holds_up_its_own_requests_only(quick_door: Door, harmed: Cluster) -> None:
    tags = [harmed.tag(shard) for shard in range(3)]
    victim = harmed.owner(tags[2])
    waiting, others = quick_door.wire(), quick_door.wire()
    quick_door.call("SET", f"{tags[2]}x", "before")
    victim.pause()
    try:
        waiting.send_all(("GET", f"{tags[2]}x"), ("GET", f"{tags[2]}x"))
        for number in range(300):
            key = f"{tags[number % 2]}{number}"
            assert others.pipeline([("SET", key, number), ("GET", key)]) == [b"OK", str(number).encode()]
        began = time.monotonic()
        replies = [waiting.receive() for _ in range(2)]
        assert all(isinstance(reply, str) or reply == b"before" for reply in replies), replies
        assert time.monotonic() - began < BOUND_SECONDS
    finally:
        victim.resume()
    until(lambda: waiting.call("GET", f"{tags[2]}x") == b"before")
    waiting.close()
    others.close()


@long
def test_a_paused_master_is_failed_over(quick_door: Door, harmed: Cluster) -> None:
    """What the paused one was asked shows nowhere once it comes back as a replica."""
    tags = [harmed.tag(shard) for shard in range(3)]
    victim = harmed.owner(tags[1])
    harmed.hasty()
    with Load(quick_door.port, tags, losses=True) as load:
        confirmed = kept(harmed, load.clients)
        victim.pause()
        harmed.await_failover(victim)
        load.goes_on()
        victim.resume()
        harmed.settle()
        load.goes_on()
    load.check(harmed.call)
    for name, number in confirmed.items():
        value = harmed.call(name, "GET", name)
        assert number == 0 or int(value.decode().rpartition("=")[2]) >= number, name
    assert load.longest_seconds < BOUND_SECONDS


def test_connections_that_nodes_close_again_and_again(quick_door: Door, nodes: Cluster) -> None:
    """Every request is answered: right, or by an error that says that it may have been executed or not."""
    tags = [nodes.tag(shard) for shard in range(3)]
    with Load(quick_door.port, tags) as load:
        for turn in range(12):
            nodes.masters[turn % 3].cut_clients()
            load.goes_on(20)
    load.check(nodes.call)
    assert quick_door.total("kedis_router_up") == 3


REPLIES = b"".join(b"$%d\r\n%s\r\n" % (len(str(n) * 3), str(n).encode() * 3) for n in range(100, 140))


class Scissors(Gate):
    """A gate that lets so many bytes of replies through, and closes then."""

    allowed: int | None = None

    def _pump(self, one: Any, other: Any) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if self.allowed is not None and one.getpeername()[1] == self._target:
                    data, rest = data[: self.allowed], data[self.allowed :]
                    self.allowed -= len(data)
                    if rest:
                        self.allowed = None
                        other.sendall(data)
                        break
                other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(2)


def test_a_connection_cut_in_the_midst_of_a_reply(oracle: Oracle) -> None:
    """At any byte: what came whole is passed on, what did not is an error, and the next request is answered right."""
    gate = Scissors(oracle.port)
    oracle.call("FLUSHALL")
    for number in range(100, 140):
        oracle.call("SET", f"key:{number}", str(number) * 3)
    try:
        with Door(f"redis://127.0.0.1:{gate.port}", "--upstream-connections", "1") as door:
            for at in (1, 4, 5, 14, 15, 16, 200, 299, len(REPLIES) - 1):
                wire = door.wire()
                assert wire.call("GET", "key:100") == b"100100100"
                gate.allowed = at
                # Appending nothing is a write, which is not sent again where it may have been executed.
                replies = wire.pipeline(("GETSET", f"key:{n}", str(n) * 3) for n in range(100, 140))
                assert gate.allowed is None
                whole = [
                    number
                    for number, reply in zip(range(100, 140), replies, strict=True)
                    if isinstance(reply, bytes)
                ]
                assert len(whole) >= at // 15 and len(whole) < 40, (at, replies)
                for number, reply in zip(range(100, 140), replies, strict=True):
                    assert isinstance(reply, str) or reply == str(number).encode() * 3, (at, number, reply)
                assert wire.call("GET", "key:139") == b"139139139"
                wire.close()
    finally:
        gate.close()


def test_a_failover_that_is_asked_for(harmed: Cluster) -> None:
    """A replica becomes the master by CLUSTER FAILOVER under load: no error, and nothing is lost at all."""
    tags = [harmed.tag(shard) for shard in range(3)]
    former = harmed.owner(tags[0])
    with Door(harmed.url) as door, Load(door.port, tags) as load:
        infos = [(node, node.info()) for node in harmed.nodes]
        replica = next(node for node, info in infos if info.get("master_port") == str(former.known))
        assert replica.call("CLUSTER", "FAILOVER") == b"OK"
        until(lambda: harmed.owner(tags[0]) is replica)
        load.goes_on()
    load.check(harmed.call)
    assert not load.errors, load.errors[:3]
