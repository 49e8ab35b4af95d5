"""The table of settings, for ``--help-settings`` and the docs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from kedis.config.accepted import DIRECTIVES
from kedis.config.declare import Setting
from kedis.config.settings import SETTINGS


def describe_settings() -> str:
    """Every setting with its default and help, by group, for a terminal."""
    lines = [
        "Settings go into a file as 'name value', or on the command line as '--name value'.",
        "* can be changed while the server runs (CONFIG SET).",
    ]
    for title, settings in _groups():
        lines += ["", title]
        lines += [
            f"  {' ' if setting.fixed else '*'} {setting.name} {_default(setting)}\n        {_help(setting)}"
            for setting in settings
        ]
    lines += ["", "in files and flags only"]
    lines += [f"    {name}\n        {help}" for name, help in DIRECTIVES.items()]
    return "\n".join(lines) + "\n"


def settings_markdown() -> str:
    """The same as Markdown tables, for the docs."""
    lines: list[str] = []
    for title, settings in _groups():
        lines += [
            f"### {title}",
            "",
            "| setting | default | at runtime | what it does |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| `{setting.name}` | `{_default(setting)}` | {'no' if setting.fixed else 'yes'} | "
            f"{_help(setting).replace('|', chr(92) + '|')} |"
            for setting in settings
        ]
        lines.append("")
    return "\n".join(lines)


def _groups() -> Iterator[tuple[str, list[Setting]]]:
    for (title, effective), settings in groupby(SETTINGS, lambda setting: (setting.group, setting.effective)):
        shown = [setting for setting in settings if not setting.hidden]
        yield (title if effective else f"{title}: accepted, without effect in Kedis"), shown


def _default(setting: Setting) -> str:
    if isinstance(setting.default, str):
        return setting.default or '""'
    return setting.kind.text(setting.default) or '""'


def _help(setting: Setting) -> str:
    return f"{setting.help}; also named {setting.alias}" if setting.alias else setting.help
