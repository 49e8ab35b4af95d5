"""How many users there are at each moment of a run, as functions of the time and nothing else.

Each takes the seconds since the start, the seconds of a stage and the most users, and returns users and how many of
them may begin or end in a second; None when the run is over.
"""

from __future__ import annotations

import math

Tick = tuple[int, float] | None

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
#: Stages of a soak at full load; it begins with one of growth.
SOAK_STAGES = 60
WAVES, STAGES_OF_A_WAVE = 3, 6
#: Stages before, during and after a spike.
SPIKE = (2, 1, 2)
#: As many a second as Locust begins without a warning.
FAST = 100.0


def steps(seconds: float, stage: float, most: int) -> Tick:
    """1 2 5 10 20 50 100 200 500 users, a stage each, those above ``most`` left out."""
    counts = [count for count in STEPS if count <= most]
    number = int(seconds // stage)
    return (counts[number], FAST) if number < len(counts) else None


def spike(seconds: float, stage: float, most: int) -> Tick:
    """A tenth of the users; for one stage, and at once, all; a tenth again."""
    before, during, after = SPIKE
    number = seconds / stage
    if number >= before + during + after:
        return None
    inside = before <= number < before + during
    return (most if inside else max(1, most // 10)), FAST


def soak(seconds: float, stage: float, most: int) -> Tick:
    """Growth for a stage, then all users for 60 stages."""
    if seconds >= stage * (1 + SOAK_STAGES):
        return None
    return most, max(0.1, most / stage)


def wave(seconds: float, stage: float, most: int) -> Tick:
    """Three waves between a tenth of the users and all, six stages each."""
    length = stage * STAGES_OF_A_WAVE
    if seconds >= length * WAVES:
        return None
    low = max(1, most // 10)
    height = (1 - math.cos(2 * math.pi * seconds / length)) / 2
    return low + round((most - low) * height), FAST
