"""The listening sockets: their addresses, which CONFIG SET may change, and the limit of open files that they need."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import socket
from _socket import socket as RawSocket
from collections.abc import Callable
from typing import Any

from kedis.config import Config, SettingRefused
from kedis.process.threads import RealSocket
from kedis.server.listener import Listener
from kedis.server.start_error import StartError

log = logging.getLogger("kedis.server")

#: Descriptors that the server needs for itself: files, listeners, pipes.
RESERVED_DESCRIPTORS = 32
#: As ``tls_port``: a free one. No setting says so, but a program that makes the configuration may.
ANY_PORT = -1
#: What a user can do where an address cannot be listened on.
_REMEDIES = {
    errno.EADDRINUSE: "another program listens there (see: ss -ltnp); choose another port with --port PORT",
    errno.EACCES: "ports below 1024 need the right to use them; choose another with --port PORT",
    errno.EADDRNOTAVAIL: "no network interface has this address; --bind ADDRESS names those to listen on",
}

#: Addresses of a family that the machine does not have are passed over, as in Redis.
_NO_FAMILY = (
    errno.EAFNOSUPPORT,
    errno.EPFNOSUPPORT,
    errno.EPROTONOSUPPORT,
    errno.ESOCKTNOSUPPORT,
    errno.ENOPROTOOPT,
)

_NOT_LISTENING = "Unable to listen on this port. Check server logs."
_NOT_BOUND = "Failed to bind to specified addresses."


class Listeners:
    """Listens where ``config`` says.

    Args:
        on_client, on_exhausted: see :class:`kedis.server.listener.Listener`.

    Attributes:
        port, tls_port: those of TCP, once it listens; 0 for none.
    """

    def __init__(
        self,
        config: Config,
        on_client: Callable[[RawSocket, Any, Listener], None],
        on_exhausted: Callable[[RawSocket, Listener], None],
    ) -> None:
        self._config = config
        self._on_client = on_client
        self._on_exhausted = on_exhausted
        self._listeners: list[Listener] = []
        #: Host, port, and whether TLS is spoken there.
        self._addresses: list[tuple[str, int, bool]] = []
        self._bound = config.bind_addresses
        #: The Unix socket's path, and its device and inode, by which another server's in its place is told apart.
        self._unix_path = ""
        self._unix_file = (0, 0)
        self.port = self.tls_port = 0

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def start(self) -> None:
        """Bind and begin to accept.  Raises StartError."""
        self._listen_on(self._configured())
        if self._config.unixsocket:
            self._listen_unix(self._config.unixsocket)
        self._check_there_are_some()

    def follow_settings(self) -> None:
        """Follow CONFIG SET from now on."""
        config = self._config
        config.subscribe("port", self._listen_anew)
        config.subscribe("tls-port", self._listen_anew)
        config.subscribe("bind", self._listen_anew)
        config.subscribe("maxclients", self._check_maxclients)
        config.subscribe("tcp-keepalive", self._keep_alive)

    def stop_accepting(self) -> None:
        """Close the listening sockets, and remove the Unix socket's file."""
        for listener in self._listeners:
            listener.stop()
        if self._unix_path:
            with contextlib.suppress(OSError):
                if _identity(self._unix_path) == self._unix_file:
                    os.unlink(self._unix_path)
            self._unix_path = ""

    def stop(self) -> None:
        """Close the listening sockets and forget them."""
        self.stop_accepting()
        self._listeners.clear()

    def abandon(self) -> None:
        """In a forked child: close its copies of the sockets."""
        for listener in self._listeners:
            listener.abandon()

    def _configured(self) -> list[tuple[str, int, bool]]:
        config = self._config
        hosts = config.bind_addresses
        plain = [(host, config.port, False) for host in hosts] if config.port or not config.tls_port else []
        tls = [(host, 0 if config.tls_port == ANY_PORT else config.tls_port, True) for host in hosts]
        return plain + (tls if config.tls_port else [])

    def _listen_anew(self, _config: Config) -> None:
        """Listen on the new addresses instead of the old ones; clients stay connected."""
        old = self._addresses
        self._stop_listening()
        try:
            self._listen_on(self._configured())
            self._check_there_are_some()
        except StartError as error:
            log.warning("%s", error)
            self._stop_listening()
            self._listen_on(old)
            moved = self._config.bind_addresses != self._bound
            raise SettingRefused(_NOT_BOUND if moved else _NOT_LISTENING) from None
        self._bound = self._config.bind_addresses

    def _listen_on(self, addresses: list[tuple[str, int, bool]]) -> None:
        """Listen on ``addresses``; where the first port of a kind is 0, all of that take the free one that it gets.

        Raises StartError.
        """
        self.port = self.tls_port = 0
        self._addresses = []
        for host, port, tls in addresses:
            found = self._listen(host, port, tls)
            if not found:
                continue
            if tls:
                self.tls_port = found
            else:
                self.port = found
            self._addresses.append((host, found, tls))
        if self._config.tls_port == ANY_PORT:
            self._config.tls_port = self.tls_port

    def _stop_listening(self) -> None:
        """Leave the TCP addresses."""
        for listener in [each for each in self._listeners if each.socket.family != socket.AF_UNIX]:
            listener.stop()
            self._listeners.remove(listener)

    def _check_there_are_some(self) -> None:
        """Raises StartError where all addresses were passed over."""
        addresses = self._config.bind_addresses
        if addresses and not self._listeners:
            raise StartError(f"this machine has no address of these: {' '.join(addresses)}")

    def _listen(self, host: str, port: int, tls: bool) -> int:
        """Listen there; returns the port, 0 where the machine lacks an optional address. Raises StartError."""
        optional = host.startswith("-")
        host = host.removeprefix("-")
        wildcard = {"*": "0.0.0.0", "::*": "::"}.get(host, host)
        family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
        free = 0 if port else self.tls_port if tls else self.port  # which the others of its kind have found
        listening: socket.socket | None = None
        try:
            listening = RealSocket(family, socket.SOCK_STREAM)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind((wildcard, port or free))
            self._accept_from(listening, tls)
        except OSError as error:
            if listening is not None:
                listening.close()
            if optional and (_is_lacking(error) or (free and error.errno == errno.EADDRINUSE)):
                return 0
            remedy = f"\n  {_REMEDIES[error.errno]}" if error.errno in _REMEDIES else ""
            problem = f"cannot listen on {host} port {port or free}: {error.strerror or error}"
            if error.errno in _NO_FAMILY:
                log.warning("%s", problem)
                return 0
            raise StartError(problem + remedy) from None
        return int(listening.getsockname()[1])

    def _listen_unix(self, path: str) -> None:
        listening = RealSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if os.path.exists(path):
                os.unlink(path)
            listening.bind(path)
            self._unix_path, self._unix_file = os.path.abspath(path), _identity(path)
            if self._config.unixsocketperm:
                os.chmod(path, self._config.unixsocketperm)
            self._accept_from(listening)
        except OSError as error:
            listening.close()
            raise StartError(f"cannot listen on unix socket {path}: {error.strerror or error}") from None

    def _accept_from(self, listening: socket.socket, tls: bool = False) -> None:
        if listening.family != socket.AF_UNIX:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.listen(self._config.tcp_backlog)
        listening.setblocking(False)
        listener = Listener(listening, self._on_client, self._on_exhausted, tls)
        listener.keep_alive(self._config.tcp_keepalive)
        listener.start()
        self._listeners.append(listener)

    def _keep_alive(self, config: Config) -> None:
        for listener in self._listeners:
            listener.keep_alive(config.tcp_keepalive)

    def _check_maxclients(self, config: Config) -> None:
        wanted = config.maxclients
        self.fit_descriptors()
        if config.maxclients < wanted:
            raise SettingRefused(
                "The operating system is not able to handle the specified number of clients, "
                f"try with {config.maxclients}"
            )

    def fit_descriptors(self) -> None:
        """Raise the limit of open files to what maxclients needs, or lower maxclients to fit it.  Raises StartError."""
        config = self._config
        needed = config.maxclients + RESERVED_DESCRIPTORS
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft >= needed:
            return
        limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        if limit <= RESERVED_DESCRIPTORS:
            raise StartError(
                f"the limit of open files is {limit}, and Kedis needs {RESERVED_DESCRIPTORS} for itself; "
                f"raise it to at least {needed} (ulimit -n {needed})"
            )
        if limit < needed:
            config.maxclients = limit - RESERVED_DESCRIPTORS
            log.warning("maxclients lowered to %d: the limit of open files is %d", config.maxclients, limit)


def _is_lacking(error: OSError) -> bool:
    """Whether the machine does not have the address, or its family, or knows no such name."""
    return error.errno in (errno.EADDRNOTAVAIL, *_NO_FAMILY) or isinstance(error, socket.gaierror)


def _identity(path: str) -> tuple[int, int]:
    """Device and inode of a file.  Raises OSError."""
    found = os.lstat(path)
    return found.st_dev, found.st_ino
