"""Windows over counters that only grow, and the history of the live page."""

from __future__ import annotations

from kedis.engine.counters import Counters
from kedis.observability.latency import percentile_us
from kedis.observability.recent import WINDOW, RecentCalls, RecentHistogram, percentile
from kedis.structures.histogram import Histogram


def counted(*nanoseconds: int) -> Counters:
    counters = Counters()
    for each in nanoseconds:
        count(counters, each)
    return counters


def count(counters: Counters, nanoseconds: int) -> None:
    counters.count(nanoseconds)
    counters.nanoseconds += nanoseconds


def test_calls_of_the_window_only() -> None:
    counters = counted(1_000_000)
    window = RecentCalls()
    assert window.sample(counters).calls == 0  # before the window
    count(counters, 2_000)
    recent = window.sample(counters)
    assert (recent.calls, recent.nanoseconds) == (1, 2_000)
    assert percentile_us(recent.durations(), 100) < 3
    for _ in range(WINDOW):
        recent = window.sample(counters)
    assert recent.calls == 0  # it has left the window


def test_a_longer_call_than_any_before() -> None:
    counters = counted(1_000)
    window = RecentCalls()
    window.sample(counters)
    count(counters, 5_000_000_000)
    recent = window.sample(counters)
    assert recent.calls == 1
    assert 5_000_000 <= percentile_us(recent.durations(), 50) < 5_050_000


def test_after_a_reset_the_window_begins_anew() -> None:
    counters = counted(1_000, 1_000, 1_000)
    window = RecentCalls()
    window.sample(counters)
    counters.reset()
    count(counters, 1_000)
    assert window.sample(counters).calls == 1

    histogram = Histogram()
    recent = RecentHistogram()
    for _ in range(3):
        histogram.add(100)
    recent.sample(histogram)
    reset = Histogram()
    reset.add(1 << 20)
    assert sum(recent.sample(reset).counts) == 1


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
