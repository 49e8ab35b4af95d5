"""An append-only file in which a checksum follows every 64 KB or more, and whenever its owner says so.

The bytes of a call are written (to the kernel) completely or not at all: after a partial write the
part is cut off before the error is passed on, so that the file always ends with a whole command. Large pieces
go to the kernel as they are, by ``writev``: a joined copy of them would need memory that may not be there.
"""

from __future__ import annotations

import contextlib
import os
from zlib import crc32

from kedis.persistence.checksum import checksum_line
from kedis.process.system import OPEN_FLAGS, sync_data, write_pieces
from kedis.process.threads import real_close

#: Bytes after which a checksum line is written.
CHECKSUM_BYTES = 64 * 1024
#: Maximum size of a single piece that is copied to join it with its checksum.
_COPY_LIMIT = 64 * 1024
#: Pieces in one system call; the kernel takes 1,024 at most (IOV_MAX).
_GROUP = 1024


class AppendFile:
    """An open append-only file.

    Args:
        path: created if it does not exist.
        checksums: write a checksum line after each ``CHECKSUM_BYTES``, and at each :meth:`seal`.
        size: offset at which writing continues; the bytes behind it are cut off at the first write.
        crc, uncovered: checksum and number of the bytes before ``size`` that no checksum line covers yet.

    Raises OSError.
    """

    __slots__ = ("_crc", "_dirty_end", "_uncovered", "checksums", "fd", "path", "size")

    def __init__(
        self, path: str, *, checksums: bool = True, size: int | None = None, crc: int = 0, uncovered: int = 0
    ) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | OPEN_FLAGS, 0o644)
        self.checksums = checksums
        length = os.fstat(self.fd).st_size
        self.size = length if size is None else size
        self._crc = crc
        self._uncovered = uncovered
        self._dirty_end = length != self.size

    def write(self, pieces: list[bytes]) -> int:
        """Append ``pieces``, all of them or, on an exception, none; returns their length.

        On any exception the file is as before (or is made so before the next write). No piece of more than
        ``_COPY_LIMIT`` bytes is copied.
        """
        return self._append(pieces, CHECKSUM_BYTES)

    def seal(self) -> None:
        """Write a checksum of the bytes that have none yet, so that damage in them is found. Fails as :meth:`write`."""
        if self._uncovered:
            self._append([], 1)

    def _append(self, pieces: list[bytes], most_uncovered: int) -> int:
        if self._dirty_end:
            os.ftruncate(self.fd, self.size)
            self._dirty_end = False
        crc = self._crc
        length = 0
        for piece in pieces:
            crc = crc32(piece, crc)
            length += len(piece)
        size = length
        uncovered = self._uncovered + length
        if self.checksums and uncovered >= most_uncovered:
            line = checksum_line(crc, uncovered)
            crc = uncovered = 0
            size += len(line)
            if len(pieces) == 1 and length <= _COPY_LIMIT:
                pieces = [pieces[0] + line]
            else:
                pieces = [*pieces, line]
        elif not pieces:
            return 0
        try:
            written = os.write(self.fd, pieces[0]) if len(pieces) == 1 else 0
            if written < size:
                self._write_rest(pieces, written)
        except BaseException:
            self.cut_off()
            raise
        self.size += size
        self._crc = crc
        self._uncovered = uncovered
        return length

    def _write_rest(self, pieces: list[bytes], written: int) -> None:
        """Write the bytes after the first ``written`` ones, in groups, each of which the kernel may take in part.

        Where the disk takes no more, the next attempt gives the reason.
        """
        for start in range(0, len(pieces), _GROUP):
            group: list[bytes | memoryview] = list(pieces[start : start + _GROUP])
            while group := _behind(group, written):
                written = write_pieces(self.fd, group)
            written = 0

    def cut_off(self) -> None:
        """Remove the bytes of a piece that was written in part."""
        self._dirty_end = True
        with contextlib.suppress(OSError):  # tried again before the next write
            os.ftruncate(self.fd, self.size)
            self._dirty_end = False

    def sync(self) -> None:
        """Wait until the written bytes are on the disk. Raises OSError. May run in any thread."""
        sync_data(self.fd)

    def close(self) -> None:
        """Close; idempotent."""
        if self.fd >= 0:
            real_close(self.fd)
            self.fd = -1


def _behind(pieces: list[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    """``pieces`` without their first ``written`` bytes."""
    whole = 0
    while whole < len(pieces) and len(pieces[whole]) <= written:
        written -= len(pieces[whole])
        whole += 1
    rest = pieces[whole:]
    if written:
        rest[0] = memoryview(rest[0])[written:]
    return rest
