"""The test suites of programs that live on Redis, on Redis and on Kedis: what passes there has to pass here.

    make suites                     all of :mod:`tests.applications.suite_list`
    make suites SUITES="rq huey"    some of them
    make suites ARGS=--write        all, and the table of docs/reference/suites.md
    make suites ARGS=--only-write   that table, of what was run before

Each program has an environment of its own in ``build/suites``, with pinned versions, and its tests from its source
distribution; nothing of theirs is kept in the repository, nor run by CI. Both servers listen at port 6379 of a network
of their own (:mod:`tests.applications.private_network`), so this needs Linux and ``unshare``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.applications.suite_list import SUITES, Suite

ROOT = Path(__file__).parent.parent.parent
PLUGINS = Path(__file__).parent / "suite_plugins"
PAGE = ROOT / "docs" / "reference" / "suites.md"
BEGIN, END = "<!-- the table: make suites ARGS=--write -->", "<!-- end of the table -->"
_SECONDS = 2400


@dataclass
class Comparison:
    """The outcomes of a suite by test (passed, failed, skipped) on both servers."""

    suite: Suite
    redis: dict[str, str]
    kedis: dict[str, str]

    @property
    def right(self) -> list[str]:
        """The tests that pass on Redis."""
        return [test for test, outcome in self.redis.items() if outcome == "passed"]

    @property
    def failed(self) -> list[str]:
        """Those of them that do not pass on Kedis."""
        return [test for test in self.right if self.kedis.get(test) != "passed"]

    @property
    def unexplained(self) -> list[str]:
        return [test for test in self.failed if self.suite.reason_of(test) is None]


def prepare(suite: Suite, folder: Path) -> tuple[Path, Path]:
    """Make the environment and unpack the tests; returns its Python and the folder to run in."""
    place = folder / suite.name
    python = place / "env" / "bin" / "python"
    stamp = place / f"{'-'.join(suite.requirements)}".replace("/", "-")[:200]
    sources = place / "sources"
    if not stamp.exists():
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place / "env")], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run([*pip, "install", *suite.requirements], check=True, env=clean)
        download = [*pip, "download", "--no-deps", "--no-binary", suite.package, "--dest", str(sources)]
        subprocess.run([*download, f"{suite.package}=={suite.version}"], check=True, env=clean)
        (archive_path,) = sources.glob("*.tar.gz")
        with tarfile.open(archive_path) as archive:
            archive.extractall(sources, filter="data")
        stamp.touch()
    (unpacked,) = (path for path in sources.iterdir() if path.is_dir())
    return python, unpacked / suite.folder


def run(suite: Suite, folder: Path, server: str, words: Sequence[str] = ()) -> dict[str, str]:
    """Run a suite on ``redis`` or ``kedis``; returns the outcomes. What it printed is in ``<server>.log``."""
    python, cwd = prepare(suite, folder)
    place = folder / suite.name / server
    place.mkdir(exist_ok=True)
    report = place / "report.xml"
    report.unlink(missing_ok=True)
    command = [
        "unshare",
        "--net",
        "--map-root-user",
        sys.executable,
        "-m",
        "tests.applications.private_network",
    ]
    command += [server, str(place), "--", str(python), "-m", "pytest", "-q", "--tb=short"]
    command += [f"--junitxml={report}", "-o", f"cache_dir={place / 'cache'}", *suite.words, *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SUITE_CWD": str(cwd), **suite.environment}
    environment["SUITE_PLUGINS"] = f"{PLUGINS}{os.pathsep}{cwd}"
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"
    with open(place / "output.log", "ab") as log:
        try:
            subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{suite.name} on {server}: ended after {_SECONDS} s", flush=True)
    return outcomes(report) if report.exists() else {}


def outcomes(report: Path) -> dict[str, str]:
    """The outcome of each test of a report; one that comes twice has passed if it has each time."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        name = f"{case.get('classname')}::{case.get('name')}"
        if found.get(name) != "failed":
            found[name] = outcome
    return found


def compare(suite: Suite, folder: Path) -> Comparison:
    """Run a suite on both; what fails on Kedis alone is run on it once more, since a test may depend on time."""
    found = Comparison(suite, run(suite, folder, "redis"), run(suite, folder, "kedis"))
    if found.failed:
        again = run(suite, folder, "kedis", ["--last-failed", "--last-failed-no-failures=none"])
        found.kedis.update((test, outcome) for test, outcome in again.items() if outcome == "passed")
    return found


def table(known: dict[str, list[dict[str, str]]], page: str) -> list[str]:
    """The rows of the page; those of suites that are not ``known`` stay as the page has them."""
    lines = [
        "| program | tests | pass on Redis | of these on Kedis | what does not, and why |",
        "|---|--:|--:|--:|---|",
    ]
    total = passed = 0
    for suite in SUITES:
        name = f"{suite.package} {suite.version}"
        if suite.name not in known:
            if match := re.search(
                rf"^\| {re.escape(name)} \| \d+ \| (\d+) \| (\d+) \| .*$", page, re.MULTILINE
            ):
                lines.append(match[0])
                total, passed = total + int(match[1]), passed + int(match[2])
            continue
        found = Comparison(suite, *known[suite.name])
        right, failed = len(found.right), len(found.failed)
        total, passed = total + right, passed + right - failed
        reasons = "; ".join(
            f"`{test.rpartition('::')[2]}`: {found.suite.reason_of(test) or '**not explained**'}"
            for test in found.failed
        )
        lines.append(f"| {name} | {len(found.redis)} | {right} | {right - failed} | {reasons} |")
    lines.append(f"| all | | {total} | {passed} | |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="*", help="names of suites; all where none is given")
    parser.add_argument("--folder", type=Path, default=Path("build/suites"))
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    parser.add_argument(
        "--only-write", action="store_true", help="run nothing, and put the table into the page"
    )
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "outcomes.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    bad = 0
    for suite in SUITES:
        if options.only_write or (options.suites and suite.name not in options.suites):
            continue
        found = compare(suite, folder)
        known[suite.name] = [found.redis, found.kedis]
        kept.write_text(json.dumps(known, indent=1))
        bad += bool(found.unexplained) or not found.right
        right = len(found.right)
        print(f"{suite.name}: {right - len(found.failed)} of {right}", flush=True)
        print(
            *(f"  {test}: {found.kedis.get(test, 'missing')}" for test in found.unexplained),
            sep="\n",
            flush=True,
        )
    if options.write or options.only_write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        rows = table(known, rest)
        PAGE.write_text("\n".join([before + BEGIN, "", *rows, "", END + rest.partition(END)[2]]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
