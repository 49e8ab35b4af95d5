"""The runs of a sparse HyperLogLog as lists, for raising many registers without walking over all runs.

In the string (see :mod:`kedis.structures.hyperloglog`) a register is found by walking over the runs before it, 35 ns
each, of which there are up to a thousand or two; here by bisection. The changes of the runs are the same, step by
step, so that the resulting string is the same too.
"""

from __future__ import annotations

from bisect import bisect_right

REGISTERS = 1 << 14
HIGHEST_VAL = 32
LONGEST_VAL = 4
LONGEST_ZERO = 64
RUNS_LOOKED_AT = 5


class Runs:
    """Runs of equal registers.

    Attributes:
        size: number of bytes that they take in the string.
    """

    __slots__ = ("_starts", "_values", "size")

    def __init__(self, starts: list[int], values: list[int], size: int) -> None:
        self._starts = starts  # one more than the number of runs: the last is the end
        self._values = values
        self.size = size

    @classmethod
    def read(cls, body: bytes | bytearray) -> Runs | None:
        """The runs of a string; None where they are not in Redis's form. O(runs)."""
        starts, values = [0], []
        codes = iter(body)
        end = 0
        for op in codes:
            if op & 0x80:
                end += (op & 3) + 1
                values.append((op >> 2 & 0x1F) + 1)
            else:
                end += (((op & 0x3F) << 8 | next(codes, 0)) if op & 0x40 else op & 0x3F) + 1
                values.append(0)
            starts.append(end)
        found = cls(starts, values, len(body))
        return found if end == REGISTERS and found.encode() == body else None

    def encode(self) -> bytes:
        """The runs as bytes of the string. O(runs)."""
        starts = self._starts
        ends = starts[1:]
        return b"".join(
            [
                encode_run(value, end - start)
                for start, end, value in zip(starts, ends, self._values, strict=False)
            ]
        )

    def raise_register(self, index: int, rank: int, limit: int) -> bool | None:
        """Raise register ``index`` to ``rank``; returns whether that raised it.

        None, with nothing changed, where the string must become dense: it would take more than ``limit`` bytes, or
        cannot hold the rank. O(log(runs)), and a move of the runs behind.
        """
        starts, values = self._starts, self._values
        at = bisect_right(starts, index) - 1
        value = values[at]
        if value >= rank:
            return False
        first, end = starts[at], starts[at + 1]
        growth = 1 + _size(value, index - first) + _size(value, end - 1 - index) - _size(value, end - first)
        if rank > HIGHEST_VAL or (growth > 0 and self.size + growth > limit):
            return None
        pieces, ranks = [index], [rank]
        if first < index:
            pieces.insert(0, first)
            ranks.insert(0, value)
        if index + 1 < end:
            pieces.append(index + 1)
            ranks.append(value)
        starts[at : at + 1] = pieces
        values[at : at + 1] = ranks
        self.size += growth
        self._join(at - 1 if at else 0)
        return True

    def _join(self, at: int) -> None:
        """Join neighbouring VAL runs of one value, checking a few from the one at ``at`` on."""
        starts, values = self._starts, self._values
        for _ in range(RUNS_LOOKED_AT):
            if at + 1 >= len(values):
                return
            if values[at] and values[at] == values[at + 1] and starts[at + 2] - starts[at] <= LONGEST_VAL:
                del starts[at + 1], values[at + 1]
                self.size -= 1
            else:
                at += 1


def encode_run(value: int, length: int) -> bytes:
    """``length`` registers of ``value``; at most 4 of them, if it is not 0."""
    if not value:
        return encode_zeros(length)
    return bytes([0x80 | value - 1 << 2 | length - 1]) if length else b""


def encode_zeros(length: int) -> bytes:
    """``length`` registers of 0."""
    if length > LONGEST_ZERO:
        return bytes([0x40 | length - 1 >> 8, length - 1 & 0xFF])
    return bytes([length - 1]) if length else b""


def _size(value: int, length: int) -> int:
    """Bytes that a run takes."""
    if not length:
        return 0
    return 1 if value or length <= LONGEST_ZERO else 2
