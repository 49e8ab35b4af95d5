"""The counters of one command: calls by duration, failures and rejections by error code."""

from __future__ import annotations

from array import array

#: Durations are counted in units of 2^6 ns.
_UNIT_BITS = 6
#: Limit in units (32.8 us) below which every duration has a counter of its own.
_SHORT = 512
#: Significant bits of longer durations: steps of 1/128, as the two significant figures of Redis's.
_PRECISION = 8
#: Buckets of each power of two from there on, and the digits of the first.
_STEPS = 1 << _PRECISION - 1
_FIRST_DIGITS = _SHORT.bit_length()


def _place(units: int) -> int:
    """The bucket of a longer duration."""
    digits = units.bit_length()
    return (digits - _FIRST_DIGITS) * _STEPS + (units >> digits - _PRECISION) - _STEPS


def _last_unit(place: int) -> int:
    """The last unit of a bucket."""
    power, step = divmod(place, _STEPS)
    shift = power + _FIRST_DIGITS - _PRECISION
    return (step + _STEPS + 1 << shift) - 1


def bucket_end_ns(place: int) -> int:
    """The longest duration in a bucket, where those of longer calls follow the short ones. O(1)."""
    last = place if place < _SHORT else _last_unit(place - _SHORT)
    return (last + 1 << _UNIT_BITS) - 1


#: Codes of errors that are told apart, as in Redis from 7.2 on: a script can invent any number of them.
MOST_CODES = 128
#: What all others count as.
OTHER_CODES = "ERRORSTATS_OVERFLOW"


class ErrorCounts(dict[str, int]):
    """Errors by the first word of the reply, of which the first ``MOST_CODES`` that occur are told apart.

    Not a collections.Counter, which takes ten times as long to make: an engine makes 700 of them.
    """

    def __missing__(self, code: str) -> int:
        return 0

    def add(self, code: str) -> None:
        """Count an error. O(1)."""
        if code not in self and len(self) >= MOST_CODES:
            code = OTHER_CODES
        self[code] += 1


class Counters:
    """Live figures of one command; plain integers, so that the hot path touches nothing else. The native path adds to
    the same array.

    ``histogram[i]`` counts the calls that took between 64 i and 64 i + 63 nanoseconds. It covers the durations below
    ``short_ns``, which is 0 before the first call; longer ones go to :meth:`count`. ``errors`` counts the calls that
    ran and failed, ``refusals`` those that did not run, by the first word of the reply.

    Both histograms are arrays: integer objects that live as long as the process, a few more with every hour, would
    stand in the same arenas of Python's allocator as the data, and a single one keeps an arena of 1 MB. (In a dict
    they kept 35 MB of 60 after FLUSHALL.)
    """

    __slots__ = ("errors", "histogram", "longer", "nanoseconds", "refusals", "short_ns")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Zero everything (CONFIG RESETSTAT)."""
        self.nanoseconds = 0
        self.histogram: array[int] = array("q")
        self.short_ns = 0
        #: Longer calls, by bucket; as long as the longest has needed.
        self.longer: array[int] = array("q")
        self.errors = ErrorCounts()
        self.refusals = ErrorCounts()

    @property
    def is_used(self) -> bool:
        """Whether anything has been counted."""
        return bool(self.short_ns or self.errors or self.refusals)

    def count(self, elapsed_ns: int) -> None:
        """Count a call; a negative duration, from a clock that was set back, counts as zero. O(1)."""
        if not self.histogram:
            self.histogram = array("q", bytes(8 * _SHORT))
            self.short_ns = _SHORT << _UNIT_BITS
        units = max(elapsed_ns, 0) >> _UNIT_BITS
        if units < _SHORT:
            self.histogram[units] += 1
        else:
            place = _place(units)
            if place >= len(self.longer):
                self.longer.frombytes(bytes(8 * (place + 1 - len(self.longer))))
            self.longer[place] += 1

    def durations(self) -> list[tuple[int, int]]:
        """(upper bound in nanoseconds, calls) of each non-empty bucket, rising. O(buckets)."""
        found = [(units, calls) for units, calls in enumerate(self.histogram) if calls]
        found += [(_last_unit(place), calls) for place, calls in enumerate(self.longer) if calls]
        return [((units + 1 << _UNIT_BITS) - 1, calls) for units, calls in found]

    @property
    def calls(self) -> int:
        return sum(self.histogram) + sum(self.longer)

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def rejected(self) -> int:
        return sum(self.refusals.values())
