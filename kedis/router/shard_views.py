"""What each master says of itself: its slots, its epoch, which slots are under way; and which slots may have moved.

Keys leave a slot's master before the cluster says so, and a slot may move away and back. So a slot stayed where it was
only if its master is the same process, with the same epoch (whoever takes a slot in gets a higher one than all others),
and the slot is not under way. Only a move that is begun and called off (CLUSTER SETSLOT STABLE) leaves no trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from kedis.router.hash_slots import SLOTS
from kedis.router.scan_cursor import LAST_MARK
from kedis.router.upstream_url import Address

_RUN = re.compile(rb"^run_id:(\w+)", re.MULTILINE)


class Held(NamedTuple):
    """What a master holds.

    Attributes:
        process: the id of its process, which changes with every start: so do its cursors of SCAN.
        ranges: its slots, first and last of each range.
    """

    address: Address
    process: str
    epoch: int
    ranges: tuple[tuple[int, int], ...]

    @property
    def first_slot(self) -> int:
        return self.ranges[0][0] if self.ranges else SLOTS


@dataclass(frozen=True, slots=True)
class ShardView:
    """A master's own account.

    Attributes:
        id: what nodes call it.
        under_way: slots that it sends or takes in, and the id of the other node.
        peers: id -> address of all nodes it knows; masters: ids of those that have slots and are not down.
    """

    id: str
    held: Held
    under_way: dict[int, str]
    peers: dict[str, Address]
    masters: frozenset[str]


def parse_view(address: Address, nodes: bytes, server: bytes) -> ShardView:
    """The view in a node's replies to CLUSTER NODES and INFO server. Raises ValueError for other forms. O(nodes)."""
    peers: dict[str, Address] = {}
    masters = set()
    mine: list[str] = []
    for line in nodes.decode("utf-8", "replace").splitlines():
        fields = line.split()
        if len(fields) < 8 or "@" not in fields[1]:
            continue
        host, _, port = fields[1].partition("@")[0].rpartition(":")
        flags = fields[2].split(",")
        place = host.strip("[]") or address[0], int(port)
        peers[fields[0]] = place
        if "myself" in flags:
            mine = fields
        elif "master" in flags and not {"fail", "noaddr"} & set(flags) and fields[8:]:
            masters.add(fields[0])
    found = _RUN.search(server)
    if not mine or found is None:
        raise ValueError("CLUSTER NODES or INFO has an unexpected form")
    ranges, under_way = [], {}
    for word in mine[8:]:
        if word.startswith("["):
            slot, _, other = word[1:-1].partition("-")
            under_way[int(slot)] = other[2:]
        else:
            first, _, last = word.partition("-")
            ranges.append((int(first), int(last or first)))
    held = Held(address, found[1].decode(), int(mine[6]), tuple(sorted(ranges)))
    return ShardView(mine[0], held, under_way, peers, frozenset(masters))


def owners(nodes: Iterable[Held]) -> list[Held | None]:
    """Slot -> its master; of several the one with the highest epoch. O(slots)."""
    found: list[Held | None] = [None] * SLOTS
    for held in sorted(nodes, key=lambda each: each.epoch):
        for first, last in held.ranges:
            found[first : last + 1] = [held] * (last + 1 - first)
    return found


def targets(views: Iterable[ShardView]) -> dict[int, set[Address]]:
    """Slot -> where its keys may be, beside its master, of the slots that are under way."""
    found: dict[int, set[Address]] = {}
    for view in views:
        for slot, other in view.under_way.items():
            places = found.setdefault(slot, set())
            places.add(view.held.address)
            if other in view.peers:
                places.add(view.peers[other])
    return found


def moved(before: Iterable[Held], now: Sequence[ShardView]) -> list[int]:
    """The slots of which keys may have moved between two moments, in rising order. O(slots)."""
    under_way = targets(now)
    pairs = zip(owners(before), owners(view.held for view in now), strict=True)
    return [
        slot
        for slot, (old, new) in enumerate(pairs)
        if slot in under_way or (old is not new and (old is None or new is None or old[:3] != new[:3]))
    ]


def mark_of(value: object) -> int:
    """A number from 1 to the last mark, which another value has only by chance. O(length of it)."""
    return 1 + crc32(repr(value).encode()) % LAST_MARK
