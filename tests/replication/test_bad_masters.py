"""Masters that say something wrong, or die: the data stay, the log says why, and the replica tries again."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from hashlib import sha512
from pathlib import Path

import pytest

from kedis.rdb.snapshot import pieces
from kedis.server.snapshot_intake import _FILE_READ
from tests.commands.driver import Client
from tests.oracle import Oracle
from tests.persistence.server import Kedis
from tests.replication.masters import ID, Raw, linked, scripted, until
from tests.replication.test_arrival import snapshot
from tests.wire.kedis_process import KedisProcess

FULL = b"+FULLRESYNC %b 100\r\n" % ID.encode()
MARK = bytes(range(65, 105))


def of(*keys: str) -> bytes:
    """A snapshot with these keys."""
    client = Client()
    for key in keys:
        client.call("SET", key, "new")
    return snapshot(client.engine)


NEW = of("new", "other")
WITH_BAD_FUNCTIONS = b"".join(
    pieces(Client().engine.keyspace, {}, compressed=False, checksum=True, libraries=[b"#!lua name=x\nno Lua"])
)


def counted(data: bytes) -> bytes:
    return FULL + b"$%d\r\n%b" % (len(data), data)


def marked(data: bytes) -> bytes:
    return FULL + b"$EOF:%b\r\n%b%b" % (MARK, data, MARK)


@pytest.fixture(scope="module")
def kedis() -> Iterator[KedisProcess]:
    with KedisProcess("--enable-debug-command", "yes") as server:
        yield server


@pytest.fixture
def replica(kedis: KedisProcess) -> Iterator[Raw]:
    connection = Raw(kedis.address[1])
    connection.call("REPLICAOF", "NO", "ONE")
    connection.call("FLUSHALL")
    connection.call("SET", "old", "1")
    connection.call("CONFIG", "SET", "repl-diskless-load", "disabled")
    connection.call("CONFIG", "SET", "repl-timeout", "60")
    yield connection
    connection.call("REPLICAOF", "NO", "ONE")
    connection.close()


def sends(*parts: bytes, then: Callable[[socket.socket], object] | None = None) -> Callable[..., None]:
    """What sends ``parts`` to the replica, and then ends the link."""

    def act(connection: socket.socket, _words: list[bytes]) -> None:
        for part in parts:
            connection.sendall(part)
        if then is not None:
            then(connection)

    return act


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


BAD = {
    "nothing": (b"", "connection lost"),
    "rubbish": (b"rubbish\r\n", "Unexpected reply to PSYNC from master: rubbish"),
    "not now": (b"-LOADING Redis is loading\r\n", "currently unable to PSYNC"),
    "an error": (FULL + b"-no disk\r\n", "MASTER aborted replication with an error: no disk"),
    "another header": (FULL + b"hello\r\n", "Bad protocol from MASTER, the first byte is not '$'"),
    "half a snapshot": (counted(NEW)[:-30], "I/O error trying to sync with MASTER: connection lost"),
    "half of one with a mark": (marked(NEW)[:-60], "I/O error trying to sync with MASTER: connection lost"),
    "a wrong checksum": (counted(flipped(NEW, len(NEW) - 1)), "a wrong checksum"),
    "a flipped bit": (
        marked(flipped(NEW, len(NEW) - 12)),
        "Failed trying to load the MASTER synchronization DB",
    ),
    "no snapshot": (counted(b"no snapshot at all"), "Failed trying to load the MASTER synchronization DB"),
    "functions that are none": (counted(WITH_BAD_FUNCTIONS), "a library of functions cannot be loaded"),
    "more behind it": (counted(NEW + b"x"), "more bytes behind the end"),
}


@pytest.mark.parametrize("setting", ["disabled", "swapdb"])
@pytest.mark.parametrize("name", BAD)
def test_the_data_stay(kedis: KedisProcess, replica: Raw, name: str, setting: str) -> None:
    wire, reason = BAD[name]
    replica.call("CONFIG", "SET", "repl-diskless-load", setting)
    with scripted(sends(wire)) as script:
        began = time.monotonic()
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: len(script.asked) >= 2, "not tried again")
        assert time.monotonic() - began > 0.5, "tried again without a pause"
        until(lambda: replica.call("GET", "old") == b"1")
        assert replica.call("DBSIZE") == 1
        assert reason in kedis.output()
        assert replica.info()["master_link_status"] == "down"
        replica.call("REPLICAOF", "NO", "ONE")
    assert replica.call("SET", "new", "1") == b"OK"


@pytest.mark.parametrize("setting", ["disabled", "swapdb"])
def test_a_snapshot_of_a_later_server(kedis: KedisProcess, replica: Raw, setting: str) -> None:
    """The next one would be no other: it is not asked for once a second."""
    replica.call("CONFIG", "SET", "repl-diskless-load", setting)
    said = kedis.output().count("cannot be held here")
    with scripted(sends(counted(b"REDIS0099" + NEW[9:]))) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: kedis.output().count("cannot be held here") > said)
        assert "the data stay as they are, the next try is in 60 s" in kedis.output()
        assert replica.call("GET", "old") == b"1" and replica.call("DBSIZE") == 1
        time.sleep(1.5)
        assert len(script.asked) == 1
        replica.call("REPLICAOF", "NO", "ONE")


def hold(connection: socket.socket) -> None:
    """Read until the replica has gone."""
    while connection.recv(4096):
        pass


def test_the_stream_begins_behind_the_snapshot_and_rubbish_in_it_ends_the_link(replica: Raw) -> None:
    stream = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
    asked: list[bytes] = []

    def act(connection: socket.socket, words: list[bytes]) -> None:
        asked.append(b" ".join(words))
        if len(asked) == 1:
            connection.sendall(counted(NEW) + stream + b"SET b 2\r\n" + stream)
        else:
            connection.sendall(marked(NEW) + stream)
            hold(connection)

    with scripted(act) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: len(asked) == 2)
        assert asked[1] == b"PSYNC ? -1"  # nobody can tell where the stream goes on
        until(lambda: replica.call("GET", "a") == b"1")
        assert replica.call("EXISTS", "b") == 0
        assert replica.info()["slave_repl_offset"] == str(100 + len(stream))
        assert replica.call("DEBUG", "DIGEST") != b"0" * 40
        replica.call("REPLICAOF", "NO", "ONE")


def test_commands_that_fail_are_passed_over_and_counted(kedis: KedisProcess, replica: Raw) -> None:
    commands = b"*2\r\n$7\r\nnothing\r\n$1\r\na\r\n" + b"*2\r\n$4\r\nINCR\r\n$3\r\nnew\r\n"
    last = b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
    with scripted(sends(counted(NEW), commands + last, then=hold)) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: replica.call("GET", "n") == b"1")
        assert replica.info()["slave_repl_offset"] == str(100 + len(commands + last))
        assert "== CRITICAL == This replica is sending an error to its master" in kedis.output()
        replica.call("REPLICAOF", "NO", "ONE")


def test_a_transaction_that_is_cut_off_leaves_nothing(replica: Raw) -> None:
    whole = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
    begun = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n"

    def act(connection: socket.socket, words: list[bytes]) -> None:
        if len(script.asked) == 1:
            connection.sendall(counted(NEW) + whole + begun)
        else:
            hold(connection)  # a second snapshot would replace what is looked at

    with scripted(act) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: len(script.asked) >= 2)
        assert script.asked[1] == [b"PSYNC", ID.encode(), b"%d" % (100 + len(whole) + 1)]
        assert replica.call("GET", "a") == b"1"
        assert replica.call("EXISTS", "b") == 0
        replica.call("REPLICAOF", "NO", "ONE")


def test_one_that_leaves_while_its_snapshot_is_loaded(replica: Raw) -> None:
    """All of it has come, so the stream goes on behind it, as in Redis."""
    many = of(*(f"key:{number}" for number in range(1000)))

    def act(connection: socket.socket, _words: list[bytes]) -> None:
        if len(script.asked) == 1:
            replica.call("CONFIG", "SET", "key-load-delay", "3000")
            connection.sendall(counted(many))
            until(lambda: replica.info("persistence")["loading"] == "1")

    with scripted(act) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: len(script.asked) >= 2)
        replica.call("CONFIG", "SET", "key-load-delay", "0")
        assert script.asked[1] == [b"PSYNC", ID.encode(), b"101"]
        assert replica.call("DBSIZE") == 1000
        replica.call("REPLICAOF", "NO", "ONE")


def test_a_snapshot_that_is_lost_while_it_is_loaded(tmp_path: Path) -> None:
    """The old data are gone by then: neither others nor a restart may go on where they were."""
    many = of(
        *("".join(sha512(b"%d %d" % (at, number)).hexdigest() for at in range(4)) for number in range(1500))
    )
    assert len(many) > 2 * _FILE_READ
    folder = tmp_path / "data"
    flags = ("--appendonly", "yes", "--enable-debug-command", "yes")

    def act(connection: socket.socket, _words: list[bytes]) -> None:
        if len(script.asked) == 1:
            connection.sendall(counted(NEW))
        elif len(script.asked) == 2:
            replica.call("CONFIG", "SET", "key-load-delay", "20000")
            connection.sendall(b"+FULLRESYNC %b 9\r\n$%d\r\n%b" % (b"6" * 40, len(many), many))
            until(lambda: replica.info("persistence")["loading"] == "1")
            (received,) = folder.glob("temp-*.rdb")
            os.truncate(received, _FILE_READ)
            replica.call("CONFIG", "SET", "key-load-delay", "0")
            hold(connection)

    def await_file() -> None:
        names = ("aof_rewrite_in_progress", "aof_rewrite_scheduled")
        until(lambda: [replica.info("persistence")[name] for name in names] == ["0", "0"])

    server = Kedis(folder, *flags)
    replica = Raw(server.port)
    try:
        with scripted(act) as script, scripted(sends()) as other:
            replica.call("REPLICAOF", "127.0.0.1", script.port)
            until(lambda: len(script.asked) >= 3)
            assert script.asked[1] == [b"PSYNC", ID.encode(), b"101"]
            assert script.asked[2] == [b"PSYNC", b"?", b"-1"]
            assert replica.call("DBSIZE") == 0
            assert "the data are gone, since the file of the snapshot has changed" in server.log()
            replica.call("REPLICAOF", "127.0.0.1", other.port)
            until(lambda: other.asked)
            assert other.asked[0] == [b"PSYNC", b"?", b"-1"]
            replica.call("REPLICAOF", "NO", "ONE")
        info = replica.info()
        assert info["master_replid"] != ID
        assert (info["master_replid2"], info["second_repl_offset"]) == ("0" * 40, "-1")
        await_file()
        assert replica.call("SET", "later", "1") == b"OK"
        assert replica.call("KEYS", "*") == [b"later"]
        server.kill()
        server = Kedis(folder, *flags)
        assert server.call("KEYS", "*") == [b"later"]
    finally:
        server.kill()


def test_a_silent_master_is_given_up(kedis: KedisProcess, replica: Raw) -> None:
    replica.call("CONFIG", "SET", "repl-timeout", "1")
    with scripted(sends(counted(NEW), then=hold)) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: len(script.asked) >= 2)
        assert "MASTER timeout: no data nor PING received..." in kedis.output()
        replica.call("REPLICAOF", "NO", "ONE")


def test_other_history_where_the_stream_goes_on(replica: Raw) -> None:
    other = "6" * 40

    def act(connection: socket.socket, words: list[bytes]) -> None:
        if words[1] == ID.encode():
            connection.sendall(b"+CONTINUE %b\r\n" % other.encode())
            hold(connection)
        else:
            connection.sendall(counted(NEW))
            time.sleep(0.1)

    with scripted(act) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: replica.info()["master_replid"] == other)
        info = replica.info()
        assert (info["master_replid2"], info["second_repl_offset"]) == (ID, "101")
        replica.call("REPLICAOF", "NO", "ONE")


def test_one_that_goes_on_and_leaves_at_once_is_not_asked_all_the_time(replica: Raw) -> None:
    def act(connection: socket.socket, words: list[bytes]) -> None:
        if words[1] == ID.encode():
            connection.sendall(b"+CONTINUE\r\n")
        else:
            connection.sendall(counted(NEW))
            time.sleep(0.1)

    with scripted(act) as script:
        replica.call("REPLICAOF", "127.0.0.1", script.port)
        until(lambda: len(script.asked) >= 12)
        began = time.monotonic()
        until(lambda: len(script.asked) >= 14)
        assert time.monotonic() - began > 0.5, "tried again without a pause"
        replica.call("REPLICAOF", "NO", "ONE")


def test_itself_as_its_master(kedis: KedisProcess, replica: Raw) -> None:
    replica.call("REPLICAOF", "127.0.0.1", kedis.address[1])
    until(lambda: "MASTER aborted replication" in kedis.output() or "unable to PSYNC" in kedis.output())
    assert replica.call("GET", "old") == b"1"
    assert replica.info()["master_link_status"] == "down"


def test_a_password(kedis: KedisProcess, replica: Raw) -> None:
    master = Oracle("--requirepass", "secret", "--repl-diskless-sync-delay", "0")
    try:
        replica.call("REPLICAOF", "127.0.0.1", master.port)
        until(lambda: "NOAUTH" in kedis.output())
        replica.call("CONFIG", "SET", "masterauth", "wrong")
        until(lambda: "Unable to AUTH to MASTER: -WRONGPASS" in kedis.output())
        assert replica.call("GET", "old") == b"1"
        replica.call("CONFIG", "SET", "masterauth", "secret")
        linked(replica)
        assert replica.call("DBSIZE") == 0
        master.call("AUTH", "secret")
        master.call("ACL", "SETUSER", "copier", "on", ">other", "+psync", "+replconf", "+ping")
        master.call("CONFIG", "SET", "requirepass", "another")
        replica.call("CONFIG", "SET", "masteruser", "copier", "masterauth", "other")
        replica.call("CLIENT", "KILL", "TYPE", "master")
        linked(replica)
    finally:
        replica.call("CONFIG", "SET", "masteruser", "", "masterauth", "")
        master.close()


def test_redis_dies_in_the_middle_and_comes_back(kedis: KedisProcess, replica: Raw) -> None:
    master = Oracle("--repl-diskless-sync-delay", "0", "--rdb-key-save-delay", "300")
    try:
        master.call("DEBUG", "POPULATE", 20000)
        replica.call("REPLICAOF", "127.0.0.1", master.port)
        until(lambda: replica.info().get("master_sync_in_progress") == "1")
        assert replica.call("ROLE")[3] == b"sync"
        assert replica.call("GET", "old") == b"1"
    finally:
        master.close()
    until(lambda: replica.info()["master_sync_in_progress"] == "0")
    assert replica.call("GET", "old") == b"1"
    assert "I/O error trying to sync with MASTER" in kedis.output()
