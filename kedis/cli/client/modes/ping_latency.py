"""--latency and --latency-history: how long a PING takes there and back, sampled 100 times a second.

The unit is the millisecond, with three decimals (redis-cli's whole milliseconds are all 0 or 1 on one
machine). On a terminal the line is rewritten until Ctrl-C; otherwise one line is printed after the interval.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from kedis.cli.client.link import Link
from kedis.cli.client.render import Form

_SECONDS_BETWEEN_SAMPLES = 0.01


@dataclass
class Sample:
    """The round-trip times of one interval, in milliseconds."""

    smallest: float = 0.0
    largest: float = 0.0
    total: float = 0.0
    count: int = 0

    def add(self, milliseconds: float) -> None:
        """Count one round trip."""
        self.smallest = milliseconds if not self.count else min(self.smallest, milliseconds)
        self.largest = max(self.largest, milliseconds)
        self.total += milliseconds
        self.count += 1

    @property
    def average(self) -> float:
        """The mean."""
        return self.total / self.count if self.count else 0.0

    def text(self, form: Form) -> str:
        """One line: min, max, average, number of samples."""
        numbers = [f"{value:.3f}" for value in (self.smallest, self.largest, self.average)]
        if form is Form.RAW:
            return " ".join([*numbers, str(self.count)])
        if form is Form.CSV:
            return ",".join([*numbers, str(self.count)])
        if form in (Form.JSON, Form.QUOTED_JSON):
            least, most, mean = numbers
            return f'{{"min": {least}, "max": {most}, "avg": {mean}, "count": {self.count}}}'
        return "min: {}, max: {}, avg: {} ({} samples)".format(*numbers, self.count)


def measure(
    link: Link,
    seconds: float | None,
    show: Callable[[Sample], None] = lambda sample: None,
    clock: Callable[[], float] = time.perf_counter,
    pause: Callable[[float], None] = time.sleep,
) -> Sample:
    """Sample for `seconds` (None: until interrupted); `show` gets the sums after each sample. Raises LinkLost."""
    sample = Sample()
    begun = clock()
    while True:
        before = clock()
        link.send([b"PING"])
        after = clock()
        sample.add((after - before) * 1000)
        show(sample)
        if seconds is not None and after - begun >= seconds:
            return sample
        pause(_SECONDS_BETWEEN_SAMPLES)


def run(link: Link, form: Form, interval: float | None, history: bool) -> int:
    """Print what was measured; returns the exit code. Raises LinkLost."""
    live = sys.stdout.isatty() and form is Form.HUMAN
    while True:
        seconds = None if live and not history else (interval or (15.0 if history else 1.0))
        sample = measure(link, seconds, _rewrite if live else lambda sample: None)
        ending = f" -- {seconds:.2f} seconds range" if history and form is Form.HUMAN else ""
        print(("\r\x1b[K" if live else "") + sample.text(form) + ending, flush=True)
        if not history:
            return 0


def _rewrite(sample: Sample) -> None:
    sys.stdout.write("\r\x1b[K" + sample.text(Form.HUMAN))
    sys.stdout.flush()
