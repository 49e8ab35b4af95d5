"""Functions over restarts: in snapshots and in the append-only file, of Kedis and of real Redis."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.driver import ErrorReply
from tests.oracle import Oracle
from tests.scripting.test_slow_scripts import Link
from tests.wire.kedis_process import KedisProcess

_LIBRARY = """#!lua name=lib
redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)
"""
_OTHER = "#!lua name=other\nredis.register_function('other', function() return 'other' end)"


@pytest.mark.parametrize(
    "flags",
    [
        ("--appendonly", "yes"),
        ("--appendonly", "yes", "--aof-use-rdb-preamble", "yes"),
        ("--appendonly", "no", "--save", "3600 1"),
    ],
    ids=["commands", "preamble", "snapshot"],
)
@pytest.mark.parametrize("rewritten", [False, True])
def test_a_restart(tmp_path: Path, flags: tuple[str, ...], rewritten: bool) -> None:
    flags = (*flags, "--dir", str(tmp_path))
    with KedisProcess(*flags) as server:
        link = Link(server)
        for library in (_LIBRARY, _OTHER):
            link.call("FUNCTION", "LOAD", library)
        link.call("FUNCTION", "DELETE", "other")
        assert link.call("FCALL", "add", 1, "n", 5) == 5
        if rewritten and "yes" in flags:
            link.call("BGREWRITEAOF")
            while b"aof_rewrite_in_progress:1" in link.call("INFO", "persistence"):
                pass
        elif rewritten:
            assert link.call("SAVE") == b"OK"
        link.call("INCR", "n")
    with KedisProcess(*flags) as server:
        link = Link(server)
        assert link.call("FCALL", "add", 1, "n", 1) == 7
        assert [library[1] for library in link.call("FUNCTION", "LIST")] == [b"lib"]
        link.call("CONFIG", "SET", "enable-debug-command", "yes")


def loaded(oracle: Oracle) -> Oracle:
    """``oracle``, which has begun to load its files."""
    while isinstance(oracle.call("PING"), ErrorReply):
        pass
    return oracle


def test_debug_reload() -> None:
    with KedisProcess("--enable-debug-command", "yes") as server:
        link = Link(server)
        link.call("FUNCTION", "LOAD", _LIBRARY)
        assert link.call("DEBUG", "RELOAD") == b"OK"
        assert link.call("FCALL", "add", 1, "n", 5) == 5


def test_files_of_redis_and_for_redis(tmp_path: Path) -> None:
    redis = Oracle("--dir", str(tmp_path))
    redis.call("FUNCTION", "LOAD", _LIBRARY)
    redis.call("FUNCTION", "LOAD", _OTHER)
    redis.call("SET", "n", 10)
    assert redis.call("SAVE") == b"OK"
    redis.close()
    with KedisProcess("--dir", str(tmp_path)) as server:
        link = Link(server)
        assert link.call("FCALL", "add", 1, "n", 5) == 15
        assert link.call("FCALL", "other", 0) == b"other"
        assert link.call("FUNCTION", "DELETE", "other") == b"OK"
        assert link.call("SAVE") == b"OK"
    redis = loaded(Oracle("--dir", str(tmp_path)))
    assert redis.call("FCALL", "add", 1, "n", 5) == 20
    assert len(redis.call("FUNCTION", "LIST")) == 1
    redis.close()


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_redis_loads_the_append_only_file(tmp_path: Path, preamble: str) -> None:
    with KedisProcess(
        "--dir", str(tmp_path), "--appendonly", "yes", "--aof-use-rdb-preamble", preamble
    ) as server:
        link = Link(server)
        link.call("FUNCTION", "LOAD", _LIBRARY)
        link.call("FCALL", "add", 1, "n", 5)
        link.call("BGREWRITEAOF")
        while b"aof_rewrite_in_progress:1" in link.call("INFO", "persistence"):
            pass
        link.call("EVAL", "redis.call('INCR', 'n') redis.call('INCR', 'n')", 0)
    redis = loaded(Oracle("--dir", str(tmp_path), "--appendonly", "yes"))
    assert redis.call("FCALL", "add", 1, "n", 1) == 8
    redis.call("BGREWRITEAOF")
    while b"aof_rewrite_in_progress:1" in redis.call("INFO", "persistence"):
        pass
    redis.close()
    with KedisProcess("--dir", str(tmp_path), "--appendonly", "yes") as server:
        assert Link(server).call("FCALL", "add", 1, "n", 1) == 9


def test_a_library_that_cannot_be_loaded_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with KedisProcess("--dir", str(tmp_path), "--rdbchecksum", "no", "--rdbcompression", "no") as server:
        link = Link(server)
        link.call("FUNCTION", "LOAD", _LIBRARY)
        link.call("SAVE")
    file = tmp_path / "dump.rdb"
    file.write_bytes(file.read_bytes().replace(b"register_function", b"register_functiox"))
    with pytest.raises(RuntimeError, match="holds functions that cannot be loaded"):
        KedisProcess("--dir", str(tmp_path))


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_effects_of_scripts_between_commands(tmp_path: Path, policy: str) -> None:
    """In one piece, so that one read brings all of them: what was answered is there after a crash, in this order."""
    flags = ("--appendonly", "yes", "--appendfsync", policy, "--dir", str(tmp_path))
    with KedisProcess(*flags) as server:
        link = Link(server)
        one = link.call("SCRIPT", "LOAD", "return redis.call('INCR', KEYS[1])")
        two = link.call(
            "SCRIPT", "LOAD", "redis.call('APPEND', KEYS[1], 'x') return redis.call('GET', KEYS[1])"
        )
        none = link.call("SCRIPT", "LOAD", "return redis.call('GET', KEYS[1])")
        fails = link.call("SCRIPT", "LOAD", "redis.call('SET', 'f', 1) return redis.call('INCR', KEYS[1])")
        with link.held():
            link.send("SET", "a", 1)
            link.send("EVALSHA", one, 1, "a")
            link.send("EVALSHA", two, 1, "a")
            link.send("EVALSHA", none, 1, "a")
            link.send("APPEND", "a", "y")
            link.send("EVALSHA", fails, 1, "a")
            link.send("SELECT", 1)
            link.send("EVALSHA", one, 1, "a")
            link.send("INCR", "a")
        replies = [link.receive() for _ in range(9)]
        assert replies[:5] == [b"OK", 2, b"2x", b"2x", 3]
        assert "not an integer" in str(replies[5])
        assert replies[6:] == [b"OK", 1, 2]
        server.process.kill()
        server.process.wait(60)
    with KedisProcess(*flags) as server:
        link = Link(server)
        assert link.call("MGET", "a", "f") == [b"2xy", b"1"]
        link.call("SELECT", 1)
        assert link.call("GET", "a") == b"2"
