"""The settings of a router: those that have no meaning are refused by name, at the start and by CONFIG SET."""

from __future__ import annotations

import pytest

from kedis.config import Config, ConfigError
from kedis.errors import CommandError
from kedis.router.router_settings import keep_nothing, refuse_unusable, upstream_of
from kedis.server.start_error import StartError

UPSTREAM = {"upstream": "redis://a:1"}


def router(**settings: str) -> Config:
    config = Config(UPSTREAM | {name.replace("_", "-"): value for name, value in settings.items()})
    refuse_unusable(config)
    keep_nothing(config)
    return config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("appendonly", "yes"),
        ("save", "60 1"),
        ("maxmemory", "1gb"),
        ("replicaof", "a 1"),
        ("notify-keyspace-events", "KEA"),
        ("min-replicas-to-write", "1"),
        ("metrics-streams", "s"),
    ],
)
def test_unusable_ones(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} cannot be used with upstream"):
        router(**{name: value})


def test_harmless_ones() -> None:
    config = router(appendonly="no", save="", maxmemory="0", requirepass="x")
    assert not config.appendonly
    assert not config.save


def test_the_defaults_that_keep_data_are_none_of_a_router() -> None:
    config = router()
    assert not config.appendonly
    assert not config.save


def test_config_set() -> None:
    config = router()
    config.set_many([("upstream-read-from", "replica"), ("requirepass", "x")])
    assert config.upstream_read_from == "replica"
    assert not config.save
    for name, value in (("appendonly", "yes"), ("save", "60 1"), ("maxmemory", "1gb")):
        with pytest.raises(CommandError, match=f"{name} cannot be used with upstream"):
            config.set_many([(name, value)])
    assert not config.appendonly
    assert not config.maxmemory


def test_an_upstream_that_is_none() -> None:
    config = Config({"upstream": "redis://user:secret@a:x"})
    with pytest.raises(StartError) as error:
        upstream_of(config)
    assert "secret" not in str(error.value)
