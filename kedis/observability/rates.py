"""Rates per second over the last moments, from counters that only grow.

Sixteen samples, a tenth of a second apart, are averaged: ``instantaneous_ops_per_sec`` covers the last 1.6
seconds.
"""

from __future__ import annotations

from collections import deque

SAMPLES = 16


class Rate:
    """The speed of one counter."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES + 1)

    def sample(self, now_ns: int, count: int) -> None:
        """Add the counter's value.  After a reset of the counter (CONFIG RESETSTAT) the average starts anew."""
        if self._samples and (count < self._samples[-1][1] or now_ns < self._samples[-1][0]):
            self._samples.clear()
        self._samples.append((now_ns, count))

    @property
    def latest(self) -> tuple[int, int]:
        """Nanoseconds and the counter's value of the last sample; zeros before the first."""
        return self._samples[-1] if self._samples else (0, 0)

    @property
    def per_second(self) -> float:
        """The average over the samples; 0 before there are two."""
        if len(self._samples) < 2:
            return 0.0
        first, last = self._samples[0], self._samples[-1]
        elapsed = last[0] - first[0]
        return (last[1] - first[1]) * 1e9 / elapsed if elapsed else 0.0
