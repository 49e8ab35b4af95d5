"""The table of all metrics in ``docs/reference/metrics.md``, made from the code.

``python -m ops.metrics_table`` prints it, ``--write`` puts it into the page, ``--check`` fails where the page is old.
"""

from __future__ import annotations

from pathlib import Path

from kedis.observability.metrics import FAMILIES
from kedis.observability.metrics_family import Family
from ops import marked_page

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "metrics.md"
BEGIN, END = "<!-- the table: python -m ops.metrics_table --write -->", "<!-- end of the table -->"


def row(family: Family) -> str:
    """One line of the table."""
    name = f"`{family.name}`" + (f" by {', '.join(family.labels)}" if family.labels else "")
    return f"| {name} | {family.kind} | {family.help} |"


def table() -> str:
    """The tables of Kedis's own metrics and of those with the exporter's names."""
    parts = []
    for title, prefix in (("Kedis's own", "kedis_"), ("With redis_exporter's names", "redis_")):
        rows = [row(family) for family in FAMILIES if family.name.startswith(prefix)]
        parts.append(
            "\n".join(
                [f"## {title} ({len(rows)})\n", "| metric | type | what it is |", "|---|---|---|", *rows]
            )
        )
    others = [row(family) for family in FAMILIES if not family.name.startswith(("kedis_", "redis_"))]
    if others:
        parts.append(
            "\n".join(
                [
                    f"## Of the process ({len(others)})\n",
                    "| metric | type | what it is |",
                    "|---|---|---|",
                    *others,
                ]
            )
        )
    return "\n\n".join(parts)


def main() -> int:
    """Run the command; returns the exit code."""
    return marked_page.run(Path(__file__).stem, "The page of all metrics.", PAGE, (BEGIN, END), table)


if __name__ == "__main__":
    raise SystemExit(main())
