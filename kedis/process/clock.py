"""The clocks, also in a program that freezes time for its tests (freezegun, time-machine).

The wall clock is the program's: where it is frozen or moved, so are expiry times. Durations are real: a timeout must
end although the program's time stands still. Freezers replace functions of :mod:`time`, also those that other modules
have imported by name, whether before or after; so the wall clock is looked up by each call, and the monotonic clock is
read by a function that they leave alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial


def program_ns() -> int:
    """The wall clock as the program sees it, in nanoseconds since 1970."""
    return time.time_ns()


if hasattr(time, "clock_gettime_ns"):
    #: A clock that is never set nor frozen, in nanoseconds since any moment.
    monotonic_ns: Callable[[], int] = partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)
    #: The same in seconds.
    monotonic: Callable[[], float] = partial(time.clock_gettime, time.CLOCK_MONOTONIC)
else:  # Windows, where a freezer that has begun before this import may stop them
    monotonic_ns = partial(time.monotonic_ns)
    monotonic = partial(time.monotonic)

#: The wall clock in nanoseconds since 1970, by a function that the native path may replace, and :data:`monotonic_ns`.
SYSTEM_CLOCKS: tuple[Callable[[], int], Callable[[], int]] = (time.time_ns, monotonic_ns)
#: The same for engines in a program: the wall clock is the program's.
PROGRAM_CLOCKS: tuple[Callable[[], int], Callable[[], int]] = (program_ns, monotonic_ns)
