"""What the first build wrote and showed works with this one: folders, configuration files, names.

The recordings in ``first_build/`` were made by commit dcd5709 (:mod:`tests.upgrade.record`). What was given up since
stands in :data:`GONE`, each with the reason.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kedis
from tests.upgrade.record import PROGRAMS, Running, parameters, program

FIRST_BUILD = Path(__file__).parent / "first_build"
RECORDED: dict[str, Any] = json.loads((FIRST_BUILD / "recorded.json").read_text())
#: Names of the first build that are no more, and why.
GONE: dict[str, str] = {"kedis_compiled": "kedis_path: one compiler, and it is not mypyc"}
#: Fields of INFO that stand for commands that were called, and errors that were answered.
CALLED = ("cmdstat_", "errorstat_", "latency_percentiles_usec_")


def lost(old: list[str], new: Any) -> set[str]:
    """The names that were there and are not; those of :data:`GONE` aside."""
    return set(old) - set(new) - set(GONE)


@pytest.fixture
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A server on a copy of a recorded folder, with a configuration file of then."""
    name, appendonly, preamble = request.param
    shutil.copytree(FIRST_BUILD / name, tmp_path / name)
    server = Running(tmp_path / name / "data", appendonly=appendonly, preamble=preamble)
    yield server
    server.stop()


FORMS = {
    "commands": ("commands", "yes", "no"),
    "preamble": ("preamble", "yes", "yes"),
    "snapshot": ("snapshot", "no", "no"),
}


@pytest.mark.parametrize(
    ("running", "name"), [(form, name) for name, form in FORMS.items()], indirect=["running"]
)
def test_a_folder_loads_and_goes_on(running: Running, name: str) -> None:
    client = running.client
    assert client.execute_command("DEBUG", "DIGEST").decode() == RECORDED["digests"][name]
    assert client.config_get("hash-max-listpack-entries") == {"hash-max-listpack-entries": "64"}
    assert client.get("string:1") == b"v" * 100
    assert client.set("later", 1)


@pytest.mark.parametrize("running", [FORMS["commands"]], indirect=True)
def test_the_names_of_then_are_still_there(running: Running) -> None:
    client = running.client
    assert not lost(RECORDED["settings"], client.config_get("*"))
    fields = [name for name in RECORDED["info"] if not name.startswith(CALLED)]
    assert len(fields) > 150 and not lost(fields, client.info("everything"))
    with urllib.request.urlopen(f"http://127.0.0.1:{running.metrics}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    shown = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    assert len(shown) > 150 and not lost(RECORDED["metrics"], shown)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_flags_of_the_programs(name: str) -> None:
    text = subprocess.run([program(name), "--help"], capture_output=True, text=True, check=True).stdout
    assert len(RECORDED["flags"]["kedis-cli"]) > 30
    assert not {flag for flag in RECORDED["flags"][name] if flag not in text}


def test_the_python_interface() -> None:
    then = RECORDED["api"]
    assert set(then["kedis"]) <= set(kedis.__all__)
    assert set(then["connect"]) <= set(parameters(kedis.connect))
    assert set(then["Server"]) <= set(parameters(kedis.Server.__init__))
    assert not [name for name in then["Server.attributes"] if not hasattr(kedis.Server, name)]


def test_every_module_of_then_is_there_or_listed() -> None:
    """docs/reference/moved.md names each module that a program of then may have imported and that is no more."""
    listed = (Path(__file__).parents[2] / "docs" / "reference" / "moved.md").read_text()
    root = Path(kedis.__file__).parent.parent
    missing = [
        path for path in RECORDED["modules"] if not (root / path).exists() and f"`{path}`" not in listed
    ]
    assert len(RECORDED["modules"]) > 200 and not missing
