"""--intrinsic-latency: the longest time for which the system lets this process wait, without any server.

The clock is read in a loop.  What lies between two readings is the interpreter's, 0.1 us, or the kernel's, which has
given the processor to others meanwhile: no server on this machine can do better than the longest of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Runs:
    """Readings of the clock: how many, the longest pause between two, and the time of all, in nanoseconds."""

    count: int = 0
    worst_ns: int = 0
    total_ns: int = 0

    def text(self) -> str:
        """The lines that end the measurement."""
        mean = self.total_ns / max(self.count, 1)
        return (
            f"{self.count} total runs (avg latency: {mean / 1000:.4f} microseconds / {mean:.2f} nanoseconds per run).\n"
            f"Worst run took {self.worst_ns / max(mean, 1e-9):.0f}x longer than the average latency."
        )


def measure(
    seconds: float,
    runs: Runs,
    tell: Callable[[int], None] = lambda worst_ns: None,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> None:
    """Read the clock for so long; ``tell`` gets each pause that is longer than all before by a microsecond or more."""
    begun = before = clock()
    end = begun + int(seconds * 1e9)
    worst_us = -1
    while before < end:
        now = clock()
        pause = now - before
        before = now
        runs.count += 1
        runs.total_ns = now - begun
        if pause > runs.worst_ns:
            runs.worst_ns = pause
            if pause // 1000 > worst_us:
                worst_us = pause // 1000
                tell(pause)


def run(seconds: float) -> int:
    """Print what was measured; returns the exit code."""
    runs, code = Runs(), 0
    try:
        measure(
            seconds,
            runs,
            lambda worst: print(f"Max latency so far: {worst // 1000} microseconds.", flush=True),
        )
    except KeyboardInterrupt:
        code = 130
    print(f"\n{runs.text()}")
    return code
