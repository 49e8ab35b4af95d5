"""The keys of one database: their tables, times to live and watches, and their part of the memory account.

``expires`` holds the keys with a time to live and their expiry times in ms since 1970. Expiry is exact on access:
every look-up goes through a method that first removes a key that is due; on a replica, where the master removes it, the
method takes it for absent.

``index`` is a scan index beside the dict ``data``: it provides SCAN's guarantee and a fair random key for RANDOMKEY,
which a Python dict cannot. ``expires`` is one itself, for the expiry cycle.
"""

from __future__ import annotations

from typing import Any

from kedis.store.access import AccessTracker
from kedis.store.account import ACCESS_ENTRY, EXPIRY_ENTRY, accounted, key_footprint
from kedis.store.lazyfree import PIECE
from kedis.store.state import KeyspaceState
from kedis.store.types import is_value, type_of
from kedis.structures.key_numbers import KeyNumbers
from kedis.structures.scan_index import ScanIndex


class KeyTable:
    """The keys, whatever their type. Every method is O(1) expected unless it says otherwise."""

    __slots__ = (
        "access_tracker",
        "account",
        "data",
        "expires",
        "index",
        "keyspace",
        "number",
        "watchers",
    )

    def __init__(self, keyspace: KeyspaceState, number: int) -> None:
        self.keyspace = keyspace
        self.account = keyspace.account
        self.number = number
        self.data: dict[bytes, Any] = {}
        self.expires = KeyNumbers()
        self.index = ScanIndex()
        self.access_tracker: AccessTracker | None = None
        self.watchers: dict[bytes, list[Any]] = {}

    def __len__(self) -> int:
        """Number of keys, including those that are due but not yet removed (as DBSIZE counts)."""
        return len(self.data)

    def lookup(self, key: bytes) -> Any:
        """The value of ``key`` or None; removes it first when due.  Counts neither hit nor miss."""
        if self.expires and key in self.expires and self._remove_if_due(key):
            return None
        return self.data.get(key)

    def exists(self, key: bytes) -> bool:
        """Whether ``key`` is there and not due.  Counts neither hit nor miss."""
        return self.lookup(key) is not None

    def compact(self) -> None:
        """Move the tables into memory of their present size. O(keys), 0.1 s for a million.

        A dict that has lost keys keeps its former size.
        """
        self.data = dict(self.data)
        self.expires.repack()
        if self.access_tracker is not None:
            self.access_tracker.compact()
        self.index.repack()

    def _give_up(self, later: bool) -> None:
        """Replace all tables by empty ones."""
        keyspace, account = self.keyspace, self.account
        if later:
            rest = [self.index.free_in_steps(PIECE)]
            if self.access_tracker is not None:
                rest.append(self.access_tracker.forget_all().free_in_steps(PIECE))
            keyspace.lazy_free.free_keys_later(self.data, self.expires, rest)
        else:
            if self.access_tracker is not None:
                self.access_tracker.forget_all()
            if not keyspace.lazy_free and keyspace.is_empty_beside(self.number):
                account.empty()
            else:
                account.free(self.footprint())
        self.data = {}
        self.expires = KeyNumbers()
        self.index = ScanIndex()

    def move(self, key: bytes, value: Any) -> None:
        """Hold ``key`` and ``value``, equal ones, in place of the objects that are there. No change that anyone sees.

        Another key object needs a place in the dict: see :mod:`kedis.store.moving`. O(1) expected.
        """
        self.account.exchange(self.data[key], value)
        if key is not self.index.held(key):
            del self.data[key]  # a dict would keep its object
            self.index.exchange(key)
            self.expires.exchange(key)
            if self.access_tracker is not None:
                self.access_tracker.last_access.exchange(key)
        self.data[key] = value

    def held(self, key: bytes) -> bytes:
        """The object that the database keeps of ``key``; ``key`` itself where there is none. O(1) expected."""
        return self.index.held(key)

    # -- time to live -------------------------------------------------------------------------------------

    def expire_at_ms(self, key: bytes) -> int | None:
        """Expiry time of ``key``, in ms since 1970; None if it has none or does not exist."""
        return self.expires.get(key)

    def set_expiry(self, key: bytes, at_ms: int) -> None:
        """Set the expiry time of the existing ``key``. Not a change by itself: call :meth:`signal_modified`."""
        if key not in self.expires:
            key = self.held(key)  # no second copy
            self.account.add_expiry()
        self.expires[key] = at_ms
        keyspace = self.keyspace
        if (
            keyspace.own_expiries is not None and not keyspace.loading
        ):  # which it is while the stream is applied
            keyspace.own_expiries[self.number, key] = None

    def clear_expiry(self, key: bytes) -> bool:
        """Make ``key`` persistent; False when it had no time to live. Call :meth:`signal_modified` afterwards."""
        if key not in self.expires:
            return False
        self._forget_expiry(key)
        return True

    def signal_modified(self, key: bytes, event: str, changes: int = 1) -> None:
        """Record a change of ``key`` other than of its value (its time to live); 0 ``changes`` where it is counted."""
        keyspace = self.keyspace
        keyspace.dirty += changes
        if keyspace.observed:
            self._notify(key, event)

    def is_due(self, key: bytes) -> bool:
        """Whether ``key`` has a time to live that has run out (it may still be in ``data``)."""
        at_ms = self.expires.get(key)
        return at_ms is not None and at_ms <= self.keyspace.now_ms and not self.keyspace.loading

    def expire_now(self, key: bytes) -> None:
        """Remove a key that is due: journalled as DEL, counted, reported to observers."""
        self._drop(key, later=True)
        self.keyspace.expired_keys += 1
        self._notify_removed(key, "expired")

    def _remove_if_due(self, key: bytes, *, reads: bool = False) -> bool:
        """Whether ``key`` is due, and therefore not there. It is removed, unless that is left to a master.

        Where clients may write all the same, only what ``reads`` leaves it: a change must find no such key.
        """
        if not self.is_due(key):
            return False
        keyspace = self.keyspace
        if keyspace.follows and (reads or not keyspace.follower_writes):
            return True
        self.expire_now(key)
        keyspace.expired_on_access += 1
        return True

    def _forget_expiry(self, key: bytes) -> None:
        del self.expires[key]
        self.account.remove_expiry()

    def _drop(self, key: bytes, later: bool = False) -> None:
        """Remove ``key`` from the tables; with ``later`` a large value is freed in the background."""
        value = self.data.pop(key)
        if self.keyspace.observed:
            self.keyspace.events.key_ready(self.number, type(value), key)
        if (
            later
            and type(value) is not bytes
            and self.keyspace.lazy_free.free_later(value, value.accounted_bytes)
        ):
            self.account.remove_key_only(key)
        else:
            self.account.remove_key(key, value)
        self.index.discard(key)
        if self.expires and key in self.expires:
            self._forget_expiry(key)
        if self.access_tracker is not None:
            self.access_tracker.forget(key)

    # -- WATCH and events ----------------------------------------------------------------------------------

    def _notify(self, key: bytes, event: str) -> None:
        """Report a change to observers and break watches; an empty ``event`` is not published."""
        if self.watchers and key in self.watchers:
            self.break_watches(key)
        self.keyspace.events.key_modified(self.number, key, event)

    def _notify_removed(self, key: bytes, event: str) -> None:
        """Propagate and report the removal of a key that no command named."""
        keyspace = self.keyspace
        keyspace.propagate_delete(self.number, key)
        if keyspace.observed:
            if self.watchers and key in self.watchers:
                self.break_watches(key)
            keyspace.events.key_removed(self.number, key, event)

    def signal_awaited(self) -> None:
        """Everything is another now: what clients wait for may have come or gone.  O(keys waited for)."""
        events = self.keyspace.events
        for number, kind, key in events.awaited():
            if number == self.number:
                events.key_ready(number, kind, key)

    def watch(self, client: Any, key: bytes) -> None:
        """Register ``client``, whose ``watch_broken`` is set when ``key`` changes."""
        self.watchers.setdefault(key, []).append(client)
        self.keyspace.watch_count += 1
        self.keyspace.update_observed()

    def unwatch(self, client: Any, key: bytes) -> None:
        """Undo one :meth:`watch`."""
        watchers = self.watchers[key]
        watchers.remove(client)
        if not watchers:
            del self.watchers[key]
        self.keyspace.watch_count -= 1
        self.keyspace.update_observed()

    def break_watches(self, key: bytes) -> None:
        """Mark every client that watches ``key``."""
        for client in self.watchers.get(key, ()):
            client.watch_broken = True

    # -- the account of memory ----------------------------------------------------------------------------

    def key_bytes(self, key: bytes) -> int:
        """Bytes that the account holds for the existing ``key``, its value and its time to live. O(1)."""
        size = key_footprint(key) + accounted(self.data[key])
        return size + EXPIRY_ENTRY if key in self.expires else size

    def footprint(self) -> int:
        """Bytes that the account holds for this database.  O(N), 0.2 us a key."""
        total = EXPIRY_ENTRY * len(self.expires)
        if self.access_tracker is not None:
            total += ACCESS_ENTRY * len(self.access_tracker.last_access)
        return total + sum([key_footprint(key) + accounted(value) for key, value in self.data.items()])

    def check(self) -> None:
        """Verify the invariants between dicts, indexes and sizes; for tests.  O(N elements)."""
        for value in self.data.values():
            assert is_value(value)
            if type(value) is not bytes:
                value._check()
                assert value.accounted_bytes == value.footprint
                assert value or type_of(value) is type_of(b"")
        assert self.access_tracker is None or set(self.access_tracker.last_access) <= set(self.data)
        assert set(self.index) == set(self.data)
        self.index._check()
        self.expires._check()
        assert set(self.expires) <= set(self.data)
