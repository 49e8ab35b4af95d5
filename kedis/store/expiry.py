"""The active expiry cycle: removes due keys that are not accessed.

Expiry on access is exact without it; the cycle only frees the memory and keeps the share of dead keys
among the volatile ones low. Its rule is Redis's. A database is sampled, a few keys at a time, and sampled
again at once for as long as more of the sample was dead than is acceptable; so the work follows the dead
share, and a database with few dead keys costs a few microseconds. ``effort`` (1 to 10) makes the
samples larger, accepts less, and takes a larger share of the time:

    keys a sample       20 + 5 (effort - 1)
    acceptable share    10 - (effort - 1) percent
    share of the time   25 + 2 (effort - 1) percent

A sample is not drawn at random: a cursor walks the scan index of the volatile keys, one walk after the other,
so that every key is visited once a walk and a small dead share in one part is found, too.

Bounded time. A period (the time between two calls of :meth:`ActiveExpiry.run`, 1 / hz) may use its share,
25 ms of 100, but not in one piece: a slice ends after :data:`SLICE_NS`, and ``True`` asks the caller to serve
its clients and to call :meth:`ActiveExpiry.resume` in the next turn of its loop.

A replica leaves what is due to its master, but for the keys to which clients of a writable replica have given a time to
live: their names are remembered, and visited in turn.

Simplified: the slices replace Redis's second, "fast" cycle before each sleep.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from kedis.store.database import Database
from kedis.store.keyspace import Keyspace
from kedis.structures.histogram import Histogram

Clock = Callable[[], int]

#: The longest piece of work without a pause, in nanoseconds: the delay that a waiting client sees.
SLICE_NS = 2_000_000
#: Keys of a writable replica's own clients that are visited in a period without being due.
_OWN_SAMPLE = 20
#: Weight of the latest period in the running estimate of the dead share.
STALE_WEIGHT = 0.05
#: Weight of the latest sample in the running average of the time to live.
TTL_WEIGHT = 0.02


class ActiveExpiry:
    """Walks the volatile keys of every database and removes those that are due.

    Args:
        keyspace: its ``active_expiry`` switches the cycle on and off (DEBUG SET-ACTIVE-EXPIRE).
        effort: 1 to 10 (``active-expire-effort``); may be changed at any time.
    """

    def __init__(self, keyspace: Keyspace, effort: int = 1) -> None:
        count = len(keyspace.databases)
        self.keyspace = keyspace
        self.effort = effort
        #: Running average of the time to live in milliseconds, by database (``avg_ttl`` in INFO).
        self.average_ttl_ms = [0.0] * count
        self._cursors = [0] * count
        self._current = 0
        self._unvisited = 0
        self._budget_ns = 0
        self._sampled = 0
        self._stale = 0
        self.reset_counters()
        #: Estimated percentage of dead keys among the volatile ones (``expired_stale_perc``).
        self.stale_percentage = 0.0

    def reset_counters(self) -> None:
        """Zero the counters (CONFIG RESETSTAT)."""
        #: Keys removed by the cycle.
        self.expired = 0
        #: Periods that used up their share with work left (``expired_time_cap_reached_count``).
        self.time_cap_reached = 0
        #: Time spent (``expire_cycle_cpu_milliseconds``), and the duration of each slice.
        self.spent_ns = 0
        self.slices = Histogram()

    def run(self, interval_seconds: float, clock: Clock) -> bool:
        """Begin a period of ``interval_seconds`` and run its first slice.

        ``clock`` gives nanoseconds since 1970. Returns whether :meth:`resume` should be called in the next
        turn of the loop. Deletions are journalled through the keyspace's hook, once a slice has returned.
        """
        keyspace = self.keyspace
        if not keyspace.active_expiry or keyspace.loading or keyspace.follows:
            self._unvisited = 0
            if keyspace.own_expiries and keyspace.active_expiry and not keyspace.loading:
                self._expire_own(keyspace.own_expiries, clock)
            return False
        share = 25 + 2 * (self.effort - 1)
        self._budget_ns = int(interval_seconds * 10_000_000 * share)
        self._unvisited = len(self.keyspace.databases)
        self._sampled = self._stale = 0
        return self.resume(clock)

    def resume(self, clock: Clock) -> bool:
        """Run another slice of the period begun by :meth:`run`; returns whether one more is needed.

        Takes at most :data:`SLICE_NS` (and one sample), however many keys are due.
        """
        if not self._unvisited or not self.keyspace.active_expiry or self.keyspace.follows:
            return False
        began = clock()
        self.keyspace.now_ns = began
        until = began + min(SLICE_NS, self._budget_ns)
        while self._unvisited and self._visit(self._current, began, until, clock):
            self._unvisited -= 1
            self._current = (self._current + 1) % len(self._cursors)
        spent = max(clock() - began, 0)
        self.spent_ns += spent
        self.slices.add(spent)
        self._budget_ns -= spent
        if self._unvisited and self._budget_ns > 0:
            return True
        self._end_period()
        return False

    def _expire_own(self, keys: OrderedDict[tuple[int, bytes], None], clock: Clock) -> None:
        """Look at the ``keys`` of a writable replica's own clients in turn, until few of them are due. One slice."""
        began = clock()
        keyspace = self.keyspace
        keyspace.now_ns = began
        alive = 0
        while keys and alive < _OWN_SAMPLE and began <= clock() < began + SLICE_NS:
            place, _ = keys.popitem(last=False)
            number, key = place
            database = keyspace.databases[number]
            at_ms = database.expires.get(key)
            if at_ms is None:  # it has been removed, or is to stay
                continue
            if at_ms <= keyspace.now_ms:
                database.expire_now(key)
                self.expired += 1
            else:
                keys[place] = None
                alive += 1
        self.spent_ns += max(clock() - began, 0)

    def _end_period(self) -> None:
        if self._unvisited:
            self.time_cap_reached += 1
            self._unvisited = 0
        percentage = 100 * self._stale / self._sampled if self._sampled else 0.0
        self.stale_percentage += STALE_WEIGHT * (percentage - self.stale_percentage)

    def _visit(self, number: int, began: int, until: int, clock: Clock) -> bool:
        """Sample database ``number`` until few keys are dead; False when the time is up before."""
        database = self.keyspace.databases[number]
        count = 20 + 5 * (self.effort - 1)
        acceptable = 10 - (self.effort - 1)
        while database.expires:
            sampled, stale = self._sample(database, count)
            self._sampled += sampled
            self._stale += stale
            self.expired += stale
            if stale * 100 <= acceptable * sampled:
                return True
            # A clock that was set back counts as time up: a slice may end early, but not run without end.
            if not began <= clock() < until:
                return False
        self.average_ttl_ms[number] = 0.0
        return True

    def _sample(self, database: Database, count: int) -> tuple[int, int]:
        """Check the next ``count`` keys or a few more; returns how many were checked, and how many were due."""
        number = database.number
        self._cursors[number], keys = database.expires.scan(self._cursors[number], count)
        now_ms = self.keyspace.now_ms
        expires = database.expires
        stale = 0
        total_ttl_ms = 0
        for key in keys:
            ttl_ms = expires[key] - now_ms
            if ttl_ms <= 0:
                database.expire_now(key)
                stale += 1
            else:
                total_ttl_ms += ttl_ms
        alive = len(keys) - stale
        if alive:
            average = self.average_ttl_ms[number]
            weight = TTL_WEIGHT if average else 1.0
            self.average_ttl_ms[number] += weight * (total_ttl_ms / alive - average)
        return len(keys), stale
