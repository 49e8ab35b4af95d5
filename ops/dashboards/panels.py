"""What a dashboard is made of, in the few words that Kedis's need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Query:
    """An expression of PromQL, and how its series are called (``{{label}}`` stands for a label)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        kind: ``lines``, ``stat``, ``heatmap`` (of a histogram's buckets by ``le``) or ``table`` (an instant, sorted).
        unit: in Grafana's words: ``s``, ``bytes``, ``reqps``, ``percentunit``, ``short`` and so on.
        thresholds: (from this value, colour) beyond the first, which is green.
        width: of 24; height: in Grafana's units.
        stacked: lines on top of each other.
    """

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: str = "lines"
    thresholds: Sequence[tuple[float, str]] = ()
    width: int = 8
    height: int = 8
    stacked: bool = False
    least: float | None = 0


@dataclass(frozen=True)
class Row:
    """A heading with its panels."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Board:
    """One dashboard; ``uid`` is its file's name, too."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    by_command: bool = False
    tags: Sequence[str] = field(default=("kedis",))

    def panels(self) -> list[Panel]:
        """All panels, in order."""
        return [panel for row in self.rows for panel in row.panels]


def stat(
    title: str, description: str, expr: str, unit: str = "short", thresholds: Sequence[tuple[float, str]] = ()
) -> Panel:
    """A large number with its recent course behind it."""
    return Panel(title, description, [Query(expr)], unit, "stat", thresholds, width=4, height=4, least=None)


def lines(title: str, description: str, unit: str, *queries: tuple[str, str], **options: object) -> Panel:
    """A graph over time of one or more expressions with their legends."""
    return Panel(title, description, [Query(*query) for query in queries], unit, **options)  # type: ignore[arg-type]


def heatmap(title: str, description: str, unit: str, metric: str, labels: str = "", width: int = 12) -> Panel:
    """How the observations of a histogram are spread, over time."""
    selector = f'{metric}_bucket{{instance=~"$instance"{labels}}}'
    query = Query(f"sum by (le) (increase({selector}[$__rate_interval]))", "{{le}}")
    return Panel(title, description, [query], unit, "heatmap", width=width, least=None)


def table(title: str, description: str, unit: str, expr: str, legend: str, width: int = 8) -> Panel:
    """What is highest now."""
    return Panel(title, description, [Query(expr, legend)], unit, "table", width=width, least=None)


def quantiles(metric: str, labels: str = "", by: str = "", selected: bool = True) -> list[tuple[str, str]]:
    """The expressions for p50, p99 and p99.9 of a histogram; ``selected``: of the instances chosen above."""
    chosen = 'instance=~"$instance"' if selected else ""
    selector = f"{metric}_bucket{{{chosen}{labels}}}"
    grouped = f"sum by (le{by}) (rate({selector}[$__rate_interval]))"
    return [
        (f"histogram_quantile({share}, {grouped})", name)
        for share, name in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"))
    ]


#: Selectors: the instances, and the commands, that are chosen above.
INSTANCE = 'instance=~"$instance"'
COMMAND = INSTANCE + ',cmd=~"$cmd"'
WINDOW = "[$__rate_interval]"
RED, YELLOW = "red", "yellow"


def rate(metric: str, labels: str = INSTANCE, by: str = "") -> str:
    """A counter's growth a second, summed up."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{labels}}}{WINDOW}))"


REQUESTS = quantiles("kedis_request_duration_seconds")
HITS = (
    f"{rate('kedis_keyspace_hits_total')} / "
    f"({rate('kedis_keyspace_hits_total')} + {rate('kedis_keyspace_misses_total')})"
)
