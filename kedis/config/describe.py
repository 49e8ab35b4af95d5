"""The table of settings, for ``--help-settings`` and the docs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from kedis.config.declare import Setting
from kedis.config.ignored import DIRECTIVES, OBEYED_DIRECTIVES, REFUSED_DIRECTIVES
from kedis.config.setting_types import Folder
from kedis.config.settings import SETTINGS, Config, is_refused

_UNTOUCHED = Config()


def describe_settings() -> str:
    """Every setting with its default and help, by group, for a terminal."""
    lines = [
        "Settings go into a file as 'name value', or on the command line as '--name value'.",
        "* can be changed while the server runs (CONFIG SET). ! is refused unless it has the default of Redis.",
    ]
    for title, settings in _groups():
        lines += ["", title]
        lines += [
            f"  {_mark(setting)} {setting.name} {_default(setting)}\n        {_help(setting)}"
            for setting in settings
        ]
    lines += ["", "in files and flags only"]
    lines += [f"    {name}\n        {help}" for name, help in DIRECTIVES.items()]
    return "\n".join(lines) + "\n"


def settings_markdown() -> str:
    """Every setting beside Redis's, as Markdown tables for docs/reference/settings.md."""
    lines: list[str] = []
    for title, settings in _groups():
        lines += [
            f"## {title[0].upper()}{title[1:]}",
            "",
            "| setting | Redis | Kedis | at run time | effect | what it does, and what differs |",
            "|---|---|---|---|---|---|",
            *map(_row, settings),
            "",
        ]
    lines += ["## In files and flags only", "", "| directive | effect | what it does |", "|---|---|---|"]
    lines += [f"| `{name}` | {_directive_effect(name)} | {help} |" for name, help in DIRECTIVES.items()]
    return "\n".join(lines) + "\n"


def redis_default(setting: Setting) -> str | None:
    """Redis's default, as CONFIG GET prints it; None where Redis has no such setting."""
    if setting.own:
        return None
    return _text(setting) if setting.redis_default is None else setting.redis_default


def effect(setting: Setting) -> str:
    """The effect of setting it."""
    if is_refused(setting):
        return "refused"
    if not setting.effective:
        return "without effect"
    if setting.own:
        return "Kedis's own"
    return "works otherwise" if setting.otherwise else "works"


def _row(setting: Setting) -> str:
    redis = redis_default(setting)
    mine = _code(_text(setting))
    cells = [f"`{setting.name}`", "" if redis is None else _code(redis), mine, _at_run_time(setting)]
    if redis is not None and redis != _text(setting):
        cells[2] = f"**{mine}**"
    return f"| {' | '.join([*cells, effect(setting), _explained(setting)])} |"


def _explained(setting: Setting) -> str:
    """The help and what differs from Redis, as sentences."""
    sentences = [setting.help, setting.otherwise]
    if setting.reason:
        sentences.append(f"the default differs because {setting.reason}")
    if setting.alias:
        sentences.append(f"also named `{setting.alias}`")
    text = ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences if sentence)
    return text.replace("|", "\\|") + "."


def _at_run_time(setting: Setting) -> str:
    if setting.protected:
        return "protected"
    return "no" if setting.fixed else "yes"


def _text(setting: Setting) -> str:
    """What CONFIG GET prints of a server that was given nothing; a folder as it is seen from the start."""
    if isinstance(setting.kind, Folder):
        return f"./{setting.default}"
    return _UNTOUCHED.text(setting.name)


def _code(text: str) -> str:
    return f"`{text}`" if text else '`""`'


def _directive_effect(name: str) -> str:
    if name in OBEYED_DIRECTIVES:
        return "works"
    return "refused" if name in REFUSED_DIRECTIVES else "without effect"


def _groups() -> Iterator[tuple[str, list[Setting]]]:
    for (title, effective), settings in groupby(SETTINGS, lambda setting: (setting.group, setting.effective)):
        shown = [setting for setting in settings if not setting.hidden]
        yield (title if effective else f"{title}: without effect in Kedis"), shown


def _mark(setting: Setting) -> str:
    if is_refused(setting):
        return "!"
    return " " if setting.fixed else "*"


def _default(setting: Setting) -> str:
    if isinstance(setting.default, str):
        return setting.default or '""'
    return setting.kind.text(setting.default) or '""'


def _help(setting: Setting) -> str:
    return f"{setting.help}; also named {setting.alias}" if setting.alias else setting.help
