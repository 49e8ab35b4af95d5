"""Hash slots: which of the 16384 parts of a cluster's keys a key belongs to."""

from __future__ import annotations

from binascii import crc_hqx

SLOTS = 16384
_MASK = SLOTS - 1


def key_slot(key: bytes) -> int:
    """The slot of ``key``: CRC16 (XMODEM) of it, or of its hash tag.

    The tag is what stands between the first ``{`` and the first ``}`` after it, unless that is nothing. O(len(key)).
    """
    opening = key.find(b"{")
    if opening >= 0:
        closing = key.find(b"}", opening + 1)
        if closing > opening + 1:
            key = key[opening + 1 : closing]
    return crc_hqx(key, 0) & _MASK
