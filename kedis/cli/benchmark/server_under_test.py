"""A server to be measured: its address, the handshake of a connection, and its INFO."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import hiredis

from kedis.cli.terminal_text import one_line
from kedis.cli.tls_client import BadTls, Tls
from kedis.resp.replies import encode_command

#: Max. requests in flight when many are sent.
_CHUNK = 500
_DIGITS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


class TargetError(Exception):
    """The server cannot be measured; the text is one line for the user."""


@dataclass(frozen=True)
class Target:
    """Where a server is and how to log in there."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str = ""
    password: str = ""
    user: str = ""
    db: int = 0
    timeout: float = 10.0
    tls: Tls | None = None

    @property
    def address(self) -> str:
        return self.path or f"{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """A connection, logged in and at its database, that has answered PING.

        Raises TargetError.
        """
        link = self._open()
        try:
            if not self.path:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet(Conversation(self, link))
        except BaseException:
            link.close()
            raise
        return link

    def _open(self) -> socket.socket:
        try:
            if self.path:
                link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                link.settimeout(self.timeout)
                link.connect(self.path)
                return link
            plain = socket.create_connection((self.host, self.port), timeout=self.timeout)
            return plain if self.tls is None else self.tls.wrap(plain, self.host)
        except BadTls as error:
            raise TargetError(str(error)) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise TargetError(f"no server at {self.address}: {reason.lower()}") from None

    def _greet(self, conversation: Conversation) -> None:
        if self.password:
            words = [b"AUTH", self.user.encode(), self.password.encode()]
            reply = conversation.ask(*[word for word in words if word])
            if isinstance(reply, hiredis.ReplyError):
                raise TargetError(f"{self.address} refuses the password: {reply}")
        reply = conversation.ask(b"PING")
        if isinstance(reply, hiredis.ReplyError):
            hint = " (give it with --password)" if str(reply).startswith("NOAUTH") else ""
            raise TargetError(f"{self.address} refuses to serve: {reply}{hint}")
        if reply != b"PONG":
            raise TargetError(f"{self.address} does not speak the Redis protocol")
        if self.db:
            reply = conversation.ask(b"SELECT", b"%d" % self.db)
            if isinstance(reply, hiredis.ReplyError):
                raise TargetError(f"{self.address} has no database {self.db}: {reply}")

    @contextlib.contextmanager
    def conversation(self) -> Any:
        """A connection for questions outside of the measurement.  Raises TargetError."""
        with self.connect() as link:
            yield Conversation(self, link)


class Conversation:
    """Requests and replies on one connection, one at a time."""

    def __init__(self, target: Target, link: socket.socket) -> None:
        self._target, self._link = target, link
        self._reader = hiredis.Reader()

    def ask(self, *words: bytes) -> Any:
        """The reply, an error as ``hiredis.ReplyError``.  Raises TargetError when there is none."""
        return self._exchange(encode_command(words), 1)[0]

    def ask_all(self, requests: Iterable[list[bytes]]) -> None:
        """Send many requests.  Raises TargetError for the first that fails."""
        chunk: list[bytes] = []
        for words in requests:
            chunk.append(encode_command(words))
            if len(chunk) == _CHUNK or len(chunk) * len(chunk[-1]) > 1 << 20:
                self._check(chunk)
                chunk = []
        self._check(chunk)

    def _check(self, chunk: list[bytes]) -> None:
        for reply in self._exchange(b"".join(chunk), len(chunk)):
            if isinstance(reply, hiredis.ReplyError):
                raise TargetError(f"{self._target.address} could not be filled: {reply}")

    def _exchange(self, request: bytes, count: int) -> list[Any]:
        address = self._target.address
        try:
            self._link.sendall(request)
            replies: list[Any] = []
            while len(replies) < count:
                reply = self._reader.gets()
                if reply is not False:
                    replies.append(reply)
                    continue
                received = self._link.recv(65536)
                if not received:
                    raise TargetError(f"{address} closed the connection: is it a Redis server?")
                self._reader.feed(received)
            return replies
        except TimeoutError:
            waited = f"{self._target.timeout:g} s"
            raise TargetError(f"{address} did not answer for {waited}: is it a Redis server?") from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise TargetError(f"{address} broke the connection: {reason}") from None
        except (hiredis.ProtocolError, TypeError):  # TypeError: a map whose key is a list
            raise TargetError(f"{address} does not speak the Redis protocol") from None


@dataclass(frozen=True)
class Facts:
    """Fields of INFO: ``cpu_seconds`` used so far by the process (user and system), all threads."""

    name: str
    version: str
    process_id: int
    cpu_seconds: float | None


def facts_of(target: Target) -> Facts:
    """The server's identity and CPU time, by INFO.  Raises TargetError."""
    with target.conversation() as conversation:
        replies = [conversation.ask(b"INFO", section) for section in (b"server", b"cpu")]
    fields: dict[str, str] = {}
    for reply in replies:
        if isinstance(reply, bytes):
            for line in reply.decode("utf-8", "replace").splitlines():
                name, colon, value = line.partition(":")
                if colon:
                    fields[name] = value.strip()
    kedis = fields.get("kedis_version")
    if kedis and "kedis_path" in fields:
        kedis += f" {fields['kedis_path']} path"
    user, system = [_number(fields.get(name)) for name in ("used_cpu_user", "used_cpu_sys")]
    return Facts(
        "Kedis" if kedis else "Redis",
        one_line(kedis or fields.get("redis_version", "?")),
        int(_number(fields.get("process_id")) or 0),
        None if user is None or system is None else user + system,
    )


def _number(text: str | None) -> float | None:
    """A number of INFO; None if it is missing."""
    return float(text) if text and _DIGITS.fullmatch(text) else None
