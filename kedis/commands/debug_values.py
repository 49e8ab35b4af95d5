"""DEBUG's subcommands that describe how a value is kept: OBJECT, LISTPACK, QUICKLIST, SDSLEN, HTSTATS, HTSTATS-KEY.

Simplified: values are Python objects here, which have no such inside. What is told is what a client can know already
(encoding, number of elements) in Redis's words, so that whoever asks is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.options import integer
from kedis.errors import CommandError, debug_errors
from kedis.resp.values import SimpleString, Verbatim
from kedis.store.types import type_of

if TYPE_CHECKING:
    from kedis.engine.client import Client

_NO_TABLE = "No stats available for empty dictionaries\n"


def object_(client: Client, argv: Sequence[bytes]) -> SimpleString:
    """DEBUG OBJECT."""
    value = _there(client, argv[2])
    row = type_of(value)
    name = row.encoding(value)
    length = row.serialized_length(value)
    line = (
        f"Value at:{id(value):#x} refcount:{row.references(value)} encoding:{name.decode()} "
        f"serializedlength:{length} lru:{(client.engine.clock() // 1_000_000_000) & 0xFFFFFF} lru_seconds_idle:0"
    )
    if name == b"quicklist":
        line += (
            f" ql_nodes:1 ql_avg_node:{len(value):.2f} ql_listpack_max:-2 ql_compressed:0 "
            f"ql_uncompressed_size:{length}"
        )
    return SimpleString(line.encode())


def listpack(client: Client, argv: Sequence[bytes]) -> SimpleString:
    """DEBUG LISTPACK: in Redis a picture of the bytes on standard output."""
    _require(client, argv[2], b"listpack")
    return SimpleString(b"Listpack structure printed on stdout")


def quicklist(client: Client, argv: Sequence[bytes]) -> SimpleString:
    """DEBUG QUICKLIST, as :func:`listpack`."""
    _require(client, argv[2], b"quicklist")
    return SimpleString(b"Quicklist structure printed on stdout")


def sdslen(client: Client, argv: Sequence[bytes]) -> SimpleString:
    """DEBUG SDSLEN: the lengths of a key and of its string; none has spare room here."""
    value = _there(client, argv[2])
    if not isinstance(value, bytes | bytearray):
        raise CommandError(debug_errors.NOT_AN_SDS)
    key, text = len(argv[2]), len(value)
    line = f"key_sds_len:{key}, key_sds_avail:0, key_zmalloc: {key}, val_sds_len:{text}, val_sds_avail:0, "
    return SimpleString(f"{line}val_zmalloc: {text}".encode())


def htstats(client: Client, argv: Sequence[bytes]) -> Verbatim:
    """DEBUG HTSTATS: the tables of a database."""
    number = integer(argv[2])
    databases = client.engine.keyspace.databases
    if not 0 <= number < len(databases):
        raise CommandError(debug_errors.DEBUG_DATABASE)
    database = databases[number]
    text = f"[Dictionary HT]\n{_table(len(database.data))}[Expires HT]\n{_table(len(database.expires))}"
    return Verbatim(text.encode())


def htstats_key(client: Client, argv: Sequence[bytes]) -> Verbatim:
    """DEBUG HTSTATS-KEY: the table of a value."""
    value = _found(client, argv[2])
    if type_of(value).encoding(value) not in (b"hashtable", b"skiplist"):
        raise CommandError(debug_errors.NO_HASH_TABLE)
    return Verbatim(_table(len(value)).encode())


def _table(count: int) -> str:
    """A table of ``count`` elements: its size is the least power of two that holds them."""
    head = "Hash table 0 stats (main hash table):\n"
    size = max(4, 1 << (count - 1).bit_length())
    return head + (f" table size: {size}\n number of elements: {count}\n" if count else _NO_TABLE)


def _there(client: Client, key: bytes) -> Any:
    """The value of a key, which may have expired: looking at it does not remove it."""
    value = client.db.data.get(key)
    if value is None:
        raise CommandError(errors.NO_SUCH_KEY)
    return value


def _found(client: Client, key: bytes) -> Any:
    value = client.db.data.get(key)  # one that is due is there as well, as in Redis
    if value is None:
        raise CommandError(errors.NO_SUCH_KEY)
    return value


def _require(client: Client, key: bytes, encoding: bytes) -> None:
    value = _found(client, key)
    if type_of(value).encoding(value) != encoding:
        raise CommandError(debug_errors.not_encoded_so(encoding.decode()))
