"""Ends and beginnings: of nodes under subscribers, and later ones; of a router under load; of clients and files."""

from __future__ import annotations

import contextlib
import resource
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kedis.resp.replies import encode_command
from tests.oracle import Oracle
from tests.replication.masters import PATIENCE, until
from tests.router.clusters import Cluster, ClusterNode, long, redis_program, slot_of
from tests.router.doors import Door, Wire

# -- a node that dies under subscribers -----------------------------------------------------------------------


@pytest.fixture
def harmed(nodes: Cluster) -> Iterator[Cluster]:
    yield nodes
    nodes.heal()


def test_a_node_that_dies_under_subscribers(harmed: Cluster) -> None:
    """They are disconnected, subscribe again, and get what is published once the shard has another master."""
    with Door(harmed.url, "--upstream-timeout-ms", "1000", metrics=False) as door:
        channel, other = f"{harmed.tag(0)}news", f"{harmed.tag(1)}other"
        bystander = door.wire()
        assert bystander.call("SSUBSCRIBE", other)[1] == other.encode()
        subscribers = {kind: door.wire() for kind in ("", "S")}
        for kind, wire in subscribers.items():
            assert wire.call(f"{kind}SUBSCRIBE", channel)[1] == channel.encode()
            door.call(f"{kind}PUBLISH", channel, "before")
            assert wire.receive()[1:] == [channel.encode(), b"before"]
        victim = _sender(harmed, channel)
        assert victim is harmed.owner(channel), "one node sends both"
        harmed.hasty()
        victim.kill()
        for wire in subscribers.values():
            with pytest.raises((ConnectionError, OSError)):
                wire.receive()
            wire.close()
        harmed.await_failover(victim)
        for kind in subscribers:
            until(lambda kind=kind: _hears(door, kind, channel))
        door.call("SPUBLISH", other, "x")
        assert bystander.receive()[2] == b"x", "its node lives"
        bystander.close()


def _hears(door: Door, kind: str, channel: str) -> bool:
    """Whether a new subscription hears what is published behind it; refused ones are errors or ends."""
    wire = door.wire()
    with contextlib.closing(wire), contextlib.suppress(ConnectionError):
        wire.settimeout(PATIENCE)
        reply = wire.call(f"{kind}SUBSCRIBE", channel)
        if isinstance(reply, list) and isinstance(door.call(f"{kind}PUBLISH", channel, "after"), int):
            return bool(wire.receive()[1:] == [channel.encode(), b"after"])
    return False


def _sender(nodes: Cluster, channel: str) -> ClusterNode:
    """The node that sends the messages of a channel to the router."""
    for node in nodes.masters:
        names = node.call("PUBSUB", "CHANNELS") + node.call("PUBSUB", "SHARDCHANNELS")
        if channel.encode() in names:
            return node
    raise AssertionError(f"nobody sends {channel}")


# -- nodes that come later ------------------------------------------------------------------------------------


def test_nodes_that_come_later(harmed: Cluster, door: Door, tmp_path: Any) -> None:
    """A fourth master joins, gets a slot, and is found and used; it gives the slot back, and is forgotten."""
    # Else it follows the one to whom it gives its last slot.
    settings = "cluster-allow-replica-migration no\n"
    newcomer = ClusterNode(redis_program(), 99, tmp_path, settings, gated=False)
    (newcomer.folder / "nodes.conf").write_text(
        newcomer.describe("myself,master", "-", "") + "\nvars currentEpoch 0 lastVoteEpoch 0\n"
    )
    tag = harmed.tag(1)
    slot, home = slot_of(tag), harmed.owner(tag)
    wire = door.wire()
    keys = [f"{tag}{number}" for number in range(20)]
    wire.pipeline(("SET", key, key) for key in keys)
    newcomer.start()
    try:
        newcomer.call("CLUSTER", "MEET", "127.0.0.1", home.port, home.bus)
        until(lambda: all(newcomer.id.encode() in node.call("CLUSTER", "NODES") for node in harmed.nodes))
        until(lambda: b"cluster_state:ok" in newcomer.call("CLUSTER", "INFO"))
        harmed.nodes.append(newcomer)
        harmed.move(slot, newcomer)
        assert [wire.call("GET", key) for key in keys] == [key.encode() for key in keys]
        assert wire.call("SET", f"{tag}new", 1) == b"OK"
        assert newcomer.call("GET", f"{tag}new") == b"1"
        # Found by itself, too, and not by the redirect alone: it counts as a shard.
        until(lambda: f"127.0.0.1:{newcomer.known}".encode() in wire.call("INFO", "router"))
        until(lambda: b"router_shards:4" in wire.call("INFO", "router"))
        assert wire.call("DBSIZE") == 21
        until(lambda: door.total("kedis_router_up", shard=f"127.0.0.1:{newcomer.known}") == 1)
        harmed.move(slot, home)
        until(lambda: b"router_shards:3" in wire.call("INFO", "router"))
        assert wire.call("GET", f"{tag}new") == b"1"
    finally:
        if newcomer in harmed.nodes:
            harmed.nodes.remove(newcomer)
        newcomer.kill()
        for node in harmed.nodes:
            node.call("CLUSTER", "FORGET", newcomer.id)
        wire.close()


