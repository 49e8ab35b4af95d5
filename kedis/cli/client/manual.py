"""`help`: what a command does, from the catalogue, and what this client adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kedis.cli.client.catalogue import Catalogue, Entry

OVERVIEW = """\
Type a command, such as  SET user:1 karthik  or  5 INCR counter  (five times).
  Tab completes commands, options and the names of keys; the bottom line shows the syntax.
  Ctrl-R searches the history, a backslash at the end of a line goes on in the next one.
  Ctrl-C stops waiting, SUBSCRIBE and MONITOR; Ctrl-D or quit leaves.

  help SET          what a command does            help @hash       the commands of a group
  peek KEY          type, TTL, size, first part    :help            commands of this client"""

META_COMMANDS = {
    "help": ("", "this list"),
    "timing": ("on|off", "print how long each command took"),
    "pager": ("on|off", "show long replies in $PAGER (less)"),
    "format": ("human|raw|csv|json", "how replies are printed"),
    "color": ("on|off", "colors"),
    "connect": ("HOST PORT | URL", "go to another server"),
    "history": ("[N]", "the last N lines typed (20)"),
    "clear": ("", "clear the screen"),
    "quit": ("", "leave"),
}


def explain(catalogue: Catalogue, topic: Sequence[str]) -> str:
    """The text for `help TOPIC`."""
    if not topic:
        return OVERVIEW
    if topic[0].startswith("@"):
        return _group(catalogue, topic[0][1:].lower())
    if topic[0].startswith(":"):
        return meta_help({})
    entry = catalogue.find(topic)
    if entry is None:
        return f"There is no command {' '.join(topic).upper()}; help alone shows what there is."
    lines = _entry(entry)
    if " " not in entry.name:
        lines += [f"    {_heading(child)}" for child in catalogue.subcommands(entry.name)]
    return "\n".join(lines)


def meta_help(extra: Mapping[str, str]) -> str:
    """The text for `:help`; `extra` are names that others have added, with what they do."""
    lines = [f"  {f':{name} {values}':<28} {text}" for name, (values, text) in META_COMMANDS.items()]
    lines += [f"  {f':{name}':<28} {text}" for name, text in sorted(extra.items())]
    return "\n".join(lines)


def _entry(entry: Entry) -> list[str]:
    facts = [
        ("summary", entry.summary),
        ("since", entry.since),
        ("group", entry.group),
        ("complexity", entry.complexity),
    ]
    return [f"  {_heading(entry)}", *(f"  {name + ':':<12}{value}" for name, value in facts if value)]


def _heading(entry: Entry) -> str:
    return f"{entry.name} {entry.syntax}".rstrip()


def _group(catalogue: Catalogue, group: str) -> str:
    entries = [entry for entry in catalogue.entries.values() if entry.group == group]
    if not entries:
        return f"There is no group @{group}; there are " + ", ".join(
            f"@{name}" for name in catalogue.groups()
        )
    return "\n".join(
        f"  {_heading(entry)}\n      {entry.summary}" for entry in sorted(entries, key=lambda e: e.name)
    )
