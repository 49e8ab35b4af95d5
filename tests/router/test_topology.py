"""The topology, from replies to CLUSTER SLOTS."""

from __future__ import annotations

from typing import Any

import pytest

from kedis.router.hash_slots import SLOTS
from kedis.router.topology import parse_slots, single

ASKED = ("here", 1)
A, B, C = ("a", 1), ("b", 2), ("c", 3)


def node(address: tuple[str, int]) -> list[Any]:
    return [address[0].encode(), address[1], b"id", []]


REPLY = [
    [8000, SLOTS - 1, node(B), node(C)],
    [0, 99, node(A)],
    [101, 7999, node(A)],
]


def test_masters_and_replicas() -> None:
    topology = parse_slots(REPLY, ASKED)
    assert topology.addresses == [A, B]
    assert topology.masters[0] == topology.masters[7999] == A
    assert topology.masters[8000] == topology.masters[SLOTS - 1] == B
    assert topology.masters[100] is None
    first, second = topology.shards
    assert first.ranges == [(0, 99), (101, 7999)]
    assert second.replicas == [C]


def test_an_unknown_host_is_that_of_the_node_asked() -> None:
    for host in (b"", b"?", None):
        topology = parse_slots([[0, SLOTS - 1, [host, 7, b"id"]]], ASKED)
        assert topology.addresses == [("here", 7)]


@pytest.mark.parametrize(
    "reply", [None, [], b"OK", 3, [[0]], [[0, 1]], [[0, SLOTS, node(A)]], [[5, 4, node(A)]], [[0, 1, 2]]]
)
def test_other_replies(reply: Any) -> None:
    with pytest.raises(ValueError, match=r"form|no node"):
        parse_slots(reply, ASKED)


def test_a_slot_that_moves() -> None:
    topology = parse_slots(REPLY, ASKED)
    before = parse_slots(REPLY, ASKED)
    assert topology == before
    topology.move(5, C)
    assert topology.masters[5] == C
    assert topology != before


def test_one_server_has_all_slots() -> None:
    topology = single(A, [B])
    assert topology.addresses == [A]
    assert set(topology.masters) == {A}
    assert topology.shards[0].replicas == [B]
