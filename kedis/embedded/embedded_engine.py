"""An engine without an event loop, and the lock that lets one request through at a time.

Nobody waits with the lock held.  The periodic work (expiry above all) is done by requests, and by readers while they
wait or look for messages; whoever waits for the event of a key's expiry therefore gets it in time.

A forked child cannot use the store of its parent (:mod:`kedis.process.forked`).
"""

from __future__ import annotations

import atexit
from collections import deque
from typing import Protocol, cast

from kedis.commands import load_all
from kedis.config import Config
from kedis.embedded.durability import EmbeddedAof
from kedis.engine.call import after_removals, expire_blocked, unblock
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.ports import NoEventLoop
from kedis.engine.transport import Transport
from kedis.observability.observer import Observer
from kedis.persistence.saver import Saver
from kedis.process.forked import ForkedError, abandon_in_children
from kedis.process.threads import RealRLock
from kedis.store.expiry import ActiveExpiry

#: An engine in a program writes snapshots only when it is asked to.
NOTHING_KEPT = {"appendonly": "no", "save": ""}
#: How often, in nanoseconds, requests and waiting readers do the periodic work.
_UPKEEP_NS = 100_000_000


class EmbeddedTransport(Transport, Protocol):
    """The transport of a client of this engine."""

    def abandon(self) -> None:
        """In a forked child: close, and drop what could be read."""


class EmbeddedEngine(NoEventLoop):
    """An engine that its clients drive: there is no event loop, so each request does its share of the upkeep."""

    noun = "store"

    def __init__(self, config: Config | None = None) -> None:
        load_all()
        self.engine = Engine(config if config is not None else Config(NOTHING_KEPT))
        self.lock = RealRLock()
        #: Why the store cannot be used by this process, a forked child; "" in the process that it belongs to.
        self.forked = ""
        self._expiry = ActiveExpiry(self.engine.keyspace)
        self._upkeep_ns = self.engine.monotonic()
        self._closed = False
        self._departed: deque[Client] = deque()
        self._aof = EmbeddedAof(self.engine) if self.engine.config.appendonly else None
        self.engine.snapshots = Saver(self.engine, fork=False)
        self.engine.attach_loop(self)
        atexit.register(self.close)
        abandon_in_children(self)
        self._observer = Observer(self.engine, self._expiry)

    def close(self) -> None:
        """Write and sync what there is and give the folder back; a closed engine runs nothing.  Idempotent.

        Raises OSError when the disk fails, and ForkedError in a forked child.
        """
        self.check()
        with self.lock:
            self._closed = True
            atexit.unregister(self.close)
            for client in list(self.engine.clients.values()):
                client.transport.close()  # whoever waits there learns of it
            if self._aof is not None:
                self._aof.close()

    def check(self) -> None:
        """Raise ForkedError when this process is a forked child of the one that the store belongs to."""
        if self.forked:
            raise ForkedError(self.forked)

    def abandon(self, reason: str) -> None:
        """See :class:`kedis.process.forked.Abandoned`."""
        self.forked = reason
        self._closed = True
        self.lock = RealRLock()  # another thread may have held it, which has not come along
        atexit.unregister(self.close)
        for client in list(self.engine.clients.values()):
            cast(EmbeddedTransport, client.transport).abandon()
        if self._aof is not None:
            self._aof.abandon()

    def connect(self, transport: EmbeddedTransport) -> Client:
        """A client for ``transport``."""
        with self.lock:
            client = Client(self.engine, transport, address="in-process:0", local_address="in-process:0")
            self.engine.connect(client)
        return client

    def disconnect(self, client: Client) -> None:
        """Forget ``client``, now, or before the next command if one is running.

        The collector of garbage may close a connection anywhere, in the middle of a command, too.
        """
        self._departed.append(client)

    def run(self, client: Client, commands: list[list[bytes]]) -> int:
        """Run ``commands`` to the end, or up to one that must wait; returns how many were run.  The lock is held.

        Raises OSError when the engine is closed, or its folder has failed under ``appendfsync always``.
        """
        engine = self.engine
        if self._closed:
            self.check()
            raise OSError("the store is closed")
        if self._departed:
            self._let_go()
        engine.check_clock()
        expire_blocked(engine)
        position = engine.run(client, commands)
        now = engine.monotonic()
        if now - self._upkeep_ns > _UPKEEP_NS:
            self._run_upkeep(now)
        engine.tracking.broadcast()
        if self._aof is not None:
            self._aof.settle(client)
        return position

    def upkeep(self, client: Client) -> float | None:
        """Do what is due while ``client`` waits; returns in how many seconds something may be due again, if ever.

        Raises OSError like :meth:`run`.
        """
        engine = self.engine
        with self.lock:
            if self._closed:
                return None  # its socket is closed, too
            if self._departed:
                self._let_go()
            expire_blocked(engine)
            now = engine.monotonic()
            if now - self._upkeep_ns > _UPKEEP_NS:
                self._run_upkeep(now)
                engine.tracking.broadcast()
                if self._aof is not None:
                    self._aof.settle(client)
            moments = [self._upkeep_ns + _UPKEEP_NS + 1] if self._has_volatile_keys() else []
            if client.blocked is not None and client.blocked.deadline_ns:
                moments.append(client.blocked.deadline_ns)
            if engine.restrictions.paused_until_ns:
                moments.append(engine.restrictions.paused_until_ns)
            return max(min(moments) - now, 0) / 1e9 if moments else None

    def answer_without_end(self, client: Client) -> None:
        """Nobody can end the wait of ``client``: answer it as if its time were up."""
        with self.lock:
            unblock(client)

    def _run_upkeep(self, now: int) -> None:
        """The periodic work.  ``now`` is by the monotonic clock."""
        engine = self.engine
        self._upkeep_ns = now
        engine.keyspace.now_ns = engine.clock()
        if engine.restrictions.paused_until_ns and now >= engine.restrictions.paused_until_ns:
            engine.unpause()
        if not engine.restrictions.paused_until_ns:
            self._expiry.run(_UPKEEP_NS / 1e9, engine.clock)
            after_removals(engine)
        self._observer.sample()

    def _has_volatile_keys(self) -> bool:
        return any(database.expires for database in self.engine.keyspace.databases)

    def _let_go(self) -> None:
        while self._departed:
            self.engine.disconnect(self._departed.popleft())

    def unpaused(self) -> None:
        """CLIENT PAUSE has ended: the clients that wait for it look again."""
        for client in list(self.engine.clients.values()):
            client.transport.wants_send()
