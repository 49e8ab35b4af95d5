"""The server's own metrics before and after a run, in files, for the report that lays both views side by side."""

from __future__ import annotations

import urllib.request
from pathlib import Path

BEFORE, AFTER = "server_before.prom", "server_after.prom"


def save(url: str, folder: str, name: str) -> None:
    """Write what ``url`` answers to a file.  Raises OSError, for a URL that means nothing too."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read()
    except ValueError as error:
        raise OSError(str(error)) from None
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / name).write_bytes(text)
