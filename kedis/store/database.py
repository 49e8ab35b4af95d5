"""One numbered database: typed look-ups, time to live, and the one door through which every change passes.

A key's value is a plain Python object and its class is its type: ``bytes`` (or one of two more, see
:mod:`kedis.structures.strings`) for strings, :class:`List`, :class:`Hash`, :class:`Set`, :class:`SortedSet`.
Strings stay raw ``bytes`` because a wrapper would cost 100 bytes a key.

Keys that expire stand in ``expires`` with the moment in milliseconds since 1970.  Expiry is exact on access:
every look-up goes through a method that removes what is due first.

Every change also keeps the account of memory, ``keyspace.used``: a key and a string are counted when they come and
go, a container tells its footprint at the door of changes (:meth:`Database.modified`), and what the account holds for
it stands in ``settled``.  Strings that are modified in place have no place for that: ``buffers`` holds it.

``index`` and ``volatile`` are scan indexes beside the dicts ``data`` and ``expires``: they give SCAN its
guarantee and RANDOMKEY and the expiry cycle a fair random key, which a Python dict cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from kedis.errors import WRONG_TYPE, CommandError
from kedis.structures.containers import Hash, Set
from kedis.structures.footprint import BYTES, DICT_ENTRY, INDEX_ENTRY, bytes_footprint
from kedis.structures.lists import List
from kedis.structures.scan_index import ScanIndex
from kedis.structures.sorted_set import SortedSet
from kedis.structures.strings import FloatText

if TYPE_CHECKING:
    from kedis.store.access import Uses
    from kedis.store.keyspace import Keyspace


Value = bytes | bytearray | List | Hash | Set | SortedSet
Container = TypeVar("Container", bound=List | Hash | Set | SortedSet)

TYPE_NAMES: dict[type, bytes] = {
    bytes: b"string",
    bytearray: b"string",
    FloatText: b"string",
    List: b"list",
    Hash: b"hash",
    Set: b"set",
    SortedSet: b"zset",
}


#: A key's entry in `data` and in `index`, and what its object has whatever its length.
_KEY = DICT_ENTRY + INDEX_ENTRY + BYTES
#: The same of a key with a string.
_STRING = _KEY + BYTES
#: A time to live: the entry in `expires` and in `volatile`, the number, and the key in half of the cases (EXPIRE
#: brings a copy of it, SET EX of a new key does not).
VOLATILE = DICT_ENTRY + INDEX_ENTRY + 32 + 32
#: A number in `access`: the entry, and the number.
ACCESS = DICT_ENTRY + 32


def key_footprint(key: bytes) -> int:
    """Bytes that a key occupies, its places in dict and index included."""
    return (len(key) & -16) + _KEY


class Database:
    """The keys of one database.  Every method is O(1) expected unless it says otherwise."""

    __slots__ = (
        "access",
        "buffers",
        "data",
        "expires",
        "index",
        "keyspace",
        "number",
        "uses",
        "volatile",
        "watchers",
    )

    def __init__(self, keyspace: Keyspace, number: int) -> None:
        self.keyspace = keyspace
        self.number = number
        self.data: dict[bytes, Any] = {}
        self.expires: dict[bytes, int] = {}
        self.index = ScanIndex()
        self.volatile = ScanIndex()
        self.buffers: dict[bytes, int] = {}
        self.access: dict[bytes, int] = {}
        self.uses: Uses | None = None
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
        value = self.look(key, tell_miss)
        if value is not None and self.uses is not None:
            self.uses.note(self, key)
        return value

    def look(self, key: bytes, tell_miss: bool = True) -> Any:
        """Like :meth:`find`, for commands that tell of a key and are not a use of it (TYPE, TTL, OBJECT)."""
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

    def find_many(self, keys: Sequence[bytes]) -> list[Any]:
        """The values of ``keys``, each as by :meth:`find`.  O(keys), a third of what as many calls take."""
        keyspace = self.keyspace
        if self.expires or self.uses is not None or keyspace.observed:
            return [self.find(key) for key in keys]
        values = list(map(self.data.get, keys))
        missing = sum([value is None for value in values])
        keyspace.misses += missing
        keyspace.hits += len(values) - missing
        return values

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
            if self.uses is not None:
                self.uses.note(self, key)
            return value
        raise CommandError(WRONG_TYPE)

    def edit(self, key: bytes, kind: type[Container]) -> Container | None:
        """The container at ``key`` for writing (no hit or miss counted).  Raises WRONGTYPE."""
        if self.expires and key in self.expires:
            self._remove_if_due(key)
        value = self.data.get(key)
        if value is None:
            return None
        if type(value) is kind:
            if self.uses is not None:
                self.uses.note(self, key)
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
            if not isinstance(value, List):
                value.packed = self.keyspace.packing[kind]
            self.data[key] = value
            self.index.add(key)
            self.keyspace.used += (len(key) & -16) + _KEY
            if self.keyspace.observed:
                self.keyspace.appeared(self, key)
        elif type(value) is not kind:
            raise CommandError(WRONG_TYPE)
        if self.uses is not None:
            self.uses.note(self, key)
        return value

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
        if type(value) is not bytes and not isinstance(value, bytearray):
            raise CommandError(WRONG_TYPE)
        if self.uses is not None:
            self.uses.note(self, key)
        return value if type(value) is bytes else bytes(value)

    def edit_string(self, key: bytes) -> bytes | bytearray | None:
        """The string at ``key`` as it is stored, for writing.  Raises WRONGTYPE."""
        value = self.peek(key)
        if value is None:
            return None
        if type(value) is not bytes and not isinstance(value, bytearray):
            raise CommandError(WRONG_TYPE)
        if self.uses is not None:
            self.uses.note(self, key)
        return value

    def edit_in_place(self, key: bytes) -> bytearray | None:
        """The string at ``key`` to be changed where it is, stored so from now on.  Raises WRONGTYPE.

        Not a change by itself.  O(1), and O(N) for a string that was set as a whole.
        """
        value = self.edit_string(key)
        if value is None or type(value) is bytearray:
            return value
        buffer = self.data[key] = bytearray(value)
        before = self._settled(key, value)
        self.keyspace.used += self._settle(key, buffer) - before
        return buffer

    def exists(self, key: bytes) -> bool:
        """Whether ``key`` is there and not due.  Counts neither hit nor miss."""
        return self.peek(key) is not None

    # -- changing -----------------------------------------------------------------------------------------

    def set_value(self, key: bytes, value: Any, event: str = "set") -> None:
        """Store ``value`` at ``key`` whatever was there; its time to live is gone.

        A container must be a new one: whether it is packed is chosen here.
        """
        if self.expires and key in self.expires and not self._remove_if_due(key):
            self._forget_expiry(key)
        data = self.data
        old = data.get(key)
        data[key] = value
        keyspace = self.keyspace
        if old is None:
            self.index.add(key)
            if type(value) is bytes:
                keyspace.used += (len(key) & -16) + (len(value) & -16) + _STRING
            else:
                self._choose(value)
                keyspace.used += (len(key) & -16) + _KEY + self._settle(key, value)
        elif type(old) is bytes is type(value):
            if len(old) != len(value):
                keyspace.used += (len(value) & -16) - (len(old) & -16)
        else:
            self._choose(value)
            self._replaced(key, old, value)
        keyspace.dirty += 1
        if keyspace.observed:
            if old is None:
                keyspace.appeared(self, key)
            keyspace.observe(self, key, event)
        if self.uses is not None:
            self.uses.note(self, key)

    def place(self, key: bytes, value: Any) -> None:
        """Put ``value`` at ``key`` as a new key, whatever was there.  Not a change by itself: call :meth:`touched`."""
        if self.peek(key) is not None:
            self._drop(key)
        self.data[key] = value
        self.index.add(key)
        self.keyspace.used += (len(key) & -16) + _KEY + self._settle(key, value)
        if self.keyspace.observed:
            self.keyspace.appeared(self, key)
        if self.uses is not None:
            self.uses.note(self, key)

    def set_keeping_ttl(self, key: bytes, value: Any, event: str = "set") -> None:
        """Store ``value`` at ``key``; a time to live stays."""
        data = self.data
        old = data.get(key)
        data[key] = value
        keyspace = self.keyspace
        if old is None:
            self.index.add(key)
            if type(value) is bytes:
                keyspace.used += (len(key) & -16) + (len(value) & -16) + _STRING
            else:
                keyspace.used += (len(key) & -16) + _KEY + self._settle(key, value)
        elif type(old) is bytes is type(value):
            if len(old) != len(value):
                keyspace.used += (len(value) & -16) - (len(old) & -16)
        else:
            self._replaced(key, old, value)
        keyspace.dirty += 1
        if keyspace.observed:
            if old is None:
                keyspace.appeared(self, key)
            keyspace.observe(self, key, event)
        if self.uses is not None and key not in self.access:
            self.uses.note(self, key)

    def modified(self, key: bytes, value: Any, event: str, changes: int = 1) -> None:
        """Tell that the container ``value`` at ``key`` was changed in place; an empty one disappears."""
        keyspace = self.keyspace
        size = value.footprint()
        keyspace.used += size - value.settled
        value.settled = size
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

    def unlink(self, key: bytes) -> bool:
        """Like :meth:`delete`; a large value is freed in the background.  O(1)."""
        if self.expires and key in self.expires and self._remove_if_due(key):
            return False
        return self.discard(key, later=True)

    def discard(self, key: bytes, event: str = "del", later: bool = False) -> bool:
        """Like :meth:`delete`, also of a key that is due: to make room for a result that is empty."""
        if key not in self.data:
            return False
        self._drop(key, later)
        keyspace = self.keyspace
        keyspace.dirty += 1
        if keyspace.observed:
            keyspace.observe(self, key, event)
        return True

    def evict(self, key: bytes) -> None:
        """Remove ``key``, which is there, to make room; a large value is freed in the background."""
        self._drop(key, later=True)
        self.keyspace.removed(self, key, "evicted")

    def clear(self, later: bool = False) -> int:
        """Remove everything; returns how many keys went.  Watchers are told.

        O(N) to free the keys, unless ``later`` leaves that to the graveyard.
        """
        removed = len(self.data)
        for key in [key for key in self.watchers if key in self.data]:
            self.keyspace.break_watches(self, key)
        if removed:
            self._give_up(later)
        self.keyspace.dirty += removed
        return removed

    def compact(self) -> None:
        """Move the tables into memory of the size that they need now.  O(keys), 0.1 s for a million.

        A dict that has lost keys keeps the size that it once had.
        """
        self.data = dict(self.data)
        self.expires = dict(self.expires)
        self.access = dict(self.access)
        self.index.repack()
        self.volatile.repack()

    def _give_up(self, later: bool) -> None:
        """Let go of everything and begin anew."""
        keyspace = self.keyspace
        if later:
            keyspace.used -= sum(self.buffers.values()) + ACCESS * len(self.access)
            keyspace.graveyard.bury_keys(self.data, self.expires, (self.index, self.volatile, self.access))
        elif not keyspace.graveyard and not any(
            other.data for other in keyspace.databases if other is not self
        ):
            keyspace.used = 0
        else:
            keyspace.used -= self.footprint()
        self.data = {}
        self.expires = {}
        self.index = ScanIndex()
        self.volatile = ScanIndex()
        self.buffers = {}
        self.access = {}

    # -- time to live -------------------------------------------------------------------------------------

    def expire_at_ms(self, key: bytes) -> int | None:
        """When ``key`` expires, in ms since 1970; None when it does not (or is not there)."""
        return self.expires.get(key)

    def set_expiry(self, key: bytes, at_ms: int) -> None:
        """Let the existing ``key`` expire at ``at_ms``.  Not a change by itself: call :meth:`touched`."""
        if key not in self.expires:
            self.volatile.add(key)
            self.keyspace.used += VOLATILE
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
        self._drop(key, later=True)
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
        self.keyspace.used -= VOLATILE

    def _drop(self, key: bytes, later: bool = False) -> None:
        """Take ``key`` out; ``later`` leaves the freeing of a large value to the graveyard."""
        value = self.data.pop(key)
        keyspace = self.keyspace
        if type(value) is bytes:
            keyspace.used -= (len(key) & -16) + (len(value) & -16) + _STRING
        else:
            size = self._settled(key, value)
            if later and keyspace.graveyard.bury(value, size):
                size = 0
            keyspace.used -= (len(key) & -16) + _KEY + size
        self.index.discard(key)
        if self.expires and key in self.expires:
            self._forget_expiry(key)
        if self.access and self.access.pop(key, None) is not None:
            keyspace.used -= ACCESS

    def _choose(self, value: Any) -> None:
        """Have a new container be packed or full; anything else has no choice."""
        thresholds = self.keyspace.packing.get(type(value))
        if thresholds is not None:
            value.choose(thresholds)

    # -- the account of memory ----------------------------------------------------------------------------

    def _settle(self, key: bytes, value: Any) -> int:
        """What ``value`` occupies now; remembered, so that as much will be taken off the account."""
        if type(value) is bytes:
            return bytes_footprint(value)
        if isinstance(value, bytearray):
            size = self.buffers[key] = value.__sizeof__() + 16
            return size
        footprint: int = value.footprint()
        value.settled = footprint
        return footprint

    def _settled(self, key: bytes, value: Any) -> int:
        """What the account holds for ``value``, which is about to leave ``key``."""
        if type(value) is bytes:
            return bytes_footprint(value)
        if isinstance(value, bytearray):
            return self.buffers.pop(key)
        size: int = value.settled
        return size

    def _replaced(self, key: bytes, old: Any, value: Any) -> None:
        """``value`` took the place of ``old``; at least one of them is not plain bytes, and they may be the same."""
        keyspace = self.keyspace
        size = self._settled(key, old)
        if old is not value and keyspace.lazy_overwrite and keyspace.graveyard.bury(old, size):
            size = 0
        keyspace.used += self._settle(key, value) - size

    def footprint(self) -> int:
        """Bytes that the account holds for this database.  O(N), 0.2 us a key."""
        total = sum(self.buffers.values()) + VOLATILE * len(self.expires) + ACCESS * len(self.access)
        for key, value in self.data.items():
            total += (len(key) & -16) + _KEY
            if type(value) is bytes:
                total += len(value) + 48 & -16
            elif not isinstance(value, bytearray):
                total += value.settled
        return total

    def check(self) -> None:
        """Verify the invariants between dicts, indexes and sizes; for tests.  O(N elements)."""
        for key, value in self.data.items():
            if isinstance(value, bytearray):
                assert self.buffers[key] == value.__sizeof__() + 16
            elif type(value) is not bytes:
                value._check()
            assert isinstance(value, bytes | bytearray) or value.settled == value.footprint()
        assert all(isinstance(self.data[key], bytearray) for key in self.buffers)
        assert set(self.access) <= set(self.data)
        assert set(self.index) == set(self.data)
        assert set(self.volatile) == set(self.expires)
        assert set(self.expires) <= set(self.data)
        assert all(type(value) in TYPE_NAMES for value in self.data.values())
        assert all(len(v) for v in self.data.values() if not isinstance(v, (bytes, bytearray)))
