"""``docs/reference/commands.md``: every command, generated from the table in the code.

python -m ops.command_table            prints it
python -m ops.command_table --write    puts it into the page
python -m ops.command_table --check    exits 1 when the page is not current
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from kedis.commands import load_all
from kedis.engine.table import Command, every_command
from ops import marked_page

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


def main() -> int:
    return marked_page.run(Path(__file__).stem, "The page of all commands.", PAGE, (BEGIN, END), table)


if __name__ == "__main__":
    raise SystemExit(main())
