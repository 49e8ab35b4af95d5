"""fakeredis's own tests, on real Redis and on Kedis: whatever passes on Redis has to pass on Kedis.

    make test-fakeredis                 the source distribution from PyPI (BSD); not for CI, and nothing of it is kept

The part of the tests that is meant for a real server (marker ``real``) runs on ``redis-server``, on a Kedis server, and
on stores in the process by ``kedis.patch()``. :data:`EXCEPTIONS` names what may fail, and why: at most 2 %.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree as ElementTree
from importlib.metadata import version
from pathlib import Path

import kedis
from tests.oracle import Oracle

MOST_EXCEPTIONS = 0.02
#: Patterns of tests that pass on Redis 7.0.15 and not on Kedis, with the reason.
EXCEPTIONS: dict[str, str] = {
    "*::test_function_help*": "the words of FUNCTION HELP are Kedis's own",
}
#: The port that its tests use for a real server, and what reads the one that is given to us.
_PORT = re.compile(r"(?<![\w:])6390\b")
_OURS = 'int(__import__("os").environ["SUITE_PORT"])'

PATCHED = """
import kedis
kedis.patch().start()
"""


def fetch(folder: Path) -> Path:
    """The unpacked source distribution of the installed fakeredis."""
    name = f"fakeredis-{version('fakeredis')}"
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            str(folder),
        ]
        subprocess.run([*pip, name.replace("-", "==")], check=True)
        with tarfile.open(folder / f"{name}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        for path in (folder / name / "test").rglob("*.py"):
            path.write_text(_PORT.sub(_OURS, path.read_text()))
        (folder / name / "patched.py").write_text(PATCHED)
    return folder / name


def outcomes(suite: Path, name: str, port: int, words: list[str]) -> dict[str, str]:
    """Outcome by test (passed, failed or skipped) with a server at ``port``."""
    report = suite / f"{name}.xml"
    print(f"{time.strftime('%H:%M')} tests on {name}, about seven minutes: {suite / name}.log", flush=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "real",
        "-p",
        "no:cacheprovider",
        "--timeout",
        "120",
    ]
    command += [
        "--ignore",
        "test/test_hypothesis",
        "--ignore",
        "test/test_tcp_server",
        f"--junitxml={report}",
        "--tb=short",
    ]
    env = {**os.environ, "SUITE_PORT": str(port), "PYTHONPATH": str(suite)}
    with open(suite / f"{name}.log", "w") as log:
        subprocess.run([*command, *words, "test"], cwd=suite, env=env, stdout=log, stderr=log)
    found = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[f"{case.get('classname')}::{case.get('name')}"] = outcome
    return found


def excepted(test: str) -> bool:
    return any(fnmatch.fnmatchcase(test, pattern) for pattern in EXCEPTIONS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/fakeredis"))
    parser.add_argument("words", nargs="*", help="more words for pytest, such as -k blpop")
    options = parser.parse_args()
    suite = fetch(options.folder.resolve())
    redis = Oracle()
    try:
        expected = outcomes(suite, "redis", redis.port, options.words)
    finally:
        redis.close()
    with kedis.Server() as server:
        found = {"server": outcomes(suite, "server", server.port, options.words)}
    found["patch"] = outcomes(suite, "patch", 6390, ["-p", "patched", *options.words])
    passed = [test for test, outcome in expected.items() if outcome == "passed"]
    print(f"Redis: {len(passed)} of {len(expected)} pass (what is skipped or fails there says nothing)")
    bad = 0
    for name, of_kedis in found.items():
        failed = [test for test in passed if of_kedis.get(test) != "passed"]
        unnamed = [test for test in failed if not excepted(test)]
        print(
            f"Kedis, {name}: {len(passed) - len(failed)} of these; {len(failed)} fail, {len(unnamed)} unnamed"
        )
        print(*(f"  {test}: {of_kedis.get(test, 'missing')}" for test in unnamed), sep="\n")
        bad += bool(unnamed) or len(failed) > MOST_EXCEPTIONS * len(passed)
    return 1 if bad or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
