"""The catalogue of commands: syntax, summary, version, complexity.

It comes from COMMAND DOCS; commands that the server leaves out (before Redis 7 there is no COMMAND DOCS) come from the
command table of this package. The syntax is one string, `SET key value [NX|XX] …`, from which hints, options
and the places of keys are read alike.

A server's documentation is shown at the prompt: invalid names are left out, texts are escaped for the terminal, and
syntax is followed to a bounded depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from kedis.cli.client.link import Link
from kedis.cli.client.wire import ErrorReply, Pairs
from kedis.cli.terminal_text import one_line

_NAME = re.compile(r"[A-Za-z0-9_.:-]+(?: [A-Za-z0-9_.:-]+)?")
# Max. depth of nested arguments; Redis's own commands have four.
_DEEPEST = 16
_KEY_NAMES = frozenset({"key", "source", "destination", "newkey", "destkey", "sourcekey", "key1", "key2"})


@dataclass(frozen=True)
class Entry:
    """One command or subcommand, by its full upper-case name (`CONFIG GET`)."""

    name: str
    summary: str = ""
    syntax: str = ""
    since: str = ""
    group: str = ""
    complexity: str = ""

    @property
    def words(self) -> list[str]:
        """The syntax, split at blanks outside of brackets."""
        return split_syntax(self.syntax)

    def options(self) -> list[str]:
        """The literal words that may follow: NX, EX, WITHSCORES. O(length of the syntax)."""
        return sorted(set(re.findall(r"(?<![\w-])[A-Z][A-Z0-9]+(?:-[A-Z]+)*(?![\w-])", self.syntax)))

    def option_form(self, option: str) -> str:
        """An option with its own arguments, as the syntax has it: `EX seconds`. O(length of the syntax)."""
        found = re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", self.syntax)
        if found is None:
            return option
        end = _end_of_part(self.syntax, found.end())
        form = self.syntax[found.start() : end]
        # `[<MAXLEN|MINID> threshold]`: what is behind the choice belongs to each.
        choice = self.syntax.rfind("<", 0, found.start())
        if choice > 0 and self.syntax[choice - 1] == "[" and ">" not in self.syntax[choice : found.start()]:
            behind = self.syntax.find(">", end) + 1
            form += self.syntax[behind : _end_of_part(self.syntax, behind)] if behind else ""
        return form

    def option_in_progress(self, arguments: list[str]) -> tuple[str, int] | None:
        """The form of the last option whose arguments are not all there, and how many are; None where there is none.

        Args:
            arguments: the complete words behind the command's name.
        """
        options = self.options()
        leading = next((at for at, word in enumerate(self.words) if word.startswith("[")), len(self.words))
        for position in range(len(arguments) - 1, leading - 1, -1):
            word = arguments[position].upper()
            if word in options:
                form, given = self.option_form(word), len(arguments) - position - 1
                return (form, given) if given < len(split_syntax(form)) - 1 else None
        return None

    def is_key(self, position: int) -> bool:
        """Whether argument `position` (0: the first behind the name) is the name of a key."""
        plain: list[str] = []
        for word in self.words:
            if word.startswith("["):
                # `key value [key value ...]`: the repetition gives the argument at any later position.
                period = [part for part in split_syntax(word[1:-1]) if part != "..."]
                if position >= len(plain) and period and plain[-len(period) :] == period:
                    return period[(position - len(plain)) % len(period)] in _KEY_NAMES
                break
            plain.append(word)
        return position < len(plain) and plain[position] in _KEY_NAMES


def _end_of_part(syntax: str, position: int) -> int:
    """Where the alternative or the bracket ends in which ``position`` is. O(length)."""
    depth = 0
    for at in range(position, len(syntax)):
        depth += (syntax[at] in "[<") - (syntax[at] in "]>")
        if depth < 0 or (syntax[at] == "|" and depth == 0):
            return at
    return len(syntax)


def split_syntax(syntax: str) -> list[str]:
    """`key [EX seconds|PX ms] [GET]` as its top-level parts."""
    parts: list[str] = []
    depth, start = 0, 0
    for position, char in enumerate(syntax + " "):
        if char in "[<":
            depth += 1
        elif char in "]>":
            depth -= 1
        elif char == " " and depth <= 0:
            if position > start:
                parts.append(syntax[start:position])
            start = position + 1
    return parts


@dataclass
class Catalogue:
    """The commands by upper-case name, subcommands under `PARENT CHILD`."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def find(self, words: Iterable[str]) -> Entry | None:
        """The entry for the words of a line: the subcommand where there is one, else the command."""
        first, second = ([word.upper() for word in words] + ["", ""])[:2]
        return self.entries.get(f"{first} {second}") or self.entries.get(first)

    def commands(self) -> list[Entry]:
        """The commands without subcommands, by name."""
        return [entry for name, entry in sorted(self.entries.items()) if " " not in name]

    def subcommands(self, name: str) -> list[Entry]:
        """The subcommands of a command, by name."""
        prefix = f"{name.upper()} "
        return [entry for key, entry in sorted(self.entries.items()) if key.startswith(prefix)]

    def groups(self) -> list[str]:
        """The groups of commands."""
        return sorted({entry.group for entry in self.entries.values() if entry.group})


