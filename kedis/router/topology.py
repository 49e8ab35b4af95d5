"""The topology of a cluster: which node is the master of which hash slots, and which replicas it has.

Read from CLUSTER SLOTS, which Redis from 3.0 on and Valkey answer in all modes. A topology is never changed but for
single slots, which MOVED names before the whole is read anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kedis.router.hash_slots import SLOTS
from kedis.router.upstream_url import Address


@dataclass(slots=True)
class Shard:
    """A master, the replicas of it, and its ranges of slots."""

    master: Address
    replicas: list[Address] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)

    @property
    def first_slot(self) -> int:
        """The lowest slot, by which shards are ordered."""
        return min((first for first, _ in self.ranges), default=0)


class Topology:
    """The shards, and the master of each slot.

    Attributes:
        shards: in the order of their lowest slots.
        masters: slot -> address of the master; None for a slot that no node serves.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = sorted(shards, key=lambda shard: shard.first_slot)
        self.masters: list[Address | None] = [None] * SLOTS
        for shard in self.shards:
            for first, last in shard.ranges:
                self.masters[first : last + 1] = [shard.master] * (last + 1 - first)

    @property
    def addresses(self) -> list[Address]:
        """The masters, in the order of their lowest slots."""
        return [shard.master for shard in self.shards]

    def of_master(self, address: Address) -> Shard | None:
        """The shard of the master at ``address``. O(shards)."""
        return next((shard for shard in self.shards if shard.master == address), None)

    def move(self, slot: int, address: Address) -> None:
        """A node has said that ``address`` serves ``slot`` now."""
        self.masters[slot] = address

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Topology) and other.shards == self.shards and other.masters == self.masters

    def __hash__(self) -> int:
        return id(self)


def single(master: Address, replicas: Sequence[Address] = ()) -> Topology:
    """The topology of one server that has all slots: without a cluster, and of a Sentinel group."""
    return Topology([Shard(master, list(replicas), [(0, SLOTS - 1)])])


def parse_slots(reply: Any, asked: Address) -> Topology:
    """The topology in a reply to CLUSTER SLOTS, as nested lists of bytes and integers.

    Args:
        asked: the node that has answered: an empty or unknown host means its host.

    Raises ValueError for a reply of another form, and for one without any slot. O(ranges + slots).
    """
    shards: dict[Address, Shard] = {}
    try:
        for first, last, master, *replicas in reply:
            address = _node(master, asked)
            if not 0 <= first <= last < SLOTS:
                raise ValueError(f"no range of slots: {first}-{last}")
            shard = shards.setdefault(address, Shard(address))
            shard.ranges.append((first, last))
            for replica in _nodes(replicas, asked):
                if replica not in shard.replicas:
                    shard.replicas.append(replica)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"CLUSTER SLOTS has an unexpected form: {error}") from None
    if not shards:
        raise ValueError("no node serves any slot")
    return Topology(list(shards.values()))


def _nodes(entries: Sequence[Any], asked: Address) -> Iterator[Address]:
    for entry in entries:
        yield _node(entry, asked)


def _node(entry: Any, asked: Address) -> Address:
    host, port = entry[0], entry[1]
    if not isinstance(port, int):
        raise ValueError("a port that is no number")
    name = host.decode() if host else ""
    return (name if name not in ("", "?") else asked[0]), port
