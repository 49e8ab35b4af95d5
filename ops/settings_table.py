"""``docs/reference/settings.md``: every setting with Redis's default and Kedis's, made from the code.

``python -m ops.settings_table`` prints the tables, ``--write`` puts them into the page, ``--check`` fails where the
page is old.
"""

from __future__ import annotations

from pathlib import Path

from kedis.config import settings_markdown
from ops import marked_page

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"
BEGIN, END = "<!-- the tables: python -m ops.settings_table --write -->", "<!-- end of the tables -->"


def main() -> int:
    """Run the command; returns the exit code."""
    return marked_page.run(
        Path(__file__).stem, "The page of all settings.", PAGE, (BEGIN, END), settings_markdown
    )


if __name__ == "__main__":
    raise SystemExit(main())
