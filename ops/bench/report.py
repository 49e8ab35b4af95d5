"""One page that lays Locust's view of a run and Kedis's own side by side.

    python ops/bench/report.py build/load/mixed-steps

The folder has what ``make load`` leaves: ``locust.json`` and ``locust_stats_history.csv`` by Locust, and the server's
metrics before and after the run, ``server_before.prom`` and ``server_after.prom``.  The page is ``report.html`` there.

A client's latency is made of three parts.  The command's own execution is ``kedis_command_duration_seconds``.  What the
server adds, waiting for its turn of the event loop and sending, is in ``kedis_request_duration_seconds``.  The rest is
the network, and the client: redis-py and Locust's own greenlets waiting for each other.  The server's histograms count
from its start, so that the difference of the two scrapes is the run.

Simplified: the server's buckets double in width, and inside of one its values are taken to lie evenly, so that a
percentile of the server's can be off by a factor of two at worst.
"""

from __future__ import annotations

import argparse
import csv
import html
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from kedis.cli.benchmark import plot
from kedis.cli.benchmark.machine import describe

REQUEST = "kedis_request_duration_seconds"
COMMAND = "kedis_command_duration_seconds"
SHARES = (0.5, 0.99, 0.999)


class ReportError(Exception):
    """The page cannot be made; the text is one line for people."""


@dataclass
class Buckets:
    """A histogram as Prometheus has it: upper bounds in seconds, and how many values are not above each."""

    bounds: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)

    @property
    def total(self) -> float:
        return self.counts[-1] if self.counts else 0.0

    def since(self, before: Buckets) -> Buckets:
        """What came in between: bounds that were not there before had nothing."""
        known = dict(zip(before.bounds, before.counts, strict=True))
        return Buckets(
            self.bounds,
            [count - known.get(bound, 0.0) for bound, count in zip(self.bounds, self.counts, strict=True)],
        )

    def percentile(self, share: float) -> float | None:
        """Seconds that ``share`` of the values do not exceed; None where there is none.  O(bounds)."""
        wanted = share * self.total
        low, passed = 0.0, 0.0
        if not self.total:
            return None
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count >= wanted and count > passed:
                if bound == float("inf"):
                    return low
                return low + (bound - low) * (wanted - passed) / (count - passed)
            low, passed = bound, count
        return low


def histograms(text: str, name: str) -> dict[str, Buckets]:
    """The histograms ``name`` in an exposition, by command; one without a command is under the empty name."""
    found: dict[str, Buckets] = {}
    for family in text_string_to_metric_families(text):
        if family.name != name:
            continue
        for sample in family.samples:
            if sample.name == f"{name}_bucket":
                buckets = found.setdefault(sample.labels.get("cmd", ""), Buckets())
                buckets.bounds.append(float(sample.labels["le"]))
                buckets.counts.append(sample.value)
    return found


def between(before: str, after: str, name: str) -> dict[str, Buckets]:
    """The histograms ``name`` of what happened between two scrapes; those without a value left out."""
    first, last = histograms(before, name), histograms(after, name)
    differences = {key: buckets.since(first.get(key, Buckets())) for key, buckets in last.items()}
    return {key: buckets for key, buckets in differences.items() if buckets.total}


@dataclass
class Seen:
    """What Locust counted of one kind of request: milliseconds and how often."""

    times: dict[float, int]

    @property
    def total(self) -> int:
        return sum(self.times.values())

    def percentile(self, share: float) -> float | None:
        """Seconds that ``share`` of the requests did not exceed.  O(n log n) for n different times."""
        passed = 0
        for milliseconds in sorted(self.times):
            passed += self.times[milliseconds]
            if passed >= share * self.total:
                return milliseconds / 1e3
        return None


def seen_by_locust(entries: Sequence[dict[str, Any]]) -> dict[str, Seen]:
    """Locust's counts by name, requests of type ``redis`` alone, and all of them under the empty name."""
    found: dict[str, Seen] = {}
    whole: dict[float, int] = {}
    for entry in entries:
        if entry["method"] != "redis":
            continue
        times = {float(time): int(count) for time, count in entry["response_times"].items()}
        found[entry["name"]] = Seen(times)
        for time, count in times.items():
            whole[time] = whole.get(time, 0) + count
    return {"": Seen(whole), **found} if found else {}


@dataclass
class Run:
    """Everything that the folder holds."""

    client: dict[str, Seen]
    requests: Buckets
    commands: dict[str, Buckets]
    history: list[dict[str, str]]


