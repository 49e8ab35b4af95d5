"""The last five minutes of a server, a sample a second: the curves of its page.

A sample is taken whether or not anybody looks (some 0.1 ms a second), so that the page shows what was before it was
opened. Numbers are kept in arrays: integer objects that live for minutes would keep arenas of Python's allocator.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from operator import sub

from kedis.observability.figures import Figures
from kedis.observability.recent import RecentHistogram, percentile
from kedis.structures.histogram import Histogram

#: Samples that are kept.
LENGTH = 300
INTERVAL_NS = 1_000_000_000
_NS = 1e9
_ABSENT = math.nan

#: The columns of a sample, in order. Rates are a second; durations are seconds, of the second before the sample.
COLUMNS = (
    "at_ms",
    "operations",
    "request_p50",
    "request_p99",
    "used_memory",
    "resident_memory",
    "hit_ratio",
    "expired",
    "evicted",
    "clients",
    "lag",
    "fsync_p99",
    "received",
    "sent",
)


class LiveHistory:
    """The samples of ``figures``, which has a network server, and has just sampled its rates."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._samples: deque[array[float]] = deque(maxlen=LENGTH)
        self._responses = RecentHistogram(1)
        self._lags = RecentHistogram(1)
        self._fsyncs = RecentHistogram(1)
        self._due_ns = self._sampled_ns = figures.engine.monotonic()
        self._counts = self._counters()
        self._calls = figures.operations.latest
        self._recent()

    def sample(self) -> bool:
        """Take a sample if one is due; returns whether.  O(1)."""
        now = self._figures.engine.monotonic()
        if now < self._due_ns:
            if self._due_ns - now <= INTERVAL_NS:
                return False
            self._due_ns = now  # the clock was set back
        self._due_ns = max(self._due_ns + INTERVAL_NS, now)
        elapsed = max(now - self._sampled_ns, 1) / _NS
        self._sampled_ns = now
        self._samples.append(array("d", self._row(elapsed)))
        return True

    def newest(self) -> dict[str, float | None]:
        """The last sample; empty before the first."""
        return dict(zip(COLUMNS, _numbers(self._samples[-1]), strict=True)) if self._samples else {}

    def columns(self) -> dict[str, list[float | None]]:
        """All samples by column, the oldest first.  O(samples)."""
        rows = [_numbers(row) for row in self._samples]
        return {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS)}

    def _row(self, elapsed: float) -> list[float]:
        figures = self._figures
        before, self._counts = self._counts, self._counters()
        # CONFIG RESETSTAT has zeroed them.
        hits, misses, expired, evicted, received, sent = [
            max(count, 0) for count in map(sub, self._counts, before)
        ]
        responses, lags, fsyncs = self._recent()
        return [
            figures.engine.clock() // 1_000_000,
            self._operations(),
            _seconds(responses, 50),
            _seconds(responses, 99),
            figures.used_memory,
            figures.memory.resident,
            hits / (hits + misses) if hits + misses else _ABSENT,
            expired / elapsed,
            evicted / elapsed,
            len(figures.engine.clients),
            _seconds(lags, 100),
            _seconds(fsyncs, 99),
            received / elapsed,
            sent / elapsed,
        ]

    def _operations(self) -> float:
        """Commands a second, from the count that the rates have: a second one would cost as much as all the rest."""
        before, self._calls = self._calls, self._figures.operations.latest
        elapsed, calls = map(sub, self._calls, before)
        return max(calls, 0) * _NS / elapsed if elapsed > 0 else 0.0

    def _counters(self) -> tuple[int, ...]:
        figures, keyspace = self._figures, self._figures.engine.keyspace
        return (
            keyspace.hits,
            keyspace.misses,
            keyspace.expired_keys,
            sum(keyspace.eviction.evicted.values()),
            figures.server.bytes_received,
            figures.server.bytes_sent,
        )

    def _recent(self) -> tuple[Histogram, Histogram, Histogram]:
        """Replies, lags and syncs since the last sample."""
        turns = self._figures.server.cycle.figures
        return (
            self._responses.sample(turns.responses),
            self._lags.sample(turns.lags),
            self._fsyncs.sample(all_fsyncs(self._figures)),
        )


def all_fsyncs(figures: Figures) -> Histogram:
    """The syncs of the append-only file under all policies.  O(buckets)."""
    taken = figures.aof.fsyncs.values()
    return Histogram(
        map(sum, zip(*(each.counts for each in taken), strict=True)), sum(each.total for each in taken)
    )


def _seconds(histogram: Histogram, percent: float) -> float:
    found = percentile(histogram, percent)
    return _ABSENT if found is None else found / _NS


def _numbers(row: array[float]) -> list[float | None]:
    """A sample as JSON has it: no NaN, and no more digits than anybody reads."""
    return [None if math.isnan(value) else shortened(value) for value in row]


def shortened(value: float) -> float:
    """``value`` with six significant digits, a whole number where it is one; larger whole numbers are kept."""
    if value.is_integer():
        return int(value)
    return float(f"{value:.6g}")
