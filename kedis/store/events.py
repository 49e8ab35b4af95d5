"""The interface through which the keyspace reports events, implemented by the layer that has clients.

The keyspace knows only keys and values; subscriptions to notifications, tracking and blocked clients are
handled by :mod:`kedis.engine.keyspace_events`. The methods are called only while ``keyspace.observed`` is set.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class KeyspaceEvents(Protocol):
    """Receives the events of all databases; ``database`` is a number, ``kind`` the class of a value."""

    def wanted(self) -> bool:
        """Whether there is any observer of single events."""

    def key_modified(self, database: int, key: bytes, event: str) -> None:
        """A command changed ``key``; an empty ``event`` is not published."""

    def key_annotated(self, database: int, key: bytes, event: str) -> None:
        """A command changed something about ``key`` that is not what readers see of it."""

    def key_created(self, database: int, kind: type, key: bytes) -> None:
        """A key was added; :meth:`key_modified` follows."""

    def key_ready(self, database: int, kind: type, key: bytes) -> None:
        """``key`` may have something for clients that wait for a value of class ``kind``, or holds none any more."""

    def key_missed(self, database: int, key: bytes) -> None:
        """A command looked up a missing key."""

    def key_removed(self, database: int, key: bytes, event: str) -> None:
        """A key was removed that no command named; ``event`` is ``expired`` or ``evicted``."""

    def awaited(self) -> Iterable[tuple[int, type, bytes]]:
        """Database, class and key of all places that clients wait for."""


class NoEvents:
    """Null implementation for a keyspace without observers."""

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
