"""The commands of a page, run by a shell as they stand there, but for ports: those of the page are others in truth."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.replication.masters import PATIENCE, Raw


class Page:
    """Runs blocks of a page.

    Args:
        folder: where they run.
        ports: those of the page, as words, and the true ones.
        changes: patterns of lines of scripts, and what stands there instead.
    """

    def __init__(self, folder: Path, ports: dict[str, int], changes: dict[str, str]) -> None:
        self.folder = folder
        self._ports = ports
        self._changes = changes

    def translate(self, text: str) -> str:
        """``text`` with the true ports."""
        words = "|".join(map(re.escape, self._ports))
        return re.sub(rf"\b({words})\b", lambda found: str(self._ports[found[0]]), text)

    def run(self, script: str) -> str:
        """Run a block of the page; what it printed."""
        for pattern, replacement in self._changes.items():
            script = re.sub(pattern, replacement, script, flags=re.MULTILINE)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", self.translate(script)],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def call(self, port: int, *words: Any) -> Any:
        """The reply of the server on a port, on a connection of its own."""
        connection = Raw(port)
        try:
            return connection.call(*words)
        finally:
            connection.close()
