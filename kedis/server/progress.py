"""The lines in the log that say how far loading has come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from kedis.persistence.loader import Loader

log = logging.getLogger("kedis.aof")

_INTERVAL = 2.0


class Progress:
    """Reports on a loader every two seconds, so that a small file is loaded without a word."""

    def __init__(self, loader: Loader, clock: Callable[[], float] = time.monotonic) -> None:
        self._loader = loader
        self._clock = clock
        self._began = clock()
        self._next = self._began + _INTERVAL

    def report(self) -> None:
        """Write a line if it is time for one."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _INTERVAL
        loader = self._loader
        seconds = now - self._began
        rate = loader.loaded_bytes / seconds
        log.info(
            "loading: %.0f of %.0f MB (%.0f%%), %d keys, %.0f commands/s, %.0f MB/s, %.0f s left",
            loader.loaded_bytes / 1e6,
            loader.total_bytes / 1e6,
            100 * loader.loaded_bytes / max(loader.total_bytes, 1),
            loader.keys,
            loader.commands / seconds,
            rate / 1e6,
            (loader.total_bytes - loader.loaded_bytes) / max(rate, 1),
        )
