"""The changes made alone: the data now, compared with the data at the beginning.

Both are keyspaces in memory, compared object by object, not derived from the commands that ran. An expired key counts
as missing, on both sides, and so as no change by the user.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kedis.cli.client.standalone.home import Alone
from kedis.cli.client.standalone.key_values import Value, digest_of
from kedis.cli.client.standalone.local import has, is_same, load_base, value_at
from kedis.cli.client.standalone.settled import Place, Settled
from kedis.store.keyspace import Keyspace


@dataclass(frozen=True, slots=True)
class Change:
    """A key that was changed alone. The digests are None where there is no key.

    base: what it was in the beginning, or what the server held when the key was resolved.
    """

    database: int
    key: bytes
    base: bytes | None
    mine: bytes | None

    @property
    def place(self) -> Place:
        """Database and key."""
        return self.database, self.key


@dataclass
class Counts:
    """Keys created, changed and deleted, by database; and how many of all differences are still to be resolved."""

    created: Counter[int] = field(default_factory=Counter)
    changed: Counter[int] = field(default_factory=Counter)
    deleted: Counter[int] = field(default_factory=Counter)
    open: int = 0

    @property
    def total(self) -> int:
        """All keys that differ from the beginning."""
        return self.created.total() + self.changed.total() + self.deleted.total()


class Divergence:
    """The data of standing alone, compared with their beginning. Loads the base on first use.

    Args:
        alone: what was begun.
        local: gives the data as they are now, their clock up to the moment.
        progress: called while the base is loaded, with bytes done and in all.
    """

    def __init__(
        self,
        alone: Alone,
        local: Callable[[], Keyspace],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.settled = Settled(alone.folder)
        self._alone = alone
        self._local = local
        self._progress = progress
        self._base: Keyspace | None = None

    def places(self) -> Iterator[tuple[int, bytes, bool, bool]]:
        """Every key that differs from the beginning: database, key, whether it was there, whether it is now.

        Raises StandaloneError. O(keys of both), about 1 us a key.
        """
        local, base = self._keyspaces()
        for here, there in zip(local.databases, base.databases, strict=True):
            for key in [*here.data, *(key for key in there.data if key not in here.data)]:
                if not is_same(here, there, key):
                    yield here.number, key, has(there, key), has(here, key)

    def counts(self) -> Counts:
        """How many keys were created, changed and deleted. Raises StandaloneError. O(keys)."""
        counts = Counts()
        for database, _key, was, is_ in self.places():
            kind = counts.created if not was else counts.changed if is_ else counts.deleted
            kind[database] += 1
        counts.open = sum(1 for _ in self.open_changes())
        return counts

    def open_changes(self) -> Iterator[Change]:
        """The changes that were not resolved since they were made. Raises StandaloneError. O(keys)."""
        local, base = self._keyspaces()
        for database, key, _was, _is in self.places():
            if self.settled.get((database, key)) is None:
                there = digest_of(value_at(base.databases[database], key))
                yield Change(database, key, there, digest_of(value_at(local.databases[database], key)))
        # A resolved key is compared with its resolution, even if it has its first value again.
        for database, key in list(self.settled):
            settlement = self.settled.get((database, key))
            mine = digest_of(value_at(local.databases[database], key))
            if settlement is not None and settlement.mine != mine:
                yield Change(database, key, settlement.theirs, mine)

    def mine(self, place: Place) -> Value | None:
        """The local value of a key."""
        database, key = place
        return value_at(self._local().databases[database], key)

    def base(self, place: Place) -> Value | None:
        """The value of a key at the beginning."""
        database, key = place
        return value_at(self._keyspaces()[1].databases[database], key)

    def _keyspaces(self) -> tuple[Keyspace, Keyspace]:
        if self._base is None:
            self._base = load_base(self._alone, self._progress)
        local = self._local()
        self._base.now_ns = local.now_ns
        return local, self._base
