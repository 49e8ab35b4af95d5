"""One file that is only ever appended to, whole pieces at a time, each followed by its checksum.

A piece is on disk (in the kernel's hands) completely or not at all: where the disk takes only a part of it, that part
is cut off again before the error is passed on, so that the file always ends with a whole command.
"""

from __future__ import annotations

import os
from zlib import crc32

from kedis.persistence.checksum import checksum_line


class AppendFile:
    """An open file of the append-only kind.

    Args:
        path: created where it does not exist.
        checksums: end each piece with a checksum line.
        size: where writing goes on; what stands behind it is cut off at the first write.
        crc, uncovered: checksum and number of the bytes before ``size`` that no checksum line covers yet.

    Raises OSError.
    """

    def __init__(
        self, path: str, *, checksums: bool = True, size: int | None = None, crc: int = 0, uncovered: int = 0
    ) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.checksums = checksums
        length = os.fstat(self.fd).st_size
        self.size = length if size is None else size
        self._crc = crc
        self._uncovered = uncovered
        self._dirty_end = length != self.size

    def write(self, data: bytes) -> None:
        """Append ``data``, all of it.  On OSError the file is as before (or is made so before the next write)."""
        if self._dirty_end:
            os.ftruncate(self.fd, self.size)
            self._dirty_end = False
        crc = crc32(data, self._crc)
        uncovered = self._uncovered + len(data)
        if self.checksums:
            data += checksum_line(crc, uncovered)
            crc = uncovered = 0
        written = os.write(self.fd, data)
        if written < len(data):
            self._write_rest(data, written)
        self.size += len(data)
        self._crc = crc
        self._uncovered = uncovered

    def _write_rest(self, data: bytes, written: int) -> None:
        """The kernel took a part: offer the rest, which names the reason if it cannot be had."""
        try:
            while written < len(data):
                written += os.write(self.fd, memoryview(data)[written:])
        except OSError:
            self._dirty_end = True
            try:
                os.ftruncate(self.fd, self.size)
                self._dirty_end = False
            except OSError:
                pass  # tried again before the next write
            raise

    def sync(self) -> None:
        """Wait until what was written is on the disk.  Raises OSError.  May run in any thread."""
        os.fdatasync(self.fd)

    def close(self) -> None:
        """Close; idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
