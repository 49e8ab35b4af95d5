"""An engine whose requests go through one of the two paths, driven without sockets, and all that can be seen of it.

:class:`Side` stands in for the network side (:mod:`kedis.server.connection`, :mod:`kedis.native.loop`): it gives the
bytes of a client to the native path where that serves the client, and what is left to the Python path.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from kedis.config import Config
from kedis.engine.admission import Stop
from kedis.engine.call import after_removals, expire_blocked
from kedis.engine.client import FOREVER_NS, Client
from kedis.engine.engine import Engine
from kedis.engine.transport import NullTransport
from kedis.errors import ProtocolError
from kedis.native.path import Path, Peer
from kedis.observability.observer import Observer
from kedis.resp.long_replies import wire_of
from kedis.resp.replies import encode_command
from kedis.resp.requests import RequestParser
from kedis.store.digest import keyspace_digest
from kedis.store.expiry import ActiveExpiry
from kedis.store.types import type_of
from kedis.structures.histogram import Histogram

START_NS = 1_700_000_000_000_000_000


class Clock:
    """Moves by ``step`` at each reading. :meth:`unread` takes the last reading back."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.step = 0

    def __call__(self) -> int:
        self.now_ns += self.step
        return self.now_ns

    def unread(self) -> None:
        self.now_ns -= self.step


class Sink:
    """Keeps the bytes of the propagation stream."""

    def __init__(self) -> None:
        self.wire = b""

    def feed(self, pieces: Sequence[bytes]) -> None:
        self.wire += b"".join(pieces)

    def lost(self) -> None:
        raise AssertionError("a command could not be encoded")


class Listener:
    """Keeps what it is told of (see kedis.persistence.unsynced)."""

    def __init__(self) -> None:
        self.noted: list[list[bytes]] = []

    def note(self, argv: Sequence[bytes | bytearray]) -> None:
        self.noted.append([bytes(word) for word in argv])


class Transport(NullTransport):
    kind = "tcp"


class Link:
    """A client with what a connection has: its parser, and commands that wait."""

    def __init__(self, engine: Engine) -> None:
        self.kept = b""
        self.client = Client(
            engine, Transport(), address="127.0.0.1:50000", local_address="127.0.0.1:6379", in_parts=True
        )
        engine.connect(self.client)
        self.parser = RequestParser()
        self.waiting: list[list[bytes]] = []
        self.ended = False
        self.commands_before = 0
        self.peer: Peer = Peer()
        self.peer.client = self.client
        self.unsure = False
        """Whether `last_command` may differ: the Python path notes none where the last of a read was refused."""


