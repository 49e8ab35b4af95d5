"""The memory account: bytes that keys and values occupy, updated by every change.

A key and a ``bytes`` value are counted when they are added and removed. Every other value has a ``footprint``, and
``accounted_bytes`` stores the bytes that the account holds for it, so that the same number is subtracted again. No
other code writes :attr:`Account.used`, and only the structures know the size of an object.

The methods are called by every write, so their sums are inlined: ``(len(x) & -16) + BYTES`` is the size of a bytes
object (:mod:`kedis.structures.footprint`).
"""

from __future__ import annotations

from typing import Any

from kedis.structures.footprint import BYTES, DICT_ENTRY, INDEX_ENTRY, NUMBER_ENTRY, bytes_footprint

#: Bytes of a key's entries in the dict and in the scan index, and of its object beside the content.
_KEY = DICT_ENTRY + INDEX_ENTRY + BYTES
#: The same for a key with a string.
_STRING = _KEY + BYTES
#: Bytes of a time to live.
EXPIRY_ENTRY = NUMBER_ENTRY
#: Bytes of an access record.
ACCESS_ENTRY = NUMBER_ENTRY


def key_footprint(key: bytes) -> int:
    """Bytes that a key occupies, its entries in dict and index included."""
    return (len(key) & -16) + _KEY


def accounted(value: Any) -> int:
    """Bytes that the account holds for a value."""
    if type(value) is bytes:
        return len(value) + 48 & -16
    size: int = value.accounted_bytes
    return size


class Account:
    """Bytes used by one keyspace. Every method is O(1).

    Attributes:
        used: bytes of main memory that keys and values occupy, including those that wait to be freed.
    """

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0

    def add_string(self, key_length: int, length: int) -> None:
        """Count a new key with a string of ``length`` bytes; for SET, the most frequent write."""
        self.used += (key_length & -16) + (length & -16) + _STRING

    def add_key(self, key: bytes, value: Any) -> None:
        """Count a new key with its value."""
        if type(value) is bytes:
            self.used += (len(key) & -16) + (len(value) & -16) + _STRING
        else:
            size = value.accounted_bytes = value.footprint
            self.used += (len(key) & -16) + _KEY + size

    def remove_key(self, key: bytes, value: Any) -> None:
        """Subtract a removed key with its value."""
        self.used -= (len(key) & -16) + _KEY + accounted(value)

    def remove_key_only(self, key: bytes) -> None:
        """Subtract a removed key, whose value still waits to be freed, see :meth:`free`."""
        self.used -= (len(key) & -16) + _KEY

    def update(self, value: Any) -> None:
        """Recount a value, other than ``bytes``, that was changed in place."""
        size = value.footprint
        self.used += size - value.accounted_bytes
        value.accounted_bytes = size

    def exchange(self, value: Any, twin: Any) -> None:
        """Count ``twin``, an equal value, in place of ``value``."""
        if type(twin) is not bytes and twin is not value:
            twin.accounted_bytes = value.accounted_bytes
            self.update(twin)

    def resize_string(self, before: int, after: int) -> None:
        """Replace a string of ``before`` bytes by one of ``after`` bytes."""
        self.used += (after & -16) - (before & -16)

    def add_value(self, value: Any) -> None:
        """Count a value added to an existing key."""
        if type(value) is bytes:
            self.used += bytes_footprint(value)
        else:
            size = value.accounted_bytes = value.footprint
            self.used += size

    def free(self, size: int) -> None:
        """Subtract ``size`` bytes that were freed."""
        self.used -= size

    def add_expiry(self) -> None:
        """Count a new time to live."""
        self.used += EXPIRY_ENTRY

    def remove_expiry(self) -> None:
        """Subtract a removed time to live."""
        self.used -= EXPIRY_ENTRY

    def add_access(self) -> None:
        """Count a new access record."""
        self.used += ACCESS_ENTRY

    def remove_access(self, count: int = 1) -> None:
        """Subtract the removed access records of ``count`` keys."""
        self.used -= ACCESS_ENTRY * count

    def empty(self) -> None:
        """Set the account to zero."""
        self.used = 0
