"""The histogram beside the exact percentiles of the same values."""

from __future__ import annotations

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedis.cli.benchmark.latency_histogram import LatencyHistogram, bucket_of
from kedis.cli.benchmark.measurement import Recorder

VALUES = st.lists(st.integers(0, 1 << 40), min_size=1, max_size=300)
#: Half of a bucket: 1/256 of its lowest value.
RELATIVE_ERROR = 1 / 256


def exact(values: list[int], percent: float) -> int:
    """The smallest value that ``percent`` of them do not exceed."""
    rank = max(1, math.ceil(percent * len(values) / 100))
    return sorted(values)[rank - 1]


@given(VALUES, st.sampled_from([0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentiles_are_within_half_a_bucket(values: list[int], percent: float) -> None:
    histogram = LatencyHistogram()
    histogram.add_all(values)
    true = exact(values, percent)
    assert abs(histogram.percentile(percent) - true) <= true * RELATIVE_ERROR + 1e-9


@given(VALUES)
def test_count_sum_and_extremes_are_exact(values: list[int]) -> None:
    histogram = LatencyHistogram()
    histogram.add_all(values)
    assert (histogram.count, histogram.total) == (len(values), sum(values))
    assert (histogram.minimum, histogram.maximum) == (min(values), max(values))
    assert histogram.percentile(0) >= histogram.minimum
    assert histogram.percentile(100) <= histogram.maximum


@given(VALUES, VALUES)
def test_merging_is_as_counting_all_in_one(first: list[int], second: list[int]) -> None:
    merged, other, whole = LatencyHistogram(), LatencyHistogram(), LatencyHistogram()
    merged.add_all(first)
    other.add_all(second)
    merged.merge(other)
    whole.add_all(first + second)
    assert merged.to_json() == whole.to_json()
    merged.merge(LatencyHistogram())
    assert merged.to_json() == whole.to_json()


@given(VALUES)
def test_json_holds_every_value(values: list[int]) -> None:
    histogram = LatencyHistogram()
    histogram.add_all(values)
    form = json.loads(json.dumps(histogram.to_json()))
    assert form == histogram.to_json()
    assert form["buckets"] == [[low, count] for low, count in sorted(Counter(lows(values)).items())]
    assert (form["count"], form["total"]) == (len(values), sum(values))


def lows(values: list[int]) -> list[int]:
    return [bucket_of(value)[0] for value in values]


@given(st.integers(0, 1 << 62))
def test_a_bucket_holds_its_value_and_is_narrow(value: int) -> None:
    low, width = bucket_of(value)
    assert low <= value < low + width
    assert width == 1 or width <= low / 128


def test_an_empty_histogram_says_nothing() -> None:
    histogram = LatencyHistogram()
    assert (histogram.mean, histogram.percentile(99), histogram.maximum) == (0.0, 0, 0)


@pytest.mark.parametrize("percent", [-0.1, 100.1])
def test_percentiles_outside_are_refused(percent: float) -> None:
    with pytest.raises(ValueError):
        LatencyHistogram().percentile(percent)


def test_negative_values_are_refused() -> None:
    with pytest.raises(ValueError):
        LatencyHistogram().add(-1)


@given(st.lists(st.integers(0, 1 << 33), min_size=1, max_size=200))
def test_the_recorder_loses_none_and_shifts_none_by_more_than_half_a_cell(values: list[int]) -> None:
    recorder = Recorder()
    for value in values:
        recorder.add(value)
    histogram = recorder.histogram()
    assert histogram.count == len(values)
    half = 1 << (Recorder.CELL_SHIFT - 1)
    assert abs(histogram.total - sum(values)) <= half * len(values)
    assert abs(histogram.maximum - max(values)) <= half
