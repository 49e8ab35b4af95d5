"""Latency events, and percentiles of histograms."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from kedis.config import Config
from kedis.engine.counters import Counters
from kedis.engine.engine import Engine
from kedis.observability.latency import SAMPLES, LatencyMonitor, cumulative_us, percentile_us
from tests.commands.driver import Client, Clock
from tests.oracle import Oracle


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


def counted(times: Iterable[int]) -> list[tuple[int, int]]:
    counters = Counters()
    for elapsed in times:
        counters.count(elapsed)
    return counters.durations()


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_those_of_a_call_and_less_than_a_bucket_above(seed: int) -> None:
    random = Random(seed)
    times = sorted(int(random.lognormvariate(10, 3)) + 1 for _ in range(5000))
    durations = counted(times)
    for percent in (1, 50, 90, 99, 99.9, 100):
        exact = times[max(0, int(len(times) * percent / 100 + 0.5) - 1)]
        assert exact <= 1000 * percentile_us(durations, percent) <= exact + max(63, exact / 128)
    assert percentile_us([], 50) == 0


@pytest.mark.parametrize("elapsed", [1, 700, 5_000, 32_767, 32_768, 40_000, 200_000_000, 3_000_000_000])
def test_no_percentile_is_above_the_longest_call_by_more_than_redis_s_precision(elapsed: int) -> None:
    for percent in (0, 50, 99, 99.9, 100):
        told = 1000 * percentile_us(counted([elapsed]), percent)
        assert elapsed <= told <= elapsed + max(63, elapsed / 128)


def test_a_call_of_200_ms_as_redis_tells_it() -> None:
    assert f"{percentile_us(counted([200_000_000]), 99):.3f}" == "200278.015"


def test_bounds_are_those_of_redis() -> None:
    times = [900 << bits for bits in range(19)]
    assert cumulative_us(counted(times)) == {
        bound: count + 1
        for count, bound in enumerate(
            (
                *(1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908, 33816, 67633),
                *(135266, 270532),
            )
        )
    }


def test_cumulative_counts_end_at_the_total() -> None:
    assert cumulative_us(counted([0, 300, 300, *[900] * 3, *[1800] * 4, *[10**9] * 5])) == {
        1: 6,
        2: 10,
        1082130: 15,
    }


def test_a_clock_that_was_set_back_counts_as_no_time() -> None:
    clock = Clock()
    engine = Engine(Config(), clock=clock)
    client = Client(engine)
    client.call("PING")
    counters = engine.table.rows[b"ping"].counters
    times = iter([clock.now_ns, clock.now_ns - 10**12, clock.now_ns - 10**12])
    engine.clock = lambda: next(times, clock.now_ns - 10**12)
    assert client.call("PING") == b"PONG"
    assert counters.durations() == [(63, 2)]


def test_redis_counts_in_the_same_buckets(oracle: Oracle) -> None:
    """What Redis says of a call of at least 100 ms; the bounds of its histogram are ours."""
    oracle.call("CONFIG", "RESETSTAT")
    oracle.call("DEBUG", "SLEEP", 0.1)
    [_, [_, calls, _, pairs]] = oracle.call("LATENCY", "HISTOGRAM", "debug")
    assert (calls, pairs[1]) == (1, 1)
    assert pairs[0] in {next(iter(cumulative_us(counted([1000 << bits])))) for bits in range(16, 24)}
    line = oracle.call("INFO", "latencystats").decode()
    told = float(line.partition("debug:p50=")[2].partition(",")[0])
    assert counted([int(told * 1000)]) == [(round(told * 1000), 1)], "the end of one of our buckets"
