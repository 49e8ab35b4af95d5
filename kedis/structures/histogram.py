"""Histograms by powers of two, at the cost of one addition to an array per observation.

``counts[i]`` is the number of observations (nanoseconds, commands, …) with ``i`` binary digits, that is, between
2^(i-1) and 2^i - 1. Where a call would be too slow, the owner of the histogram adds to ``counts`` and ``total``
itself.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

BUCKETS = 65


class Histogram:
    """The number of observations by size, and their sum.

    Attributes:
        counts: observations by number of binary digits.
        total: sum of all observations.
    """

    __slots__ = ("counts", "total")

    def __init__(self, counts: Iterable[int] = (), total: int = 0) -> None:
        #: An array, because integer objects that stay would each keep an arena of the allocator.
        self.counts: array[int] = array("q", counts) or array("q", bytes(8 * BUCKETS))
        self.total = total

    def add(self, amount: int) -> None:
        """Count one observation; a negative one, from a clock that was set back, counts as zero. O(1)."""
        if amount < 0:
            amount = 0
        self.counts[min(amount.bit_length(), BUCKETS - 1)] += 1
        self.total += amount
