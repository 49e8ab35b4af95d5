"""DEBUG LOADAOF: the data are those of the files, and the files those of the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.driver import ErrorReply
from tests.oracle import Oracle
from tests.persistence.server import Kedis, files

_LIBRARY = b"#!lua name=l\nredis.register_function('f', function() return 1 end)"
_FLAGS = ("--enable-debug-command", "yes")


def fill(call: object) -> None:
    """Keys of every type, a stream with a group, and functions."""
    assert callable(call)
    for words in (
        *(("SET", "a", 1, "EX", 10000), ("RPUSH", "l", 1, 2), ("HSET", "h", "f", 1), ("ZADD", "z", 1, "m")),
        *(
            ("SADD", "s", 1, 2),
            ("XADD", "x", "5-1", "f", 1),
            ("XADD", "x", "5-2", "f", 2),
            ("XADD", "x", "6-1", "f", 3),
        ),
        *(
            ("XGROUP", "CREATE", "x", "g", 0),
            ("XREADGROUP", "GROUP", "g", "c", "COUNT", 2, "STREAMS", "x", ">"),
        ),
        *(("XACK", "x", "g", "5-1"), ("XDEL", "x", "5-1"), ("XADD", "e", "MAXLEN", 0, "*", "f", 1)),
        ("FUNCTION", "LOAD", _LIBRARY),
    ):
        assert not isinstance(call(*words), ErrorReply), words


@pytest.mark.parametrize("fsync", ["everysec", "always", "no"])
def test_the_data_are_those_of_the_file(tmp_path: Path, fsync: str) -> None:
    kedis = Kedis(tmp_path, "--appendfsync", fsync, *_FLAGS)
    fill(kedis.call)
    for rewrites in (False, True):
        if rewrites:
            kedis.call("BGREWRITEAOF")
            while kedis.info()["aof_rewrite_in_progress"] == "1":
                pass
        kedis.call("INCR", "n")
        before = kedis.call("DEBUG", "DIGEST"), kedis.call("XPENDING", "x", "g"), kedis.call("DBSIZE")
        assert kedis.call("DEBUG", "LOADAOF") == b"OK"
        assert (
            kedis.call("DEBUG", "DIGEST"),
            kedis.call("XPENDING", "x", "g"),
            kedis.call("DBSIZE"),
        ) == before
        assert kedis.call("FCALL", "f", 0) == 1
        assert kedis.info()["rdb_changes_since_last_save"] == "0"
    kedis.call("SET", "after", 1)
    digest = kedis.call("DEBUG", "DIGEST")
    kedis.kill()
    again = Kedis(tmp_path, *_FLAGS)
    assert again.call("DEBUG", "DIGEST") == digest or fsync != "always"
    assert again.call("FCALL", "f", 0) == 1
    again.terminate()


def test_where_the_file_lacks_the_data_nothing_happens(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path, "--appendonly", "no", *_FLAGS)
    kedis.call("SET", "a", 1)
    assert isinstance(kedis.call("DEBUG", "LOADAOF"), ErrorReply)
    assert kedis.call("GET", "a") == b"1"
    kedis.terminate()


def test_an_old_file_that_is_off_is_loaded_as_it_is(tmp_path: Path) -> None:
    """As in Redis: what was written since the file was made is gone."""
    kedis = Kedis(tmp_path, "--appendonly", "no", *_FLAGS)
    fill(kedis.call)
    assert kedis.call("BGREWRITEAOF") == b"Background append only file rewriting started"
    while kedis.info()["aof_rewrite_in_progress"] == "1":
        pass
    digest = kedis.call("DEBUG", "DIGEST")
    kedis.call("SET", "later", 1)
    for _ in range(2):
        assert kedis.call("DEBUG", "LOADAOF") == b"OK"
        assert kedis.call("DEBUG", "DIGEST") == digest
    assert kedis.call("FCALL", "f", 0) == 1
    assert kedis.call("CONFIG", "SET", "appendonly", "yes") == b"OK"  # the folder is free again
    kedis.terminate()


def test_a_transaction_is_not_lost(tmp_path: Path) -> None:
    """Redis forgets what the transaction has done before."""
    kedis = Kedis(tmp_path, *_FLAGS)
    wire = kedis.connect()
    replies = wire.pipeline([("MULTI",), ("SET", "x", 1), ("DEBUG", "LOADAOF"), ("SET", "y", 1), ("EXEC",)])
    assert isinstance(replies[-1][1], ErrorReply)
    assert kedis.call("MGET", "x", "y") == [b"1", b"1"]
    kedis.terminate()


def test_a_file_that_cannot_be_loaded_ends_the_server(tmp_path: Path) -> None:
    """As Redis does: what is in memory then is not what was acknowledged, which is in the file."""
    kedis = Kedis(tmp_path, "--aof-checksum", "no", *_FLAGS)
    kedis.call("SET", "a", 1)
    (name,) = [name for name in files(tmp_path) if name.endswith(".incr.aof")]
    path = tmp_path / "appendonlydir" / name
    with path.open("ab") as file:
        file.write(b"*1\r\n$7\r\nNOTHING\r\n")
    with pytest.raises((ConnectionError, AssertionError)):
        assert not isinstance(kedis.call("DEBUG", "LOADAOF"), ErrorReply)
    kedis.process.wait(60)
    assert b"NOTHING" in path.read_bytes() and b"\r\nSET\r\n" in path.read_bytes()


def test_redis_answers_alike(tmp_path: Path) -> None:
    kedis = Kedis(tmp_path / "kedis", *_FLAGS)
    oracle = Oracle("--appendonly", "yes", "--enable-debug-command", "yes", "--dir", str(tmp_path))
    for call in (kedis.call, oracle.call):
        fill(call)
    for words in (("DEBUG", "LOADAOF"), ("DEBUG", "LOADAOF", "more"), ("XINFO", "GROUPS", "x"), ("GET", "a")):
        assert kedis.call(*words) == oracle.call(*words), words
    oracle.close()
    kedis.terminate()
