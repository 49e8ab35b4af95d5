"""Slots move between masters while clients write and read: no error, no wrong reply, no write lost or done twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.router.clusters import Cluster, cluster, slot_of, until
from tests.router.doors import Door
from tests.router.load import Load


def move_under_load(nodes: Cluster, door: Door) -> None:
    """Each slot goes to the next master, key by key, and back."""
    tags = [nodes.tag(shard) for shard in range(3)]
    first = nodes.masters
    before = {kind: door.total("kedis_router_redirects_total", kind=kind) for kind in ("moved", "ask")}
    with Load(door.port, tags) as load:
        for to in ([first[1], first[2], first[0]], first):
            for tag, target in zip(tags, to, strict=True):
                nodes.move(slot_of(tag), target, at_once=1)
                load.goes_on(50)
    assert not load.errors, load.errors[:5]
    load.check(nodes.call)
    for kind, count in before.items():
        assert door.total("kedis_router_redirects_total", kind=kind) > count


def test_slots_move_under_load(nodes: Cluster, door: Door) -> None:
    move_under_load(nodes, door)


def test_slots_of_valkey_move_under_load(tmp_path: Path) -> None:
    """Of a Valkey Cluster, which has other cursors and other replies at its edges."""
    with cluster(tmp_path, "valkey", replicas=0) as nodes, Door(nodes.url) as door:
        tags = [nodes.tag(shard) for shard in range(3)]
        assert door.call("MSET", *(word for tag in tags for word in (f"{tag}x", 1))) == b"OK"
        assert door.call("DBSIZE") == 3
        assert set(door.client().scan_iter(count=1)) == {f"{tag}x" for tag in tags}
        move_under_load(nodes, door)


@pytest.fixture
def half_moved(nodes: Cluster) -> Iterator[tuple[str, int, list[str]]]:
    """A slot that is on its way: of its keys ``a`` and ``b`` the one is here, the other there."""
    tag = nodes.tag(0)
    slot, keys = slot_of(tag), [f"{tag}a", f"{tag}b"]
    source, target = nodes.owner(slot), nodes.owner(nodes.tag(1))
    for key in keys:
        nodes.call(key, "SET", key, key)
    nodes.begin_move(slot, target)
    assert nodes.move_keys(slot, target, most=1) == 1
    yield tag, slot, keys
    for node in nodes.masters:
        node.call("CLUSTER", "SETSLOT", slot, "STABLE")
    if nodes.owner(slot) is not source:
        nodes.move(slot, source)
    else:
        target.call("FLUSHALL")
    nodes.settle()


def test_both_sides_of_a_moving_slot(door: Door, half_moved: tuple[str, int, list[str]]) -> None:
    tag, _, keys = half_moved
    for key in keys:
        assert door.call("GET", key) == key.encode()
        assert door.call("APPEND", key, "!") == len(key) + 1
        assert door.call("GET", key) == f"{key}!".encode()
    assert door.call("SET", f"{tag}new", "x") == b"OK"
    assert door.call("GET", f"{tag}new") == b"x"


def test_tryagain_is_tried_again(door: Door, nodes: Cluster, half_moved: tuple[str, int, list[str]]) -> None:
    """Keys of both sides in one command: answered once the slot has arrived."""
    _, slot, keys = half_moved
    wire = door.wire()
    before = door.total("kedis_router_redirects_total", kind="tryagain")
    wire.send_all(("MGET", *keys), ("PING",))
    until(lambda: door.total("kedis_router_redirects_total", kind="tryagain") > before)
    nodes.move_keys(slot, nodes.owner(nodes.tag(1)))
    assert wire.receive() == [key.encode() for key in keys]
    assert wire.receive() in (b"PONG", "PONG")
    nodes.end_move(slot, nodes.owner(nodes.tag(1)))
    assert wire.call("MGET", *keys) == [key.encode() for key in keys]
    wire.close()


def test_tryagain_ends(nodes: Cluster, half_moved: tuple[str, int, list[str]]) -> None:
    """Where the slot does not arrive in time, Redis's error is the answer."""
    _, _, keys = half_moved
    with Door(nodes.url, "--upstream-retry-ms", "200") as door:
        assert door.call("RENAME", *keys).startswith("TRYAGAIN")
        assert door.call("GET", keys[0]) == keys[0].encode()


def test_the_order_of_a_pipeline_survives_a_move(nodes: Cluster, door: Door) -> None:
    """Writes of one client to one key take effect in the order in which they were sent."""
    tag, ended = nodes.tag(2), threading.Event()
    slot, key = slot_of(tag), f"{tag}log"
    home, other = nodes.owner(slot), nodes.owner(nodes.tag(0))

    def move() -> None:
        while not ended.is_set():
            nodes.move(slot, other)
            nodes.move(slot, home)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        wire, sent = door.wire(), 0
        for _ in range(300):
            replies = wire.pipeline(("RPUSH", key, sent + n) for n in range(40))
            assert replies == list(range(sent + 1, sent + 41))
            sent += 40
        wire.close()
    finally:
        ended.set()
        mover.join(60)
    assert nodes.call(key, "LRANGE", key, 0, -1) == [str(n).encode() for n in range(sent)]


def test_who_waits_where_a_slot_does_not_come(nodes: Cluster) -> None:
    """A move that is given up sends those that wait at its target back, however long they have waited there."""
    tag, target = nodes.tag(0), nodes.owner(nodes.tag(1))
    slot, source = slot_of(tag), nodes.owner(tag)
    with Door(nodes.url, "--upstream-retry-ms", "500") as door:
        nodes.begin_move(slot, target)
        wire = door.wire()
        wire.send_all(("BLPOP", f"{tag}queue", 0))
        until(lambda: target.info("clients")["blocked_clients"] == "1")
        time.sleep(1.5)  # longer than the router tries
        for node in (source, target):
            assert node.call("CLUSTER", "SETSLOT", slot, "STABLE") == b"OK"
        until(lambda: source.info("clients")["blocked_clients"] == "1")
        door.call("RPUSH", f"{tag}queue", "there")
        assert wire.receive() == [f"{tag}queue".encode(), b"there"]
        wire.close()
    nodes.settle()
