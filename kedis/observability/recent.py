"""Windows over counters that only grow: how long the calls of the last seconds took, not those since the start.

A window keeps a copy of the counters for each tick. Where nothing was counted between two ticks they are the same
object, so that an idle command costs a comparison.
"""

from __future__ import annotations

from array import array
from collections import deque
from itertools import accumulate, zip_longest
from operator import sub

from kedis.engine.counters import Counters
from kedis.structures.histogram import Histogram

#: Ticks, of a second each, that a window covers.
WINDOW = 10


class RecentCalls:
    """The calls of one command in the last :data:`WINDOW` ticks."""

    __slots__ = ("_past",)

    def __init__(self) -> None:
        self._past: deque[Counters] = deque(maxlen=WINDOW + 1)

    def sample(self, counters: Counters) -> Counters:
        """Take the counters of this tick; returns those of the calls in the window.  O(buckets) where there are any.

        After CONFIG RESETSTAT the window begins anew.
        """
        newest = self._past[-1] if self._past else None
        if newest is None or newest.nanoseconds != counters.nanoseconds or newest.calls != counters.calls:
            if newest is not None and counters.calls < newest.calls:
                self._past.clear()
                self._past.append(Counters())
            newest = _copied(counters)
        self._past.append(newest)
        recent = Counters()
        oldest = self._past[0]
        if newest is not oldest:
            recent.nanoseconds = newest.nanoseconds - oldest.nanoseconds
            recent.histogram = _difference(newest.histogram, oldest.histogram)
            recent.longer = _difference(newest.longer, oldest.longer)
        return recent


class RecentHistogram:
    """The observations of a :class:`~kedis.structures.histogram.Histogram` in the last ``ticks`` ticks."""

    __slots__ = ("_past",)

    def __init__(self, ticks: int = WINDOW) -> None:
        self._past: deque[Histogram] = deque(maxlen=ticks + 1)

    def sample(self, histogram: Histogram) -> Histogram:
        """Take the histogram of this tick; returns the observations of the window.  O(buckets)."""
        newest = Histogram(histogram.counts, histogram.total)
        if self._past and any(map(int.__lt__, newest.counts, self._past[-1].counts)):
            self._past.clear()
            self._past.append(Histogram())
        self._past.append(newest)
        oldest = self._past[0]
        return Histogram(map(sub, newest.counts, oldest.counts), newest.total - oldest.total)


def percentile(histogram: Histogram, percent: float) -> float | None:
    """The bound that ``percent`` of the observations do not exceed, in their unit; None without any.  O(buckets).

    It is the upper end of a bucket, so that it is above the truth by less than a factor of two.
    """
    observed = sum(histogram.counts)
    if not observed:
        return None
    wanted = max(1, int(observed * percent / 100 + 0.5))
    digits = next(place for place, reached in enumerate(accumulate(histogram.counts)) if reached >= wanted)
    return float((1 << digits) - 1)


def _copied(counters: Counters) -> Counters:
    copy = Counters()
    copy.nanoseconds = counters.nanoseconds
    copy.histogram = counters.histogram[:]
    copy.longer = counters.longer[:]
    return copy


def _difference(newer: array[int], older: array[int]) -> array[int]:
    return array("q", [new - old for new, old in zip_longest(newer, older, fillvalue=0)])
