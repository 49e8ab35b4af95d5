"""Latency events, and percentiles of histograms."""

from __future__ import annotations

from random import Random

import pytest

from kedis.observability.latency import SAMPLES, LatencyMonitor, cumulative_us, percentile_us


def test_events_below_the_threshold_are_not_kept() -> None:
    monitor = LatencyMonitor()
    monitor.add(b"command", 1, 1000)
    assert monitor.latest() == []
    monitor.threshold_ms = 10
    monitor.add(b"command", 1, 9)
    assert monitor.latest() == []
    monitor.add(b"command", 1, 10)
    assert monitor.latest() == [(b"command", 1, 10, 10)]


def test_one_sample_a_second_and_160_of_them() -> None:
    monitor = LatencyMonitor()
    monitor.threshold_ms = 1
    for second in range(200):
        for length in (5, 9, 7):
            monitor.add(b"command", second, length)
    history = monitor.history(b"command")
    assert len(history) == SAMPLES
    assert history[-1] == (199, 9) and history[0] == (40, 9)


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_within_a_factor_of_two(seed: int) -> None:
    random = Random(seed)
    times = sorted(int(random.lognormvariate(8, 2)) + 1 for _ in range(5000))
    histogram = [0] * 65
    for elapsed in times:
        histogram[elapsed.bit_length()] += 1
    for percent in (1, 50, 90, 99, 99.9, 100):
        exact = times[min(len(times) - 1, int(len(times) * percent / 100))] / 1000
        assert exact / 2 <= percentile_us(histogram, percent) <= exact * 2
    assert percentile_us([0] * 65, 50) == 0


def test_cumulative_counts_end_at_the_total() -> None:
    histogram = [0] * 65
    histogram[0], histogram[9], histogram[10], histogram[11], histogram[30] = 1, 2, 3, 4, 5
    assert cumulative_us(histogram) == {1: 6, 2: 10, 1073742: 15}
