"""The keyspace: all databases of one server; loading, access tracking, and the exchange of two databases."""

from __future__ import annotations

from kedis.store.access import LfuTracker, LruTracker
from kedis.store.database import Database
from kedis.store.events import KeyspaceEvents
from kedis.store.eviction import Eviction
from kedis.store.state import KeyspaceState
from kedis.structures.scan_index import DeferredIndex, ScanIndex


class Keyspace(KeyspaceState):
    """``count`` databases, whose events are reported to ``events``."""

    __slots__ = (
        "databases",
        "eviction",
    )

    def __init__(self, count: int = 16, events: KeyspaceEvents | None = None) -> None:
        super().__init__(events)
        self.databases = [Database(self, number) for number in range(count)]
        self.eviction = Eviction(self, self.databases)

    def is_empty_beside(self, number: int) -> bool:
        return not any(database.data for database in self.databases if database.number != number)

    def set_loading(self, loading: bool) -> None:
        """Set the loading state: nothing expires, and scanning and random choice pause until their indexes are built.

        O(keys) at the end: 0.3 s a million.
        """
        self.loading = loading
        for database in self.databases:
            database.index = DeferredIndex() if loading else ScanIndex(database.data)
            database.volatile = DeferredIndex() if loading else ScanIndex(database.expires)

    def track_access(self, policy: str) -> None:
        """Switch access tracking to what ``policy`` needs; drops old data.  O(1) and freeing."""
        kind: type[LruTracker] | type[LfuTracker] | None = None
        if policy.endswith("-lru"):
            kind = LruTracker
        elif policy.endswith("-lfu"):
            kind = LfuTracker
        if type(self.databases[0].access_tracker) is (kind or type(None)):
            return
        self.tracked_since_ns = self.now_ns
        for database in self.databases:
            if database.access_tracker is not None:
                database.access_tracker.forget_all()
            database.access_tracker = kind(self, database.held) if kind is not None else None

    def check(self) -> None:
        """Verify every database and the account of memory, once nothing waits to be freed; for tests.  O(N)."""
        assert not self.lazy_free
        for database in self.databases:
            database.check()
        assert self.used == sum(database.footprint() for database in self.databases)

    def swap(self, first: int, second: int) -> None:
        """Exchange the contents of two databases; clients keep their number, and watches are broken.

        O(watched keys of the two).
        """
        one, two = self.databases[first], self.databases[second]
        if one is two:
            return
        for database in (one, two):
            for key in list(database.watchers):
                if one.exists(key) or two.exists(key):
                    database.break_watches(key)
        for name in ("data", "expires", "index", "access_tracker", "volatile"):
            mine, other = getattr(one, name), getattr(two, name)
            setattr(one, name, other)
            setattr(two, name, mine)
        for database in (one, two):
            if database.access_tracker is not None:
                database.access_tracker.held = database.held
            database.signal_awaited()
        self.dirty += 1
