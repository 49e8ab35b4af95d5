"""Distributions of keys: uniform, sequential, or skewed (Zipf).

Zipf gives key ``k`` (from 1) the weight ``k ** -theta``.  It is drawn by rejection-inversion (Hörmann and Derflinger,
"Rejection-inversion to generate variates from monotone discrete distributions", 1996): no table, so a key space of
any size costs nothing beforehand, and about 1.1 draws a number.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

Draw = Callable[[], int]


def uniform(size: int, rng: random.Random) -> Draw:
    """Each of 0 … ``size`` - 1 as often as any other."""
    return lambda: int(rng.random() * size)


def sequential(size: int) -> Draw:
    """0, 1, … ``size`` - 1, and again from 0."""
    position = -1

    def draw() -> int:
        nonlocal position
        position = (position + 1) % size
        return position

    return draw


def zipf(size: int, theta: float, rng: random.Random) -> Draw:
    """0 the most often, then 1, and so on, with weights (k + 1) ** -theta.  Expected O(1) a number.

    Raises ValueError unless ``theta`` is above 0.
    """
    if theta <= 0 or not math.isfinite(theta):
        raise ValueError("theta of a Zipf distribution is above 0")

    # The area under x ** -theta from 1 to x, and the x of an area; expm1 and log1p keep them exact near theta = 1.
    def area(x: float) -> float:
        log = math.log(x)
        exponent = (1 - theta) * log
        return log if abs(exponent) < 1e-12 else log * math.expm1(exponent) / exponent

    def inverse(value: float) -> float:
        scaled = (1 - theta) * value
        if abs(scaled) < 1e-12:
            return math.exp(value)
        return math.exp(value * math.log1p(max(scaled, -1 + 1e-16)) / scaled)

    low, high = area(1.5) - 1, area(size + 0.5)
    certain = 2 - inverse(area(2.5) - 2**-theta)

    def draw() -> int:
        while True:
            value = high + rng.random() * (low - high)
            x = inverse(value)
            rank = min(max(int(x + 0.5), 1), size)
            if rank - x <= certain or value >= area(rank + 0.5) - rank**-theta:
                return rank - 1

    return draw


def named(name: str, size: int, rng: random.Random) -> Draw:
    """``uniform``, ``sequential``, ``zipf`` (theta 0.99) or ``zipf:THETA``.

    Raises ValueError, with a text for the user, for anything else.
    """
    kind, _, parameter = name.partition(":")
    if kind == "zipf":
        try:
            return zipf(size, float(parameter) if parameter else 0.99, rng)
        except ValueError:
            raise ValueError(f"{name!r}: write zipf:THETA with THETA above 0, such as zipf:0.99") from None
    if parameter or kind not in ("uniform", "sequential"):
        raise ValueError(f"{name!r} is no distribution; there are uniform, sequential and zipf:THETA")
    return uniform(size, rng) if kind == "uniform" else sequential(size)
