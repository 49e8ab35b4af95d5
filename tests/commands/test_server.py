"""INFO, SHUTDOWN, LASTSAVE, ROLE, WAIT, LOLWUT."""

from __future__ import annotations

import pytest

from kedis.engine.absent import NoProcess
from tests.commands.driver import START_NS, Client, ErrorReply
from tests.oracle import Oracle


@pytest.fixture
def client() -> Client:
    return Client()


class Asked(NoProcess):
    """A process that is asked to end."""

    def __init__(self, asked: list[frozenset[str]]) -> None:
        self.shut_down = asked.append  # type: ignore[method-assign]


def test_shutdown_ends_the_server_without_an_answer(client: Client) -> None:
    asked: list[frozenset[str]] = []
    client.engine.process = Asked(asked)
    assert client.replies("SHUTDOWN", "NOSAVE", "NOW", "FORCE") == []
    assert asked == [{"nosave", "now", "force"}]
    assert client.state.close_after_reply


def test_nothing_runs_behind_shutdown(client: Client) -> None:
    assert client.engine.run(client.state, [[b"SHUTDOWN"], [b"SET", b"k", b"v"]]) == 1
    assert len(client.state.db) == 0


def test_shutdown_is_refused_in_a_transaction(client: Client) -> None:
    asked: list[frozenset[str]] = []
    client.engine.process = Asked(asked)
    client.call("MULTI")
    assert client.call("SHUTDOWN") == ErrorReply("ERR Command not allowed inside a transaction")
    assert asked == []


@pytest.mark.parametrize(
    "line",
    [
        "SHUTDOWN foo",
        "SHUTDOWN save nosave",
        "SHUTDOWN abort",
        "SHUTDOWN abort now",
        "ROLE",
        "ROLE x",
        "LASTSAVE x",
        "WAIT 0 0",
        "WAIT a b",
        "WAIT 0 b",
        "WAIT 0 -1",
        "LOLWUT version x",
        "INFO nosuch",
    ],
)
def test_as_in_redis(client: Client, oracle: Oracle, line: str) -> None:
    assert client.call(*line.split()) == oracle.call(*line.split())


def test_lastsave_is_the_start(client: Client) -> None:
    client.now_ms += 5000
    assert client.call("LASTSAVE") == START_NS // 10**9


def test_wait_does_not_wait(client: Client) -> None:
    assert client.call("WAIT", 3, 0) == 0


def test_lolwut_names_the_version(client: Client) -> None:
    lines = client.call("LOLWUT").splitlines()
    assert lines[-1] == b"Redis ver. 7.0.15" and len(lines) > 3
    assert client.call("LOLWUT", "VERSION", 5) == client.call("LOLWUT")
