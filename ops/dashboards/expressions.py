"""Every expression of the dashboards' files, as Prometheus is to be asked them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Expression:
    """Where an expression stands, and the expression, with Grafana's variables filled in."""

    place: str
    expr: str


def filled_in(expr: str, interval: str) -> str:
    """``expr`` for all instances and commands; ``interval`` stands for the one that Grafana would choose."""
    return expr.replace("$__rate_interval", interval).replace("$instance", ".*").replace("$cmd", ".*")


def expressions(path: Path, interval: str) -> Iterator[Expression]:
    """All of one file: panels, annotations and variables (as the series that they take their values from)."""
    board = json.loads(path.read_text())
    for panel in _panels(board["panels"]):
        for target in panel.get("targets", ()):
            place = f"{board['title']}: {panel['title']} {target['refId']}"
            yield Expression(place, filled_in(target["expr"], interval))
    for annotation in board["annotations"]["list"]:
        if "expr" in annotation:
            yield Expression(
                f"{board['title']}: annotation {annotation['name']}", filled_in(annotation["expr"], interval)
            )
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            series = variable["query"].removeprefix("label_values(").rpartition(",")[0]
            yield Expression(f"{board['title']}: variable {variable['name']}", filled_in(series, interval))


def _panels(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield from _panels(panel.get("panels") or [])
        if panel["type"] != "row":
            yield panel
