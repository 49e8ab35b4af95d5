"""The table of settings, held against the one of real Redis."""

from __future__ import annotations

import inspect
import os

import pytest

from kedis.config import SETTINGS, SETTINGS_BY_NAME, Config, describe_settings, settings_markdown
from kedis.config.accepted import DIRECTIVES
from kedis.config.declare import Setting
from kedis.config.syntax import split_words
from kedis.structures.glob import compile_glob
from tests.oracle import Oracle

KEDIS_ONLY = {"metrics-bind": "127.0.0.1", "metrics-port": "9121", "aof-checksum": "yes"}
# Kedis's own defaults; the oracle's port is the test's choice, and it is started without snapshots.
OTHER_DEFAULTS = {
    "appendonly": "yes",
    "aof-use-rdb-preamble": "no",
    "bind": "127.0.0.1 -::1",
    "save": "",
    "port": "6379",
    "rdbcompression": "no",
}
# What the oracle is started with.
OF_THE_ORACLE = ("--enable-debug-command", "no")


def redis_settings(oracle: Oracle, *patterns: str) -> dict[str, str]:
    flat = [word.decode() for word in oracle.call("CONFIG", "GET", *patterns)]
    return dict(zip(flat[::2], flat[1::2], strict=True))


def test_names_and_defaults_are_those_of_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = Oracle(*OF_THE_ORACLE)
    try:
        expected = redis_settings(oracle, "*")
    finally:
        oracle.close()
    expected |= KEDIS_ONLY | OTHER_DEFAULTS | {"dir": os.path.abspath("kedis-data")}
    assert Config().get(["*"], compile_glob) == expected


def test_hidden_settings_are_those_of_redis() -> None:
    hidden = [setting.name for setting in SETTINGS if setting.hidden]
    oracle = Oracle()
    try:
        assert redis_settings(oracle, *hidden) == Config().get(hidden, compile_glob)
    finally:
        oracle.close()
    assert len(hidden) == 4
    assert not set(hidden) & set(Config().get(["*"], compile_glob))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_each_setting_is_whole(setting: Setting) -> None:
    assert setting.help
    assert setting.group
    assert setting.kind.expected()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_lines_of_a_default_give_the_default(setting: Setting) -> None:
    value = () if setting.kind.accumulates else Config().initial(setting)
    for line in setting.kind.lines(Config().initial(setting)):
        value = setting.parse(split_words(line), value)
    assert value == Config().initial(setting)


def test_no_name_is_given_twice() -> None:
    names = [name for setting in SETTINGS for name in setting.names]
    assert len(names) == len(set(names)) == len(SETTINGS_BY_NAME)


def test_no_setting_hides_a_method() -> None:
    methods = {name for name, _ in inspect.getmembers(Config, inspect.isroutine)}
    assert not methods & {setting.attribute for setting in SETTINGS}


def test_help_tells_every_setting() -> None:
    listed = {line.split()[-2] for line in describe_settings().splitlines() if line.startswith("  * ")}
    assert "maxmemory" in listed
    for name in [setting.name for setting in SETTINGS if not setting.hidden] + list(DIRECTIVES):
        assert f" {name}" in describe_settings()
    for setting in SETTINGS:
        assert (f"| `{setting.name}` |" in settings_markdown()) is not setting.hidden


def test_help_says_what_is_without_effect() -> None:
    effective, _, accepted = settings_markdown().partition("accepted, without effect in Kedis")
    assert "| `maxmemory` |" in effective
    assert "| `io-threads` |" in accepted
    assert "| `io-threads` |" not in effective
