"""kedis-cli --replica and --rdb, on Kedis and on Redis, beside redis-cli."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from kedis.rdb.snapshot import SnapshotReader
from tests.cli.program import KEDIS_CLI, call, closed_port, kedis_cli, redis_cli


@pytest.fixture
def at_once(port: int) -> int:
    """The port of a server that lets no replica wait for others."""
    call(port, "CONFIG", "SET", "repl-diskless-sync-delay", "0")
    return port


def test_a_snapshot(at_once: int, tmp_path: Path) -> None:
    call(at_once, "SET", "key", "value")
    call(at_once, "RPUSH", "list", "a", "b")
    file = tmp_path / "dump.rdb"
    ended = kedis_cli("-p", str(at_once), "--rdb", str(file))
    assert (ended.code, ended.out) == (0, b"")
    assert f"snapshot saved to {file} ({file.stat().st_size} bytes)" in ended.err
    assert [each.name for each in tmp_path.iterdir()] == ["dump.rdb"]
    assert keys_of(file) == 2
    piped = kedis_cli("-p", str(at_once), "--rdb", "-")
    other = tmp_path / "other.rdb"
    other.write_bytes(piped.out)
    assert keys_of(other) == 2
    theirs = tmp_path / "theirs.rdb"
    assert redis_cli("-p", str(at_once), "--rdb", str(theirs)).code == 0
    assert keys_of(theirs) == 2


def test_a_snapshot_that_does_not_come(tmp_path: Path) -> None:
    file = tmp_path / "dump.rdb"
    file.write_bytes(b"old")
    ended = kedis_cli("-p", str(closed_port()), "--rdb", str(file))
    assert ended.code == 1 and "Could not connect" in ended.err
    assert file.read_bytes() == b"old"


def test_a_file_that_cannot_be_written(at_once: int, tmp_path: Path) -> None:
    ended = kedis_cli("-p", str(at_once), "--rdb", str(tmp_path / "none" / "dump.rdb"))
    assert ended.code == 1 and "cannot write" in ended.err


def follow(words: Sequence[str], port: int) -> list[bytes]:
    """The first two changes of the stream that a program prints after its snapshot."""
    process = subprocess.Popen(
        [*words, "-p", str(port), "--replica"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        while b"stream follows" not in (line := process.stderr.readline()) and b"REPLCONF ACK" not in line:
            assert line
        call(port, "SET", "a", 'say "hi"\n')
        call(port, "RPUSH", "l", "x y", "")
        lines: list[bytes] = []
        while len(lines) < 2:
            if (line := process.stdout.readline()).lower() not in (b'"ping"\n', b'"select","0"\n'):
                lines.append(line)
        return lines
    finally:
        process.kill()
        process.communicate()


def test_the_stream(at_once: int) -> None:
    lines = follow(KEDIS_CLI, at_once)
    assert lines == [b'"SET","a","say \\"hi\\"\\n"\n', b'"RPUSH","l","x y",""\n']
    if (program := shutil.which("redis-cli")) is not None:
        assert follow([program], at_once) == lines


def keys_of(file: Path) -> int:
    """The number of keys in a snapshot, which is sound."""
    return len(list(SnapshotReader(file.read_bytes()).records()))
