"""The names that OBJECT ENCODING gives to representations.

A container records whether it is packed (:mod:`kedis.structures.packing`), so its name is that of Redis's at all times.
A string's is told by its class and content: see :func:`_string`.
"""

from __future__ import annotations

from typing import Any

from kedis.structures.containers import Hash, Set
from kedis.structures.lists import List
from kedis.structures.packing import is_integer
from kedis.structures.sorted_set import SortedSet
from kedis.structures.strings import FloatText

#: The longest string that Redis keeps in one piece with its header.
EMBEDDED_MAX = 44
#: Integers from 0 to 9999 are one shared object each.
SHARED_DIGITS = 4

#: The names of a packed and of a full container.
_NAMES: dict[type, tuple[bytes, bytes]] = {
    Hash: (b"listpack", b"hashtable"),
    Set: (b"intset", b"hashtable"),
    SortedSet: (b"listpack", b"skiplist"),
}


def encoding(value: Any) -> bytes:
    """Redis's name for the representation of ``value``.  O(1)."""
    kind = type(value)
    if kind is bytes:
        return _string(value)
    if kind is bytearray:
        return b"raw"
    if kind is FloatText:
        return b"embstr"
    if kind is List:
        return b"quicklist"
    packed, full = _NAMES[kind]
    return full if value.packed is None else packed


def reference_count(value: Any) -> int:
    """How many references Redis would count: one, and without limit for a small integer, which it shares."""
    shared = type(value) is bytes and value.isdigit() and len(value) <= SHARED_DIGITS and is_integer(value)
    return 2**31 - 1 if shared else 1


def serialized_length(value: Any) -> int:
    """About the bytes of the value in a dump: its texts, a byte of length for each, 8 for a score."""
    kind = type(value)
    if isinstance(value, bytes | bytearray):
        return len(value) + 1
    total = sum(map(len, value)) + len(value)
    if kind is Hash:
        return total + sum(map(len, value.values())) + len(value)
    return total + 8 * len(value) if kind is SortedSet else total


def _string(value: bytes) -> bytes:
    if is_integer(value):
        return b"int"
    return b"embstr" if len(value) <= EMBEDDED_MAX else b"raw"
