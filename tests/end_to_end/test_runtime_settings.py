"""CONFIG SET where it is more than a number: the listening address, limits, renamed commands."""

from __future__ import annotations

import socket

import pytest
import redis

import kedis
from kedis.config import ConfigError
from tests.commands.driver import Client, Clock, ErrorReply
from tests.ports import free_port


def test_the_port_can_be_changed_while_clients_stay() -> None:
    with kedis.Server(port=0) as server, server.client() as client:
        client.set("k", "v")
        port = free_port()
        assert client.config_set("port", port)
        assert redis.Redis(port=port).get("k") == b"v"
        assert client.get("k") == b"v", "the old connection goes on"
        with pytest.raises(OSError):
            socket.create_connection((server.host, server.port), timeout=1)


def test_a_port_in_use_is_refused_and_nothing_changes() -> None:
    with kedis.Server(port=0) as server, server.client() as client, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        before = client.config_get("port")
        with pytest.raises(redis.ResponseError, match="Unable to listen on this port"):
            client.config_set("port", taken.getsockname()[1])
        assert client.config_get("port") == before
        assert redis.Redis(port=server.port).ping()


def test_an_address_that_the_machine_does_not_have_is_refused_and_nothing_changes() -> None:
    with kedis.Server() as server, server.client() as client:
        before = client.config_get("bind")
        with pytest.raises(redis.ResponseError, match="Failed to bind to specified addresses"):
            client.config_set("bind", "192.0.2.1")
        assert client.config_get("bind") == before
        with server.client() as other:
            assert other.ping()
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(redis.ResponseError, match="Unable to"),
        ):
            client.config_set("port", taken.getsockname()[1])


def test_a_server_that_cannot_listen_says_so_in_one_line() -> None:
    with (
        kedis.Server(port=0) as server,
        pytest.raises(Exception, match=r"cannot listen on 127\.0\.0\.1 port"),
    ):
        kedis.Server(port=server.port).start()


def test_proto_max_bulk_len_holds_for_connected_clients() -> None:
    with kedis.Server(port=0) as server, server.client() as client:
        client.config_set("proto-max-bulk-len", 1024 * 1024)
        with pytest.raises((redis.ResponseError, redis.ConnectionError)):
            client.set("k", b"x" * (1024 * 1024 + 1))


def test_renamed_commands() -> None:
    from kedis.config import Config
    from kedis.engine.engine import Engine

    config = Config()
    config.renamed_commands = [("FLUSHALL", "wipe"), ("KEYS", "")]
    client = Client(Engine(config, clock=Clock()))
    assert client.call("WIPE") == b"OK"
    assert str(client.call("FLUSHALL")).startswith("ERR unknown command 'FLUSHALL'")
    assert client.call("KEYS", "*") == ErrorReply(
        "ERR unknown command 'KEYS', with args beginning with: '*' "
    )
    config.renamed_commands = [("NOSUCH", "x")]
    with pytest.raises(ConfigError, match="no command named NOSUCH"):
        Engine(config)
