"""A connected client, as the parts of the network side below its connection see it.

The end of a turn, client eviction and the periodic work use a :class:`Peer`; they do not know how it reads or what a
transport is.  It is a class and not a protocol because the compiled build calls its methods directly (two attribute
look-ups fewer for each client of a turn).
"""

from __future__ import annotations

import socket

from kedis.engine.client import Client
from kedis.resp.long_replies import Chunk
from kedis.resp.requests import RequestParser


class Peer:
    """A client's end of a socket.

    Attributes:
        queued: its replies are sent at the end of this turn.
        sealed: replies that wait for the sync under way; later ones are in ``client.out``.
        closed: nothing is read, run or sent any more.
        noted_bytes: the size of its buffers that client eviction knows of.
    """

    __slots__ = ("client", "closed", "noted_bytes", "parser", "queued", "sealed", "sock")

    client: Client
    closed: bool
    noted_bytes: int
    parser: RequestParser
    queued: bool
    sealed: list[Chunk]
    sock: socket.SocketType

    def seal(self) -> None:
        """Move the replies of up to now to ``sealed``."""
        raise NotImplementedError

    def send(self, chunks: list[Chunk] | None = None) -> None:
        """Send ``chunks``, or what is in ``client.out``, as far as the kernel takes it."""
        raise NotImplementedError

    def close(self) -> None:
        """End the connection at once."""
        raise NotImplementedError

    def give_up(self, error: Exception | None = None) -> None:
        """End the connection after an internal error."""
        raise NotImplementedError

    def stop_reading(self) -> None:
        """Take no further requests."""
        raise NotImplementedError

    def check_output_limit(self) -> None:
        """Close the connection if its unread replies exceed client-output-buffer-limit."""
        raise NotImplementedError

    def memory(self) -> int:
        """Bytes of all its buffers."""
        raise NotImplementedError
