"""The buffer that Python reads sockets into, kept for all reads of a thread.

``recv(65536)`` allocates 64 KB and shrinks them to what came. The tail is free, and values that are kept settle in it,
so that the next read needs new memory: a process grew to three times its data. Here each read goes into the same
buffer, and a copy of exactly what came is made: 0.15 us more.
"""

from __future__ import annotations

from typing import Any


class ReceiveBuffer:
    """A buffer for reads of up to ``size`` bytes.

    Sockets may share it within a thread, greenlets included: nothing can switch between a read and the copy.
    """

    __slots__ = ("_view",)

    def __init__(self, size: int) -> None:
        self._view = memoryview(bytearray(size))

    def receive(self, sock: Any, limit: int) -> bytes:
        """Up to ``limit`` bytes from ``sock``, at most the size; empty at the end. Raises what ``recv_into`` raises."""
        view = self._view
        return bytes(view[: sock.recv_into(view, min(limit, len(view)))])
