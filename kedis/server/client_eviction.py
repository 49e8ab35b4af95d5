"""Client eviction: the largest clients are closed while the buffers of all exceed ``maxmemory-clients``.

The sum is kept, not counted: a connection says what it occupies whenever that has changed
(:meth:`ClientEviction.note`), after each read, each slice of commands (which are short where there is a limit) and each
send.  Connections are kept by the number of bits of their size, so that one of the largest is found without looking at
all.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from kedis.server.connection import BUDGET_NS, SMALL_BUDGET_NS

if TYPE_CHECKING:
    from kedis.server.connection import Connection
    from kedis.server.server import NetworkServer

log = logging.getLogger("kedis.server")

#: Sizes have fewer bits than this.
_CLASSES = 64
#: Connections of a class of which the largest goes.
_COMPARED = 64


class ClientEviction:
    """The sum of the clients' buffers, and what happens when it is too much.

    Attributes:
        limit: in bytes; 0 is none, and nothing is kept then.
        total: bytes of all connections, as far as they may be closed (CLIENT NO-EVICT).
    """

    def __init__(self, server: NetworkServer) -> None:
        self._server = server
        self._classes: list[dict[Connection, None]] = [{} for _ in range(_CLASSES)]
        self.limit = 0
        self.total = 0

    def review(self) -> None:
        """Follow the settings, and ask every connection for what its buffers really occupy.  O(clients)."""
        self.limit = self._server.engine.config.client_memory_limit()
        self._server.slice_ns = SMALL_BUDGET_NS if self.limit else BUDGET_NS
        if self.limit or self.total:
            for connection in list(self._server.connections):
                self.note(connection, connection.memory())

    def note(self, connection: Connection, size: int) -> None:
        """The buffers of ``connection`` occupy ``size`` bytes now.  O(1), and an eviction or more."""
        if not self.limit or connection.closed or connection.client.no_evict:
            size = 0
        before = connection.noted_bytes
        if size == before:
            return
        connection.noted_bytes = size
        self.total += size - before
        old, new = before.bit_length(), size.bit_length()
        if old != new:
            self._classes[old].pop(connection, None)
            if size:
                self._classes[new][connection] = None
        if size > before and self.total > self.limit:
            self._evict()

    def _evict(self) -> None:
        while self.total > self.limit:
            largest = next(filter(None, reversed(self._classes)))
            connection = max(islice(largest, _COMPARED), key=_size)
            log.warning(
                "closing client %s: clients need more than maxmemory-clients", connection.client.address
            )
            self._server.evicted_clients += 1
            connection.close()
            connection.client.end_transaction()


def _size(connection: Connection) -> int:
    return connection.noted_bytes
