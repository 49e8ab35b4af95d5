"""The progress line of a run, on a terminal only."""

from __future__ import annotations

from typing import TextIO

from kedis.cli.benchmark.driver import Progress
from kedis.cli.benchmark.runs import Row


class ProgressLine:
    """A line on ``out`` that is overwritten; no-op where that is no terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out if out.isatty() else None

    def watch(self, row: Row) -> Progress | None:
        """The callback for the run of ``row`` that is about to begin."""
        if self._out is None:
            return None
        run = row.run
        name = " ".join(part for part in (row.server, row.note) if part)
        head = f"{name}, {run.connections} connection{'s' * (run.connections > 1)}"
        self._write(f"{head}: getting ready")

        def progress(done: int, elapsed_ns: int) -> None:
            share = max(
                done / run.operations if run.operations else 0.0,
                elapsed_ns / 1e9 / run.seconds if run.seconds else 0.0,
            )
            self._write(f"{head}: {done:,} operations, {done / elapsed_ns * 1e9:,.0f}/s, {min(share, 1):.0%}")

        return progress

    def _write(self, text: str) -> None:
        assert self._out is not None
        self._out.write(f"\r\x1b[K{text[:110]}")
        self._out.flush()

    def clear(self, row: Row | None = None) -> None:
        """Erase the line."""
        if self._out is not None:
            self._out.write("\r\x1b[K")
            self._out.flush()
