"""A master that hands over waits for no replica's next second: Kedis asks, and as a replica it tells unasked."""

from __future__ import annotations

import shutil
import signal
import socket
import threading
from pathlib import Path

import pytest

import kedis
from kedis.resp.replies import encode_command
from kedis.resp.requests import RequestParser
from tests.replication.masters import Raw, agree, scripted, until
from tests.replication.reluctant import Reluctant
from tests.replication.sentinels import make_node
from tests.replication.test_bad_masters import NEW, counted


def test_failover_to_a_replica_that_tells_only_when_asked() -> None:
    def act(connection: socket.socket, words: list[bytes]) -> None:
        connection.sendall(b"+CONTINUE\r\n")
        while connection.recv(4096):
            pass

    with scripted(act) as script, kedis.Server(repl_diskless_sync_delay="0") as server:
        with server.client() as client:
            client.set("a", 1)
            replica = Reluctant(server.port, script.port)
            until(lambda: client.info("replication")["slave0"]["state"] == "online")
            client.set("b", 2)
            assert client.execute_command("FAILOVER") in (True, b"OK")
            until(lambda: script.asked, "the replica was not asked to take over")
            info = client.info("replication")
            assert script.asked[0][1:] == [
                info["master_replid"].encode(),
                b"%d" % (replica.offset + 1),
                b"FAILOVER",
            ]
            assert info["role"] == "slave"
        replica.close()


def test_a_replica_tells_soon_after_the_stream_has_come_to_rest() -> None:
    """A Redis that pauses its writers does not ask."""
    ended = threading.Event()
    waits: list[float] = []

    def act(connection: socket.socket, words: list[bytes]) -> None:
        connection.sendall(counted(NEW))
        parser = RequestParser(max_bulk_length=1 << 20)
        offset = 100
        for number in range(10):
            command = encode_command((b"SET", b"n", b"%d" % number))
            connection.sendall(command)
            offset += len(command)
            latest = -1
            while latest < offset:
                for argv in parser.feed(connection.recv(4096)):
                    latest = int(argv[2])
            waits.append(latest)
        ended.set()

    with scripted(act) as script, kedis.Server() as server:
        replica = Raw(server.port)
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        # One acknowledgement a second would take ten; a busy machine has time enough.
        until(lambda: len(waits) > 0)
        assert ended.wait(6), "it told once a second"
        replica.close()


def test_a_replica_in_a_program_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to disk unless it is asked for."""
    monkeypatch.chdir(tmp_path)
    with kedis.Server(repl_diskless_sync_delay="0") as master, master.client() as client:
        client.set("a", 1)
        with kedis.Server(replicaof=f"127.0.0.1 {master.port}") as server, server.client() as replica:
            until(lambda: replica.get("a") == b"1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kinds", ["kedis redis", "redis kedis", "kedis kedis"])
def test_failover_by_force_to_a_replica_that_does_not_answer(kinds: str, tmp_path: Path) -> None:
    """After its time it goes on without the replica's confirmation; who comes back to life takes over."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    master, replica = (make_node(kind, n, tmp_path, program) for n, kind in enumerate(kinds.split()))
    try:
        master.start()
        replica.start("--replicaof", "127.0.0.1", str(master.port))
        until(lambda: "state=online" in master.info().get("slave0", ""))
        master.call("SET", "before", "1")
        assert master.call("WAIT", 1, 0) == 1
        replica.signal(signal.SIGSTOP)
        master.call("SET", "unheard", "1")
        words = ("FAILOVER", "TO", "127.0.0.1", replica.port)
        assert master.call(*words, "TIMEOUT", 100) == b"OK"  # without FORCE it gives up
        until(lambda: master.info()["master_failover_state"] == "no-failover")
        assert master.info()["role"] == "master"
        assert master.call(*words, "FORCE", "TIMEOUT", 100) == b"OK"
        until(lambda: master.info()["master_failover_state"] == "failover-in-progress")
        replica.signal(signal.SIGCONT)
        until(lambda: replica.info()["role"] == "master")
        until(lambda: master.info().get("master_link_status") == "up")
        assert replica.call("GET", "before") == b"1"
        replica.call("SET", "after", "1")
        until(lambda: agree(replica, master))
    finally:
        for node in (master, replica):
            node.kill()
