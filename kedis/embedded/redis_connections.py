"""The connections of redis-py over engine sockets, and their pool.

Only the socket is replaced. All of redis-py's methods, pipelines, transactions and subscriptions therefore work, by
the protocol's own rules; calls that need no protocol bypass it (:mod:`kedis.embedded.direct_socket`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NoReturn

import redis
from redis._parsers import Encoder, _HiredisParser
from redis._parsers.socket import SERVER_CLOSED_CONNECTION_ERROR
from redis.connection import AbstractConnection, CacheProxyConnection, HiredisRespSerializer
from redis.driver_info import DriverInfo
from redis.maint_notifications import MaintNotificationsConfig

from kedis.embedded.direct_socket import DECLINED, Call, DirectSocket
from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.embedded.engine_socket import EngineSocket
from kedis.resp.python_replies import PythonReplies, python_replies

#: Options that the program has not given. redis-py's own limits, 100 connections and 5 seconds until a reply, are for a
#: server's descriptors and for a network that is gone; the 5 seconds also end BLPOP without a timeout.
#: Its notifications of maintenance, which it asks each server for, are about addresses.
WITHOUT_A_NETWORK: dict[str, Any] = {
    "max_connections": 1 << 31,
    "socket_timeout": None,
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
}


def with_defaults(options: dict[str, Any]) -> dict[str, Any]:
    """``options`` of connections, and those that the program has not given."""
    if not {"driver_info", "lib_name", "lib_version"} & options.keys():
        options = {"driver_info": _shared_driver_info(), **options}
    return WITHOUT_A_NETWORK | options


@cache
def _shared_driver_info() -> Any:
    """What CLIENT SETINFO tells. redis-py reads it from its metadata for each connection, which takes 0.5 ms."""
    return DriverInfo()


@cache
def _library() -> tuple[bytes, bytes]:
    """Name and version of it, as CLIENT SETINFO has them."""
    info = _shared_driver_info()
    return info.formatted_name.encode(), info.lib_version.encode()


class InProcessConnection(AbstractConnection):
    """A redis-py connection over an :class:`EngineSocket`.

    Attributes:
        host, port: for what asks every connection for its address, such as redis-py's client-side cache.
    """

    host = "in-process"
    port = 0

    def __init__(self, *, embedded: EmbeddedEngine, **options: Any) -> None:
        self._embedded = embedded
        super().__init__(**options)
        #: Its own name is told without a command: the two of redis-py take 0.1 ms of the 0.8 of a store for a test.
        self._tells_itself = self.driver_info is _shared_driver_info()
        if self._tells_itself:
            self.driver_info = None
        self._tables = reply_tables(self.encoder, self._parser) if self._is_standard() else None

    def _is_standard(self) -> bool:
        """Whether redis-py does nothing of its own between a call and its reply: no pings, no other parser."""
        return (
            type(self._parser) is _HiredisParser
            and type(self._command_packer) is HiredisRespSerializer
            and not self.health_check_interval
            and self.credential_provider is None
        )

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return [("in_process", True), ("db", self.db)]

    def _connect(self) -> Any:
        tables = self._tables
        sock = EngineSocket(self._embedded) if tables is None else DirectSocket(self._embedded, tables)
        sock.settimeout(self.socket_timeout)
        if self._tells_itself:
            sock.client.lib_name, sock.client.lib_version = _library()
        return sock

    # -- direct calls -------------------------------------------------------------------------------------

    def call_all(self, calls: Sequence[Call]) -> list[Any] | None:
        """Call commands directly; see :class:`DirectSocket`. Raises as redis-py does."""
        sock: Any = self._sock
        if not self.is_clean():
            return None
        with self._failing():
            replies: list[Any] | None = sock.call_all(calls)
        return replies

    def call_transaction(self, calls: Sequence[Call]) -> Any:
        """Call commands between MULTI and EXEC directly; see :class:`DirectSocket`. Raises as redis-py does."""
        sock: Any = self._sock
        if not self.is_clean():
            return DECLINED
        with self._failing():
            return sock.call_transaction(calls)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.raise_error(error)
        except BaseException:  # such as KeyboardInterrupt: the commands may have run or not
            self.disconnect()  # type: ignore[no-untyped-call]
            raise

    def raise_error(self, error: Exception) -> NoReturn:
        """Raise the error of a call as redis-py does when it has read it, or when its socket has failed."""
        if isinstance(error, OSError):
            self.send_packed_command([b""], check_health=False)  # type: ignore[no-untyped-call]
        elif isinstance(error, redis.ConnectionError):
            self.disconnect()  # type: ignore[no-untyped-call]
        raise error

    def mark_for_reconnect(self) -> None:
        """See redis-py: the next call goes through the socket, after which the connection is replaced."""
        super().mark_for_reconnect()  # type: ignore[no-untyped-call]
        if isinstance(self._sock, DirectSocket):
            self._sock.is_plain = False

    def is_clean(self) -> bool:
        """Whether nothing is left to read by redis-py, which leaves direct calls to the socket."""
        if not isinstance(self._sock, DirectSocket) or getattr(self, "_should_reconnect", False):
            return False
        reader = self._parser._reader
        return reader is not None and not reader.has_data()

    # -- waiting ------------------------------------------------------------------------------------------

    def can_read(self, timeout: float | None = 0) -> bool:
        """Wait up to ``timeout`` seconds for a reply; see :func:`wait_for_reply`."""
        if self._sock is None:
            self.connect()  # type: ignore[no-untyped-call]
        return wait_for_reply(self, timeout)

    def get_resolved_ip(self) -> None:
        """No address: redis-py would ask the network for that of the host."""

    def _host_error(self) -> str:
        return "in-process"


def wait_for_reply(connection: Any, timeout: float | None) -> bool:
    """Wait up to ``timeout`` seconds for a reply; redis-py would poll a file descriptor.

    Raises ConnectionError, as redis-py does, where the connection has ended and nothing is left to read.
    """
    sock: Any = connection._sock
    reader = getattr(connection._parser, "_reader", None)
    if reader is None:  # redis-py's own parser in Python, which reads the socket
        return bool(connection._parser.can_read(timeout))
    if timeout == 0 and sock.is_quiet():  # as it mostly is when redis-py looks whether a connection is clean
        return bool(reader.has_data())
    if not reader.has_data() and not sock.wait(timeout):
        return False
    if not reader.has_data() and sock.is_at_end():  # redis-py connects anew
        raise redis.ConnectionError(SERVER_CLOSED_CONNECTION_ERROR)
    return True


def is_measured() -> bool:
    """Whether redis-py measures its calls for OpenTelemetry, which its newer versions can."""
    try:
        from redis.observability.providers import get_observability_instance
    except ImportError:
        return False
    manager = get_observability_instance().get_provider_manager()
    return manager is not None and bool(manager.config.enabled_telemetry)


def reply_tables(encoder: Encoder, parser: Any) -> Mapping[int, PythonReplies]:
    """The replies by protocol, as ``parser`` makes them."""
    encoding = encoder.encoding if encoder.decode_responses else None
    errors = encoder.encoding_errors
    return {protocol: python_replies(protocol, parser.parse_error, encoding, errors) for protocol in (2, 3)}


class InProcessCachingConnection(CacheProxyConnection):
    """A connection with redis-py's client-side cache.

    redis-py asks for Redis 7.4, because of other products; all that it uses is in 6.0.
    """

    MIN_ALLOWED_VERSION = "6.0.0"


class InProcessPool(redis.ConnectionPool):
    """The connections of one store."""

    def __init__(self, embedded: EmbeddedEngine, **options: Any) -> None:
        self.embedded = embedded
        options = with_defaults(options)
        super().__init__(connection_class=InProcessConnection, embedded=embedded, **options)

    def reset(self) -> None:
        """Start without connections. redis-py also calls this in a forked child, where it is refused."""
        self.embedded.check()
        super().reset()

    def make_connection(self) -> Any:
        """See redis-py."""
        connection = super().make_connection()
        if type(connection) is CacheProxyConnection and self.cache is not None:
            caching: Any = InProcessCachingConnection
            return caching(connection._conn, self.cache, self._lock)
        return connection

    def is_plain(self) -> bool:
        """Whether redis-py does nothing of its own beside a call: client-side caching, events, telemetry."""
        return self.cache is None and "event_dispatcher" not in self.connection_kwargs and not is_measured()

    @contextmanager
    def registered(self, connection: Any) -> Iterator[None]:
        """Have the pool know a connection, taken from the idle ones, as one in use: it may have to disconnect it."""
        with self._lock:
            self._in_use_connections.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._in_use_connections.discard(connection)
