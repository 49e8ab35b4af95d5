"""kedis-cli --eval, --functions-rdb and --ldb."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import call, kedis_cli, redis_cli
from tests.oracle import Oracle
from tests.wire.kedis_process import KedisProcess

_SCRIPT = b"redis.call('SET', KEYS[1], ARGV[1])\nreturn {KEYS, ARGV, redis.call('GET', KEYS[1])}\n"


@pytest.fixture
def script(tmp_path: Path) -> str:
    file = tmp_path / "script.lua"
    file.write_bytes(_SCRIPT)
    return str(file)


@pytest.mark.parametrize(
    "words",
    [
        ["k", "l", ",", "v", "w"],
        ["k", ",", "v"],
        [",", "v"],
        ["k"],
        ["k", ",", ",", "v"],
        [],
    ],
)
@pytest.mark.parametrize("form", ["--raw", "--no-raw", "--csv"])
def test_eval_as_redis_cli_does(port: int, script: str, words: list[str], form: str) -> None:
    mine = kedis_cli("-p", str(port), form, "--eval", script, *words)
    theirs = redis_cli("-p", str(port), form, "--eval", script, *words)
    assert mine.out == theirs.out


def test_a_script_that_is_not_there(port: int, tmp_path: Path) -> None:
    ended = kedis_cli("-p", str(port), "--eval", str(tmp_path / "none.lua"))
    assert ended.code == 1
    assert "cannot read" in ended.err


@pytest.mark.parametrize("flag", ["--ldb", "--ldb-sync-mode"])
def test_the_debugger_is_refused(port: int, script: str, flag: str) -> None:
    ended = kedis_cli("-p", str(port), flag, "--eval", script)
    assert ended.code == 1
    assert "--ldb" in ended.err and "not supported" in ended.err


def test_functions_as_a_snapshot(port: int, tmp_path: Path) -> None:
    library = "#!lua name=lib\nredis.register_function('f', function() return 'from the file' end)"
    call(port, "FUNCTION", "LOAD", "REPLACE", library)
    call(port, "SET", "not-in-it", "v")
    file = tmp_path / "dump.rdb"
    assert kedis_cli("-p", str(port), "--functions-rdb", str(file)).code == 0
    assert kedis_cli("-p", str(port), "--functions-rdb", "-").out == file.read_bytes()
    redis = Oracle("--dir", str(tmp_path))
    while "LOADING" in str(redis.call("PING")):
        pass
    assert redis.call("FCALL", "f", 0) == b"from the file"
    assert redis.call("DBSIZE") == 0
    redis.close()
    with KedisProcess("--dir", str(tmp_path)) as server:
        assert call(server.address[1], "FCALL", "f", "0") == b"from the file"
