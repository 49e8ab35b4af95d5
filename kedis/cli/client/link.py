"""Links: one command goes in, one reply comes out.

All that prints or asks uses the Protocol `Link`. A ServerLink answers from a socket; in the standalone mode an engine
in this process does. Replies are Python values: bytes, int, float, bool, None, list, Status, and for RESP3 the types
of `wire` (a dict or a set is accepted, too). Errors are values (ErrorReply), since a list may hold one.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from kedis.cli.client.target import Target
from kedis.cli.client.wire import ErrorReply, ProtocolMismatch, Push, ReplyReader, Status
from kedis.cli.terminal_text import one_line
from kedis.resp.replies import encode_command

__all__ = ["ErrorReply", "Link", "LinkLost", "NotRedis", "Refused", "ServerLink", "Status", "outcome"]

CONNECT_TIMEOUT_SECONDS = 5.0
# Keep-alive: seconds until a peer that vanished without a reset (cable, firewall) is noticed, about.
DEAD_PEER_SECONDS = 10

SILENCE_SECONDS = 5.0
_PUSHES_KEPT = 10_000
# Blocking commands.
_PATIENT = frozenset(
    b"BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF XREAD XREADGROUP".split()
)


class LinkLost(Exception):
    """The connection was refused, reset or timed out, or the peer is no Redis server; str() is one clear line.

    Attributes:
        is_unsent: whether nothing of what was to be sent has been sent, so that it cannot have been run.
        is_closed: whether the server has closed the connection in good order, instead of an answer.
    """

    is_unsent = False
    is_closed = False


def outcome(error: LinkLost, unconnected: bool = False) -> str:
    """What became of the command that was to be sent; `unconnected`: there was no connection to send it over."""
    if unconnected or error.is_unsent:
        return "not run: the connection was lost"
    return "it may have been run: the connection was lost before the answer"


class Refused(LinkLost):
    """The server refuses the password or the database."""


class NotRedis(LinkLost):
    """The peer does not speak the Redis protocol, or exceeds its bounds: the wrong port."""


class Link(Protocol):
    """A connection that runs commands."""

    description: str

    @property
    def database(self) -> int:
        """The number of the selected database."""
        ...

    def send(self, words: Sequence[bytes]) -> object:
        """Run one command and return its reply; errors are returned. Raises LinkLost."""
        ...

    def send_many(self, commands: Sequence[Sequence[bytes]]) -> list[object]:
        """Run several commands in one write; a reply for each. Raises LinkLost."""
        ...

    def read_push(self, timeout: float | None) -> object | None:
        """The next message of SUBSCRIBE or MONITOR; None when `timeout` seconds have passed."""
        ...

    def close(self) -> None:
        """Close the connection. Idempotent."""
        ...


class ServerLink:
    """A connection to a server: opened by the constructor, closed by `close()`.

    Args:
        target: where to connect, as whom, and which database to select.
        protocol: 2 or 3; 3 is asked for with HELLO, and a server that refuses it is spoken to in 2.
        reply_timeout: seconds to wait for a reply before the server counts as lost; None waits for ever.

    Raises LinkLost, or Refused when the password or the database is not accepted.
    """

    def __init__(self, target: Target, protocol: int = 2, reply_timeout: float | None = None) -> None:
        self.target = target
        self.description = target.description
        self.database = 0
        self.protocol = 2
        # The newest push messages received while waiting for a reply.
        self.pushes: deque[Push] = deque(maxlen=_PUSHES_KEPT)
        # Handshake warnings (redis-cli prints them too).
        self.warnings: list[str] = []
        # Called once when a reply takes long.
        self.on_silence: Callable[[], None] | None = None
        # Told of each exchange: the names of the commands, never their arguments, and the time.
        self.tell: Callable[[str], None] | None = None
        self._reader = ReplyReader()
        self._reply_timeout = reply_timeout
        # The raw socket, for mass insertion.
        self.connection: socket.socket = self._connect()
        self._greet(protocol)

    def send(self, words: Sequence[bytes]) -> object:
        """See Link.send. An interruption (Ctrl-C) closes the link, since a reply is pending."""
        return self.send_many([words])[0]

    def send_many(self, commands: Sequence[Sequence[bytes]]) -> list[object]:
        """See Link.send_many."""
        replies: list[object] = []
        begun = time.perf_counter()
        try:
            self._check_peer()
            self._transmit(b"".join(map(encode_command, commands)))
            for words in commands:
                reply = self._next_reply(words)
                self._observe(words, reply)
                replies.append(reply)
        except BaseException:
            self.close()
            raise
        if self.tell is not None:
            milliseconds = (time.perf_counter() - begun) * 1000
            self.tell(f"{_shown_names(commands)}: {milliseconds:.3f} ms")
        return replies

    def read_push(self, timeout: float | None) -> object | None:
        """See Link.read_push."""
        if self.pushes:
            return self.pushes.popleft()
        try:
            return self._receive(timeout)
        except TimeoutError:
            return None

    def close(self) -> None:
        """See Link.close."""
        with contextlib.suppress(OSError):
            self.connection.close()

    def _connect(self) -> socket.socket:
        target = self.target
        try:
            if target.socket_path is not None:
                connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connection.settimeout(CONNECT_TIMEOUT_SECONDS)
                connection.connect(target.socket_path)
            else:
                address = (target.host, target.port)
                connection = socket.create_connection(address, CONNECT_TIMEOUT_SECONDS)
                _notice_dead_peers(connection)
            if target.tls is not None:
                connection = target.tls.wrap(connection, target.host)
        except (OSError, OverflowError, UnicodeError) as error:
            raise LinkLost(f"Could not connect to {self.description}: {_reason(error)}") from None
        connection.settimeout(self._reply_timeout)
        return connection

    def _greet(self, protocol: int) -> None:
        """The handshake: credentials, protocol, database. Times out after some seconds."""
        waiting, self._reply_timeout = self._reply_timeout, CONNECT_TIMEOUT_SECONDS
        target = self.target
        try:
            if target.password is not None:
                user = [] if target.user is None else [target.user.encode()]
                reply = self.send([b"AUTH", *user, target.password.encode("utf-8", "surrogateescape")])
                if isinstance(reply, ErrorReply):
                    if reply.startswith("WRONGPASS"):
                        raise Refused(f"{self.description} refuses the password: {reply}")
                    self.warnings.append(f"AUTH failed: {reply}")
            if protocol == 3:
                reply = self.send([b"HELLO", b"3"])
                if isinstance(reply, ErrorReply) and not reply.startswith(
                    ("NOAUTH", "NOPROTO", "ERR unknown")
                ):
                    self.warnings.append(f"HELLO 3 failed: {reply}")
            if target.database:
                reply = self.send([b"SELECT", b"%d" % target.database])
                if isinstance(reply, ErrorReply):
                    self.warnings.append(f"SELECT {target.database} failed: {reply}")
        finally:
            self._reply_timeout = waiting

    def _check_peer(self) -> None:
        """Raise LinkLost where the server has closed the connection before anything is sent."""
        try:
            self.connection.settimeout(0)
            lost = not self.connection.recv(1, socket.MSG_PEEK)
            reason = "Server closed the connection"
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            lost, reason = True, f"Lost {self.description}: {_reason(error)}"
        if lost:
            unsent = LinkLost(reason)
            unsent.is_unsent = True
            raise unsent

    def _transmit(self, data: bytes) -> None:
        try:
            self.connection.settimeout(self._reply_timeout)
            self.connection.sendall(data)
        except OSError as error:
            raise LinkLost(f"Lost {self.description}: {_reason(error)}") from None

    def _next_reply(self, words: Sequence[bytes]) -> object:
        patience = self._reply_timeout
        if patience is None and self.on_silence is not None and words[0].upper() not in _PATIENT:
            patience = SILENCE_SECONDS
        while True:
            try:
                reply = self._receive(patience)
            except TimeoutError:
                if self._reply_timeout is None and self.on_silence is not None:
                    self.on_silence()
                    patience = None
                    continue
                waited = f"no answer for {self._reply_timeout:g} seconds"
                raise LinkLost(f"Lost {self.description}: {waited}") from None
            # Under RESP3 the answer to SUBSCRIBE is itself a push: the caller of SUBSCRIBE wants it.
            if isinstance(reply, Push) and not words[0].upper().endswith(b"SUBSCRIBE"):
                self.pushes.append(reply)
                continue
            return reply

    def _receive(self, timeout: float | None) -> object:
        """The next value from the socket. Raises TimeoutError after `timeout` seconds without a byte."""
        while True:
            try:
                complete, reply = self._reader.take()
            except ProtocolMismatch as seen:
                self.close()
                raise NotRedis(f"{self.description} {seen}") from None
            if complete:
                return reply
            self._reader.feed(self._read(timeout))

    def _read(self, timeout: float | None) -> bytes:
        try:
            self.connection.settimeout(timeout)
            data = self.connection.recv(262_144)
        except BlockingIOError:
            raise TimeoutError from None
        except TimeoutError as error:
            if error.errno is None:
                raise
            raise LinkLost(f"Lost {self.description}: {_reason(error)}") from None
        except OSError as error:
            raise LinkLost(f"Lost {self.description}: {_reason(error)}") from None
        if not data:
            closed = LinkLost("Server closed the connection")
            closed.is_closed = True
            raise closed
        return data

    def _observe(self, words: Sequence[bytes], reply: object) -> None:
        """Follow SELECT and HELLO, once the server has accepted them, in `database` and `protocol`."""
        if not words or isinstance(reply, ErrorReply) or reply == "QUEUED":
            return
        name = words[0].upper()
        if name == b"SELECT" and len(words) == 2 and words[1].isdigit():
            self.database = int(words[1])
        elif name == b"HELLO" and len(words) > 1 and words[1] in (b"2", b"3"):
            self.protocol = int(words[1])
        elif name == b"RESET":
            self.database, self.protocol = 0, 2


def _notice_dead_peers(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", DEAD_PEER_SECONDS // 2),
        ("TCP_KEEPINTVL", 2),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", DEAD_PEER_SECONDS * 1000),
    ):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _shown_names(commands: Sequence[Sequence[bytes]]) -> str:
    """`GET (2 words)`, or `GET (2 words) and 99 more`."""
    first = commands[0]
    name = one_line(first[0][:64].decode("utf-8", "surrogateescape")).upper() if first else "nothing"
    more = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    return f"{name} ({len(first)} words){more}"


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "Name or service not known"
    if isinstance(error, TimeoutError) and getattr(error, "errno", None) is None:
        return f"no connection within {CONNECT_TIMEOUT_SECONDS:g} seconds"
    return getattr(error, "strerror", None) or str(error)
