"""The keyspace: all databases of one server; loading, access tracking, and the exchange of two databases."""

from __future__ import annotations

from kedis.store.access import AccessTracker, LfuTracker, LruTracker
from kedis.store.database import Database
from kedis.store.events import KeyspaceEvents
from kedis.store.eviction import Eviction
from kedis.store.state import KeyspaceState
from kedis.structures.scan_index import DeferredIndex, ScanIndex


class Keyspace(KeyspaceState):
    """``count`` databases, whose events are reported to ``events``."""

    __slots__ = (
        "_tracker",
        "databases",
        "eviction",
    )

    def __init__(self, count: int = 16, events: KeyspaceEvents | None = None) -> None:
        super().__init__(events)
        self._tracker: type[LruTracker] | type[LfuTracker] | None = None
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

    def track_access(self, policy: str) -> None:
        """Switch access tracking to what ``policy`` needs; drops old data.  O(1) and freeing."""
        kind: type[LruTracker] | type[LfuTracker] | None = None
        if policy.endswith("-lru"):
            kind = LruTracker
        elif policy.endswith("-lfu"):
            kind = LfuTracker
        if kind is self._tracker:
            return
        self._tracker = kind
        self.tracked_since_ns = self.now_ns
        for database in self.databases:
            if database.access_tracker is not None:
                database.access_tracker.forget_all()
            database.access_tracker = self._new_tracker(database)

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
        _exchange(one, two)
        for database in (one, two):
            database.signal_awaited()
        self.dirty += 1

    def blank(self) -> list[Database]:
        """Empty databases beside those that are there, to be filled and then to take their place (:meth:`replace`)."""
        made = [Database(self, number) for number in range(len(self.databases))]
        for database in made:
            database.access_tracker = self._new_tracker(database)
        return made

    def replace(self, prepared: list[Database]) -> None:
        """Put the contents of ``prepared`` in place of the data; watches are broken. O(databases and watched keys).

        ``prepared`` then holds the old contents.
        """
        for database, other in zip(self.databases, prepared, strict=True):
            for key in [key for key in database.watchers if key in database.data or key in other.data]:
                database.break_watches(key)
            _exchange(database, other)
            if type(database.access_tracker) is not type(
                self._new_tracker(database)
            ):  # another policy by now
                if database.access_tracker is not None:
                    database.access_tracker.forget_all()
                database.access_tracker = self._new_tracker(database)
        self.eviction.forget_candidates()
        if self.own_expiries is not None:
            self.own_expiries.clear()
        if self.observed:
            for database in self.databases:
                database.signal_awaited()

    def _new_tracker(self, database: Database) -> AccessTracker | None:
        return None if self._tracker is None else self._tracker(self, database.held)


def _exchange(one: Database, two: Database) -> None:
    for name in ("data", "expires", "index", "access_tracker"):
        mine, other = getattr(one, name), getattr(two, name)
        setattr(one, name, other)
        setattr(two, name, mine)
    for database in (one, two):
        if database.access_tracker is not None:
            database.access_tracker.held = database.held
