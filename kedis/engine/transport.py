"""The transport of a client: a socket, or nothing."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Buffers(NamedTuple):
    """What CLIENT LIST tells of a transport beside the bytes that wait.

    Attributes:
        room: bytes allocated for what is received and not used (``qbuf-free``).
        chunks: pieces of replies that the kernel has not taken (``oll``).
        events: what is awaited of the socket, ``r`` or ``rw``.
    """

    room: int = 0
    chunks: int = 0
    events: str = "r"


class Transport(Protocol):
    """The carrier of a client as far as commands may look at it; a socket stands behind it, or nothing."""

    kind: str  # "tcp", "unix", "in-process"; "" where there is none
    fd: int

    def close(self) -> None:
        """End the connection without waiting; replies not yet sent are dropped."""

    def output_bytes(self) -> int:
        """Bytes of replies that the client has not taken yet."""

    def input_bytes(self) -> int:
        """Bytes received that do not make a whole command yet."""

    def buffers(self) -> Buffers:
        """The state of the buffers, for people to read."""

    def wants_send(self) -> None:
        """Something was put into ``out`` that is no reply to a command under way: send it soon.

        A client that was blocked may be so no longer.
        """


class NullTransport:
    """The transport where there is no connection, or no longer: it carries nothing."""

    kind = ""
    fd = -1

    def close(self) -> None: ...

    def output_bytes(self) -> int:
        return 0

    def input_bytes(self) -> int:
        return 0

    def buffers(self) -> Buffers:
        return Buffers()

    def wants_send(self) -> None: ...
