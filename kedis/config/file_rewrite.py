"""CONFIG REWRITE: a configuration file that gives the current values.

Comments, order, include lines and lines that are no settings are kept, as is a line that gives the current value.
Otherwise the first line of a setting is replaced by the new ones, and its other lines are removed.  Settings back at an
empty default lose their line.  Settings without a line that are not at their default are added at the end, under a
marker.  Save points are written once they were given, empty ones too.

Included files are not changed: a setting that one of them gives is written behind the last include, where it wins.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from kedis.config.declare import Setting
from kedis.config.list_types import Addresses
from kedis.config.settings import SETTINGS, SETTINGS_BY_NAME, Config
from kedis.config.syntax import split_words
from kedis.process.whole_files import replace_file

#: The reply to CONFIG REWRITE when the server was started without a file.
NO_FILE = "ERR The server is running without a config file"
MARKER = "# Changed while the server was running:"

_UNREADABLE = object()


def render_rewrite(
    old_text: str, config: Config, users: Sequence[str] | None = None, *, every: bool = False
) -> str:
    """The new text of a configuration file whose text is ``old_text``.

    Pure: reads no file.  O(lines + settings).

    Args:
        users: the ``user`` lines that take the place of those in the file; None leaves them as they are.
        every: also give the settings that are at their default.
    """
    lines = old_text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if users is not None:
        lines = _with_users(lines, users)
    places, last_include = _places(lines)
    replaced: dict[int, list[str]] = {}
    added: list[str] = []
    for setting in SETTINGS:
        is_included = setting.name in config.included
        at = [place for place in places.get(setting.name, ()) if not is_included or place[0] > last_include]
        if not at:
            if every or not _is_unsaid(setting, config):
                added += _written(setting, config)
        elif _replay(setting, at, config) != config.value(setting):
            replaced.update((number, []) for number, _ in at)
            if is_included or not _may_go(setting, config):
                replaced[at[0][0]] = _written(setting, config)
    kept = [new for number, line in enumerate(lines) for new in replaced.get(number, [line])]
    if added and MARKER not in kept:
        added[:0] = ["", MARKER] if kept and kept[-1] else [MARKER]
    return "".join(line + "\n" for line in kept + added)


def rewrite_file(
    path: str, config: Config, users: Sequence[str] | None = None, *, every: bool = False
) -> None:
    """Bring the file up to date in one step, durably; see :func:`render_rewrite`.

    Waits for the disk, so it does not belong in a command.  A missing file is made anew; a link is followed;
    permissions stay.  Raises OSError, which the command answers with ``ERR Rewriting config file: …``.
    """
    old_text = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            old_text = file.read()
    new_text = render_rewrite(old_text, config, users, every=every)
    replace_file(path, new_text.encode("utf-8", "surrogateescape"), 0o644)


def _with_users(lines: list[str], users: Sequence[str]) -> list[str]:
    """``lines`` with ``users`` in the place of the first ``user`` line, and without the others."""
    at = [number for number, line in enumerate(lines) if _first_word(line) == "user"]
    kept = [line for number, line in enumerate(lines) if number not in at]
    place = at[0] if at else len(kept)
    return [*kept[:place], *users, *kept[place:]]


def _first_word(line: str) -> str:
    try:
        return split_words(line.strip(" \t\r"))[0].lower()
    except (ValueError, IndexError):  # blank, or not a line that could have been loaded
        return ""


def _places(lines: list[str]) -> tuple[dict[str, list[tuple[int, list[str]]]], int]:
    """Line numbers and words of each setting; the number of the last include line, or -1."""
    places: dict[str, list[tuple[int, list[str]]]] = {}
    last_include = -1
    for number, line in enumerate(lines):
        stripped = line.strip(" \t\r")
        try:
            name, *words = split_words(stripped)
        except ValueError:  # blank, or not a line that could have been loaded
            continue
        if name.lower() == "include":
            last_include = number
        elif not stripped.startswith("#") and name.lower() in SETTINGS_BY_NAME:
            places.setdefault(SETTINGS_BY_NAME[name.lower()].name, []).append((number, words))
    return places, last_include


def _replay(setting: Setting, at: list[tuple[int, list[str]]], config: Config) -> Any:
    """The value that the lines give together."""
    value = () if setting.kind.accumulates else config.initial(setting)
    try:
        for _, words in at:
            value = setting.parse(words, value)
    except ValueError:
        return _UNREADABLE
    return value


def _is_unsaid(setting: Setting, config: Config) -> bool:
    """Whether the value holds without a line in this file: by an included file, or as the default."""
    if setting.name in config.included:
        return bool(config.value(setting) == config.included[setting.name])
    return config.is_unsaid(setting)


def _may_go(setting: Setting, config: Config) -> bool:
    """Whether the setting has a default for which no line is written."""
    value = config.value(setting)
    empty = value in ("", ()) or isinstance(setting.kind, Addresses)
    return empty and config.is_unsaid(setting)


def _written(setting: Setting, config: Config) -> list[str]:
    return [f"{setting.name} {words}" for words in setting.kind.lines(config.value(setting))]
