"""SCAN over a cluster whose slots move: no key that stays is missed, by made-up nodes and by real ones."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest

from kedis.resp.reply_framing import split_elements
from kedis.router.cluster_scan import ClusterScan, ScanMemory
from kedis.router.hash_slots import SLOTS, key_slot
from kedis.router.planning import encode
from kedis.router.scan_cursor import BEGIN, ScanCursor, parse_cursor
from kedis.router.scan_notes import ScanNotes
from kedis.router.topology import Shard, Topology
from tests.router.clusters import Cluster, slot_of
from tests.router.doors import Door

# -- cursors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cursor", [BEGIN, ScanCursor(16383, True, 511, (1 << 40) - 1), ScanCursor(5461, False, 7, 12345678901)]
)
def test_a_cursor_is_what_it_was(cursor: ScanCursor) -> None:
    assert parse_cursor(b"%d" % cursor.number) == cursor


@pytest.mark.parametrize("word", [b"", b"x", b"-1", b"1.5", b"18446744073709551616"])
def test_what_is_no_cursor(word: bytes) -> None:
    with pytest.raises(ValueError, match="invalid cursor"):
        parse_cursor(word)


def test_a_cursor_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="too large"):
        _ = ScanCursor(own=1 << 40).number


def test_two_things_with_one_mark_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [0]
    notes: ScanNotes[str] = ScanNotes(lambda: moment[0])
    monkeypatch.setattr("kedis.router.scan_notes.mark_of", lambda value: 7)
    assert (notes.note("a"), notes.find(7), notes.find(8)) == (7, "a", None)
    notes.note("b")
    assert notes.find(7) is None
    moment[0] = 2 * 3600 * 10**9
    notes.note("b")
    assert notes.find(7) == "b"


# -- made-up nodes --------------------------------------------------------------------------------------------


class Nodes:
    """A cluster of made-up masters, to whose slots something happens between any two requests."""

    def __init__(self, chosen: random.Random, keys: list[bytes]) -> None:
        self.random = chosen
        self.owner = [slot * 3 // SLOTS for slot in range(SLOTS)]
        self.processes = ["a", "b", "c", "d"]
        self.epochs = [1, 2, 3, 0]
        self.under_way: dict[int, int] = {}
        self.places = {key: self.owner[key_slot(key)] for key in keys}
        self.events = 0

    def happen(self) -> None:
        """Begin, go on with, or end the move of a slot; or start a process anew, whose cursors differ then."""
        self.events -= 1
        slot = key_slot(self.random.choice(list(self.places)))
        if slot not in self.under_way:
            if self.random.random() < 0.1:
                self.processes[self.random.randrange(4)] += "+"
            else:
                target = self.random.choice([node for node in range(4) if node != self.owner[slot]])
                self.under_way[slot] = target
            return
        target = self.under_way[slot]
        for key, place in self.places.items():
            if key_slot(key) == slot and place != target:
                self.places[key] = target
                return
        del self.under_way[slot]
        self.owner[slot] = target
        if self.epochs[target] < max(self.epochs):
            self.epochs[target] = max(self.epochs) + 1

    def topology(self) -> Topology:
        found: dict[int, Shard] = {}
        for slot in range(SLOTS):
            node = self.owner[slot]
            ranges = found.setdefault(node, Shard(("n", node))).ranges
            if ranges and ranges[-1][1] == slot - 1:
                ranges[-1] = (ranges[-1][0], slot)
            else:
                ranges.append((slot, slot))
        return Topology(list(found.values()))

    def answer(self, node: int, words: Any) -> bytes:
        if self.events > 0 and self.random.random() < 0.3:
            self.happen()
        name = words[1] if words[0] == b"CLUSTER" else words[0]
        mine = [key for key, place in self.places.items() if place == node]
        if name == b"SCAN":
            at, salt = int(words[1]), self.processes[node].encode()
            some = [key for key in mine if at <= crc32(salt + key) % 1000 < at + 100]
            return b"*2\r\n" + encode([b"%d" % (at + 100 if at < 900 else 0)])[4:] + encode(some)
        if name == b"GETKEYSINSLOT":
            return encode([key for key in mine if key_slot(key) == int(words[2])])
        if name == b"TYPE":
            return b"+string\r\n"
        text = self._nodes(node) if name == b"NODES" else b"# Server\r\nrun_id:%b\r\n" % self._run_id(node)
        return b"$%d\r\n%b\r\n" % (len(text), text)

    def _run_id(self, node: int) -> bytes:
        return self.processes[node].replace("+", "x").encode()

    def _nodes(self, node: int) -> bytes:
        lines = []
        for each in range(4):
            words = [
                f"{first}-{last}"
                for shard in self.topology().shards
                for first, last in shard.ranges
                if shard.master[1] == each
            ]
            if each == node:
                words += [
                    f"[{slot}->-id{to}]" for slot, to in self.under_way.items() if self.owner[slot] == node
                ]
                words += [
                    f"[{slot}-<-id{self.owner[slot]}]" for slot, to in self.under_way.items() if to == node
                ]
            flags = "myself,master" if each == node else "master"
            lines.append(f"id{each} n:{each}@1 {flags} - 0 0 {self.epochs[each]} connected {' '.join(words)}")
        return "\n".join(lines).encode()


@pytest.mark.parametrize("seed", range(12))
def test_no_key_that_stays_is_missed(seed: int) -> None:
    chosen = random.Random(seed)
    keys = [b"{%d}%d" % (chosen.randrange(12), number) for number in range(40)]
    nodes = Nodes(chosen, keys)
    nodes.events = 60 if seed else 0
    routers = []
    for _ in range(2):  # routers, which know nothing of one another
        memory = ScanMemory(lambda: 0)
        fleet: Any = SimpleNamespace(topology=nodes.topology(), any_slot=0)

        def ask(asked: Any, fleet: Any = fleet) -> list[bytes]:
            replies = []
            for slot, address, words in asked:
                replies.append(nodes.answer(address[1] if address else nodes.owner[slot], words))
            if chosen.random() < 0.2:
                fleet.topology = nodes.topology()
            return replies

        routers.append(ClusterScan(fleet, memory, ask))
    word, found, calls = b"0", set(), 0
    while calls == 0 or word != b"0":
        reply = chosen.choice(routers[: 1 + seed % 2]).reply(
            [b"SCAN", word, b"COUNT", b"3", b"TYPE", b"string"]
        )
        assert reply.startswith(b"*2"), reply
        cursor, some = split_elements(reply)
        word = cursor.split(b"\r\n")[1]
        found |= {each.split(b"\r\n")[1] for each in split_elements(some)}
        calls += 1
        assert calls < 2000
    assert found == set(keys)
    if not seed:
        assert calls == 30, "nothing moved: each node's own calls, and no more"


@pytest.mark.parametrize(
    "reply", [b"*0\r\n", b":1\r\n", b"$1\r\nx\r\n", b"*2\r\n:x\r\n*0\r\n", b"-ERR a\r\n"]
)
def test_nodes_that_answer_what_no_node_should(reply: bytes) -> None:
    fleet: Any = SimpleNamespace(topology=Topology([Shard(("n", 0), [], [(0, SLOTS - 1)])]), any_slot=0)
    for cursor in (BEGIN, ScanCursor(own=5, mark=1), ScanCursor(by_slots=True)):
        scan = ClusterScan(fleet, ScanMemory(lambda: 0), lambda asked: [reply] * len(asked))
        assert scan.reply([b"SCAN", b"%d" % cursor.number]).startswith(b"-ERR ")


# -- real ones ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_ended", [True, False])
def test_a_slot_that_moves_behind_the_scan(door: Door, nodes: Cluster, is_ended: bool) -> None:
    """To a shard that was scanned already: all of it, or as far as that the cluster does not say so yet."""
    tags = [nodes.tag(shard) for shard in range(3)]
    wire = door.wire()
    keys = {f"{tag}{number}" for tag in tags for number in range(40)}
    wire.pipeline(("SET", key, 1) for key in sorted(keys))
    slot = slot_of(tags[2])
    home, target = nodes.owner(tags[2]), nodes.owner(tags[0])
    try:
        found: set[str] = set()
        cursor, moves = b"0", 0
        while True:
            cursor, some = wire.call("SCAN", cursor, "COUNT", 10)
            found.update(key.decode() for key in some)
            if cursor == b"0":
                break
            if not moves and any(key.startswith(tags[1]) for key in found):
                nodes.begin_move(slot, target)
                moves = nodes.move_keys(slot, target)
                if is_ended:
                    nodes.end_move(slot, target)
        assert moves == 40
        assert found == keys
        assert wire.call("PING") in (b"PONG", "PONG")
    finally:
        if not is_ended:
            nodes.end_move(slot, target)
        nodes.move(slot, home)
        nodes.settle()
        wire.close()


def test_a_node_that_another_one_replaces(door: Door, nodes: Cluster) -> None:
    """Its replica has the same keys under other cursors."""
    tag = nodes.tag(1)
    wire = door.wire()
    keys = {f"{tag}{number}" for number in range(300)}
    wire.pipeline(("SET", key, 1) for key in sorted(keys))
    former = nodes.owner(tag)
    former.call("WAIT", 1, 60_000)
    replica = next(node for node in nodes.nodes if node.info().get("master_port") == str(former.known))
    found: set[str] = set()
    cursor, is_replaced = b"0", False
    while True:
        cursor, some = wire.call("SCAN", cursor, "COUNT", 50)
        found.update(key.decode() for key in some)
        if cursor == b"0":
            break
        if found and not is_replaced:
            is_replaced = replica.call("CLUSTER", "FAILOVER") == b"OK"
            nodes.await_failover(former)
    assert is_replaced
    assert found == keys
    wire.close()