class Side:
    """One engine and its clients."""

    def __init__(self, native: bool, clients: int, seed: int) -> None:
        self.clock = Clock()
        self.engine = Engine(Config(), clock=self.clock)
        Observer(self.engine)
        self.engine.keyspace.random = Random(seed)
        _evict_in_order(self.engine)
        self._keep_slow_log_out_of_time()
        self.sink = Sink()
        self.engine.propagation.add_sink(self.sink)
        self.listener = Listener()
        self.path: Path | None = Path(self.engine) if native else None
        self.exact = True
        self._at_rest = True
        self.waits, self.depths = Histogram(), Histogram()
        if self.path is not None:
            self.path.waits, self.path.depths = self.waits, self.depths
        self.links = [Link(self.engine) for _ in range(clients)]
        self.served_natively = 0
        self.expiry = ActiveExpiry(self.engine.keyspace)

    def _keep_slow_log_out_of_time(self) -> None:
        """The slow log reads the clock as well, which would count for the next command of the same run alone."""
        observer, clock = self.engine.observer, self.clock
        take = observer.take_slow_call

        def take_at_once(*arguments: Any) -> None:
            now = clock.now_ns
            take(*arguments)
            clock.now_ns = now

        observer.take_slow_call = take_at_once  # type: ignore[method-assign]

    # -- requests -----------------------------------------------------------------------------------------

    def feed(self, number: int, data: bytes, budget_ns: int = FOREVER_NS) -> None:
        """The bytes of one read of a client; the budget counts while the clock stands still."""
        self._at_rest = True
        budget_ns = FOREVER_NS if self.clock.step else budget_ns
        self._feed(number, data, budget_ns)
        self._at_rest = True
        self.engine.keyspace.now_ns = self.clock.now_ns

    def _feed(self, number: int, data: bytes, budget_ns: int) -> None:
        link = self.links[number]
        client, path = link.client, self.path
        began = self.clock.now_ns
        if (
            path is not None
            and link.parser.is_empty
            and not link.waiting
            and not link.ended
            and path.serves(client)
        ):
            data = link.kept + data
            link.kept = b""
            outcome, served = "later", 0
            while outcome == "later":
                before = path.commands
                data, outcome = path.feed(link.peer, data, budget_ns, began)
                ran = path.commands - before
                self.served_natively += ran
                served += ran
                link.unsure = link.unsure and not ran
                self.exact = self.exact and outcome != "later"
                if outcome == "later" or not served:
                    self.clock.unread()
                else:
                    self._at_rest = False
            link.commands_before, link.peer.commands_before = link.peer.commands_before, 0
            if outcome == "end":
                return
            if outcome == "more" and len(data) <= 16384:
                link.kept = data
                return
            link.peer.surface()
        elif link.kept:
            data, link.kept = link.kept + data, b""
        self._feed_python(link, data, began)

    def _feed_python(self, link: Link, data: bytes, began: int) -> None:
        parser, client = link.parser, link.client
        commands: list[list[bytes]] = []
        problem: ProtocolError | None = None
        counted = False
        while not link.ended:
            parser.authenticated = client.user is not None
            try:
                commands = parser.feed(data)
            except ProtocolError as error:
                commands = error.commands
                problem = error
                break
            data = b""
            if not parser.held:
                break
            self.exact = False
            self._run(link, commands, began, counted)
            counted = True
            commands = []
        self._run(link, commands, began, counted)
        if problem is not None and not link.ended:
            client.encode(problem)
            client.close_after_reply = True
        link.ended = link.ended or client.close_after_reply

    def _run(
        self,
        link: Link,
        commands: list[list[bytes]],
        began: int = 0,
        counted: bool = False,
    ) -> None:
        client, engine = link.client, self.engine
        count = len(commands)
        commands = link.waiting + commands
        link.waiting = []
        if not commands or link.ended or client.close_after_reply:
            if link.commands_before and not counted:
                self._observe(max(engine.keyspace.now_ns - began, 0), link.commands_before)
                link.commands_before = 0
            return
        if not self._at_rest:
            self.clock.unread()  # so that a read begins at one moment, however many runs it takes
        self._at_rest = False
        done = 0
        while done < len(commands) and not client.close_after_reply:
            last, client.last_command = client.last_command, None
            done = engine.run(client, commands, done)
            link.unsure = client.last_command is None
            if link.unsure:
                client.last_command = last
            if done < len(commands) and engine.stopped in (Stop.BLOCKED, Stop.PAUSED, Stop.ENDED):
                link.waiting = commands[done:]
                break
        if not counted:
            self._observe(max(engine.keyspace.now_ns - began, 0), count + link.commands_before)
            link.commands_before = 0

    def _observe(self, waited: int, depth: int) -> None:
        self.waits.add(waited)
        if depth > 1:
            self.depths.add(depth)

    def command(self, number: int, *words: bytes) -> None:
        """One command, in one read."""
        self.feed(number, encode_command(words))

    def call(self, number: int, *words: bytes) -> bytes:
        """The bytes of the reply to one command, and nothing that was there before."""
        self.replies()
        self.command(number, *words)
        return self.replies()[number]

    # -- in between ---------------------------------------------------------------------------------------

    def pass_time(self, ns: int) -> None:
        """The clock is moved; what waits for it happens."""
        self.clock.now_ns += ns
        engine = self.engine
        if engine.restrictions.paused_until_ns and engine.monotonic() >= engine.restrictions.paused_until_ns:
            engine.unpause()
        expire_blocked(engine)
        self.go_on()

    def expire(self) -> None:
        """A period of the active expiry."""
        self.engine.keyspace.now_ns = self.clock.now_ns
        _settle_volatile_order(self.engine)
        self.expiry.run(0.1, lambda: self.clock.now_ns)
        after_removals(self.engine)

    def go_on(self) -> None:
        """Clients that waited run what they have sent."""
        for link in self.links:
            if link.waiting and link.client.blocked is None:
                self._run(link, [], counted=True)

    def replace_ended(self) -> None:
        """Clients whose connection has ended are followed by new ones."""
        for number, link in enumerate(self.links):
            if link.ended or link.client.close_after_reply:
                self.engine.disconnect(link.client)
                self.links[number] = Link(self.engine)

    def listen(self, on: bool) -> None:
        """Whether recorded commands are told to the listener (appendfsync always)."""
        self.engine.propagation.listener = self.listener if on else None

    def record(self, on: bool) -> None:
        """Whether there is a journal."""
        propagation = self.engine.propagation
        if on and not propagation.active:
            propagation.add_sink(self.sink)
        elif not on:
            propagation.flush()
            propagation.remove_sink(self.sink)

    # -- what can be seen ---------------------------------------------------------------------------------

    def replies(self) -> list[bytes]:
        """What the clients have been sent since the last look."""
        wires = []
        for link in self.links:
            link.peer.surface()
            wires.append(wire_of(link.client.out))
            link.client.out.clear()
        return wires

    def journal(self) -> bytes:
        """What was recorded since the last look."""
        self.engine.propagation.flush()
        wire, self.sink.wire = self.sink.wire, b""
        return wire

    def state(self) -> dict[str, Any]:
        """Everything else, by name."""
        engine = self.engine
        keyspace, restrictions = engine.keyspace, engine.restrictions
        seen: dict[str, Any] = {
            "keyspace": {
                name: getattr(keyspace, name)
                for name in (
                    *("dirty", "hits", "misses", "expired_keys", "expired_on_access", "loading", "no_touch"),
                    *("observed", "watch_count", "now_ns"),
                )
            },
            "used": keyspace.account.used,
            "random": hash(keyspace.random.getstate()),
            "digest": keyspace_digest(keyspace),
            "evicted": dict(keyspace.eviction.evicted),
            "faults": engine.faults,
            "transactions": dict(engine.transactions),
            "errors": dict(engine.table.error_counts),
            "offset": engine.propagation.offset,
            "epoch": engine.propagation.epoch,
            "overridden": engine.propagation.overridden,
            "batch": list(engine.propagation.batch),
            "noted": list(self.listener.noted),
            "needs checks": restrictions.needs_checks,
            "full": (restrictions.memory_full, restrictions.out_of_memory),
            "waiting": dict(engine.events.waiting.ready),
            "reads": sum(self.waits.counts),
            "waits": (list(self.waits.counts), self.waits.total),
            "depths": (list(self.depths.counts), self.depths.total),
            "slow": engine.observer.slowlog.newest(-1),
        }
        for number, link in enumerate(self.links):
            client = link.client
            seen[f"client {number}"] = {
                "command": "?" if link.unsure else client.last_command and client.last_command.name,
                "dirty epoch": client.dirty_epoch,
                "database": client.database,
                "resp": client.resp,
                "queue": client.queue and [argv for _, argv in client.queue],
                "watch broken": client.watch_broken,
                "failed": client.multi_failed,
                "checks": client.needs_checks,
                "closing": client.close_after_reply,
                "blocked": client.blocked is not None,
                "waiting": link.waiting,
            }
        for row in engine.table.every():
            counters = row.counters
            figures = (
                counters.nanoseconds,
                [(at, calls) for at, calls in enumerate(counters.histogram) if calls],
                list(counters.longer),
                dict(counters.errors),
                dict(counters.refusals),
            )
            if any(figures):
                seen[f"figures of {row.name}"] = figures
        for database in keyspace.databases:
            if database.data:
                seen[f"database {database.number}"] = {
                    "keys": list(database.data),
                    "encodings": [type_of(value).encoding(value) for value in database.data.values()],
                    "expires": dict(database.expires),
                    "accesses": database.access_tracker and dict(database.access_tracker.last_access),
                    "index": (database.index._buckets, len(database.index))
                    if hasattr(database.index, "_buckets")
                    else None,
                }
        return seen

    def check(self) -> None:
        """The invariants of the keyspace."""
        keyspace = self.engine.keyspace
        if keyspace.loading:
            return
        while keyspace.lazy_free.free(lambda: 0):
            pass
        keyspace.check()


def _settle_volatile_order(engine: Engine) -> None:
    """Put the keys with a time to live in order, on which it depends which is drawn, or expires, first.

    SET of a key with a time to live removes it there and adds it again in the Python path, and leaves it where it is in
    the other: the same keys, each as likely as the other.
    """
    for database in engine.keyspace.databases:
        for key, at_ms in sorted(database.expires.items()):  # the last of its bucket then
            del database.expires[key]
            database.expires[database.held(key)] = at_ms


def _evict_in_order(engine: Engine) -> None:
    eviction = engine.keyspace.eviction
    run = eviction.run

    def run_in_order(*arguments: Any) -> bool:
        _settle_volatile_order(engine)
        return run(*arguments)

    eviction.run = run_in_order  # type: ignore[method-assign]
