"""A ``redis.Redis`` whose server is the engine in the same process.

redis-py works as over a network: it writes requests to a socket and reads replies from it.
Only the socket is replaced (:mod:`kedis.embedded.engine_socket`). All of redis-py's methods, pipelines, transactions
and subscriptions therefore work, by the protocol's own rules. Several connections, and threads, may share a store.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn

import redis
from redis.connection import AbstractConnection

from kedis.config import Config
from kedis.embedded.embedded_engine import NOTHING_KEPT, EmbeddedEngine
from kedis.embedded.engine_socket import EngineSocket


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

    def can_read(self, timeout: float | None = 0) -> bool:
        """Wait up to ``timeout`` seconds for a reply, or the end; redis-py would poll a file descriptor."""
        if self._sock is None:
            self.connect()  # type: ignore[no-untyped-call]
        sock: Any = self._sock
        reader = getattr(self._parser, "_reader", None)
        if reader is None:  # redis-py's own parser in Python, which reads the socket
            return bool(self._parser.can_read(timeout))
        if (
            timeout == 0 and sock.is_quiet()
        ):  # the common case, when redis-py checks that a connection is clean
            return bool(reader.has_data())
        return bool(reader.has_data() or sock.wait(timeout))

    def _host_error(self) -> str:
        return "in-process"


class InProcessPool(redis.ConnectionPool):
    """The connections of one store."""

    def __init__(self, embedded: EmbeddedEngine, **options: Any) -> None:
        self._embedded = embedded
        super().__init__(connection_class=InProcessConnection, embedded=embedded, **options)

    def reset(self) -> None:
        """Start without connections. redis-py also calls this in a forked child, where it is refused."""
        self._embedded.check()
        super().reset()


class InProcessClient(redis.Redis):
    """A client that owns its store: closing it also closes the store and its folder."""

    def __init__(self, embedded: EmbeddedEngine, **options: Any) -> None:
        self._embedded = embedded
        super().__init__(connection_pool=InProcessPool(embedded, **options))
        self.auto_close_connection_pool = True

    def close(self) -> None:
        """Close the connections, then the store: all data are on the disk afterwards.

        Raises ForkedError in a forked child.
        """
        self._embedded.check()
        super().close()
        self._embedded.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a store cannot be pickled: open one in each process, or share one through a kedis.Server"
        )

    def __exit__(self, *exception: object) -> None:
        """Close; in a forked child do nothing, since there is nothing to close."""
        if not self._embedded.forked:
            self.close()


def connect(
    folder: str | os.PathLike[str] | None = None, *, settings: Mapping[str, str] | None = None, **options: Any
) -> redis.Redis:
    """Open a store in this process, as a ``redis.Redis``.

    Args:
        folder: where its data are kept, as a server keeps them in its ``dir``; created if it does not exist, and
            used by one process at a time. None: an empty store that is lost at the end.
        settings: as in a configuration file, such as ``{"appendfsync": "always"}``.
        options: keyword arguments of ``redis.Redis`` that concern the client (``decode_responses``, ``db``, …).

    Close it with ``close()`` or as a context manager; at the end of the program it is closed automatically. Every use
    in a forked child of the process raises ForkedError.

    Raises AofError when the folder is in use or its files are damaged, ConfigError for a bad setting.
    """
    chosen = dict(NOTHING_KEPT)
    if folder is not None:
        chosen |= {"appendonly": "yes", "dir": os.fspath(folder)}
    return InProcessClient(EmbeddedEngine(Config({**chosen, **(settings or {})})), **options)
