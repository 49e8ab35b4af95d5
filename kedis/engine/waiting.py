"""Queues of blocked clients per key, in order of arrival, and the keys that are ready for them.

A queue belongs to one key of one type in one database: a client that waits for a sorted set does not delay those that
wait for a list under the same name. Adding a key takes one dict look-up, however many clients wait elsewhere, and only
while any client waits.

The keyspace only marks a key as ready; the waiters are served when the running command, or transaction, is over
(:mod:`kedis.engine.blocking`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

#: A database number, a type of value, and a key.
Place = tuple[int, type, bytes]


class Waiting:
    """The queues of one server. Every method is O(1) for each key."""

    def __init__(self) -> None:
        # Ordered dicts: finding the first entry of a plain dict walks over all entries removed before it.
        self.queues: dict[Place, OrderedDict[Any, None]] = {}
        #: Ready keys that clients wait for, by database, in the order in which they became ready.
        self.ready: dict[Place, None] = {}

    def join(self, waiter: Any, number: int, kind: type, keys: Iterable[bytes]) -> None:
        """Put ``waiter`` at the end of the queues for ``keys`` of database ``number`` as values of type ``kind``."""
        for key in keys:
            self.queues.setdefault((number, kind, key), OrderedDict())[waiter] = None

    def leave(self, waiter: Any, number: int, kind: type, keys: Iterable[bytes]) -> None:
        """Undo :meth:`join` with the same arguments; a key may be named more than once."""
        for key in keys:
            place = number, kind, key
            queue = self.queues.get(place)
            if queue is not None:
                queue.pop(waiter, None)
                if not queue:
                    del self.queues[place]

    def first(self, number: int, kind: type, key: bytes) -> Any:
        """The waiter that came first; None if there is none."""
        queue = self.queues.get((number, kind, key))
        return next(iter(queue)) if queue else None

    def all(self, number: int, kind: type, key: bytes) -> list[Any]:
        """All waiters, first come first. O(waiters)."""
        return list(self.queues.get((number, kind, key), ()))

    def signal_key_ready(self, number: int, kind: type, key: bytes) -> None:
        """Mark ``key`` as ready, if a client waits for a ``kind`` there: it was created, modified or removed."""
        place = number, kind, key
        if place in self.queues:
            self.ready[place] = None
