"""The report: a table, JSON with everything, CSV with a line for each row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from kedis.cli.benchmark.latency_histogram import LatencyHistogram
from kedis.cli.benchmark.machine import describe as describe_machine
from kedis.cli.benchmark.plot import Curve
from kedis.cli.benchmark.runs import PERCENTILES, Row, ratios
from kedis.cli.benchmark.templates import describe

#: A column: its heading, and the cell of each row.
Column = tuple[str, Callable[[int], str]]


@dataclass(frozen=True)
class Report:
    """The results.

    Args:
        rows: in the order of the table.
        published: for each row what others have published, or None; empty when it is not to be shown.
        error: why the rows are not all that was asked for; empty where they are.
    """

    rows: Sequence[Row]
    published: Sequence[float | None] = ()
    error: str = ""


def cells(report: Report) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the table.  Columns that would be empty or all the same are left out."""
    rows = report.rows
    against = ratios(rows)
    columns: list[Column] = []
    if any(row.note for row in rows):
        columns.append(("fsync", lambda i: rows[i].note))
    columns.append(("connections", lambda i: str(rows[i].run.connections)))
    if len({row.server for row in rows}) > 1:
        columns.append(("server", lambda i: rows[i].server))
    columns.append(("ops/s", lambda i: f"{rows[i].throughput:,.0f}"))
    if any(ratio is not None for ratio in against):
        columns.append(("ratio", lambda i: _or_empty(against[i], ".2f")))
    histograms = [row.latency for row in rows]
    columns += [_percentile_column(percent, histograms) for percent in PERCENTILES]
    columns.append(("max", lambda i: _time(histograms[i].maximum)))
    if any(row.server_cpu_us is not None for row in rows):
        columns.append(("server CPU/op", lambda i: _or_empty(rows[i].server_cpu_us, ".1f", " us")))
    if any(row.wrong for row in rows):
        columns.append(("wrong", lambda i: f"{rows[i].wrong:,}"))
    if any(row.unsent for row in rows):
        columns.append(("not sent", lambda i: f"{rows[i].unsent:,}"))
    if report.published:
        columns.append(("published", lambda i: _or_empty(report.published[i], ",.0f")))
        columns.append(("times that", lambda i: _or_empty(_times(rows[i], report.published[i]), ".1f")))
    if any(row.failure for row in rows):
        columns.append(("", lambda i: "cut short" if rows[i].failure else ""))
    return [name for name, _ in columns], [[cell(i) for _, cell in columns] for i in range(len(rows))]


def _percentile_column(percent: float, histograms: Sequence[LatencyHistogram]) -> Column:
    return f"p{percent:g}", lambda i: _time(histograms[i].percentile(percent))


def _or_empty(value: float | None, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value:{form}}{unit}"


def _times(row: Row, published: float | None) -> float | None:
    return row.throughput / published if published else None


def _time(nanoseconds: float) -> str:
    """Three digits and a unit."""
    if nanoseconds < 1e6:
        return f"{nanoseconds / 1e3:.0f} us"
    if nanoseconds < 1e9:
        return f"{nanoseconds / 1e6:.3g} ms"
    return f"{nanoseconds / 1e9:.3g} s"


def title(report: Report) -> str:
    """One line: which servers under which load."""
    run = report.rows[0].run
    load = run.workload
    parts = [
        " and ".join(dict.fromkeys(row.server for row in report.rows)),
        describe(load.mix),
        f"{run.operations:,} operations" if run.operations else f"{run.seconds:g} s",
        f"{load.keys:,} keys ({load.distribution})",
        f"values of {load.size:,} bytes",
    ]
    if load.pipeline > 1:
        parts.append(f"pipeline {load.pipeline}")
    if run.rate:
        parts.append(f"{run.rate:,.0f} a second (open loop)")
    if run.processes > 1:
        parts.append(f"{run.processes} processes")
    return "; ".join(parts)


