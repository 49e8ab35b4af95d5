"""Graphs in ASCII: LATENCY GRAPH.

A value is drawn at one of twelve heights, three to a row: ``_``, ``o`` and ``#``, on a column of ``|``.  Its label is
written downwards below it.
"""

from __future__ import annotations

from collections.abc import Sequence

_WIDTH = 80
_ROWS = 4
_MARKS = "_o#"


def sparkline(values: Sequence[int], labels: Sequence[str]) -> str:
    """A graph of ``values``, 80 to a line, from the least to the greatest of them.  O(N)."""
    low = min(values)
    span = max(max(values) - low, 1)
    steps = _ROWS * len(_MARKS)
    heights = [min((value - low) * steps // span, steps - 1) for value in values]
    parts = []
    for begin in range(0, len(values), _WIDTH):
        end = begin + _WIDTH
        parts.append(_part(heights[begin:end], labels[begin:end]))
    return "\n".join(parts)


def _part(heights: Sequence[int], labels: Sequence[str]) -> str:
    lines = ["".join(_mark(height, row) for height in heights) for row in reversed(range(_ROWS))]
    lines.append(" " * len(heights))
    lines.extend(
        "".join(label[place : place + 1] or " " for label in labels) for place in range(max(map(len, labels)))
    )
    return "\n".join(lines) + "\n"


def _mark(height: int, row: int) -> str:
    above = height - row * len(_MARKS)
    if above < 0:
        return " "
    return _MARKS[above] if above < len(_MARKS) else "|"
