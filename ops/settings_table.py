"""``docs/reference/settings.md``: every setting with Redis's default and Kedis's, made from the code.

``python ops/settings_table.py`` prints the tables, ``--write`` puts them into the page, ``--check`` fails where the
page is old.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kedis.config import settings_markdown

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"
BEGIN, END = "<!-- the tables: python ops/settings_table.py --write -->", "<!-- end of the tables -->"


def inserted(text: str) -> str:
    """``text`` with the tables between the two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{settings_markdown()}\n{END}{after}"


def main() -> int:
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(inserted(PAGE.read_text()))
    elif sys.argv[1:] == ["--check"]:
        text = PAGE.read_text()
        if inserted(text) != text:
            print(f"{PAGE.name} is old: run python ops/settings_table.py --write", file=sys.stderr)
            return 1
    else:
        print(settings_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
