"""A replica of a real Redis: both synchronisations, the stream, and what clients of a replica see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle import Oracle
from tests.replication import mixed_load
from tests.replication.masters import Raw, agree, follow, linked, until
from tests.wire.kedis_process import KedisProcess

DEBUG = ("--enable-debug-command", "yes")
LIBRARY = (
    "#!lua name=l\nredis.register_function{"
    "function_name='read', callback=function() return 7 end, flags={'no-writes'}}"
)


@pytest.fixture(scope="module")
def redis() -> Iterator[Oracle]:
    server = Oracle("--repl-diskless-sync-delay", "0", "--repl-backlog-size", "64mb")
    yield server
    server.close()


@pytest.fixture(scope="module")
def kedis() -> Iterator[KedisProcess]:
    with KedisProcess(*DEBUG) as server:
        yield server


@pytest.fixture
def master(redis: Oracle) -> Iterator[Raw]:
    connection = Raw(redis.port)
    connection.call("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    yield connection
    connection.close()


@pytest.fixture
def replica(kedis: KedisProcess) -> Iterator[Raw]:
    connection = Raw(kedis.address[1])
    yield connection
    connection.close()


@pytest.fixture
def pair(redis: Oracle, master: Raw, replica: Raw) -> tuple[Raw, Raw]:
    """Both, linked."""
    if replica.info()["role"] == "master":
        follow(replica, redis.port)
    linked(replica)
    return master, replica


def is_same(master: Raw, replica: Raw) -> None:
    until(lambda: agree(master, replica), "the data differ")


@pytest.mark.parametrize("setting", ["disabled", "on-empty-db", "swapdb"])
@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_full_synchronisation(redis: Oracle, master: Raw, replica: Raw, diskless: str, setting: str) -> None:
    replica.call("REPLICAOF", "NO", "ONE")
    replica.call(*(["FLUSHALL"] if setting == "on-empty-db" else ["SET", "mine", "1"]))
    replica.call("CONFIG", "SET", "repl-diskless-load", setting)
    master.call("CONFIG", "SET", "repl-diskless-sync", diskless)
    mixed_load.run(master, seed=len(diskless + setting), count=400)
    before = int(master.info("stats")["sync_full"])
    follow(replica, redis.port)
    assert int(master.info("stats")["sync_full"]) == before + 1
    mixed_load.run(master, seed=1, count=300)
    is_same(master, replica)
    assert sorted(replica.call("FUNCTION", "LIST")) == sorted(master.call("FUNCTION", "LIST"))
    assert replica.call("ROLE")[:4] == [b"slave", b"127.0.0.1", redis.port, b"connected"]


def test_the_link_is_cut_under_load(pair: tuple[Raw, Raw]) -> None:
    master, replica = pair
    stats = master.info("stats")
    for seed in range(5):
        mixed_load.run(master, seed, count=200)
        master.call("CLIENT", "KILL", "TYPE", "replica")
        until(lambda: master.info()["connected_slaves"] == "1")
    linked(replica)
    is_same(master, replica)
    after = master.info("stats")
    assert int(after["sync_partial_ok"]) - int(stats["sync_partial_ok"]) == 5
    assert after["sync_full"] == stats["sync_full"]


def test_the_master_is_a_client_that_can_be_killed(pair: tuple[Raw, Raw]) -> None:
    master, replica = pair
    (line,) = replica.call("CLIENT", "LIST", "TYPE", "master").decode().splitlines()
    assert " flags=M " in line and " user=(superuser) " in line
    assert replica.call("CLIENT", "KILL", "TYPE", "master") == 1
    linked(replica)
    assert replica.call("CLIENT", "LIST", "TYPE", "normal").count(b"\n") == 1
    mixed_load.run(master, 9, count=50)
    is_same(master, replica)


def test_writes_are_refused(pair: tuple[Raw, Raw]) -> None:
    master, replica = pair
    refused = "READONLY You can't write against a read only replica."
    replica.call("SCRIPT", "FLUSH")
    assert replica.call("SET", "a", "1") == refused
    assert replica.call("set", "a", "1") == refused
    assert replica.call("MULTI") == b"OK"
    assert replica.call("SET", "a", "1") == refused
    assert replica.call("EXEC").startswith("EXECABORT")
    assert replica.call("EVAL", "return redis.call('SET', 'a', '1')", 0).startswith(refused)
    digest = replica.call("SCRIPT", "LOAD", "return redis.call('SET', 'a', '1')")
    for _ in range(3):
        assert replica.call("EVALSHA", digest, 0).startswith(refused)
    assert replica.call("EVAL", "return redis.pcall('GET', 'nothing')", 0) is None
    shebang = "#!lua\nreturn redis.call('GET', 'a')"
    assert replica.call("EVAL", shebang, 0) == "READONLY You can't write against a read only replica."
    master.call("FUNCTION", "LOAD", "REPLACE", LIBRARY)
    is_same(master, replica)
    assert replica.call("FCALL", "read", 0) == 7
    assert replica.call("PUBLISH", "here", "1") == 0
    replica.call("CONFIG", "SET", "replica-read-only", "no")
    assert replica.call("SET", "only:here", "1") == b"OK"
    assert replica.call("GET", "only:here") == b"1"
    replica.call("DEL", "only:here")
    replica.call("SELECT", 9)
    replica.call("SET", "soon", "1", "PX", 50)  # the master knows nothing of it
    replica.call("RPUSH", "later", "1")
    replica.call("PEXPIRE", "later", 50)
    replica.call("EVAL", "redis.call('SET', 'by:script', '1', 'PX', 50)", 0)
    until(lambda: replica.call("DBSIZE") == 0)
    replica.call("SELECT", 0)
    replica.call("CONFIG", "SET", "replica-read-only", "yes")
    assert replica.call("SET", "a", "1") == refused
    is_same(master, replica)


def test_expiry_is_left_to_the_master(pair: tuple[Raw, Raw]) -> None:
    master, replica = pair
    master.call("FLUSHALL")
    master.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    replica.call("CONFIG", "RESETSTAT")
    master.call("SET", "due", "1", "PX", 1)
    master.call("SET", "other", "1")
    until(lambda: replica.call("DBSIZE") == 2)
    until(lambda: replica.call("GET", "due") is None)
    assert replica.call("EXISTS", "due") == 0
    assert replica.call("TTL", "due") == -2
    assert replica.call("KEYS", "*") == [b"other"]
    assert replica.call("SCAN", 0)[1] == [b"other"]
    assert replica.call("RANDOMKEY") == b"other"
    assert replica.call("DBSIZE") == 2
    assert replica.info("stats")["expired_keys"] == "0"
    until(lambda: master.call("GET", "due") is None)  # which removes it
    until(lambda: replica.call("DBSIZE") == 1)


def test_what_the_master_says_is_not_asked_for_permission(pair: tuple[Raw, Raw]) -> None:
    """Whatever the default user of the replica may do."""
    master, replica = pair
    master.call("FLUSHALL")
    master.call("MSET", "w_1", 9, "w_2", 5, "w_3", 1)
    master.call("RPUSH", "numbers", 3, 1, 2)
    replica.call("ACL", "SETUSER", "default", "resetkeys", "~a:*")
    try:
        master.call("SORT", "numbers", "BY", "w_*", "GET", "w_*", "STORE", "sorted")
        master.call("EVAL", "redis.call('SET', KEYS[1], 1); return redis.call('INCR', KEYS[1])", 1, "counted")
        until(lambda: replica.info("keyspace")["db0"].startswith("keys=6,"))
    finally:
        replica.call("ACL", "SETUSER", "default", "allkeys")
    is_same(master, replica)


def test_commands_of_the_master_see_keys_that_are_due(pair: tuple[Raw, Raw]) -> None:
    """The clock of the replica may be ahead of that of the master."""
    master, replica = pair
    master.call("FLUSHALL")
    master.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    master.call("MULTI")  # within it time stands still, on the master
    master.call("RPUSH", "list", "a")
    master.call("PEXPIRE", "list", 1)
    master.call("DEBUG", "SLEEP", "0.05")
    master.call("RPUSH", "list", "b")
    master.call("PERSIST", "list")
    master.call("EXEC")
    until(lambda: replica.call("LRANGE", "list", 0, -1) == [b"a", b"b"])
    is_same(master, replica)


def test_readers_that_wait_are_served(pair: tuple[Raw, Raw], kedis: KedisProcess) -> None:
    master, replica = pair
    master.call("DEL", "stream")
    waiter = kedis.connect()
    waiter.sendall(b"XREAD BLOCK 0 STREAMS stream $\r\n")
    until(lambda: replica.info("clients")["blocked_clients"] == "1")
    master.call("XADD", "stream", "1-1", "a", "b")
    assert b"1-1" in waiter.recv(1000)
    listener = kedis.connect()
    listener.sendall(b"SUBSCRIBE channel\r\n")
    assert b"subscribe" in listener.recv(1000)
    master.call("PUBLISH", "channel", "hello")
    assert b"hello" in listener.recv(1000)
    waiter.close()
    listener.close()


def test_large_commands_and_transactions(pair: tuple[Raw, Raw]) -> None:
    master, replica = pair
    master.call("SET", "large", b"x" * (5 << 20))
    master.call("RPUSH", "many", *range(100_000))
    master.call("MULTI")
    for number in range(2000):
        master.call("APPEND", "parts", b"y" * 300 + b"%d" % number)
    master.call("EXEC")
    is_same(master, replica)


def test_info_has_the_fields_of_redis(redis: Oracle, pair: tuple[Raw, Raw]) -> None:
    _, replica = pair
    other = Oracle("--replicaof", f"127.0.0.1 {redis.port}")
    try:
        theirs = Raw(other.port)
        linked(theirs)
        assert list(replica.info()) == list(theirs.info())
        assert len(replica.call("ROLE")) == len(theirs.call("ROLE"))
        theirs.call("REPLICAOF", "127.0.0.1", 1)
        replica.call("REPLICAOF", "127.0.0.1", 1)
        until(lambda: theirs.info()["master_link_status"] == "down")
        assert list(replica.info()) == list(theirs.info())
    finally:
        other.close()
        replica.call("REPLICAOF", "127.0.0.1", redis.port)
        linked(replica)


def test_old_data_are_not_served_where_that_is_not_wanted(redis: Oracle, pair: tuple[Raw, Raw]) -> None:
    _, replica = pair
    down = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
    replica.call("CONFIG", "SET", "replica-serve-stale-data", "no")
    assert replica.call("PING") == b"PONG"
    replica.call("REPLICAOF", "127.0.0.1", 1)
    try:
        assert replica.call("GET", "a") == down
        assert replica.call("PING") == down
        assert replica.call("EVAL", "return 1", 0) == down
        assert replica.call("ROLE")[3] in (b"connect", b"connecting")
        assert replica.info()["master_link_status"] == "down"
    finally:
        replica.call("REPLICAOF", "127.0.0.1", redis.port)
    linked(replica)
    assert replica.call("GET", "nothing") is None
    replica.call("CONFIG", "SET", "replica-serve-stale-data", "yes")


def test_who_waits_for_a_key_is_sent_away(redis: Oracle, kedis: KedisProcess, replica: Raw) -> None:
    replica.call("REPLICAOF", "NO", "ONE")
    waiter = kedis.connect()
    waiter.sendall(b"BLPOP queue 0\r\n")
    until(lambda: replica.info("clients")["blocked_clients"] == "1")
    follow(replica, redis.port)
    assert waiter.recv(1000).startswith(
        b"-UNBLOCKED force unblock from blocking operation, instance state changed"
    )
    assert waiter.recv(1000) == b""
    waiter.close()


def test_the_setting_is_kept(redis: Oracle, pair: tuple[Raw, Raw]) -> None:
    _, replica = pair
    assert replica.call("CONFIG", "GET", "replicaof") == [b"replicaof", b"127.0.0.1 %d" % redis.port]
    assert replica.call("CONFIG", "SET", "replicaof", "127.0.0.1 1").endswith("can't set immutable config")
    assert dict(zip(*[iter(replica.call("HELLO"))] * 2, strict=True))[b"role"] == b"replica"


def test_a_replica_becomes_a_master(redis: Oracle, pair: tuple[Raw, Raw]) -> None:
    master, replica = pair
    is_same(master, replica)
    before = replica.info()
    assert replica.call("REPLICAOF", "127.0.0.1", redis.port) == b"OK Already connected to specified master"
    replica.call("REPLICAOF", "NO", "ONE")
    after = replica.info()
    assert after["role"] == "master"
    assert after["master_replid"] != before["master_replid"] == after["master_replid2"]
    assert int(after["second_repl_offset"]) == int(after["master_repl_offset"]) + 1
    assert replica.call("SET", "a", "1") == b"OK"
    assert replica.call("REPLICAOF", "127.0.0.1", "port") == "ERR Invalid master port"


def test_restart_with_partial_synchronisation(redis: Oracle, master: Raw, tmp_path: Path) -> None:
    flags = (*DEBUG, "--dir", str(tmp_path), "--save", "3600 1", "--replicaof", f"127.0.0.1 {redis.port}")
    with KedisProcess(*flags) as first:
        replica = Raw(first.address[1])
        linked(replica)
        mixed_load.run(master, 31, count=200)
        is_same(master, replica)
        replica.close()  # and it saves when it is ended
    stats = master.info("stats")
    mixed_load.run(master, 32, count=200)
    with KedisProcess(*flags) as second:
        replica = Raw(second.address[1])
        linked(replica)
        is_same(master, replica)
        replica.close()
    after = master.info("stats")
    assert after["sync_full"] == stats["sync_full"]
    assert int(after["sync_partial_ok"]) == int(stats["sync_partial_ok"]) + 1


def test_what_was_received_is_in_the_append_only_file(redis: Oracle, master: Raw, tmp_path: Path) -> None:
    flags = (*DEBUG, "--dir", str(tmp_path), "--appendonly", "yes")
    with KedisProcess(*flags) as first:
        replica = Raw(first.address[1])
        follow(replica, redis.port)
        until(lambda: replica.info("persistence")["aof_rewrite_in_progress"] == "0")
        mixed_load.run(master, 41, count=400)
        is_same(master, replica)
        replica.call("REPLICAOF", "NO", "ONE")
        replica.close()
    with KedisProcess(*flags) as second:
        again = Raw(second.address[1])
        until(
            lambda: again.call("DEBUG", "DIGEST") == master.call("DEBUG", "DIGEST"),
            "the file lacks something",
        )
        again.close()
