"""Active defragmentation: small objects that stand alone in their part of memory are made anew among others.

Python's allocator fills one pool of 16 kB after another, and what is left of each after half of the keys have gone
is spread over all of them. A copy of a key or of a small value takes a free place of a pool that is being filled, and
the former object frees one where little is left: after a pass over all keys the rest stands in full pools, and the
empty ones go back to the system (:mod:`kedis.native.pools`).

Nothing of that can be seen from outside: order of SCAN, times to live, watches and the journal stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kedis.store.database import Database
from kedis.store.keyspace import Keyspace
from kedis.store.types import LARGEST_IN_POOLS, small_twin

_KEYS_AT_ONCE = 32
#: No key of a database.
_NO_KEY = object()


class Moving:
    """Passes over all keys of ``keyspace``, in steps.

    Args:
        is_sparse: whether an object stands in a part of memory of which little is used.
        copied: another ``bytes`` object with the same content.
        places: how many keys more a dict takes before it needs memory, or -1.

    Attributes:
        moved, kept: objects (keys and values) that were looked at: made anew, or left where they are.
        moved_keys, kept_keys: keys of which an object was made anew, and others.
    """

    def __init__(
        self,
        keyspace: Keyspace,
        is_sparse: Callable[[object], bool],
        copied: Callable[[bytes], bytes],
        places: Callable[[dict[Any, Any]], int] = lambda table: 1,
    ) -> None:
        self._keyspace = keyspace
        self._is_sparse = is_sparse
        self._copied = copied
        self._places = places
        self._number = 0
        self._cursor = 0
        self.moved = self.kept = 0
        self.moved_keys = self.kept_keys = 0

    def step(self) -> bool:
        """Look at some thirty keys; whether the pass is at its end. Not while a command runs. 5 to 100 us."""
        database = self._keyspace.databases[self._number]
        self._cursor, keys = database.index.scan(self._cursor, _KEYS_AT_ONCE)
        for key in keys:
            self._look_at(database, key)
        if self._cursor:
            return False
        self._number = (self._number + 1) % len(self._keyspace.databases)
        return self._number == 0

    def _look_at(self, database: Database, key: bytes) -> None:
        value = database.data[key]
        same_key, same_value = key, value
        if 1 < len(key) <= LARGEST_IN_POOLS and self._is_sparse(key) and self._has_place(database.data):
            same_key = self._copied(key)
        if self._is_sparse(value):
            same_value = small_twin(value, self._copied)
        moved = (same_key is not key) + (same_value is not value)
        self.moved += moved
        self.kept += 2 - moved
        if moved:
            self.moved_keys += 1
            database.move(same_key, same_value)
        else:
            self.kept_keys += 1

    def _has_place(self, table: dict[Any, Any]) -> bool:
        """Whether ``table`` takes a key again that is removed from it. MemoryError where it cannot grow for that.

        The removed one leaves no place for it, and without memory for a larger table the key would be lost.
        """
        if self._places(table) == 0:
            table[_NO_KEY] = None
            del table[_NO_KEY]
        return self._places(table) > 0
