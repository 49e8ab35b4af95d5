"""What a client's connection does with a request, without its socket."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

from kedis.commands import load_all
from kedis.engine.engine import Engine
from kedis.router.fleet import Fleet
from kedis.router.flow import UpstreamRequest
from kedis.router.planning import Planner
from kedis.router.routed_connection import RoutedConnection
from kedis.router.topology import Shard, Topology

load_all()
ONE, TWO = ("10.0.0.1", 1), ("10.0.0.2", 2)


def test_every_master_is_asked_while_a_slot_is_known_to_have_moved() -> None:
    """MOVED has told of the lowest slot of a master before the new topology is known: it has the others."""
    topology = Topology([Shard(ONE, [], [(0, 8191)]), Shard(TWO, [], [(8192, 16383)])])
    topology.move(8192, ONE)
    asked: list[Any] = []
    fleet: Any = SimpleNamespace(
        topology=topology,
        clock=lambda: 0,
        send=lambda part: asked.append(topology.masters[part.slot]),
        send_to=lambda address, _: asked.append(address),
    )
    client: Any = SimpleNamespace(
        fleet=fleet,
        _request=lambda *_: UpstreamRequest(None, b"", None, 0, False, 0),
        _hold_next=lambda: None,
        _bound=lambda _: None,
    )
    client._parted = partial(RoutedConnection._parted, client)
    RoutedConnection._to_every(client, SimpleNamespace(join=len), [b"FLUSHALL"])  # type: ignore[arg-type]
    assert asked == [ONE, TWO]


def test_what_one_node_is_asked_stays_with_it() -> None:
    """SCAN asks the node that takes a slot in for its keys: after a lost connection, too, and not the slot's master."""
    sent: list[Any] = []
    fleet: Any = SimpleNamespace(
        topology=Topology([Shard(ONE, [], [(0, 16383)])]),
        clock=lambda: 0,
        send=lambda part: None,
        send_to=lambda address, part: sent.append((address, part)),
        node=lambda address: address,
        shared=lambda node, *_: node,
    )
    client: Any = SimpleNamespace(
        fleet=fleet, number=0, closed=False, _call=lambda: None, _pause=lambda done: None
    )
    whole = UpstreamRequest(None, b"", None, 0, False, 0)
    asked: Any = [(0, ONE, [b"CLUSTER"]), (0, TWO, [b"CLUSTER"])]
    RoutedConnection._ask_nodes(client, whole, asked)
    assert [address for address, _ in sent] == [ONE, TWO]
    (_, first), (_, second) = sent
    assert first.own is None
    assert Fleet.pipe_to(fleet, ONE, second) == TWO  # type: ignore[comparison-overlap]


def test_replicas_are_no_change_of_who_serves() -> None:
    fleet: Any = SimpleNamespace(
        topology=Topology([]), topology_changes=0, forget_routes=lambda: None, node=lambda _: None
    )
    for replicas in ([], [TWO], [TWO, ("10.0.0.3", 3)]):
        Fleet.take_topology(fleet, Topology([Shard(ONE, replicas, [(0, 16383)])]))
        assert fleet.topology.shards[0].replicas == replicas
    assert fleet.topology_changes == 0
    Fleet.take_topology(fleet, Topology([Shard(TWO, [], [(0, 16383)])]))
    assert fleet.topology_changes == 1


def test_a_transaction_is_looked_at_once() -> None:
    """Each command that is queued must be in the slot of those before it, which are not looked at anew."""
    table = Engine().table
    planner = Planner(table, in_cluster=True)
    looked = 0

    def slot(*words: Any) -> int:
        nonlocal looked
        looked += 1
        return planner.slot(*words)

    fleet: Any = SimpleNamespace(in_cluster=True, planner=SimpleNamespace(plan=planner.plan, slot=slot))
    client: Any = SimpleNamespace(
        fleet=fleet,
        server=SimpleNamespace(engine=SimpleNamespace(table=table)),
        client=SimpleNamespace(queue=[]),
        _watching_slot=-1,
        _queue=[],
        _queue_size=0,
        _queue_slots=set(),
    )
    client._slots_of = partial(getattr(RoutedConnection, "_slots_of", print), client)
    for turn in range(2):
        client.client.queue = []
        for number in range(100):
            words = [b"SET", b"{%d}%d" % (turn, number), b""]
            assert RoutedConnection._may_queue(client, words)
            client.client.queue.append((table.rows[b"set"], words))
    assert looked <= 400
