"""CONFIG."""

from __future__ import annotations

import pytest

from kedis.config import Config, SettingRefused
from kedis.engine.absent import NoProcess
from kedis.engine.engine import Engine
from kedis.engine.table import COMMANDS
from kedis.errors import CommandError
from tests.commands.driver import Client, Clock, ErrorReply
from tests.oracle import Oracle


@pytest.fixture
def client() -> Client:
    return Client()


def test_get_by_names_and_patterns(client: Client) -> None:
    assert client.call("CONFIG", "GET", "hz") == [b"hz", b"10"]
    assert client.call("CONFIG", "GET", "HZ", "h?", "hz") == [b"HZ", b"10"]
    found = client.call("CONFIG", "GET", "slowlog-*", "appendfsync")
    assert sorted(found[::2]) == [b"appendfsync", b"slowlog-log-slower-than", b"slowlog-max-len"]
    assert client.call("CONFIG", "GET", "nosuch") == []
    assert len(client.call("CONFIG", "GET", "*")) > 300


def test_get_is_a_map_in_resp3() -> None:
    assert Client(resp=3).call("CONFIG", "GET", "hz") == {b"hz": b"10"}


def test_set_changes_all_or_none(client: Client) -> None:
    assert client.call("CONFIG", "SET", "hz", "20", "timeout", "7") == b"OK"
    assert (client.engine.config.hz, client.engine.config.timeout) == (20, 7)
    answer = client.call("CONFIG", "SET", "hz", "30", "timeout", "abc")
    assert answer == ErrorReply(
        "ERR CONFIG SET failed (possibly related to argument 'timeout') - "
        "argument couldn't be parsed into an integer"
    )
    assert client.engine.config.hz == 20


def test_a_listener_can_refuse(client: Client) -> None:
    def refuse(config: Config) -> None:
        if config.maxclients > 5:
            raise SettingRefused("not that many")

    client.engine.config.subscribe("maxclients", refuse)
    answer = client.call("CONFIG", "SET", "hz", "50", "maxclients", "100")
    assert str(answer).endswith("(possibly related to argument 'maxclients') - not that many")
    assert client.call("CONFIG", "GET", "hz", "maxclients") == [b"hz", b"10", b"maxclients", b"10000"]


@pytest.mark.parametrize(
    "line",
    [
        "GET",
        "SET",
        "SET hz",
        "SET hz 10 timeout",
        "SET nosuch 1",
        "SET hz 10 nosuch 1",
        "SET hz abc",
        "SET hz 10 hz 20",
        "SET databases 3",
        "SET dir /tmp",
        "SET maxmemory 10zb",
        "SET appendfsync sometimes",
        "SET slowlog-max-len -1",
        "SET latency-monitor-threshold 5",
        "REWRITE",
        "REWRITE x",
        "RESETSTAT x",
        "nosuch",
    ],
)
def test_errors_as_in_redis(client: Client, oracle: Oracle, line: str) -> None:
    assert client.call("CONFIG", *line.split()) == oracle.call("CONFIG", *line.split())


def test_protected_settings_for_local_clients() -> None:
    config = Config({"enable-protected-configs": "local"})
    client = Client(Engine(config, clock=Clock()))
    assert client.call("CONFIG", "SET", "dbfilename", "other.rdb") == b"OK"
    client.state.address = "192.0.2.1:50000"
    assert str(client.call("CONFIG", "SET", "dbfilename", "x.rdb")).endswith("can't set protected config")


def test_a_new_password_leaves_the_clients_that_are_there(client: Client) -> None:
    assert client.call("CONFIG", "SET", "requirepass", "sesame") == b"OK"
    assert client.call("PING") == b"PONG"
    late = client.another()
    assert late.call("PING") == ErrorReply("NOAUTH Authentication required.")
    assert late.call("AUTH", "sesame") == b"OK"
    assert client.call("CONFIG", "SET", "requirepass", "") == b"OK"
    assert client.another().call("PING") == b"PONG"


def test_bytes_that_are_not_text_survive(client: Client) -> None:
    assert client.call("CONFIG", "SET", "requirepass", b"p\xff\xfe") == b"OK"
    assert client.call("CONFIG", "GET", "requirepass") == [b"requirepass", b"p\xff\xfe"]


def test_rewrite_asks_the_server_to_write(client: Client) -> None:
    written: list[str] = []
    client.engine.config.file = "/etc/kedis.conf"
    client.engine.process = process = NoProcess()
    process.rewrite_config = lambda: written.append("once")  # type: ignore[method-assign]
    assert client.call("CONFIG", "REWRITE") == b"OK"
    assert written == ["once"]

    def fail() -> None:
        raise CommandError("ERR Rewriting config file: No space left on device")

    process.rewrite_config = fail  # type: ignore[method-assign]
    assert client.call("CONFIG", "REWRITE") == ErrorReply(
        "ERR Rewriting config file: No space left on device"
    )


def test_resetstat(client: Client) -> None:
    client.call("GET", "nothing")
    client.call("NOSUCH")
    assert client.engine.keyspace.misses == 1
    assert client.call("CONFIG", "RESETSTAT") == b"OK"
    assert client.engine.keyspace.misses == 0
    info = client.call("INFO", "commandstats", "errorstats", "stats")
    assert b"cmdstat_get" not in info and b"errorstat" not in info
    assert b"total_error_replies:0\r\n" in info


def test_help(client: Client) -> None:
    lines = client.call("CONFIG", "HELP")
    for name in COMMANDS[b"config"].subcommands:
        assert name.upper() in lines
