"""What failed is run once more, alone: a fault fails there as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import run

_LATE = """
from pathlib import Path

def test_late():
    seen = Path("seen")
    first = not seen.exists()
    seen.touch()
    assert not first

def test_well():
    pass
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def status(project: Path, text: str) -> int:
    (project / "test_it.py").write_text(text)
    return run.run(["-q", "-p", "no:kedis"])


def test_what_passes_alone_is_named(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert status(project, _LATE) == 0
    told = capfd.readouterr().out
    assert (
        "1 failed, 1 passed" in told
        and "PASSED ALONE, not beside the others:\n  test_it.py::test_late" in told
    )


def test_a_fault_fails_alone_as_well(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert status(project, "def test_fault():\n    assert False\n") == 1
    assert "PASSED ALONE" not in capfd.readouterr().out


@pytest.mark.parametrize(
    "text",
    ["import no_such_module\n", "", "\n".join(f"def test_{i}():\n    assert open('x')\n" for i in range(6))],
    ids=["not to be imported", "no tests", "too many"],
)
def test_a_run_that_went_wrong_is_not_tried_again(
    project: Path, capfd: pytest.CaptureFixture[str], text: str
) -> None:
    assert status(project, _LATE) == 0  # whose failure is forgotten
    capfd.readouterr()
    assert status(project, text) != 0
    assert "once more" not in capfd.readouterr().out
