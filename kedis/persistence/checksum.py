"""Checksums in the append-only file, written as comments.

Redis, ``redis-check-aof`` and Kedis skip a line that begins with ``#`` where a command could begin. After each 64 KB,
once a second while there are changes, and at the end, Kedis puts such a line::

    #CRC32:0b1c2d3e 1234\\r\\n

the CRC-32 of the 1,234 bytes before it, back to the previous such line or to the start of the file. So the
lines form a chain without gaps: a changed byte or a missing piece breaks it.
"""

from __future__ import annotations

import re

PREFIX = b"#CRC32:"
#: A checksum line, at any position.
pattern = re.compile(rb"#CRC32:([0-9a-f]{8}) (\d{1,19})\r\n")


def checksum_line(crc: int, length: int) -> bytes:
    """The line for ``length`` bytes with the CRC-32 ``crc``."""
    return b"#CRC32:%08x %d\r\n" % (crc, length)


def parse_checksum_line(line: bytes) -> tuple[int, int] | None:
    """CRC-32 and length, or None when ``line`` (line end included) is another comment."""
    match = pattern.fullmatch(line)
    return (int(match[1], 16), int(match[2])) if match else None
