"""Settings as Python programs give them: keywords with underscores, values of Python's types."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from kedis.config.config_errors import ConfigError, suggest_name
from kedis.config.settings import SETTINGS, SETTINGS_BY_NAME, Config


def setting_name(keyword: str) -> str | None:
    """The name of the setting that ``keyword`` (``maxmemory_policy`` or ``maxmemory-policy``) stands for, or None."""
    name = keyword.lower().replace("_", "-")
    return name if name in SETTINGS_BY_NAME else None


def settings_of_keywords(given: Mapping[str, Any]) -> dict[str, str]:
    """The settings that ``given`` names, as a configuration file writes them.

    Values are text, numbers, paths, or bool for ``yes`` and ``no``. Raises ConfigError for an unknown name or a value
    of another type; the values themselves are checked by ``Config``.
    """
    found = {}
    for keyword, value in given.items():
        name = setting_name(keyword)
        if name is None:
            # The directives that Config accepts without effect, and unknown names, which it refuses, are left to it.
            name = keyword.replace("_", "-")
        found[name] = _text(name, value)
    return found


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise ConfigError(
        "settings",
        None,
        f"{name} = {value!r}",
        f"{name}: a value is text, a number, a path or a bool, not {type(value).__name__}",
        "leave the setting out for its default" if value is None else "",
    )


def changed_settings(config: Config) -> dict[str, str]:
    """The settings of ``config`` that do not have their defaults, as a configuration file writes them."""
    return {
        setting.name: config.text(setting.name)
        for setting in SETTINGS
        if config.value(setting) != setting.initial()
    }


def closest(keyword: str, others: Mapping[str, Any]) -> str:
    """A suggestion for an unknown ``keyword``, which may be a setting or one of ``others``."""
    known = {name.replace("-", "_") for name in SETTINGS_BY_NAME} | set(others)
    return suggest_name(keyword, known)
