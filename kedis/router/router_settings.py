"""The settings of a router: which others have no meaning beside ``upstream``, and are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from kedis.config import Config, ConfigError, SettingRefused
from kedis.router.upstream_url import Upstream, parse_upstream
from kedis.server.start_error import StartError

_ELSEWHERE = "the data are on the servers of upstream"
#: Setting -> the values that do no harm.
_UNUSABLE: dict[str, Callable[[Any], bool]] = {
    "appendonly": lambda value: not value,
    "save": lambda value: not value,
    "maxmemory": lambda value: not value,
    "replicaof": lambda value: not value,
    "notify-keyspace-events": lambda value: not value,
    "min-replicas-to-write": lambda value: not value,
    "metrics-streams": lambda value: not value,
}


def refuse_unusable(config: Config) -> None:
    """Raise ConfigError for the first setting that was given and cannot be obeyed; refuse CONFIG SET of such ones."""
    for name, is_harmless in _UNUSABLE.items():
        value = config.value_of(name)
        if config.is_given(name) and not is_harmless(value):
            raise ConfigError(
                "settings",
                None,
                f"{name} {config.text(name)}",
                f"{name} cannot be used with upstream: {_ELSEWHERE}",
                f"remove {name}, or set it there",
            )
        config.subscribe(name, partial(_refuse, name, is_harmless))


def _refuse(name: str, is_harmless: Callable[[Any], bool], config: Config) -> None:
    if not is_harmless(config.value_of(name)):
        raise SettingRefused(f"{name} cannot be used with upstream: {_ELSEWHERE}")


def keep_nothing(config: Config) -> None:
    """The defaults of a server keep data; a router has none."""
    config.impose({"appendonly": False, "save": ()})


def upstream_of(config: Config) -> Upstream:
    """The upstream. Raises StartError where it is no URL of one."""
    try:
        return parse_upstream(config.upstream)
    except ValueError as error:
        raise StartError(f"upstream: {error}") from None
