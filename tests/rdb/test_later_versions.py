"""Payloads, snapshots and streams of later servers (Valkey 8.1, Redis 8.2): read, or refused in one clear line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kedis.cli.check_rdb import main as check_rdb
from kedis.rdb.crc64 import crc64
from kedis.rdb.expiring_fields import EXPIRING_FIELDS
from kedis.rdb.flat import write_listpack
from kedis.rdb.payload import version_of
from kedis.rdb.snapshot import SnapshotReader
from kedis.rdb.source import RdbError, Source, encode_string
from kedis.rdb.unsupported_features import LaterVersion, Unsupported
from kedis.rdb.value_forms import decode_value
from tests.commands.driver import Client, ErrorReply, recorder_of
from tests.neighbours import NEIGHBOURS, start
from tests.oracle import Oracle
from tests.persistence.server import Kedis
from tests.rdb.test_values import DATA
from tests.replication.masters import Raw, follow, linked, until

STREAM: list[tuple[Any, ...]] = [
    *(("XADD", "stream", f"{number}-1", "field", number, "other", "x" * 30) for number in range(1, 300)),
    ("XADD", "stream", "500-1", "another", "field"),
    ("XDEL", "stream", "7-1", "299-1"),
    ("XGROUP", "CREATE", "stream", "group", "0"),
    ("XREADGROUP", "GROUP", "group", "one", "COUNT", 20, "STREAMS", "stream", ">"),
    ("XREADGROUP", "GROUP", "group", "two", "COUNT", 5, "STREAMS", "stream", ">"),
    ("XACK", "stream", "group", "1-1", "3-1"),
    ("XGROUP", "CREATECONSUMER", "stream", "group", "idle"),
]
#: What 7.2 keeps in a new flat form, or in a larger one, and what it does not.
SETS: list[tuple[Any, ...]] = [
    ("SADD", "numbers and a word", *range(100), "word"),
    ("SADD", "numbers that had a word", *range(100), "word"),
    ("SREM", "numbers that had a word", "word"),
    ("SADD", "many words", *(f"word {number}" for number in range(1000))),
]
LIBRARY = "#!lua name=l\nredis.register_function('f', function() return 7 end)"
ALL = [*DATA, *STREAM, *SETS]
KEYS = sorted(
    {"stream" if words[0].startswith("XG") or words[0] == "XREADGROUP" else words[1] for words in ALL}
)


def content(server: Any) -> list[Any]:
    """The digest of each key, and the scores, whose digest in later servers is of another spelling (0.1)."""
    keys = [key for key in KEYS if key != "scores"]
    return [*server.call("DEBUG", "DIGEST-VALUE", *keys), scores(server)]


def scores(server: Any) -> list[tuple[bytes, float]]:
    found = server.call("ZRANGE", "scores", 0, -1, "WITHSCORES")
    return [(member, float(score)) for member, score in zip(found[::2], found[1::2], strict=True)]


@pytest.fixture(scope="module", params=NEIGHBOURS)
def neighbour(request: pytest.FixtureRequest) -> Iterator[Oracle]:
    server = start(request.param)
    for words in ALL:
        server.call(*words)
    server.call("PEXPIREAT", "text", 4_000_000_000_000)
    server.call("FUNCTION", "LOAD", "REPLACE", LIBRARY)
    yield server
    server.close()


@pytest.fixture(scope="module")
def redis8() -> Iterator[Oracle]:
    """Redis 8.2, with what Kedis cannot hold among the rest."""
    server = start("Redis 8.2", "--repl-diskless-sync-delay", "0")
    server.call("SET", "text", "hello")
    server.call("HSET", "small", "a", 1, "b", 2)
    server.call("HPEXPIRE", "small", 10_000_000, "FIELDS", 1, "a")
    server.call("HSET", "large", *(f"{part}{number}" for number in range(1000) for part in ("f", "v")))
    server.call("HPEXPIRE", "large", 10_000_000, "FIELDS", 2, "f0", "f999")
    server.call("HSET", "all", "f", "v")
    server.call("HPEXPIRE", "all", 10_000_000, "FIELDS", 1, "f")
    server.call("HSET", "none", "f", "v")
    server.call("HPEXPIRE", "none", 10_000_000, "FIELDS", 1, "f")
    server.call("HPERSIST", "none", "FIELDS", 1, "f")
    server.call("VADD", "vector", "VALUES", 2, 1, 2, "element")
    yield server
    server.close()


@pytest.fixture
def client() -> Client:
    client = Client()
    client.engine.config.enable_debug_command = "yes"
    return client


def file_of(server: Oracle) -> bytes:
    assert server.call("SAVE") == b"OK"
    return (Path(server.directory.name) / "dump.rdb").read_bytes()


# -- what can be held -------------------------------------------------------------------------------------


def test_payloads(neighbour: Oracle, client: Client) -> None:
    for key in KEYS:
        payload = neighbour.call("DUMP", key)
        assert version_of(payload) > 10
        moment = 4_000_000_000_000 if key == "text" else 0
        assert client.call("RESTORE", key, moment, payload, "ABSTTL") == b"OK", key
    assert content(client) == content(neighbour)
    client.state.db.check()
    groups = client.call("XINFO", "GROUPS", "stream")
    assert [row[: len(groups[0])] for row in neighbour.call("XINFO", "GROUPS", "stream")] == groups
    assert client.call("FUNCTION", "RESTORE", neighbour.call("FUNCTION", "DUMP")) == b"OK"
    assert client.call("FCALL", "f", 0) == 7


def test_a_payload_is_journalled_in_the_version_of_redis_7_0(neighbour: Oracle, oracle: Oracle) -> None:
    client = Client()
    client.call("RESTORE", "k", 0, neighbour.call("DUMP", "words"))
    client.call("RESTORE", "t", 10**12, neighbour.call("DUMP", "text"), "REPLACE")
    entries = recorder_of(client.engine).entries
    restores = [words for _, words in entries if words[0].upper() == b"RESTORE"]
    assert len(restores) == 2
    oracle.call("FLUSHALL")
    for words in restores:
        assert version_of(words[3]) == 10
        assert oracle.call(*words) == b"OK"
    assert sorted(oracle.call("SMEMBERS", "k")) == sorted(client.call("SMEMBERS", "k"))
    assert oracle.call("PTTL", "t") > 0


def test_a_snapshot(neighbour: Oracle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "dump.rdb"
    path.write_bytes(file_of(neighbour))
    assert check_rdb([str(path)]) == 0
    assert capsys.readouterr().out.startswith("version 1")
    kedis = Kedis(folder, "--appendonly", "no", "--enable-debug-command", "yes")
    try:
        assert content(kedis) == content(neighbour)
        assert kedis.call("PEXPIRETIME", "text") == 4_000_000_000_000
        assert kedis.call("FCALL", "f", 0) == 7
        assert kedis.call("OBJECT", "ENCODING", "numbers that had a word") == b"intset"
    finally:
        kedis.kill()


def test_every_change_of_a_snapshot_is_noticed(neighbour: Oracle) -> None:
    raw = file_of(neighbour)
    for at in range(9, len(raw), 997):
        with pytest.raises(RdbError):
            list(SnapshotReader(raw[:at] + bytes([raw[at] ^ 0x10]) + raw[at + 1 :]).records())
        with pytest.raises(RdbError):
            list(SnapshotReader(raw[:at]).records())


def test_hints_of_a_cluster_are_passed_over() -> None:
    body = b"REDIS0012\xfe\x00\xfb\x01\x00\xf4\x50\x00\x01\x00\x00\x01a\x01x\xff"
    (record,) = SnapshotReader(body + crc64(body).to_bytes(8, "little")).records()
    assert (record.key, record.value) == (b"a", b"x")


# -- what cannot ------------------------------------------------------------------------------------------


def test_such_payloads_are_refused_or_what_can_be_held_of_them_is_taken(
    redis8: Oracle, client: Client
) -> None:
    payloads = {key: redis8.call("DUMP", key) for key in ("small", "large", "all", "none", "vector")}
    assert client.call("RESTORE", "none", 0, payloads["none"]) == b"OK"
    assert client.call("HGETALL", "none") == [b"f", b"v"]
    for key, what in [
        ("small", "a hash field with a time to live"),
        ("all", "a hash field with a time to live"),
        ("vector", "a value of the module 'vectorset'"),
    ]:
        text = f"the payload holds {what}, which this version cannot hold (see unsupported-data)"
        assert client.call("RESTORE", key, 0, payloads[key]) == ErrorReply(f"ERR Bad data format: {text}")
    client.engine.config.unsupported_data = "drop"
    assert client.call("RESTORE", "small", 0, payloads["small"]) == b"OK"
    assert client.call("HGETALL", "small") == [b"b", b"2"]
    assert client.call("OBJECT", "ENCODING", "small") == b"listpack"
    assert client.call("RESTORE", "large", 0, payloads["large"]) == b"OK"
    assert client.call("HLEN", "large") == 998
    assert client.call("HMGET", "large", "f0", "f1", "f999") == [None, b"v1", None]
    for key in ("all", "vector"):
        assert isinstance(client.call("RESTORE", key, 0, payloads[key]), ErrorReply)
        assert client.call("EXISTS", key) == 0


def test_such_a_snapshot_ends_the_start_or_loses_them(redis8: Oracle, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "dump.rdb").write_bytes(file_of(redis8))
    kedis = Kedis(folder, "--appendonly", "no", wait=False)
    assert kedis.process.wait(30) == 1
    (line,) = [line for line in kedis.log().splitlines() if "dump.rdb is not damaged" in line]
    assert "which this version cannot hold, in the key b'" in line
    assert "--unsupported-data drop" in line
    kedis = Kedis(folder, "--appendonly", "no", "--unsupported-data", "drop")
    try:
        assert sorted(kedis.call("KEYS", "*")) == [b"large", b"none", b"small", b"text"]
        assert kedis.call("HLEN", "large") == 998
        (line,) = [line for line in kedis.log().splitlines() if "left out, as unsupported-data asks" in line]
        assert "a hash field with a time to live (4 times)" in line
        assert "a value of the module 'vectorset'" in line
    finally:
        kedis.kill()


def test_all_unsupported_content_is_counted(redis8: Oracle) -> None:
    raw = file_of(redis8)
    reader = SnapshotReader(raw)
    with pytest.raises(Unsupported, match="in the key"):
        list(reader.records())
    expected = {"a hash field with a time to live": 4, "a value of the module 'vectorset'": 1}
    assert reader.left_out == Counter(expected)
    reader = SnapshotReader(raw, drop_unsupported=True)
    assert {record.key for record in reader.records()} == {b"text", b"small", b"large", b"none"}


@pytest.mark.parametrize("start", [b"REDIS0013", b"REDIS0080", b"VALKEY080"])
def test_later_versions_are_refused(start: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LaterVersion, match="later"):
        list(SnapshotReader(start + b"\xff" + bytes(8)).records())


def test_fields_with_times_in_every_form() -> None:
    flat = encode_string(write_listpack([b"a", b"1", b"0", b"b", b"2", b"4000000000000"]))
    full = b"\x02\x00\x01a\x011\x05\x01b\x012"
    earliest = (3_999_999_999_996).to_bytes(8, "little")
    contents = {22: full, 23: flat, 24: earliest + full, 25: earliest + flat}
    assert set(contents) == set(EXPIRING_FIELDS)
    for form, content in contents.items():
        source = Source(content)
        with pytest.raises(Unsupported) as caught:
            decode_value(source, form)
        assert caught.value.remainder == {b"a": b"1"}
        assert source.position == len(content)


@pytest.mark.parametrize(
    "elements", [[b"a", b"1"], [b"a", b"1", b"x"], [b"a", b"1", b"-1"], [b"a", b"1", b"0", b"a", b"2", b"0"]]
)
def test_damaged_fields_are_refused(elements: list[bytes]) -> None:
    with pytest.raises(RdbError, match=r"in .* bytes|a field twice") as caught:
        decode_value(Source(bytes(8) + encode_string(write_listpack(elements))), 25)
    assert not isinstance(caught.value, Unsupported)


# -- replicas and MIGRATE ---------------------------------------------------------------------------------


def test_a_replica_of_a_later_server_and_its_migrate(neighbour: Oracle, tmp_path: Path) -> None:
    kedis = Kedis(tmp_path / "data", "--enable-debug-command", "yes")
    neighbour.call("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    replica, master = Raw(kedis.port), Raw(neighbour.port)
    try:
        follow(replica, neighbour.port)
        for words in [("INCR", "counter"), ("RPUSH", "new", *range(200)), ("SET", "t", 1, "PX", 10_000_000)]:
            master.call(*words)
        offset = int(master.info()["master_repl_offset"])
        until(lambda: int(replica.info()["slave_repl_offset"]) >= offset)
        assert content(replica) == content(master)
        assert replica.call("LRANGE", "new", 0, -1) == master.call("LRANGE", "new", 0, -1)
        assert replica.call("GET", "counter") == b"1"
        refused = "READONLY You can't write against a read only replica."
        assert replica.call("FCALL_RO", "f", 0) == refused, "the function has arrived, and may write"
        replica.call("REPLICAOF", "NO", "ONE")
        refused = "ERR Can not execute a script with write flag using *_ro command."
        assert replica.call("FCALL_RO", "f", 0) == refused
        replica.call("DEL", "words", "stream")
        before = master.call("DEBUG", "DIGEST-VALUE", "words", "stream")
        migrate = ("MIGRATE", "127.0.0.1", kedis.port, "", 0, 5000, "COPY", "KEYS", "words", "stream")
        assert master.call(*migrate) == b"OK"
        assert replica.call("DEBUG", "DIGEST-VALUE", "words", "stream") == before
    finally:
        replica.close()
        master.close()
        kedis.kill()


def test_a_master_whose_data_cannot_be_held_is_named_in_one_line(redis8: Oracle, tmp_path: Path) -> None:
    kedis = Kedis(tmp_path / "data", "--appendonly", "no")
    replica = Raw(kedis.port)
    try:
        replica.call("SET", "mine", 1)
        replica.call("REPLICAOF", "127.0.0.1", redis8.port)
        until(lambda: "The MASTER's snapshot cannot be held here" in kedis.log())
        (line,) = [line for line in kedis.log().splitlines() if "cannot be held here" in line]
        assert "the data stay as they are" in line
        assert "--unsupported-data drop" in line
        assert replica.call("GET", "mine") == b"1"
        replica.call("REPLICAOF", "NO", "ONE")
        replica.call("CONFIG", "SET", "unsupported-data", "drop")
        replica.call("REPLICAOF", "127.0.0.1", redis8.port)
        linked(replica)
        assert sorted(replica.call("KEYS", "*")) == [b"large", b"none", b"small", b"text"]
    finally:
        replica.close()
        kedis.kill()
