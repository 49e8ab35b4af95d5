"""The table of all metrics in ``docs/reference/metrics.md``, made from the code.

``python ops/metrics_table.py`` prints it, ``--write`` puts it into the page, ``--check`` fails where the page is old.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kedis.observability.metrics import FAMILIES
from kedis.observability.metrics_family import Family

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "metrics.md"
BEGIN, END = "<!-- the table: python ops/metrics_table.py --write -->", "<!-- end of the table -->"


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


def renewed(page: str) -> str:
    """``page`` with the table as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main(words: list[str]) -> int:
    if words == ["--write"]:
        PAGE.write_text(renewed(PAGE.read_text()))
    elif words == ["--check"]:
        page = PAGE.read_text()
        if renewed(page) != page:
            print(f"{PAGE.name} is old: python ops/metrics_table.py --write", file=sys.stderr)
            return 1
    else:
        print(table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
