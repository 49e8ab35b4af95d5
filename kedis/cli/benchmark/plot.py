"""Curves: throughput and a high percentile of latency, against connections.  Needs matplotlib (``kedis[bench]``)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

#: Said when matplotlib is missing.
MISSING = "matplotlib is not installed, which draws the plots: pip install 'kedis[bench]'"


@dataclass(frozen=True)
class Curve:
    """A line of each panel.

    Args:
        name: as the legend shows it.
        connections: where it was measured.
        throughput: operations a second, for each of ``connections``.
        p99_us: microseconds, for each of ``connections``; empty where it was not measured.
        faint: drawn dashed, as what others have published.
    """

    name: str
    connections: Sequence[int]
    throughput: Sequence[float]
    p99_us: Sequence[float] = ()
    faint: bool = False


def available() -> bool:
    """Whether matplotlib is there; it is not loaded."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(curves: Sequence[Curve], file: str, title: str) -> None:
    """Write the two panels to ``file``, in the format that its name ends with.  Raises OSError."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "kedis"
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    ticks = sorted({count for curve in curves for count in curve.connections})
    for curve in curves:
        style = {"linestyle": "--", "color": "0.5"} if curve.faint else {"marker": "o"}
        left.plot(curve.connections, curve.throughput, label=curve.name, **style)
        if curve.p99_us:
            right.plot(curve.connections, [us / 1e3 for us in curve.p99_us], label=curve.name, **style)
    for axes, label in ((left, "operations a second"), (right, "p99 latency, ms")):
        axes.set_xscale("log")
        axes.set_xticks(ticks, [str(count) for count in ticks])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("connections")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    left.legend()
    figure.suptitle(title)
    # Without a date the same figures give the same file.
    figure.savefig(file, dpi=120, metadata={"Date": None} if file.endswith(".svg") else None)
    pyplot.close(figure)
