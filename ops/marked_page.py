"""Pages with a table that is made from the code, between two marks: printed, put in, or compared."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def inserted(text: str, marks: tuple[str, str], table: str) -> str:
    """``text`` with ``table`` between the two marks, a blank line around it."""
    before, _, rest = text.partition(marks[0])
    _, _, after = rest.partition(marks[1])
    return f"{before}{marks[0]}\n\n{table.strip()}\n\n{marks[1]}{after}"


def run(program: str, description: str, page: Path, marks: tuple[str, str], table: Callable[[], str]) -> int:
    """Print ``table()``, or do what ``--write`` or ``--check`` says. Returns the exit code: 1 for a page of before."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    parser.add_argument("--check", action="store_true", help="fail when the page is not current")
    options = parser.parse_args()
    if not options.write and not options.check:
        print(table())
        return 0
    text = page.read_text()
    current = inserted(text, marks, table())
    if options.write:
        page.write_text(current)
    elif current != text:
        print(f"{page.name} is not current; run python -m ops.{program} --write", file=sys.stderr)
        return 1
    return 0
