"""kedis-check-aof: exit codes, what it says, and what it cuts off."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from kedis.cli.check_aof import main
from tests.persistence.folders import BASE, INCR, LISTING, MANIFEST, recorded
from tests.persistence.server import encode, files, write_folder

SET = encode("SET", "a", 1)


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, answer: str = ""
) -> tuple[int, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    code = main(words)
    shown = capsys.readouterr()
    return code, shown.out + shown.err


CASES: dict[str, tuple[bytes, bytes, int, str]] = {
    "sound": (SET, SET * 3, 0, "3 commands, sound up to offset 81 of 81"),
    "empty": (b"", b"", 0, "is valid"),
    "torn": (SET, SET + SET[:-4], 1, "not whole, at offset 27"),
    "malformed": (SET, SET + b"junk", 1, "at offset 27"),
    "torn base": (SET[:-4], SET, 1, f"{BASE} is not valid"),
    "transaction": (b"", SET + encode("MULTI") + SET + encode("EXEC"), 0, "4 commands"),
    "no EXEC": (b"", SET + encode("MULTI") + SET, 1, "without its EXEC, at offset 27"),
    "torn transaction": (b"", SET + encode("MULTI") + SET + SET[:5], 1, "sound up to offset 27 of"),
    "EXEC alone": (b"", SET + encode("EXEC"), 1, "EXEC without MULTI at offset 27"),
    "MULTI twice": (b"", encode("MULTI") * 2, 1, "MULTI inside a transaction at offset 15"),
    "RDB": (b"REDIS0010\xff" + bytes(8), SET, 0, "is valid"),
    "RDB cut off": (b"REDIS0010", SET, 1, "the end where more must be at offset 9"),
}


@pytest.mark.parametrize(("base", "incr", "code", "text"), CASES.values(), ids=CASES.keys())
def test_what_it_says(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    base: bytes,
    incr: bytes,
    code: int,
    text: str,
) -> None:
    write_folder(tmp_path, {BASE: base, INCR: incr, MANIFEST: LISTING})
    before = files(tmp_path)
    manifest = str(tmp_path / "appendonlydir" / MANIFEST)
    found, shown = run(monkeypatch, capsys, manifest)
    assert found == code and text in shown, shown
    assert files(tmp_path) == before
    theirs = shutil.which("redis-check-aof")
    if theirs and "RDB" not in text:
        assert subprocess.run([theirs, manifest], capture_output=True).returncode == code


def test_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = str(tmp_path / "appendonlydir" / MANIFEST)
    for torn in (SET[:-4], b"junk", encode("MULTI") + SET + b"*1\r\n$4\r\nEX"):
        damaged = {BASE: SET, INCR: SET + torn, MANIFEST: LISTING}
        write_folder(tmp_path, damaged)
        code, shown = run(monkeypatch, capsys, "--fix", manifest, answer="n\n")
        assert code == 1 and "Continue?" in shown and files(tmp_path) == damaged
        code, shown = run(monkeypatch, capsys, "--fix", manifest, answer="y\n")
        assert code == 0 and files(tmp_path)[INCR] == SET, shown
        assert run(monkeypatch, capsys, manifest)[0] == 0
    write_folder(tmp_path, {BASE: SET[:-4], INCR: SET, MANIFEST: LISTING})
    code, shown = run(monkeypatch, capsys, "--fix", manifest, answer="y\n")
    assert code == 1 and "not the last file" in shown
    assert files(tmp_path)[BASE] == SET[:-4]


def test_fix_after_a_wrong_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be trusted begins where the last good checksum ended."""
    content = recorded(tmp_path / "made", [[("SET", "a", 1)], [("SET", "b", 1)], [("SET", "c", 1)]])
    write_folder(tmp_path, {INCR: content.replace(b"$1\r\nb", b"$1\r\nB")})
    path = str(tmp_path / "appendonlydir" / INCR)
    code, shown = run(monkeypatch, capsys, path)
    assert code == 1 and "checksum mismatch" in shown
    assert run(monkeypatch, capsys, "--fix", path, answer="y\n")[0] == 0
    left = Path(path).read_bytes()
    assert content.startswith(left) and b"$1\r\na" in left and b"$1\r\nb" not in left


def test_truncate_to_timestamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    incr = b"#TS:1000\r\n" + SET + b"#TS:2000\r\n" + SET + b"#TS:3000\r\n" + SET
    manifest = str(tmp_path / "appendonlydir" / MANIFEST)
    for moment, kept in ((2000, 74), (2999, 74), (3000, 111), (1000, 37)):
        write_folder(tmp_path, {BASE: SET, INCR: incr, MANIFEST: LISTING})
        assert run(monkeypatch, capsys, "--truncate-to-timestamp", str(moment), manifest)[0] == 0
        assert files(tmp_path)[INCR] == incr[:kept]
    write_folder(tmp_path, {BASE: SET, INCR: incr, MANIFEST: LISTING})
    code, shown = run(monkeypatch, capsys, "--truncate-to-timestamp", "1", manifest)
    assert code == 1 and "nothing before 1" in shown and files(tmp_path)[INCR] == incr


@pytest.mark.parametrize("words", [[], ["--bogus", "x"], ["a", "b"], ["--truncate-to-timestamp", "x", "y"]])
def test_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, shown = run(monkeypatch, capsys, *words)
    assert code == 1 and shown.startswith("usage")


def test_a_bad_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path, {MANIFEST: b""})
    code, shown = run(monkeypatch, capsys, str(tmp_path / "appendonlydir" / MANIFEST))
    assert code == 1 and "it is empty" in shown
    code, shown = run(monkeypatch, capsys, str(tmp_path / "nowhere"))
    assert code == 1 and "No such file" in shown
