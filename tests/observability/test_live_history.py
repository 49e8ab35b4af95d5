"""The samples of the live page: one a second, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kedis.config import Config
from kedis.observability.live_figures import LiveFigures, shown
from kedis.observability.live_history import LENGTH, LiveHistory
from kedis.server.app import App
from tests.commands.driver import Client, Clock

SECOND = 1_000_000_000


class Watched:
    """A server that nobody can connect to, its history, and a client."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.app = App(
            Config({"port": "0", "metrics-port": "no", "appendonly": "no"}), (self.clock, self.clock)
        )
        self.app.engine.set_loading(False)
        self.client = Client(self.app.engine)
        self.history = LiveHistory(self.app.observer)
        self.figures = LiveFigures(self.app.observer, self.history)

    def pass_second(self) -> dict[str, float | None]:
        self.clock.now_ns += SECOND
        self.app.observer.sample()
        assert self.history.sample()
        return self.history.newest()

    def commands(self) -> dict[str, dict[str, object]]:
        """The rows of the commands, by name."""
        for _ in self.figures.walk():
            pass
        return {row["name"]: row for row in self.figures.public()["commands"]}


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.app.network.stop()


def test_a_sample_a_second_and_no_more_than_are_kept(watched: Watched) -> None:
    assert watched.history.sample()
    assert not watched.history.sample()
    watched.clock.now_ns += SECOND - 1
    assert not watched.history.sample()
    watched.clock.now_ns += 1
    assert watched.history.sample()
    for _ in range(LENGTH):
        watched.pass_second()
    columns = watched.history.columns()
    assert {len(values) for values in columns.values()} == {LENGTH}
    assert columns["at_ms"][-1] == watched.clock.now_ns // 1_000_000


def test_a_clock_that_is_set_back(watched: Watched) -> None:
    watched.pass_second()
    watched.clock.now_ns -= 3600 * SECOND
    assert watched.history.sample()
    watched.pass_second()


def test_rates_are_of_the_second(watched: Watched) -> None:
    watched.pass_second()
    for name in ("a", "b", "c"):
        watched.client.call("SET", name, 1)
    watched.client.call("GET", "a")
    watched.client.call("GET", "missing")
    sample = watched.pass_second()
    assert sample["operations"] == 5
    assert sample["hit_ratio"] == 0.5
    sample = watched.pass_second()
    assert sample["operations"] == 0
    assert sample["hit_ratio"] is None
    watched.client.call("CONFIG", "RESETSTAT")
    assert watched.pass_second()["operations"] == 0


def test_a_row_has_the_calls_of_the_window_and_all(watched: Watched) -> None:
    watched.client.call("SET", "a", 1)
    row = watched.commands()["set"]
    assert (row["calls"], row["per_second"]) == (1, None)
    for _ in range(4):
        watched.client.call("SET", "a", 1)
    watched.client.call("GET", "a")
    watched.pass_second()
    rows = watched.commands()
    assert (rows["set"]["calls"], rows["set"]["per_second"]) == (5, 4)
    assert (rows["get"]["calls"], rows["get"]["per_second"]) == (1, 1)  # its first call


def test_there_is_no_replication_to_show(watched: Watched) -> None:
    assert watched.figures.public()["replication"] is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (b"plain", "plain"),
        ("größe".encode(), "größe"),
        (b"\xff\x00", "\\xff\\x00"),
        ("a\u202eb".encode(), "a\\u202eb"),
        (b"<b>\r\n", "<b>\\r\\n"),
    ],
)
def test_bytes_of_clients_as_text(words: bytes, text: str) -> None:
    assert shown(words) == text
