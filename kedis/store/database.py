"""One numbered database: typed look-ups, time to live, and the one door through which every change passes.

A key's value is a plain Python object and its class is its type: ``bytes`` (or ``bytearray`` once it was
modified in place) for strings, :class:`List`, :class:`Hash`, :class:`Set`, :class:`SortedSet`.  Strings stay raw
``bytes`` because a wrapper would cost 100 bytes a key.

Keys that expire stand in ``expires`` with the moment in milliseconds since 1970.  Expiry is exact on access:
every look-up goes through a method that removes what is due first.

``index`` and ``volatile`` are scan indexes beside the dicts ``data`` and ``expires``: they give SCAN its
guarantee and RANDOMKEY and the expiry cycle a fair random key, which a Python dict cannot.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from kedis.errors import WRONG_TYPE, CommandError
from kedis.structures.containers import Hash, Set
from kedis.structures.scan_index import ScanIndex
from kedis.structures.sorted_set import SortedSet

if TYPE_CHECKING:
    from kedis.store.keyspace import Keyspace


class List(deque[bytes]):
    """A list value: O(1) at both ends, O(distance / 64) inside."""

    __slots__ = ()


Value = bytes | bytearray | List | Hash | Set | SortedSet
Container = TypeVar("Container", List, Hash, Set, SortedSet)

TYPE_NAMES: dict[type, bytes] = {
    bytes: b"string",
    bytearray: b"string",
    List: b"list",
    Hash: b"hash",
    Set: b"set",
    SortedSet: b"zset",
}


class Database:
    """The keys of one database.  Every method is O(1) expected unless it says otherwise."""

    __slots__ = ("data", "expires", "index", "keyspace", "number", "volatile", "watchers")

    def __init__(self, keyspace: Keyspace, number: int) -> None:
        self.keyspace = keyspace
        self.number = number
        self.data: dict[bytes, Any] = {}
        self.expires: dict[bytes, int] = {}
        self.index = ScanIndex()
        self.volatile = ScanIndex()
        self.watchers: dict[bytes, list[Any]] = {}

    def __len__(self) -> int:
        """Keys held, those that are due but not yet removed included (as DBSIZE counts)."""
        return len(self.data)

    # -- looking up ---------------------------------------------------------------------------------------

    def peek(self, key: bytes) -> Any:
        """The value of ``key`` or None; removes it first when due.  Counts neither hit nor miss."""
        if self.expires and key in self.expires and self._remove_if_due(key):
            return None
        return self.data.get(key)

    def find(self, key: bytes, tell_miss: bool = True) -> Any:
        """Like :meth:`peek`, for commands that read: counts a keyspace hit or miss (and tells of a miss)."""
        if self.expires and key in self.expires:
            self._remove_if_due(key)
        value = self.data.get(key)
        if value is None:
            keyspace = self.keyspace
            keyspace.misses += 1
            if keyspace.observed and tell_miss:
                keyspace.missed(self, key)
        else:
            self.keyspace.hits += 1
        return value

    # The three methods below are on the path of nearly every command, so each does its own look-up: a call of
    # `peek` or `find` in between costs 60 ns.

    def read(self, key: bytes, kind: type[Container]) -> Container | None:
        """The container at ``key`` for reading; None when there is none.  Raises WRONGTYPE."""
        if self.expires and key in self.expires:
            self._remove_if_due(key)
        value = self.data.get(key)
        if value is None:
            keyspace = self.keyspace
            keyspace.misses += 1
            if keyspace.observed:
                keyspace.missed(self, key)
            return None
        self.keyspace.hits += 1
        if type(value) is kind:
            return value
        raise CommandError(WRONG_TYPE)

    def edit(self, key: bytes, kind: type[Container]) -> Container | None:
        """The container at ``key`` for writing (no hit or miss counted).  Raises WRONGTYPE."""
        if self.expires and key in self.expires:
            self._remove_if_due(key)
        value = self.data.get(key)
        if value is None or type(value) is kind:
            return value
        raise CommandError(WRONG_TYPE)

    def edit_or_create(self, key: bytes, kind: type[Container]) -> Container:
        """The container at ``key``, a new empty one where there is none.

        A created container is in the keyspace at once; the caller fills it and calls :meth:`modified`
        before it returns, and nothing may raise in between.
        """
        if self.expires and key in self.expires:
            self._remove_if_due(key)
        value = self.data.get(key)
        if value is None:
            value = kind()
            self.data[key] = value
            self.index.add(key)
            if self.keyspace.observed:
                self.keyspace.appeared(self, key)
            return value
        if type(value) is kind:
            return value
        raise CommandError(WRONG_TYPE)

    def read_string(self, key: bytes) -> bytes | None:
        """The string at ``key`` as immutable bytes, for reading; counts hit or miss.  Raises WRONGTYPE."""
        if self.expires and key in self.expires:
            self._remove_if_due(key)
        value = self.data.get(key)
        if value is None:
            keyspace = self.keyspace
            keyspace.misses += 1
            if keyspace.observed:
                keyspace.missed(self, key)
            return None
        self.keyspace.hits += 1
        if type(value) is bytes:
            return value
        if type(value) is bytearray:
            return bytes(value)
        raise CommandError(WRONG_TYPE)

    def edit_string(self, key: bytes) -> bytes | bytearray | None:
        """The string at ``key`` as it is stored, for writing.  Raises WRONGTYPE."""
        value = self.peek(key)
        if value is None or type(value) is bytes or type(value) is bytearray:
            return value
        raise CommandError(WRONG_TYPE)

    def edit_in_place(self, key: bytes) -> bytearray | None:
        """The string at ``key`` to be changed where it is, stored so from now on.  Raises WRONGTYPE.

        Not a change by itself.  O(1), and O(N) for a string that was set as a whole.
        """
        value = self.edit_string(key)
        if type(value) is bytes:
            value = self.data[key] = bytearray(value)
        return value  # type: ignore[return-value]

    def exists(self, key: bytes) -> bool:
        """Whether ``key`` is there and not due.  Counts neither hit nor miss."""
        return self.peek(key) is not None

    # -- changing -----------------------------------------------------------------------------------------

    def set_value(self, key: bytes, value: Any, event: str = "set") -> None:
        """Store ``value`` at ``key`` whatever was there; its time to live is gone."""
        if self.expires and key in self.expires and not self._remove_if_due(key):
            self._forget_expiry(key)
        data = self.data
        before = len(data)
        data[key] = value
        if len(data) != before:
            self.index.add(key)
        keyspace = self.keyspace
        keyspace.dirty += 1
        if keyspace.observed:
            if len(data) != before:
                keyspace.appeared(self, key)
            keyspace.observe(self, key, event)

    def place(self, key: bytes, value: Any) -> None:
        """Put ``value`` at ``key`` as a new key, whatever was there.  Not a change by itself: call :meth:`touched`."""
        if self.peek(key) is not None:
            self._drop(key)
        self.data[key] = value
        self.index.add(key)
        if self.keyspace.observed:
            self.keyspace.appeared(self, key)

    def set_keeping_ttl(self, key: bytes, value: Any, event: str = "set") -> None:
        """Store ``value`` at ``key``; a time to live stays."""
        data = self.data
        before = len(data)
        data[key] = value
        if len(data) != before:
            self.index.add(key)
        keyspace = self.keyspace
        keyspace.dirty += 1
        if keyspace.observed:
            if len(data) != before:
                keyspace.appeared(self, key)
            keyspace.observe(self, key, event)

    def modified(self, key: bytes, value: Any, event: str, changes: int = 1) -> None:
        """Tell that the container ``value`` at ``key`` was changed in place; an empty one disappears."""
        keyspace = self.keyspace
        keyspace.dirty += changes
        if keyspace.observed:
            keyspace.observe(self, key, event)
        if not value:
            self._drop(key)
            if keyspace.observed:
                keyspace.observe(self, key, "del")

    def delete(self, key: bytes, event: str = "del") -> bool:
        """Remove ``key``; True when it was there (and not due)."""
        if self.expires and key in self.expires and self._remove_if_due(key):
            return False
        return self.discard(key, event)

    def discard(self, key: bytes, event: str = "del") -> bool:
        """Like :meth:`delete`, also of a key that is due: to make room for a result that is empty."""
        if key not in self.data:
            return False
        self._drop(key)
        keyspace = self.keyspace
        keyspace.dirty += 1
        if keyspace.observed:
            keyspace.observe(self, key, event)
        return True

    def clear(self, later: bool = False) -> int:
        """Remove everything; returns how many keys went.  Watchers are told.

        O(N) to free the keys, unless ``later`` leaves that to the graveyard.
        """
        removed = len(self.data)
        for key in [key for key in self.watchers if key in self.data]:
            self.keyspace.break_watches(self, key)
        if later:
            for part in (self.data, self.expires, self.index, self.volatile):
                self.keyspace.graveyard.bury(part)
        self.data = {}
        self.expires = {}
        self.index = ScanIndex()
        self.volatile = ScanIndex()
        self.keyspace.dirty += removed
        return removed

    # -- time to live -------------------------------------------------------------------------------------

    def expire_at_ms(self, key: bytes) -> int | None:
        """When ``key`` expires, in ms since 1970; None when it does not (or is not there)."""
        return self.expires.get(key)

    def set_expiry(self, key: bytes, at_ms: int) -> None:
        """Let the existing ``key`` expire at ``at_ms``.  Not a change by itself: call :meth:`touched`."""
        if key not in self.expires:
            self.volatile.add(key)
        self.expires[key] = at_ms

    def clear_expiry(self, key: bytes) -> bool:
        """Make ``key`` persistent; False when it had no time to live.  Call :meth:`touched` after it."""
        if key not in self.expires:
            return False
        self._forget_expiry(key)
        return True

    def touched(self, key: bytes, event: str) -> None:
        """Tell that ``key`` changed in a way that is not its value (its time to live)."""
        keyspace = self.keyspace
        keyspace.dirty += 1
        if keyspace.observed:
            keyspace.observe(self, key, event)

    def is_due(self, key: bytes) -> bool:
        """Whether ``key`` has a time to live that has run out (it may still be in ``data``)."""
        at_ms = self.expires.get(key)
        return at_ms is not None and at_ms <= self.keyspace.now_ms and not self.keyspace.loading

    def expire_now(self, key: bytes) -> None:
        """Remove a key that is due: journalled as DEL, counted, told to whoever observes."""
        value = self.data[key]
        if type(value) is not bytes:
            self.keyspace.graveyard.bury(value)
        self._drop(key)
        self.keyspace.expired(self, key)

    def _remove_if_due(self, key: bytes) -> bool:
        if not self.is_due(key):
            return False
        self.expire_now(key)
        self.keyspace.expired_on_access += 1
        return True

    def _forget_expiry(self, key: bytes) -> None:
        del self.expires[key]
        self.volatile.discard(key)

    def _drop(self, key: bytes) -> None:
        del self.data[key]
        self.index.discard(key)
        if self.expires and key in self.expires:
            self._forget_expiry(key)

    def check(self) -> None:
        """Verify the invariants between dicts and indexes; for tests.  O(N)."""
        assert set(self.index) == set(self.data)
        assert set(self.volatile) == set(self.expires)
        assert set(self.expires) <= set(self.data)
        assert all(type(value) in TYPE_NAMES for value in self.data.values())
        assert all(len(v) for v in self.data.values() if not isinstance(v, (bytes, bytearray)))
