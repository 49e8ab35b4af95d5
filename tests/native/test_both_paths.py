"""The native path does what the Python path does: the same bytes through both, with random flags."""

from __future__ import annotations

import os
from random import Random

import pytest

pytest.importorskip("kedis.native.path", reason="the extension was not built")

from tests.native import fuzz, stories

SEEDS = int(os.environ.get("KEDIS_NATIVE_STORIES", "12"))
INPUTS = int(os.environ.get("KEDIS_NATIVE_INPUTS", "10000"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_same_story_through_both_paths(seed: int) -> None:
    steps = stories.draw(Random(seed), 120)
    stories.run(steps, seed)


def test_a_sample_of_the_random_inputs() -> None:
    """What ``make fuzz-native`` does a million times; memory is judged there."""
    done, seed = 0, 10_000
    while done < INPUTS:
        done += fuzz.story(seed)
        seed += 1
