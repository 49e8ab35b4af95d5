"""Windows over counters that only grow, and the history of the live page."""

from __future__ import annotations

import random

from kedis.engine.counters import Counters
from kedis.observability.latency import percentile_us
from kedis.observability.recent import NO_CALLS, WINDOW, RecentCalls, RecentHistogram, percentile
from kedis.structures.histogram import Histogram


def counted(*nanoseconds: int) -> Counters:
    counters = Counters()
    for each in nanoseconds:
        count(counters, each)
    return counters


def count(counters: Counters, nanoseconds: int) -> None:
    counters.count(nanoseconds)
    counters.nanoseconds += nanoseconds


def recent(window: RecentCalls) -> tuple[int, int]:
    """Calls and nanoseconds in the window."""
    newest, oldest = window.newest, window.oldest
    return newest.calls - oldest.calls, newest.nanoseconds - oldest.nanoseconds


def test_calls_of_the_window_only() -> None:
    counters = counted(1_000_000)
    window = RecentCalls()
    window.sample(counters)
    assert recent(window) == (0, 0)  # before the window
    count(counters, 2_000)
    assert window.sample(counters)
    assert recent(window) == (1, 2_000)
    assert window.newest.percentile_ns(100, window.oldest) == 2_047
    for _ in range(WINDOW):
        assert not window.sample(counters)
    assert recent(window) == (0, 0)  # it has left the window
    assert window.newest.percentile_ns(50, window.oldest) is None


def test_a_longer_call_than_any_before() -> None:
    counters = counted(1_000)
    window = RecentCalls()
    window.sample(counters)
    count(counters, 5_000_000_000)
    window.sample(counters)
    (longest,) = [window.newest.percentile_ns(50, window.oldest)]
    assert longest is not None
    assert 5_000_000_000 <= longest < 5_050_000_000


def test_percentiles_are_those_of_info() -> None:
    chance = random.Random(7)
    early = [int(chance.lognormvariate(9, 2)) for _ in range(3000)]
    late = [int(chance.lognormvariate(10, 2)) for _ in range(3000)]
    counters = counted(*early)
    window = RecentCalls()
    window.sample(counters)
    for nanoseconds in late:
        count(counters, nanoseconds)
    window.sample(counters)
    for percent in (0, 1, 50, 90, 99, 99.9, 100):
        for before, told in ((NO_CALLS, counted(*early, *late)), (window.oldest, counted(*late))):
            found = window.newest.percentile_ns(percent, before)
            assert found == percentile_us(told.durations(), percent) * 1000


def test_after_a_reset_the_window_begins_anew() -> None:
    counters = counted(1_000, 1_000, 1_000)
    window = RecentCalls()
    window.sample(counters)
    counters.reset()
    count(counters, 1_000)
    window.sample(counters)
    assert recent(window) == (1, 1_000)

    histogram = Histogram()
    observations = RecentHistogram()
    for _ in range(3):
        histogram.add(100)
    observations.sample(histogram)
    reset = Histogram()
    reset.add(1 << 20)
    assert sum(observations.sample(reset).counts) == 1


def test_observations_of_the_window_only() -> None:
    histogram = Histogram()
    window = RecentHistogram(ticks=2)
    window.sample(histogram)
    histogram.add(1000)
    assert window.sample(histogram).total == 1000
    assert window.sample(histogram).total == 1000
    assert window.sample(histogram).total == 0


def test_percentiles_are_upper_ends_of_buckets() -> None:
    histogram = Histogram()
    assert percentile(histogram, 50) is None
    for _ in range(99):
        histogram.add(1000)
    histogram.add(70_000)
    assert percentile(histogram, 50) == 1023
    assert percentile(histogram, 99) == 1023
    assert percentile(histogram, 100) == 131_071
