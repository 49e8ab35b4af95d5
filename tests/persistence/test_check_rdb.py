"""kedis-check-rdb: what it tells of sound and of damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kedis.cli.check_rdb import main
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.persistence.rdb_file import write_rdb
from tests.commands.driver import Client


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    client = Client(Engine(Config({"appendonly": "no"})))
    client.call("MSET", "a", 1, "b", 2)
    client.call("EXPIRE", "a", 1000)
    client.call("SELECT", 3)
    client.call("RPUSH", "l", *range(100))
    path = tmp_path / "dump.rdb"
    write_rdb(client.engine, str(path))
    return path


def test_a_sound_file(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(snapshot)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "version 10"
    assert "redis-ver: 7.0.15" in lines
    for line in (
        "database 0: 2 keys",
        "database 3: 1 keys",
        "string: 2",
        "list: 1",
        "with a time to live: 1",
    ):
        assert line in lines
    assert lines[-2:] == ["the checksum is right", f"{snapshot} is valid"]


def test_commands_behind_it_are_told_of(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with snapshot.open("ab") as file:
        file.write(b"*1\r\n$4\r\nPING\r\n")
    assert main([str(snapshot)]) == 0
    assert "14 bytes behind the snapshot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda raw: raw[:-30], "at offset"),
        (lambda raw: raw.replace(b"\x01l", b"\x01m"), "a wrong checksum at offset"),
        (lambda raw: b"REDIS0010\x00\x01a\x01x\x0f\x03key...", "in the key b'key' at offset"),
        (lambda raw: b"REDIS0010\x02\x03key\x02\x01a", "in the key b'key' at offset"),
        (lambda raw: b"", "it is empty"),
        (lambda raw: b"hello, world", "no snapshot at offset 0"),
    ],
)
def test_damage_is_told_in_one_line(
    snapshot: Path, capsys: pytest.CaptureFixture[str], damage: object, problem: str
) -> None:
    assert callable(damage)
    snapshot.write_bytes(damage(snapshot.read_bytes()))
    assert main([str(snapshot)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(snapshot) in line
    assert problem in line


def test_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "usage" in capsys.readouterr().out
    assert main([]) == 1
    assert main([str(tmp_path / "nothing")]) == 1
    assert "cannot read" in capsys.readouterr().err
