"""The names that OBJECT ENCODING gives to representations.

Kedis keeps a value in the same way whatever its size; clients and tests look at these names all the same, so
they are computed from the value by Redis's thresholds.

Simplified: in Redis a conversion is never undone while the value lives, so a set that once held a word
stays a ``hashtable`` after the word has gone, and here it is an ``intset`` again.  Strings remember one
thing: what was modified in place (a ``bytearray``) is ``raw``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from typing import Any

from kedis.config import Config
from kedis.structures.containers import Hash, Set
from kedis.structures.lists import List
from kedis.structures.sorted_set import SortedSet

#: The longest string that Redis keeps in one piece with its header.
EMBEDDED_MAX = 44
#: Integers from 0 to 9999 are one shared object each.
SHARED_DIGITS = 4
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}+")


def encoding(value: Any, config: Config) -> bytes:
    """Redis's name for the representation of ``value``.  O(1), or O(threshold) for a small container."""
    kind = type(value)
    if kind is bytes:
        return _string(value)
    if kind is bytearray:
        return b"raw"
    if kind is List:
        return b"quicklist"
    if kind is Set:
        return b"intset" if _is_intset(value, config.set_max_intset_entries) else b"hashtable"
    if kind is Hash:
        texts: Iterable[bytes] = chain(value, value.values())
        most, longest = config.hash_max_listpack_entries, config.hash_max_listpack_value
        return b"listpack" if _is_compact(len(value), texts, most, longest) else b"hashtable"
    most, longest = config.zset_max_listpack_entries, config.zset_max_listpack_value
    return b"listpack" if _is_compact(len(value), value, most, longest) else b"skiplist"


def reference_count(value: Any) -> int:
    """How many references Redis would count: one, and without limit for a small integer, which it shares."""
    shared = type(value) is bytes and value.isdigit() and len(value) <= SHARED_DIGITS and is_integer(value)
    return 2**31 - 1 if shared else 1


def serialized_length(value: Any) -> int:
    """About the bytes of the value in a dump: its texts, a byte of length for each, 8 for a score."""
    kind = type(value)
    if kind is bytes or kind is bytearray:
        return len(value) + 1
    total = sum(map(len, value)) + len(value)
    if kind is Hash:
        return total + sum(map(len, value.values())) + len(value)
    return total + 8 * len(value) if kind is SortedSet else total


def _string(value: bytes) -> bytes:
    if is_integer(value):
        return b"int"
    return b"embstr" if len(value) <= EMBEDDED_MAX else b"raw"


def is_integer(text: bytes) -> bool:
    """Whether ``text`` is a signed 64-bit integer spelt as printing would spell it."""
    return len(text) <= 20 and _INTEGER.fullmatch(text) is not None and -(1 << 63) <= int(text) < 1 << 63


def _is_intset(members: Set, most: int) -> bool:
    return len(members) <= most and all(map(is_integer, members))


def _is_compact(count: int, texts: Iterable[bytes], most: int, longest: int) -> bool:
    return count <= most and all(len(text) <= longest for text in texts)
