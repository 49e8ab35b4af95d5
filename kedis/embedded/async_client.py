"""A ``redis.asyncio.Redis`` whose server is the engine in the same process.

As :mod:`kedis.embedded.redis_client`, whose parts it shares, for asyncio: commands run in the event loop's thread,
without another; nearly all are over at once, and awaiting them does not even turn the loop. What must wait (BLPOP, the
next message) waits in the task, and is given up when the task is cancelled.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import redis
import redis.asyncio
from redis._parsers import _AsyncHiredisParser
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
from redis.client import EMPTY_RESPONSE, NEVER_DECODE

from kedis.embedded.async_socket import AsyncSocket
from kedis.embedded.direct_calls import IN_SOCKET
from kedis.embedded.direct_requests import NothingDirect, Request, pack
from kedis.embedded.direct_socket import DECLINED
from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.embedded.opening import SharesStore, client_parameters, open_store
from kedis.embedded.redis_connections import is_measured, reply_tables, with_defaults
from kedis.embedded.redis_pipeline import first_error, packed
from kedis.embedded.redis_shortcuts import Shortcuts, called_back

#: Of a plain dictionary, past the methods of redis-py's subclass, which changes the case of names that have it already.
_find: Any = dict.get


class InProcessAsyncConnection(AbstractConnection):
    """A connection of redis-py's for asyncio over an :class:`AsyncSocket`."""

    host = "in-process"
    port = 0

    def __init__(self, *, embedded: EmbeddedEngine, **options: Any) -> None:
        self._embedded = embedded
        super().__init__(**options)

    async def connect(self) -> None:
        """See redis-py. Raises ForkedError in a forked child, which redis-py would take for a ConnectionError."""
        self._embedded.check()
        inherited: Any = super()
        await inherited.connect()

    async def _connect(self) -> None:
        parser: Any = self._parser
        is_standard = type(parser) is _AsyncHiredisParser and not self.health_check_interval
        sock = AsyncSocket(
            self._embedded,
            reply_tables(self.encoder, parser),
            asyncio.get_running_loop(),
            is_direct=is_standard and self.credential_provider is None,
        )
        self._writer: Any = sock
        self._reader = sock.reader

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """See redis-py, which makes a task of every command to limit its time: writing does not wait here."""
        inherited: Any = super()
        if not self.is_connected:
            await self.connect()
        if check_health:
            await inherited.check_health()
        try:
            self._writer.writelines([command] if isinstance(command, bytes) else command)
        except OSError as error:
            await self.fail(error)
        except BaseException:
            await self.disconnect(nowait=True)
            raise

    def direct_socket(self) -> AsyncSocket | None:
        """The socket for direct calls, or None where redis-py has something to do before."""
        sock: AsyncSocket | None = self._writer
        if sock is None or self._should_reconnect or sock.is_closing():
            return None
        reader = self._parser._reader  # type: ignore[attr-defined]
        return None if reader is None or reader.has_data() else sock

    async def fail(self, error: Exception) -> NoReturn:
        """Raise the error of a call as redis-py does when it has read it, or when its socket has failed."""
        if isinstance(error, OSError):
            await self.disconnect(nowait=True)
            raise redis.ConnectionError(f"Error while writing to the store: {error}") from error
        if isinstance(error, redis.ConnectionError):
            await self.disconnect(nowait=True)
        raise error

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return [("in_process", True), ("db", self.db)]

    def get_resolved_ip(self) -> None:
        """No address: redis-py would ask the network for that of the host."""

    def _host_error(self) -> str:
        return "in-process"


class InProcessAsyncPool(redis.asyncio.ConnectionPool):
    """The connections of one store for asyncio."""

    def __init__(self, embedded: EmbeddedEngine, **options: Any) -> None:
        self.embedded = embedded
        options = with_defaults(options)
        super().__init__(connection_class=InProcessAsyncConnection, embedded=embedded, **options)

    def is_plain(self) -> bool:
        """Whether redis-py does nothing of its own beside a call: events, telemetry."""
        return "event_dispatcher" not in self.connection_kwargs and not is_measured()


