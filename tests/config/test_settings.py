"""Reading and changing the values; the texts are those that real Redis 7.0.15 sends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kedis.config import SETTINGS, Config, ConfigError, SettingRefused
from kedis.errors import CommandError
from kedis.structures.glob import compile_glob

FAILED = "ERR CONFIG SET failed (possibly related to argument '{}') - {}"


def change(config: Config, *words: str, local: bool = False) -> str:
    try:
        config.set_many(zip(words[::2], words[1::2], strict=True), local)
    except CommandError as error:
        return str(error)
    return "OK"


def read(config: Config, *patterns: str) -> dict[str, str]:
    return config.get(patterns, compile_glob)


@pytest.mark.parametrize(
    ("word", "size"),
    [
        ("1", 1),
        ("1b", 1),
        ("1k", 1000),
        ("1kb", 1024),
        ("1Kb", 1024),
        ("1m", 1000**2),
        ("100mb", 100 * 1024**2),
        ("1g", 1000**3),
        ("2GB", 2 * 1024**3),
        ("010", 10),
        ("", 0),
        ("mb", 0),
        ("18446744073709551616", 2**64 - 1),
        ("17179869184gb", 2**64 - 1),
    ],
)
def test_sizes(word: str, size: int) -> None:
    config = Config()
    assert change(config, "maxmemory", word) == "OK"
    assert config.maxmemory == size


@pytest.mark.parametrize(
    "word", ["abc", "1 mb", " 1", "+1", "-1", "0x10", "1t", "1bb", "1k5", "1.5", "1_0", "1" * 200]
)
def test_sizes_that_are_none(word: str) -> None:
    expected = FAILED.format("maxmemory", "argument must be a memory value")
    assert change(Config(), "maxmemory", word) == expected


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("nosuch", "1"), "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"),
        (("hz", "zz", "NoSuch", "1"), "ERR Unknown option or number of arguments for CONFIG SET - 'NoSuch'"),
        (("include", "x"), "ERR Unknown option or number of arguments for CONFIG SET - 'include'"),
        (("databases", "4"), FAILED.format("databases", "can't set immutable config")),
        (("databases", "4", "nosuch", "1"), FAILED.format("databases", "can't set immutable config")),
        (("hz", "zz", "databases", "1"), FAILED.format("databases", "can't set immutable config")),
        (("dir", "/tmp"), FAILED.format("dir", "can't set protected config")),
        (("DBFILENAME", "x"), FAILED.format("dbfilename", "can't set protected config")),
        (("maxmemory", "1", "MaxMemory", "2"), FAILED.format("maxmemory", "duplicate parameter")),
        (("hz", "zz", "hz", "1"), FAILED.format("hz", "duplicate parameter")),
        (("hz", "zz"), FAILED.format("hz", "argument couldn't be parsed into an integer")),
        (("hz", "-1"), FAILED.format("hz", "argument must be between 0 and 2147483647 inclusive")),
        (
            ("slave-priority", "x"),
            FAILED.format("slave-priority", "argument couldn't be parsed into an integer"),
        ),
        (("appendonly", "x"), FAILED.format("appendonly", "argument must be 'yes' or 'no'")),
        (
            ("appendfsync", ""),
            FAILED.format("appendfsync", "argument(s) must be one of the following: everysec, always, no"),
        ),
        (("save", "900"), FAILED.format("save", "Invalid save parameters")),
        (
            ("client-output-buffer-limit", "normal 1 2"),
            FAILED.format(
                "client-output-buffer-limit", "Wrong number of arguments in buffer limit configuration."
            ),
        ),
        (
            ("notify-keyspace-events", "KEq"),
            FAILED.format("notify-keyspace-events", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ),
        (
            ("maxmemory-clients", "101%"),
            FAILED.format("maxmemory-clients", "percentage argument must be less or equal to 100"),
        ),
        (
            ("shutdown-on-sigterm", "save nosave"),
            FAILED.format(
                "shutdown-on-sigterm", "shutdown options SAVE and NOSAVE can't be used simultaneously"
            ),
        ),
        (("bind", " ".join(["::1"] * 17)), FAILED.format("bind", "Too many bind addresses specified.")),
    ],
)
def test_errors_of_config_set(words: tuple[str, ...], error: str) -> None:
    config = Config()
    before = read(config, "*")
    assert change(config, *words) == error
    assert read(config, "*") == before


def test_all_or_none() -> None:
    config = Config()
    assert change(config, "maxmemory", "1mb", "timeout", "5", "hz", "zz").startswith("ERR CONFIG SET failed")
    assert (config.maxmemory, config.timeout) == (0, 0)
    assert change(config, "maxmemory", "1mb", "timeout", "5", "hz", "20") == "OK"
    assert (config.maxmemory, config.timeout, config.hz) == (1 << 20, 5, 20)


def test_values_are_printed_in_normal_form() -> None:
    config = Config()
    words = ["MAXMEMORY", "1MB", "maxmemory-policy", "ALLKEYS-LRU", "hz", "501", "appendonly", "NO"]
    words += [
        "notify-keyspace-events",
        "mEKA",
        "maxmemory-clients",
        "5%",
        "shutdown-on-sigterm",
        "force NOW save",
    ]
    words += ["latency-tracking-info-percentiles", "0.10 99.123456789", "oom-score-adj-values", "1 2 3"]
    assert change(config, *words) == "OK"
    assert read(config, *words[::2]) == {
        "MAXMEMORY": "1048576",
        "maxmemory-policy": "allkeys-lru",
        "hz": "500",
        "appendonly": "no",
        "notify-keyspace-events": "AKEm",
        "maxmemory-clients": "5%",
        "shutdown-on-sigterm": "save now force",
        "latency-tracking-info-percentiles": "0.1 99.123457",
        "oom-score-adj-values": "1 2 3",
    }
    assert config.shutdown_on_sigterm == ("save", "now", "force")
    assert config.notify_keyspace_events == "g$lshzxetdKEm"


def test_older_names_are_the_same_setting() -> None:
    config = Config()
    assert change(config, "hash-max-ziplist-entries", "9") == "OK"
    assert config.hash_max_listpack_entries == 9
    expected = {"hash-max-listpack-entries": "9", "hash-max-ziplist-entries": "9"}
    assert read(config, "hash-max-*-entries") == expected
    assert read(config, "hash-max-listpack-entries") == {"hash-max-listpack-entries": "9"}
    assert change(config, "slave-read-only", "yes", "replica-read-only", "yes") == "OK"


def test_get_with_several_patterns() -> None:
    config = Config()
    assert read(config, "maxmemory", "MaxMemory", "max*ry") == {"maxmemory": "0"}
    assert read(config, "[hj]z", "h?") == {"hz": "10"}
    assert read(config, "nosuch", "maxmemory\\") == {}
    assert set(read(config, "LFU-*")) == {"lfu-log-factor", "lfu-decay-time"}


def test_protected_settings_for_those_allowed() -> None:
    assert change(Config({"enable-protected-configs": "yes"}), "dir", "/tmp") == "OK"
    local_only = Config({"enable-protected-configs": "local"})
    assert change(local_only, "dir", "/tmp") == FAILED.format("dir", "can't set protected config")
    assert change(local_only, "dir", "sub", local=True) == "OK"
    assert local_only.dir == os.path.abspath("sub")


def test_output_limits_change_one_class_at_a_time() -> None:
    config = Config()
    assert change(config, "client-output-buffer-limit", "slave 1mb 1kb 60 Pubsub 5mb 4mb 10") == "OK"
    assert config.output_limit("normal") == (0, 0, 0)
    assert config.output_limit("replica") == (1 << 20, 1 << 10, 60)
    assert config.text("client-output-buffer-limit") == (
        "normal 0 0 0 slave 1048576 1024 60 pubsub 5242880 4194304 10"
    )
    assert Config().output_limit("replica") == (256 << 20, 64 << 20, 60)


def test_share_of_maxmemory_for_clients() -> None:
    config = Config({"maxmemory": "200mb", "maxmemory-clients": "5%"})
    assert config.client_memory_limit() == 10 << 20
    assert change(config, "maxmemory-clients", "1kb") == "OK"
    assert config.client_memory_limit() == 1024


def test_save_replaces_what_was_there() -> None:
    config = Config({"save": "900 1"})
    assert change(config, "save", "60 1 60 2") == "OK"
    assert config.text("save") == "60 1 60 2"
    assert change(config, "save", "") == "OK"
    assert config.save == ()


REDIS_POINTS = "3600 1 300 100 60 10000"


@pytest.mark.parametrize(
    ("given", "points"),
    [
        ({}, ""),
        ({"appendonly": "yes"}, ""),
        ({"appendonly": "no"}, REDIS_POINTS),
        ({"appendonly": "no", "save": ""}, ""),
        ({"save": "", "appendonly": "no"}, ""),
        ({"appendonly": "no", "save": "60 1"}, "60 1"),
        ({"appendonly": "yes", "save": "60 1"}, "60 1"),
    ],
)
def test_without_an_append_only_file_redis_s_save_points_hold(given: dict[str, str], points: str) -> None:
    config = Config(given)
    assert config.text("save") == points
    assert config.keeps_nothing() == (given.get("appendonly") == "no" and not points)


def test_a_file_without_save_lines_and_flags_with_them(tmp_path: Path) -> None:
    file = tmp_path / "redis.conf"
    file.write_text("appendonly no\n# save 3600 1\n")
    assert Config.from_command_line([str(file)]).text("save") == REDIS_POINTS
    assert Config.from_command_line([str(file), "--save", "60 1"]).text("save") == "60 1"
    assert Config.from_command_line([str(file), "--save"]).text("save") == ""
    assert Config.from_command_line([str(file), "--appendonly", "yes"]).text("save") == ""


def test_save_points_follow_appendonly_until_they_are_given() -> None:
    config = Config()
    seen: list[str] = []
    config.subscribe("save", lambda changed: seen.append(changed.text("save")))
    assert change(config, "appendonly", "no", "hz", "20") == "OK"
    assert config.text("save") == REDIS_POINTS
    assert change(config, "appendonly", "yes") == "OK"
    assert seen == [REDIS_POINTS, ""]
    assert change(config, "save", "", "appendonly", "no") == "OK"
    assert config.text("save") == ""
    assert change(config, "save", "60 1") == change(config, "appendonly", "yes") == "OK"
    assert config.text("save") == "60 1"


def test_save_points_stay_when_the_change_is_refused() -> None:
    config = Config()

    def refuse(changed: Config) -> None:
        raise SettingRefused("not now")

    config.subscribe("appendonly", refuse)
    assert change(config, "appendonly", "no", "save", "60 1") != "OK"
    assert config.text("save") == ""
    config = Config()
    config.subscribe("save", refuse)
    assert change(config, "appendonly", "no") == FAILED.format("appendonly", "not now")
    assert (config.appendonly, config.save) == (True, ())
    config = Config({"appendonly": "no"})
    assert change(config, "appendonly", "yes") == "OK"
    assert config.save == (), "the refused save counts as never given"


def test_settings_from_a_program() -> None:
    config = Config({"bind": "127.0.0.1 -::1", "metrics-port": "no", "port": "0"})
    assert config.bind_addresses == ["127.0.0.1", "-::1"]
    assert config.metrics_port is None
    assert config.text("metrics-port") == "no"
    with pytest.raises(ConfigError, match="argument must be between 0 and 65535 inclusive"):
        Config({"port": "65536"})


# -- listeners -----------------------------------------------------------------------------------------------


def test_listeners_see_the_new_values() -> None:
    config = Config()
    seen: list[tuple[int, int]] = []
    listener = lambda changed: seen.append((changed.hz, changed.timeout))  # noqa: E731
    config.subscribe("hz", listener)
    config.subscribe("timeout", listener)
    assert change(config, "hz", "20", "timeout", "3") == "OK"
    assert seen == [(20, 3)]


def test_listeners_are_not_called_without_a_change() -> None:
    config = Config()
    config.subscribe("hz", lambda _: pytest.fail("called though nothing changed"))
    assert change(config, "hz", "10", "timeout", "1") == "OK"
    assert change(config, "hz", "zz") != "OK"


def test_a_listener_refuses_and_everything_goes_back() -> None:
    config = Config()
    seen: list[int] = []

    def refuse(changed: Config) -> None:
        raise SettingRefused("Unable to listen on this port. Check server logs.")

    config.subscribe("hz", lambda changed: seen.append(changed.hz))
    config.subscribe("port", refuse)
    expected = FAILED.format("port", "Unable to listen on this port. Check server logs.")
    assert change(config, "hz", "20", "port", "1") == expected
    assert (config.hz, config.port) == (10, 6379)
    assert seen == [20, 10]


def test_a_faulty_listener_undoes_everything_too() -> None:
    config = Config()

    def fail(changed: Config) -> None:
        raise ZeroDivisionError

    config.subscribe("hz", fail)
    with pytest.raises(ZeroDivisionError):
        config.set_many([("timeout", "1"), ("hz", "20")])
    assert (config.hz, config.timeout) == (10, 0)


def test_a_listener_of_nothing_is_refused() -> None:
    with pytest.raises(KeyError):
        Config().subscribe("nosuch", lambda _: None)


def test_settings_of_kedis_alone_that_are_fixed_may_be_given_the_value_they_have() -> None:
    """Programs that set all that CONFIG GET has told; Redis's own fixed settings refuse that in Redis, too."""
    config = Config()
    fixed = [setting.name for setting in SETTINGS if setting.fixed and setting.own]
    assert "metrics-port" in fixed
    for name in fixed:
        config.set_many([(name, config.text(name))])
        with pytest.raises(CommandError, match="can't set immutable config"):
            config.set_many([(name, config.text(name) + "1")])
    with pytest.raises(CommandError, match="can't set immutable config"):
        config.set_many([("databases", config.text("databases"))])
