"""Real Redis as the replica of Kedis: full and partial synchronisation, equal data and offsets."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

import kedis
from tests.oracle import Oracle
from tests.ports import free_port
from tests.replication.masters import Raw
from tests.replication.pairs import (
    assert_equal,
    eventually,
    follow,
    info_of,
    link_is_up,
    master,
    mixed_load,
)


@pytest.fixture(params=["appendonly", "memory only"])
def server(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[kedis.Server]:
    settings = {"appendonly": "yes", "dir": str(tmp_path)} if request.param == "appendonly" else {}
    with master(**settings) as running:
        yield running


@pytest.fixture
def replica() -> Iterator[Oracle]:
    running = Oracle()
    yield running
    running.close()


def client_of(server: kedis.Server, **options: Any) -> redis.Redis:
    return redis.Redis(port=server.port, protocol=2, **options)


def test_full_synchronisation_under_load(server: kedis.Server, replica: Oracle) -> None:
    with client_of(server) as client, client_of(server, db=5) as other:
        mixed_load(client, 60, "before:")
        writer = threading.Thread(target=mixed_load, args=(other, 60, "meanwhile:"))
        writer.start()
        follow(replica, server.port)
        mixed_load(client, 60, "after:")
        writer.join()
        assert_equal(client, replica)
        assert replica.call("FUNCTION", "LIST") != []
        shown = client.info("replication")
        assert shown["connected_slaves"] == 1
        assert shown["slave0"]["state"] == "online"
        assert client.info("stats")["sync_full"] == 1
        assert int(info_of(replica)["master_repl_offset"]) == client.info("replication")["master_repl_offset"]


def test_a_cut_link_goes_on_where_it_was(server: kedis.Server, replica: Oracle) -> None:
    with client_of(server) as client:
        mixed_load(client, 20)
        follow(replica, server.port)
        for number in range(3):
            mixed_load(client, 20, f"{number}:")
            assert client.execute_command("CLIENT", "KILL", "TYPE", "replica") == 1
            mixed_load(client, 20, f"cut{number}:")
            eventually(lambda: client.info("replication")["connected_slaves"] == 1, "it is back")
            assert_equal(client, replica)
        figures = client.info("stats")
        assert (figures["sync_full"], figures["sync_partial_ok"]) == (1, 3)


def test_what_the_backlog_no_longer_has_is_synchronised_anew(server: kedis.Server, replica: Oracle) -> None:
    with client_of(server) as client:
        client.config_set("repl-backlog-size", 16384)
        follow(replica, server.port)
        replica.process.send_signal(signal.SIGSTOP)
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        for number in range(20):
            client.set(f"large{number}", b"x" * 100_000)
        replica.process.send_signal(signal.SIGCONT)
        eventually(lambda: client.info("stats")["sync_full"] == 2, "a second full synchronisation")
        eventually(lambda: link_is_up(replica), "the link is up")
        assert_equal(client, replica)


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_replicas_share_a_snapshot(diskless: str) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(master(repl_diskless_sync=diskless, repl_diskless_sync_delay="1"))
        client = stack.enter_context(client_of(server))
        replicas = [Oracle() for _ in range(3)]
        for replica in replicas:
            stack.callback(replica.close)
        mixed_load(client, 20)
        # As it is made the snapshot begins when the third has come; a file takes in who comes while it is written.
        client.config_set("repl-diskless-sync-delay", 60)
        client.config_set("repl-diskless-sync-max-replicas", 3)
        client.config_set("rdb-key-save-delay", 20_000)
        before = client.info("stats")["total_forks"]
        for replica in replicas:
            replica.call("REPLICAOF", "127.0.0.1", server.port)
        eventually(lambda: client.info("replication")["connected_slaves"] == 3, "three have come")
        states = {client.info("replication")[f"slave{number}"]["state"] for number in range(3)}
        mixed_load(client, 5, "meanwhile:")
        for replica in replicas:
            eventually(lambda replica=replica: link_is_up(replica), "the link is up")
        mixed_load(client, 20, "after:")
        assert_equal(client, *replicas)
        figures = client.info()
        assert figures["sync_full"] == 3
        if diskless == "yes" or states == {"wait_bgsave"}:  # else the machine was too slow for them to meet
            assert figures["total_forks"] - before == 1
        assert figures["mem_total_replication_buffers"] < 1_000_000  # one stream, not three


def test_a_replica_that_is_killed(server: kedis.Server, replica: Oracle) -> None:
    with client_of(server) as client:
        follow(replica, server.port)
        mixed_load(client, 10)
        os.kill(replica.process.pid, signal.SIGKILL)
        mixed_load(client, 10, "alone:")
        eventually(lambda: client.info("replication")["connected_slaves"] == 0, "it is forgotten")
        other = Oracle()
        try:
            follow(other, server.port)
            assert_equal(client, other)
        finally:
            other.close()


def test_a_slow_replica_is_cut_at_the_limit(replica: Oracle) -> None:
    settings = {"client_output_buffer_limit": "replica 2mb 0 0", "repl_backlog_size": "64kb"}
    with master(**settings) as server, client_of(server) as client:
        follow(replica, server.port)
        replica.process.send_signal(signal.SIGSTOP)
        for number in range(400):
            client.set(f"k{number}", b"x" * 100_000)
        eventually(lambda: client.info("replication")["connected_slaves"] == 0, "it is cut off")
        assert client.info("stats")["client_output_buffer_limit_disconnections"] == 1
        replica.process.send_signal(signal.SIGCONT)
        eventually(lambda: client.info("replication")["connected_slaves"] == 1, "it is back")
        eventually(lambda: link_is_up(replica), "the link is up")
        assert_equal(client, replica)


def test_writes_need_good_replicas(replica: Oracle) -> None:
    with master(min_replicas_to_write="1") as server, client_of(server) as client:
        with pytest.raises(redis.ResponseError, match="NOREPLICAS Not enough good replicas to write"):
            client.set("a", 1)
        with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
            client.eval("return redis.call('set', 'a', 1)", 0)
        assert client.eval("return redis.call('get', 'a')", 0) is None
        follow(replica, server.port)
        eventually(lambda: client.info("replication")["min_slaves_good_slaves"] == 1, "it is good")
        client.set("a", 1)
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        client.config_set("min-replicas-to-write", 2)
        with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
            client.set("a", 2)
        client.config_set("min-replicas-to-write", 0)
        client.set("a", 3)


def test_wait_counts_those_that_have_confirmed(replica: Oracle) -> None:
    with master() as server, client_of(server) as client:
        client.set("a", 1)
        assert client.execute_command("WAIT", 0, 10) == 0
        assert client.execute_command("WAIT", 1, 10) == 0
        follow(replica, server.port)
        client.set("a", 2)
        assert client.execute_command("WAIT", 1, 60_000) == 1
        assert client.execute_command("WAIT", 2, 10) == 1
        replica.process.send_signal(signal.SIGSTOP)
        client.set("a", 3)
        assert client.execute_command("WAIT", 1, 50) == 0
        replica.process.send_signal(signal.SIGCONT)
        assert client.execute_command("WAIT", 1, 60_000) == 1
        with client.pipeline() as unit:
            assert unit.set("a", 4).execute_command("WAIT", 1, 0).execute()[0]


def test_the_stream_is_not_disturbed_by_what_a_replica_sends(replica: Oracle) -> None:
    with master() as server, client_of(server) as client:
        follow(replica, server.port)
        listed = client.client_list()
        assert [line["flags"] for line in listed if line["cmd"] == "replconf"] == ["S"]
        assert client.client_list(_type="replica")[0]["flags"] == "S"
        role, offset, replicas = client.execute_command("ROLE")
        assert (role, [each[1] for each in replicas]) == (b"master", [str(replica.port).encode()])
        assert offset == client.info("replication")["master_repl_offset"]


@pytest.mark.parametrize(
    ("asks", "words", "name", "error"),
    [
        (["PSYNC", "nothing", "-1"], ["GET", "foo"], "get", "ERR Replica can't interact with the keyspace"),
        (
            ["PSYNC", "nothing", "-1"],
            ["SET", "foo", "1"],
            "set",
            "ERR Replica can't interact with the keyspace",
        ),
        (["SYNC"], ["PING"], "ping", None),
        (["SYNC"], ["XINFO", "HELP"], "xinfo|help", None),
        (["SYNC"], ["NOSUCH", "x"], "NOSUCH", "ERR unknown command 'NOSUCH'"),
    ],
)
def test_a_replica_that_asks_for_a_reply_is_sent_away(
    asks: list[str], words: list[str], name: str, error: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with master(rdb_key_save_delay="1000000") as server, client_of(server) as client:
        client.set("foo", "bar")
        replica = Raw(server.port)
        replica.send(*asks)
        eventually(lambda: client.info("replication")["connected_slaves"] == 1, "it is there")
        replica.send("REPLCONF", "ACK", "0")
        replica.send(*words)
        replica.await_end()  # the snapshot may have begun, and empty lines tell a replica that waits of life
        replica.close()
        eventually(lambda: client.info("replication")["connected_slaves"] == 0, "it is gone")
        assert client.get("foo") == b"bar"
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert f"Replica generated a reply to command '{name}', disconnecting it: id=" in logged
    assert (error is None) == ("This master is sending an error to its replica" not in logged)
    assert error is None or error in logged


def test_a_wrong_offset_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with master() as server, client_of(server) as client:
        with pytest.raises(redis.ResponseError, match="not an integer"):
            client.execute_command("PSYNC", "replicationid", "offset")
        assert client.ping() and client.info("replication")["connected_slaves"] == 0
    assert any(line.endswith("asks for synchronization but with a wrong offset") for line in caplog.messages)


def test_messages_go_to_replicas_and_not_to_the_file(replica: Oracle, tmp_path: Any) -> None:
    with master(appendonly="yes", dir=str(tmp_path)) as server, client_of(server) as client:
        follow(replica, server.port)
        listener = replica.another()
        listener.call("SUBSCRIBE", "news")
        client.publish("news", "one")
        with client.pipeline() as unit:
            unit.set("a", 1).publish("news", "two").set("a", 2).execute()
        client.eval("redis.call('publish', 'news', 'three') return redis.call('publish', 'news', 'four')", 0)
        received = [listener.receive()[2] for _ in range(4)]
        listener.close_socket()
        assert received == [b"one", b"two", b"three", b"four"]
        assert_equal(client, replica)
        recorded = b"".join(path.read_bytes() for path in tmp_path.rglob("*.aof"))
        assert b"news" not in recorded
        assert client.info("persistence")["aof_last_write_status"] == "ok"


_TARGETS = {"none": 0, "file": 1, "replicas": 2, "all": 3}
#: Writes for each of the targets, alone, as several, with a message, beside each other and in a transaction.
_LIMITED = """
local function put(target, name) redis.set_repl(target) redis.call('SET', KEYS[1] .. ':' .. name, 'x') end
for name, target in pairs(cjson.decode(ARGV[1])) do
  if ARGV[2] == 'one' then put(target, name) end
  if ARGV[2] == name then put(target, 'a:' .. name) put(target, 'b:' .. name) end
  if ARGV[2] == 'message:' .. name then put(target, 'with:' .. name) redis.call('PUBLISH', 'news', 'x') end
