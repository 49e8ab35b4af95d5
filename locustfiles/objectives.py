"""Objectives on the command line: a run that misses one exits with code 1 and says which.

``--objective-p99-ms 20`` looks at all requests of type ``redis``, those that may wait for others left out;
``--objective-rps 1000`` at how many of them there were a second, from the first to the last.  A run without a single
request has missed everything.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from locust.stats import RequestStats, StatsEntry

#: Option -> share of the requests.
PERCENTILES = {"objective_p50_ms": 0.5, "objective_p99_ms": 0.99, "objective_p999_ms": 0.999}


def add_options(parser: Any) -> None:
    """Add the objectives to Locust's command line."""
    group = parser.add_argument_group("objectives", "missed, they make the exit code 1")
    for name, share in PERCENTILES.items():
        flag = "--" + name.replace("_", "-")
        group.add_argument(
            flag, type=float, metavar="MS", help=f"at most so long for {share:.1%} of the requests"
        )
    group.add_argument("--objective-rps", type=float, metavar="N", help="at least so many requests a second")


def whole(stats: RequestStats) -> StatsEntry:
    """All requests of type ``redis`` in one entry."""
    entry = StatsEntry(stats, "all", "redis")
    first = True
    for (_, method), part in stats.entries.items():
        if method != "redis" or not part.num_requests:
            continue
        if first:
            entry.start_time, first = part.start_time, False
        entry.extend(part)
    return entry


def missed(stats: RequestStats, options: Any) -> list[str]:
    """A line for each objective that was missed."""
    entry = whole(stats)
    if not entry.num_requests:
        return ["no request was made"]
    lines = []
    for name, share in PERCENTILES.items():
        limit = getattr(options, name, None)
        found = entry.get_response_time_percentile(share)
        if limit is not None and found > limit:
            lines.append(
                f"{share:.1%} of the requests took up to {found:.3f} ms, the objective is {limit:g} ms"
            )
    rate = getattr(options, "objective_rps", None)
    if rate is not None and entry.total_rps < rate:
        lines.append(f"there were {entry.total_rps:,.0f} requests a second, the objective is {rate:,.0f}")
    return lines


SHARES = (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)


def write_microseconds(stats: RequestStats, file: Path) -> None:
    """Percentiles of each request in microseconds, which Locust's own CSV files cut to whole milliseconds."""
    with file.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(
            ["method", "name", "requests", "failures", "mean_us", *[f"p{100 * s:g}_us" for s in SHARES]]
        )
        for (name, method), entry in sorted(stats.entries.items()):
            times = [1e3 * entry.get_response_time_percentile(share) for share in SHARES]
            figures = [f"{value:.0f}" for value in (1e3 * entry.avg_response_time, *times)]
            writer.writerow([method, name, entry.num_requests, entry.num_failures, *figures])
