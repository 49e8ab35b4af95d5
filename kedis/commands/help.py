"""``CLIENT HELP`` and its like, derived from the table: a line for each subcommand, and its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kedis.resp.values import SimpleString

if TYPE_CHECKING:
    from kedis.engine.client import Client


def help_lines(client: Client, container: str) -> list[SimpleString]:
    """The reply to ``<container> HELP``."""
    row = client.engine.commands[container.lower().encode()]
    lines = [f"{container.upper()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for name, child in row.subcommands.items():
        if name != b"help":
            lines += [name.decode().upper(), f"    {child.summary}"]
    lines += ["HELP", "    Prints this help."]
    return [SimpleString(line.encode()) for line in lines]
