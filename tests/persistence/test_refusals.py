"""A recorded command that does not fit what is before it ends the start; nothing that Redis or Kedis records does so.

The other half are files that are sound and hold what this version cannot hold.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kedis.cli.check_aof import main as check_aof
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.engine.flags import BLOCKING, WRITE
from kedis.engine.table import every_command
from kedis.persistence.checksum import checksum_line
from kedis.persistence.folder import AofError
from tests.commands.driver import Client, recorder_of
from tests.differential import grammar
from tests.differential.scripts import FILLS, draw_script
from tests.persistence.folders import BASE, INCR, LISTING, MANIFEST, load, recorded, strings
from tests.persistence.server import Kedis, Wire, encode, files, write_folder
from tests.persistence.test_with_redis import Redis

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
SET = encode("SET", "l", 1)
PUSH = encode("RPUSH", "l", "a")
DAY_NS = 86_400_000_000_000


def folder(directory: Path, incr: bytes, base: bytes = b"") -> Path:
    """A folder of two files; returns the path of its manifest."""
    write_folder(directory, {BASE: base, INCR: incr, MANIFEST: LISTING})
    return directory / "appendonlydir" / MANIFEST


#: What is recorded -> what is told of it, by the start and by kedis-check-aof.
REFUSED: dict[str, tuple[bytes, str]] = {
    "wrong type": (
        SET + PUSH + SET,
        f"the command 'RPUSH' at offset {len(SET)} was answered with: WRONGTYPE",
    ),
    "no such key": (
        SET + encode("rename", "x", "y"),
        f"'rename' at offset {len(SET)} was answered with: ERR no such",
    ),
    "in a transaction": (
        SET + encode("MULTI") + SET + PUSH + encode("EXEC") + SET,
        f"the command 'RPUSH' at offset {len(SET) + 15 + len(SET)} was answered with: WRONGTYPE",
    ),
    "busy key": (
        SET + encode("RESTORE", "l", 0, b"x" * 20),
        "'RESTORE' at offset 27 was answered with: BUSYKEY",
    ),
    "database": (
        encode("MOVE", "l", 99),
        "'MOVE' at offset 0 was answered with: ERR DB index is out of range",
    ),
}


@pytest.mark.parametrize(("content", "problem"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("place", ["base", "incr"])
def test_a_command_that_fails_ends_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, problem: str, place: str
) -> None:
    manifest = folder(tmp_path, **{"incr": b"", place: content})
    before = files(tmp_path)
    with pytest.raises(AofError) as caught:
        load(tmp_path)
    name = BASE if place == "base" else INCR
    assert f"{name} cannot be loaded: the command {problem.removeprefix('the command ')}"[:40] in str(
        caught.value
    )
    assert problem in str(caught.value) and "\n" not in str(caught.value)
    for words in ([], ["--fix"]):
        assert check_aof([*words, str(manifest)]) == 1
        told = capsys.readouterr().err
        assert problem in told and name in told
    assert check_aof(["--format-only", str(manifest)]) == 0
    assert files(tmp_path) == before


def test_the_server_exits_with_1_and_changes_nothing(tmp_path: Path) -> None:
    folder(tmp_path, SET + PUSH)
    before = files(tmp_path)
    log = tmp_path / "kedis.txt"
    kedis = Kedis(tmp_path, "--logfile", str(log), wait=False)
    assert kedis.process.wait(60) == 1
    reason = f"{INCR} cannot be loaded: the command 'RPUSH' at offset 27"
    assert reason in kedis.log() and reason in log.read_text()
    assert files(tmp_path) == before


def test_what_fails_may_be_passed_over_as_in_redis(tmp_path: Path) -> None:
    folder(tmp_path, SET + PUSH + encode("SET", "b", 2))
    engine, _ = load(tmp_path, propagation_error_behavior="ignore")
    assert strings(engine) == {b"l": b"1", b"b": b"2"}


@pytest.mark.parametrize("behavior", ["panic", "ignore"])
def test_a_database_that_is_not_there_is_never_passed_over(tmp_path: Path, behavior: str) -> None:
    """What follows would go to another database.  The check makes as many as are asked for."""
    manifest = folder(tmp_path, encode("SELECT", 20) + SET)
    with pytest.raises(AofError, match=r"'SELECT' at offset 0 .*see the setting databases"):
        load(tmp_path, propagation_error_behavior=behavior)
    assert check_aof([str(manifest)]) == 0


def test_a_damaged_byte_is_the_better_reason(tmp_path: Path) -> None:
    """Of a flipped byte in the name of a key, say, the command fails before the checksum is looked at."""
    content = recorded(tmp_path / "made", [[("SET", "m", 1), ("RPUSH", "l", "a")], [("SET", "x", 1)]])
    folder(tmp_path, content.replace(b"$1\r\nm", b"$1\r\nl"))
    with pytest.raises(AofError, match="checksum mismatch"):
        load(tmp_path)
    content = recorded(tmp_path / "more", [[("ZADD", "z", 1, "a")], [("SET", "x", 1)]])
    folder(tmp_path, content.replace(b"ZADD", b"EVAL"))
    with pytest.raises(AofError, match="checksum mismatch"):
        load(tmp_path)


def test_an_internal_error_while_loading_names_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, SET + encode("SADD", "s", 1))
    engine = Engine(Config({"appendonly": "no"}))
    engine.table.rows[b"sadd"].function = lambda session, argv: 1 // 0
    with pytest.raises(AofError, match=r"'SADD' at offset 27 met an internal error, ZeroDivisionError"):
        load(tmp_path, engine)


# -- no false alarm ---------------------------------------------------------------------------------------


def names() -> list[str]:
    """The commands that write and do not wait, and transactions."""
    rows = (row for row in every_command() if row.name in grammar.GRAMMAR)
    writing = [row.name for row in rows if row.flags & WRITE and not row.flags & BLOCKING]
    return [*writing, "select", "multi"]


@needs_redis
@pytest.mark.parametrize("seed", range(8))
def test_whatever_redis_records_is_loaded(tmp_path: Path, seed: int) -> None:
    """Random commands, with times to live that are over when the folder is loaded, a day later."""
    random = Random(seed)
    redis = Redis(tmp_path, "--hz", "100")
    other = Wire(redis.port)
    for words in FILLS:
        redis.wire.call(*words)
    for _ in range(15):
        for client, words in draw_script(random, names()):
            if words[0].upper() not in (b"HELLO", b"QUIT"):
                (redis.wire, other)[client].call(*words)
        redis.wire.call("RESET"), other.call("RESET")
    kept = [keys_that_stay(redis.wire, number) for number in range(16)]
    redis.wire.call("SELECT", 0)
    redis.wire.call("SET", "soon", 1, "PX", 20)
    redis.wire.call("RENAME", "soon", "soon over")
    redis.wire.call("RPUSH", "soon list", 1), redis.wire.call("PEXPIRE", "soon list", 20)
    redis.wire.call("LPUSH", "soon list", 2)
    other.close()
    redis.end()
    engine = Engine(Config({"appendonly": "no"}), clock=lambda: time.time_ns() + DAY_NS)
    _, loader = load(tmp_path, engine)
    assert loader.commands > 100
    assert check_aof([str(tmp_path / "appendonlydir" / MANIFEST)]) == 0
    for database, expected in zip(engine.keyspace.databases, kept, strict=True):
        assert expected == database.data.keys() - database.expires.keys()


def keys_that_stay(wire: Wire, database: int) -> set[bytes]:
    """The keys of a database that have no time to live."""
    wire.call("SELECT", database)
    return {key for key in wire.call("KEYS", "*") if wire.call("PTTL", key) == -1}


def test_whatever_kedis_records_is_loaded(tmp_path: Path) -> None:
    """The same of Kedis's own records: nothing that was journalled fails when it is run again."""
    for seed in range(40):
        random = Random(seed)
        client = Client()
        for words in FILLS:
            client.call(*words)
        for _ in range(3):
            for _, words in draw_script(random, names()):
                if words[0].upper() not in (b"HELLO", b"QUIT"):
                    client.replies(*words)
        content = b"".join(
            (encode("SELECT", database) if database >= 0 else b"") + encode(*argv)
            for database, argv in recorder_of(client.engine).entries
        )
        folder(tmp_path, content)
        load(tmp_path, Engine(Config({"appendonly": "no"}), clock=lambda: time.time_ns() + DAY_NS))


