"""``python -m ops.dashboards.render [--seconds N]``: the dashboards as pictures, without Grafana.

Starts a server, a load and a Prometheus with the shipped configuration, waits, runs every panel's expressions through
Prometheus's API, and draws what comes with matplotlib into ``docs/images``.  The boards are drawn from four servers: a
healthy one that is visited, one whose memory is full, one with a replica, and one on which Locust works.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image

from ops.dashboards import cluster_demo
from ops.dashboards.boards import BOARDS
from ops.dashboards.demo import ROOT, Prometheus, ServerProcess, locust_load, mixed_load
from ops.dashboards.expressions import filled_in
from ops.dashboards.panels import Board, Panel, Query
from ops.dashboards.visitors import visited

Load = Callable[[ServerProcess, int], AbstractContextManager[None]]

IMAGES = ROOT / "docs" / "images"
#: Inches of a unit of Grafana's grid, across and down.
_ACROSS, _DOWN = 0.58, 0.27
_DOTS_PER_INCH = 90
#: Inches of the title.
_TITLE = 0.7
#: Units of the grid that a row's title takes.
_HEADING = 2
#: Of many lines, so many of the highest are named.
_MOST_LEGENDS = 8
#: Characters of a line in a legend.
_LEGEND_WIDTH = 20
#: Inches for the labels of an axis, to the left of the data, and for the legend to the right.
_LABELS, _LEGEND = 0.55, 1.4
_BACKGROUND, _TEXT = "#181b1f", "#d0d4da"
_COLOURS = {"green": "#73bf69", "yellow": "#fade2a", "red": "#f2495c"}


class Drawing:
    """Draws boards from what Prometheus has of the last ``seconds``."""

    def __init__(self, prometheus: Prometheus, seconds: float) -> None:
        self._prometheus = prometheus
        self._end = time.time()
        self._seconds = seconds

    def board(self, board: Board, path: Path) -> None:
        """Draw one board into a file."""
        places = _places(board)
        height = max(y + panel.height for panel, _, y in places)
        inches = height * _DOWN + _TITLE
        figure = plt.figure(figsize=(24 * _ACROSS, inches), facecolor=_BACKGROUND)
        grid = figure.add_gridspec(
            height, 24, hspace=6.0, wspace=2.0, left=0.015, right=0.995, top=1 - _TITLE / inches, bottom=0.03
        )
        figure.text(0.015, 1 - 0.4 / inches, board.title, color=_TEXT, fontsize=15, va="center")
        for panel, x, y in places:
            axes = figure.add_subplot(grid[y : y + panel.height - 1, x : x + panel.width])
            _inset(axes, panel)
            self._panel(axes, panel)
        for title, y in _headings(board):
            axes = figure.add_subplot(grid[y, :])
            axes.set_axis_off()
            axes.text(0.0, 0.0, title, color=_TEXT, fontsize=11, weight="bold", transform=axes.transAxes)
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=_DOTS_PER_INCH, facecolor=_BACKGROUND)
        Image.open(drawn).convert("RGB").quantize(256).save(path, optimize=True)  # a third of the size
        plt.close(figure)

    def _panel(self, axes: Axes, panel: Panel) -> None:
        axes.set_facecolor(_BACKGROUND)
        left = axes.get_position().x0 - (0.0 if panel.kind in ("stat", "table") else _LABELS / 24 / _ACROSS)
        place = axes.figure.transFigure.inverted().transform(axes.transAxes.transform((0, 1)))[1]
        axes.figure.text(left, place + 0.006, panel.title, color=_TEXT, fontsize=9, va="bottom")
        axes.tick_params(colors=_TEXT, labelsize=7)
        for side in axes.spines.values():
            side.set_color("#34383e")
        {"lines": self._lines, "stat": self._stat, "heatmap": self._heatmap, "table": self._table}[
            panel.kind
        ](axes, panel)

    def _courses(self, query: Query) -> list[Any]:
        expr = filled_in(query.expr, "10s")
        return self._prometheus.courses(expr, self._end - self._seconds, self._end, self._seconds / 120)

    def _lines(self, axes: Axes, panel: Panel) -> None:
        courses: dict[str, tuple[list[float], list[float]]] = {}
        for query in panel.queries:
            for series in self._courses(query):
                moments = [float(moment) - self._end for moment, _ in series["values"]]
                courses[_legend(query, series["metric"])] = (
                    moments,
                    [float(value) for _, value in series["values"]],
                )
        if panel.stacked and courses:
            _stack(axes, courses)
        else:
            for name, (moments, values) in courses.items():
                axes.plot(moments, values, linewidth=0.9, label=name)
        for value, colour in panel.thresholds:
            if axes.get_ylim()[1] > value:
                axes.axhline(value, color=colour, linewidth=0.7, linestyle="--")
        if panel.least is not None:
            axes.set_ylim(panel.least, axes.get_ylim()[1] * 1.05)  # a line at the top is seen
        axes.yaxis.set_major_formatter(lambda value, _: shown(value, panel.unit))
        axes.xaxis.set_major_formatter(lambda moment, _: shown(moment, "s"))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_locator(MaxNLocator(4, prune="lower"))
        axes.set_xlim(-self._seconds, 0)
        axes.grid(color="#2a2e34", linewidth=0.4)
        last = {name: _last_number(values) for name, (_, values) in courses.items() if name}
        self._name(axes, last, panel.unit)

    def _name(self, axes: Axes, last: dict[str, float], unit: str) -> None:
        """The legend, to the right of the data: the highest of the lines, with their last values."""
        highest = sorted(last, key=lambda name: -last[name])
        named = highest[:_MOST_LEGENDS]
        drawn = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        if len(highest) > len(named):
            named = named[:-1]
        texts = [_named(name, shown(last[name], unit)) for name in named]
        handles = [drawn[name] for name in named]
        if len(highest) > len(named):
            texts.append(f"and {len(highest) - len(named)} more")
            handles.append(Line2D([], [], linewidth=0))
        if texts:
            axes.legend(
                handles,
                texts,
                fontsize=7,
                labelcolor=_TEXT,
                frameon=False,
                handlelength=1.2,
                loc="upper left",
                bbox_to_anchor=(1.0, 1.04),
                borderaxespad=0.4,
            )

    def _stat(self, axes: Axes, panel: Panel) -> None:
        samples = self._prometheus.samples(filled_in(panel.queries[0].expr, "10s"))
        value = float(samples[0]["value"][1]) if samples else math.nan
        colour = "green"
        for bound, beyond in panel.thresholds:
            if value >= bound:
                colour = beyond
        axes.set_axis_off()
        words = shown(value, panel.unit)
        axes.text(0.5, 0.4, words, color=_COLOURS[colour], fontsize=18, ha="center", va="center")

    def _heatmap(self, axes: Axes, panel: Panel) -> None:
        rows = sorted(
            (
                math.inf if series["metric"]["le"] == "+Inf" else float(series["metric"]["le"]),
                series["values"],
            )
            for series in self._courses(panel.queries[0])
        )
        if not rows:
            return
        below = [0.0] * len(rows[0][1])
        cells, names = [], []
        for bound, values in rows:
            counts = [float(value) for _, value in values][-len(below) :]
            counts = [0.0] * (len(below) - len(counts)) + counts
            cells.append([max(now - before, 0.0) for now, before in zip(counts, below, strict=True)])
            names.append(bound)
            below = counts
        used = [number for number, row in enumerate(cells) if any(row)]
        if used:
            cells, names = cells[used[0] : used[-1] + 1], names[used[0] : used[-1] + 1]
        axes.pcolormesh([[math.sqrt(value) for value in row] for row in cells], cmap="inferno")
        step = max(1, len(names) // 6)
        axes.set_yticks([number + 0.5 for number in range(0, len(names), step)])
        axes.set_yticklabels([f"\u2264 {shown(name, panel.unit)}" for name in names[::step]])
        axes.set_xticks([])

    def _table(self, axes: Axes, panel: Panel) -> None:
        query = panel.queries[0]
        samples = self._prometheus.samples(filled_in(query.expr, "10s"))
        samples.sort(key=lambda sample: -float(sample["value"][1]))
        axes.set_axis_off()
        for number, sample in enumerate(samples[:10]):
            place = 0.95 - number * 0.1
            axes.text(0.02, place, _legend(query, sample["metric"]), color=_TEXT, fontsize=8, va="top")
            value = shown(float(sample["value"][1]), panel.unit)
            axes.text(0.98, place, value, color=_TEXT, fontsize=8, va="top", ha="right")


def _inset(axes: Axes, panel: Panel) -> None:
    """Make room for the labels and the legend within the panel's own part of the picture."""
    if panel.kind in ("stat", "table"):
        return
    whole = axes.get_position()
    inch = 1 / (24 * _ACROSS)
    legend = _LEGEND if panel.kind == "lines" else 0.1
    width = whole.width - (_LABELS + legend) * inch
    axes.set_position((whole.x0 + _LABELS * inch, whole.y0, width, whole.height))


