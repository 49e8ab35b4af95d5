"""Who waits for which key, in order of arrival, and which of those keys have come into being.

A queue stands for one key of one type in one database: a client that waits for a sorted set is in nobody's way when
a list comes under the same name.  Adding a key asks one dict, however many wait elsewhere, and only while somebody
waits at all.

The keyspace only marks a key as ready; the waiters are served when the running command, or transaction, is over
(:mod:`kedis.engine.blocking`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

#: A key of a database as one type of value.
Place = tuple[int, type, bytes]


class Waiting:
    """The queues of one server.  Every method is O(1) for each key."""

    def __init__(self) -> None:
        # Ordered dicts: the first of a plain dict is found by walking over all that have left before it.
        self.queues: dict[Place, OrderedDict[Any, None]] = {}
        #: Keys that somebody waits for and that were added, by database, in that order.
        self.ready: dict[Place, None] = {}

    def join(self, waiter: Any, number: int, kind: type, keys: Iterable[bytes]) -> None:
        """Put ``waiter`` at the end of the queues for ``keys`` of database ``number`` as values of type ``kind``."""
        for key in keys:
            self.queues.setdefault((number, kind, key), OrderedDict())[waiter] = None

    def leave(self, waiter: Any, number: int, kind: type, keys: Iterable[bytes]) -> None:
        """Take back what :meth:`join` did with the same arguments; a key may be named more than once."""
        for key in keys:
            place = number, kind, key
            queue = self.queues.get(place)
            if queue is not None:
                queue.pop(waiter, None)
                if not queue:
                    del self.queues[place]

    def first(self, number: int, kind: type, key: bytes) -> Any:
        """Whoever has waited for longest; None when nobody does."""
        queue = self.queues.get((number, kind, key))
        return next(iter(queue)) if queue else None

    def all(self, number: int, kind: type, key: bytes) -> list[Any]:
        """All who wait, those who have waited for longest first.  O(waiters)."""
        return list(self.queues.get((number, kind, key), ()))

    def signal_key_ready(self, number: int, kind: type, key: bytes) -> None:
        """A value of type ``kind`` has come to a key, has got something for those who wait, or is gone."""
        place = number, kind, key
        if place in self.queues:
            self.ready[place] = None
