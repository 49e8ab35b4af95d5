"""The sections of INFO with a line for each command, error or database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kedis.observability.latency import percentile_us

if TYPE_CHECKING:
    from kedis.observability.figures import Figures

Lines = Iterator[tuple[str, str]]


def command_lines(observer: Figures) -> Lines:
    """Calls, time, refusals and failures of each command that was called.  O(commands)."""
    for row in observer.engine.table.every():
        counters = row.counters
        calls = counters.calls
        if calls or counters.rejected or counters.failed:
            microseconds = counters.nanoseconds // 1000
            each = counters.nanoseconds / 1000 / calls if calls else 0.0
            yield (
                f"cmdstat_{row.name}",
                f"calls={calls},usec={microseconds},usec_per_call={each:.2f},"
                f"rejected_calls={counters.rejected},failed_calls={counters.failed}",
            )


def error_lines(observer: Figures) -> Lines:
    """How often each kind of error was answered.  O(kinds)."""
    for code, count in sorted(observer.engine.table.error_counts.items()):
        yield f"errorstat_{code}", f"count={count}"


def percentile_lines(observer: Figures) -> Lines:
    """The percentiles that ``latency-tracking-info-percentiles`` names, of each command.  O(commands)."""
    config = observer.engine.config
    if not config.latency_tracking:
        return
    wanted = [(f"p{percent:g}", percent) for percent in config.latency_tracking_info_percentiles]
    for row in observer.engine.table.every():
        durations = row.counters.durations()
        if durations:
            values = (f"{name}={percentile_us(durations, percent):.3f}" for name, percent in wanted)
            yield f"latency_percentiles_usec_{row.name}", ",".join(values)


def database_lines(observer: Figures) -> Lines:
    """Keys of each database that has any.  O(databases)."""
    for number, keys, expires, average in observer.databases():
        yield f"db{number}", f"keys={keys},expires={expires},avg_ttl={average:.0f}"
