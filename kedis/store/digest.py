"""DEBUG DIGEST: a fingerprint of the data set, equal in Kedis and in Redis when the data are equal.

Everything is reduced to 20 bytes by SHA-1 and combined in two ways. *Mixing in* a text depends on the
order: the digest is XORed with the text's SHA-1 and hashed again. *Adding* a text does not: it is only
XORed, so that the order in which a hash table is walked does not matter.

    value      mix the type (0 string, 1 list, 2 set, 3 sorted set, 4 hash; 32 bits, big endian), then
               string: mix it; list: mix each element; set: add each member;
               sorted set: add, for each member, what mixing member and score (17 digits) into zero gives;
               hash: the same with field and value;
               add the text ``!!expire!!`` when the key has a time to live
    key        mix the name into zero, then the value as above on top of it
    data set   for each database that is not empty: mix its number (32 bits, big endian), add every key

Keys that are due are left out. The digest function of a type is in its row (:mod:`kedis.store.types`).
"""

from __future__ import annotations

from kedis.store.database import Database
from kedis.store.keyspace import Keyspace
from kedis.store.mixing import ZERO, add, mix, number
from kedis.store.types import type_of

_EXPIRES = b"!!expire!!"


def keyspace_digest(keyspace: Keyspace) -> bytes:
    """The digest of all databases, 20 bytes.  O(bytes held)."""
    digest = ZERO
    for database in keyspace.databases:
        keys = [key for key in database.data if not database.is_due(key)]
        if keys:
            digest = mix(digest, number(database.number))
            digest = add(digest, (_value(mix(ZERO, key), database, key) for key in keys))
    return digest


def value_digest(database: Database, key: bytes) -> bytes:
    """The digest of the value at ``key``, its time to live included; zero when there is none."""
    if not database.exists(key):
        return ZERO
    return _value(ZERO, database, key)


def _value(digest: bytes, database: Database, key: bytes) -> bytes:
    value = database.data[key]
    digest = type_of(value).digest(digest, value)
    return digest if database.expire_at_ms(key) is None else add(digest, [_EXPIRES])