def _named(name: str, value: str) -> str:
    """A line of a legend, or several where it is longer than the room beside the data."""
    text = f"{name}  {value}"
    return text if len(text) <= _LEGEND_WIDTH else f"{fill(name, _LEGEND_WIDTH)}\n{value}"


def _stack(axes: Axes, courses: dict[str, tuple[list[float], list[float]]]) -> None:
    moments = sorted({moment for times, _ in courses.values() for moment in times})
    filled = []
    for times, values in courses.values():
        known = dict(zip(times, values, strict=True))
        filled.append([known.get(moment, 0.0) for moment in moments])
    axes.stackplot(moments, filled, labels=list(courses), linewidth=0)


def _places(board: Board) -> list[tuple[Panel, int, int]]:
    """Where Grafana puts the panels: below their row's heading, from left to right."""
    found = []
    y = 0
    for row in board.rows:
        x = highest = 0
        y += _HEADING
        for panel in row.panels:
            if x + panel.width > 24:
                x, y, highest = 0, y + highest, 0
            found.append((panel, x, y))
            x, highest = x + panel.width, max(highest, panel.height)
        y += highest
    return found


def _headings(board: Board) -> list[tuple[str, int]]:
    """The rows' titles, and where they begin."""
    tops = {id(panel): y for panel, _, y in _places(board)}
    return [(row.title, tops[id(row.panels[0])] - _HEADING) for row in board.rows]


