"""The two operations that a digest of data is made of: see :mod:`kedis.store.digest`."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import sha1

_SIZE = 20

#: The digest of nothing.
ZERO = bytes(_SIZE)


def number(value: int) -> bytes:
    """A small number as a text to be mixed in."""
    return struct.pack(">I", value)


def mix(digest: bytes, *texts: bytes | bytearray) -> bytes:
    """The digest with ``texts`` mixed in: their order matters.  O(bytes)."""
    for text in texts:
        digest = sha1(add(digest, [text])).digest()
    return digest


def add(digest: bytes, texts: Iterable[bytes | bytearray]) -> bytes:
    """The digest with ``texts`` added: their order does not matter.  O(bytes)."""
    total = int.from_bytes(digest, "big")
    for text in texts:
        total ^= int.from_bytes(sha1(text).digest(), "big")
    return total.to_bytes(_SIZE, "big")
