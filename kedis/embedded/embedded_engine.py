"""An engine without an event loop, and the lock that serialises its requests.

No thread waits with the lock held. The periodic work (expiry above all) is done by requests, and by readers while they
wait for messages or poll; a client that waits for the event of a key's expiry therefore gets it in time.

A forked child cannot use the store of its parent (:mod:`kedis.process.forked`).
"""

from __future__ import annotations

import atexit
from collections import deque
from typing import TYPE_CHECKING, Protocol, cast

from kedis import native
from kedis.commands import load_all
from kedis.config import Config
from kedis.config.keywords import changed_settings
from kedis.embedded.direct_calls import direct_caller
from kedis.embedded.direct_requests import Requests
from kedis.engine.absent import NoEventLoop, NoProcess
from kedis.engine.call import after_removals, expire_blocked, unblock
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.table import give_back
from kedis.engine.transport import Transport
from kedis.errors import CommandError
from kedis.observability.observer import Observer
from kedis.persistence.rdb_file import copy_data
from kedis.persistence.saver import Saver
from kedis.persistence.users_file import open_users_file
from kedis.process import clock
from kedis.process.forked import ForkedError, abandon_in_children
from kedis.process.threads import RealRLock
from kedis.store.expiry import ActiveExpiry

if TYPE_CHECKING:
    from kedis.embedded.durability import EmbeddedAof

#: Settings that persist nothing: an embedded engine writes snapshots on request only.
NOTHING_KEPT = {"appendonly": "no", "save": ""}
#: Settings of a copy beside these: it writes nothing of the original's (its snapshot, its file of users).
_NO_FILES = ("dir", "dbfilename", "aclfile")
#: Interval, in nanoseconds, of the periodic work done by requests and waiting readers.
UPKEEP_NS = 100_000_000


class EmbeddedTransport(Transport, Protocol):
    """The transport of a client of this engine."""

    def abandon(self) -> None:
        """In a forked child: close, and drop the unread replies."""


class _NoShutdown(NoProcess):
    """The process of an embedded engine, which a client does not end: SHUTDOWN ends the client's connection."""

    def __init__(self, saver: Saver) -> None:
        self._saver = saver

    def shut_down(self, options: frozenset[str]) -> None:
        """Save where the client asks for that, as SAVE does. Raises CommandError."""
        if "save" in options:
            self._saver.save()


