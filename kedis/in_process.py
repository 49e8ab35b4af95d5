"""A ``redis.Redis`` whose server is the engine in the same process: no socket, no thread, no start-up.

redis-py is left to do what it does over a network: it writes requests to a socket and reads replies from it.
Only the socket is ours: :class:`EngineSocket` hands what is written to the engine and keeps the reply until it is
read.  All of redis-py's methods, pipelines and transactions therefore work, by the protocol's own rules.

Several connections, and threads, may share an engine; a lock lets one request through at a time.
"""

from __future__ import annotations

import threading
from typing import Any

import redis
from redis.connection import AbstractConnection

from kedis.config import Config
from kedis.engine import Engine
from kedis.errors import ProtocolError
from kedis.observability.observer import Observer
from kedis.resp.requests import RequestParser
from kedis.session import Session
from kedis.store.expiry import ActiveExpiry

#: How often, in nanoseconds, a request also clears expired keys that nobody asks for.
_EXPIRY_INTERVAL_NS = 100_000_000


class EmbeddedEngine:
    """An engine that its clients drive: there is no event loop, so each request does its share of the upkeep."""

    def __init__(self, config: Config | None = None) -> None:
        self.engine = Engine(config if config is not None else Config())
        self.lock = threading.RLock()
        self._expiry = ActiveExpiry(self.engine.keyspace)
        self._expired_ns = self.engine.clock()
        self._observer = Observer(self.engine, self._expiry)

    def run(self, session: Session, commands: list[list[bytes]]) -> None:
        """Run ``commands`` to the end, whatever their number."""
        with self.lock:
            position = 0
            while position < len(commands) and not session.close_after_reply:
                position = self.engine.run(session, commands, position)
            now = self.engine.clock()
            if now - self._expired_ns > _EXPIRY_INTERVAL_NS:
                self._expired_ns = now
                self.engine.keyspace.now_ns = now
                self._expiry.run(_EXPIRY_INTERVAL_NS / 1e9, self.engine.clock)
                self.engine.flush_pending()
                self._observer.sample()


class EngineSocket:
    """What redis-py takes for its socket.  It is also the transport of the session behind it."""

    kind = "in-process"
    fd = -1

    def __init__(self, embedded: EmbeddedEngine) -> None:
        self._embedded = embedded
        self._parser = RequestParser()
        self._replies = bytearray()
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
                self._embedded.run(self.session, commands)
            if error is not None:
                self.session.encode(error)
                self.session.close_after_reply = True
            if not self._parser.held or self.session.close_after_reply:
                break
            data = b""
        self._replies += b"".join(self.session.out)
        self.session.out.clear()
        if self.session.close_after_reply:
            self.close()

    def recv(self, size: int) -> bytes:
        """The next bytes of the replies; empty after the end, as a socket has it."""
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
        return bool(self._replies) or self._closed

    def settimeout(self, timeout: float | None) -> None:
        """Replies are there as soon as the request is sent; there is nothing to wait for."""

    def gettimeout(self) -> float | None:
        return None

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


class InProcessConnection(AbstractConnection):
    """A redis-py connection over an :class:`EngineSocket`."""

    def __init__(self, *, embedded: EmbeddedEngine, **options: Any) -> None:
        self._embedded = embedded
        super().__init__(**options)

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return [("in_process", True), ("db", self.db)]

    def _connect(self) -> Any:
        return EngineSocket(self._embedded)

    def can_read(self, timeout: float = 0) -> bool:
        """Whether replies are left over, or the end was reached; redis-py would poll a file descriptor."""
        if self._sock is None:
            self.connect()  # type: ignore[no-untyped-call]
        sock: Any = self._sock
        return bool(sock.readable())

    def _host_error(self) -> str:
        return "in-process"


def connect(**options: Any) -> redis.Redis:
    """A new, empty store in this process, as a ``redis.Redis``.

    Args:
        options: keyword arguments of ``redis.Redis`` that concern the client (``decode_responses``, ``db``, …).
    """
    embedded = EmbeddedEngine(Config({"appendonly": "no"}))
    pool = redis.ConnectionPool(connection_class=InProcessConnection, embedded=embedded, **options)
    return redis.Redis(connection_pool=pool)
