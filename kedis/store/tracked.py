"""Databases that note when, or how often, each key is used, for the policies of eviction that ask.

A policy that does not need it must not pay for it, so this is not a test in every look-up but another class: when the
policy changes, the databases change their class (:meth:`kedis.store.keyspace.Keyspace.track`).

``access`` holds a number for each key.  For LRU it is the moment of the last use, in nanoseconds since 1970: finer
than a clock of seconds, by which all keys of the last second are alike.  For LFU it is 256 times a moment in
milliseconds, plus a counter that rises by chance, ever more rarely (Morris 1978), and falls by one every so many
minutes.  Most keys of a cache share a few low counts; among equals the one unused for longer goes first, which makes
0.007 more hits than chance does (``ops/bench/memory.py --only ratios``).

A key that was there before has no number: it counts as used when tracking began.
"""

from __future__ import annotations

from typing import Any, TypeVar

from kedis.store.database import ACCESS, Container, Database

#: What a new key's counter begins with, lest it be evicted before it can be used.
LFU_BEGIN = 5
LFU_MOST = 255
_MS_NS = 1_000_000
_MINUTE_MS = 60_000

Some = TypeVar("Some")


class TrackedDatabase(Database):
    """What both policies share: every way of coming at a value notes its use."""

    __slots__ = ()

    def used(self, key: bytes) -> None:
        """Note that ``key``, which is there, is used."""
        raise NotImplementedError

    def _note(self, key: bytes, value: Some) -> Some:
        if value is not None:
            self.used(key)
        return value

    def _write_down(self, key: bytes, number: int) -> None:
        if key not in self.access:
            self.keyspace.used += ACCESS
        self.access[key] = number

    def find(self, key: bytes, tell_miss: bool = True) -> Any:
        return self._note(key, Database.find(self, key, tell_miss))

    def look(self, key: bytes, tell_miss: bool = True) -> Any:
        return Database.find(self, key, tell_miss)

    def read(self, key: bytes, kind: type[Container]) -> Container | None:
        return self._note(key, Database.read(self, key, kind))

    def edit(self, key: bytes, kind: type[Container]) -> Container | None:
        return self._note(key, Database.edit(self, key, kind))

    def edit_or_create(self, key: bytes, kind: type[Container]) -> Container:
        return self._note(key, Database.edit_or_create(self, key, kind))

    def read_string(self, key: bytes) -> bytes | None:
        return self._note(key, Database.read_string(self, key))

    def edit_string(self, key: bytes) -> bytes | bytearray | None:
        return self._note(key, Database.edit_string(self, key))

    def set_value(self, key: bytes, value: Any, event: str = "set") -> None:
        Database.set_value(self, key, value, event)
        self.used(key)

    def place(self, key: bytes, value: Any) -> None:
        Database.place(self, key, value)
        self.used(key)

    def set_keeping_ttl(self, key: bytes, value: Any, event: str = "set") -> None:
        Database.set_keeping_ttl(self, key, value, event)
        if key not in self.access:
            self.used(key)

    def _drop(self, key: bytes, later: bool = False) -> None:
        Database._drop(self, key, later)
        if self.access.pop(key, None) is not None:
            self.keyspace.used -= ACCESS


class LruDatabase(TrackedDatabase):
    """Notes when each key was last used."""

    __slots__ = ()

    def used(self, key: bytes) -> None:
        if self.keyspace.touching:
            self._write_down(key, self.keyspace.now_ns)

    def idle_ns(self, key: bytes) -> int:
        """Nanoseconds for which the key was not used."""
        keyspace = self.keyspace
        return max(keyspace.now_ns - self.access.get(key, keyspace.tracked_since_ns), 0)

    def set_idle(self, key: bytes, seconds: int) -> None:
        """Let ``key``, which is there, have been unused for so long."""
        self._write_down(key, self.keyspace.now_ns - seconds * 1_000_000_000)

    def expendable(self, key: bytes) -> int:
        """How gladly the key is given up, next to others."""
        return -self.access.get(key, self.keyspace.tracked_since_ns)


class LfuDatabase(TrackedDatabase):
    """Notes how often each key is used."""

    __slots__ = ()

    def used(self, key: bytes) -> None:
        keyspace = self.keyspace
        if not keyspace.touching:
            return
        count = self.frequency(key)
        if key in self.access and count < LFU_MOST:
            odds = max(count - LFU_BEGIN, 0) * keyspace.lfu_log_factor + 1
            if odds == 1 or keyspace.random.random() * odds < 1:
                count += 1
        self._write_down(key, keyspace.now_ns // _MS_NS << 8 | count)

    def frequency(self, key: bytes) -> int:
        """The counter of the key as it has fallen to by now: 0 to 255."""
        keyspace = self.keyspace
        used_ms, count = self._last_use(key)
        decay = keyspace.lfu_decay_minutes
        if not decay:
            return count
        minutes = keyspace.now_ns // _MS_NS // _MINUTE_MS - used_ms // _MINUTE_MS
        return max(count - minutes // decay, 0)

    def set_frequency(self, key: bytes, count: int) -> None:
        """Let the counter of ``key``, which is there, be ``count``."""
        self._write_down(key, self.keyspace.now_ns // _MS_NS << 8 | count)

    def expendable(self, key: bytes) -> int:
        """How gladly the key is given up, next to others."""
        return (LFU_MOST - self.frequency(key) << 48) - self._last_use(key)[0]

    def _last_use(self, key: bytes) -> tuple[int, int]:
        """The moment in milliseconds, and the counter as it was then."""
        number = self.access.get(key)
        if number is None:
            return self.keyspace.tracked_since_ns // _MS_NS, LFU_BEGIN
        return number >> 8, number & 255
