"""``make bench`` in small: the report with its facts, and a part that cannot be measured."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def run(tmp_path: Path, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "ops/bench/all.py", "--quick", "--results", str(tmp_path / "results"), *words]
    variables = {**os.environ, **({"PATH": path} if path is not None else {})}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120)


def test_the_report_names_what_it_was_made_on(tmp_path: Path) -> None:
    for tool in ("taskset", "redis-cli"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed, which the benchmark needs")
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core only: none for the load")
    done = run(tmp_path, "--only", "seed")
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results"
    text = (results / "latest.md").read_text()
    for name in ("made", "by", "commit", "processor", "kernel", "versions"):
        assert f"| {name} | " in text
    assert "## Kedis by connections" in text
    assert "| published |" in text
    assert "At 50 connections Kedis keeps " in text
    assert "<svg" in (results / "seed-table.svg").read_text()
    assert len(json.loads((results / "seed-table.json").read_text())["rows"]) == 6


def test_a_part_that_fails_is_named_and_the_report_is_written(tmp_path: Path) -> None:
    done = run(tmp_path, "--only", "generator", path="")
    assert done.returncode == 1
    assert "failed: generator: " in done.stderr
    text = (tmp_path / "results" / "latest.md").read_text()
    assert "no Redis" in text
    assert "## The load generator\n\nNot measured." in text
