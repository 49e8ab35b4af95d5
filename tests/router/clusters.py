"""Real clusters on loopback: six processes of Redis or Valkey that are killed, paused, cut off and resharded.

A cluster's nodes are told of one another by the file that they keep themselves (``nodes.conf``), so that none has to
meet another and a cluster is there as fast as its nodes are: Redis waits two seconds before it takes requests.
"""

from __future__ import annotations

import binascii
import contextlib
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import neighbours
from tests.ports import free_port
from tests.replication.masters import PATIENCE, Raw, until
from tests.replication.sentinels import SERVER, Gate, Node

SLOTS = 16_384
#: A node that a busy machine holds up for so long is not yet taken for a dead one, in ms; see :meth:`Cluster.hasty`.
NODE_TIMEOUT_MS = 15_000
_SETTINGS = f"""{SERVER}cluster-enabled yes
cluster-port {{bus}}
cluster-announce-ip 127.0.0.1
cluster-announce-port {{known}}
cluster-announce-bus-port {{bus}}
cluster-node-timeout {{timeout}}
cluster-replica-validity-factor 0
"""


def slot_of(key: str | bytes) -> int:
    """The slot of a key, by its hash tag if it has one."""
    raw = key.encode() if isinstance(key, str) else key
    tag = raw.partition(b"{")[2].partition(b"}")
    return binascii.crc_hqx(tag[0] if tag[0] and tag[1] else raw, 0) % SLOTS


class ClusterNode(Node):
    """A node; ``known`` is the port that it tells others, which may be a :class:`Gate` before its own."""

    def __init__(self, program: str, number: int, folder: Path, settings: str, gated: bool) -> None:
        self.port, self.bus = free_port(), free_port()
        self.gate = Gate(self.port) if gated else None
        self.known = self.gate.port if self.gate else self.port
        self.id = f"{number:02x}" * 20
        self.is_paused = False
        place = folder / f"node-{number}"
        text = _SETTINGS.format(
            port=self.port, folder=place, bus=self.bus, known=self.known, timeout=NODE_TIMEOUT_MS
        )
        super().__init__([program], self.port, place, text + settings, "node")

    def pause(self) -> None:
        """Hold it up without a word, by SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self.is_paused = True

    def resume(self) -> None:
        """Let it go on. Idempotent, and nothing for one that has ended."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
        self.is_paused = False

    @property
    def answers(self) -> bool:
        """Whether it is neither down nor paused."""
        return self.is_running and not self.is_paused

    def cut_clients(self) -> None:
        """End the connections of all clients, without a reply to what they have asked."""
        self.call("CLIENT", "KILL", "TYPE", "normal")

    def epoch_of(self, node: ClusterNode) -> int:
        """The configuration epoch of a node, as far as this one knows."""
        lines = (line.split() for line in self.call("CLUSTER", "NODES").decode().splitlines())
        return next(int(fields[6]) for fields in lines if fields[0] == node.id)

    def describe(self, flags: str, master: str, slots: str) -> str:
        """Its line in another node's ``nodes.conf``."""
        place = f"{self.id} 127.0.0.1:{self.known}@{self.bus}"
        return f"{place} {flags} {master} 0 0 {int(self.id[:2], 16)} connected {slots}".rstrip()


