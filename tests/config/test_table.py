"""The table of settings, held against the one of real Redis."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kedis.config import SETTINGS, SETTINGS_BY_NAME, Config, describe_settings, settings_markdown
from kedis.config.declare import Setting
from kedis.config.describe import redis_default
from kedis.config.ignored import DIRECTIVES
from kedis.config.settings import is_refused
from kedis.config.syntax import split_words
from kedis.structures.glob import compile_glob
from tests.oracle import Oracle
from tests.wire.kedis_process import KedisProcess

ROOT = Path(__file__).parent.parent.parent


def redis_settings(oracle: Oracle, *patterns: str) -> dict[str, str]:
    flat = [word.decode() for word in oracle.call("CONFIG", "GET", *patterns)]
    return dict(zip(flat[::2], flat[1::2], strict=True))


@pytest.fixture(scope="module")
def untouched() -> Iterator[dict[str, str]]:
    """All settings of a Redis that was given nothing but its port; its folder is called as on the page."""
    oracle = Oracle(untouched=True)
    found = redis_settings(oracle, "*")
    assert found["dir"] == os.path.realpath(oracle.directory.name)
    assert found["port"] == str(oracle.port)
    oracle.close()
    yield found | {"dir": SETTINGS_BY_NAME["dir"].redis_default or "", "port": "6379"}


def test_the_page_gives_the_defaults_of_redis(untouched: dict[str, str]) -> None:
    told = {
        name: redis_default(setting)
        for setting in SETTINGS
        if not setting.hidden and not setting.own
        for name in setting.names
    }
    assert told == untouched


def test_the_page_gives_the_defaults_of_kedis() -> None:
    """Those of a server that was given nothing but its port and that it is to serve no metrics."""
    with KedisProcess(untouched=True) as server, server.redis() as client:
        answered = client.config_get("*")
    shown = rows()
    assert answered.pop("port") == str(server.address[1])
    assert answered.pop("dir") == os.path.realpath(f"{server.directory.name}/kedis-data")
    assert answered.pop("metrics-port") == "no"
    assert (shown["port"][1], shown["dir"][1], shown["metrics-port"][1]) == ("6379", "./kedis-data", "9121")
    for name, text in answered.items():
        assert shown[SETTINGS_BY_NAME[name].name][1] == text, name


def test_a_default_differs_with_a_reason(untouched: dict[str, str]) -> None:
    for setting in SETTINGS:
        mine = Config().text(setting.name)
        differs = setting.name == "dir" or (not setting.own and mine != redis_default(setting))
        assert bool(setting.reason) == (setting.redis_default is not None) == differs, setting.name
        assert setting.effective or setting.otherwise, f"{setting.name}: why is it without effect?"


def rows() -> dict[str, list[str]]:
    """The page's rows by setting: Redis's default, Kedis's, at run time, effect, text."""
    lines = [
        line
        for line in (ROOT / "docs" / "reference" / "settings.md").read_text().splitlines()
        if line.count(" | ") == 5
    ]
    cells = [[cell.strip("*`") for cell in line.strip("| ").split(" | ")] for line in lines]
    return {name: ["" if cell == '""' else cell for cell in rest] for name, *rest in cells}


def test_hidden_settings_are_those_of_redis() -> None:
    hidden = [setting.name for setting in SETTINGS if setting.hidden]
    oracle = Oracle()
    try:
        assert redis_settings(oracle, *hidden) == Config().get(hidden, compile_glob)
    finally:
        oracle.close()
    assert len(hidden) == 5
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


def test_the_page_says_what_is_without_effect() -> None:
    shown = rows()
    assert len(shown) > 150
    for setting in SETTINGS:
        if not setting.hidden:
            told = shown[setting.name][3]
            assert (told in ("without effect", "refused")) is not setting.effective, setting.name
            assert (told == "refused") is is_refused(setting), setting.name
