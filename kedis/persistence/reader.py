"""The reader of an append-only file: from its bytes to commands, with the offset of any damage.

The file is a sequence of commands, each an array of bulk strings as on the wire, and of comment lines that begin with
``#``. It is read in sections of up to 64 KB, by the first of three ways that works:

1. Apparent checksum lines are cut out, and the rest goes to the fast path: to what runs commands natively from their
   bytes, else to that of the request parser. This holds only if every checksum fits and the fast path takes
   everything: text in a value that merely looks like a checksum line breaks the next true one, or else the command that
   contains it (1.3 us a flush of one command).
2. The piece up to the first line that begins with ``#`` goes to the fast path.
3. The commands are parsed one by one, strictly: every header must be digits, every bulk must end with CRLF.

Three ends are possible: the file is whole; the last command is not whole (``torn`` is its offset: the state after a
crash); or :class:`DamagedFile` is raised. The difference between the last two matters, because a torn tail may be cut
off: a length increased by a flipped bit looks like a missing tail. A checksum line behind the torn place
that continues the chain proves that the file was complete once, and so that it is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO
from zlib import crc32

from kedis.persistence.checksum import PREFIX, checksum_line, parse_checksum_line, pattern
from kedis.resp.canonical import is_canonical, parse_canonical

CHUNK = 1 << 20
#: Maximum number of bytes given to the fast path at a time; bounds the work between two yields of the loader.
SECTION = 64 * 1024
#: Redis's limit for a comment, in bytes.
COMMENT_LIMIT = 1024
#: Commands, split into their words; or whole canonical ones as they stand in the file, for who runs those.
Batch = list[list[bytes]] | bytes
_HEADER_LIMIT = 24
_LINE_OVERHEAD = len(checksum_line(0, 0)) - 1
_HASH = 0x23
_header_so_far = re.compile(rb"\d{0,19}\r?").fullmatch


class DamagedFile(Exception):
    """The file cannot be trusted from ``offset`` on; ``reason`` names the damage."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} at offset {offset}")
        self.offset = offset
        self.reason = reason


class Incomplete(Exception):
    """The data end within a command; at least ``missing`` bytes more are needed."""

    def __init__(self, missing: int = 1) -> None:
        self.missing = missing


