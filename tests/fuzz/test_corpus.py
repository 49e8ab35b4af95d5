"""What the fuzzers have found stays mended: every input of the corpus is replayed, and every seed."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz import coverage
from tests.fuzz.target import BytesAsDice, Find, Target, swollen
from tests.fuzz.targets import TARGETS
from tests.oracle import Oracle

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path for path in CORPUS.glob("*/*") if path.parent.name in TARGETS)


@pytest.fixture(scope="module")
def targets() -> Iterator[functools.partial[Target]]:
    """Makes targets, each once."""
    oracles: list[Oracle] = []
    made: dict[str, Target] = {}

    def redis(*settings: str) -> Oracle:
        oracles.append(Oracle(*settings))
        return oracles[-1]

    def target(name: str) -> Target:
        if name not in made:
            made[name] = TARGETS[name](redis)
        return made[name]

    yield functools.partial(target)
    for oracle in oracles:
        oracle.close()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_find_is_mended(targets: functools.partial[Target], path: Path) -> None:
    targets(path.parent.name).run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(targets: functools.partial[Target], name: str) -> None:
    target = targets(name)
    for seed in list(target.seeds())[:40]:
        target.run(seed)


def test_no_folder_without_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= TARGETS.keys()


def test_a_difference_is_seen(targets: functools.partial[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    """A target notices when its subject is wrong."""
    target = targets("parser")
    monkeypatch.setattr(target, "_theirs", lambda data: b"+SOMETHING ELSE\r\n")
    with pytest.raises(Find):
        target.run(b"PING\r\n")


def test_a_row_of_less_coverage_is_not_written() -> None:
    head = "| target | inputs | lines run |\n|---|---|---|\n"
    parser, rdb, aof = (f"| {name} | 281 | 60 % of 1,842 |\n" for name in ("parser", "rdb", "aof"))
    page = f"before\n{head}{parser}{rdb}after\n"
    assert coverage.shares(page) == {"parser": 60, "rdb": 60}
    less, more = parser.replace("60", "59"), rdb.replace("60", "61")
    assert coverage.lowered(page, head + less + more) == {"parser": parser.rstrip()}
    assert coverage.merged(page, head + less + more + aof) == head + parser + more + aof
    assert coverage.merged(page, head + aof) == head + parser + rdb + aof


def test_dice_of_bytes() -> None:
    assert [BytesAsDice(b"\1\2\3").randrange(4) for _ in range(2)] == [1, 1]
    dice = BytesAsDice(b"\2\1")
    assert [dice.choice("abcd") for _ in range(4)] == ["c", "b", "a", "a"]


def test_swollen() -> None:
    assert swollen(b"a\xfex\2b\xfe") == b"a" + b"x" * 128 + b"b\xfe"
