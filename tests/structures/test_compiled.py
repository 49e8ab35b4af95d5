"""The choice between the structures in Python and the compiled ones, and what the compiled ones may cost."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import tracemalloc
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

from kedis import structures
from tests.structures.both import load

FOLDER = Path(structures.__file__).parent
SHOW = (
    "import importlib; from kedis import structures;"
    "print(structures.COMPILED, [importlib.import_module('kedis.structures.' + name).__file__"
    " for name in structures.COMPILABLE])"
)


def shown(**environment: str) -> str:
    """What a new process says of the modules that it takes."""
    env = {name: value for name, value in os.environ.items() if name != "KEDIS_PURE"} | environment
    done = subprocess.run([sys.executable, "-c", SHOW], env=env, check=True, capture_output=True, text=True)
    return done.stdout


def test_python_is_taken_when_it_is_asked_for() -> None:
    text = shown(KEDIS_PURE="1")
    assert text.startswith("False") and text.count(".py'") == len(structures.COMPILABLE)


def test_what_is_compiled_is_taken_when_all_of_it_is_there() -> None:
    text = shown()
    built = structures._are_built()
    assert text.startswith(str(built))
    assert text.count(".py'") == (0 if built else len(structures.COMPILABLE))


def test_one_that_is_missing_leaves_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled modules know each other's C types: some of them beside some in Python would not load."""
    monkeypatch.setattr(structures, "_FOLDER", str(tmp_path / "none"))
    assert not structures._are_built()
    monkeypatch.setattr(structures, "_FOLDER", str(tmp_path))
    for name in structures.COMPILABLE:
        assert not structures._are_built()
        (tmp_path / (name + EXTENSION_SUFFIXES[0])).touch()
    assert structures._are_built()
    (tmp_path / (name + EXTENSION_SUFFIXES[0])).rename(tmp_path / f"{name}.of-another-python.so")
    assert not structures._are_built()


@pytest.mark.skipif(not structures._are_built(), reason="the extensions are not built")
@pytest.mark.parametrize("name", structures.COMPILABLE)
def test_a_compiled_module_is_no_older_than_its_source(name: str) -> None:
    (built,) = [
        path for path in (FOLDER / "compiled").glob(f"{name}.*") if path.name.endswith(EXTENSION_SUFFIXES[0])
    ]
    sources = list(FOLDER.glob(f"{name}.p*"))
    newest = max(sources, key=lambda path: path.stat().st_mtime)
    assert built.stat().st_mtime >= newest.stat().st_mtime, (
        f"{newest} was changed: setup.py build_ext --inplace"
    )


def built_set(form: str, how: str) -> tuple[int, Any]:
    """Bytes that a sorted set of 100,000 members needs beside them, and the set."""
    kind: Any = load(form)["kedis.structures.sorted_set"].SortedSet
    rng = random.Random(8)
    members = [b"member:%012d" % number for number in range(100_000)]
    scores = {member: rng.random() for member in members}
    gc.collect()
    tracemalloc.start()
    if how == "at once":
        subject = kind.from_scores(dict(scores))
    else:
        subject = kind()
        for member, score in scores.items():
            subject.add(member, score + 0.0)  # a float object of the set's own
    if how == "after changes":
        for member in members:
            subject.add(member, rng.random())
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size, subject


@pytest.mark.parametrize("how", ["at once", "one by one", "after changes"])
def test_a_compiled_set_needs_no_more_memory(how: str) -> None:
    compiled, subject = built_set("compiled", how)
    plain, model = built_set("python", how)
    assert list(subject.items()) == list(model.items())
    assert compiled <= plain
