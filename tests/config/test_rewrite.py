"""CONFIG REWRITE."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kedis.config import SETTINGS, Config, ConfigError, render_rewrite, rewrite_file
from kedis.config.file_rewrite import MARKER
from kedis.structures.glob import compile_glob
from tests.oracle import Oracle

WRITTEN_BY_HAND = """\
# My server
port 7000

# Memory, and how it is used.
maxmemory 100mb
   slave-read-only yes

hz 20
# again
hz 30
include conf.d/*.conf
rename-command GET ""
not a setting of ours
save 900 1
save 300 10
# the end
"""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(text: str) -> Config:
    Path("kedis.conf").write_text(text)
    return Config.from_command_line(["kedis.conf"])


def loadable(text: str) -> str:
    return text.replace("not a setting of ours\n", "")


def rewritten(text: str, *changes: tuple[str, str]) -> str:
    config = loaded(loadable(text))
    config.set_many(changes)
    return render_rewrite(text, config)


def test_without_a_change_nothing_changes() -> None:
    assert rewritten(WRITTEN_BY_HAND) == WRITTEN_BY_HAND


def test_a_change_is_made_in_its_place() -> None:
    expected = WRITTEN_BY_HAND.replace("100mb", "1gb").replace(
        "   slave-read-only yes", "replica-read-only no"
    )
    assert rewritten(WRITTEN_BY_HAND, ("maxmemory", "1gb"), ("slave-read-only", "no")) == expected


def test_of_several_lines_the_first_stays() -> None:
    expected = WRITTEN_BY_HAND.replace("hz 20", "hz 40").replace("hz 30\n", "")
    assert rewritten(WRITTEN_BY_HAND, ("hz", "40")) == expected


def test_snapshot_points_are_written_together() -> None:
    expected = WRITTEN_BY_HAND.replace("save 900 1\nsave 300 10\n", "save 60 1\nsave 50 2\nsave 40 3\n")
    assert rewritten(WRITTEN_BY_HAND, ("save", "60 1 50 2 40 3")) == expected


def test_new_settings_come_last_under_a_marker() -> None:
    changes = [("timeout", "5"), ("maxmemory-policy", "allkeys-lru"), ("requirepass", 'a "b"')]
    added = f'\n{MARKER}\ntimeout 5\nrequirepass "a \\"b\\""\nmaxmemory-policy allkeys-lru\n'
    assert rewritten(WRITTEN_BY_HAND, *changes) == WRITTEN_BY_HAND + added


def test_the_marker_is_written_once() -> None:
    once = rewritten("hz 20\n", ("timeout", "5"))
    twice = rewritten(once, ("maxclients", "5"))
    assert twice == f"hz 20\n\n{MARKER}\ntimeout 5\nmaxclients 5\n"


def test_empty_defaults_lose_their_line() -> None:
    text = "requirepass a\nbind 127.0.0.2\nhz 20\nsave 60 1\n"
    changes = [("requirepass", ""), ("bind", "127.0.0.1 -::1"), ("hz", "10")]
    assert rewritten(text, *changes) == "hz 10\nsave 60 1\n"


@pytest.mark.parametrize("appendonly", ["yes", "no"])
def test_save_points_are_written_once_they_were_given(appendonly: str) -> None:
    """No points at all, too: without a line Redis's would hold as soon as the append-only file is off."""
    text = f"appendonly {appendonly}\n"
    assert rewritten(text) == text
    assert rewritten(text, ("save", "")) == f'{text}\n{MARKER}\nsave ""\n'
    assert rewritten(text, ("save", "60 1")) == f"{text}\n{MARKER}\nsave 60 1\n"
    assert rewritten(f"{text}save 60 1\n", ("save", "")) == f'{text}save ""\n'
    assert rewritten(f'{text}save ""\n') == f'{text}save ""\n'


def test_save_points_that_nobody_gave_stay_unsaid() -> None:
    assert rewritten("appendonly yes\n", ("appendonly", "no")) == "appendonly no\n"


def test_an_empty_file() -> None:
    assert rewritten("") == ""
    assert rewritten("", ("hz", "20")) == f"{MARKER}\nhz 20\n"
    assert rewritten("timeout 1", ("timeout", "2")) == "timeout 2\n"


def test_flags_are_written_too() -> None:
    Path("kedis.conf").write_text("hz 20\n")
    config = Config.from_command_line(["kedis.conf", "--hz", "30", "--metrics-port", "no", "--dir", "data"])
    text = render_rewrite("hz 20\n", config)
    assert text == f"hz 30\n\n{MARKER}\ndir {os.path.abspath('data')}\nmetrics-port no\n"


def test_only_the_classes_of_the_limits_are_normal() -> None:
    text = rewritten("", ("client-output-buffer-limit", "pubsub 1mb 2mb 3"))
    assert text.splitlines()[1:] == [
        "client-output-buffer-limit normal 0 0 0",
        "client-output-buffer-limit replica 256mb 64mb 60",
        "client-output-buffer-limit pubsub 1mb 2mb 3",
    ]


def test_event_classes_survive_though_get_hides_one() -> None:
    config = loaded(rewritten("", ("notify-keyspace-events", "KAn")))
    assert config.notify_keyspace_events == "g$lshzxetdnK"


@pytest.mark.parametrize("value", ["10", "20", "30", "40"])
def test_included_files_do_not_win(value: str) -> None:
    Path("other.conf").write_text("hz 30\nrequirepass secret\n")
    text = "hz 20\nrequirepass early\ninclude other.conf\n"
    once = rewritten(text, ("hz", value), ("requirepass", ""))
    again = loaded(once)
    assert (again.hz, again.requirepass) == (int(value), "")
    assert render_rewrite(once, again) == once


def test_included_values_are_not_repeated() -> None:
    Path("other.conf").write_text("hz 30\nbind 127.0.0.1\n")
    assert (
        rewritten("include other.conf\n", ("timeout", "1")) == f"include other.conf\n\n{MARKER}\ntimeout 1\n"
    )


def lines_of(config: Config) -> dict[str, str]:
    return config.get(["*"], compile_glob)


values = st.sampled_from(
    ["0", "1", "20", "yes", "no", "1gb", "3000", "a b", "", "60 1 30 2", "KEA", "5%", "now", "\n"]
)
names = st.sampled_from([setting.name for setting in SETTINGS if not setting.fixed and not setting.protected])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(names, values), max_size=8), st.lists(st.tuples(names, values), max_size=8))
def test_a_rewritten_file_gives_the_same_values(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    config = Config()
    for name, value in before:
        if is_good(name, value):
            config.set_many([(name, value)])
    text = render_rewrite(WRITTEN_BY_HAND, config)
    config = loaded(loadable(text))
    for name, value in after:
        if is_good(name, value):
            config.set_many([(name, value)])
    again = render_rewrite(text, config)
    assert lines_of(loaded(loadable(again))) == lines_of(config)
    assert render_rewrite(again, config) == again
    comments = [line for line in again.splitlines() if line.startswith("#") and line != MARKER]
    assert comments == [line for line in WRITTEN_BY_HAND.splitlines() if line.startswith("#")]


def is_good(name: str, value: str) -> bool:
    try:
        Config({name: value})
    except ConfigError:
        return False
    return True


def test_redis_takes_a_rewritten_file() -> None:
    text = "# shared\nmaxmemory 100mb\nsave 900 1\nrequirepass old\nslave-priority 5\n"
    changes = [("maxmemory", "3gb"), ("maxmemory-clients", "7%"), ("save", "60 1 30 2"), ("requirepass", "")]
    changes += [("masterauth", 'é "x"\\\n'), ("slave-priority", "9"), ("notify-keyspace-events", "KEx")]
    changes += [("client-output-buffer-limit", "slave 1mb 1kb 60"), ("shutdown-on-sigterm", "nosave now")]
    changes += [("latency-tracking-info-percentiles", ""), ("oom-score-adj-values", "1 2 3"), ("hz", "77")]
    config = loaded(text)
    config.set_many(changes)
    Path("redis.conf").write_text(render_rewrite(text, config))
    oracle = Oracle("--include", os.path.abspath("redis.conf"))
    try:
        for name, _ in changes:
            assert oracle.call("CONFIG", "GET", name)[1].decode() == config.text(name)
    finally:
        oracle.close()


# -- on disk -------------------------------------------------------------------------------------------------


def test_the_file_is_replaced_with_its_permissions() -> None:
    config = loaded("hz 20\n")
    os.chmod("kedis.conf", 0o640)
    old = os.stat("kedis.conf").st_ino
    config.set_many([("hz", "30")])
    assert config.file is not None
    rewrite_file(config.file, config)
    assert Path("kedis.conf").read_text() == "hz 30\n"
    assert stat.S_IMODE(os.stat("kedis.conf").st_mode) == 0o640
    assert os.stat("kedis.conf").st_ino != old
    assert os.listdir() == ["kedis.conf"]


def test_a_link_stays_a_link() -> None:
    config = loaded("hz 20\n")
    os.symlink("kedis.conf", "link.conf")
    config.set_many([("hz", "30")])
    rewrite_file("link.conf", config)
    assert os.path.islink("link.conf")
    assert Path("kedis.conf").read_text() == "hz 30\n"


def test_a_missing_file_is_made_anew() -> None:
    config = loaded("hz 20\n")
    os.unlink("kedis.conf")
    rewrite_file("kedis.conf", config)
    assert Path("kedis.conf").read_text() == f"{MARKER}\nhz 20\n"


def test_a_failure_leaves_the_file_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    config = loaded("hz 20\n")
    config.set_many([("hz", "30")])

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        rewrite_file("kedis.conf", config)
    assert Path("kedis.conf").read_text() == "hz 20\n"
    assert os.listdir() == ["kedis.conf"]


def test_a_user_line_is_known_by_its_first_word() -> None:
    """However it is quoted."""
    text = "hz 20\n\v\"user\" bob on\n'user'\tann off\n"
    assert render_rewrite(text, Config({"hz": "20"}), ["user bob off"]).startswith("hz 20\nuser bob off\n")
    assert "ann" not in render_rewrite(text, Config({"hz": "20"}), ["user bob off"])
