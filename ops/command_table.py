"""``docs/reference/commands.md``: every command, generated from the table in the code.

python ops/command_table.py            prints it
python ops/command_table.py --write    puts it into the page
python ops/command_table.py --check    exits 1 when the page is not current
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from kedis.commands import load_all
from kedis.engine.table import Command, every_command

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"
BEGIN, END = "<!-- commands begin -->", "<!-- commands end -->"


def table() -> str:
    """All commands by group, a line each."""
    load_all()
    groups: dict[str, list[Command]] = defaultdict(list)
    for row in every_command():
        if row.function is not None:
            groups[row.group].append(row)
    lines = []
    for group, rows in sorted(groups.items()):
        lines += [f"\n## {group} ({len(rows)})\n", "| command | does | complexity |", "|---|---|---|"]
        for row in sorted(rows, key=lambda row: row.name):
            name = row.name.upper().replace("|", " ")
            lines.append(f"| `{name}` | {row.summary} | {row.complexity.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def inserted(text: str) -> str:
    """``text`` with the table between the two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description="The page of all commands.")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    parser.add_argument("--check", action="store_true", help="fail when the page is not current")
    options = parser.parse_args()
    if not options.write and not options.check:
        print(table())
        return 0
    text = PAGE.read_text()
    current = inserted(text)
    if options.write:
        PAGE.write_text(current)
    elif current != text:
        print(
            "commands.md is not current; run python ops/command_table.py --write",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
