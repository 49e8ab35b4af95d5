"""Client eviction: the largest clients are closed while the buffers of all exceed ``maxmemory-clients``.

The sum is kept up to date, not counted: a connection reports the size of its buffers whenever that has changed
(:meth:`ClientEviction.note`), after each read, each slice of commands (which are short where there is a limit) and each
send.  Connections are kept by the number of bits of their size, so that one of the largest is found without looking at
all.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from itertools import islice

from kedis.engine.engine import Engine
from kedis.server.peer import Peer

log = logging.getLogger("kedis.server")

#: Sizes have fewer bits than this.
_CLASSES = 64
#: Connections of one class that are compared to find the largest.
_COMPARED = 64


class ClientEviction:
    """The sum of the buffers of ``connections``, and its limit.

    Attributes:
        limit: in bytes; 0 is none, and nothing is kept then.
        total: bytes of all connections but those with CLIENT NO-EVICT.
        evicted_clients: since the start or CONFIG RESETSTAT.
    """

    def __init__(self, engine: Engine, connections: Collection[Peer]) -> None:
        self._engine = engine
        self._connections = connections
        self._classes: list[dict[Peer, None]] = [{} for _ in range(_CLASSES)]
        self.limit = 0
        self.total = 0
        self.evicted_clients = 0

    def review(self) -> None:
        """Follow the settings, and measure the buffers of every connection.  O(clients)."""
        self.limit = self._engine.config.client_memory_limit()
        if self.limit or self.total:
            for connection in list(self._connections):
                self.note(connection, connection.memory())

    def note(self, connection: Peer, size: int) -> None:
        """The buffers of ``connection`` occupy ``size`` bytes now.  O(1), and evictions."""
        if not self.limit or connection.closed or connection.client.no_evict or connection.client.is_replica:
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
            self.evicted_clients += 1
            connection.close()
            connection.client.end_transaction()


def _size(connection: Peer) -> int:
    return connection.noted_bytes
