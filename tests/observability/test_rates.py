"""Rates from counters."""

from __future__ import annotations

from kedis.observability.rates import Rate

TENTH = 100_000_000


def test_a_steady_counter() -> None:
    rate = Rate()
    assert rate.per_second == 0
    for step in range(50):
        rate.sample(step * TENTH, step * 7)
    assert rate.per_second == 70


def test_only_the_last_moments_count() -> None:
    rate = Rate()
    for step in range(20):
        rate.sample(step * TENTH, step * 1000)
    for step in range(20, 40):
        rate.sample(step * TENTH, 20_000)
    assert rate.per_second == 0


def test_a_counter_that_was_reset_gives_no_negative_rate() -> None:
    rate = Rate()
    rate.sample(0, 1000)
    rate.sample(TENTH, 2000)
    rate.sample(2 * TENTH, 0)
    assert rate.per_second == 0
    rate.sample(3 * TENTH, 5)
    assert rate.per_second == 50


def test_a_clock_that_stands_still() -> None:
    rate = Rate()
    rate.sample(TENTH, 1)
    rate.sample(TENTH, 5)
    assert rate.per_second == 0