class EmbeddedEngine(NoEventLoop):
    """An engine that its clients drive: there is no event loop, so each request does its share of the upkeep."""

    noun = "store"

    def __init__(self, config: Config | None = None) -> None:
        load_all()
        wall, monotonic = clock.PROGRAM_CLOCKS
        self.engine = Engine(
            config if config is not None else Config(NOTHING_KEPT), clock=wall, monotonic=monotonic
        )
        self.engine.config.in_program = True
        open_users_file(self.engine)
        if native.PATH == "native":
            from kedis.native.path import Path

            self.engine.native = Path(self.engine).call_command
        self.lock = RealRLock()
        #: The reason why a forked child cannot use the store; "" in the process that owns it.
        self.forked = ""
        #: In a forked child: whether the fork came while another thread ran a command.
        self._torn = False
        self._expiry = ActiveExpiry(self.engine.keyspace)
        self._upkeep_ns = self.engine.monotonic()
        #: Time of the next upkeep by the wall clock, the only one that direct calls read.
        self.upkeep_due_ns = 0
        self._closed = False
        #: Clients to forget before the next command.
        self.departed: deque[Client] = deque()
        self._aof = self._opened_file() if self.engine.config.appendonly else None
        self.is_persistent = self._aof is not None
        self.engine.snapshots = self._saver = Saver(self.engine, fork=False)
        self.engine.process = _NoShutdown(self._saver)
        self.engine.attach_loop(self)
        if self.is_persistent:
            atexit.register(self.close)
        abandon_in_children(self)
        self._observer = Observer(self.engine, self._expiry)
        #: Calls a command without its protocol, between :meth:`begin` and :meth:`end`.
        self.direct_call = direct_caller(self.engine)
        self.requests = Requests(self.engine.table)

    def _opened_file(self) -> EmbeddedAof:
        from kedis.embedded.durability import (
            EmbeddedAof,  # with all that reads files, which takes 20 ms to import
        )

        return EmbeddedAof(self.engine)

    def close(self) -> None:
        """Write and sync the rest, and release the folder; a closed engine runs nothing. Idempotent.

        Raises OSError when the disk fails, and ForkedError in a forked child.
        """
        self.check()
        with self.lock:
            if self._closed:
                return
            self._closed = True
            atexit.unregister(self.close)
            for client in list(self.engine.clients.values()):
                client.transport.close()  # a waiting reader is woken
            try:
                if self._aof is not None:
                    self._aof.close()
            finally:
                self._saver.close()
                give_back(self.engine.table)

    def check(self) -> None:
        """Raise ForkedError when this process is a forked child of the owner of the store."""
        if self.forked:
            raise ForkedError(self.forked)

    def abandon(self, reason: str) -> None:
        """See :class:`kedis.process.forked.Abandoned`."""
        self._torn = self._torn or not self.lock.acquire(blocking=False)
        self.forked = reason
        self._closed = True
        self.lock = RealRLock()  # another thread may have held it, which the child does not have
        atexit.unregister(self.close)
        for client in list(self.engine.clients.values()):
            cast(EmbeddedTransport, client.transport).abandon()
        if self._aof is not None:
            self._aof.abandon()

    def copy(self) -> EmbeddedEngine:
        """A store in memory with the data and the settings of this one, also in a forked child, as they were then.

        It has none of the files of this one: what it saves goes to a temporary folder, and goes with it.

        Raises ForkedError in a child that was forked in the middle of another thread's command. O(data).
        """
        if self._torn:
            raise ForkedError(
                "the fork came while another thread changed this store: its data cannot be copied"
            )
        with self.lock:
            settings = changed_settings(self.engine.config) | NOTHING_KEPT
            copied = EmbeddedEngine(
                Config({name: settings[name] for name in settings if name not in _NO_FILES})
            )
            copy_data(self.engine, copied.engine)
            copied.engine.users.replace_all(self.engine.users.by_name)
        return copied

    def describe(self) -> str:
        """The store in a few words, for ``repr`` of its clients."""
        config = self.engine.config
        place = f"in {config.dir!r}" if self.is_persistent else "in memory"
        state = ", of another process" if self.forked else ", closed" if self._closed else ""
        return f"Kedis store {place}{state}"

    def connect(self, transport: EmbeddedTransport) -> Client:
        """Return a new client for ``transport``."""
        with self.lock:
            client = Client(self.engine, transport, address="in-process:0", local_address="in-process:0")
            self.engine.connect(client)
        return client

    def disconnect(self, client: Client) -> None:
        """Forget ``client`` now, or before the next command if one is running.

        The garbage collector may close a connection anywhere, also in the middle of a command.
        """
        self.departed.append(client)

    def run(self, client: Client, commands: list[list[bytes]]) -> int:
        """Run ``commands`` to the end, or up to one that must wait; returns the number run. The lock is held.

        Raises OSError when the engine is closed, or its folder has failed under ``appendfsync always``.
        """
        self.begin()
        position = self.engine.run(client, commands)
        self.end(client)
        return position

    def begin(self) -> None:
        """Do what precedes the commands of a client. The lock is held. Raises OSError when the engine is closed."""
        if self._closed:
            self.check()
            raise OSError("the store is closed")
        if self.departed:
            self._let_go()
        self.engine.check_clock()
        expire_blocked(self.engine)

    def end(self, client: Client) -> CommandError | None:
        """Do what follows the commands of ``client``: upkeep, invalidations, the append-only file. The lock is held.

        Returns the error that takes the place of its replies, where its changes could not be written; those in
        ``client.out`` are replaced already. Raises OSError when the folder has failed under ``appendfsync always``.
        """
        engine = self.engine
        now = engine.monotonic()
        if now - self._upkeep_ns > UPKEEP_NS:
            self._run_upkeep(now)
        engine.tracking.broadcast()
        return self._aof.settle(client) if self._aof is not None else None

    def upkeep(self, client: Client) -> float | None:
        """Do due work while ``client`` waits; returns the seconds until work may be due again, or None.

        Raises OSError like :meth:`run`.
        """
        engine = self.engine
        with self.lock:
            if self._closed:
                return None  # its socket is closed
            if self.departed:
                self._let_go()
            expire_blocked(engine)
            now = engine.monotonic()
            if now - self._upkeep_ns > UPKEEP_NS:
                self._run_upkeep(now)
                engine.tracking.broadcast()
                if self._aof is not None:
                    self._aof.settle(client)
            moments = [self._upkeep_ns + UPKEEP_NS + 1] if self._has_volatile_keys() else []
            if client.blocked is not None and client.blocked.deadline_ns:
                moments.append(client.blocked.deadline_ns)
            if engine.restrictions.paused_until_ns:
                moments.append(engine.restrictions.paused_until_ns)
            return max(min(moments) - now, 0) / 1e9 if moments else None

    def answer_without_end(self, client: Client) -> None:
        """Answer ``client`` as at its timeout, because no other thread can end its wait."""
        with self.lock:
            unblock(client)

    def _run_upkeep(self, now: int) -> None:
        """Do the periodic work. ``now`` is in ns of the monotonic clock."""
        engine = self.engine
        self._upkeep_ns = now
        engine.keyspace.now_ns = engine.clock()
        self.upkeep_due_ns = engine.keyspace.now_ns + UPKEEP_NS
        engine.check_clock()
        if engine.restrictions.paused_until_ns and now >= engine.restrictions.paused_until_ns:
            engine.unpause()
        if not engine.restrictions.paused_until_ns:
            self._expiry.run(UPKEEP_NS / 1e9, engine.clock)
            after_removals(engine)
        self._observer.sample()

    def _has_volatile_keys(self) -> bool:
        return any(database.expires for database in self.engine.keyspace.databases)

    def _let_go(self) -> None:
        while self.departed:
            self.engine.disconnect(self.departed.popleft())

    def unpaused(self) -> None:
        """Let the clients that wait for the end of CLIENT PAUSE check again."""
        for client in list(self.engine.clients.values()):
            client.transport.wants_send()