end
"""


def where_effects_go(client: redis.Redis, replica: Oracle, folder: Any) -> tuple[list[Any], list[Any]]:
    """What a replica has of :data:`_LIMITED`, and what the append-only file names."""
    targets = json.dumps(_TARGETS)
    for way in ("one", *_TARGETS, *(f"message:{name}" for name in _TARGETS)):
        client.eval(_LIMITED, 1, f"alone:{way}", targets, way)
        client.select(3)
        client.eval(_LIMITED, 1, f"in 3:{way}", targets, way)
        with client.pipeline() as unit:
            unit.set(f"before:{way}", 1).eval(_LIMITED, 1, f"unit:{way}", targets, way).execute()
        client.select(0)
    assert client.execute_command("WAIT", 1, 60_000) == 1
    recorded = b"".join(path.read_bytes() for path in folder.rglob("*.aof"))
    in_file = sorted(set(re.findall(rb"(?:alone|in 3|before|unit):[a-z:]+", recorded)))
    on_replica = []
    for number in (0, 3):
        replica.call("SELECT", number)
        on_replica += [(number, key) for key in sorted(replica.call("KEYS", "*"))]
    replica.call("SELECT", 0)
    return on_replica, in_file


def test_effects_go_where_a_script_sends_them(replica: Oracle, tmp_path: Any) -> None:
    redis_master = Oracle("--appendonly", "yes", "--repl-diskless-sync-delay", "0")
    try:
        with redis.Redis(port=redis_master.port, protocol=2, single_connection_client=True) as client:
            follow(replica, redis_master.port)
            expected = where_effects_go(client, replica, Path(redis_master.directory.name))
    finally:
        redis_master.close()
    with (
        master(appendonly="yes", dir=str(tmp_path)) as server,
        client_of(server, single_connection_client=True) as client,
    ):
        follow(replica, server.port)
        assert where_effects_go(client, replica, tmp_path) == expected
        held = client.dbsize()
    with master(appendonly="yes", dir=str(tmp_path)) as server, client_of(server) as client:
        assert 0 < client.dbsize() < held
    assert all(len(found) > 10 for found in expected)


def stopped_behind(replica: Oracle, client: redis.Redis, port: int) -> None:
    """A replica that lacks a write, and does not run."""
    follow(replica, port)
    replica.process.send_signal(signal.SIGSTOP)
    client.set("late", 1)


def shut_down(port: int, *options: str) -> list[Any]:
    """SHUTDOWN in a thread of its own; the list gets the error that ends it."""
    outcome: list[Any] = []

    def run() -> None:
        with redis.Redis(port=port, protocol=2, retry=None) as other:
            try:
                outcome.append(other.execute_command("SHUTDOWN", *options))
            except redis.RedisError as error:
                outcome.append(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def write_in_vain(port: int) -> None:
    """A write that is never answered."""
    with redis.Redis(port=port, protocol=2, retry=None) as other, pytest.raises(redis.ConnectionError):
        other.set("held", 1)


def test_a_shutdown_waits_for_what_replicas_lack(replica: Oracle) -> None:
    with master(shutdown_timeout="1000") as server, client_of(server) as client:
        stopped_behind(replica, client, server.port)
        outcome = shut_down(server.port, "NOSAVE")
        eventually(lambda: client.info("clients")["blocked_clients"] == 1, "it waits")
        assert client.get("late") == b"1"
        held = threading.Thread(target=lambda: write_in_vain(server.port))
        held.start()
        client.client_pause(1)
        client.client_unpause()  # of no effect on what the shutdown holds
        assert client.get("held") is None
        replica.process.send_signal(signal.SIGCONT)
        eventually(lambda: outcome, "it ends")
        assert isinstance(outcome[0], redis.ConnectionError)
        held.join()
        eventually(lambda: replica.call("GET", "late") == b"1", "the replica has it")
        assert replica.call("GET", "held") is None


def test_a_shutdown_that_waits_is_aborted(replica: Oracle) -> None:
    with master(shutdown_timeout="1000") as server, client_of(server) as client:
        with pytest.raises(redis.ResponseError, match="No shutdown in progress"):
            client.execute_command("SHUTDOWN", "ABORT")
        stopped_behind(replica, client, server.port)
        outcome = shut_down(server.port)
        eventually(lambda: client.info("clients")["blocked_clients"] == 1, "it waits")
        assert client.execute_command("SHUTDOWN", "ABORT")
        eventually(lambda: outcome, "it is answered")
        assert str(outcome[0]) == "Errors trying to SHUTDOWN. Check logs."
        client.set("late", 2)
        outcome = shut_down(server.port, "NOW")
        eventually(lambda: outcome, "it ends at once")
        assert isinstance(outcome[0], redis.ConnectionError)


def test_metrics_show_the_replicas(replica: Oracle) -> None:
    port = free_port()
    with master(metrics_port=str(port)) as server, client_of(server) as client:
        follow(replica, server.port)
        client.set("a", 1)
        assert client.execute_command("WAIT", 1, 60_000) == 1
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
    assert float(lines["kedis_replicas_online"]) == 1
    assert float(lines['kedis_replica_synchronisations_total{kind="full"}']) == 1
    assert float(lines["redis_connected_slaves"]) == 1
    labels = f'slave_ip="127.0.0.1",slave_port="{replica.port}",slave_state="online"'
    assert f"redis_connected_slave_lag_seconds{{{labels}}}" in lines


def test_resetstat_zeroes_what_only_grows(replica: Oracle) -> None:
    names = ("sync_full", "total_net_repl_output_bytes")
    with master() as server, client_of(server) as client:
        follow(replica, server.port)
        assert all(client.info("stats")[name] for name in names)
        client.config_resetstat()
        assert not client.info("stats")["sync_full"]
        client.set("a", 1)
        assert client.execute_command("WAIT", 1, 60_000) == 1
        assert 0 < client.info("stats")["total_net_repl_output_bytes"] < 1000


def test_evictions_reach_replicas(replica: Oracle) -> None:
    with master(maxmemory="8mb", maxmemory_policy="allkeys-random") as server, client_of(server) as client:
        follow(replica, server.port)
        with client.pipeline(transaction=False) as batch:
            for number in range(20_000):
                batch.set(f"key:{number}", b"x" * 500)
            batch.execute()
        assert client.info("stats")["evicted_keys"] > 1000
        assert_equal(client, replica)


def test_a_large_transaction_leaves_the_backlog(replica: Oracle) -> None:
    with master(repl_backlog_size="16384") as server, client_of(server) as client:
        follow(replica, server.port)
        with client.pipeline() as unit:
            unit.client_kill_filter(_type="replica")
            for number in range(10):
                unit.set(number, "x" * 16_384)
            unit.execute()
        figures = client.info("replication")
        assert figures["repl_backlog_histlen"] < 20_000
        eventually(lambda: client.info("stats")["sync_full"] == 2, "it is synchronised anew")
        assert_equal(client, replica)


def test_replicas_under_appendfsync_always(replica: Oracle, tmp_path: Any) -> None:
    settings = {"appendonly": "yes", "appendfsync": "always", "dir": str(tmp_path)}
    with master(**settings) as server, client_of(server) as client:
        follow(replica, server.port)
        writers = [
            threading.Thread(target=mixed_load, args=(client, 20, f"{number}:")) for number in range(4)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert_equal(client, replica)
