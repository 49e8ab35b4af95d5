"""The generated part of ``docs/reference/differences.md``: settings and commands that are not as in Redis.

``python -m ops.differences_table`` prints it, ``--write`` puts it into the page, ``--check`` fails where the page
is old.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kedis.commands import load_all
from kedis.config import settings_markdown
from kedis.engine.table import every_command
from ops import marked_page

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "differences.md"
BEGIN, END = "<!-- the tables: python -m ops.differences_table --write -->", "<!-- end of the tables -->"
_ALIKE = ("works", "Kedis's own", "effect")
_UNSUPPORTED = "Not supported"


def tables() -> str:
    """Both parts as Markdown."""
    return "\n".join(["## Settings", "", *_settings(), "", "## Commands without effect", "", *_commands()])


def _settings() -> Iterator[str]:
    yield "Those with another default (**bold**), and those that do not work as in Redis."
    yield ""
    yield "| setting | Redis | Kedis | effect | what differs |"
    yield "|---|---|---|---|---|"
    for line in settings_markdown().splitlines():
        cells = line.strip("| ").split(" | ")
        if len(cells) == 6 and not cells[0].startswith("-"):
            name, redis, ours, _, effect, text = (cell.strip() for cell in cells)
            if ours.startswith("**") or effect not in _ALIKE:
                yield f"| {name} | {redis} | {ours} | {effect} | {text} |"


def _commands() -> Iterator[str]:
    load_all()
    yield "They are known and answered with an error that says why, but for what the summary excepts."
    yield ""
    yield "| command | does in Redis |"
    yield "|---|---|"
    for row in sorted(every_command(), key=lambda row: row.name):
        if row.function is not None and row.summary.startswith(_UNSUPPORTED):
            what = row.summary.removeprefix(_UNSUPPORTED).lstrip(",: ")
            yield f"| `{row.name.upper().replace('|', ' ')}` | {what} |"


def main() -> int:
    """Run the command; returns the exit code."""
    return marked_page.run(
        Path(__file__).stem, "The page of what is not as in Redis.", PAGE, (BEGIN, END), tables
    )


if __name__ == "__main__":
    raise SystemExit(main())
