"""The account of memory: bytes that keys and values occupy, kept up to date by every change.

A key and a ``bytes`` value are counted when they come and go.  Every other value tells its ``footprint`` and
remembers in ``accounted_bytes`` what the account holds for it, so that as much is taken off again.  Nothing else in the
house writes :attr:`Account.used`, and nothing else but the structures knows what an object costs.

The methods are called by every write, so their sums are written out: ``(len(x) & -16) + BYTES`` is what a bytes
object occupies (:mod:`kedis.structures.footprint`).
"""

from __future__ import annotations

from typing import Any

from kedis.structures.footprint import BYTES, DICT_ENTRY, INDEX_ENTRY, bytes_footprint

#: A key's entry in the dict and in the scan index, and what its object has whatever its length.
_KEY = DICT_ENTRY + INDEX_ENTRY + BYTES
#: The same of a key with a string.
_STRING = _KEY + BYTES
#: A time to live: the entry in dict and scan index, the number, and the key in half of the cases (EXPIRE brings a
#: copy of it, SET EX of a new key does not).
EXPIRY_ENTRY = DICT_ENTRY + INDEX_ENTRY + 32 + 32
#: A number of an access tracker: the entry, and the number.
ACCESS_ENTRY = DICT_ENTRY + 32


def key_footprint(key: bytes) -> int:
    """Bytes that a key occupies, its places in dict and index included."""
    return (len(key) & -16) + _KEY


def accounted(value: Any) -> int:
    """Bytes that the account holds for a value."""
    if type(value) is bytes:
        return len(value) + 48 & -16
    size: int = value.accounted_bytes
    return size


class Account:
    """Bytes used by one keyspace.  Every method is O(1).

    Attributes:
        used: bytes of main memory that keys and values occupy, those included that wait to be freed.
    """

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0

    def add_string(self, key_length: int, length: int) -> None:
        """A key was added with a string of so many bytes; for SET, the commonest of all writes."""
        self.used += (key_length & -16) + (length & -16) + _STRING

    def add_key(self, key: bytes, value: Any) -> None:
        """A key was added with its value."""
        if type(value) is bytes:
            self.used += (len(key) & -16) + (len(value) & -16) + _STRING
        else:
            size = value.accounted_bytes = value.footprint
            self.used += (len(key) & -16) + _KEY + size

    def remove_key(self, key: bytes, value: Any) -> None:
        """A key was removed with its value."""
        self.used -= (len(key) & -16) + _KEY + accounted(value)

    def remove_key_only(self, key: bytes) -> None:
        """A key was removed; its value still waits to be freed, see :meth:`free`."""
        self.used -= (len(key) & -16) + _KEY

    def update(self, value: Any) -> None:
        """A value that is not ``bytes`` was changed in place."""
        size = value.footprint
        self.used += size - value.accounted_bytes
        value.accounted_bytes = size

    def resize_string(self, before: int, after: int) -> None:
        """A string of ``after`` bytes took the place of one of ``before`` bytes."""
        self.used += (after & -16) - (before & -16)

    def add_value(self, value: Any) -> None:
        """A value came to a key that is there."""
        if type(value) is bytes:
            self.used += bytes_footprint(value)
        else:
            size = value.accounted_bytes = value.footprint
            self.used += size

    def free(self, size: int) -> None:
        """Bytes that the account held were given back."""
        self.used -= size

    def add_expiry(self) -> None:
        """A key was given a time to live."""
        self.used += EXPIRY_ENTRY

    def remove_expiry(self) -> None:
        """A key lost its time to live."""
        self.used -= EXPIRY_ENTRY

    def add_access(self) -> None:
        """The use of a key was recorded for the first time."""
        self.used += ACCESS_ENTRY

    def remove_access(self, count: int = 1) -> None:
        """The records of ``count`` keys went."""
        self.used -= ACCESS_ENTRY * count

    def empty(self) -> None:
        """Everything is gone."""
        self.used = 0
