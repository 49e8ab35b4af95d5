"""Recovery: what a damaged file gives, byte by byte."""

from __future__ import annotations

import logging
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kedis import native
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.persistence.append_file import AppendFile
from kedis.persistence.checksum import checksum_line
from kedis.persistence.folder import AofError
from tests.persistence.folders import BASE, FAST, INCR, LISTING, MANIFEST, load, recorded, strings
from tests.persistence.server import encode, files, write_folder

SET = encode("SET", "a", 1)


@pytest.fixture(autouse=True, params=["native", "python"] if native.PATH == "native" else ["python"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By which path the recorded commands run."""
    monkeypatch.setattr(native, "PATH", request.param)


@pytest.fixture
def fast_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=FAST) as name:
        yield Path(name)


def folder(directory: Path, incr: bytes, base: bytes = b"") -> None:
    write_folder(directory, {BASE: base, INCR: incr, MANIFEST: LISTING})


def test_everything_in_its_place(tmp_path: Path) -> None:
    content = b"".join(
        [
            encode("SELECT", 3),
            b"#TS:1700000000\r\n# any comment\n",
            encode("sEt", "k\r\n#not a comment", "v\r\n*3\r\n"),
            encode("MULTI"),
            b"#TS:1700000001\r\n",
            encode("SELECT", 0),
            encode("RPUSH", "l", *range(100)),
            encode("EXEC"),
            encode("SET", "big", "x" * 3_000_000),
            encode("SET", "", ""),
        ]
    )
    folder(tmp_path, content, encode("SET", "base", 1))
    engine, loader = load(tmp_path)
    assert strings(engine, 3) == {b"k\r\n#not a comment": b"v\r\n*3\r\n"}
    assert set(strings(engine)) == {b"base", b"l", b"big", b""}
    assert loader.tail.size == len(content)
    assert loader.tail.uncovered == len(content)


def test_each_file_begins_in_database_0(tmp_path: Path) -> None:
    folder(tmp_path, SET, encode("SELECT", 5) + SET)
    engine, _ = load(tmp_path)
    assert strings(engine) == {b"a": b"1"} and strings(engine, 5) == {b"a": b"1"}


def test_what_is_due_stays_until_loading_has_ended(tmp_path: Path) -> None:
    folder(tmp_path, SET + encode("PEXPIREAT", "a", 1) + encode("INCR", "a") + encode("PERSIST", "a"))
    engine, _ = load(tmp_path)
    assert strings(engine) == {b"a": b"2"}


REFUSED: dict[str, tuple[bytes, str]] = {
    "junk": (SET + b"junk\r\n" + SET, f"offset {len(SET)}"),
    "nul bytes": (SET + bytes(64), f"offset {len(SET)}"),
    "unknown command": (SET + encode("NOPE", 1) + SET, f"unknown command 'NOPE' at offset {len(SET)}"),
    "arity": (
        SET + encode("SET", 1) + SET,
        f"wrong number of arguments for command 'SET' at offset {len(SET)}",
    ),
    "unknown in MULTI": (SET + encode("MULTI") + encode("NOPE") + encode("EXEC"), "'NOPE' at offset"),
    "EXEC alone": (SET + encode("EXEC"), f"misplaced command 'EXEC' at offset {len(SET)}"),
    "MULTI twice": (SET + encode("MULTI") * 2, "misplaced"),
    "no name": (SET + b"*0\r\n", f"offset {len(SET)}"),
    "plus sign": (SET + b"*+1\r\n$4\r\nPING\r\n", f"offset {len(SET)}"),
    "wrong length": (SET + SET.replace(b"$1\r\n1", b"$2\r\n1") + SET, "offset"),
    "RDB": (b"REDIS9999" + bytes(20), "offset"),
    "checksum": (SET + checksum_line(1, len(SET)), "checksum mismatch"),
    "long comment": (SET + b"#" + b"x" * 1100 + b"\r\n", "comment"),
}


@pytest.mark.parametrize(("content", "problem"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("place", ["base", "incr"])
def test_a_refused_file_is_named_and_not_touched(
    tmp_path: Path, content: bytes, problem: str, place: str
) -> None:
    folder(tmp_path, **{place: content, **({"incr": SET} if place == "base" else {})})
    before = files(tmp_path)
    with pytest.raises(AofError) as caught:
        load(tmp_path)
    assert problem in str(caught.value)
    assert (BASE if place == "base" else INCR) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == before


TORN = {
    "command": SET[:-3],
    "header": b"*3",
    "transaction": encode("MULTI") + SET,
    "inside a transaction": encode("MULTI") + SET + SET[:9],
    "in the name EXEC": encode("MULTI") + SET + encode("EXEC")[:-3],
    "comment": b"#CRC32:00",
}


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN.keys())
def test_a_torn_tail_is_cut_from_the_last_file_only(tmp_path: Path, torn: bytes) -> None:
    folder(tmp_path, SET + torn)
    engine, loader = load(tmp_path)
    assert strings(engine) == {b"a": b"1"}
    assert loader.cut_bytes == len(torn)
    assert files(tmp_path)[INCR] == SET
    folder(tmp_path, SET + torn)
    with pytest.raises(AofError, match=f"offset {len(SET)}.*aof-load-truncated"):
        load(tmp_path, aof_load_truncated="no")
    folder(tmp_path, SET, SET + torn)
    before = files(tmp_path)
    with pytest.raises(AofError, match="not the last file"):
        load(tmp_path)
    assert files(tmp_path) == before


def script(rng: random.Random, count: int) -> list[list[tuple[Any, ...]]]:
    """Flushes of simple commands; a transaction is never spread over two, and sets two keys to one value."""
    flushes: list[list[tuple[Any, ...]]] = []
    made = 0
    while made < count:
        flush: list[tuple[Any, ...]] = []
        for _ in range(rng.randrange(1, 6)):
            number = made
            if rng.random() < 0.3:
                flush += [("MULTI",), ("SET", "x", number), ("SET", "y", number), ("EXEC",)]
                made += 4
            else:
                flush.append(("RPUSH", f"l{number % 3}", f"{number}\r\n#" + "v" * rng.randrange(20)))
                made += 1
        flushes.append(flush)
    return flushes


@pytest.mark.parametrize(("checksums", "count"), [(True, 200), (False, 60)])
def test_cut_at_every_byte(
    fast_path: Path, checksums: bool, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Starts, shows no part of a transaction, and keeps what is written afterwards."""
    caplog.set_level(logging.ERROR, "kedis.aof")
    content = recorded(fast_path / "made", script(random.Random(1), count), checksums=checksums)
    whole: dict[int, dict[bytes, Any]] = {}
    engine = Engine(Config({"appendonly": "no"}))
    for end in range(len(content) + 1):
        folder(fast_path, content[:end])
        _, loader = load(fast_path, engine)
        data = strings(engine)
        assert data.get(b"x") == data.get(b"y")
        size = loader.tail.size
        assert size + loader.cut_bytes == end
        state = {key: list(value) if key[:1] == b"l" else value for key, value in data.items()}
        assert whole.setdefault(size, state) == state
        if end % 97 == 0:
            left = files(fast_path)[INCR]
            assert left == content[:size]
            folder(fast_path, left + encode("SET", "later", end))
            assert strings(load(fast_path)[0])[b"later"] == b"%d" % end
    assert len(whole) > count // 3


def test_every_byte_flipped_is_found_or_harmless(fast_path: Path) -> None:
    content = recorded(fast_path / "made", script(random.Random(2), 60))
    folder(fast_path, content)
    expected = strings(load(fast_path)[0])
    engine = Engine(Config({"appendonly": "no"}))
    path = fast_path / "appendonlydir" / INCR
    rng = random.Random(4)
    found = harmless = 0
    for position in range(len(content)):
        for bit in rng.sample(range(8), 2):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                _, loader = load(fast_path, engine)
            except AofError as error:
                assert INCR in str(error) and "offset" in str(error)
                assert path.read_bytes() == damaged
                found += 1
            else:
                assert strings(engine) == expected, (position, bit, loader.cut_bytes)
                harmless += 1
    assert harmless <= 2 * 40, harmless  # only in the last checksum line, behind which nothing stands


def test_a_length_that_grew_is_not_taken_for_a_torn_tail(tmp_path: Path) -> None:
    content = recorded(tmp_path / "made", [[("SET", "a", "x" * 100)], [("SET", "b", 1)]])
    folder(tmp_path, content.replace(b"$100", b"$900"))
    with pytest.raises(AofError, match="damaged length"):
        load(tmp_path)


def test_a_checksum_line_inside_a_value_proves_nothing(tmp_path: Path) -> None:
    """A torn tail is a torn tail although its value holds what looks like a checksum line."""
    forged = checksum_line(0, 10) + checksum_line(0x12345678, 100) + b"x" * 50
    content = recorded(tmp_path / "made", [[("SET", "a", 1)]])
    folder(tmp_path, content + encode("SET", "b", forged)[:-10])
    engine, _ = load(tmp_path)
    assert strings(engine) == {b"a": b"1"}
    content = recorded(tmp_path / "more", [[("SET", "a", 1), ("SET", "b", forged)], [("SET", "c", forged)]])
    folder(tmp_path, content)
    engine, loader = load(tmp_path)
    assert strings(engine) == {b"a": b"1", b"b": forged, b"c": forged}
    assert loader.tail.uncovered == 0


def test_checksums_can_be_ignored(tmp_path: Path) -> None:
    content = recorded(tmp_path / "made", [[("SET", "a", 1)], [("SET", "b", 1)]])
    folder(tmp_path, content.replace(b"$1\r\nb", b"$1\r\nc"))
    engine, _ = load(tmp_path, aof_checksum="no")
    assert strings(engine) == {b"a": b"1", b"c": b"1"}


def test_a_file_that_another_began_is_continued_in_one_chain(tmp_path: Path) -> None:
    """Redis wrote without checksums; ours cover what it wrote."""
    folder(tmp_path, SET)
    _, loader = load(tmp_path)
    assert loader.tail.uncovered == len(SET)
    path = tmp_path / "appendonlydir" / INCR
    file = AppendFile(str(path), size=loader.tail.size, crc=loader.tail.crc, uncovered=loader.tail.uncovered)
    file.write([encode("SET", "b", 2)])
    file.seal()
    file.close()
    engine, loader = load(tmp_path)
    assert strings(engine) == {b"a": b"1", b"b": b"2"}
    assert loader.tail.uncovered == 0
    folder(tmp_path, path.read_bytes().replace(b"$1\r\na", b"$1\r\nz"))
    with pytest.raises(AofError, match="checksum mismatch"):
        load(tmp_path)


def test_random_folders_give_what_was_recorded(tmp_path: Path) -> None:
    """Many sizes of flushes and values, against a plain dict."""
    rng = random.Random(3)
    for round_ in range(12):
        expected: dict[bytes, bytes] = {}
        flushes = []
        for _ in range(rng.choice([1, 30, 300])):
            flush = []
            for _ in range(rng.choice([1, 5, 100])):
                key = b"k%d" % rng.randrange(500)
                value = rng.choice([b"\n#", b"*3\r\n", b"v", b"#CRC32:00000000 1\r\n"]) * rng.choice(
                    [1, 3, 900]
                )
                expected[key] = value
                flush.append(("SET", key, value))
            flushes.append(flush)
        folder(tmp_path, recorded(tmp_path / f"made{round_}", flushes, checksums=rng.random() < 0.7))
        engine, loader = load(tmp_path)
        assert strings(engine) == expected
        assert loader.cut_bytes == 0
