"""Redis's own tests, from Debian's source package of Redis, on Kedis and on Redis: each unit starts its own servers.

    make test-redis                                     all units of :mod:`tests.applications.redis_units`, about 40 min
    make test-redis JOBS=3                              three units at a time
    make test-redis UNITS="unit/acl unit/type/list"     some of them
    make test-redis ARGS=--write                        all, and the table of docs/reference/redis-suite.md, of the last
                                                        run of each unit
    make test-redis ARGS=--only-write                   that table, of what was run before

Nothing of it is kept in the repository, nor run by CI. It needs apt-get, tclsh, and Redis 7.0 as the oracle, whose
results are kept in ``build/redis-suite/redis.json``. A test that passes on Redis and not on Kedis must be named in
``redis_units``, with the reason. Where a unit has failures it is run once more without the tests that are named (by
Redis's option --skiptest): what only follows from them, or from a moment of a busy machine, passes then.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from ops.bench.against_redis import describe_machine
from tests.applications.redis_units import REPEATED, REPLICATION_UNITS, UNITS, reason_of

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "reference" / "redis-suite.md"
BEGIN, END = "<!-- the table: make test-redis ARGS=--write -->", "<!-- end of the table -->"
_SOURCES = """Types: deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
#: The tests wait for the line with " PID: ", and some then connect at once: it is said when the server listens at its
#: port, or has ended, by a process that is none of its children. Where the port was another program's, the tests look
#: for a phrase, and take the next one. The metrics' port would be that of all.
#: Where a test's configuration does not say, it counts on Redis's defaults, of which Kedis has others: names of files
#: tell aof-use-rdb-preamble, appendonly decides about save points, and bind whether other addresses reach the server.
#: The reason of a failed start, which goes to standard error, is looked for in the last line of the log, so that the
#: line of a server that has ended is put before it.
_SERVER = """#!/bin/bash
[ "$SUITE_SERVER" = redis ] && exec {redis} "$@"
[ -f "$1" ] && port=$(printf ":%04X 00000000:0000 0A" "$(sed -n 's/^port //p' "$1" | tail -1)") || port=" 0A "
( ( for try in $(seq 600); do
      for inode in $(grep "$port" /proc/net/tcp | awk '{{print $10}}'); do
        ls -l /proc/$$/fd 2>/dev/null | grep -qF "[$inode]" && break 2
      done
      grep -q "^State:.[^Z]" /proc/$$/status 2>/dev/null ||
        {{ log=$(readlink /proc/$BASHPID/fd/3); said=$(cat "$log"); break; }}
      sleep 0.05
    done
    if [[ $said == *"Address already in use"* ]]; then printf 'Failed listening on port\\n%s\\n' "$said" >"$log"
    elif [ -n "$log" ]; then printf ' PID: %s\\n%s\\n' $$ "$said" >"$log"
    else echo " PID: $$"; fi ) 3>&1 & )
defaults=(); [ -f "$1" ] && config=$1 || config=/dev/null
for default in "aof-use-rdb-preamble yes" "appendonly no" "bind * -::*"; do
  name=${{default%% *}}; grep -q "^$name" -- "$config" || defaults+=("--$name ${{default#* }}")
done
first=(); while [ $# -gt 0 ] && [[ $1 != -* ]]; do first+=("$1"); shift; done
exec {python} -m kedis "${{first[@]}}" --metrics-port no "${{defaults[@]}}" "$@" 2>&1
"""
_PROGRAMS = ("redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_RESULT = re.compile(r"\[(ok|err|exception)\]: (.*)")
_ELAPSED = re.compile(r" \(\d+ ms\)$")
_PLACE = re.compile(r" in tests/\S+\.tcl$")
#: What integration/psync2 draws anew in each run: which server follows which, and how much it has written.
_DRAWN = re.compile(r"(?<=#)\d+(?= |$)|(?<=x = )\d+")
#: A row of the page: unit, what passes on Redis, what on Kedis.
_ROW = re.compile(r"^\| `([^`]+)` \| (\d+) \| (\d+) \| .*$", re.MULTILINE)
#: What asks for the debugger of scripts outside of any test, whose refusal would end a unit there.
_DEBUGGER = re.compile(r"^    (r script debug sync)$", re.MULTILINE)
#: What integration/psync2-reg does, one thing or another, as often as it can in a time: counted once.
_UNTIL_LATE = "PSYNC2 #3899 regression: kill"
#: Seconds after which a unit is ended, and the number of ports that its servers may take, below those of other tests.
_UNIT_SECONDS, _PORTS = 1800, 300
_LOWEST_PORT, _HIGHEST_PORT, _MOST_JOBS = 2000, 6300, 6
#: Ports below the first, one of which the tests' own server takes.
_BELOW = 32
#: The first ports of the ranges that units use now.
_taken: set[int] = set()
_taking = Lock()


@dataclass
class Results:
    """The results of one unit on one server: test name -> whether it has passed; and what a failed one says."""

    passed: dict[str, bool] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def failing(self, expected: Results) -> list[str]:
        """The tests that have passed there and not here."""
        return [name for name, good in expected.passed.items() if good and not self.passed.get(name)]

    def add(self, again: Results) -> None:
        """Take what has passed in another run of the same unit."""
        self.passed.update((name, True) for name, good in again.passed.items() if good)
        self.said.update(again.said)


def fetch(folder: Path) -> Path:
    """The tests of Redis 7.0, unpacked in ``folder``."""
    tests = folder / "redis-7.0.15"
    if not tests.exists():
        lists = folder / "apt" / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        (folder / "apt" / "debian.sources").write_text(_SOURCES)
        apt = ["apt-get", "-q", "-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::State::lists={lists}"]
        apt += ["-o", f"Dir::Etc::SourceParts={folder / 'apt'}"]
        subprocess.run([*apt, "update"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*apt, "source", "--download-only", "redis"], check=True, cwd=folder)
        with tarfile.open(folder / "redis_7.0.15.orig.tar.gz") as archive:
            wanted = re.compile(r"redis-7\.0\.15/(tests/|runtest$|redis\.conf$)")
            archive.extractall(folder, [one for one in archive if wanted.match(one.name)], filter="data")
    return tests


def put_servers(tests: Path) -> None:
    """Have the tests start Kedis, or Redis where the environment's SUITE_SERVER says so."""
    programs = tests / "src"
    programs.mkdir(exist_ok=True)
    server = programs / "redis-server"
    server.write_text(_SERVER.format(python=sys.executable, redis=shutil.which("redis-server")))
    server.chmod(0o755)
    unit = tests / "tests" / "unit" / "scripting.tcl"
    unit.write_text(_DEBUGGER.sub(r"    catch {\1}", unit.read_text()))
    for name in _PROGRAMS:
        path = shutil.which(name)
        if path is not None and not (programs / name).exists():
            (programs / name).symlink_to(path)


def run(tests: Path, unit: str, server: str, skipped: Sequence[str] = ()) -> Results:
    """Run one unit on ``redis`` or ``kedis``, without the tests that are ``skipped``.

    What it printed is in ``<unit>.<server>.log`` beside the tests; of a run that skips some, in ``<unit>.again.log``.
    """
    log_path = _log(tests, unit, "again" if skipped else server)
    with _ports() as first, tempfile.TemporaryDirectory(dir=tests.parent) as place:
        _link_tests(tests, Path(place))
        words = ["tclsh", "tests/test_helper.tcl", "--single", unit, "--clients", "1", "--durable"]
        words += ["--baseport", str(first), "--portcount", str(_PORTS)]
        words += [word for name in skipped for word in ("--skiptest", name)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SUITE_SERVER": server}
        with open(log_path, "wb") as log:
            process = subprocess.Popen(
                words, cwd=place, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                process.wait(_UNIT_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"{unit} on {server}: ended after {_UNIT_SECONDS} s")
            finally:
                _end(process)
    return parse(log_path.read_text("utf-8", "replace").splitlines())


@contextlib.contextmanager
def _ports() -> Iterator[int]:
    """The first port of a range that no other unit uses meanwhile, another one each time: some are busy for a while."""
    with _taking:
        while True:
            first = random.randrange(_LOWEST_PORT, _HIGHEST_PORT - _PORTS)
            if all(abs(first - other) >= _PORTS + _BELOW for other in _taken):
                break
        _taken.add(first)
    try:
        yield first
    finally:
        with _taking:
            _taken.discard(first)


def _link_tests(tests: Path, place: Path) -> None:
    """Make ``place`` a folder to run in: what the tests write goes to a folder of its own there."""
    (place / "tests" / "tmp").mkdir(parents=True)
    for folder in (Path(), Path("tests")):
        for entry in (tests / folder).iterdir():
            if entry.name not in ("tests", "tmp"):
                (place / folder / entry.name).symlink_to(entry)


def run_on_kedis(tests: Path, unit: str, expected: Results) -> Results:
    """Run a unit on Kedis; where tests fail, once more without those that are named as such."""
    found = run(tests, unit, "kedis")
    failed = found.failing(expected)
    _log(tests, unit, "again").unlink(missing_ok=True)
    if failed:
        named = [name for name in failed if reason_of(unit, name) is not None]
        found.add(run(tests, unit, "kedis", sorted({REPEATED.sub("", name) for name in named})))
    return found


def _log(tests: Path, unit: str, server: str) -> Path:
    return tests.parent / f"{unit.replace('/', '-')}.{server}.log"


def last_results(tests: Path, units: Iterable[str]) -> dict[str, Results]:
    """The results of the last run of each unit on Kedis, of those that have been run."""
    found = {}
    for unit in units:
        first, again = (_log(tests, unit, name) for name in ("kedis", "again"))
        if first.exists():
            found[unit] = parse(first.read_text("utf-8", "replace").splitlines())
            if again.exists():
                found[unit].add(parse(again.read_text("utf-8", "replace").splitlines()))
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what a unit has started and not ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def parse(lines: Iterable[str]) -> Results:
    """The results in what the tests print. The second test of a name has `` (2)`` behind it, and so on."""
    results = Results()
    times: Counter[str] = Counter()
    name = ""
    for line in lines:
        plain = _COLOUR.sub("", line)
        match = _RESULT.match(plain)
        if match is None:
            if name and not plain.startswith("[") and len(results.said[name]) < 1000:
                results.said[name] += f"\n    {plain}"
            else:
                name = ""
            continue
        kind, text = match.groups()
        name = _PLACE.sub("", _ELAPSED.sub("", text))
        if name.startswith("PSYNC2: "):
            name = _DRAWN.sub("N", name)
        if name.startswith(_UNTIL_LATE):
            name = _UNTIL_LATE
        else:
            times[name] += 1
        if times[name] > 1:
            name += f" ({times[name]})"
        results.passed[name] = kind == "ok" and results.passed.get(name, True)
        if kind == "ok":
            name = ""
        else:
            results.said[name] = text
    return results


def oracle_results(tests: Path, units: Iterable[str]) -> dict[str, Results]:
    """The results of Redis, run once and kept."""
    kept = tests.parent / "redis.json"
    known: dict[str, dict[str, bool]] = json.loads(kept.read_text()) if kept.exists() else {}
    for unit in units:
        if unit not in known:
            known[unit] = run(tests, unit, "redis").passed
            kept.write_text(json.dumps(known, indent=1))
    return {unit: Results(known[unit]) for unit in units}


def rows_of(page: str) -> dict[str, str]:
    """The rows of a page by unit: what was found when each was last run, here or elsewhere."""
    return {match[1]: match[0] for match in _ROW.finditer(page)}


def table(
    units: Iterable[str], expected: dict[str, Results], found: dict[str, Results], kept: dict[str, str]
) -> list[str]:
    """The rows of the page: what passes on Redis, what of it on Kedis, and what does not, with its reason.

    Of a unit that is not ``found`` the row of the page is ``kept``.
    """
    lines = ["| unit | passes on Redis | of these on Kedis | what does not, and why |", "|---|--:|--:|---|"]
    total = passed = 0
    for unit in units:
        if unit not in found:
            if match := _ROW.match(kept.get(unit, "")):
                lines.append(match[0])
                total, passed = total + int(match[2]), passed + int(match[3])
            continue
        ours = found[unit]
        right = [name for name, good in expected[unit].passed.items() if good]
        failed = ours.failing(expected[unit])
        total, passed = total + len(right), passed + len(right) - len(failed)
        reasons: dict[str, list[str]] = {}
        for name in failed:
            reasons.setdefault(reason_of(unit, name) or "**not explained**", []).append(name)
        shown = "; ".join(f"{_names(names)}: {reason}" for reason, names in reasons.items())
        lines.append(f"| `{unit}` | {len(right)} | {len(right) - len(failed)} | {shown} |")
    lines.append(f"| all | {total} | {passed} | |")
    return lines


def _names(names: list[str]) -> str:
    if len(names) > 3:
        return f"{len(names)} tests"
    return ", ".join(f"*{name.replace('|', ' ').replace('*', ' ').strip()}*" for name in names)


def write_page(tests: Path, units: Sequence[str], page: Path) -> None:
    """Put the table of the units that ``units`` belong to into ``page``, and what it was made with."""
    before, _, rest = page.read_text().partition(BEGIN)
    listed = REPLICATION_UNITS if units[0] in REPLICATION_UNITS else UNITS
    last = last_results(tests, listed)
    rows = table(listed, oracle_results(tests, last), last, rows_of(rest))
    circumstances = _circumstances(_commits(tests), last)
    page.write_text(
        "\n".join([before + BEGIN, "", circumstances, "", *rows, "", END + rest.partition(END)[2]])
    )


def _commits(tests: Path) -> Path:
    """The file that says which commit each unit was last run on."""
    return tests.parent / "commits.json"


def _circumstances(commits: Path, units: Iterable[str]) -> str:
    """Machine, versions and commits of the rows, in a sentence."""
    known: dict[str, str] = json.loads(commits.read_text()) if commits.exists() else {}
    by_commit: dict[str, list[str]] = {}
    for unit in units:
        by_commit.setdefault(known.get(unit, "an earlier commit"), []).append(f"`{unit}`")
    most = max(by_commit, key=lambda commit: len(by_commit[commit]), default="no commit")
    said = f"Commit {most}, in one run" + "".join(
        f"; {', '.join(names)}: {commit}" for commit, names in by_commit.items() if commit != most
    )
    return f"{said}. {describe_machine()}."


def _commit() -> str:
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("units", nargs="*", help="such as unit/type/list; all where none is given")
    parser.add_argument("--folder", type=Path, default=Path("build/redis-suite"))
    parser.add_argument("--jobs", type=int, default=1, help="units at a time (1)")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    parser.add_argument("--only-write", action="store_true", help="run nothing, and write the page")
    parser.add_argument("--page", type=Path, default=PAGE, help=f"which page ({PAGE.relative_to(ROOT)})")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tests = fetch(folder)
    put_servers(tests)
    units = options.units or list(UNITS)
    if not options.only_write and run_all(tests, units, options.jobs):
        print("tests fail without a reason")
        unexplained = 1
    else:
        unexplained = 0
    if options.write or options.only_write:
        write_page(tests, units, options.page)
    return unexplained


def run_all(tests: Path, units: Sequence[str], jobs: int) -> int:
    """Run units on Kedis, and on Redis where that is not known; returns how many tests fail without a reason."""
    commit, commits = _commit(), _commits(tests)
    done: dict[str, str] = json.loads(commits.read_text()) if commits.exists() else {}
    expected = oracle_results(tests, units)
    unexplained = 0
    with ThreadPoolExecutor(min(jobs, _MOST_JOBS)) as pool:
        runs = {pool.submit(run_on_kedis, tests, unit, expected[unit]): unit for unit in units}
        for run_of_unit in as_completed(runs):
            unit, ours = runs[run_of_unit], run_of_unit.result()
            done[unit] = commit
            commits.write_text(json.dumps(done, indent=1))
            right = sum(expected[unit].passed.values())
            failed = ours.failing(expected[unit])
            print(f"{unit}: {right - len(failed)} of {right}", flush=True)
            for name in failed:
                if reason_of(unit, name) is None:
                    unexplained += 1
                    print(f"  {ours.said.get(name, name + ': not reached')}", flush=True)
    return unexplained


if __name__ == "__main__":
    sys.exit(main())
