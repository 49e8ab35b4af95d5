"""Errors of a configuration: the place, the problem, and a suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class ConfigError(Exception):
    """A configuration that cannot be used.

    Args:
        source: the file's path, or "command line".
        line_number: counted from 1; None outside files.
        line: the faulty line or flag as it was written.
        problem: what is wrong.
        suggestion: what would be right; may be empty.
    """

    def __init__(
        self, source: str, line_number: int | None, line: str, problem: str, suggestion: str = ""
    ) -> None:
        self.source = source
        self.line_number = line_number
        self.line = line
        self.problem = problem
        self.suggestion = suggestion
        place = source if line_number is None else f"{source}, line {line_number}"
        shown = "".join(char if char.isprintable() else "?" for char in line)
        rows = [f"{place}: {shown}" if line else place, problem, suggestion]
        super().__init__("\n  ".join(row for row in rows if row))


class SettingRefused(Exception):
    """Raised by a listener that cannot follow a change; the message is sent to the client."""


def suggest_name(name: str, known: Collection[str]) -> str:
    """A suggestion for an unknown name."""
    before, equals, after = name.partition("=")
    if equals and before.lower() in known:
        return f"write a space instead of '=': {before} {after}"
    close = difflib.get_close_matches(name.lower(), known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return "kedis-server --help-settings lists all settings"