class AofReader:
    """Reads one file.

    Args:
        file: opened for reading, unbuffered, at ``begin``.
        verify: stop at a wrong checksum. Where it is False the chain is followed all the same, so that a
            writer can continue it.
        begin: offset of the first command; the bytes before it are not read.
        until: stop reading at this time, in seconds since 1970.
        whole_bytes: gives the size of the commands at the start of its argument that may be yielded unsplit.

    Attributes:
        offset: of the first command of the last batch.
        end: offset up to which the file has been parsed.
        torn: offset of a last command that is not whole, or None.
        crc, uncovered: checksum and number of the bytes before ``end`` that no checksum line covers.
        later: offset of the first ``#TS:`` comment of a time after ``until``, where reading ends; else None.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        verify: bool = True,
        until: int | None = None,
        begin: int = 0,
        whole_bytes: Callable[[bytes], int] | None = None,
    ) -> None:
        self._whole_bytes = whole_bytes
        self._file = file
        self._verify = verify
        self._covered_to = begin
        self.offset = begin
        self.end = begin
        self.torn: int | None = None
        self.crc = 0
        self.later: int | None = None
        self._until = until
        self._batch = b""
        self._unsuitable_to = 0  # offset up to which the first way is not tried again

    @property
    def uncovered(self) -> int:
        return self.end - self._covered_to

    def batches(self) -> Iterator[list[list[bytes]]]:
        """As :meth:`pieces`, of a reader without ``whole_bytes``."""
        for piece in self.pieces():
            assert not isinstance(piece, bytes)
            yield piece

    def pieces(self) -> Iterator[Batch]:
        """Yield commands, a few hundred at a time, with :attr:`offset` set.

        Raises DamagedFile, or OSError. Uses the memory of a section, or of the longest command.
        """
        data = b""
        wanted = CHUNK
        while True:
            chunk = self._file.read(wanted)
            if not chunk:
                break
            data = data + chunk if data else chunk
            position = 0
            wanted = CHUNK
            while position < len(data):
                if data[position] == _HASH:
                    taken = self._comment(data, position)
                    commands: Batch = []
                else:
                    self.offset = self.end
                    taken = 0
                    if self.end >= self._unsuitable_to:
                        section = data[position : position + SECTION]
                        commands, taken = self._checked_section(section)
                        if not taken:
                            self._unsuitable_to = self.end + len(section)
                    if not taken:
                        try:
                            commands, taken = self._section(data, position)
                        except Incomplete as need:
                            wanted = max(
                                CHUNK, need.missing, len(data) - position
                            )  # doubling keeps it linear
                            break
                        self.crc = crc32(data[position : position + taken], self.crc)
                        self.end += taken
                if self.later is not None:
                    return
                if not taken:
                    break
                if commands:
                    self._batch = data[position : position + taken]
                    yield commands
                position += taken
            data = data[position:]
        if data:
            self._find_damage(data)
            self.torn = self.end

    def offset_of(self, index: int) -> int:
        """Offset of the command ``index`` of the last batch. O(bytes before it)."""
        return self.place_of(index)()

    def place_of(self, index: int) -> Callable[[], int]:
        """A function that gives :meth:`offset_of` for this batch at any later time. O(1)."""
        return partial(_offset, self._batch, self.offset, index)

    def _checked_section(self, section: bytes) -> tuple[Batch, int]:
        """Commands up to the last checksum line, and their length with these lines; nothing if in doubt."""
        parts = pattern.split(section)
        if len(parts) == 1:
            return [], 0
        crc, uncovered = self.crc, self.uncovered
        position = 0
        for at in range(0, len(parts) - 1, 3):
            part = parts[at]
            if crc32(part, crc) != int(parts[at + 1], 16) or uncovered + len(part) != int(parts[at + 2]):
                return [], 0
            crc = uncovered = 0
            position += len(part) + len(parts[at + 2]) + _LINE_OVERHEAD
        whole = b"".join(parts[:-1:3])
        if self._whole_bytes is not None and self._whole_bytes(whole) == len(whole):
            commands: Batch = whole
        elif not (commands := _parse_whole(whole)):
            return [], 0
        self.crc = 0
        self.end = self._covered_to = self.end + position
        return commands, position

    def _section(self, data: bytes, position: int) -> tuple[Batch, int]:
        """Commands from ``position`` on, and their length in bytes. Raises Incomplete, DamagedFile."""
        limit = min(position + SECTION, len(data))
        stop = data.find(b"\n#", position, limit) + 1 or limit
        piece = data[position:stop]
        if self._whole_bytes is not None and (taken := self._whole_bytes(piece)):
            return piece[:taken], taken
        commands, taken, form = parse_canonical(piece)
        # In doubt about the line ends, which it passes over, the strict way decides.
        if taken and is_canonical(form, piece[:taken], commands):
            return commands, taken
        commands = []
        start = position
        while position < stop and data[position] != _HASH:
            try:
                argv, position = read_command(data, position)
            except Incomplete:
                if position == start:
                    raise
                break
            except DamagedFile as damage:  # report the start of the command, which cannot be trusted
                raise DamagedFile(self.end + position - start, damage.reason) from None
            if argv:
                commands.append(argv)
        return commands, position - start

    def _comment(self, data: bytes, position: int) -> int:
        """Read the comment line at ``position``; returns its length, 0 when it is not complete."""
        end = data.find(b"\n", position, position + COMMENT_LIMIT) + 1
        if not end:
            if len(data) - position >= COMMENT_LIMIT:
                raise DamagedFile(self.end, f"a comment of more than {COMMENT_LIMIT} characters")
            return 0
        line = data[position:end]
        found = parse_checksum_line(line)
        if found is None:
            if self._until is not None and _timestamp(line) > self._until:
                self.later = self.end
                return 0
            self.crc = crc32(line, self.crc)
            self.end += len(line)
            return len(line)
        if self._verify and found != (self.crc, self.uncovered):
            raise DamagedFile(
                self._covered_to,
                f"checksum mismatch in the {self.uncovered} bytes before offset {self.end}, found",
            )
        self.crc = 0
        self.end += len(line)
        self._covered_to = self.end
        return len(line)

    def _find_damage(self, rest: bytes) -> None:
        """Raise DamagedFile if a checksum line in ``rest``, which begins at ``end``, continues the chain."""
        if not self._verify:
            return
        at = rest.find(PREFIX)
        while at >= 0:
            match = pattern.match(rest, at)
            if match and self.end + at - int(match[2]) == self._covered_to:
                raise DamagedFile(
                    self.end,
                    f"a command that runs past the checksum at offset {self.end + at}: a damaged length",
                )
            at = rest.find(PREFIX, at + 1)


def _parse_whole(data: bytes) -> list[list[bytes]]:
    """The commands of ``data``; none if the fast path does not take all of it."""
    commands, taken, _ = parse_canonical(data)
    if taken < len(data):  # of long input it leaves the last command, possibly cut off, to a second call
        last, more, _ = parse_canonical(data[taken:])
        if not taken or taken + more < len(data):
            return []
        commands += last
    return commands


def _offset(batch: bytes, start: int, index: int) -> int:
    """The offset of the command ``index`` of ``batch``, which begins at ``start``."""
    position = 0
    while True:
        if batch[position] == _HASH:
            position = batch.index(b"\n", position) + 1
        elif index == 0:
            return start + position
        else:
            position = read_command(batch, position)[1]
            index -= 1


def _timestamp(comment: bytes) -> int:
    """The time in a ``#TS:`` comment, 0 for another comment."""
    digits = comment[4:].strip()
    return int(digits) if comment.startswith(b"#TS:") and digits.isdigit() and len(digits) < 19 else 0


def read_command(data: bytes, position: int) -> tuple[list[bytes], int]:
    """Return the command at ``position`` and the offset of its end.

    Raises Incomplete when the data end first, DamagedFile when it is not a command. O(size of the command).
    """
    count, position = _header(data, position, b"*")
    if count == 0:
        raise DamagedFile(position, "a command without a name")
    argv = []
    for _ in range(count):
        length, position = _header(data, position, b"$")
        end = position + length
        if data[end : end + 2] != b"\r\n":
            if end + 2 > len(data) and b"\r\n".startswith(data[end : end + 2]):
                raise Incomplete(end + 2 - len(data))
            raise DamagedFile(position, "an argument that does not end where it should")
        argv.append(data[position:end])
        position = end + 2
    return argv, position


def _header(data: bytes, position: int, mark: bytes) -> tuple[int, int]:
    """The number after ``mark`` and the position behind its line."""
    found = data[position : position + 1]
    if not found:
        raise Incomplete
    if found != mark:
        raise DamagedFile(position, f"{found!r} where {mark.decode()!r} must be")
    end = data.find(b"\r\n", position, position + _HEADER_LIMIT)
    digits = data[position + 1 : end]
    if end >= 0 and digits.isdigit() and len(digits) < 19:
        return int(digits), end + 2
    if end < 0 and len(data) - position < _HEADER_LIMIT and _header_so_far(data, position + 1):
        raise Incomplete
    raise DamagedFile(position, f"no number after {mark.decode()!r}")
