"""``python -m ops.dashboards --write | --check``: the files in ``grafana/dashboards``, made from the code."""

from __future__ import annotations

import sys
from pathlib import Path

from ops.dashboards.boards import BOARDS
from ops.dashboards.build import to_json

FOLDER = Path(__file__).parent.parent.parent / "grafana" / "dashboards"


def main(words: list[str]) -> int:
    """Write the files, or tell which are old; returns the exit code."""
    if words not in (["--write"], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    made = {f"{board.uid}.json": to_json(board) for board in BOARDS}
    if words == ["--write"]:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (FOLDER / name).write_text(content)
        return 0
    there = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    old = sorted(name for name in {*there, *made} if there.get(name) != made.get(name))
    if old:
        print(f"old: {', '.join(old)} (python -m ops.dashboards --write)", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
