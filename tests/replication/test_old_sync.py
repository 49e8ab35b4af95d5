"""SYNC of the time before offsets, which `redis-cli --replica` sends: the stream follows the snapshot by itself."""

from __future__ import annotations

import socket

import pytest
import redis

from tests.wire.kedis_process import KedisProcess


@pytest.mark.parametrize("recording", ["yes", "no"])
def test_the_first_change_behind_the_snapshot_is_sent_at_once(recording: str) -> None:
    """The replica confirms nothing, so that nothing else has the server look at it."""
    server = KedisProcess("--appendonly", recording)
    client = redis.Redis(port=server.address[1])
    client.config_set("repl-ping-replica-period", 3600)
    client.set("before", "1")
    with socket.create_connection(server.address, 60) as replica:
        replica.sendall(b"SYNC\r\n")
        stream = replica.makefile("rb")
        while not (line := stream.readline()).startswith(b"$"):
            assert line in (b"\n", b"\r\n")
        assert stream.read(int(line[1:])).startswith(b"REDIS")
        client.set("after", "2")
        wanted = [b"*2", b"$6", b"SELECT", b"$1", b"0", b"*3", b"$3", b"SET", b"$5", b"after", b"$1", b"2"]
        assert [stream.readline().strip() for _ in wanted] == wanted
    client.close()
    server.close()
