"""LZF, the compression of long strings in RDB.

A control byte below 32 is followed by that many bytes, and one more, as literals. Any other begins a reference: its
upper three bits are the length less two (seven: another byte is to be added), its lower five and the next byte the
distance less one back to the same bytes in the output; the copy may overlap itself.
"""

from __future__ import annotations

_LONGEST_LITERAL = 32
_LONGEST_COPY = 264
_FARTHEST = 1 << 13
_COUNT_FOLLOWS = 9


class LzfError(ValueError):
    """The data are not LZF, or not of the announced length."""


def decompress(data: bytes, length: int) -> bytes:
    """Decompress ``data`` to ``length`` bytes. Raises LzfError. O(length)."""
    out = bytearray()
    size = position = 0
    end = len(data)
    try:
        while position < end and size <= length:
            control = data[position]
            position += 1
            if control < _LONGEST_LITERAL:
                control += 1
                out += data[position : position + control]
                position += control
                size += control
                continue
            count = (control >> 5) + 2
            if count == _COUNT_FOLLOWS:
                count += data[position]
                position += 1
            start = size - ((control & 31) << 8 | data[position]) - 1
            position += 1
            if start < 0:
                raise LzfError("a reference to before the beginning")
            size += count
            piece = out[start : start + count]
            if len(piece) < count:  # it overlaps itself: a repetition
                piece = (piece * (count // len(piece) + 1))[:count]
            out += piece
    except IndexError:
        raise LzfError("the input ends within a reference") from None
    if position > end:
        raise LzfError("the input ends within a literal")
    if size != length:
        raise LzfError("more than was announced" if size > length else "less than was announced")
    return bytes(out)


def compress(data: bytes) -> bytes | None:
    """``data`` compressed, or None where that saves nothing. O(N), 0.2 us a byte."""
    out = bytearray()
    seen: dict[bytes, int] = {}
    literal = position = 0
    last = len(data) - 2
    while position < last:
        start = data[position : position + 3]
        found = seen.get(start, -1)
        seen[start] = position
        if found < 0 or position - found > _FARTHEST:
            position += 1
            continue
        count = 3
        most = min(_LONGEST_COPY, len(data) - position)
        while count < most and data[found + count] == data[position + count]:
            count += 1
        _put_literal(out, data[literal:position])
        distance, extra = position - found - 1, count - 2
        if extra < 7:
            out.append(extra << 5 | distance >> 8)
        else:
            out += bytes((7 << 5 | distance >> 8, extra - 7))
        out.append(distance & 0xFF)
        position += count
        literal = position
        if len(out) >= len(data):
            return None
    _put_literal(out, data[literal:])
    return bytes(out) if len(out) < len(data) else None


def _put_literal(out: bytearray, literal: bytes) -> None:
    for at in range(0, len(literal), _LONGEST_LITERAL):
        piece = literal[at : at + _LONGEST_LITERAL]
        out.append(len(piece) - 1)
        out += piece
