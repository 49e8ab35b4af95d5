"""The runs: their order and their results.

With two servers the runs alternate, so that a slow moment of the machine strikes both.  A row is one server at one
number of connections; of several repeats it shows the median throughput and the latencies of all of them together.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kedis.cli.benchmark.driver import Progress
from kedis.cli.benchmark.latency_histogram import LatencyHistogram
from kedis.cli.benchmark.measurement import Measurement
from kedis.cli.benchmark.processes import Run, execute
from kedis.cli.benchmark.server_under_test import Target, TargetError
from kedis.cli.benchmark.templates import describe
from kedis.cli.benchmark.workload import Workload

PERCENTILES = (50.0, 99.0, 99.9)


@dataclass
class Row:
    """One line of the table: a server under one load.

    Args:
        server: its name as shown.
        run: what was asked for.
        measurements: one of each repeat, the last perhaps cut short.
        note: what else tells this row from others, such as the fsync policy.
    """

    server: str
    run: Run
    measurements: list[Measurement] = field(default_factory=list)
    note: str = ""

    @property
    def throughput(self) -> float:
        """Median of the repeats, requests a second."""
        return statistics.median(part.throughput for part in self.measurements)

    @property
    def latency(self) -> LatencyHistogram:
        """Latencies of all repeats, nanoseconds."""
        whole = LatencyHistogram()
        for part in self.measurements:
            whole.merge(part.latency)
        return whole

    @property
    def operations(self) -> int:
        return sum(part.operations for part in self.measurements)

    @property
    def wrong(self) -> int:
        return sum(part.wrong for part in self.measurements)

    @property
    def unsent(self) -> int:
        return sum(part.unsent for part in self.measurements)

    @property
    def failure(self) -> str:
        """Why it is not complete; empty where it is."""
        return next((part.failure for part in self.measurements if part.failure), "")

    @property
    def server_cpu_us(self) -> float | None:
        """CPU time of the server per request, microseconds; None where it does not tell."""
        known = [part for part in self.measurements if part.server_cpu_seconds is not None]
        operations = sum(part.operations for part in known)
        if not operations:
            return None
        return sum(part.server_cpu_seconds or 0.0 for part in known) / operations * 1e6

    @property
    def load_busy(self) -> float:
        """Share of the time for which the load generator's processes were on a CPU; near 1 they were the limit."""
        seconds = sum(part.seconds for part in self.measurements)
        return sum(part.load_cpu_seconds for part in self.measurements) / seconds if seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """Every figure of the row; latencies in microseconds, the histogram in nanoseconds."""
        latency = self.latency
        return {
            "server": self.server,
            "address": self.run.target.address,
            "note": self.note,
            "mix": describe(self.run.workload.mix),
            "connections": self.run.connections,
            "pipeline": self.run.workload.pipeline,
            "operations": self.operations,
            "seconds": sum(part.seconds for part in self.measurements),
            "throughput": self.throughput,
            "throughputs": [part.throughput for part in self.measurements],
            "latency_us": {
                "mean": latency.mean / 1e3,
                **{f"p{percent:g}": latency.percentile(percent) / 1e3 for percent in PERCENTILES},
                "max": latency.maximum / 1e3,
            },
            "server_cpu_us": self.server_cpu_us,
            "load_busy": self.load_busy,
            "wrong": self.wrong,
            "unsent": self.unsent,
            "complete": not self.failure,
            "failure": self.failure,
            "histogram": latency.to_json(),
        }


class Interrupted(Exception):
    """The runs ended early; ``rows`` is what there is, the last perhaps incomplete."""

    def __init__(self, reason: str, rows: list[Row]) -> None:
        super().__init__(reason)
        self.rows = rows


def run_all(
    rows: Sequence[Row], repeats: int, watch: Callable[[Row], Progress | None], done: Callable[[Row], None]
) -> list[Row]:
    """Run each row ``repeats`` times; rows that are to be compared are adjacent and alternate.

    Args:
        rows: with nothing measured yet; those of one load (connections, note and so on) are a group.
        watch: gives the progress callback for the run of a row that is about to begin.
        done: called when all of a row's repeats are over.

    Raises Interrupted, with what was measured, when a server cannot be reached or fails, or on Ctrl-C.
    """
    finished: list[Row] = []
    filled: set[tuple[Target, Workload]] = set()
    for group in _groups(rows):
        try:
            for _ in range(repeats):
                for row in group:
                    row.measurements.append(execute(_without_filling(row.run, filled), watch(row)))
                    if row.failure:
                        raise TargetError(f"{row.run.target.address}: {row.failure}")
        except (TargetError, KeyboardInterrupt) as error:
            finished += [row for row in group if row.operations]
            raise Interrupted(str(error) or "interrupted", finished) from None
        for row in group:
            finished.append(row)
            done(row)
    return finished


def _without_filling(run: Run, filled: set[tuple[Target, Workload]]) -> Run:
    """The run, told not to fill again what the last one has filled and left as it was."""
    key = run.target, run.workload
    if key in filled:
        return replace(run, workload=replace(run.workload, fill=False))
    if run.workload.lasts:
        filled.add(key)
    return run


def _groups(rows: Sequence[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        if group and _load_of(group[0]) != _load_of(row):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _load_of(row: Row) -> tuple[Any, ...]:
    return row.note, row.run.workload, row.run.connections


def ratios(rows: Sequence[Row]) -> list[float | None]:
    """For each row, its throughput by that of the other server under the same load, where there is one."""
    found: list[float | None] = []
    for row in rows:
        rival = next((other for other in rows if other is not row and _load_of(other) == _load_of(row)), None)
        first = rival is not None and rows.index(row) < rows.index(rival)
        found.append(row.throughput / rival.throughput if first and rival and rival.throughput else None)
    return found
