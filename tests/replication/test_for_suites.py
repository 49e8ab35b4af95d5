"""What Redis's own tests of replication ask for: DEBUG's subcommands, and figures that they look at, beside Redis."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle import Oracle
from tests.ports import free_port
from tests.replication.masters import Raw, linked, until
from tests.replication.reluctant import Reluctant
from tests.wire.kedis_process import KedisProcess

FLAGS = ("--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0")


@pytest.fixture(params=["kedis", "redis"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    if request.param == "kedis":
        with KedisProcess(*FLAGS) as server:
            yield server.address[1]
    else:
        oracle = Oracle(*FLAGS)
        yield oracle.port
        oracle.close()


def test_populate_and_divert(port: int) -> None:
    client = Raw(port)
    replica = Reluctant(port)
    until(lambda: client.info()["slave0"])
    before = client.info()["master_repl_offset"]
    assert client.call("SET", "key:1", "old") == b"OK"
    offset = int(client.info()["master_repl_offset"])
    assert client.call("DEBUG", "POPULATE", 3) == b"OK"
    assert client.call("MGET", "key:0", "key:1", "key:2", "key:3") == [b"value:0", b"old", b"value:2", None]
    client.call("DEBUG", "POPULATE", 2, "a", 20)
    assert client.call("GET", "a:1") == b"value:1".ljust(20, b"\0")
    client.call("DEBUG", "POPULATE", 2, "b", 3)
    assert client.call("GET", "b:1") == b"val"
    for words in ([-2], ["x"], [2, "d", -4]):
        assert client.call("DEBUG", "POPULATE", *words) == "ERR value is out of range, must be positive"
    assert int(client.info()["master_repl_offset"]) - offset in (0, 14)  # a ping may come between
    client.call("DEBUG", "REPLICATE", "fake-command-1")
    until(lambda: replica.offset >= offset + len(b"*1\r\n$14\r\nfake-command-1\r\n"))
    identity = client.info()["master_replid"]
    assert client.call("DEBUG", "CHANGE-REPL-ID") == b"OK"
    after = client.info()
    assert after["master_replid"] != identity
    assert int(after["master_repl_offset"]) > int(before)
    replica.close()


def test_addresses_of_a_link_by_ipv6(port: int) -> None:
    replica = Raw(port)
    with KedisProcess("--bind", "::1", "127.0.0.1", "--repl-diskless-sync-delay", "0") as master:
        replica.call("REPLICAOF", "::1", master.address[1])
        linked(replica)
        (line,) = replica.call("CLIENT", "LIST", "TYPE", "master").decode().splitlines()
        assert f" addr=[::1]:{master.address[1]} laddr=[::1]:" in line


def test_replicas_are_no_clients_and_a_shutdown_that_waits_says_how_long(port: int) -> None:
    client = Raw(port)
    alone = client.info("clients")["connected_clients"]
    assert "shutdown_in_milliseconds" not in client.info("server")
    replica = Reluctant(port, confirms=False)
    until(lambda: "state=online" in client.info()["slave0"])
    assert client.info("clients")["connected_clients"] == alone
    client.call("CONFIG", "SET", "shutdown-timeout", 600)
    client.call("SET", "a", 1)
    other = Raw(port)
    other._socket.sendall(b"*1\r\n$8\r\nSHUTDOWN\r\n")
    until(lambda: "shutdown_in_milliseconds" in client.info("server"))
    assert 0 < int(client.info("server")["shutdown_in_milliseconds"]) <= 600_000
    assert client.call("SHUTDOWN", "ABORT") == b"OK"
    assert "shutdown_in_milliseconds" not in client.info("server")
    replica.close()


def test_debug_object_sees_a_key_that_is_due(port: int) -> None:
    client = Raw(port)
    client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    client.call("SET", "k", 1, "PX", 1)
    time.sleep(0.01)  # at least
    reply = client.call("DEBUG", "OBJECT", "k")
    assert b"encoding:int" in (reply if isinstance(reply, bytes) else str(reply).encode())


def test_a_child_ends_with_its_server() -> None:
    """Redis's child sees it when it reports; Linux tells Kedis's."""
    with KedisProcess(*FLAGS, "--rdb-key-save-delay", "1000000") as server:
        client = Raw(server.address[1])
        client.call("DEBUG", "POPULATE", 1000)
        client.call("BGSAVE")
        pid = server.process.pid
        children = f"/proc/{pid}/task/{pid}/children"
        with open(children) as file:
            child = int(file.read().split()[0])
        os.kill(pid, signal.SIGKILL)
        server.process.wait()
        until(lambda: not _is_alive(child))


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def test_the_child_ends_with_the_last_replica_that_waits() -> None:
    with KedisProcess(*FLAGS, "--rdb-key-save-delay", "1000000", "--repl-diskless-sync", "no") as server:
        client = Raw(server.address[1])
        client.call("DEBUG", "POPULATE", 1000)
        replica = Raw(server.address[1])
        replica._socket.sendall(b"PSYNC ? -1\r\n")
        until(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "1")
        replica.close()
        until(lambda: client.info("persistence")["rdb_bgsave_in_progress"] == "0")


def test_a_failover_without_replicas(port: int) -> None:
    client = Raw(port)
    for words in (
        (),
        ("FORCE",),
        ("FORCE", "TIMEOUT", 10),
        ("TO", "127.0.0.1", 1, "FORCE"),
        ("TO", "127.0.0.1", 1, "FORCE", "TIMEOUT", 100),
    ):
        assert client.call("FAILOVER", *words) == "ERR FAILOVER requires connected replicas."
    replica = Reluctant(port)
    until(lambda: "state=online" in client.info().get("slave0", ""))
    wanted = "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
    for words in (("FORCE",), ("FORCE", "TIMEOUT", 10), ("TO", "127.0.0.1", 1, "FORCE")):
        assert client.call("FAILOVER", *words) == wanted
    replica.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl(2)")
def test_a_child_whose_server_has_gone_before_it_asked_ends_at_once() -> None:
    source = (
        "import os; from kedis.persistence.child import _end_with; _end_with(os.getppid() + {}); print('on')"
    )
    for away, ends in ((0, False), (1, True)):
        done = subprocess.run([sys.executable, "-c", source.format(away)], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == ((1, "") if ends else (0, "on\n")), done.stderr


def test_a_failover_alone_decides_whom_to_follow(port: int) -> None:
    """A Sentinel may say something else at the same time, and nobody would end the failover then."""
    client = Raw(port)
    nobody = free_port()
    replica = Reluctant(port, nobody, confirms=False)
    until(lambda: client.info().get("slave0", "").count("state=online"))
    force = ("FAILOVER", "TO", "127.0.0.1", nobody, "FORCE", "TIMEOUT", 1)
    client.call("SET", "a", "1")
    assert client.call(*force) == b"OK"
    until(lambda: client.info()["master_failover_state"] == "failover-in-progress")
    for words in (("REPLICAOF", "NO", "ONE"), ("SLAVEOF", "127.0.0.1", 1), ("REPLICAOF", "x", "y")):
        assert client.call(*words) == "ERR REPLICAOF not allowed while failing over."
    other = Raw(port)
    assert other.call("PSYNC", "?", "-1") == "NOMASTERLINK Can't SYNC while failing over"
    assert client.info()["role"] == "slave"
    assert client.call("FAILOVER", "ABORT") == b"OK"
    assert client.call("REPLICAOF", "NO", "ONE") == b"OK"
    assert client.call("SET", "a", "2") == b"OK"
    replica.close()


def test_a_shutdown_that_is_aborted_releases_no_writes_of_a_failover(port: int) -> None:
    client, other, writer = Raw(port), Raw(port), Raw(port)
    replica = Reluctant(port, 7777, confirms=False)
    until(lambda: client.info().get("slave0", "").count("state=online"))
    client.call("SET", "a", "1")
    assert client.call("FAILOVER", "TO", "127.0.0.1", 7777) == b"OK"
    other.send("SHUTDOWN")
    until(lambda: client.call("SHUTDOWN", "ABORT") == b"OK")
    assert client.info()["master_failover_state"] == "waiting-for-sync"
    writer.send("SET", "a", "2")
    for _ in range(10):
        assert client.call("GET", "a") == b"1"
    assert client.call("FAILOVER", "ABORT") == b"OK"
    assert writer.receive() == b"OK"
    replica.close()


@pytest.mark.parametrize("program", ["kedis", "redis"])
@pytest.mark.parametrize("insists", [False, True], ids=["SIGTERM again", "then SIGINT"])
def test_signals_while_a_shutdown_waits_for_replicas(program: str, insists: bool, tmp_path: Path) -> None:
    """Another SIGTERM changes nothing, which a program that kills a group and its members may send; SIGINT does."""
    flags = (
        *FLAGS,
        "--dir",
        str(tmp_path),
        "--save",
        "3600 1",
        "--shutdown-timeout",
        "600",
        "--appendonly",
        "no",
    )
    with contextlib.ExitStack() as stack:
        if program == "kedis":
            server = stack.enter_context(KedisProcess(*flags))
            port, process = server.address[1], server.process
        else:
            oracle = Oracle(*flags)
            stack.callback(oracle.close)
            port, process = oracle.port, oracle.process
        client, replica = Raw(port), Reluctant(port, confirms=False)
        until(lambda: "state=online" in client.info()["slave0"])
        client.call("SET", "later", 1)
        process.send_signal(signal.SIGTERM)
        until(lambda: "shutdown_in_milliseconds" in client.info("server"))
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            assert "shutdown_in_milliseconds" in client.info("server")
        if insists:
            process.send_signal(signal.SIGINT)
        else:
            replica.close()
        assert process.wait(60) == (1 if insists else 0)
        # There may be one that was made for the replica.
        snapshot = tmp_path / "dump.rdb"
        assert (snapshot.exists() and b"later" in snapshot.read_bytes()) != insists
        replica.close()
