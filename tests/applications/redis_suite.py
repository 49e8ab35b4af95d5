"""Redis's own tests of access control, from Debian's source package of Redis, on Kedis.

Nothing of it is kept in the repository. It needs apt-get and tclsh; ``make test-redis-acl`` runs it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

_SOURCES = """Types: deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
#: The tests wait for the line with " PID: "; the metrics' port would be the same for all servers.
_SERVER = """#!/bin/sh
echo " PID: $$"
exec {python} -m kedis "$@" --metrics-port no
"""
#: Units, and how many tests of each pass on Redis 7.0.15.
UNITS = {"unit/acl": 90, "unit/acl-v2": 30}
_PASSED = re.compile(r"\[.*ok.*\]: ")


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
            wanted = re.compile(r"redis-7\.0\.15/(tests/|runtest$)")
            archive.extractall(folder, [one for one in archive if wanted.match(one.name)], filter="data")
    return tests


def put_servers(tests: Path) -> None:
    """Have the tests start Kedis."""
    programs = tests / "src"
    programs.mkdir(exist_ok=True)
    server = programs / "redis-server"
    server.write_text(_SERVER.format(python=sys.executable))
    server.chmod(0o755)
    for name in ("redis-cli", "redis-benchmark"):
        path = shutil.which(name)
        if path is not None and not (programs / name).exists():
            (programs / name).symlink_to(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/redis-suite"))
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tests = fetch(folder)
    put_servers(tests)
    bad = 0
    for unit, expected in UNITS.items():
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
        run = subprocess.run(
            ["sh", "runtest", "--single", unit, "--clients", "1"],
            cwd=tests,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        passed = sum(bool(_PASSED.match(line)) for line in run.stdout.splitlines())
        print(f"{unit}: {passed} of {expected}")
        if run.returncode or passed < expected:
            print(run.stdout[-3000:])
            bad += 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
