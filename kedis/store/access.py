"""When, or how often, each key is used, for the policies of eviction that ask.

A policy that does not need it must not pay for it: a database whose ``uses`` is None notes nothing, which is one test
in a look-up.  Changing the policy changes that object (:meth:`kedis.store.keyspace.Keyspace.track`).

``access`` holds a number for each key.  For LRU it is the moment of the last use, in nanoseconds since
1970: finer than a clock of seconds, by which all keys of the last second are alike.  For LFU it is 256 times a moment
in milliseconds, plus a counter that rises by chance, ever more rarely (Morris 1978), and falls by one every so many
minutes.  Most keys of a cache share a few low counts; among equals the one unused for longer goes first, which makes
0.007 more hits than chance does (``ops/bench/memory.py --only ratios``).

A key that was there before has no number: it counts as used when tracking began.
"""

from __future__ import annotations

from kedis.store.state import KeyspaceState

#: What a new key's counter begins with, lest it be evicted before it can be used.
LFU_BEGIN = 5
LFU_MOST = 255
_MS_NS = 1_000_000
_MINUTE_MS = 60_000


class Uses:
    """What both policies share: a number for each key of one database.  Every method is O(1).

    Attributes:
        access: the numbers; to read only.
    """

    def __init__(self, keyspace: KeyspaceState) -> None:
        self._keyspace = keyspace
        self.access: dict[bytes, int] = {}

    def note(self, key: bytes) -> None:
        """Note that ``key``, which is there, is used."""
        raise NotImplementedError

    def expendable(self, key: bytes) -> int:
        """How gladly the key is given up, next to others."""
        raise NotImplementedError

    def forget(self, key: bytes) -> None:
        """``key`` is gone."""
        if self.access.pop(key, None) is not None:
            self._keyspace.account.remove_access()

    def forget_all(self) -> dict[bytes, int]:
        """All keys are gone; returns their numbers, whose memory is not in the account any more."""
        forgotten, self.access = self.access, {}
        self._keyspace.account.remove_access(len(forgotten))
        return forgotten

    def compact(self) -> None:
        """Move the table into memory of the size that it needs now.  O(keys)."""
        self.access = dict(self.access)

    def _write_down(self, key: bytes, number: int) -> None:
        if key not in self.access:
            self._keyspace.account.add_access()
        self.access[key] = number


class LruUses(Uses):
    """Notes when each key was last used."""

    def note(self, key: bytes) -> None:
        if self._keyspace.touching:
            self._write_down(key, self._keyspace.now_ns)

    def idle_ns(self, key: bytes) -> int:
        """Nanoseconds for which the key was not used."""
        keyspace = self._keyspace
        return max(keyspace.now_ns - self.access.get(key, keyspace.tracked_since_ns), 0)

    def set_idle(self, key: bytes, seconds: int) -> None:
        """Let ``key``, which is there, have been unused for so long."""
        self._write_down(key, self._keyspace.now_ns - seconds * 1_000_000_000)

    def expendable(self, key: bytes) -> int:
        return -self.access.get(key, self._keyspace.tracked_since_ns)


class LfuUses(Uses):
    """Notes how often each key is used."""

    def note(self, key: bytes) -> None:
        keyspace = self._keyspace
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
        keyspace = self._keyspace
        used_ms, count = self._last_use(key)
        decay = keyspace.lfu_decay_minutes
        if not decay:
            return count
        minutes = keyspace.now_ns // _MS_NS // _MINUTE_MS - used_ms // _MINUTE_MS
        return max(count - minutes // decay, 0)

    def set_frequency(self, key: bytes, count: int) -> None:
        """Let the counter of ``key``, which is there, be ``count``."""
        self._write_down(key, self._keyspace.now_ns // _MS_NS << 8 | count)

    def expendable(self, key: bytes) -> int:
        return (LFU_MOST - self.frequency(key) << 48) - self._last_use(key)[0]

    def _last_use(self, key: bytes) -> tuple[int, int]:
        """The moment in milliseconds, and the counter as it was then."""
        number = self.access.get(key)
        if number is None:
            return self._keyspace.tracked_since_ns // _MS_NS, LFU_BEGIN
        return number >> 8, number & 255
