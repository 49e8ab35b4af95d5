"""The plan of a command: what the router does with it, from its row in the command table.

Key positions, flags and subcommands are the table's own. Only commands whose effect is not that on their keys are named
here, by the declared names of their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from kedis.engine.flags import BLOCKING, READONLY
from kedis.engine.table import Command, CommandTable
from kedis.resp.canonical import parse_canonical
from kedis.router import joining
from kedis.router.hash_slots import key_slot
from kedis.router.joining import Join

Argv = Sequence[bytes]
#: Redis's own words.
CROSSSLOT = "CROSSSLOT Keys in request don't hash to the same slot"


class Kind(Enum):
    """What is done with a command."""

    LOCAL = "the engine runs it, which has no keys"
    KEYS = "to the shard of its keys, by a shared connection"
    SPLIT = "in parts, one for each slot of its keys, and the replies joined"
    ANY = "to one shard, always the same one"
    EVERY = "to every master, and the replies joined"
    SCAN = "to one master after the other, which the cursor names"
    BLOCKING = "to the shard of its keys, by a connection of its own while it lasts"
    STREAMS = "as BLOCKING where it says BLOCK, else as KEYS"
    WATCH = "by a connection of its own until the transaction ends"
    UNWATCH = "ends that"
    DISCARD = "ends that, and the queue"
    EXEC = "what was queued, as one piece"
    SUBSCRIBE = "the engine runs it, once the nodes send what it asks for"
    SELECT = "the engine runs it; a cluster has database 0 alone"
    REFUSED = "it has no meaning here"


@dataclass(slots=True, frozen=True)
class Plan:
    """The plan of a row.

    Attributes:
        key_at: position of the only key, where it is one at a fixed place; 0 otherwise.
        reads_only: executed twice it does no harm.
        join: of EVERY and SPLIT.
        step: of SPLIT: words for each key.
        reason: of REFUSED.
    """

    kind: Kind
    row: Command
    key_at: int = 0
    reads_only: bool = False
    join: Join | None = None
    step: int = 1
    reason: str = ""
    #: The position of a channel that is placed like a key.
    channel_at: int = 0


_NO_COPY = "the data are on other servers, which keep and copy them"
_REFUSED = {
    "replicaof": _NO_COPY,
    "slaveof": _NO_COPY,
    "failover": _NO_COPY,
    "psync": _NO_COPY,
    "sync": _NO_COPY,
    "replconf": _NO_COPY,
    "save": _NO_COPY,
    "bgsave": _NO_COPY,
    "lastsave": _NO_COPY,
    "bgrewriteaof": _NO_COPY,
    "wait": "connections to the servers are shared, so that there are no writes of one client to wait for",
    "debug": "the data are on other servers",
    "restore-asking": "it is for nodes of a cluster",
    "monitor": "requests pass through without being shown",
    "client|tracking": "changes of keys are not seen here",
    "client|caching": "changes of keys are not seen here",
    "script|debug": "connections to the servers are shared",
}
_LOCAL = {"multi", "object|help", "xgroup|help", "xinfo|help", "script|help", "function|help", "pfselftest"}
_EVERY: dict[str, Join] = {
    "keys": joining.concatenated,
    "dbsize": joining.summed,
    "flushall": joining.first,
    "flushdb": joining.first,
    "randomkey": joining.some_key,
    "script|load": joining.first,
    "script|exists": joining.least,
    "script|flush": joining.first,
    "script|kill": joining.any_success,
    "function|load": joining.first,
    "function|delete": joining.first,
    "function|flush": joining.first,
    "function|restore": joining.first,
    "function|kill": joining.any_success,
}
_ANY = {"publish", "function|list", "function|dump", "function|stats", "swapdb"}
_SPLIT: dict[str, tuple[Join, int]] = {
    "mget": (joining.interleaved, 1),
    "mset": (joining.first, 2),
    "del": (joining.summed, 1),
    "unlink": (joining.summed, 1),
    "exists": (joining.summed, 1),
    "touch": (joining.summed, 1),
}
_SUBSCRIBE = {"subscribe", "psubscribe", "ssubscribe"}
_STREAMS = {"xread", "xreadgroup"}
_NAMED = {
    "scan": Kind.SCAN,
    "watch": Kind.WATCH,
    "unwatch": Kind.UNWATCH,
    "discard": Kind.DISCARD,
    "exec": Kind.EXEC,
    "select": Kind.SELECT,
    **dict.fromkeys(_SUBSCRIBE, Kind.SUBSCRIBE),
    **dict.fromkeys(_STREAMS, Kind.STREAMS),
    **dict.fromkeys(_ANY, Kind.ANY),
    **dict.fromkeys(_LOCAL, Kind.LOCAL),
    **dict.fromkeys(_REFUSED, Kind.REFUSED),
    **dict.fromkeys(_EVERY, Kind.EVERY),
    **dict.fromkeys(_SPLIT, Kind.SPLIT),
}
_IN_CLUSTER_ONLY = {Kind.SPLIT: Kind.KEYS, Kind.EVERY: Kind.ANY, Kind.SCAN: Kind.ANY}
_NOT_IN_A_CLUSTER = {
    "swapdb": "SWAPDB is not allowed in cluster mode",
    "move": "MOVE is not allowed in cluster mode",
}


class Planner:
    """The plans of all rows of ``table``.

    Args:
        in_cluster: keys are in slots, and a command's must be in one; else one server has them all.
    """

    def __init__(self, table: CommandTable, in_cluster: bool) -> None:
        self.in_cluster = in_cluster
        self.plans = {id(row): _plan_of(row, in_cluster) for row in table.every()}

    def plan(self, row: Command) -> Plan:
        """The plan of a row of the table. O(1)."""
        return self.plans[id(row)]

    def slot(self, plan: Plan, argv: Argv) -> int:
        """The slot of the keys of a call; -1 where it has none. Raises CrossSlot. O(length of the keys)."""
        if not self.in_cluster:
            return -1
        if plan.key_at:
            return key_slot(argv[plan.key_at])
        return slot_of(argv[at] for at in positions(plan, argv))


class CrossSlot(Exception):
    """The keys of a command are in several slots."""


def positions(plan: Plan, argv: Argv) -> list[int]:
    """Positions of the keys of a call, or of a channel that is placed like one; none where the words do not fit."""
    if plan.channel_at:
        return [plan.channel_at]
    try:
        return plan.row.key_positions(argv)
    except (ValueError, IndexError):
        return []  # the node says what is wrong


def slot_of(keys: Iterable[bytes]) -> int:
    """The slot that all ``keys`` are in; -1 for none. Raises CrossSlot."""
    found = -1
    for key in keys:
        slot = key_slot(key)
        if found >= 0 and slot != found:
            raise CrossSlot
        found = slot
    return found


def blocks(argv: Argv) -> bool:
    """Whether a call of XREAD or XREADGROUP says BLOCK. O(words before STREAMS)."""
    for word in argv[1:]:
        name = word.upper()
        if name == b"BLOCK":
            return True
        if name == b"STREAMS":
            return False
    return False


def split(plan: Plan, argv: Argv) -> list[tuple[int, list[int]]]:
    """The parts of a call: slot, and the positions of the keys that are in it, in the order of first keys. O(keys)."""
    parts: dict[int, list[int]] = {}
    for at in range(1, len(argv), plan.step):
        parts.setdefault(key_slot(argv[at]), []).append(at)
    return list(parts.items())


def part_words(plan: Plan, argv: Argv, keys_at: Sequence[int]) -> list[bytes]:
    """The words of one part of a call. O(keys)."""
    words = [argv[0]]
    for at in keys_at:
        words += argv[at : at + plan.step]
    return words


def encode(argv: Argv) -> bytes:
    """A request as bytes. O(length)."""
    return b"*%d\r\n" % len(argv) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in argv])


def decode(wire: bytes) -> list[bytes]:
    """The words of the first request in ``wire``, which :func:`encode` has made or a client has sent so. O(length)."""
    commands = parse_canonical(wire)[0]
    return commands[0] if commands else [b"?"]


def _plan_of(row: Command, in_cluster: bool) -> Plan:
    name = row.name
    top = name.partition("|")[0]
    kind = _NAMED.get(name) or (Kind.REFUSED if top in _REFUSED else None)
    reason = _REFUSED.get(name) or _REFUSED.get(top, "")
    if in_cluster and name in _NOT_IN_A_CLUSTER:
        kind, reason = Kind.REFUSED, _NOT_IN_A_CLUSTER[name]
    if kind is None:
        if name == "spublish":
            kind = Kind.KEYS
        elif not row.has_keys:
            kind = Kind.LOCAL
        else:
            kind = Kind.BLOCKING if row.flags & BLOCKING else Kind.KEYS
    if not in_cluster:
        kind = _IN_CLUSTER_ONLY.get(kind, kind)
    join: Join | None = _EVERY.get(name)
    step = 1
    if name in _SPLIT:
        join, step = _SPLIT[name]
    return Plan(
        kind=kind,
        row=row,
        key_at=_only_key(row),
        reads_only=bool(row.flags & READONLY),
        join=join,
        step=step,
        reason=reason,
        channel_at=1 if name in ("spublish", "ssubscribe") else 0,
    )


def _only_key(row: Command) -> int:
    """The position of the key of a row that has one, at a fixed place, and at no other; else 0."""
    if row.key_range is None:
        return 0
    first, last, _, _ = row.key_range
    return first if last == 0 else 0
