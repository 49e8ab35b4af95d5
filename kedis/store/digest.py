"""DEBUG DIGEST: a fingerprint of the data set, equal in Kedis and in Redis when the data are equal.

Everything is reduced to 20 bytes by SHA-1 and combined in two ways.  *Mixing in* a text depends on the
order: the digest is XORed with the text's SHA-1 and hashed again.  *Adding* a text does not: it is only
XORed, so that the order in which a hash table is walked does not matter.

    value      mix the type (0 string, 1 list, 2 set, 3 sorted set, 4 hash; 32 bits, big endian), then
               string: mix it; list: mix each element; set: add each member;
               sorted set: add, for each member, what mixing member and score (17 digits) into zero gives;
               hash: the same with field and value;
               add the text ``!!expire!!`` when the key has a time to live
    key        mix the name into zero, then the value as above on top of it
    data set   for each database that is not empty: mix its number (32 bits, big endian), add every key

Keys that are due are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import sha1
from typing import Any

from kedis.store.database import Database
from kedis.store.keyspace import Keyspace
from kedis.structures.containers import Hash, Set
from kedis.structures.lists import List

_SIZE = 20
_EXPIRES = b"!!expire!!"
_STRING, _LIST, _SET, _SORTED_SET, _HASH = range(5)

#: The digest of nothing.
ZERO = bytes(_SIZE)


def keyspace_digest(keyspace: Keyspace) -> bytes:
    """The digest of all databases, 20 bytes.  O(bytes held)."""
    digest = ZERO
    for database in keyspace.databases:
        keys = [key for key in database.data if not database.is_due(key)]
        if keys:
            digest = _mix(digest, _number(database.number))
            digest = _add(digest, (_value(_mix(ZERO, key), database, key) for key in keys))
    return digest


def value_digest(database: Database, key: bytes) -> bytes:
    """The digest of the value at ``key``, its time to live included; zero when there is none."""
    if not database.exists(key):
        return ZERO
    return _value(ZERO, database, key)


def _value(digest: bytes, database: Database, key: bytes) -> bytes:
    digest = _content(digest, database.data[key])
    return digest if database.expire_at_ms(key) is None else _add(digest, [_EXPIRES])


def _content(digest: bytes, value: Any) -> bytes:
    kind = type(value)
    if isinstance(value, bytes | bytearray):
        return _mix(digest, _number(_STRING), value)
    if kind is List:
        return _mix(digest, _number(_LIST), *value)
    if kind is Set:
        return _add(_mix(digest, _number(_SET)), value)
    if kind is Hash:
        pairs = (_mix(ZERO, field, text) for field, text in value.items())
        return _add(_mix(digest, _number(_HASH)), pairs)
    pairs = (_mix(ZERO, member, b"%.17g" % score) for member, score in value.scores.items())
    return _add(_mix(digest, _number(_SORTED_SET)), pairs)


def _number(number: int) -> bytes:
    return struct.pack(">I", number)


def _mix(digest: bytes, *texts: bytes | bytearray) -> bytes:
    for text in texts:
        digest = sha1(_add(digest, [text])).digest()
    return digest


def _add(digest: bytes, texts: Iterable[bytes | bytearray]) -> bytes:
    total = int.from_bytes(digest, "big")
    for text in texts:
        total ^= int.from_bytes(sha1(text).digest(), "big")
    return total.to_bytes(_SIZE, "big")
