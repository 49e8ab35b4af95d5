"""Latency histogram with bounded relative error, in the manner of Gil Tene's HdrHistogram.

A value of nanoseconds falls into a bucket whose width is a power of two.  Values below 256 have a bucket each; above,
each doubling of the value is divided into 128 buckets, so that a bucket is at most 1/128 of its value wide and its
middle is off by less than 0.4 %.  Only buckets that hold something take memory.  Minimum, maximum and sum are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

#: Bits of a value that are kept: 1 that leads, 7 that follow.
_KEPT_BITS = 8


def bucket_of(value: int) -> tuple[int, int]:
    """Lowest value and width of the bucket of ``value``.  O(1)."""
    shift = max(0, value.bit_length() - _KEPT_BITS)
    return value >> shift << shift, 1 << shift


class LatencyHistogram:
    """Counts of non-negative integer values, such as nanoseconds."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.minimum = 0
        self.maximum = 0

    def add(self, value: int, count: int = 1) -> None:
        """Count ``value``, ``count`` times.  O(1).  Raises ValueError for a negative value or count."""
        if value < 0 or count < 0:
            raise ValueError("a histogram counts non-negative values")
        if not count:
            return
        low, _ = bucket_of(value)
        self._counts[low] = self._counts.get(low, 0) + count
        self.minimum = min(self.minimum, value) if self.count else value
        self.maximum = max(self.maximum, value)
        self.count += count
        self.total += value * count

    def add_all(self, values: Iterable[int]) -> None:
        """Count each of ``values``."""
        for value in values:
            self.add(value)

    def merge(self, other: LatencyHistogram) -> None:
        """Add everything that ``other`` has counted.  O(buckets)."""
        if not other.count:
            return
        for low, count in other._counts.items():
            self._counts[low] = self._counts.get(low, 0) + count
        self.minimum = min(self.minimum, other.minimum) if self.count else other.minimum
        self.maximum = max(self.maximum, other.maximum)
        self.count += other.count
        self.total += other.total

    @property
    def mean(self) -> float:
        """Mean of the values, exact; 0 where there is none."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> int:
        """The value that ``percent`` of all values do not exceed, as the middle of its bucket.

        0 where nothing was counted.  O(buckets).  Raises ValueError outside of 0 to 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError("a percentile lies between 0 and 100")
        if not self.count:
            return 0
        wanted = max(1, -(-percent * self.count // 100))
        seen = 0
        for low, width, count in self.buckets():
            seen += count
            if seen >= wanted:
                middle = low + (width - 1) // 2
                return max(self.minimum, min(middle, self.maximum))
        return self.maximum

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """Lowest value, width and count of each bucket that holds something, in order."""
        for low in sorted(self._counts):
            yield low, bucket_of(low)[1], self._counts[low]

    def to_json(self) -> dict[str, Any]:
        """A form for JSON: exact figures, and ``buckets`` as pairs of lowest value and count."""
        return {
            "count": self.count,
            "total": self.total,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "buckets": [[low, count] for low, _, count in self.buckets()],
        }