def load(folder: Path) -> Run:
    """Read the folder.  Raises ReportError."""
    try:
        entries = json.loads((folder / "locust.json").read_text())
        before, after = ((folder / f"server_{when}.prom").read_text() for when in ("before", "after"))
        history = list(csv.DictReader((folder / "locust_stats_history.csv").open(newline="")))
    except OSError as error:
        raise ReportError(f"{error.filename}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:
        raise ReportError(f"{folder / 'locust.json'}: {error}") from None
    client = seen_by_locust(entries)
    if not client:
        raise ReportError(f"{folder / 'locust.json'}: no request was made")
    requests = between(before, after, REQUEST).get("")
    if requests is None:
        raise ReportError(f"{folder}: the server's metrics show no request during the run: is it Kedis?")
    return Run(client, requests, between(before, after, COMMAND), history)


def rows_of(run: Run) -> list[list[str]]:
    """Cells of the table: name, calls and percentiles by the client, the same by the server."""
    lines = [["all requests", *_cells(run.client[""]), *_cells(run.requests)]]
    for name, seen in sorted(run.client.items()):
        if name:
            server = run.commands.get(name.lower())
            lines.append([name, *_cells(seen), *(_cells(server) if server else ["", "", "", ""])])
    return lines


def _cells(source: Seen | Buckets) -> list[str]:
    return [f"{source.total:,.0f}", *[_time(source.percentile(share)) for share in SHARES]]


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1e6:,.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:,.2f} ms"


def figures(run: Run) -> list[tuple[str, str]]:
    """Titles and SVG of the plots."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = []
    distribution, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    shares = [step / 1000 for step in range(10, 1000)]
    executed = _sum(list(run.commands.values()))
    for name, source in (
        ("client: redis-py under Locust", run.client[""]),
        ("server: from ready bytes to sent replies", run.requests),
        ("server: execution alone", executed),
    ):
        axes.plot(
            [(source.percentile(share) or 0) * 1e3 for share in shares], [100 * s for s in shares], label=name
        )
    axes.set(xscale="log", xlabel="milliseconds", ylabel="% of the requests that took no longer")
    axes.grid(alpha=0.3)
    axes.legend()
    found.append(("Where the time goes", _svg(distribution)))

    names = [name for name in sorted(run.client) if name and name.lower() in run.commands]
    if names:
        bars, axes = pyplot.subplots(figsize=(8, 1 + 0.4 * len(names)), layout="constrained")
        for offset, label, values in (
            (-0.2, "client", [run.client[name].percentile(0.99) for name in names]),
            (0.2, "server, execution", [run.commands[name.lower()].percentile(0.99) for name in names]),
        ):
            places = [index + offset for index in range(len(names))]
            axes.barh(places, [(value or 0) * 1e3 for value in values], height=0.4, label=label)
        axes.set(xscale="log", xlabel="p99, milliseconds")
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.legend()
        found.append(("p99 of each command", _svg(bars)))

    moments = [row for row in run.history if row["Name"] == "Aggregated"]
    if moments:
        start = int(moments[0]["Timestamp"])
        seconds = [int(row["Timestamp"]) - start for row in moments]
        course, axes = pyplot.subplots(figsize=(8, 3.5), layout="constrained")
        axes.plot(seconds, [float(row["Requests/s"]) for row in moments], label="requests a second")
        axes.set(xlabel="seconds", ylabel="requests a second", ylim=(0, None))
        users = axes.twinx()
        users.plot(seconds, [int(row["User Count"]) for row in moments], color="0.5", linestyle="--")
        users.set(ylabel="users (dashed)", ylim=(0, None))
        found.append(("The course of the run", _svg(course)))
    pyplot.close("all")
    return found


def _sum(parts: Sequence[Buckets]) -> Buckets:
    """All histograms in one; they have the same bounds."""
    whole: dict[float, float] = {}
    for part in parts:
        for bound, count in zip(part.bounds, part.counts, strict=True):
            whole[bound] = whole.get(bound, 0.0) + count
    return Buckets(list(whole), list(whole.values()))


def _svg(figure: Any) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; } th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, th:first-child { text-align: left; } svg { max-width: 100%; height: auto; }
"""


def page(run: Run, title: str) -> str:
    """The whole page."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts.append(f"<p>{html.escape('; '.join(f'{name} {value}' for name, value in describe().items()))}</p>")
    for heading, svg in figures(run):
        parts.append(f"<h2>{heading}</h2>\n{svg}")
    parts.append("<h2>By command</h2>\n<table>")
    parts.append(
        "<tr><th></th><th colspan=4>client</th><th colspan=4>server</th></tr>\n<tr><th>request</th>"
        + 2 * "<th>calls</th><th>p50</th><th>p99</th><th>p99.9</th>"
        + "</tr>"
    )
    parts += [
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows_of(run)
    ]
    parts.append(
        "</table>\n<p>In the first line the server's time is from ready bytes to sent replies, and a call is a read "
        "from a socket; in the others it is execution alone, and commands inside of transactions count too.</p>"
    )
    head = f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
    return f"{head}<style>\n{_STYLE}</style>\n" + "\n".join(parts) + "\n</html>\n"


def write(folder: Path) -> Path:
    """Make the page of a folder; returns its file.  Raises ReportError."""
    if not plot.available():
        raise ReportError(plot.MISSING)
    file = folder / "report.html"
    file.write_text(page(load(folder), f"Client and server: {folder.name}"))
    return file


def main() -> int:
    """Write the page of the folder on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="such as build/load/mixed-steps")
    try:
        print(write(parser.parse_args().folder))
    except ReportError as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
