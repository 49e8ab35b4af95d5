"""Which keys are drawn: seeded, inside of the key space, and Zipf by its formula."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedis.cli.benchmark.distributions import named

DRAWS = 200_000


@given(
    st.sampled_from(["uniform", "sequential", "zipf", "zipf:0.5", "zipf:1", "zipf:1.5"]), st.integers(1, 50)
)
def test_numbers_stay_inside_and_repeat_with_the_seed(name: str, size: int) -> None:
    first, second = (named(name, size, random.Random(7)) for _ in range(2))
    numbers = [first() for _ in range(200)]
    assert all(0 <= number < size for number in numbers)
    assert numbers == [second() for _ in range(200)]


@pytest.mark.parametrize("theta", [0.5, 0.99, 1.0, 1.3])
def test_zipf_has_the_shares_of_its_formula(theta: float) -> None:
    size = 1_000
    draw = named(f"zipf:{theta}", size, random.Random(1))
    counts = Counter(draw() for _ in range(DRAWS))
    weights = [(key + 1) ** -theta for key in range(size)]
    for key in (0, 1, 2, 9, 99):
        expected = weights[key] / sum(weights) * DRAWS
        # Five standard deviations; the seed is fixed, so this holds always or never.
        assert abs(counts[key] - expected) < 5 * expected**0.5


def test_uniform_draws_all_alike() -> None:
    draw = named("uniform", 10, random.Random(1))
    counts = Counter(draw() for _ in range(DRAWS))
    assert len(counts) == 10
    assert max(counts.values()) - min(counts.values()) < 0.05 * DRAWS / 10


def test_sequential_counts_and_begins_again() -> None:
    draw = named("sequential", 3, random.Random(1))
    assert [draw() for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("name", ["gauss", "zipf:x", "zipf:0", "zipf:-1", "zipf:inf", "uniform:3", ""])
def test_nonsense_is_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match=r"distribution|THETA"):
        named(name, 10, random.Random(1))
