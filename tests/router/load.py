"""Clients that write and read all the time and know what each reply may be, whatever happens to the cluster meanwhile.

Each client has keys of its own. A value carries its key and a number, which rises with every write, so that a reply
that belongs to another request, an older value, and a write that was lost all show.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.replication.masters import PATIENCE, until
from tests.router.doors import Wire

#: Words with which a reply may begin while nodes are down; anything else is wrong.
OUTAGE = ("ERR", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "LOADING", "MASTERDOWN", "READONLY", "UNBLOCKED")


@dataclass
class Key:
    """What is known of a key: numbers of writes.

    Attributes:
        acked: the highest that was acknowledged, and so the least that may be read.
        sent: the highest that was sent, and so the most.
    """

    name: str
    acked: int = 0
    sent: int = 0


@dataclass
class Counter:
    """A number that is only incremented: ``acked`` times at least, ``sent`` times at most."""

    name: str
    acked: int = 0
    sent: int = 0


@dataclass
class Tally:
    """What one client has seen."""

    replies: int = 0
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    longest_seconds: float = 0.0


class Client(threading.Thread):
    """One client; ``losses``: whether a write that was acknowledged may be gone (a failover of Redis)."""

    def __init__(self, port: int, names: Sequence[str], tags: Sequence[str], seed: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._random = random.Random(seed)
        self.keys = [Key(name) for name in names]
        self.counters = [Counter(f"{tag}counter:{seed}") for tag in tags]
        self.lists = [Counter(f"{tag}list:{seed}") for tag in tags]
        self.tally = Tally()
        self.losses = False
        self.ended = threading.Event()

    def run(self) -> None:
        wire: Wire | None = None
        while not self.ended.is_set():
            try:
                if wire is None:
                    wire = Wire(self._port)
                self._turn(wire)
            except (OSError, ConnectionError) as error:
                self.tally.errors.append(f"connection: {error}")
                wire = None
                time.sleep(0.01)
            except Exception as error:
                self.tally.wrong.append(f"{type(error).__name__}: {error}")
                return
        if wire is not None:
            wire.close()

    def _turn(self, wire: Wire) -> None:
        """A pipeline of some requests, and a look at each reply."""
        asked: list[tuple[Any, ...]] = []
        checks: list[Callable[[Any], None]] = []
        for _ in range(self._random.randint(1, 8)):
            self._draw(asked, checks)
        began = time.monotonic()
        wire.send_all(*asked)
        for words, check in zip(asked, checks, strict=True):
            reply = wire.receive()
            self.tally.longest_seconds = max(self.tally.longest_seconds, time.monotonic() - began)
            self.tally.replies += 1
            if isinstance(reply, str) and reply != "OK":
                self._note(words, reply)
            else:
                check(reply)

    def _note(self, words: tuple[Any, ...], reply: str) -> None:
        (self.tally.errors if reply.startswith(OUTAGE) else self.tally.wrong).append(f"{words}: {reply}")

    def _draw(self, asked: list[tuple[Any, ...]], checks: list[Callable[[Any], None]]) -> None:
        case = self._random.randrange(10)
        key = self._random.choice(self.keys)
        if case < 3:
            key.sent += 1
            number = key.sent
            asked.append(("SET", key.name, f"{key.name}={number}"))
            checks.append(lambda _: setattr(key, "acked", max(key.acked, number)))
        elif case < 6:
            asked.append(("GET", key.name))
            checks.append(lambda reply: self._look(key, reply))
        elif case == 6:
            several = self._random.sample(self.keys, 4)
            asked.append(("MGET", *(each.name for each in several)))
            checks.append(lambda reply: self._look_at_all(several, reply))
        elif case == 7:
            several = self._random.sample(self.keys, 3)
            for each in several:
                each.sent += 1
            numbers = [each.sent for each in several]
            words = [w for k, n in zip(several, numbers, strict=True) for w in (k.name, f"{k.name}={n}")]
            asked.append(("MSET", *words))
            checks.append(lambda _: self._confirm(several, numbers))
        elif case == 8:
            counter = self._random.choice(self.counters)
            counter.sent += 1
            asked.append(("INCR", counter.name))
            checks.append(lambda reply: self._count(counter, reply))
        else:
            row = self._random.choice(self.lists)
            row.sent += 1
            asked.append(("RPUSH", row.name, row.sent))
            checks.append(lambda reply: self._count(row, reply))

    def _confirm(self, keys: Sequence[Key], numbers: Sequence[int]) -> None:
        for key, number in zip(keys, numbers, strict=True):
            key.acked = max(key.acked, number)

    def _look_at_all(self, keys: Sequence[Key], replies: Any) -> None:
        if not isinstance(replies, list) or len(replies) != len(keys):
            self.tally.wrong.append(f"MGET of {len(keys)}: {replies!r}")
            return
        for key, reply in zip(keys, replies, strict=True):
            self._look(key, reply)

    def _look(self, key: Key, reply: Any) -> None:
        if fault := judged(key, reply, self.losses):
            self.tally.wrong.append(fault)

    def _count(self, counter: Counter, reply: Any) -> None:
        least = 1 if self.losses else counter.acked + 1
        if not isinstance(reply, int) or not least <= reply <= counter.sent:
            self.tally.wrong.append(f"{counter}: {reply!r}")
        counter.acked = reply if self.losses else counter.acked + 1


def judged(key: Key, reply: Any, losses: bool) -> str:
    """What is wrong with a value of ``key``; nothing, as a rule. A value read after a loss is the new least."""
    if reply is None:
        return "" if losses or not key.acked else f"{key}: nothing is there"
    name, _, number = reply.decode().rpartition("=")
    if name != key.name:
        return f"{key}: {reply!r} is another key's"
    if int(number) > key.sent or (int(number) < key.acked and not losses):
        return f"{key}: {reply!r}"
    key.acked = int(number) if losses else max(key.acked, int(number))
    return ""


class Load:
    """Some clients of a port, as a context manager.

    Args:
        tags: hash tags; every client has keys under each, and as many without one.
        losses: see :class:`Client`.
    """

    def __init__(self, port: int, tags: Sequence[str], *, clients: int = 4, losses: bool = False) -> None:
        self.clients = []
        for number in range(clients):
            names = [f"{tag}c{number}:{n}" for tag in tags for n in range(5)]
            names += [f"c{number}:{n}" for n in range(5 * len(tags))]
            self.clients.append(Client(port, names, tags, number))
        self.allow_losses(losses)

    def allow_losses(self, losses: bool) -> None:
        for client in self.clients:
            client.losses = losses

    def __enter__(self) -> Load:
        for client in self.clients:
            client.start()
        self.goes_on()
        return self

    def __exit__(self, *exception: object) -> None:
        for client in self.clients:
            client.ended.set()
        for client in self.clients:
            client.join(PATIENCE)
            assert not client.is_alive(), "a client waits for a reply that does not come"

    def goes_on(self, replies: int = 200) -> None:
        """Wait until every client has so many more replies, good ones."""
        goals = [(client, self._good(client) + replies) for client in self.clients]

        def reached() -> bool:
            return all(self._good(client) >= goal or client.tally.wrong for client, goal in goals)

        until(reached, f"the clients do not go on: {[client.tally.errors[-1:] for client in self.clients]}")

    @staticmethod
    def _good(client: Client) -> int:
        return client.tally.replies - len(client.tally.errors)

    @property
    def wrong(self) -> list[str]:
        return [fault for client in self.clients for fault in client.tally.wrong]

    @property
    def errors(self) -> list[str]:
        return [error for client in self.clients for error in client.tally.errors]

    @property
    def longest_seconds(self) -> float:
        return max(client.tally.longest_seconds for client in self.clients)

    def check(self, call: Callable[..., Any]) -> None:
        """After the end: what the nodes themselves have (``call(key, *words)``), each write once."""
        assert not self.wrong, self.wrong[:5]
        for client in self.clients:
            for key in client.keys:
                fault = judged(key, call(key.name, "GET", key.name), client.losses)
                assert not fault, fault
            for counter in client.counters:
                value = int(call(counter.name, "GET", counter.name) or 0)
                assert value <= counter.sent, counter
                assert client.losses or counter.acked <= value, counter
            for row in client.lists:
                elements = [int(each) for each in call(row.name, "LRANGE", row.name, 0, -1)]
                assert len(elements) == len(set(elements)), f"{row}: written twice"
                assert client.losses or row.acked <= len(elements), row
                assert elements == sorted(elements), f"{row}: in another order than it was sent"
