"""All databases, and what is common to them: the clock of the running command, the counters, the observers.

``dirty`` counts changes; the engine compares it before and after a command to know whether to journal it.
``observed`` is false as long as nobody wants to know of single changes (no WATCH, no notifications, …), so that
the common write pays for one test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from typing import Any

from kedis.store.access import LfuUses, LruUses, Uses
from kedis.store.database import ACCESS, Database
from kedis.store.eviction import Eviction
from kedis.store.lazyfree import Graveyard
from kedis.store.notifications import Notifications
from kedis.store.pubsub import PubSub
from kedis.store.tracking import Tracking
from kedis.store.waiting import Waiting
from kedis.structures.containers import Hash, Set
from kedis.structures.packing import Thresholds
from kedis.structures.scan_index import DeferredIndex, ScanIndex
from kedis.structures.sorted_set import SortedSet


class Keyspace:
    """The databases of one server.

    ``journal_delete(database_number, key)`` is called for every key that expires, so that the deletion
    reaches the journal before whatever the running command writes.  ``random`` is what every random choice
    draws from; seed it to repeat them.
    """

    def __init__(self, count: int = 16) -> None:
        #: The thresholds that new containers of a type are packed by; without limits until someone sets them.
        self.packing: dict[type, Thresholds] = {
            kind: Thresholds(sys.maxsize, sys.maxsize) for kind in (Hash, Set, SortedSet)
        }
        self.databases = [Database(self, number) for number in range(count)]
        self.now_ns = 0
        self.dirty = 0
        self.hits = 0
        self.misses = 0
        self.expired_keys = 0
        self.expired_on_access = 0
        self.loading = False
        self.active_expiry = True
        #: Bytes of main memory that keys and values occupy, those included that wait to be freed.
        self.used = 0
        #: Whether overwritten values are freed in the background (lazyfree-lazy-server-del).
        self.lazy_overwrite = False
        self.graveyard = Graveyard(self._freed)
        self.eviction = Eviction(self)
        #: Since when uses of keys are noted; whether the running command counts as one.
        self.tracked_since_ns = 0
        self.touching = True
        self.lfu_log_factor = 10
        self.lfu_decay_minutes = 1
        self.random = Random()
        self.observed = False
        self.watch_count = 0
        self.pubsub = PubSub()
        self.notifications = Notifications(self.pubsub)
        self.waiting = Waiting()
        self.tracking = Tracking()
        self.journal_delete: Callable[[int, bytes], None] = lambda number, key: None

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970 at the start of the running command; it stands still while it runs."""
        return self.now_ns // 1_000_000

    def observe(self, database: Database, key: bytes, event: str) -> None:
        """A change passed the door while somebody is watching; without a name it is no event to publish."""
        if database.watchers and key in database.watchers:
            self.break_watches(database, key)
        tracking = self.tracking
        if tracking.clients and event not in ("expired", "evicted"):
            tracking.changed(key, tracking.current)
        if event and self.notifications.active:
            self.notifications.publish(database.number, key, event)

    def appeared(self, database: Database, key: bytes) -> None:
        """A key was added while somebody is watching; the change itself will be told, too."""
        if self.waiting.queues:
            self.waiting.appeared(database.number, type(database.data[key]), key)
        if self.notifications.active:
            self.notifications.publish(database.number, key, "new")

    def missed(self, database: Database, key: bytes) -> None:
        """A command looked for a key that is not there, while somebody is watching."""
        if self.notifications.active:
            self.notifications.publish(database.number, key, "keymiss")

    def update_observed(self) -> None:
        """Recompute ``observed`` after a change of what it stands for."""
        self.observed = (
            self.watch_count > 0
            or self.notifications.active
            or bool(self.tracking.clients)
            or bool(self.waiting.queues)
        )

    def notify(self, classes: str) -> None:
        """Publish events of ``classes`` from now on, letters of ``notify-keyspace-events``."""
        self.notifications.choose(classes)
        self.update_observed()

    def expired(self, database: Database, key: bytes) -> None:
        """A key was removed because its time had come."""
        self.expired_keys += 1
        self.removed(database, key, "expired")

    def removed(self, database: Database, key: bytes, event: str) -> None:
        """A key was removed that no command named."""
        self.journal_delete(database.number, key)
        if self.observed:
            self.observe(database, key, event)
            if self.tracking.clients:  # after the event, where other changes come before theirs: as in Redis
                self.tracking.changed(key, None)

    def set_loading(self, loading: bool) -> None:
        """While loading nothing expires, and scanning and random choice rest: their indexes are built at the end.

        O(keys) at the end: 0.3 s a million.
        """
        self.loading = loading
        for database in self.databases:
            database.index = DeferredIndex() if loading else ScanIndex(database.data)
            database.volatile = DeferredIndex() if loading else ScanIndex(database.expires)

    def track(self, policy: str) -> None:
        """Note the uses of keys that ``policy`` needs to know, from now on and no others.  O(1) and freeing."""
        kind = LruUses if policy.endswith("-lru") else LfuUses if policy.endswith("-lfu") else None
        if type(self.databases[0].uses) is (kind or type(None)):
            return
        self.tracked_since_ns = self.now_ns
        uses: Uses | None = kind(self) if kind is not None else None
        for database in self.databases:
            self.used -= ACCESS * len(database.access)
            database.access = {}
            database.uses = uses

    def _freed(self, size: int) -> None:
        self.used -= size

    def check(self) -> None:
        """Verify every database and the account of memory, once nothing waits to be freed; for tests.  O(N)."""
        assert not self.graveyard
        for database in self.databases:
            database.check()
        assert self.used == sum(database.footprint() for database in self.databases)

    # -- WATCH --------------------------------------------------------------------------------------------

    def watch(self, client: Any, database: Database, key: bytes) -> None:
        """Have ``client.watch_broken`` set when ``key`` changes."""
        database.watchers.setdefault(key, []).append(client)
        self.watch_count += 1
        self.update_observed()

    def unwatch(self, client: Any, database: Database, key: bytes) -> None:
        """Take one watch back."""
        watchers = database.watchers[key]
        watchers.remove(client)
        if not watchers:
            del database.watchers[key]
        self.watch_count -= 1
        self.update_observed()

    def break_watches(self, database: Database, key: bytes) -> None:
        """Mark every client that watches ``key``."""
        for client in database.watchers.get(key, ()):
            client.watch_broken = True

    def swap(self, first: int, second: int) -> None:
        """Exchange the contents of two databases; clients stay with their number, watchers are told.

        O(watched keys of the two).
        """
        one, two = self.databases[first], self.databases[second]
        if one is two:
            return
        for database in (one, two):
            for key in list(database.watchers):
                if one.exists(key) or two.exists(key):
                    self.break_watches(database, key)
        for name in ("access", "buffers", "data", "expires", "index", "volatile"):
            mine, other = getattr(one, name), getattr(two, name)
            setattr(one, name, other)
            setattr(two, name, mine)
        self._find_waited_for(one, two)
        self.dirty += 1

    def _find_waited_for(self, *databases: Database) -> None:
        """After an exchange of databases: what somebody waits for may have come into being.  O(keys waited for)."""
        for number, kind, key in list(self.waiting.queues):
            for database in databases:
                if database.number == number and type(database.data.get(key)) is kind:
                    self.waiting.appeared(number, kind, key)