class Cluster:
    """Masters first, then their replicas in the same order.

    Args:
        program: the path of redis-server or valkey-server.
        replicas: of each master.
        settings: lines for each node's file.
        gated: whether clients reach the nodes through a :class:`Gate` each.
    """

    def __init__(
        self,
        folder: Path,
        program: str,
        *,
        masters: int = 3,
        replicas: int = 1,
        settings: str = "",
        gated: bool = False,
    ) -> None:
        count = masters * (1 + replicas)
        self.nodes = [ClusterNode(program, n, folder, settings, gated) for n in range(1, count + 1)]
        self.first_masters = self.nodes[:masters]
        bounds = [SLOTS * number // masters for number in range(masters + 1)]
        for node in self.nodes:
            lines = [self._line(each, node, masters, bounds) for each in self.nodes]
            state = f"vars currentEpoch {count} lastVoteEpoch 0"
            (node.folder / "nodes.conf").write_text("\n".join([*lines, state]) + "\n")

    def _line(self, node: ClusterNode, reader: ClusterNode, masters: int, bounds: list[int]) -> str:
        number = self.nodes.index(node)
        myself = "myself," if node is reader else ""
        if number >= masters:
            return node.describe(f"{myself}slave", self.nodes[number % masters].id, "")
        return node.describe(f"{myself}master", "-", f"{bounds[number]}-{bounds[number + 1] - 1}")

    # -- its life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all nodes, and wait until they serve."""
        for node in self.nodes:
            node.start()
        self.settle()

    def close(self) -> None:
        for node in self.nodes:
            node.kill()
            if node.gate is not None:
                node.gate.close()

    def settle(self) -> None:
        """Wait until every node that runs sees the whole cluster well and every replica has its master's data."""
        patiently(self._is_settled, self.state)

    def _is_settled(self) -> bool:
        views = set()
        for node in self.answering:
            info = dict(line.split(":", 1) for line in _lines(node.call("CLUSTER", "INFO")))
            if info["cluster_state"] != "ok" or info["cluster_slots_ok"] != str(SLOTS):
                return False
            role = node.info()
            if role["role"] == "slave" and role["master_link_status"] != "up":
                return False
            views.add(repr(sorted((s[0], s[1], s[2][1]) for s in node.call("CLUSTER", "SLOTS"))))
        return len(views) == 1

    def state(self) -> str:
        """What each node says of the cluster, for a test that fails."""
        told = [f"{node.port}:\n{node.call('CLUSTER', 'NODES').decode()}" for node in self.answering]
        return "\n".join(told)

    def heal(self) -> None:
        """Start what is down, resume what is paused, join what is cut off; and wait until all is well."""
        for node in self.nodes:
            node.resume()
            if node.gate is not None:
                node.gate.heal()
            if not node.is_running:
                node.start()
        self.patient()
        self.settle()

    def empty(self) -> None:
        """Remove all data, functions and scripts."""
        for node in self.masters:
            for words in (["FLUSHALL"], ["FUNCTION", "FLUSH"], ["SCRIPT", "FLUSH"]):
                node.call(*words)

    # -- who has what -----------------------------------------------------------------------------------------

    @property
    def answering(self) -> list[ClusterNode]:
        """The nodes that are neither down nor paused."""
        return [node for node in self.nodes if node.answers]

    def ranges(self) -> list[tuple[int, int, ClusterNode]]:
        """Ranges of slots and their masters, as each that answers knows its own; the highest epoch counts."""
        found: dict[tuple[int, int], tuple[int, ClusterNode]] = {}
        for node in self.answering:
            lines = node.call("CLUSTER", "NODES").decode().splitlines()
            fields = next(line.split() for line in lines if "myself" in line)
            for word in fields[8:] if "master" in fields[2] else ():
                if not word.startswith("["):
                    first, _, last = word.partition("-")
                    span = int(first), int(last or first)
                    found[span] = max(
                        found.get(span, (-1, node)), (int(fields[6]), node), key=lambda each: each[0]
                    )
        return [(first, last, node) for (first, last), (_, node) in sorted(found.items())]

    @property
    def masters(self) -> list[ClusterNode]:
        """The masters by their first slot."""
        found = {node: first for first, _, node in sorted(self.ranges(), key=lambda row: -row[0])}
        return sorted(found, key=lambda node: found[node])

    def owner(self, key: str | int) -> ClusterNode:
        """The master of a key, or of a slot."""
        slot = key if isinstance(key, int) else slot_of(key)
        return next(node for first, last, node in self.ranges() if first <= slot <= last)

    def tag(self, shard: int) -> str:
        """A hash tag whose slot belongs to that master of the beginning, with nothing moved since."""
        count = len(self.first_masters)
        return next(f"{{s{n}}}" for n in range(1000) if slot_of(f"s{n}") * count // SLOTS == shard)

    def call(self, key: str, *words: Any) -> Any:
        """The reply of a key's master to a command, without the router."""
        return self.owner(key).call(*words)

    def keys(self) -> set[str]:
        """The names of all keys."""
        return {key.decode() for node in self.masters for key in node.call("KEYS", "*")}

    @property
    def addresses(self) -> str:
        """Where the nodes are, as ``--upstream`` takes them."""
        return ",".join(f"127.0.0.1:{node.known}" for node in self.nodes)

    @property
    def url(self) -> str:
        return f"redis://{self.addresses}"

    # -- resharding -------------------------------------------------------------------------------------------

    def begin_move(self, slot: int, target: ClusterNode) -> None:
        """MIGRATING and IMPORTING: from now on nodes answer ASK for keys that are not there, TRYAGAIN for some."""
        source = self.owner(slot)
        assert target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id) == b"OK"
        assert source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id) == b"OK"

    def move_keys(self, slot: int, target: ClusterNode, most: int = 1_000_000, at_once: int = 10) -> int:
        """Move keys of a slot that is on its way, at most ``most``; how many."""
        source, moved = self.owner(slot), 0
        while moved < most and (
            keys := source.call("CLUSTER", "GETKEYSINSLOT", slot, min(at_once, most - moved))
        ):
            words = ["MIGRATE", "127.0.0.1", target.port, "", 0, 30_000, "KEYS", *keys]
            assert source.call(*words) in (b"OK", b"NOKEY")
            moved += len(keys)
        return moved

    def end_move(self, slot: int, target: ClusterNode) -> None:
        """The slot is the target's; the other masters are told, too.

        Until the epoch of the target has come to all masters one of them may believe an older claim again: then nobody
        would serve the slot when it is moved on.
        """
        source = self.owner(slot)
        for node in (target, source, *(each for each in self.masters if each not in (target, source))):
            assert node.call("CLUSTER", "SETSLOT", slot, "NODE", target.id) == b"OK"
        patiently(lambda: len({node.epoch_of(target) for node in self.masters}) == 1, self.state)

    def move(self, slot: int, target: ClusterNode, at_once: int = 10) -> None:
        """Move a slot with its keys, under whatever load there is: new keys go to the target at once."""
        self.begin_move(slot, target)
        self.move_keys(slot, target, at_once=at_once)
        self.end_move(slot, target)

    # -- faults -----------------------------------------------------------------------------------------------

    def hasty(self, timeout_ms: int = 1000) -> None:
        """Let nodes take one another for dead so soon."""
        for node in self.answering:
            node.call("CONFIG", "SET", "cluster-node-timeout", timeout_ms)

    def patient(self) -> None:
        """Undo :meth:`hasty`."""
        self.hasty(NODE_TIMEOUT_MS)

    def await_failover(self, former: ClusterNode) -> None:
        """Wait until the slots of ``former`` have another master, and all who run know it."""

        def done() -> bool:
            return all(node is not former for _, _, node in self.ranges()) and self._is_settled()

        patiently(done, self.state)


