"""Framing of replies: where each ends in a stream of bytes. Nothing is parsed that need not be, and nothing copied.

A reply is one item, or an aggregate of items, nested in any way. All that has to be remembered of an unfinished reply
is how many items are missing, which one integer counts: an item takes one away, a header of an aggregate adds as many
as it announces. So a reply of millions of elements costs one pass, however it comes in pieces.
"""

from __future__ import annotations

from collections.abc import Callable

_BULKS = b"$=!"
_AGGREGATES = b"*~>"
_MAPS = b"%|"
_LINES = b"+-:_#,("
_ATTRIBUTE = 0x7C
_CRLF = b"\r\n"
#: A line of a reply that is longer than this is no reply; so is an aggregate or a bulk of more than so many.
_LONGEST_LINE = 1 << 20
_MOST = 1 << 40


class FramingError(Exception):
    """The bytes are no replies: the connection cannot be used any longer."""


class ReplyFramer:
    """Cuts a stream into whole replies.

    Attributes:
        pending_bytes: bytes of the reply that is not whole yet.
    """

    __slots__ = ("_buffer", "_missing", "_position", "_wanted")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._position = 0  # up to here the reply at hand is framed
        self._missing = 1
        self._wanted = 0  # no whole item before the buffer is so long

    @property
    def pending_bytes(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes, take: Callable[[bytes], object]) -> None:
        """Give each reply that ``data`` completes to ``take``. Raises FramingError.

        O(len(data)), however the replies are cut in pieces.
        """
        buffer = self._buffer
        if not buffer:
            start = self._frame(data, take)
            if start < len(data):
                buffer += data[start:] if start else data
            return
        buffer += data
        if len(buffer) >= self._wanted:
            start = self._frame(buffer, take)
            del buffer[:start]

    def _frame(self, data: bytes | bytearray, take: Callable[[bytes], object]) -> int:
        """Give the whole replies in ``data`` to ``take``; returns where the next one begins."""
        start, end = 0, len(data)
        position, missing = self._position, self._missing
        self._wanted = 0
        while position < end:
            stop = item_end(data, position)
            if stop < 0:
                self._wanted = -stop - start if stop < -1 else 0
                break
            kind = data[position]
            if kind in _AGGREGATES:
                missing += max(int(data[position + 1 : stop - 2]), 0) - 1
            elif kind in _MAPS:
                missing += 2 * max(int(data[position + 1 : stop - 2]), 0) - (kind != _ATTRIBUTE)
            else:
                missing -= 1
            position = stop
            if not missing:
                with memoryview(data) as view:  # a slice of the bytearray would be a second copy
                    reply = bytes(view[start:position])
                start, missing = position, 1
                take(reply)
        self._position, self._missing = position - start, missing
        return start


def item_end(data: bytes | bytearray, position: int) -> int:
    """The end of the item at ``position``: of a header where it is an aggregate.

    Returns -1 where it is not whole, and ``-n`` where ``data`` must first be ``n`` bytes long. Raises FramingError.
    """
    kind = data[position]
    line = data.find(_CRLF, position, position + _LONGEST_LINE)
    if line < 0:
        if len(data) - position >= _LONGEST_LINE:
            raise FramingError("a line without an end")
        return -1
    if kind in _LINES:
        return line + 2
    if kind not in _BULKS and kind not in _AGGREGATES and kind not in _MAPS:
        raise FramingError(f"no reply begins with {bytes((kind,))!r}")
    digits = data[position + 1 : line]
    try:
        length = int(digits)
    except ValueError:
        raise FramingError("a length that is no number") from None
    if not -1 <= length < _MOST:
        raise FramingError("a length out of range")
    if kind not in _BULKS or length < 0:
        return line + 2
    end = line + 2 + length + 2
    return end if end <= len(data) else -end


def elements(reply: bytes) -> tuple[int, bytes]:
    """The number of elements of an array, and the bytes of all of them. Raises ValueError for another reply. O(n)."""
    header, _, rest = reply.partition(_CRLF)
    if header[:1] not in (b"*", b"~", b">"):
        raise ValueError("no array")
    return max(int(header[1:]), 0), rest


def split_elements(reply: bytes) -> list[bytes]:
    """The elements of an array, each with its own bytes. Raises ValueError for another reply. O(n)."""
    count, rest = elements(reply)
    found: list[bytes] = []
    ReplyFramer().feed(rest, found.append)
    if len(found) != count:
        raise ValueError("an array of another length than it says")
    return found
