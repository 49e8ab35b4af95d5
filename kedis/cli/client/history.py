"""The history of typed lines: a file readable by its owner only, without lines that carry a password."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from kedis.cli.client.secrets import carries_secret

FILE_NAME = ".kedis_cli_history"


class _DiscreetFile(FileHistory):
    def append_string(self, string: str) -> None:
        """Keep a line, unless it carries a secret; errors of the disk are ignored."""
        if not carries_secret(string):
            with contextlib.suppress(OSError):
                super().append_string(string)


class _DiscreetMemory(InMemoryHistory):
    def append_string(self, string: str) -> None:
        """Keep a line, unless it carries a secret."""
        if not carries_secret(string):
            super().append_string(string)


def open_history(environment: Mapping[str, str], wanted: bool = True) -> History:
    """The history in KEDISCLI_HISTFILE or ~/.kedis_cli_history; in memory if the file cannot be used."""
    name = environment.get("KEDISCLI_HISTFILE") or os.path.join(os.path.expanduser("~"), FILE_NAME)
    if not wanted or name == os.devnull:
        return _DiscreetMemory()
    try:
        os.close(os.open(name, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    except OSError:
        return _DiscreetMemory()
    return _DiscreetFile(str(Path(name)))
