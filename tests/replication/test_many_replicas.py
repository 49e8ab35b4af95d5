"""Connections that ask to be replicas: cut at every byte of what they say, and twenty that take nothing."""

from __future__ import annotations

import socket
import tracemalloc

from kedis.resp.replies import encode_command
from tests.replication.masters import Raw
from tests.replication.pairs import eventually, master

_GREETING = b"".join(
    encode_command([word.encode() for word in line.split()])
    for line in (
        "PING",
        "AUTH default secret",
        "REPLCONF listening-port 7000 ip-address 127.0.0.1",
        "REPLCONF capa eof capa psync2",
        "PSYNC ? -1",
    )
)


def test_cut_at_every_byte_of_the_greeting() -> None:
    with master(requirepass="secret", repl_diskless_sync_delay="60") as server:
        client = Raw(server.port)
        client.call("AUTH", "secret")
        client.call("SET", "a", "1")
        for cut in range(len(_GREETING) + 1):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(_GREETING[:cut])
        eventually(lambda: client.info("clients")["connected_clients"] == "1", "all have left")
        eventually(lambda: client.info()["connected_slaves"] == "0", "all are forgotten")
        assert client.info("stats")["sync_full"] in ("0", "1")  # the last one may have been heard
        assert client.call("GET", "a") == b"1" and client.call("SET", "b", "1") == b"OK"
        client.close()


def test_twenty_that_take_nothing_hold_one_copy_of_the_stream() -> None:
    written = 16 << 20
    settings = {
        "client_output_buffer_limit": "replica 0 0 0",
        "rdb_key_save_delay": "60000000",  # the snapshot that they share does not end
        "repl_backlog_size": "16384",
        "shutdown_timeout": "0",
    }
    with master(**settings) as server:
        client = Raw(server.port)
        client.call("SET", "key", "")
        replicas = []
        for _ in range(20):
            replicas.append(Raw(server.port))
            replicas[-1].send("PSYNC", "?", "-1")
        eventually(lambda: client.info()["connected_slaves"] == "20", "all have asked")
        assert client.info("stats")["total_forks"] == "1"
        client.call("SET", "key", b"x" * (1 << 20))
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(written >> 20):
                client.call("SET", "key", b"x" * (1 << 20))
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert written <= int(client.info("memory")["mem_total_replication_buffers"]) < written + (8 << 20)
        assert written <= grown < written + (8 << 20)  # of which some is the test's own
        for replica in replicas:
            replica.close()
        eventually(lambda: client.info()["connected_slaves"] == "0", "all are forgotten")
        assert int(client.info("memory")["mem_total_replication_buffers"]) < 2 << 20
        client.close()