# -- a router that is stopped under load ----------------------------------------------------------------------


class Writer(threading.Thread):
    """Sends pipelines of RPUSH until the connection ends; keeps what was acknowledged, and what came at the end."""

    def __init__(self, wire: Wire, key: str) -> None:
        super().__init__(daemon=True)
        self.wire = wire
        self.key = key
        self.acked = 0
        self.rest = b""

    def run(self) -> None:
        sock, sent, received = self.wire._socket, 0, b""
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(
                    b"".join(
                        encode_command([b"RPUSH", self.key.encode(), b"%d" % n])
                        for n in range(sent, sent + 50)
                    )
                )
                sent += 50
                while self.acked < sent:
                    data = sock.recv(65536)
                    if not data:
                        self.rest = received
                        return
                    *lines, received = (received + data).split(b"\r\n")
                    for line in lines:
                        assert line == b":%d" % (self.acked + 1), line
                        self.acked += 1
        self.rest = received


@pytest.mark.parametrize("how", ["SIGTERM", "SHUTDOWN"])
def test_a_router_that_is_stopped_under_load(nodes: Cluster, how: str) -> None:
    """What was acknowledged is in the nodes; no reply is cut off; the exit code is 0."""
    with Door(nodes.url, metrics=False) as door:
        writers = [Writer(door.wire(), f"{nodes.tag(number % 3)}log:{number}") for number in range(12)]
        blocked = door.wire()
        blocked.send_all(("BLPOP", f"{nodes.tag(0)}nothing", 0))
        for writer in writers:
            writer.start()
        until(lambda: all(writer.acked > 100 for writer in writers))
        if how == "SIGTERM":
            door.process.send_signal(signal.SIGTERM)
        else:
            with contextlib.suppress(ConnectionError):
                door.call("SHUTDOWN")
        assert door.process.wait(60) == 0, door.output()
        for writer in writers:
            writer.join(60)
            assert not writer.is_alive()
            assert writer.rest == b"", f"half a reply: {writer.rest!r}"
            written = nodes.call(writer.key, "LRANGE", writer.key, 0, -1)
            assert writer.acked <= len(written)
            assert written == [b"%d" % number for number in range(len(written))]
            writer.wire.close()
        with pytest.raises((ConnectionError, OSError)):
            blocked.receive()
        blocked.close()
        assert "Traceback" not in door.output()


# -- clients that come and go, and descriptors ----------------------------------------------------------------


@pytest.mark.parametrize("rounds", [300, pytest.param(20_000, marks=long)])
def test_clients_that_connect_again_and_again(nodes: Cluster, rounds: int) -> None:
    """With something under way when they leave, of each kind: neither descriptors nor memory grow."""
    tag = nodes.tag(0)
    with Door(nodes.url, metrics=False) as door:
        asked: list[list[tuple[Any, ...]]] = [
            [("SET", f"{tag}k", 1), ("GET", f"{tag}k")],
            [("WATCH", f"{tag}k"), ("MULTI",), ("SET", f"{tag}k", 2)],
            [("BLPOP", f"{tag}nothing", 0)],
            [("SUBSCRIBE", "news")],
            [("MGET", "a", "b", "c", f"{tag}k")] * 10,
            [("SCAN", 0)],
        ]

        def turn(count: int) -> int:
            for number in range(count):
                wire = door.wire()
                wire.send_all(*asked[number % len(asked)])
                if number % 4:
                    wire.receive() if number % len(asked) != 2 else None
                wire.close()
            until(lambda: b"connected_clients:1\r" in door.call("INFO", "clients"))
            until(lambda: b"blocked_clients:0\r" in door.call("INFO", "clients"))
            return door.open_files()

        files, size = turn(200), door.resident_bytes()
        assert turn(rounds) <= files + 5
        assert door.resident_bytes() - size < 4_000_000 + 200 * rounds
        assert "Traceback" not in door.output()


def test_descriptors_that_run_out(oracle: Oracle) -> None:
    """Who has a connection is served; who cannot get one is told, or waits; all goes on once there are some again."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Door(f"redis://127.0.0.1:{oracle.port}", metrics=False) as door:
        first = door.wire()
        assert first.call("SET", "k", 1) == b"OK"
        most = door.open_files() + 30
        resource.prlimit(door.process.pid, resource.RLIMIT_NOFILE, (most, limit[1]))
        # Each that blocks needs a second one, to the node: so some cannot have it.
        wires = []
        for _ in range(60):
            with contextlib.suppress(OSError):
                wires.append(door.wire())
                wires[-1].send_all(("BLPOP", "nothing", 0))
        for number in range(50):
            assert first.pipeline([("SET", "k", number), ("GET", "k")]) == [b"OK", b"%d" % number]
        assert door.open_files() <= most
        for wire in wires:
            wire.close()
        until(lambda: b"connected_clients:1\r" in first.call("INFO", "clients"))
        last = door.wire()
        last.settimeout(PATIENCE)
        assert last.call("GET", "k") == b"49"
        assert oracle.call("LPUSH", "nothing", 1) == 1
        assert last.call("BLPOP", "nothing", 0) == [b"nothing", b"1"]
        last.close()
        first.close()
        assert "Traceback" not in door.output()
