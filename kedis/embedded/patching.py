"""Stores in this process for clients that a program makes itself, by ``redis.Redis()`` or ``redis.from_url()``.

``kedis.patch()`` replaces one step of redis-py: how a connection gets its socket. So it does not matter who has made
the client or its pool, how, or when and under which name it has imported redis-py; whatever connects while the patch
lasts gets a store in this process, one for each address (host and port, or path), empty at first. The password of a
connection is accepted: the real server's is none of the test's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any

import redis.asyncio.connection
import redis.connection

from kedis.config import Config
from kedis.config.keywords import settings_of_keywords
from kedis.embedded.async_client import InProcessAsyncClient
from kedis.embedded.async_socket import AsyncSocket
from kedis.embedded.embedded_engine import NOTHING_KEPT, EmbeddedEngine
from kedis.embedded.engine_socket import EngineSocket
from kedis.embedded.redis_client import InProcessClient
from kedis.embedded.redis_connections import reply_tables, wait_for_reply
from kedis.process.threads import RealRLock

#: Host and port, or path and 0.
Address = tuple[str, int]

_SYNC = (
    redis.connection.Connection,
    redis.connection.SSLConnection,
    redis.connection.UnixDomainSocketConnection,
)
_ASYNC = (
    redis.asyncio.connection.Connection,
    redis.asyncio.connection.SSLConnection,
    redis.asyncio.connection.UnixDomainSocketConnection,
)

#: The method that authenticates a new connection.
_GREETING = next(
    name for name in ("on_connect_check_health", "on_connect") if hasattr(redis.connection.Connection, name)
)


class Patch(ContextDecorator):
    """Has the clients of redis-py in this process use stores here, from :meth:`start` to :meth:`stop`.

    Also a context manager and a decorator. Connections that are open when it starts stay as they are; those made
    meanwhile end with it, and their clients connect as usual afterwards. A patch may be started again, and is empty
    then.

    Args:
        settings: of every store, with underscores: ``maxmemory="100mb"``.
    """

    _running: Patch | None = None

    def __init__(self, **settings: Any) -> None:
        self._settings = {**NOTHING_KEPT, **settings_of_keywords(settings)}
        Config(self._settings)  # which raises ConfigError now
        self._lock = RealRLock()
        self._stores: dict[Address, EmbeddedEngine] = {}
        self._replaced: list[tuple[type, str, Any]] = []

    def start(self) -> Patch:
        """Begin. Raises RuntimeError while another patch lasts, or this one."""
        if Patch._running is not None:
            raise RuntimeError("a kedis.patch() is under way already")
        Patch._running = self
        kind: Any
        for kind in _SYNC:
            self._replace(kind, "_connect", lambda connection: self._socket(connection))
            self._replace(kind, "can_read", _can_read(kind.can_read))
            self._replace(kind, _GREETING, _without_password(getattr(kind, _GREETING)))
            self._replace(kind, "get_resolved_ip", lambda connection: None)
        for kind in _ASYNC:
            self._replace(kind, "_connect", self._connect_async)
            self._replace(kind, _GREETING, _without_password_async(getattr(kind, _GREETING)))
            self._replace(kind, "get_resolved_ip", lambda connection: None)
        return self

    def stop(self) -> None:
        """End, and close the stores. Idempotent."""
        if Patch._running is not self:
            return
        Patch._running = None
        for kind, name, original in reversed(self._replaced):
            if original is None:
                delattr(kind, name)
            else:
                setattr(kind, name, original)
        self._replaced.clear()
        stores, self._stores = self._stores, {}
        for embedded in stores.values():
            if not embedded.forked:
                embedded.close()

    def __enter__(self) -> Patch:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def client(self, host: str = "localhost", port: int = 6379, **options: Any) -> InProcessClient:
        """A client of the store that has an address, to see what the program has written there."""
        return InProcessClient(self.store((host, port)), owns_store=False, **options)

    def aclient(self, host: str = "localhost", port: int = 6379, **options: Any) -> InProcessAsyncClient:
        """The same for asyncio."""
        return InProcessAsyncClient(self.store((host, port)), owns_store=False, **options)

    def clear(self) -> None:
        """Let all stores be empty: the connections end, and find new ones."""
        stores, self._stores = self._stores, {}
        for embedded in stores.values():
            embedded.close()

    def store(self, address: Address) -> EmbeddedEngine:
        """The store of an address."""
        host, port = address
        address = ("localhost" if host in ("127.0.0.1", "::1") else host, port)
        with self._lock:
            if address not in self._stores:
                self._stores[address] = EmbeddedEngine(Config(self._settings))
            return self._stores[address]

    # -- what takes the place of redis-py's own ------------------------------------------------------------

    def _replace(self, kind: type, name: str, replacement: Any) -> None:
        self._replaced.append((kind, name, kind.__dict__.get(name)))

        def method(connection: Any, *arguments: Any, **options: Any) -> Any:
            return replacement(connection, *arguments, **options)

        setattr(kind, name, method)

    def _socket(self, connection: Any) -> EngineSocket:
        sock = EngineSocket(self.store(_address(connection)))
        sock.settimeout(connection.socket_timeout)
        return sock

    async def _connect_async(self, connection: Any) -> None:
        sock = AsyncSocket(
            self.store(_address(connection)),
            reply_tables(connection.encoder, connection._parser),
            asyncio.get_running_loop(),
            is_direct=False,
        )
        connection._writer, connection._reader = sock, sock.reader


def _address(connection: Any) -> Address:
    path = getattr(connection, "path", None)
    return (path, 0) if path is not None else (connection.host, int(connection.port))


def _can_read(original: Callable[..., Any]) -> Callable[..., Any]:
    """redis-py polls a file descriptor, which an engine socket does not have."""

    def can_read(connection: Any, timeout: float | None = 0) -> Any:
        if connection._sock is None:
            connection.connect()
        if isinstance(connection._sock, EngineSocket):
            return wait_for_reply(connection, timeout)
        return original(connection, timeout)

    return can_read


def _without_password(original: Callable[..., Any]) -> Callable[..., Any]:
    def on_connect(connection: Any, *arguments: Any, **options: Any) -> Any:
        with _no_credentials(connection):
            return original(connection, *arguments, **options)

    return on_connect


def _without_password_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def on_connect(connection: Any, *arguments: Any, **options: Any) -> Any:
        with _no_credentials(connection):
            return await original(connection, *arguments, **options)

    return on_connect


class _no_credentials:
    """Hide the credentials of a connection."""

    _NAMES = ("username", "password", "credential_provider")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._hidden = {name: getattr(connection, name) for name in self._NAMES}

    def __enter__(self) -> None:
        for name in self._NAMES:
            setattr(self._connection, name, None)

    def __exit__(self, *_exception: object) -> None:
        for name, value in self._hidden.items():
            setattr(self._connection, name, value)
