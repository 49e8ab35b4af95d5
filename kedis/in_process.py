"""A ``redis.Redis`` whose server is the engine in the same process: no socket, no thread, no start-up.

redis-py is left to do what it does over a network: it writes requests to a socket and reads replies from it.
Only the socket is ours: :class:`EngineSocket` hands what is written to the engine and keeps the reply until it is
read.  All of redis-py's methods, pipelines and transactions therefore work, by the protocol's own rules.

Several connections, and threads, may share an engine; a lock lets one request through at a time.  A command that
blocks (BLPOP) waits in its own thread, when the client reads the reply, for another thread to bring what it waits
for, its timeout, or that of the client's socket.  Where there is no other thread, nobody could: a wait without end is
then answered at once, as if its time were up.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping
from typing import Any

import redis
from redis.connection import AbstractConnection

from kedis.config import Config
from kedis.engine import FOREVER_NS, Engine
from kedis.errors import ProtocolError
from kedis.observability.observer import Observer
from kedis.persistence.embedded import EmbeddedAof
from kedis.persistence.saver import Saver
from kedis.resp.long_replies import wire_of
from kedis.resp.requests import RequestParser
from kedis.session import Buffers, Session
from kedis.store.expiry import ActiveExpiry

#: An engine in a program writes snapshots only when it is asked to.
_NOTHING_KEPT = {"appendonly": "no", "save": ""}
#: How often, in nanoseconds, a request also clears expired keys that nobody asks for.
_EXPIRY_INTERVAL_NS = 100_000_000


class EmbeddedEngine:
    """An engine that its clients drive: there is no event loop, so each request does its share of the upkeep."""

    def __init__(self, config: Config | None = None) -> None:
        self.engine = Engine(config if config is not None else Config(_NOTHING_KEPT))
        self.lock = threading.RLock()
        #: Notified when a blocked client is blocked no longer.
        self.unblocked = threading.Condition(self.lock)
        self._expiry = ActiveExpiry(self.engine.keyspace)
        self._expired_ns = self.engine.monotonic()
        self._closed = False
        self._aof = EmbeddedAof(self.engine, self.lock) if self.engine.config.appendonly else None
        self.engine.snapshots = Saver(self.engine, fork=False)
        atexit.register(self.close)
        self._observer = Observer(self.engine, self._expiry)

    def close(self) -> None:
        """Write and sync what there is and give the folder back; a closed engine runs nothing.  Idempotent."""
        with self.lock:
            self._closed = True
            atexit.unregister(self.close)
            if self._aof is not None:
                self._aof.close()

    def run(self, session: Session, commands: list[list[bytes]]) -> int:
        """Run ``commands`` to the end, whatever their number, or up to one that blocks; returns how many were run.

        Raises OSError when the engine is closed, or its folder has failed under ``appendfsync always``.
        """
        with self.lock:
            if self._closed:
                raise OSError("the store is closed")
            position = 0
            self.engine.check_clock()
            self.engine.blocking.expire()
            while position < len(commands) and not session.close_after_reply and session.blocked is None:
                position = self.engine.run(session, commands, position)
            now = self.engine.monotonic()
            if now - self._expired_ns > _EXPIRY_INTERVAL_NS:
                self._expired_ns = now
                self.engine.keyspace.now_ns = self.engine.clock()
                self._expiry.run(_EXPIRY_INTERVAL_NS / 1e9, self.engine.clock)
                self.engine.flush_pending()
                self._observer.sample()
            self.engine.tracking.broadcast()
            if self._aof is not None:
                self._aof.settle(session)
            return position

    def wait(self, session: Session, seconds: float | None) -> None:
        """Wait until ``session`` is blocked no longer.  Raises TimeoutError after ``seconds``, if any."""
        engine, blocking = self.engine, self.engine.blocking
        until_ns = FOREVER_NS if seconds is None else engine.monotonic() + int(seconds * 1e9)
        with self.unblocked:
            while session.blocked is not None:
                blocking.expire()
                if session.blocked is None:
                    break
                end_ns = min(until_ns, blocking.next_deadline_ns or FOREVER_NS)
                if not blocking.next_deadline_ns and threading.active_count() == 1:
                    blocking.unblock(session)
                    break
                left = (end_ns - engine.monotonic()) / 1e9
                if left <= 0 and end_ns == until_ns:
                    raise TimeoutError("timed out")
                self.unblocked.wait(min(left, threading.TIMEOUT_MAX))


class EngineSocket:
    """What redis-py takes for its socket.  It is also the transport of the session behind it."""

    kind = "in-process"
    fd = -1

    def __init__(self, embedded: EmbeddedEngine) -> None:
        self._embedded = embedded
        self._parser = RequestParser()
        self._replies = bytearray()
        self._timeout: float | None = None
        self._waiting: list[list[bytes]] = []  # commands behind one that blocks
        self._closed = False
        self.session = Session(embedded.engine, self, address="in-process:0", local_address="in-process:0")
        embedded.engine.connect(self.session)

    def sendall(self, data: bytes) -> None:
        """Run the requests in ``data``; their replies can be read afterwards."""
        if self._closed:
            raise BrokenPipeError("the connection was closed")
        data = bytes(data)
        while True:
            self._parser.authenticated = self.session.authenticated
            error: ProtocolError | None = None
            try:
                commands = self._parser.feed(data)
            except ProtocolError as problem:
                commands, error = problem.commands, problem
            if commands:
                self._run(commands)
            if error is not None:
                self.session.encode(error)
                self.session.close_after_reply = True
            if not self._parser.held or self.session.close_after_reply:
                break
            data = b""
        self._take_replies()

    def _run(self, commands: list[list[bytes]]) -> None:
        if self._waiting or self.session.blocked is not None:
            self._waiting += commands
            return
        try:
            done = self._embedded.run(self.session, commands)
        except OSError:
            self.session.out.clear()
            self.close()
            raise
        if not self.session.close_after_reply:
            self._waiting = commands[done:]

    def _take_replies(self) -> None:
        self._replies += wire_of(self.session.out)
        self.session.out.clear()
        if self.session.close_after_reply:
            self.close()

    def _wait(self) -> None:
        """Wait for the command that blocks, then run what stands behind it.  Raises TimeoutError."""
        self._embedded.wait(self.session, self._timeout)
        commands, self._waiting = self._waiting, []
        if commands:
            self._run(commands)
        self._take_replies()

    def recv(self, size: int) -> bytes:
        """The next bytes of the replies; empty after the end, as a socket has it.  Waits where a command blocks."""
        while not self._replies and not self._closed and self._is_waiting():
            self._wait()
        if not self._replies and not self._closed:
            raise TimeoutError("no reply is waiting")
        data = bytes(self._replies[:size])
        del self._replies[:size]
        return data

    def recv_into(self, buffer: Any) -> int:
        """Like :meth:`recv`, into ``buffer``; returns how many bytes."""
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        """Whether :meth:`recv` would return at once."""
        return bool(self._replies or self.session.out) or self._closed

    def _is_waiting(self) -> bool:
        return self.session.blocked is not None or bool(self._waiting or self.session.out)

    def settimeout(self, timeout: float | None) -> None:
        """How many seconds :meth:`recv` waits for a command that blocks; None: as long as the command does."""
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def shutdown(self, how: int) -> None:
        self.close()

    def close(self) -> None:
        """End the session; replies that are there can still be read."""
        if not self._closed:
            self._closed = True
            self._embedded.engine.disconnect(self.session)

    def output_bytes(self) -> int:
        return len(self._replies)

    def input_bytes(self) -> int:
        return self._parser.pending_bytes

    def buffers(self) -> Buffers:
        return Buffers(self._parser.free_bytes, len(self.session.out))

    def wants_send(self) -> None:
        """Messages are taken from the session when the client reads; who waits in :meth:`recv` is woken."""
        with self._embedded.unblocked:
            self._embedded.unblocked.notify_all()


class InProcessConnection(AbstractConnection):
    """A redis-py connection over an :class:`EngineSocket`."""

    def __init__(self, *, embedded: EmbeddedEngine, **options: Any) -> None:
        self._embedded = embedded
        super().__init__(**options)

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return [("in_process", True), ("db", self.db)]

    def _connect(self) -> Any:
        sock = EngineSocket(self._embedded)
        sock.settimeout(self.socket_timeout)
        return sock

    def can_read(self, timeout: float = 0) -> bool:
        """Whether replies are left over, or the end was reached; redis-py would poll a file descriptor."""
        if self._sock is None:
            self.connect()  # type: ignore[no-untyped-call]
        sock: Any = self._sock
        return bool(sock.readable())

    def _host_error(self) -> str:
        return "in-process"


class InProcessClient(redis.Redis):
    """A client that owns its store: closing it closes the store, folder and all."""

    def __init__(self, embedded: EmbeddedEngine, **options: Any) -> None:
        self._embedded = embedded
        pool = redis.ConnectionPool(connection_class=InProcessConnection, embedded=embedded, **options)
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True

    def close(self) -> None:
        """Close the connections, then the store: everything is on the disk afterwards."""
        super().close()
        self._embedded.close()


def connect(
    folder: str | os.PathLike[str] | None = None, *, settings: Mapping[str, str] | None = None, **options: Any
) -> redis.Redis:
    """A store in this process, as a ``redis.Redis``.

    Args:
        folder: where its data are kept, as a server keeps them in its ``dir``; created where it does not exist, and
            used by one process at a time.  None: an empty store that is forgotten.
        settings: as in a configuration file, such as ``{"appendfsync": "always"}``.
        options: keyword arguments of ``redis.Redis`` that concern the client (``decode_responses``, ``db``, …).

    Close it with ``close()`` or as a context manager; at the end of the program that happens by itself.

    Raises AofError when the folder is in use or its files are damaged, ConfigError for a bad setting.
    """
    chosen = dict(_NOTHING_KEPT)
    if folder is not None:
        chosen |= {"appendonly": "yes", "dir": os.fspath(folder)}
    return InProcessClient(EmbeddedEngine(Config({**chosen, **(settings or {})})), **options)
