"""The payload of DUMP and RESTORE: type, value, version of the format (2 bytes), checksum of all before (8)."""

from __future__ import annotations

from kedis.config import Config
from kedis.rdb.crc64 import crc64
from kedis.rdb.flat import encode_flat
from kedis.rdb.source import RdbError, Source
from kedis.rdb.value_forms import Packing, decode_value, encode_parts
from kedis.store.types import Value

#: The version of the format that Redis 7.0 writes, and that is written here.
VERSION = 10
#: The latest that is read: 11 is that of Redis 7.2 and Valkey 8, 12 that of Redis 7.4 to 8.2.
LATEST = 12
_FOOTER = 10


class WrongFooter(ValueError):
    """The version is later than any that is read, or the checksum is wrong."""


def dump(value: Value, config: Config | None = None) -> bytes:
    """The payload of ``value``; with a configuration, in the form that Redis would choose. Not compressed. O(N)."""
    flat = encode_flat(value, config) if config is not None else None
    kind, parts = encode_parts(value) if flat is None else (flat[0], [flat[1]])
    parts = [bytes([kind]), *parts, VERSION.to_bytes(2, "little")]
    checksum = 0
    for part in parts:
        checksum = crc64(part, checksum)
    return b"".join([*parts, checksum.to_bytes(8, "little")])


def version_of(payload: bytes) -> int:
    """The version that a payload names; 0 for one that is too short to be one."""
    return int.from_bytes(payload[-_FOOTER:-8], "little") if len(payload) >= _FOOTER else 0


def contents(payload: bytes, *, verify: bool = True) -> Source:
    """What is before the footer, whose version and, to ``verify``, checksum are checked. Raises WrongFooter. O(N)."""
    if len(payload) < _FOOTER or version_of(payload) > LATEST:
        raise WrongFooter
    if verify and crc64(memoryview(payload)[:-8]).to_bytes(8, "little") != payload[-8:]:
        raise WrongFooter
    return Source(payload, 0, len(payload) - _FOOTER)


def restore(payload: bytes, packing: Packing | None = None, *, verify: bool = True) -> Value:
    """The value in ``payload``, packed by the thresholds of ``packing``; ``verify`` the checksum.

    Raises WrongFooter, Unsupported, and RdbError for a container without elements and bytes that are no value. O(N).
    """
    source = contents(payload, verify=verify)
    value = decode_value(source, source.byte(), packing)
    if value is None:
        raise RdbError("a container without elements", 0)
    return value
