"""The transport of a client: a socket, or a null object."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Buffers(NamedTuple):
    """Figures of a transport for CLIENT LIST, beside the number of waiting bytes.

    Attributes:
        room: bytes allocated or announced for input and not used (``qbuf-free``).
        chunks: pieces of replies that the kernel has not taken (``oll``).
        events: awaited events of the socket, ``r`` or ``rw``.
    """

    room: int = 0
    chunks: int = 0
    events: str = "r"


class Transport(Protocol):
    """The interface of a client's connection for commands: a socket, an in-process connection or a null object."""

    kind: str  # "tcp", "unix", "in-process", "master" (the link of a replica); "" where there is none
    fd: int

    def close(self) -> None:
        """End the connection without waiting; replies not yet sent are dropped."""

    def output_bytes(self) -> int:
        """Bytes of replies that the client has not taken yet."""

    def input_bytes(self) -> int:
        """Bytes received that do not make a whole command yet."""

    def buffers(self) -> Buffers:
        """The state of the buffers, for display."""

    def wants_send(self) -> None:
        """Signal that ``out`` holds bytes that answer no running command: they must be sent soon.

        The client may no longer be blocked.
        """


class NullTransport:
    """The null transport of a client without a connection."""

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
