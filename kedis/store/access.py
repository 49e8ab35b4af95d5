"""Access tracking: time or frequency of the accesses to each key, for the eviction policies LRU and LFU.

Policies without tracking do not pay for it: ``access_tracker`` of a database is then None, which costs a
look-up one test. :meth:`kedis.store.keyspace.Keyspace.track_access` sets it as the policy demands.

A tracker holds one number for each key. For LRU it is the time of the last access in nanoseconds since 1970: a clock
of seconds would not distinguish the keys of the last second. For LFU it is 256 times a time in
milliseconds, plus a counter that rises by chance, ever more rarely (Morris 1978), and falls by one in every period of
``lfu_decay_minutes``. Most keys of a cache share a few low counts; among equals the one unused for longer is evicted
first, which makes 0.007 more hits than chance does (``ops/bench/memory.py --only ratios``).

A key older than the tracking has no number: it counts as used when tracking began.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from kedis.store.state import KeyspaceState
from kedis.structures.key_numbers import KeyNumbers

#: Initial counter of a new key, so that it is not evicted before it can be used.
LFU_BEGIN = 5
LFU_MOST = 255
_MS_NS = 1_000_000
_MINUTE_MS = 60_000
#: The earliest access that is noted, in the year 1678.
_LONG_AGO_NS = -(2**63) + 1


class AccessTracker(ABC):
    """Base of both trackers: a number for each key of one database. Every method is O(1).

    Attributes:
        held: gives the database's own object of a key, so that no second copy is kept.
        last_access: the number of each key; read-only for callers.
    """

    __slots__ = (
        "_keyspace",
        "held",
        "last_access",
    )

    def __init__(self, keyspace: KeyspaceState, held: Callable[[bytes], bytes]) -> None:
        self._keyspace = keyspace
        self.held = held
        self.last_access = KeyNumbers()

    @abstractmethod
    def touch(self, key: bytes) -> None:
        """Record an access to the existing ``key``, unless the running command does not count as one."""

    @abstractmethod
    def eviction_score(self, key: bytes) -> int:
        """Eviction score: the key with the highest goes first."""

    def forget(self, key: bytes) -> None:
        """Forget a removed ``key``."""
        if key in self.last_access:
            del self.last_access[key]
            self._keyspace.account.remove_access()

    def forget_all(self) -> KeyNumbers:
        """Forget all keys; returns their numbers, whose memory is no longer in the account."""
        forgotten, self.last_access = self.last_access, KeyNumbers()
        self._keyspace.account.remove_access(len(forgotten))
        return forgotten

    def compact(self) -> None:
        """Move the table into memory of its present size. O(keys)."""
        self.last_access.repack()

    def _record(self, key: bytes, number: int) -> None:
        if key not in self.last_access:
            key = self.held(key)
            self._keyspace.account.add_access()
        self.last_access[key] = number


class LruTracker(AccessTracker):
    """Records the time of the last access to each key."""

    __slots__ = ()

    def touch(self, key: bytes) -> None:
        if not self._keyspace.no_touch:
            self._record(key, self._keyspace.now_ns)

    def idle_ns(self, key: bytes) -> int:
        """Nanoseconds since the last access to the key."""
        keyspace = self._keyspace
        return max(keyspace.now_ns - self.last_access.get(key, keyspace.tracked_since_ns), 0)

    def set_idle(self, key: bytes, seconds: int) -> None:
        """Set the idle time of the existing ``key``, in seconds."""
        self._record(key, max(self._keyspace.now_ns - seconds * 1_000_000_000, _LONG_AGO_NS))

    def eviction_score(self, key: bytes) -> int:
        return -self.last_access.get(key, self._keyspace.tracked_since_ns)


class LfuTracker(AccessTracker):
    """Records the frequency of accesses to each key."""

    __slots__ = ()

    def touch(self, key: bytes) -> None:
        keyspace = self._keyspace
        if keyspace.no_touch:
            return
        count = LFU_BEGIN
        if key in self.last_access:
            count = self.frequency(key)
            odds = max(count - LFU_BEGIN, 0) * keyspace.lfu_log_factor + 1
            if count < LFU_MOST and (odds == 1 or keyspace.random.random() * odds < 1):
                count += 1
        self._record(key, keyspace.now_ns // _MS_NS << 8 | count)

    def frequency(self, key: bytes) -> int:
        """The counter of the key, decayed until now: 0 to 255."""
        keyspace = self._keyspace
        used_ms, count = self._last_use(key)
        decay = keyspace.lfu_decay_minutes
        if not decay:
            return count
        minutes = keyspace.now_ns // _MS_NS // _MINUTE_MS - used_ms // _MINUTE_MS
        return max(count - minutes // decay, 0)

    def set_frequency(self, key: bytes, count: int) -> None:
        """Set the counter of the existing ``key`` to ``count``."""
        self._record(key, self._keyspace.now_ns // _MS_NS << 8 | count)

    def eviction_score(self, key: bytes) -> int:
        return (LFU_MOST - self.frequency(key) << 48) - self._last_use(key)[0]

    def _last_use(self, key: bytes) -> tuple[int, int]:
        """The time of the last access in milliseconds, and the counter at that time."""
        number = self.last_access.get(key)
        if number is None:
            return self._keyspace.tracked_since_ns // _MS_NS, LFU_BEGIN
        return number >> 8, number & 255