def remarks(report: Report) -> list[str]:
    """Remarks on the figures, a line each."""
    lines = []
    slowest = max(report.rows, key=lambda row: row.load_busy)
    if not slowest.run.rate and slowest.load_busy > 0.97 * min(
        slowest.run.processes, slowest.run.connections
    ):
        lines.append(
            f"At {slowest.run.connections} connections the load generator was busy all the time: "
            "the server may be faster than shown (try --processes)."
        )
    for row in report.rows:
        if row.wrong:
            first = next(part.first_wrong for part in row.measurements if part.first_wrong)
            lines.append(
                f"{row.server}, {row.run.connections} connections: {row.wrong:,} wrong replies, the first: {first}"
            )
        if row.unsent:
            lines.append(
                f"{row.server}, {row.run.connections} connections: {row.unsent:,} requests were due and not sent "
                "when time was up; the server does not keep up with the rate."
            )
    return lines


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table that reads well as text too: columns padded, all but words to the right."""
    widths = [max(3, len(name), *(len(line[column]) for line in lines)) for column, name in enumerate(head)]
    words = [any(line[column][:1].isalpha() for line in lines) for column in range(len(head))]

    def padded(texts: Sequence[str]) -> str:
        parts = [
            text.ljust(width) if word else text.rjust(width)
            for text, width, word in zip(texts, widths, words, strict=True)
        ]
        return f"| {' | '.join(parts)} |"

    rule = [
        "-" * width if word else "-" * (width - 1) + ":" for width, word in zip(widths, words, strict=True)
    ]
    return "\n".join([padded(head), padded(rule), *[padded(line) for line in lines]])


def show(report: Report, out: TextIO, *, plain: bool) -> None:
    """Print title, table and remarks; drawn by rich on a terminal where it is installed, unless ``plain``."""
    head, lines = cells(report)
    drawn = not plain and out.isatty() and _draw_with_rich(report, head, lines, out)
    if not drawn:
        print(f"{title(report)}\n\n{markdown(head, lines)}", file=out)
    for line in remarks(report):
        print(f"\n{line}", file=out)
    out.flush()


def _draw_with_rich(report: Report, head: Sequence[str], lines: Sequence[Sequence[str]], out: TextIO) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        return False
    table = Table(title=title(report), title_justify="left")
    for column, name in enumerate(head):
        word = any(line[column][:1].isalpha() for line in lines)
        table.add_column(
            name, justify="left" if word else "right", style="bold" if name == "ops/s" else None, no_wrap=True
        )
    for line in lines:
        table.add_row(*line)
    Console(file=out, highlight=False, markup=False).print(table)
    return True


def to_json(report: Report) -> str:
    """Everything: machine, rows with their histograms, ratios, and whether it is all that was asked for."""
    published = report.published or [None] * len(report.rows)
    rows = [
        {**row.to_json(), "ratio": ratio, "published": figure}
        for row, ratio, figure in zip(report.rows, ratios(report.rows), published, strict=True)
    ]
    whole = {
        "benchmark": "kedis-benchmark",
        "machine": describe_machine(),
        "complete": not report.error,
        "error": report.error,
        "rows": rows,
    }
    return json.dumps(whole, indent=1) + "\n"


_LATENCIES = ["mean", *[f"p{percent:g}" for percent in PERCENTILES], "max"]
_FIRST = [
    "server",
    "address",
    "note",
    "mix",
    "connections",
    "pipeline",
    "operations",
    "seconds",
    "throughput",
]
_LAST = ["server_cpu_us", "load_busy", "wrong", "unsent", "complete", "ratio", "published"]


def to_csv(report: Report) -> str:
    """A head and a line for each row; latencies in microseconds, named such as ``p99_us``."""
    published = report.published or [None] * len(report.rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_FIRST, *[f"{name}_us" for name in _LATENCIES], *_LAST])
    for row, ratio, figure in zip(report.rows, ratios(report.rows), published, strict=True):
        fields: dict[str, Any] = {**row.to_json(), "ratio": ratio, "published": figure}
        latency = fields["latency_us"]
        values = [
            *[fields[name] for name in _FIRST],
            *[latency[name] for name in _LATENCIES],
            *[fields[name] for name in _LAST],
        ]
        writer.writerow([f"{value:.3f}" if isinstance(value, float) else value for value in values])
    return out.getvalue()


def curves(report: Report) -> list[Curve]:
    """A curve for each server and note, and one for what was published."""
    found: dict[str, list[Row]] = {}
    for row in report.rows:
        found.setdefault(" ".join(part for part in (row.server, row.note) if part), []).append(row)
    drawn = [
        Curve(
            name,
            [row.run.connections for row in rows],
            [row.throughput for row in rows],
            [row.latency.percentile(99) / 1e3 for row in rows],
        )
        for name, rows in found.items()
    ]
    known = {
        row.run.connections: figure
        for row, figure in zip(report.rows, report.published, strict=False)
        if figure
    }
    if known:
        drawn.append(Curve("published", list(known), list(known.values()), faint=True))
    return drawn
