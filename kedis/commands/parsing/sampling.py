"""Random elements of a container, for SRANDMEMBER, HRANDFIELD and ZRANDMEMBER.

A count of at least 0 asks for that many distinct elements, a negative one for that many picks with repetition.

Simplification: Redis replies with any number of repeated picks, up to 2^63, until its memory is exhausted. Here more
than :data:`MOST_REPEATS` are refused.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Protocol

from kedis import errors
from kedis.commands.parsing.numbers import INT64_MAX
from kedis.commands.parsing.options import integer
from kedis.errors import CommandError, value_errors

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: The most picks with repeats in one call; so many hold the other clients up for about a second.
MOST_REPEATS = 1 << 20
#: Bytes of the shortest element of a reply.
_LEAST_BYTES = len(b"$0\r\n\r\n")


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
        raise CommandError(value_errors.SAMPLE_COUNT_OUT_OF_RANGE)
    return count


def sample(client: Client, container: Sampled, count: int) -> list[bytes]:
    """The elements that ``count`` asks for.  O(count) expected.  CommandError for too many repeats."""
    rng = client.db.keyspace.random
    if count >= 0:
        return container.sample_distinct(rng, count)
    return container.sample_with_repeats(rng, repeats(client, count))


def repeats(client: Client, count: int) -> int:
    """How many picks a negative ``count`` asks for.  CommandError for more than :data:`MOST_REPEATS`.

    Where fewer make a reply that client-output-buffer-limit does not let pass, they suffice: it ends the client.
    """
    if -count <= MOST_REPEATS:
        return -count
    limit = client.output_limit()
    if not limit or limit // _LEAST_BYTES >= MOST_REPEATS:
        raise CommandError(errors.OUT_OF_RANGE)
    return limit // _LEAST_BYTES + 1
