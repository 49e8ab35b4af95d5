"""Windows over counters that only grow: how long the calls of the last seconds took, not those since the start.

A window keeps a copy of the counters for each tick. Where nothing was counted between two ticks they are the same
object, so that an idle command costs a comparison. The copies of a command's counters are cumulated: the calls between
two of them up to a bucket are one subtraction, and a percentile is a binary search.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from itertools import accumulate
from operator import sub

from kedis.engine.counters import Counters, bucket_end_ns
from kedis.structures.histogram import Histogram

#: Ticks, of a second each, that a window covers.
WINDOW = 10


class Calls:
    """The calls of one command up to a moment.

    Attributes:
        reached: how many took no longer than the end of each bucket.
    """

    __slots__ = ("calls", "nanoseconds", "reached")

    def __init__(self, counters: Counters) -> None:
        self.nanoseconds = counters.nanoseconds
        self.reached = array("q", accumulate(counters.histogram + counters.longer))
        self.calls = self.reached[-1] if self.reached else 0

    def percentile_ns(self, percent: float, before: Calls) -> int | None:
        """Nanoseconds that ``percent`` of the calls since ``before`` do not exceed; None without any.  O(log buckets).

        As :func:`kedis.observability.latency.percentile_us`, whose buckets these are.
        """
        calls = self.calls - before.calls
        if calls <= 0:
            return None
        wanted = max(1, int(calls * percent / 100 + 0.5))
        known = len(before.reached)

        def reached(place: int) -> int:
            return self.reached[place] - (before.reached[place] if place < known else before.calls)

        return bucket_end_ns(bisect_left(range(len(self.reached)), wanted, key=reached))


#: Before the first call.
NO_CALLS = Calls(Counters())


class RecentCalls:
    """The calls of one command in the last :data:`WINDOW` ticks.

    Attributes:
        newest: as of the last tick.
        oldest: where the window begins.
    """

    __slots__ = ("_past",)

    def __init__(self) -> None:
        self._past: deque[Calls] = deque(maxlen=WINDOW + 1)

    @property
    def newest(self) -> Calls:
        return self._past[-1]

    @property
    def oldest(self) -> Calls:
        return self._past[0]

    def sample(self, counters: Counters) -> bool:
        """Take the counters of this tick; returns whether they have changed.  O(buckets).

        After CONFIG RESETSTAT the window begins anew.
        """
        newest = self._past[-1] if self._past else None
        calls = counters.calls
        is_changed = newest is None or newest.nanoseconds != counters.nanoseconds or newest.calls != calls
        if newest is not None and calls < newest.calls:
            self._past.clear()
            self._past.append(NO_CALLS)
        self._past.append(Calls(counters) if is_changed or newest is None else newest)
        return is_changed


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
