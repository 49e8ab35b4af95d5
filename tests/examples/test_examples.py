"""The programs of examples/, each run as its reader would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PATIENCE_SECONDS = 240


def run(folder: Path, *words: str) -> list[str]:
    """Run Python with ``words`` in ``folder``; returns the lines that it prints."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("folder", "words", "count"),
    [
        ("pytest_project", [], 3),
        ("fastapi_app", [], 2),
        ("aiohttp_app", [], 1),
        (".", ["frozen_time.py"], 1),
    ],
)
def test_a_project_with_tests(folder: str, words: list[str], count: int) -> None:
    lines = run(
        EXAMPLES / folder,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        ".",
        "-c",
        os.devnull,
        *words,
    )
    assert f"{count} passed" in lines[-1]


@pytest.mark.parametrize(
    ("program", "lines"),
    [
        ("socketio_gevent.py", ["greeting hello, ann", "news from a worker"]),
        ("celery_tasks.py", ["eager: 5", "keys on the server: 0", "by a worker: 5"]),
        ("workers.py", ["counted by four: 400", "in a child: 7 1", "in the parent: 7 None"]),
    ],
)
def test_a_program(program: str, lines: list[str]) -> None:
    assert run(EXAMPLES, "-W", "ignore", program) == lines


def test_the_notebook_cell_by_cell() -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=PATIENCE_SECONDS, resources={"metadata": {"path": str(EXAMPLES)}}
    ).execute()
    shown = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    assert shown == [
        "<Kedis store in memory, database 0>",
        "'hello'",
        "1",
        "True",
        "'1'",
        "<Kedis store in memory, closed, database 0>",
    ]


#: Pages whose commands are run by a test of their own, and run these.
PAGES = {"move_into_cluster.py": "docs/operate/moving-into-a-cluster.md"}


def test_every_example_is_in_the_list_and_is_run() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    tests = Path(__file__).read_text()
    for path in EXAMPLES.iterdir():
        if path.name != "README.md" and not path.name.startswith((".", "__")):
            assert f"]({path.name})" in listed, path.name
            if path.name in PAGES:
                assert f"\npython examples/{path.name} " in (EXAMPLES.parent / PAGES[path.name]).read_text()
            else:
                assert f'"{path.name}"' in tests, path.name