class InProcessAsyncClient(Shortcuts, redis.asyncio.Redis):  # type: ignore[misc]
    """A client that owns its store, unless ``owns_store`` is false or the pool is another client's.

    Args: as those of :class:`kedis.embedded.redis_client.InProcessClient`.
    """

    def __init__(
        self,
        embedded: EmbeddedEngine | None = None,
        *,
        connection_pool: InProcessAsyncPool | None = None,
        single_connection_client: bool = False,
        owns_store: bool = True,
        **options: Any,
    ) -> None:
        is_new = connection_pool is None
        self._owns_store = is_new and owns_store
        if connection_pool is None:
            assert embedded is not None, "a store, or the pool of one"
            connection_pool = InProcessAsyncPool(embedded, **options)
        self._embedded = connection_pool.embedded
        self._requests = self._embedded.requests if connection_pool.is_plain() else NothingDirect()
        super().__init__(connection_pool=connection_pool, single_connection_client=single_connection_client)
        self.auto_close_connection_pool = is_new

    @property
    def embedded(self) -> EmbeddedEngine:
        """The store, for other clients of it."""
        return self._embedded

    def fork(self, **options: Any) -> InProcessAsyncClient:
        """As :meth:`kedis.embedded.redis_client.InProcessClient.fork`."""
        kept = {
            name: value
            for name, value in self.connection_pool.connection_kwargs.items()
            if name in client_parameters()
        }
        return InProcessAsyncClient(self._embedded.copy(), **{**kept, **options})

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """See ``redis.asyncio.Redis``: the same results and errors."""
        try:
            request = self._requests[args[0]]
            words = pack(request, args)
        except (IndexError, TypeError):
            words = None
        pool: Any = self.connection_pool
        available: list[Any] = pool._available_connections
        if (
            words is None
            or self.single_connection_client
            or (options and (NEVER_DECODE in options or EMPTY_RESPONSE in options))
            or not available
        ):
            return await self._execute_over_bytes(*args, **options)
        connection: InProcessAsyncConnection = available[-1]
        socket = connection.direct_socket()
        if socket is None or socket.loop is not asyncio.get_running_loop():
            return await self._execute_over_bytes(*args, **options)
        reply: Any = socket.call(request.command, words)
        if reply is DECLINED:
            return await self._execute_over_bytes(*args, **options)
        if type(reply) is list and reply and isinstance(reply[0], redis.ConnectionError):
            reply = reply[0]  # as redis-py does
        if isinstance(reply, Exception):
            available.pop()
            pool._in_use_connections.add(connection)
            return await self._proceed(connection, reply, args, options)
        callback = _find(self.response_callbacks, request.callback)
        return reply if callback is None else called_back(callback, reply, options)

    def _execute_over_bytes(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    async def _proceed(
        self,
        connection: InProcessAsyncConnection,
        first: Exception,
        args: Sequence[Any],
        options: dict[str, Any],
    ) -> Any:
        """Go on as redis-py does after an attempt that did not end with a usual reply.

        Args:
            first: the error with which it has failed, after which redis-py may try again; IN_SOCKET: the reply is to
                be read.
        """
        attempted = [first]
        run: Any = self._send_command_parse_response
        read: Any = self.parse_response

        async def attempt() -> Any:
            if not attempted:
                return await run(connection, args[0], *args, **options)
            outcome = attempted.pop()
            if outcome is not IN_SOCKET:
                await connection.fail(outcome)
            return await read(connection, args[0], **options)

        async def disconnect(error: Exception) -> None:
            await connection.disconnect(error=error)

        try:
            return await connection.retry.call_with_retry(attempt, disconnect)
        finally:
            await self.connection_pool.release(connection)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> InProcessAsyncPipeline:
        """See ``redis.asyncio.Redis``."""
        return InProcessAsyncPipeline(
            self._requests, self.connection_pool, self.response_callbacks, transaction, shard_hint
        )

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections, then the store: all data are on the disk afterwards.

        A client of another's store only gives back its connections. Raises ForkedError in a forked child.
        """
        self._embedded.check()
        await super().aclose(close_connection_pool)
        if self._owns_store:
            self._embedded.close()

    def __repr__(self) -> str:
        return f"<{self._embedded.describe()}, database {self.connection_pool.connection_kwargs.get('db', 0)}, asyncio>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a store cannot be pickled: open one in each process, or share one through a kedis.Server"
        )


class InProcessAsyncPipeline(Shortcuts, Pipeline):  # type: ignore[misc]
    """A pipeline whose commands run without bytes where all of them can; else it works as over a network."""

    def __init__(self, requests: Mapping[Any, Request], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._requests = requests

    async def _execute_pipeline(self, connection: Any, commands: Any, raise_on_error: bool) -> Any:
        ready, socket = packed(self._requests, commands), connection.direct_socket()
        replies = (
            None if ready is None or socket is None else await _tried(connection, socket.call_all, ready[1])
        )
        if ready is None or replies is None:
            return await super()._execute_pipeline(connection, commands, raise_on_error)
        responses: list[Any] = []
        for (args, options), request, reply in zip(commands, ready[0], replies, strict=True):
            try:
                if reply is IN_SOCKET:
                    responses.append(await self.parse_response(connection, args[0], **options))
                    continue
                if (error := first_error(reply)) is not None:
                    await connection.fail(error)
                callback = _find(self.response_callbacks, request.callback)
                responses.append(reply if callback is None else called_back(callback, reply, options))
            except redis.ResponseError as error:
                responses.append(error)
        if raise_on_error:
            self.raise_first_error(commands, responses)
        return responses

    async def _execute_transaction(self, connection: Any, commands: Any, raise_on_error: bool) -> Any:
        ready, socket = packed(self._requests, commands), connection.direct_socket()
        reply: Any = DECLINED
        if ready is not None and socket is not None:
            reply = await _tried(connection, socket.call_transaction, ready[1])
        if ready is None or reply is DECLINED:
            return await super()._execute_transaction(connection, commands, raise_on_error)
        if reply is IN_SOCKET:
            reply = await self.parse_response(connection, "_")
        if (error := first_error(reply)) is not None:
            await connection.fail(error)
        self.watching = False  # EXEC has ended that
        if reply is None:
            raise redis.WatchError("Watched variable changed.")
        if raise_on_error:
            self.raise_first_error(commands, reply)
        responses = []
        for (_, options), request, response in zip(commands, ready[0], reply, strict=True):
            callback = _find(self.response_callbacks, request.callback)
            if callback is None or isinstance(response, Exception):
                responses.append(response)
            else:
                responses.append(called_back(callback, response, options))
        return responses


async def _tried(connection: InProcessAsyncConnection, call: Any, calls: Any) -> Any:
    try:
        return call(calls)
    except OSError as error:
        await connection.fail(error)


def aconnect(
    folder: str | os.PathLike[str] | None = None,
    *,
    store: SharesStore | None = None,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> InProcessAsyncClient:
    """Open a store in this process, as a ``redis.asyncio.Redis``; may be awaited, or used in ``async with``.

    Arguments and errors are those of :func:`kedis.connect`; ``store`` may be a client of either kind. Loading a folder,
    and writing to it, take place in the event loop's thread. Close it with ``await store.aclose()``.
    """
    opened = open_store("aconnect", folder, store, settings, options)
    return InProcessAsyncClient(opened.embedded, owns_store=store is None, **opened.options)
