"""What the keyspace tells those who watch it: an interface, implemented by whoever has clients.

The keyspace knows keys and values; that somebody has subscribed to notifications, tracks keys or is blocked on one is
the business of :mod:`kedis.engine.keyspace_events`.  Nothing of this is called unless ``keyspace.observed`` is set.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class KeyspaceEvents(Protocol):
    """Receives the events of all databases; ``database`` is a number, ``kind`` the class of a value."""

    def wanted(self) -> bool:
        """Whether anybody wants to know of single events."""

    def key_modified(self, database: int, key: bytes, event: str) -> None:
        """A command changed ``key``; an empty ``event`` has no name to publish."""

    def key_annotated(self, database: int, key: bytes, event: str) -> None:
        """A command changed something about ``key`` that is not what readers see of it."""

    def key_created(self, database: int, kind: type, key: bytes) -> None:
        """A key was added; :meth:`key_modified` follows."""

    def key_ready(self, database: int, kind: type, key: bytes) -> None:
        """``key`` may have something for clients that wait for a value of class ``kind``, or holds none any more."""

    def key_missed(self, database: int, key: bytes) -> None:
        """A command looked for a key that is not there."""

    def key_removed(self, database: int, key: bytes, event: str) -> None:
        """A key was removed that no command named: ``expired`` or ``evicted``."""

    def awaited(self) -> Iterable[tuple[int, type, bytes]]:
        """Database, class and key of everything that clients wait for."""


class NoEvents:
    """The events of a keyspace that nobody watches."""

    def wanted(self) -> bool:
        return False

    def key_modified(self, database: int, key: bytes, event: str) -> None:
        pass

    def key_annotated(self, database: int, key: bytes, event: str) -> None:
        pass

    def key_created(self, database: int, kind: type, key: bytes) -> None:
        pass

    def key_ready(self, database: int, kind: type, key: bytes) -> None:
        pass

    def key_missed(self, database: int, key: bytes) -> None:
        pass

    def key_removed(self, database: int, key: bytes, event: str) -> None:
        pass

    def awaited(self) -> Iterable[tuple[int, type, bytes]]:
        return ()
