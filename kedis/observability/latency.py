"""Latency: the monitor of slow events, and percentiles of the commands' histograms.

Durations of commands are counted in buckets of 64 ns, and of 1/128 beyond 16 us
(:class:`kedis.engine.table.Counters`).  A percentile is the upper end of its bucket, as in Redis, so that it is
above the longest call by no more than that.

The monitor keeps, for each class of event, the last 160 seconds in which one reached
``latency-monitor-threshold``, as Redis does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from kedis.observability.sparkline import sparkline

SAMPLES = 160
_RULE = "-" * 80
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


class Event:
    """Samples of one class of event: (seconds since 1970, milliseconds), at most one a second."""

    __slots__ = ("highest", "samples")

    def __init__(self) -> None:
        self.samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)
        self.highest = 0

    def add(self, at_seconds: int, milliseconds: int) -> None:
        """Add a sample; of several in one second the longest is kept."""
        self.highest = max(self.highest, milliseconds)
        if self.samples and self.samples[-1][0] == at_seconds:
            milliseconds = max(milliseconds, self.samples.pop()[1])
        self.samples.append((at_seconds, milliseconds))


class LatencyMonitor:
    """Events by class, such as ``command``, ``fast-command``, ``aof-fsync-always``."""

    def __init__(self) -> None:
        self.threshold_ms = 0
        self.events: dict[bytes, Event] = {}

    def add(self, name: bytes, at_seconds: int, milliseconds: int) -> None:
        """Add a sample if it reaches the threshold; threshold 0 turns the monitor off.  O(1)."""
        if self.threshold_ms and milliseconds >= self.threshold_ms:
            self.events.setdefault(name, Event()).add(at_seconds, milliseconds)

    def latest(self) -> list[tuple[bytes, int, int, int]]:
        """Class, second and length of the last sample, and the longest ever, of each class."""
        return [(name, *event.samples[-1], event.highest) for name, event in self.events.items()]

    def history(self, name: bytes) -> list[tuple[int, int]]:
        """The samples of one class, the oldest first."""
        return list(self.events[name].samples) if name in self.events else []

    def graph(self, name: bytes, now_seconds: int) -> str | None:
        """The samples of one class, drawn; None when there are none.  O(N)."""
        event = self.events.get(name)
        if event is None:
            return None
        lengths = [length for _, length in event.samples]
        ages = [_age(now_seconds - at_seconds) for at_seconds, _ in event.samples]
        title = (
            f"{name.decode('utf-8', 'replace')} - high {max(lengths)} ms, low {min(lengths)} ms "
            f"(all time high {event.highest} ms)"
        )
        return f"{title}\n{_RULE}\n{sparkline(lengths, ages)}"

    def reset(self, names: Sequence[bytes]) -> int:
        """Forget the classes named, or all; returns how many there were."""
        chosen = [name for name in names or list(self.events) if self.events.pop(name, None) is not None]
        return len(chosen)

    def report(self) -> str:
        """LATENCY DOCTOR: the events as text."""
        if not self.threshold_ms:
            return (
                "Nothing is being watched: latency-monitor-threshold is 0. "
                "CONFIG SET latency-monitor-threshold <milliseconds> starts it.\n"
            )
        if not self.events:
            return f"No event has taken {self.threshold_ms} ms or more.\n"
        lines = [f"Events of {self.threshold_ms} ms or more:"]
        for name, event in self.events.items():
            lengths = [length for _, length in event.samples]
            average = sum(lengths) / len(lengths)
            lines.append(
                f"{name.decode('utf-8', 'replace')}: {len(lengths)} seconds with such events, on average "
                f"{average:.0f} ms, at most {event.highest} ms. LATENCY HISTORY lists them; SLOWLOG GET shows commands."
            )
        return "\n".join(lines) + "\n"


def _age(seconds: int) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "0s"


#: A bucket of the commands' durations: nanoseconds at most, and calls.
Bucket = tuple[int, int]
#: The least bound of LATENCY HISTOGRAM, 2^10 ns.
_FIRST_BOUND_BITS = 10


def percentile_us(durations: Sequence[Bucket], percent: float) -> float:
    """The microseconds that ``percent`` of the calls do not exceed; 0 without calls.  O(buckets)."""
    wanted = max(1, int(sum(calls for _, calls in durations) * percent / 100 + 0.5))
    reached = 0
    for most_ns, calls in durations:
        reached += calls
        if reached >= wanted:
            return most_ns / 1000
    return 0.0


def cumulative_us(durations: Sequence[Bucket]) -> dict[int, int]:
    """Microseconds -> calls that took no longer, at each bound below which something was added.

    The bounds are Redis's: the powers of two of nanoseconds from 2^10 on, each with all that two significant figures do
    not tell from it, cut to microseconds.  O(buckets).
    """
    found: dict[int, int] = {}
    total, bits = 0, _FIRST_BOUND_BITS
    for most_ns, calls in durations:
        while most_ns > _bound_ns(bits):
            bits += 1
        total += calls
        found[_bound_ns(bits) // 1000] = total
    return found


def _bound_ns(bits: int) -> int:
    return (1 << bits) + (1 << bits - 7) - 1
