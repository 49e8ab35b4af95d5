"""The replication stream in memory: one copy for the backlog and all replicas.

The stream is a chain of blocks of 64 KB, or of a sixteenth of a small backlog. A replica holds a :class:`Cursor`, its
place in a block; sending advances it from block to block. The backlog is the part of the chain that is kept for
replicas that come back: the blocks at its head are let go when more than the set size is kept and no cursor stands in
them. Twenty replicas that keep up cost twenty cursors; one that does not keep up holds the blocks from its place on,
which are the others' as well.

Bytes are numbered from 1, as in PSYNC; ``offset`` is the number of the last one, so a place between two bytes is the
number of those before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

#: The largest and the smallest block, in bytes; between them it is this share of the backlog's size.
_BLOCK, _SMALLEST_BLOCK, _SHARE = 64 * 1024, 1024, 16


class Block:
    """A part of the stream. Its memory is taken whole and filled by degrees, or it is a part of a large piece.

    Args:
        content: the part, or the number of bytes that there is room for.

    Attributes:
        start: number of bytes of the stream before it.
        used: bytes filled.
        cursors: number of cursors that stand in it.
    """

    __slots__ = ("cursors", "filled", "next", "room", "start", "view")

    def __init__(self, start: int, content: memoryview | int) -> None:
        self.start = start
        self.view = memoryview(bytearray(content)) if isinstance(content, int) else content
        self.room = len(self.view)
        self.filled = 0 if isinstance(content, int) else self.room
        self.cursors = 0
        self.next: Block | None = None


class Cursor:
    """The place of one reader of the stream, which keeps what comes after it in memory.

    Attributes:
        offset: number of bytes before it; whoever has taken some of :meth:`ahead` adds their number.
    """

    __slots__ = ("_backlog", "_block", "offset")

    def __init__(self, backlog: Backlog, block: Block, offset: int) -> None:
        block.cursors += 1
        self._backlog = backlog
        self._block: Block | None = block
        self.offset = offset

    def distance(self) -> int:
        """Bytes from here to the end of the stream."""
        return self._backlog.offset - self.offset

    def ahead(self) -> memoryview:
        """The bytes that come next, as far as they lie together; empty at the end. O(1)."""
        block = self._block
        assert block is not None, "a closed cursor reads nothing"
        at = self.offset - block.start
        if at == block.filled and block.next is not None:
            block.cursors -= 1
            block = self._block = block.next
            block.cursors += 1
            at = 0
        return block.view[at : block.filled]

    def is_at_end(self) -> bool:
        """Whether nothing comes next."""
        return self.offset == self._backlog.offset

    def copy(self) -> Cursor:
        """Another cursor at the same place."""
        assert self._block is not None
        return Cursor(self._backlog, self._block, self.offset)

    def close(self) -> None:
        """Read no more, and keep nothing in memory. Idempotent."""
        if self._block is not None:
            self._block.cursors -= 1
            self._block = None


class Backlog:
    """The stream, with the latest bytes kept.

    Args:
        offset: number of bytes that the stream had before.
        size: bytes to keep; there may be up to a block more, and what slow readers hold.

    Attributes:
        offset: number of bytes of the stream so far.
    """

    __slots__ = ("_head", "_start", "_tail", "offset", "size")  # which the native path reads and writes, too

    def __init__(self, offset: int, size: int) -> None:
        self.size = size
        self.offset = offset
        self._head = self._tail = Block(offset, self._room())
        #: Where the first byte that is kept lies; the head may begin before it.
        self._start = offset

    # -- figures ------------------------------------------------------------------------------------------

    @property
    def start(self) -> int:
        """Number of bytes before the first one that is kept."""
        return self._start

    def __len__(self) -> int:
        """Number of bytes kept."""
        return self.offset - self._start

    def memory(self) -> int:
        """Bytes of memory that the stream takes, whoever keeps them. O(1): blocks are counted by what they hold."""
        return self.offset - self._start + (self._tail.room - self._tail.filled)

    def _room(self) -> int:
        """Bytes of a new block: few in a small backlog, which would keep several times its size otherwise."""
        return min(max(self.size // _SHARE, _SMALLEST_BLOCK), _BLOCK)

    # -- writing ------------------------------------------------------------------------------------------

    def append(self, pieces: Iterable[bytes | memoryview]) -> None:
        """Append to the stream. O(bytes); pieces that no block has room for are not copied."""
        for piece in pieces:
            size = len(piece)
            block = self._tail
            used = block.filled
            if not size:  # a block may be read-only
                continue
            if (end := used + size) <= block.room:
                block.view[used:end] = piece
                block.filled = end
            elif size >= self._room() and type(piece) is bytes:
                self._append_whole(memoryview(piece))
            else:
                self._append_in_parts(memoryview(piece))
            self.offset += size
        if self._head is not self._tail:
            self.trim()

    def _append_whole(self, piece: memoryview) -> None:
        """Append a large piece as it is, in parts, so that a reader may come back to the later ones alone."""
        room = self._room()
        for at in range(0, len(piece), room):
            self._add(Block(self.offset + at, piece[at : at + room]))

    def _append_in_parts(self, rest: memoryview) -> None:
        at = self.offset
        while rest:
            block = self._tail
            free = block.room - block.filled
            if not free:
                block = self._add(Block(at, self._room()))
                free = block.room
            part = rest[:free]
            block.view[block.filled : block.filled + len(part)] = part
            block.filled += len(part)
            at += len(part)
            rest = rest[free:]

    def _add(self, block: Block) -> Block:
        self._tail.next = block
        self._tail = block
        return block

    def trim(self) -> None:
        """Let go of the blocks at the head that are over the size and in which no cursor stands."""
        while (
            (following := self._head.next) is not None
            and not self._head.cursors
            and self.offset - following.start >= self.size
        ):
            self._head = following
            self._start = following.start

    # -- reading ------------------------------------------------------------------------------------------

    def holds(self, first: int) -> bool:
        """Whether all bytes from number ``first`` on are kept; the next one to come counts as kept."""
        return self._start < first <= self.offset + 1

    def cursor(self, first: int) -> Cursor:
        """A cursor before the byte number ``first``, which :meth:`holds`. O(blocks)."""
        offset = first - 1
        for block in self._blocks():
            if offset <= block.start + block.filled and (block.next is None or offset < block.next.start):
                return Cursor(self, block, offset)
        raise AssertionError("the byte is not kept")

    def end(self) -> Cursor:
        """A cursor behind the last byte. O(1)."""
        return Cursor(self, self._tail, self.offset)

    def _blocks(self) -> Iterator[Block]:
        block: Block | None = self._head
        while block is not None:
            yield block
            block = block.next
