"""How long Python's collector of cyclic garbage stops everything.

It tells those who have asked (``gc.callbacks``) when it begins and when it ends; it is one for the whole process, so
several servers in one program see the same pauses.
"""

from __future__ import annotations

import gc
import time

from kedis.structures.histogram import Histogram

_GENERATIONS = 3


class CollectorPauses:
    """Pauses and freed objects by generation, from :meth:`start` to :meth:`stop`."""

    def __init__(self) -> None:
        self.pauses = [Histogram() for _ in range(_GENERATIONS)]
        self.collected = [0] * _GENERATIONS
        self._began = 0

    def start(self) -> None:
        """Begin to watch."""
        gc.callbacks.append(self.notice)

    def stop(self) -> None:
        """Watch no more; idempotent."""
        if self.notice in gc.callbacks:
            gc.callbacks.remove(self.notice)

    def notice(self, phase: str, info: dict[str, int]) -> None:
        """Called by the collector.  Makes no objects that it would have to look at."""
        if phase == "start":
            self._began = time.perf_counter_ns()
        elif self._began:
            self.pauses[info["generation"]].add(time.perf_counter_ns() - self._began)
            self.collected[info["generation"]] += info["collected"]
