"""The two operations from which a digest of data is built: see :mod:`kedis.store.digest`."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import sha1

_SIZE = 20

#: The initial digest.
ZERO = bytes(_SIZE)


def number(value: int) -> bytes:
    """A small number as a text for :func:`mix`."""
    return struct.pack(">I", value)


def mix(digest: bytes, *texts: bytes | bytearray) -> bytes:
    """Mix ``texts`` into the digest: their order matters. O(bytes)."""
    for text in texts:
        digest = sha1(add(digest, [text])).digest()
    return digest


def add(digest: bytes, texts: Iterable[bytes | bytearray]) -> bytes:
    """Add ``texts`` to the digest: their order does not matter. O(bytes)."""
    total = int.from_bytes(digest, "big")
    for text in texts:
        total ^= int.from_bytes(sha1(text).digest(), "big")
    return total.to_bytes(_SIZE, "big")
