"""From the table of metrics to the text that Prometheus reads, a little at a time.

prometheus_client writes headers and label sets, and with them settles what is escaped how; but at 7 us for a line of
the text format and 13 us for one of OpenMetrics, the 9,000 lines of a server on which every command has been used
would take 2 % of a core at one scrape every 5 seconds.  So its work is kept: a series is written by it once, and from
then on only the number behind it changes (0.3 us; ``ops/bench/metrics.py``).

:meth:`Exposition.render` is a generator of short pieces, so that whoever serves them decides when to let others have
their turn.  :class:`MetricsCollector` gives the same families to a registry of prometheus_client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from kedis.observability.metrics import FAMILIES
from kedis.observability.metrics_family import Buckets, Family

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from kedis.observability.observer import Observer

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_END = {TEXT: "", OPENMETRICS: "# EOF\n"}


class MetricsCollector:
    """The families of the table as prometheus_client knows them; to be registered in one of its registries."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def collect(self) -> Iterator[Metric]:
        """Yield every family with its present values."""
        self._observer.begin_scrape()
        for family in FAMILIES:
            metric = _metric(family)
            for labels, value in family.read(self._observer):
                _add_samples(metric, family, labels, value)
            yield metric


class Exposition:
    """Writes the metrics in one of the two formats; keeps what does not change.

    Args:
        content_type: :data:`TEXT` or :data:`OPENMETRICS`.
    """

    def __init__(self, content_type: str) -> None:
        # Not before a scrape: it takes 30 ms to import, and most servers in programs are never asked.
        from prometheus_client.exposition import generate_latest
        from prometheus_client.openmetrics import exposition as openmetrics

        self.content_type = content_type
        self._write: Callable[[Any], bytes] = generate_latest
        if content_type == OPENMETRICS:
            self._write = openmetrics.generate_latest
        self._headers: dict[str, str] = {}
        self._series: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def render(self, observer: Observer) -> Iterator[str]:
        """Yield the text in pieces, each of at most a few dozen lines.  O(series)."""
        for family in FAMILIES:
            header = self._headers.get(family.name)
            if header is None:
                header = self._headers[family.name] = self._header(family)
            yield header
            name = family.name
            known = self._series.get
            for labels, value in family.read(observer):
                series = known((name, labels)) or self._begin_series(family, labels, value)
                if family.buckets is None:
                    yield f"{series[0]}{value + 0}\n"
                else:
                    yield _histogram_lines(series, family.buckets, value)
        yield _END[self.content_type]

    def _header(self, family: Family) -> str:
        return self._lines(_metric(family), comments=True)

    def _begin_series(self, family: Family, labels: tuple[str, ...], value: Any) -> list[str]:
        """The text before the numbers of one series, cached unless the family is changing."""
        metric = _metric(family)
        _add_samples(metric, family, labels, value)
        lines = self._lines(metric, comments=False).splitlines()
        series = [line.rpartition(" ")[0] + " " for line in lines]
        if not family.changing:
            self._series[(family.name, labels)] = series
        return series

    def _lines(self, metric: Metric, *, comments: bool) -> str:
        text = self._write(_Single(metric)).decode()
        lines = [line for line in text.splitlines() if line.startswith("#") == comments and line != "# EOF"]
        return "".join(f"{line}\n" for line in lines)


class _Single:
    """What prometheus_client's writers take: something that can be asked to collect."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Sequence[Metric]:
        return (self._metric,)


def _metric(family: Family) -> Metric:
    from prometheus_client.metrics_core import Metric

    kind, name = family.kind, family.name
    if kind == "counter":
        # Some counters of redis_exporter lack the ending that prometheus_client, after OpenMetrics, demands of them.
        kind = "counter" if name.endswith("_total") else "unknown"
        name = name.removesuffix("_total") if kind == "counter" else name
    return Metric(name, family.help, kind, family.unit)


def _add_samples(metric: Metric, family: Family, labels: tuple[str, ...], value: Any) -> None:
    named = dict(zip(family.labels, labels, strict=True))
    if family.buckets is None:
        metric.add_sample(family.name, named, value + 0)  # True is 1
        return
    bounds = [*map(repr, family.buckets.bounds), "+Inf"]
    counts, total = _cumulated(value, family.buckets)
    for bound, count in zip(bounds, counts, strict=True):
        metric.add_sample(f"{family.name}_bucket", {**named, "le": bound}, count)
    metric.add_sample(f"{family.name}_count", named, counts[-1])
    metric.add_sample(f"{family.name}_sum", named, total)


def _cumulated(value: Any, buckets: Buckets) -> tuple[list[int], float]:
    """The counts up to each bound, the last up to infinity, and the sum."""
    counts = value.counts
    first, last = buckets.first, buckets.last
    below = list(accumulate(counts[first + 1 : last + 1], initial=sum(counts[: first + 1])))
    below.append(below[-1] + sum(counts[last + 1 :]))
    return below, value.total / buckets.scale


def _histogram_lines(series: list[str], buckets: Buckets, value: Any) -> str:
    counts, total = _cumulated(value, buckets)
    lines = [f"{prefix}{count}\n" for prefix, count in zip(series, counts, strict=False)]
    lines.append(f"{series[-2]}{counts[-1]}\n{series[-1]}{total}\n")
    return "".join(lines)


def chosen_type(accept: str) -> str:
    """The content type for an Accept header: the one of our two that is wanted more, text when in doubt."""
    best, weight = TEXT, 0.0
    for part in accept.split(","):
        kind, *parameters = [word.strip() for word in part.split(";")]
        offered = {"application/openmetrics-text": OPENMETRICS, "text/plain": TEXT}.get(kind.lower())
        if offered is not None and _weight(parameters) > weight:
            best, weight = offered, _weight(parameters)
    return best


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
