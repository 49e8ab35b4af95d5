"""Eviction: selects and removes keys when memory is full.

Keeping all keys in the order of their last access would slow down every access. Instead a few keys are drawn at
random, and the best candidates for eviction are kept in a pool of sixteen, so that the next draw competes with
the best of all earlier ones. With ten keys a draw the result is almost the true order.

A pool's entry holds the score of the key when it was drawn. Before its eviction the score is checked again: a key
used since is not evicted.

Redis draws five keys by default and does not check again; clocks are also finer here, so the order is more exact.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from typing import Any

from kedis.config.settings_table import POLICIES
from kedis.store.database import Database
from kedis.store.state import KeyspaceState

#: The policies that evict.
_EVICTING = tuple(policy for policy in POLICIES if policy != "noeviction")
_POOL = 16
#: Number of keys evicted between two clock readings.
_PIECE = 16
#: Maximum time that a command waits for evictions, in nanoseconds; the rest follows in later turns.
BUDGET_NS = 500_000

Clock = Callable[[], int]


class Eviction:
    """Evicts keys from the databases of a keyspace.

    Attributes:
        policy, samples: as in ``maxmemory-policy`` and ``maxmemory-samples``.
        evicted: number of evicted keys by policy.
        spent_ns: time spent.
        sampled: number of keys drawn and compared.
    """

    def __init__(self, state: KeyspaceState, databases: Sequence[Database]) -> None:
        self._state = state
        self._databases = databases
        self.policy = "noeviction"
        self.samples = 5
        self.evicted = dict.fromkeys(_EVICTING, 0)
        self.spent_ns = 0
        self.sampled = 0
        # (score, number of the database, key), ascending: the last is evicted first
        self._pool: list[tuple[int, int, bytes]] = []
        self._next_database = 0

    def follow(self, policy: str, samples: int) -> None:
        """Evict by ``policy`` from now on, comparing ``samples`` keys a draw."""
        if policy != self.policy:
            self._pool.clear()
        self.policy, self.samples = policy, samples

    def reset(self) -> None:
        """Zero the figures (CONFIG RESETSTAT)."""
        self.evicted = dict.fromkeys(_EVICTING, 0)

    def forget_candidates(self) -> None:
        """Drop the pool of candidates; the next eviction draws anew."""
        self._pool.clear()

    def run(self, limit: int, clock: Clock, budget_ns: int = BUDGET_NS) -> bool:
        """Evict until at most ``limit`` bytes are used, for ``budget_ns`` at most (and one piece).

        Values that wait to be freed are freed first. Returns False when no key is left that may be evicted.
        """
        state, account = self._state, self._state.account
        began = now = clock()
        found = True
        while found and account.used > limit and began <= now < began + budget_ns:
            if state.lazy_free:
                state.lazy_free.free(clock, budget_ns // 4)
            else:
                found = self._run_piece(limit)
            now = clock()
        self.spent_ns += max(now - began, 0)
        return found

    def _run_piece(self, limit: int) -> bool:
        state = self._state
        for _ in range(_PIECE):
            chosen = self._choose()
            if chosen is None:
                return False
            database, key = chosen
            self.evicted[self.policy] += 1
            database.evict(key)
            if state.account.used <= limit or state.lazy_free:
                break
        return True

    def _choose(self) -> tuple[Database, bytes] | None:
        """Choose an existing key to evict; None when there is none."""
        if self.policy == "noeviction":
            return None
        if self.policy.endswith("-random"):
            return self._choose_at_random()
        pool = self._pool
        while self._fill_pool():
            while pool:
                score, number, key = pool.pop()
                database = self._databases[number]
                if self._is_candidate(database, key) and self._score(database, key) >= score:
                    return database, key
        return None

    def _choose_at_random(self) -> tuple[Database, bytes] | None:
        databases = self._databases
        for step in range(len(databases)):
            number = (self._next_database + step) % len(databases)
            index = self._index(databases[number])
            if index:
                self._next_database = number + 1
                self.sampled += 1
                return databases[number], index.random(self._state.random)
        return None

    def _fill_pool(self) -> bool:
        """Draw keys from every database; False when none has a candidate."""
        pool = self._pool
        found = False
        for database in self._databases:
            index = self._index(database)
            if not index:
                continue
            found = True
            drawn = index.sample(self._state.random, self.samples)
            self.sampled += len(drawn)
            for key in drawn:
                entry = (self._score(database, key), database.number, key)
                if (len(pool) < _POOL or entry > pool[0]) and entry not in pool:
                    insort(pool, entry)
                    if len(pool) > _POOL:
                        del pool[0]
        return found

    def _index(self, database: Database) -> Any:
        return database.expires if self.policy.startswith("volatile") else database.index

    def _is_candidate(self, database: Database, key: bytes) -> bool:
        return key in (database.expires if self.policy.startswith("volatile") else database.data)

    def _score(self, database: Database, key: bytes) -> int:
        """Eviction score: the key with the highest is evicted first."""
        if self.policy == "volatile-ttl":
            return -database.expires[key]
        assert database.access_tracker is not None  # set for this policy
        return database.access_tracker.eviction_score(key)
