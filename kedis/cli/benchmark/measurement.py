"""The figures of one run, complete or interrupted."""

from __future__ import annotations

from dataclasses import dataclass, field

from kedis.cli.benchmark.latency_histogram import LatencyHistogram


@dataclass
class Measurement:
    """Figures of one run.

    Args:
        operations: requests that were answered.
        began_ns, ended_ns: first request sent and last reply received, on the monotonic clock, which all processes
            of the machine share.
        latency: nanoseconds from a batch's (intended) start to its last reply, a value for each batch.
        wrong: replies that were errors, or not of the type that the command gives.
        first_wrong: the first of them, as text.
        load_cpu_seconds: CPU time of the load generator.
        server_cpu_seconds: CPU time of the server meanwhile, None where it does not tell.
        failure: why the run ended early; empty where it did not.
        unsent: requests of an open loop that were due when time was up and had found no idle connection.
    """

    operations: int = 0
    began_ns: int = 0
    ended_ns: int = 0
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    wrong: int = 0
    first_wrong: str = ""
    load_cpu_seconds: float = 0.0
    server_cpu_seconds: float | None = None
    failure: str = ""
    unsent: int = 0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended_ns - self.began_ns) / 1e9

    @property
    def throughput(self) -> float:
        """Requests a second."""
        return self.operations / self.seconds if self.seconds > 0 else 0.0

    def absorb(self, other: Measurement) -> None:
        """Add the figures of a process that ran at the same time."""
        if other.operations:
            self.began_ns = min(self.began_ns, other.began_ns) if self.operations else other.began_ns
            self.ended_ns = max(self.ended_ns, other.ended_ns)
        self.operations += other.operations
        self.latency.merge(other.latency)
        self.wrong += other.wrong
        self.first_wrong = self.first_wrong or other.first_wrong
        self.load_cpu_seconds += other.load_cpu_seconds
        self.failure = self.failure or other.failure
        self.unsent += other.unsent


class Recorder:
    """Takes latencies where every nanosecond counts; makes the histogram afterwards.

    ``cells[latency_ns >> CELL_SHIFT] += 1`` costs 40 ns, the histogram's own ``add`` 600 ns.  A cell is 256 ns wide
    and the last is at 67 ms; longer ones are kept in ``long`` as they are.
    """

    CELL_SHIFT = 8
    CELLS = 1 << 18

    def __init__(self) -> None:
        self.cells = [0] * self.CELLS
        self.long: list[int] = []

    def add(self, latency_ns: int) -> None:
        """Take one latency; below 0 counts as 0.  O(1)."""
        cell = max(0, latency_ns) >> self.CELL_SHIFT
        if cell < self.CELLS:
            self.cells[cell] += 1
        else:
            self.long.append(latency_ns)

    def histogram(self) -> LatencyHistogram:
        """All that was taken, each latency as the middle of its cell.  O(cells)."""
        histogram = LatencyHistogram()
        half = 1 << (self.CELL_SHIFT - 1)
        for cell, count in enumerate(self.cells):
            if count:
                histogram.add((cell << self.CELL_SHIFT) + half, count)
        histogram.add_all(self.long)
        return histogram
