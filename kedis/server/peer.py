"""A connected client, as the parts of the network side below its connection see it.

The end of a turn, client eviction and the periodic work use a :class:`Peer`; they do not know how it reads or what a
transport is. Its attributes are in C where the native path is there (:mod:`kedis.native.path`), which keeps replies
and input of its own beside them.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

from kedis import native
from kedis.engine.client import Client
from kedis.resp.long_replies import Chunk
from kedis.resp.requests import RequestParser
from kedis.server.tls_socket import TlsSocket


class PythonState:
    """The attributes of a peer without the native path."""

    __slots__ = (
        "client",
        "closed",
        "commands_before",
        "fd",
        "noted_bytes",
        "parser",
        "queued",
        "sealed",
        "sock",
        "tls",
        "unsent",
    )

    client: Client
    closed: bool
    commands_before: int
    fd: int
    noted_bytes: int
    parser: RequestParser
    queued: bool
    sealed: list[Chunk]
    sock: socket.SocketType | TlsSocket
    tls: TlsSocket | None
    unsent: deque[Any]

    #: Bytes of replies, and of input that makes no whole command, that the native path holds.
    output_bytes_here = input_bytes_here = 0

    def surface(self) -> None:
        """Move the replies that the native path holds in front of those in ``client.out``."""

    def drop_buffers_here(self) -> None:
        """Forget the replies and the input that the native path holds."""


if TYPE_CHECKING or native.PATH == "python":
    State = PythonState
else:
    from kedis.native.path import Peer as State


class Peer(State, ABC):
    """A client's end of a socket.

    Attributes:
        queued: its replies are sent at the end of this turn.
        sealed: replies that wait for the sync under way; later ones are in ``client.out``.
        closed: nothing is read, run or sent any more.
        noted_bytes: the size of its buffers that client eviction knows of.
        tls: the socket, where it speaks TLS.
        unsent: output that the kernel has not taken, in order.
        commands_before: commands of the read at hand that the native path has run before it handed over the rest.
    """

    __slots__ = ()

    @property
    def awaits_reply(self) -> bool:
        """Whether something that it has asked is not answered, besides what the engine knows of."""
        return False

    @abstractmethod
    def seal(self) -> None:
        """Move the replies of up to now to ``sealed``."""

    @abstractmethod
    def send(self, chunks: list[Chunk] | None = None) -> None:
        """Send ``chunks``, or what is in ``client.out``, as far as the kernel takes it."""

    @abstractmethod
    def close(self) -> None:
        """End the connection at once."""

    @abstractmethod
    def give_up(self, error: Exception | None = None) -> None:
        """End the connection after an internal error."""

    @abstractmethod
    def stop_reading(self) -> None:
        """Take no further requests."""

    @abstractmethod
    def check_output_limit(self) -> None:
        """Close the connection if its unread replies exceed client-output-buffer-limit."""

    @abstractmethod
    def memory(self) -> int:
        """Bytes of all its buffers."""

    @abstractmethod
    def note_memory(self) -> None:
        """Report the size of its buffers to client eviction."""
