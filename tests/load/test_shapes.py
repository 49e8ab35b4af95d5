"""The shapes as functions of the time."""

from __future__ import annotations

import itertools

import pytest

from locustfiles.shapes import FAST, soak, spike, steps, wave


def users(tick: tuple[int, float] | None) -> int:
    assert tick is not None
    return tick[0]


def test_steps_take_each_number_for_a_stage() -> None:
    counts = [users(steps(second, 10, 500)) for second in range(90)]
    assert counts == [count for count in (1, 2, 5, 10, 20, 50, 100, 200, 500) for _ in range(10)]
    assert steps(90, 10, 500) is None


def test_steps_stop_at_the_most() -> None:
    assert [users(steps(stage, 1, 20)) for stage in range(5)] == [1, 2, 5, 10, 20]
    assert steps(5, 1, 20) is None


def test_a_spike_comes_at_once_and_goes_at_once() -> None:
    assert [users(spike(second, 10, 500)) for second in (0, 19.9, 20, 29.9, 30, 49.9)] == [
        50,
        50,
        500,
        500,
        50,
        50,
    ]
    assert spike(50, 10, 500) is None
    assert users(spike(0, 10, 3)) == 1


def test_a_soak_grows_for_a_stage_and_holds_for_sixty() -> None:
    assert soak(0, 10, 500) == (500, 50.0)
    assert users(soak(609, 10, 500)) == 500
    assert soak(610, 10, 500) is None


def test_three_waves_between_a_tenth_and_all() -> None:
    counts = [users(wave(second, 10, 500)) for second in range(180)]
    assert (min(counts), max(counts)) == (50, 500)
    assert [counts[second] for second in (0, 30, 60, 90, 120, 150)] == [50, 500, 50, 500, 50, 500]
    # No jump that Locust could not follow in the second that it has.
    assert max(abs(after - before) for before, after in itertools.pairwise(counts)) <= FAST
    assert wave(180, 10, 500) is None


@pytest.mark.parametrize("shape", [steps, spike, soak, wave])
def test_there_is_always_somebody(shape) -> None:  # type: ignore[no-untyped-def]
    for tenth in range(2000):
        tick = shape(tenth / 10, 10, 1)
        assert tick is None or (tick[0] == 1 and tick[1] > 0)
