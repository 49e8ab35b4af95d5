"""Random elements of a container, for SRANDMEMBER, HRANDFIELD and ZRANDMEMBER.

A count of at least 0 asks for that many distinct elements, a negative one for that many picks with repetition.

Simplification: Redis replies with any number of repeated picks, up to 2^63, until its memory is exhausted. Here more
than :data:`MOST_REPEATS` are refused.
"""

from __future__ import annotations

from random import Random
from typing import Protocol

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer
from kedis.errors import CommandError

#: The most picks with repeats in one call; so many hold the other clients up for about a second.
MOST_REPEATS = 1 << 20


class Sampled(Protocol):
    """A container that can be sampled."""

    def sample_distinct(self, rng: Random, count: int) -> list[bytes]:
        """``count`` different elements, or all of them."""

    def sample_with_repeats(self, rng: Random, count: int) -> list[bytes]:
        """``count`` independent picks."""


def parse_sample_count(raw: bytes) -> int:
    """A count, positive or negative.  CommandError when it is none, or -2^63, which has no opposite."""
    count = integer(raw)
    if count < -INT64_MAX:
        raise CommandError(errors.SAMPLE_COUNT_OUT_OF_RANGE)
    return count


def sample(container: Sampled, rng: Random, count: int) -> list[bytes]:
    """The elements that ``count`` asks for.  O(count) expected.  CommandError for too many repeats."""
    if count >= 0:
        return container.sample_distinct(rng, count)
    if -count > MOST_REPEATS:
        raise CommandError(errors.OUT_OF_RANGE)
    return container.sample_with_repeats(rng, -count)
