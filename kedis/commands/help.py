"""The replies of ``CLIENT HELP`` and the like, derived from the table: each subcommand and its summary."""

from __future__ import annotations

from kedis.engine.table import COMMANDS
from kedis.resp.values import SimpleString


def help_lines(container: str) -> list[SimpleString]:
    """The reply to ``<container> HELP``."""
    lines = [f"{container.upper()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for name, row in COMMANDS[container.lower().encode()].subcommands.items():
        if name != b"help":
            lines += [name.decode().upper(), f"    {row.summary}"]
    lines += ["HELP", "    Prints this help."]
    return [SimpleString(line.encode()) for line in lines]
