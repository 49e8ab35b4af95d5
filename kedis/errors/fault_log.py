"""The log of internal errors, limited to one entry a minute for each place.

A fault may recur with every turn of the event loop, a thousand times a second; tracebacks would fill the disk.  Omitted
entries are counted, and the next one gives their number.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kedis.process.clock import monotonic

INTERVAL_SECONDS = 60.0


class FaultLog:
    """Writes to ``log``; ``clock`` gives seconds of which only differences count."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def report(self, place: str, error: BaseException) -> bool:
        """Log that ``error`` struck in ``place``, unless that was logged less than a minute ago.

        With the traceback, except for MemoryError, which may strike anywhere.  Returns whether it was logged.
        ``place`` is one of a bounded number of texts: each is remembered.
        """
        if not self._is_due(place):
            return False
        left_out = self._left_out.pop(place, 0)
        more = f" ({left_out} more since it was last logged)" if left_out else ""
        if isinstance(error, MemoryError):
            self._log.error("not enough memory for %s%s", place, more)
        else:
            self._log.error("internal error in %s%s", place, more, exc_info=error)
        return True

    def announce(self, text: str) -> bool:
        """Log ``text``, what is done about an error, as critical; the same limit.  Returns whether it was logged."""
        if not self._is_due(text):
            return False
        self._left_out.pop(text, None)
        self._log.critical("%s", text)
        return True

    def _is_due(self, place: str) -> bool:
        now = self._clock()
        last = self._last.get(place)
        if last is not None and now - last < INTERVAL_SECONDS:
            self._left_out[place] = self._left_out.get(place, 0) + 1
            return False
        self._last[place] = now
        return True