@needs_redis
def test_limits_that_were_higher_once_are_no_reason(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    redis.wire.call("SETRANGE", "a", 3_000_000, "x")
    redis.wire.call("SETBIT", "b", 16_000_000, 1)
    redis.wire.call("APPEND", "a", "y" * 2_000_000)
    redis.end()
    engine, _ = load(tmp_path, proto_max_bulk_len="1mb", maxmemory="1mb")
    assert len(strings(engine)[b"a"]) == 5_000_001


# -- sound, and not to be held ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("JSON.SET", "k", "$", "1"), "a module's value"),
    ],
)
def test_commands_of_features_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[Any, ...], what: str
) -> None:
    for content in (SET + encode(*words) + SET, SET + encode("MULTI") + encode(*words) + encode("EXEC")):
        manifest = folder(tmp_path, content)
        for _ in range(2):
            with pytest.raises(
                AofError, match=f"is not damaged: holds {what}, which this version cannot hold"
            ):
                load(tmp_path)
        assert check_aof([str(manifest)]) == 1
        assert f"is not damaged: holds {what}" in capsys.readouterr().err


def test_junk_behind_it_makes_it_damaged(tmp_path: Path) -> None:
    folder(tmp_path, encode("JSON.SET", "k", "$", "1") + b"junk")
    with pytest.raises(AofError, match=r"is damaged: .* at offset"):
        load(tmp_path)
    folder(tmp_path, SET + checksum_line(1, len(SET)) + encode("JSON.SET", "k", "$", "1"))
    with pytest.raises(AofError, match="checksum mismatch"):
        load(tmp_path)
