"""Clients that do not read, and shards that do not answer: bounded memory, and nobody else waits."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.replication.masters import until
from tests.router.clusters import Cluster
from tests.router.doors import Door

MEGABYTE = 1 << 20
#: What the router may keep for one client that does not read, and for one shard that does not answer.
BOUND_BYTES = 80 * MEGABYTE


@pytest.fixture
def fresh(nodes: Cluster) -> Iterator[Door]:
    """A router of its own, whose memory is looked at."""
    with Door(nodes.url, "--upstream-timeout-ms", "60000") as running:
        running.call("PING")
        yield running


def flood(door: Door, request: bytes, megabytes: int) -> int:
    """Send requests without reading a reply, until nothing more is taken; how many bytes were."""
    sent = 0
    with door.connect() as client:
        client.settimeout(3)
        piece = request * (MEGABYTE // len(request) + 1)
        with contextlib.suppress(TimeoutError):
            while sent < megabytes * MEGABYTE:
                sent += client.send(piece)
    return sent


def test_a_client_that_never_reads(fresh: Door, nodes: Cluster) -> None:
    """It asks for 3 GB, and gets no more than fits between it and the nodes."""
    fresh.call("SET", "large", b"x" * MEGABYTE)
    before = fresh.resident_bytes()
    with fresh.connect() as client:
        client.sendall(b"*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n" * 3000)
        most, others = 0, fresh.wire()
        for number in range(300):
            most = max(most, fresh.resident_bytes() - before)
            assert (
                others.pipeline([("SET", f"key:{number}", number), ("GET", f"key:{number}")])[1] is not None
            )
            time.sleep(0.005)
        assert most < BOUND_BYTES, most
        # It reads at last, and everything is there.
        expected = len(b"$1048576\r\n") + MEGABYTE + 2
        received = 0
        while received < 20 * expected:
            received += len(client.recv(MEGABYTE))
        others.close()
    until(lambda: fresh.call("PING") == b"PONG" or fresh.call("PING") == "PONG")


def test_a_slow_shard_bounds_what_is_sent_to_it(fresh: Door, nodes: Cluster) -> None:
    """A client floods a shard that is paused: it is not read from any longer; others and other shards go on."""
    tags = [nodes.tag(shard) for shard in range(3)]
    for tag in tags:
        fresh.call("SET", f"{tag}x", 1)
    before = fresh.resident_bytes()
    victim = nodes.owner(tags[1])
    victim.pause()
    try:
        key = f"{tags[1]}flood".encode()
        request = b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$10000\r\n%s\r\n" % (len(key), key, b"x" * 10_000)
        sent = flood(fresh, request, 400)
        assert sent < BOUND_BYTES + 20 * MEGABYTE, sent  # and what the kernel keeps
        assert fresh.resident_bytes() - before < BOUND_BYTES
        others = fresh.wire()
        for number in range(100):
            name = f"{tags[0]}{number}"
            assert others.pipeline([("SET", name, number), ("GET", name)]) == [b"OK", str(number).encode()]
        assert others.call("GET", f"{tags[2]}x") == b"1"
        others.close()
    finally:
        victim.resume()
    until(lambda: fresh.call("GET", f"{tags[1]}x") == b"1")


def test_many_clients_of_a_slow_shard(fresh: Door, nodes: Cluster) -> None:
    """Hundreds of clients wait for one shard; all are answered when it goes on, each with its own reply."""
    tag, other = nodes.tag(0), nodes.tag(1)
    for number in range(300):
        fresh.call("SET", f"{tag}{number}", number)
    victim = nodes.owner(tag)
    victim.pause()
    wires = [fresh.wire() for _ in range(300)]
    try:
        for number, wire in enumerate(wires):
            wire.send_all(("GET", f"{tag}{number}"), ("INCR", f"{other}{number}"))
        assert fresh.call("SET", f"{other}x", 1) == b"OK"
        shard = f"127.0.0.1:{victim.known}"
        until(lambda: fresh.total("kedis_router_in_flight", shard=shard) >= 300)
    finally:
        victim.resume()
    for number, wire in enumerate(wires):
        assert [wire.receive(), wire.receive()] == [str(number).encode(), 1]
        wire.close()
    until(lambda: fresh.total("kedis_router_in_flight") == 0)


def test_clients_that_leave_in_the_midst(fresh: Door, nodes: Cluster) -> None:
    """Replies to those who have gone are thrown away, and belong to nobody else."""
    fresh.call("SET", "theirs", b"y" * 100_000)
    for _ in range(50):
        with fresh.connect() as client:
            client.sendall(b"*2\r\n$3\r\nGET\r\n$6\r\ntheirs\r\n" * 20)
        wire = fresh.wire()
        assert wire.pipeline([("SET", "mine", "x"), ("GET", "mine"), ("ECHO", "e")]) == [b"OK", b"x", b"e"]
        wire.close()
    until(lambda: fresh.call("INFO", "clients").decode().split("connected_clients:")[1].split()[0] == "1")
