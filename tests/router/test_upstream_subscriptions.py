"""Subscriptions at nodes, without nodes: what is asked for and when, who is told, and who is disconnected."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kedis.resp.replies import encode_command
from kedis.router import upstream_subscriptions
from kedis.router.topology import Shard, Topology
from kedis.router.upstream_subscriptions import UpstreamSubscriptions
from kedis.router.upstream_url import Address

SECOND = 1_000_000_000
ONE, TWO = ("10.0.0.1", 1), ("10.0.0.2", 2)
BOTH = [Shard(ONE, [], [(0, 8191)]), Shard(TWO, [], [(8192, 16383)])]


class FakePipe:
    """Collects what is sent; ``confirm`` answers all of it."""

    def __init__(self, _fleet: Any, node: Any, *_state: int) -> None:
        self.node = node
        self.sent: list[bytes] = []
        self.opened = True
        self.progress_ns = 0
        self.on_push: Callable[[bytes], None] = lambda frame: None
        self.on_lost: Callable[[], None] = lambda: None
        self.why = ""
        node.pipe = self

    def send_only(self, wire: bytes) -> None:
        self.sent.append(wire)

    def fail(self, why: str) -> None:
        if not self.why:
            self.why = why
            self.on_lost()

    def close(self) -> None:
        self.fail("closed")


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, shards: list[Shard]) -> None:
        monkeypatch.setattr(upstream_subscriptions, "Pipe", FakePipe)
        self.now = SECOND
        self.nodes: dict[Address, Any] = {}
        self.registry = SimpleNamespace(by_name={})
        pubsub = SimpleNamespace(channels=self.registry, patterns=self.registry, shards=self.registry)
        self.fleet: Any = SimpleNamespace(
            monotonic=lambda: self.now,
            topology=Topology(shards),
            in_cluster=len(shards) > 1,
            engine=SimpleNamespace(pubsub=pubsub),
            config=SimpleNamespace(upstream_timeout_ms=2000),
            node=self._node,
            hurry=lambda: None,
        )
        self.subscriptions = UpstreamSubscriptions(self.fleet)
        self.called = 0

    def _node(self, address: Address) -> Any:
        made = SimpleNamespace(address=address, shown="", taken=set(), pipe=None)
        return self.nodes.setdefault(address, made)

    def _call(self) -> None:
        self.called += 1

    def ensure(self, command: str, name: bytes) -> None:
        self.subscriptions.ensure(command, name, self._call, self.now + 10 * SECOND)

    def pipe(self, address: Address = ONE) -> FakePipe:
        pipe: FakePipe = self.nodes[address].pipe
        return pipe

    def says(self, *words: bytes, address: Address = ONE) -> None:
        pipe = self.pipe(address)
        pipe.progress_ns = self.now
        pipe.on_push(b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words) + b":1\r\n")

    def subscriber(self, name: bytes) -> list[str]:
        """A client that has subscribed; what has become of it."""
        fate: list[str] = []
        transport = SimpleNamespace(close=lambda: fate.append("closed"))
        self.registry.by_name[name] = {_Client(transport): None}
        return fate

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds * 10)):
            self.now += SECOND // 10
            self.subscriptions.check()


class _Client:
    def __init__(self, transport: Any) -> None:
        self.transport = transport


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch, [Shard(ONE, [], [(0, 16383)])])


def test_a_late_confirmation_finds_the_name_wanted(world: World) -> None:
    """Nobody has subscribed by the engine before the node has confirmed; it is wanted all the same."""
    world.ensure("subscribe", b"news")
    world.pass_time(3)
    assert encode_command([b"unsubscribe", b"news"]) not in world.pipe().sent
    assert not world.subscriptions.all_there("subscribe", [b"news"])
    world.says(b"subscribe", b"news")
    assert world.called == 1
    assert world.subscriptions.all_there("subscribe", [b"news"])


def test_who_waits_is_told_when_the_time_is_up(world: World) -> None:
    world.ensure("subscribe", b"forbidden")
    world.pipe().on_push(b"-NOPERM no\r\n")
    world.pass_time(9)
    assert not world.called
    world.pass_time(2)
    assert world.called == 1
    world.pass_time(2)
    assert encode_command([b"unsubscribe", b"forbidden"]) in world.pipe().sent


def test_each_confirmation_concerns_those_who_wait_for_it(world: World) -> None:
    """Thousands of names by one client, or of clients with one each, are not thousands of times as many calls."""
    for number in range(500):
        world.ensure("subscribe", b"%d" % number)
    for number in range(500):
        world.says(b"subscribe", b"%d" % number)
    assert world.called == 500


def test_a_silent_node_is_asked_for_a_sign(world: World) -> None:
    """One that answers keeps its subscribers; one that does not loses them after upstream-timeout-ms."""
    world.ensure("subscribe", b"news")
    world.says(b"subscribe", b"news")
    fate = world.subscriber(b"news")
    for _ in range(5):
        world.pass_time(1.2)
        assert world.pipe().sent.pop() == encode_command([b"PING"])
        world.pipe().progress_ns = world.now
    assert not fate
    world.pass_time(2)
    assert not fate
    world.pass_time(2)
    assert fate == ["closed"]


def test_a_former_master_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lives on as a replica, and would send events of keys a second time."""
    world = World(monkeypatch, BOTH)
    name = b"__keyspace@0__:k"
    world.ensure("subscribe", name)
    for address in (ONE, TWO):
        world.says(b"subscribe", name, address=address)
    assert world.called == 1
    fate = world.subscriber(name)
    three = ("10.0.0.3", 3)
    former = world.pipe(TWO)
    world.fleet.topology = Topology([BOTH[0], Shard(three, [TWO], [(8192, 16383)])])
    world.pass_time(0.1)
    assert former.why == "closed"
    assert fate == ["closed"]
    assert world.pipe(three).sent == [encode_command([b"subscribe", name])]


def test_a_slot_that_moves_takes_its_subscribers_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node ends the subscription; what is published meanwhile is missed, which the subscribers must know."""
    world = World(monkeypatch, BOTH)
    world.ensure("ssubscribe", b"foo")  # slot 12182
    world.says(b"ssubscribe", b"foo", address=TWO)
    fate = world.subscriber(b"foo")
    world.fleet.topology.move(12182, ONE)
    world.says(b"sunsubscribe", b"foo", address=TWO)
    assert fate == ["closed"]
    world.pass_time(0.1)
    assert world.pipe(ONE).sent == [encode_command([b"ssubscribe", b"foo"])]
