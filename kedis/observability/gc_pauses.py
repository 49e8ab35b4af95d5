"""Pauses of Python's cyclic garbage collector.

They are timed by ``gc.callbacks``, which the collector calls at its start and end. It is one for the whole process, so
several servers in one program see the same pauses.
"""

from __future__ import annotations

import gc

from kedis.process.clock import monotonic_ns
from kedis.structures.histogram import Histogram

_GENERATIONS = 3


class GcPauses:
    """Pauses and freed objects by generation, from :meth:`start` to :meth:`stop`."""

    def __init__(self) -> None:
        self.pauses = [Histogram() for _ in range(_GENERATIONS)]
        self.collected = [0] * _GENERATIONS
        self._began = 0

    def start(self) -> None:
        """Begin to time."""
        gc.callbacks.append(self.notice)

    def stop(self) -> None:
        """Stop timing; idempotent."""
        if self.notice in gc.callbacks:
            gc.callbacks.remove(self.notice)

    def notice(self, phase: str, info: dict[str, int]) -> None:
        """Callback of the collector. Allocates no object that the collector would have to track."""
        if phase == "start":
            self._began = monotonic_ns()
        elif self._began:
            self.pauses[info["generation"]].add(monotonic_ns() - self._began)
            self.collected[info["generation"]] += info["collected"]
