"""A ``redis.Redis`` whose server is the engine in the same process.

All of redis-py's methods work, by the protocol's own rules: its connections read and write an engine socket
(:mod:`kedis.embedded.redis_connections`). Most calls need no protocol, and do without packing and parsing, which are
nine tenths of a call: :meth:`InProcessClient.execute_command` calls the command and makes the same Python objects of
its value. Several connections, and threads, may share a store.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import redis
from redis.client import EMPTY_RESPONSE, NEVER_DECODE

from kedis.embedded.direct_calls import IN_SOCKET
from kedis.embedded.direct_requests import NothingDirect, pack
from kedis.embedded.direct_socket import DECLINED
from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.embedded.opening import SharesStore, client_parameters, open_store
from kedis.embedded.redis_connections import InProcessConnection, InProcessPool
from kedis.embedded.redis_pipeline import InProcessPipeline
from kedis.embedded.redis_shortcuts import Shortcuts, called_back


class InProcessClient(Shortcuts, redis.Redis):  # type: ignore[misc]
    """A client that owns its store: closing it also closes the store and its folder.

    Args:
        connection_pool: that of another client, to which the store belongs (``client()``); None: a new one.
        owns_store: whether closing it closes the store, too.
        options: of the connections.
    """

    def __init__(
        self,
        embedded: EmbeddedEngine | None = None,
        *,
        connection_pool: InProcessPool | None = None,
        single_connection_client: bool = False,
        owns_store: bool = True,
        **options: Any,
    ) -> None:
        self._owns_store = connection_pool is None and owns_store
        self.auto_close_connection_pool = False  # should it fail before it is complete
        is_new = connection_pool is None
        if connection_pool is None:
            assert embedded is not None, "a store, or the pool of one"
            connection_pool = InProcessPool(embedded, **options)
        self._embedded = connection_pool.embedded
        self._requests = self._embedded.requests if connection_pool.is_plain() else NothingDirect()
        super().__init__(connection_pool=connection_pool, single_connection_client=single_connection_client)
        self.auto_close_connection_pool = is_new

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """See ``redis.Redis``: the same results and errors.

        The pool's lock and redis-py's looks at the connection, 5 us together, are left out: a list's ``pop`` is atomic,
        and the socket looks by itself.
        """
        try:
            request = self._requests[args[0]]
            words = pack(request, args)
        except (IndexError, TypeError):
            words = None
        connection = self.connection  # that of a client of one connection
        if (
            words is None
            or connection is not None
            or (options and (NEVER_DECODE in options or EMPTY_RESPONSE in options))
        ):
            return self._execute_command(*args, **options)  # type: ignore[no-untyped-call]
        pool: Any = self.connection_pool
        try:
            connection = pool._available_connections.pop()
        except IndexError:
            return self._execute_command(*args, **options)  # type: ignore[no-untyped-call]
        try:
            socket = connection._sock
            reply: Any = DECLINED
            if socket is not None and (socket.is_plain or connection.is_clean()):
                reply = socket.call(request.command, words)
                if type(reply) is list and reply and isinstance(reply[0], redis.ConnectionError):
                    reply = reply[0]  # as redis-py does
                if isinstance(reply, Exception) and reply is not DECLINED:
                    with pool.registered(connection):
                        return self._proceed(connection, reply, args, options)
        finally:
            pool._available_connections.append(connection)
        if reply is DECLINED:
            return self._execute_command(*args, **options)  # type: ignore[no-untyped-call]
        callback = dict.get(self.response_callbacks, request.callback)
        return reply if callback is None else called_back(callback, reply, options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> InProcessPipeline:
        """See ``redis.Redis``."""
        return InProcessPipeline(
            self._requests, self.connection_pool, self.response_callbacks, transaction, shard_hint
        )

    def _proceed(
        self, connection: InProcessConnection, first: Exception, args: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        """Go on as redis-py does after an attempt that did not end with a usual reply.

        Args:
            first: the error with which it has failed, after which redis-py may try again; IN_SOCKET: the reply is to
                be read.
        """
        attempted = [first]
        run: Any = self._send_command_parse_response
        read: Any = self.parse_response

        def attempt() -> Any:
            if not attempted:
                return run(connection, args[0], *args, **options)
            outcome = attempted.pop()
            if outcome is not IN_SOCKET:
                connection.raise_error(outcome)
            return read(connection, args[0], **options)

        def disconnect(_error: Exception) -> None:
            connection.disconnect()  # type: ignore[no-untyped-call]

        return connection.retry.call_with_retry(attempt, disconnect)

    def close(self) -> None:
        """Close the connections, then the store: all data are on the disk afterwards.

        A client that another one has made (``client()``) only gives back its connection. Raises ForkedError in a forked
        child.
        """
        self._embedded.check()
        super().close()
        if self._owns_store:
            self._embedded.close()

    def fork(self, **options: Any) -> InProcessClient:
        """A client of a new store in memory that begins with the data of this one.

        For a forked child, which cannot use its parent's store: the copy has the data of the moment of the fork. Also a
        way to try something out in the same process.

        Args:
            options: of the new client; by default those of this one.

        Raises ForkedError where the fork came in the middle of a command of another thread. O(data).
        """
        kept = {
            name: value
            for name, value in self.connection_pool.connection_kwargs.items()
            if name in client_parameters()
        }
        return InProcessClient(self._embedded.copy(), **{**kept, **options})

    def replace_store(self, embedded: EmbeddedEngine) -> None:
        """Close the store, and go on with another one, under the same client."""
        pool: Any = self.connection_pool
        self.connection = None
        pool.disconnect()
        pool.reset()
        if self._owns_store:
            self._embedded.close()
        self._embedded = pool.embedded = pool.connection_kwargs["embedded"] = embedded
        self._requests = embedded.requests if pool.is_plain() else NothingDirect()

    @property
    def embedded(self) -> EmbeddedEngine:
        """The store, for other clients of it."""
        return self._embedded

    def __repr__(self) -> str:
        return (
            f"<{self._embedded.describe()}, database {self.connection_pool.connection_kwargs.get('db', 0)}>"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a store cannot be pickled: open one in each process, or share one through a kedis.Server"
        )

    def __exit__(self, *exception: object) -> None:
        """Close; in a forked child do nothing, since there is nothing to close."""
        if not self._embedded.forked:
            self.close()


def connect(
    folder: str | os.PathLike[str] | None = None,
    *,
    store: SharesStore | None = None,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> redis.Redis:
    """Open a store in this process, as a ``redis.Redis``.

    Args:
        folder: where its data are kept, as a server keeps them in its ``dir``; created if it does not exist, and
            used by one process at a time. None: an empty store that is lost at the end.
        store: another client, whose store is used instead of a new one; closing this client then leaves it open.
        settings: as in a configuration file, such as ``{"appendfsync": "always"}``.
        options: keyword arguments of ``redis.Redis`` that concern the client (``decode_responses``, ``db``, …), and
            settings with underscores (``maxmemory_policy="allkeys-lru"``). What tunes a network connection has no
            effect.

    Close it with ``close()`` or as a context manager; at the end of the program it is closed automatically. Every use
    in a forked child of the process raises ForkedError; :meth:`InProcessClient.fork` makes a store for a child.

    Raises TypeError for an option that neither redis-py nor Kedis has, or that names a server; ValueError for an
    address in place of a folder, or a master to follow; AofError when the folder is in use or its files are damaged;
    ConfigError for a bad setting.
    """
    opened = open_store("connect", folder, store, settings, options)
    return InProcessClient(opened.embedded, owns_store=store is None, **opened.options)