def load(link: Link) -> Catalogue:
    """Ask the server, and fill the gaps from the built-in table. Raises LinkLost."""
    reply = link.send([b"COMMAND", b"DOCS"])
    known = builtin()
    if isinstance(reply, ErrorReply):
        return known
    entries: dict[str, Entry] = {}
    for name, facts in as_dict(reply).items():
        _add(entries, name.upper(), as_dict(facts))
    for name, entry in entries.items():
        ours = known.entries.get(name)
        if ours is not None:
            filled = {
                key: getattr(entry, key) or getattr(ours, key) for key in ("summary", "syntax", "complexity")
            }
            entries[name] = replace(entry, **filled)
    return Catalogue(entries) if entries else known


def builtin() -> Catalogue:
    """The commands of this package's own server."""
    from kedis import commands
    from kedis.commands.introspection import document
    from kedis.engine.table import COMMANDS

    commands.load_all()
    entries: dict[str, Entry] = {}
    for row in COMMANDS.values():
        _add(entries, row.name.upper(), as_dict(document(row)))
    return Catalogue(entries)


def _add(entries: dict[str, Entry], name: str, facts: Mapping[str, object]) -> None:
    if not _NAME.fullmatch(name):
        return
    arguments = facts.get("arguments")
    syntax = " ".join(map(argument_syntax, arguments)) if isinstance(arguments, list) else ""
    texts = {key: _text(facts.get(key, "")) for key in ("summary", "since", "group", "complexity")}
    entries[name] = Entry(name, syntax=syntax, **texts)
    for child, child_facts in as_dict(facts.get("subcommands")).items():
        if " " not in name and child.count("|") == 1:
            _add(entries, child.upper().replace("|", " "), as_dict(child_facts))


def as_dict(reply: object) -> dict[str, object]:
    """A map reply with text keys: a map of RESP3, or the flat list that RESP2 makes of it."""
    if isinstance(reply, dict):
        return {_text(key): value for key, value in reply.items()}
    if isinstance(reply, Pairs):
        return {_text(key): value for key, value in reply}
    if isinstance(reply, list):
        return {_text(key): value for key, value in zip(reply[::2], reply[1::2], strict=False)}
    return {}


def argument_syntax(argument: object, depth: int = 0) -> str:
    """One element of COMMAND DOCS' `arguments`, as it is written in a syntax line."""
    if depth == _DEEPEST:
        return "..."
    facts = as_dict(argument)
    kind, token = _text(facts.get("type", "")), _text(facts.get("token", ""))
    name = _text(facts.get("display_text", facts.get("name", "")))
    flags = [_text(flag) for flag in flags] if isinstance(flags := facts.get("flags"), (list, set)) else []
    children = facts.get("arguments")
    inner = [argument_syntax(child, depth + 1) for child in children] if isinstance(children, list) else []
    if kind == "pure-token":
        shown = token
    elif kind == "oneof":
        shown = "|".join(inner)
        shown = f"{token} {shown}" if token else shown
        shown = f"<{shown}>" if "optional" not in flags else shown
    else:
        shown = " ".join(inner) if kind == "block" else name
        shown = f"{token} {shown}" if token else shown
    if "multiple" in flags:
        again = shown if "multiple_token" in flags or not token else shown.removeprefix(f"{token} ")
        shown = f"{shown} [{again} ...]"
    return f"[{shown}]" if "optional" in flags else shown


def _text(value: object) -> str:
    value = getattr(value, "text", value)  # of a SimpleString, in this package's own table
    if isinstance(value, (bytes, bytearray)):
        value = value.decode("utf-8", "replace")
    return one_line(value) if isinstance(value, str) else ""
