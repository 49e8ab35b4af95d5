"""A Kedis with a fault: WATCH watches nothing. Run as ``python -m tests.linearizability.unwatchful_kedis FLAGS``."""

from __future__ import annotations

import sys
from typing import Any

from kedis.cli.server import main
from kedis.engine.table import every_command


def watch(client: Any, argv: Any) -> Any:
    """Answer as WATCH does."""
    return b"OK"


if __name__ == "__main__":
    from kedis.commands import load_all

    load_all()
    for row in every_command():
        if row.name == "watch":
            row.function = watch
    sys.exit(main())
