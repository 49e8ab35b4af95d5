"""The state shared by all databases of a keyspace: the clock of the running command, counters, the account, events.

``dirty`` counts changes; the engine compares it before and after a command to know whether to journal it.
``observed`` is false while nothing observes single changes (no WATCH, no notifications, …), so that
the common write pays for one test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from random import Random

from kedis.config import Config
from kedis.store.account import Account
from kedis.store.events import KeyspaceEvents, NoEvents
from kedis.store.lazyfree import LazyFree
from kedis.store.types import TYPES
from kedis.structures.packing import Thresholds
from kedis.structures.stream_block import node_limits

_DEFAULTS = Config()


class KeyspaceState(ABC):
    """Shared by the databases of one server.

    ``propagate_delete(database_number, key)`` is called for every key that expires, so that the deletion
    reaches the journal before the changes of the running command. ``random`` is the source of every random
    choice; seed it to repeat them.
    """

    __slots__ = (
        "account",
        "active_expiry",
        "dirty",
        "events",
        "expired_keys",
        "expired_on_access",
        "follower_writes",
        "follows",
        "hits",
        "lazy_free",
        "lazy_overwrite",
        "lfu_decay_minutes",
        "lfu_log_factor",
        "loading",
        "misses",
        "no_touch",
        "node_limits",
        "now_ns",
        "observed",
        "own_expiries",
        "packing",
        "propagate_delete",
        "random",
        "tracked_since_ns",
        "watch_count",
    )

    def __init__(self, events: KeyspaceEvents | None = None) -> None:
        #: The thresholds by which new containers of a type are packed; the defaults until they are set.
        self.packing: dict[type, Thresholds] = {
            kind: Thresholds(*row.packing.read(_DEFAULTS))
            for row in TYPES
            if row.packing is not None
            for kind in row.classes
        }
        #: When a node of a stream is full.
        self.node_limits = node_limits()
        self.now_ns = 0
        self.dirty = 0
        self.hits = 0
        self.misses = 0
        self.expired_keys = 0
        self.expired_on_access = 0
        self.loading = False
        self.active_expiry = True
        #: The data follow a master's, which removes what is due; and whether clients may change them all the same.
        self.follows = self.follower_writes = False
        #: Keys to which clients of a writable replica have given a time to live, by database number: these are not the
        #: master's to remove. None on all other servers.
        self.own_expiries: OrderedDict[tuple[int, bytes], None] | None = None
        self.account = Account()
        #: Whether overwritten values are freed in the background (lazyfree-lazy-server-del).
        self.lazy_overwrite = False
        self.lazy_free = LazyFree(self.account.free)
        #: Start of access tracking, in ns; whether the running command's accesses are not recorded (CLIENT NO-TOUCH).
        self.tracked_since_ns = 0
        self.no_touch = False
        self.lfu_log_factor = 10
        self.lfu_decay_minutes = 1
        self.random = Random()
        self.events: KeyspaceEvents = NoEvents() if events is None else events
        self.observed = False
        self.watch_count = 0
        self.propagate_delete: Callable[[int, bytes], None] = lambda number, key: None

    @property
    def used(self) -> int:
        """Bytes of main memory that keys and values occupy, including those that wait to be freed."""
        return self.account.used

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970 at the start of the running command; constant while it runs."""
        return self.now_ns // 1_000_000

    def follow(self, follows: bool, *, writable: bool) -> None:
        """Set whether the data follow a master's, and whether clients may change them all the same."""
        self.follows, self.follower_writes = follows, writable
        if not follows:
            self.own_expiries = None
        elif writable and self.own_expiries is None:
            self.own_expiries = OrderedDict()

    def update_observed(self) -> None:
        """Recompute ``observed`` after a change of the state that it depends on."""
        self.observed = self.watch_count > 0 or self.events.wanted()

    @abstractmethod
    def is_empty_beside(self, number: int) -> bool:
        """Whether no database but this one holds a key.  O(databases)."""

    def limit_packing(self, config: Config) -> None:
        """Pack containers by the settings from now on."""
        for row in TYPES:
            if row.packing is not None:
                thresholds = self.packing[row.classes[0]]
                thresholds.entries, thresholds.longest = row.packing.read(config)

    def limit_nodes(self, config: Config) -> None:
        """Let the nodes of streams become as large as the settings say from now on."""
        self.node_limits = node_limits(config.stream_node_max_entries, config.stream_node_max_bytes)


def packing_settings() -> list[str]:
    """The names of the settings with the packing thresholds."""
    return [name for row in TYPES if row.packing is not None for name in row.packing.names]
