"""Clients of the soak: each does one kind of thing until it is told to stop, and knows what must be there then."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from typing import Any

from tests.commands.driver import ErrorReply
from tests.persistence.server import Wire

_PATIENCE_SECONDS = 120
_TRANSFER = """
local amount = tonumber(ARGV[1])
redis.call('DECRBY', KEYS[1], amount)
redis.call('INCRBY', KEYS[2], amount)
return redis.call('INCR', KEYS[3])
"""


class Worker(threading.Thread):
    """A client of its own that works until ``stops`` is set.

    Attributes:
        problem: why it has ended early.
        rounds: how often it has worked.
    """

    def __init__(self, port: int, number: int) -> None:
        super().__init__(daemon=True, name=f"{type(self).__name__} {number}")
        self.port = port
        self.number = number
        self.dice = random.Random(f"{type(self).__name__} {number}")
        self.stops = threading.Event()
        self.problem = ""
        self.rounds = 0

    def run(self) -> None:
        try:
            wire = Wire(self.port, _PATIENCE_SECONDS)
            self.begin(wire)
            while not self.stops.is_set():
                self.work(wire)
                self.rounds += 1
            self.end(wire)
            wire.close()
        except Exception as problem:
            self.problem = f"{self.name}: {problem!r}"

    def begin(self, wire: Wire) -> None:
        """What comes before the first round."""

    def work(self, wire: Wire) -> None:
        """A round."""
        raise NotImplementedError

    def end(self, wire: Wire) -> None:
        """What comes after the last one."""

    def check(self, wire: Wire) -> None:
        """Compare what is there with what must be, when all have stopped. Raises AssertionError."""


def ask(wire: Wire, *words: Any) -> Any:
    """The reply. Raises AssertionError for an error."""
    reply = wire.call(*words)
    assert not isinstance(reply, ErrorReply), f"{words[:2]}: {reply}"
    return reply


class Counters(Worker):
    """Counts in a string, a hash, a sorted set, a set and a bitmap."""

    def begin(self, wire: Wire) -> None:
        self.count = 0

    def work(self, wire: Wire) -> None:
        me = self.number
        commands: list[tuple[Any, ...]] = [
            ("INCR", f"count:{me}"),
            ("HINCRBY", "counts", me, 1),
            ("ZINCRBY", "ranks", 1, me),
            ("SADD", f"members:{me}", self.count % 5000),
            ("SETBIT", f"bits:{me}", self.count % 50_000, 1),
        ]
        self.count += 1
        replies = wire.pipeline(commands)
        assert replies[:3] == [self.count, self.count, b"%d" % self.count], replies

    def check(self, wire: Wire) -> None:
        assert int(ask(wire, "GET", f"count:{self.number}")) == self.count
        assert int(ask(wire, "HGET", "counts", self.number)) == self.count
        assert float(ask(wire, "ZSCORE", "ranks", self.number)) == self.count
        assert ask(wire, "SCARD", f"members:{self.number}") == min(self.count, 5000)
        assert ask(wire, "BITCOUNT", f"bits:{self.number}") == min(self.count, 50_000)


class Volatile(Worker):
    """Keys of all sizes that expire, or are evicted before."""

    def work(self, wire: Wire) -> None:
        dice = self.dice
        key = f"v:{dice.randrange(20_000)}"
        size = dice.choice((10, 1000, 20_000, 200_000))
        lives_ms = dice.choice((20, 500, 60_000))
        wire.pipeline([("SET", key, "x" * size, "PX", lives_ms), ("GET", f"v:{dice.randrange(20_000)}")])


class Transfers(Worker):
    """Money that goes from one account to another, in transactions and in scripts: the sum stays."""

    accounts = 20

    def begin(self, wire: Wire) -> None:
        self.scripts = 0

    def work(self, wire: Wire) -> None:
        giver, taker = (f"account:{number}" for number in self.dice.sample(range(self.accounts), 2))
        amount = self.dice.randrange(1, 100)
        if self.dice.random() < 0.5:
            self.scripts += 1
            done = ask(wire, "EVAL", _TRANSFER, 3, giver, taker, f"transfers:{self.number}", amount)
            assert done == self.scripts
            return
        ask(wire, "WATCH", giver)
        balance = int(ask(wire, "GET", giver) or 0)
        wire.pipeline([("MULTI",), ("SET", giver, balance - amount), ("INCRBY", taker, amount), ("EXEC",)])

    def check(self, wire: Wire) -> None:
        balances = ask(wire, "MGET", *(f"account:{number}" for number in range(self.accounts)))
        assert sum(int(balance or 0) for balance in balances) == 0
        assert int(ask(wire, "GET", f"transfers:{self.number}") or 0) == self.scripts


class Giver(Worker):
    """Puts jobs into a list, whose takers wait for them."""

    def begin(self, wire: Wire) -> None:
        self.given = 0

    def work(self, wire: Wire) -> None:
        if ask(wire, "LLEN", "jobs") > 1000:
            time.sleep(0.01)
            return
        count = self.dice.randrange(1, 20)
        ask(wire, "RPUSH", "jobs", *range(self.given, self.given + count))
        self.given += count


class Taker(Worker):
    """Waits for jobs."""

    def begin(self, wire: Wire) -> None:
        self.taken = 0

    def work(self, wire: Wire) -> None:
        if self.number % 2:
            reply = ask(wire, "BLMPOP", 0.05, 1, "jobs", "LEFT", "COUNT", 10)
            self.taken += len(reply[1]) if reply else 0
        else:
            self.taken += ask(wire, "BLPOP", "jobs", 0.05) is not None


class Producer(Worker):
    """Adds to a stream."""

    def begin(self, wire: Wire) -> None:
        self.added = 0

    def work(self, wire: Wire) -> None:
        wire.pipeline(
            [("XADD", "stream", "MAXLEN", "~", 20_000, "*", "n", self.added + at) for at in range(10)]
        )
        self.added += 10
        time.sleep(0.005)


class Consumer(Worker):
    """Reads a stream as one of a group, and acknowledges."""

    def begin(self, wire: Wire) -> None:
        self.acknowledged = 0
        wire.call("XGROUP", "CREATE", "stream", "group", 0, "MKSTREAM")

    def work(self, wire: Wire) -> None:
        self._take(wire, 50)

    def end(self, wire: Wire) -> None:
        time.sleep(0.5)  # the producers have stopped by then
        while self._take(wire, 1):
            pass

    def _take(self, wire: Wire, wait_ms: int) -> bool:
        name = f"consumer{self.number}"
        reply = ask(
            wire,
            *("XREADGROUP", "GROUP", "group", name, "COUNT", 50, "BLOCK", wait_ms, "STREAMS", "stream", ">"),
        )
        ids = [entry[0] for _, entries in reply or () for entry in entries]
        if ids:
            done = ask(wire, "XACK", "stream", "group", *ids)
            assert done == len(ids)
            self.acknowledged += done
        return bool(ids)

    def check(self, wire: Wire) -> None:
        assert ask(wire, "XPENDING", "stream", "group")[0] == 0


class Listener(Worker):
    """Hears a channel; its speaker counts."""

    def begin(self, wire: Wire) -> None:
        self.heard = 0
        self.last = -1
        ask(wire, "SUBSCRIBE", f"channel:{self.number}")
        self.ready = True

    ready = False

    def work(self, wire: Wire) -> None:
        kind, _, number = wire.receive()
        assert kind == b"message"
        assert int(number) == self.last + 1, f"{number} after {self.last}"
        self.last = int(number)
        self.heard += 1


class Speaker(Worker):
    """Publishes numbers to a listener."""

    def __init__(self, port: int, listener: Listener) -> None:
        super().__init__(port, listener.number)
        self.listener = listener
        self.said = 0

    def work(self, wire: Wire) -> None:
        if not self.listener.ready:
            time.sleep(0.01)
            return
        heard_by = ask(wire, "PUBLISH", f"channel:{self.number}", self.said)
        assert heard_by == 1
        self.said += 1
        time.sleep(0.002)

    def end(self, wire: Wire) -> None:
        self.listener.stops.set()
        ask(wire, "PUBLISH", f"channel:{self.number}", self.said)
        self.said += 1

    def check(self, wire: Wire) -> None:
        self.listener.join(_PATIENCE_SECONDS)
        assert self.listener.heard == self.said, f"{self.listener.heard} of {self.said} heard"


class Visitor(Worker):
    """Connections that come and go: politely, by a reset, in the middle of a command, with replies unread."""

    def work(self, wire: Wire) -> None:
        kind = self.dice.randrange(4)
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_SECONDS) as sock:
            if kind == 0:
                sock.sendall(b"PING\r\n")
                assert sock.recv(100) == b"+PONG\r\n"
            elif kind == 1:
                sock.sendall(b"*2\r\n$3\r\nGET\r\n$100\r\nhalf")
            elif kind == 2:
                sock.sendall(b"HGETALL counts\r\nLRANGE jobs 0 -1\r\n" * 20)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", kind % 2, 0))
        time.sleep(0.005)


class Keeper(Worker):
    """Has the files written anew, and breaks the link of the replica."""

    seconds = 3.0

    def work(self, wire: Wire) -> None:
        for words in (("BGREWRITEAOF",), ("BGSAVE",), ("CLIENT", "KILL", "TYPE", "replica")):
            wire.call(*words)  # one that is under way is refused
            if self.stops.wait(self.seconds):
                return
