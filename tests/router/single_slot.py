"""The differential suite's scripts with all keys in one slot: through the router, and on a plain Redis.

The words of a script that are keys of the vocabulary get a hash tag, the same on both sides.  What a cluster's node
does not do by its own words is left out: databases beside 0, patterns of SORT.  So are commands that wait, and pops at
random, after which the data would differ.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from random import Random

from kedis.commands import load_all
from kedis.engine.table import COMMANDS
from kedis.resp.replies import encode_command
from tests.differential import families, grammar, streams
from tests.differential import vocabulary as v
from tests.differential.comparison import agree, transaction_agrees
from tests.differential.replies import Reply, flatten, is_error, show
from tests.differential.scripts import READ, Step, draw_script, misspelt, quoted
from tests.differential.servers import receive
from tests.router.clusters import slot_of

load_all()
TAG = b"{slot}"
_WAITING = {"blpop", "brpop", "brpoplpush", "blmove", "blmpop", "bzpopmin", "bzpopmax", "bzmpop"}
_OTHER = {"spop", "move", "object|help", "randomkey", "scan"}
_FAMILIES = (
    families.STRINGS,
    families.BITS,
    families.HYPERLOGLOGS,
    families.LISTS,
    families.SETS,
    families.HASHES,
    families.SORTED_SETS,
    families.GEO,
    streams.STREAMS,
    families.KEYS,
    grammar.TRANSACTIONS,
)
NAMES = sorted(
    {name for family in _FAMILIES for name in family} - _WAITING - _OTHER | {"ping", "echo", "reset", "hello"}
)
_KEYS = frozenset(
    [
        *(word for word in v.ANY if word and word[0] > 32),
        *v.LEX_KEYS,
        *(b"lex:text", b"hll:1", b"hll:2", b"hll:3", b"geo:1", b"geo:2"),
    ]
)
#: Of what a router knows, or asks of all shards: it cannot stand among the commands of one shard.
_NOT_QUEUED = {b"KEYS", b"HELLO", b"SCAN"}
#: Those that say how many keys they have.
_COUNTED = {b"ZUNION", b"ZINTER", b"ZDIFF", b"ZUNIONSTORE", b"ZINTERSTORE", b"ZDIFFSTORE", b"ZINTERCARD"}
_COUNTED |= {b"SINTERCARD", b"LMPOP", b"ZMPOP"}
_CLIENTS = 2


def tagged(words: Sequence[bytes]) -> list[bytes]:
    """``words`` with the keys of the vocabulary in one slot."""
    return [TAG + word if word in _KEYS else word for word in words]


def draw(seed: int) -> list[Step]:
    """A script with all its keys in one slot, as far as they are keys of the vocabulary."""
    return [(client, tagged(words)) for client, words in draw_script(Random(seed), NAMES)]


class Side:
    """A server with two clients."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.sockets = [self._connect() for _ in range(_CLIENTS)]

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def call(self, client: int, words: Sequence[bytes]) -> Reply:
        connection = self.sockets[client]
        connection.sendall(encode_command(words))
        return receive(connection)

    def close(self) -> None:
        for connection in self.sockets:
            connection.close()


class Comparison:
    """Runs scripts on both sides."""

    def __init__(self, door: int, redis: int) -> None:
        self._door, self._redis = Side(door), Side(redis)

    def close(self) -> None:
        self._door.close()
        self._redis.close()

    def run(self, script: Sequence[Step]) -> None:
        """Run one script on empty data, and compare every reply, and all that is there at the end."""
        self.done: list[Step] = []
        self._longest_ms = 0
        self.queues: list[list[list[bytes]] | None] = [None] * _CLIENTS
        for client in range(_CLIENTS):
            self.step(client, [b"RESET"])
        self.step(0, [b"FLUSHALL"])
        for client, words in script:
            if self._is_comparable(client, words):
                self.step(client, words)
        for client in range(_CLIENTS):
            self.step(client, [b"RESET"])
        for key in sorted(flatten(self.step(0, [b"KEYS", b"*"]))):
            kind = self.step(0, [b"TYPE", key])[1]
            self.step(0, [word or key for word in READ[kind]])
            self.step(0, [b"PTTL", key])
            self.step(0, [b"OBJECT", b"ENCODING", key])

    def step(self, client: int, words: list[bytes]) -> Reply:
        self.done.append((client, words))
        began = time.monotonic()
        theirs, mine = self._redis.call(client, words), self._door.call(client, words)
        # What was set to expire, and what is asked, may each be so far apart on a busy machine.
        self._longest_ms = max(self._longest_ms, int(1000 * (time.monotonic() - began)))
        apart = 2 * self._longest_ms
        name, queue = words[0].upper(), self.queues[client]
        if name == b"EXEC" and queue is not None:
            equal = transaction_agrees(queue, mine, theirs, apart)
        else:
            equal = agree(words, mine, theirs, apart_ms=apart)
        if not equal:
            story = "\n".join(f"{who}> {quoted(said)}" for who, said in self.done)
            raise AssertionError(f"{story}\n   router: {show(mine)}\n   redis: {show(theirs)}")
        if queue is not None and theirs == ("+", b"QUEUED"):
            queue.append(words)
        elif name == b"MULTI" and not is_error(theirs):
            self.queues[client] = []
        elif name in (b"EXEC", b"DISCARD", b"RESET") and not misspelt(theirs):
            self.queues[client] = None
        return theirs

    def _is_comparable(self, client: int, words: list[bytes]) -> bool:
        options = {word.upper() for word in words[1:]}
        name = words[0].upper()
        if options & {b"BLOCK"} or (name == b"COPY" and b"DB" in options):
            return False
        stores = sum(word.upper() in (b"STORE", b"STOREDIST") for word in words)
        if stores > 1 or (stores and not words[1].startswith(TAG)):  # a node takes other words for keys
            return False
        if name in (b"SORT", b"SORT_RO") and options & {b"BY", b"GET"}:
            return False
        if name == b"LPOS" and v.MIN in words:
            return False
        if name in _COUNTED and not v.MISSPELT.isdisjoint(words[1:4]):  # a node reads some number out of it
            return False
        queued = self.queues[client] is not None
        if queued and name in _NOT_QUEUED:
            return False
        slots = _slots(words)
        return len(slots) < 2 and (slots <= {slot_of(TAG)} or not (queued or name == b"WATCH"))


def _slots(words: list[bytes]) -> set[int]:
    """The slots of a command's keys, as far as it is one."""
    try:
        row = COMMANDS[words[0].lower()]
        if row.subcommands and len(words) > 1:
            row = row.subcommands[words[1].lower()]
        return {slot_of(words[at]) for at in row.key_positions(words)}
    except (KeyError, IndexError, ValueError):
        return set()
