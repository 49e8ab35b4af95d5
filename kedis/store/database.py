"""One numbered database: typed look-ups, and the methods through which every change passes.

A key's value is a plain Python object and its class is its type (:mod:`kedis.store.types`). Strings stay raw ``bytes``
because a wrapper would cost 100 bytes a key; this is the only class that the module knows.

All look-ups first remove a key that is due. They differ in the type check and the records:

========================  ==========  =============  =================
method                    type        hit or miss    access (eviction)
========================  ==========  =============  =================
``lookup``                any         no             no
``lookup_read``           any         yes            yes
``lookup_read_many``      any         yes            yes
``lookup_read_no_touch``  any         yes            no
``lookup_read_typed``     a class     yes            yes
``lookup_read_string``    a string    yes            yes
``lookup_write_typed``    a class     no             yes
``lookup_write_string``   a string    no             yes
``lookup_write_buffer``   a string    no             yes
``lookup_or_create``      a class     no             yes
========================  ==========  =============  =================

Every change is counted, reported to observers, and kept in the memory account (:mod:`kedis.store.account`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from kedis.errors import WRONG_TYPE, CommandError
from kedis.store.account import accounted
from kedis.store.key_table import KeyTable
from kedis.structures.small_integers import shared
from kedis.structures.strings import Buffer

Kind = TypeVar("Kind")


class Database(KeyTable):
    """The values of one database.  Every method is O(1) expected unless it says otherwise."""

    __slots__ = ()

    # -- looking up ---------------------------------------------------------------------------------------

    def lookup_read(self, key: bytes, notify_miss: bool = True) -> Any:
        """The value of ``key`` or None, whatever its type, for commands that read.

        With ``notify_miss`` a miss is a keyspace event.
        """
        value = self.lookup_read_no_touch(key, notify_miss)
        if value is not None and self.access_tracker is not None:
            self.access_tracker.touch(key)
        return value

    def lookup_read_no_touch(self, key: bytes, notify_miss: bool = True) -> Any:
        """Like :meth:`lookup_read`, for commands that do not count as an access to the key (TYPE, TTL, OBJECT)."""
        if self.expires and key in self.expires and self._remove_if_due(key, reads=True):
            value = None
        else:
            value = self.data.get(key)
        if value is None:
            keyspace = self.keyspace
            keyspace.misses += 1
            if keyspace.observed and notify_miss:
                keyspace.events.key_missed(self.number, key)
        else:
            self.keyspace.hits += 1
        return value

    def lookup_read_many(self, keys: Sequence[bytes]) -> list[Any]:
        """The values of ``keys``, each as by :meth:`lookup_read`. O(keys), in a third of the time of single calls."""
        keyspace = self.keyspace
        if self.expires or self.access_tracker is not None or keyspace.observed:
            return [self.lookup_read(key) for key in keys]
        values = list(map(self.data.get, keys))
        missing = sum([value is None for value in values])
        keyspace.misses += missing
        keyspace.hits += len(values) - missing
        return values

    # The typed look-ups are on the path of nearly every command, so each inlines the look-up: a call of `lookup`
    # costs 60 ns.

    def lookup_read_typed(self, key: bytes, kind: type[Kind]) -> Kind | None:
        """The container at ``key`` for reading; None when there is none.  Raises WRONGTYPE."""
        if self.expires and key in self.expires and self._remove_if_due(key, reads=True):
            value = None
        else:
            value = self.data.get(key)
        if value is None:
            keyspace = self.keyspace
            keyspace.misses += 1
            if keyspace.observed:
                keyspace.events.key_missed(self.number, key)
            return None
        self.keyspace.hits += 1
        if type(value) is kind:
            if self.access_tracker is not None:
                self.access_tracker.touch(key)
            return value
        raise CommandError(WRONG_TYPE)

    def lookup_write_typed(self, key: bytes, kind: type[Kind]) -> Kind | None:
        """The container at ``key`` for writing (no hit or miss counted).  Raises WRONGTYPE."""
        if self.expires and key in self.expires and self._remove_if_due(key):
            value = None
        else:
            value = self.data.get(key)
        if value is None:
            return None
        if type(value) is kind:
            if self.access_tracker is not None:
                self.access_tracker.touch(key)
            return value
        raise CommandError(WRONG_TYPE)

    def lookup_or_create(self, key: bytes, kind: type[Kind]) -> Kind:
        """The container at ``key``; a new empty one is created if there is none.

        A created container is in the keyspace at once; the caller fills it and calls :meth:`modified`
        before it returns, and nothing may raise in between.
        """
        if self.expires and key in self.expires and self._remove_if_due(key):
            value = None
        else:
            value = self.data.get(key)
        if value is None:
            created: Any = kind()
            keyspace = self.keyspace
            thresholds = keyspace.packing.get(kind)
            if thresholds is not None:
                created.packed = thresholds
            self.data[key] = value = created
            self.index.add(key)
            self.account.add_key(key, created)
            if keyspace.observed:
                keyspace.events.key_created(self.number, kind, key)
        elif type(value) is not kind:
            raise CommandError(WRONG_TYPE)
        if self.access_tracker is not None:
            self.access_tracker.touch(key)
        return value

    def lookup_read_string(self, key: bytes) -> bytes | None:
        """The string at ``key`` as immutable bytes, for reading; counts hit or miss.  Raises WRONGTYPE."""
        if self.expires and key in self.expires and self._remove_if_due(key, reads=True):
            value = None
        else:
            value = self.data.get(key)
        if value is None:
            keyspace = self.keyspace
            keyspace.misses += 1
            if keyspace.observed:
                keyspace.events.key_missed(self.number, key)
            return None
        self.keyspace.hits += 1
        if type(value) is not bytes and not isinstance(value, bytearray):
            raise CommandError(WRONG_TYPE)
        if self.access_tracker is not None:
            self.access_tracker.touch(key)
        return value if type(value) is bytes else bytes(value)

    def lookup_write_string(self, key: bytes) -> bytes | bytearray | None:
        """The string at ``key`` as it is stored, for writing.  Raises WRONGTYPE."""
        value = self.lookup(key)
        if value is None:
            return None
        if type(value) is not bytes and not isinstance(value, bytearray):
            raise CommandError(WRONG_TYPE)
        if self.access_tracker is not None:
            self.access_tracker.touch(key)
        return value

    def lookup_write_buffer(self, key: bytes) -> Buffer | None:
        """The string at ``key`` as a buffer to change in place, stored as such from now on. Raises WRONGTYPE.

        Not a change by itself. O(1), and O(N) for a string that was set as a whole.
        """
        value = self.lookup_write_string(key)
        if value is None or type(value) is Buffer:
            return value
        buffer = self.data[key] = Buffer(value)
        self.account.free(accounted(value))
        self.account.add_value(buffer)
        return buffer

    # -- changing -----------------------------------------------------------------------------------------

    def set_value(
        self, key: bytes, value: Any, event: str = "set", keep_ttl: bool = False, changes: int = 1
    ) -> None:
        """Store ``value`` at ``key``, replacing any value; the time to live is removed unless ``keep_ttl``.

        It counts as so many ``changes``.

        A container must be a new one, because its representation (packed or full) is chosen here. With ``keep_ttl`` the
        key must have been looked up before.
        """
        if self.expires and not keep_ttl and key in self.expires and not self._remove_if_due(key):
            self._forget_expiry(key)
        data = self.data
        old = data.get(key)
        if type(value) is bytes:
            value = shared(value)
        data[key] = value
        if old is None:
            self.index.add(key)
            if type(value) is bytes:
                self.account.add_string(len(key), len(value))
            else:
                self._choose(value)
                self.account.add_key(key, value)
        elif type(old) is bytes is type(value):
            if len(old) != len(value):
                self.account.resize_string(len(old), len(value))
        else:
            self._replaced(old, value)
        keyspace = self.keyspace
        keyspace.dirty += changes
        if keyspace.observed:
            if old is None:
                keyspace.events.key_created(self.number, type(value), key)
            elif type(old) is not type(value):
                keyspace.events.key_ready(self.number, type(old), key)
            self._notify(key, event)
        if self.access_tracker is not None and not (keep_ttl and key in self.access_tracker.last_access):
            self.access_tracker.touch(key)

    def place(self, key: bytes, value: Any) -> None:
        """Put ``value`` at ``key`` as a new key, replacing any value.

        Not a change by itself: call :meth:`signal_modified`.
        """
        if self.lookup(key) is not None:
            self._drop(key)
        self.data[key] = shared(value) if type(value) is bytes else value
        self.index.add(key)
        self.account.add_key(key, value)
        if self.keyspace.observed:
            self.keyspace.events.key_created(self.number, type(value), key)
        if self.access_tracker is not None:
            self.access_tracker.touch(key)

    def modified(self, key: bytes, value: Any, event: str, changes: int = 1) -> None:
        """Record that the container ``value`` at ``key`` was changed in place; an empty one is removed."""
        self.account.update(value)
        keyspace = self.keyspace
        keyspace.dirty += changes
        if keyspace.observed:
            self._notify(key, event)
        if not value:
            self._drop(key)
            if keyspace.observed:
                self._notify(key, "del")

    def annotated(self, key: bytes, value: Any, event: str = "", changes: int = 1) -> None:
        """Tell that ``value`` at ``key`` was changed in a way that is none to WATCH and client-side caching.

        Consumer groups change so: they are no part of what readers of a stream see.
        """
        self.account.update(value)
        keyspace = self.keyspace
        keyspace.dirty += changes
        if event and keyspace.observed:
            keyspace.events.key_annotated(self.number, key, event)

    def signal_key_ready(self, key: bytes, value: Any) -> None:
        """Have the clients tried that wait for more of what is in ``value``, the container at ``key``."""
        keyspace = self.keyspace
        if keyspace.observed:
            keyspace.events.key_ready(self.number, type(value), key)

    def delete(self, key: bytes, event: str = "del") -> bool:
        """Remove ``key``; True when it was there (and not due)."""
        if self.expires and key in self.expires and self._remove_if_due(key):
            return False
        return self.remove(key, event)

    def unlink(self, key: bytes) -> bool:
        """Like :meth:`delete`; a large value is freed in the background.  O(1)."""
        if self.expires and key in self.expires and self._remove_if_due(key):
            return False
        return self.remove(key, later=True)

    def remove(self, key: bytes, event: str = "del", later: bool = False) -> bool:
        """Like :meth:`delete`, but removes also a key that is due; for commands whose result is empty."""
        if key not in self.data:
            return False
        self._drop(key, later)
        keyspace = self.keyspace
        keyspace.dirty += 1
        if keyspace.observed:
            self._notify(key, event)
        return True

    def evict(self, key: bytes) -> None:
        """Remove the existing ``key`` to free memory; a large value is freed in the background."""
        self._drop(key, later=True)
        self._notify_removed(key, "evicted")

    def clear(self, later: bool = False) -> int:
        """Remove everything; returns the number of removed keys. Breaks the watches of existing keys.

        O(N) to free the keys, unless ``later`` leaves that to :class:`~kedis.store.lazyfree.LazyFree`.
        """
        removed = len(self.data)
        for key in [key for key in self.watchers if key in self.data]:
            self.break_watches(key)
        if removed:
            self._give_up(later)
            if self.keyspace.observed:
                self.signal_awaited()
        self.keyspace.dirty += removed
        return removed

    def be_full(self, value: Any) -> None:
        """Give the container ``value`` its full representation for good; not a change."""
        value.be_full()
        self.account.update(value)

    def _choose(self, value: Any) -> None:
        """Choose the packed or full representation of a new container; does nothing for other values."""
        thresholds = self.keyspace.packing.get(type(value))
        if thresholds is not None:
            value.choose(thresholds)

    def _replaced(self, old: Any, value: Any) -> None:
        """Account for ``value`` in place of ``old``; at least one is not plain bytes, and they may be the same."""
        if old is value:
            self.account.update(value)
            return
        self._choose(value)
        keyspace = self.keyspace
        size = accounted(old)
        if not (keyspace.lazy_overwrite and keyspace.lazy_free.free_later(old, size)):
            self.account.free(size)
        self.account.add_value(value)
