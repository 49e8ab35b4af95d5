"""ACL WHOAMI and ACL CAT."""

from __future__ import annotations

import pytest

from kedis.engine.table import COMMANDS
from tests.commands.driver import Client
from tests.oracle import Oracle


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.mark.parametrize("line", ["WHOAMI", "WHOAMI x", "CAT", "CAT nosuch", "CAT a b", "nosuch", ""])
def test_as_in_redis(client: Client, oracle: Oracle, line: str) -> None:
    assert client.call("ACL", *line.split()) == oracle.call("ACL", *line.split())


def test_the_commands_of_a_category(client: Client, oracle: Oracle) -> None:
    for category in client.call("ACL", "CAT"):
        mine = set(client.call("ACL", "CAT", category))
        theirs = set(oracle.call("ACL", "CAT", category.upper()))
        assert mine - {b"client|setinfo", b"client|no-touch"} <= theirs, category
        assert {name for name in theirs if name in COMMANDS} <= mine, category


def test_help(client: Client) -> None:
    assert b"WHOAMI" in client.call("ACL", "HELP")