def _legend(query: Query, labels: dict[str, str]) -> str:
    text = query.legend or ", ".join(labels.values())
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return re.sub(r"\{\{\w+\}\}", "", text).strip()


def _last_number(values: list[float]) -> float:
    return next((value for value in reversed(values) if not math.isnan(value)), -math.inf)


def shown(value: float, unit: str) -> str:
    """A number for people, in Grafana's units."""
    if math.isnan(value) or math.isinf(value):
        return "\u221e" if math.isinf(value) else "-"
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "bool_yes_no":
        return "yes" if value else "no"
    if unit == "s" and 0 < value < 1:
        return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} \u00b5s"
    ending = {"s": " s", "bytes": "B", "Bps": "B/s", "reqps": "/s", "ops": "/s"}.get(unit, "")
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit and unit != "s":
            return f"{value / limit:.3g} {letter}{ending}"
    return f"{value:.3g}{ending}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def watched(
    boards: Sequence[Board], settings: dict[str, str], load: Load, followed: bool = False
) -> Iterator[Callable[[float], None]]:
    """A server under load with a Prometheus; gives what draws ``boards`` after so many seconds.

    Args:
        load: what works on the server, given it and the port for Locust's metrics.
        followed: whether it has a replica, whose metrics are watched as well.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as at_end:
        metrics, locust = _free_port(), _free_port()
        settings = {"appendonly": "yes", "dir": f"{folder}/kedis", **settings}
        server = at_end.enter_context(ServerProcess(metrics_port=metrics, **settings))
        replica = ""
        if followed:
            replica = f"127.0.0.1:{_free_port()}"
            at_end.enter_context(
                ServerProcess(
                    appendonly="no",
                    save="",
                    dir=f"{folder}/replica",
                    replicaof=f"127.0.0.1 {server.port}",
                    metrics_port=replica.rpartition(":")[2],
                )
            )
        prometheus = Prometheus(
            Path(folder),
            f"127.0.0.1:{metrics}",
            _free_port(),
            locust=f"127.0.0.1:{locust}",
            replica=replica,
        )
        at_end.callback(prometheus.stop)
        at_end.enter_context(load(server, locust))

        def draw(seconds: float) -> None:
            print(f"loading for {seconds:.0f} s")
            time.sleep(seconds)
            for board in boards:
                path = IMAGES / f"{board.uid}.png"
                Drawing(prometheus, seconds).board(board, path)
                print(path)

        yield draw


def _visitors(server: ServerProcess, _locust_port: int) -> AbstractContextManager[None]:
    return visited(server.port)


@contextlib.contextmanager
def _mixture(server: ServerProcess, _locust_port: int) -> Iterator[None]:
    stop = threading.Event()
    load = threading.Thread(target=mixed_load, args=(server, stop))
    load.start()
    try:
        yield
    finally:
        stop.set()
        load.join(30)


@contextlib.contextmanager
def _cut_now_and_then(server: ServerProcess, _locust_port: int) -> Iterator[None]:
    """Visitors, and a link to the replica that does not hold."""
    stop = threading.Event()

    def cut() -> None:
        while not stop.wait(15):
            with server.client() as client:
                client.execute_command("CLIENT", "KILL", "TYPE", "replica")

    knife = threading.Thread(target=cut)
    knife.start()
    try:
        with visited(server.port):
            yield
    finally:
        stop.set()
        knife.join(30)


def _locust(server: ServerProcess, locust_port: int) -> AbstractContextManager[None]:
    return locust_load(server.url, locust_port, users=30)


def main() -> None:
    """Draw all boards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=90, help="how long each load runs before")
    parser.add_argument("--only", default="", help="the boards whose name contains this")
    words = parser.parse_args()
    seconds = words.seconds
    IMAGES.mkdir(parents=True, exist_ok=True)
    overview, commands, memory, expiry, persistence, replication, clients, load_test, router = BOARDS
    full = {"maxmemory": "3mb", "maxmemory_policy": "allkeys-lru", "slowlog_log_slower_than": "50"}
    healthy = {"maxmemory": "64mb", "maxmemory_policy": "allkeys-lru"}
    for boards, settings, load in (
        ([overview, commands, expiry, clients], healthy, _visitors),
        ([memory, persistence], {"appendfsync": "always", **full}, _mixture),
        ([replication], {"repl_diskless_sync_delay": "1"}, _cut_now_and_then),
        ([load_test], {}, _locust),
    ):
        chosen = [board for board in boards if words.only in board.uid]
        if chosen:
            with watched(chosen, settings, load, followed=load is _cut_now_and_then) as draw:
                draw(seconds)
    if words.only in router.uid:
        _draw_router(router, seconds)


def _draw_router(board: Board, seconds: float) -> None:
    """That of a router: the server before a cluster."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as at_end:
        nodes = at_end.enter_context(cluster_demo.cluster(Path(folder)))
        metrics = _free_port()
        server = at_end.enter_context(
            ServerProcess(metrics_port=metrics, upstream=f"redis://127.0.0.1:{nodes[0]}")
        )
        prometheus = Prometheus(Path(folder), f"127.0.0.1:{metrics}", _free_port())
        at_end.callback(prometheus.stop)
        at_end.enter_context(cluster_demo.clients(server.port, nodes))
        print(f"loading for {seconds:.0f} s")
        time.sleep(seconds)
        Drawing(prometheus, seconds).board(board, IMAGES / f"{board.uid}.png")


if __name__ == "__main__":
    main()