def patiently(condition: Callable[[], Any], state: Callable[[], str]) -> Any:
    """Wait until ``condition()`` is true, where nodes may be down; ``state`` is told where it never becomes so."""
    deadline = time.monotonic() + 2 * PATIENCE
    while True:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        assert time.monotonic() < deadline, state()
        time.sleep(0.05)


def _lines(reply: bytes) -> list[str]:
    return [line for line in reply.decode().splitlines() if ":" in line]


def redis_program() -> str:
    """The path of Debian's redis-server."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server is not installed: no cluster")
    return found


#: What takes long: run by ``make test-router`` alone, see conftest.py.
long = pytest.mark.long


#: How the program of a kind of cluster is found.
PROGRAMS: dict[str, Callable[[], str]] = {"redis": redis_program, "valkey": neighbours.valkey}


@contextlib.contextmanager
def cluster(folder: Path, kind: str = "redis", **options: Any) -> Iterator[Cluster]:
    """A :class:`Cluster` that runs, and ends with the block."""
    made = Cluster(folder, PROGRAMS[kind](), **options)
    try:
        made.start()
        yield made
    finally:
        made.close()


def keys_of(tags: Sequence[str], count: int, seed: int = 1) -> list[str]:
    """Names of keys, all different, spread over hash tags by chance."""
    chosen = random.Random(seed)
    return [f"{chosen.choice(tags)}key:{number}" for number in range(count)]


__all__ = [
    "SLOTS",
    "Cluster",
    "ClusterNode",
    "Gate",
    "Raw",
    "cluster",
    "keys_of",
    "long",
    "patiently",
    "slot_of",
    "until",
]
