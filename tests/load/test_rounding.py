"""Response times as they are counted: to the microsecond, and of few different values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from locustfiles.rounding import bucket_response_time


@given(st.floats(0, 1e6))
def test_never_off_by_more_than_half_a_percent_or_half_a_microsecond(milliseconds: float) -> None:
    error = abs(bucket_response_time(milliseconds) - milliseconds)
    assert error <= max(0.0005, milliseconds * 0.005) * (1 + 1e-9)


def test_microseconds_are_kept_where_locust_would_say_nothing() -> None:
    assert bucket_response_time(0.0734) == 0.073
    assert bucket_response_time(4.567) == 4.57
    assert bucket_response_time(45.67) == 45.7
    assert bucket_response_time(12345.6) == 12300


def test_there_are_few_different_values() -> None:
    values = {bucket_response_time(step * 1.003**2 / 1e4) for step in range(1_000_000)}
    assert len(values) < 3_000
