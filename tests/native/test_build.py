"""That the native path is built where it can be, and that what cannot be built is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import redis

import kedis
from kedis import native, structures
from tests.wire.kedis_process import KedisProcess

ROOT = Path(__file__).resolve().parents[2]
#: Whether a C compiler and Python's headers are here, so that the extensions can have been built.
CAN_BUILD = (
    shutil.which(os.environ.get("CC", "cc")) is not None
    and (Path(sysconfig.get_path("include")) / "Python.h").exists()
)
#: Of the native path, what is written by hand.
SOURCES = (".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h")
#: What a build needs of the sources.
NEEDED = ["setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "kedis"]


def asked(words: list[str], folder: Path = ROOT, **variables: str) -> str:
    """What a Python process says on standard output."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CFLAGS", "KEDIS_PURE")}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of what a build needs, without anything built; of the Python modules only the first."""
    if not (ROOT / "kedis").is_dir():
        pytest.skip("a wheel is tested, and there are no sources")
    for name in NEEDED:
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, tmp_path / name)
    for package in ("native", "structures"):
        (tmp_path / "kedis" / package).mkdir(parents=True)
        for path in (ROOT / "kedis" / package).iterdir():
            if path.suffix in SOURCES:
                shutil.copy2(path, tmp_path / "kedis" / package / path.name)
    for name in ("__init__.py", "version.py"):
        shutil.copy2(ROOT / "kedis" / name, tmp_path / "kedis" / name)
    return tmp_path


def test_the_tests_run_on_the_native_path_where_it_can_be_built() -> None:
    """No test of it is skipped for another reason than KEDIS_PURE and the lack of a compiler."""
    if native.PURE:
        assert (native.PATH, native.REASON) == ("python", "KEDIS_PURE is set")
    elif CAN_BUILD:
        assert native.PATH == "native", native.REASON
    assert (native.PATH == "native" and sys.platform == "linux") == native.LOOP


def test_a_server_tells_its_path() -> None:
    with kedis.Server(port=0) as server:
        client = server.client()
        fields = client.info("server")
        assert fields["kedis_path"] == native.PATH and "kedis_compiled" not in fields
        assert client.set("a", 1) and client.get("a") == b"1"


@pytest.mark.parametrize(
    ("prefix", "path"), [((), native.describe()), (("env", "KEDIS_PURE=1"), "python path: KEDIS_PURE is set")]
)
def test_the_first_line_of_a_server_tells_its_path(prefix: tuple[str, ...], path: str) -> None:
    process = KedisProcess(prefix=prefix)
    try:
        assert f"({path}), compatible with Redis" in process.output().splitlines()[0]
        with redis.Redis(port=process.address[1]) as client:
            assert client.info("server")["kedis_path"] == path.partition(" ")[0]
    finally:
        process.close()


@pytest.mark.parametrize("pure", ["", "0", "1"])
def test_the_environment_chooses_python(pure: str) -> None:
    said = asked(["-m", "kedis.native"], KEDIS_PURE=pure).strip()
    if pure == "1":
        assert said == "python path: KEDIS_PURE is set"
    elif CAN_BUILD:
        assert said == "native path"


def test_a_compiler_that_fails_leaves_python_and_the_reason(sources: Path) -> None:
    words = ["setup.py", "--quiet", "build_ext", "--inplace"]
    # What an earlier build has left is not used any longer: it may be of other sources.
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    compiled = sources / "kedis" / "structures" / "compiled"
    compiled.mkdir()
    for file in (
        *[sources / "kedis" / "native" / name for name in native.EXTENSIONS],
        *[compiled / name for name in structures.COMPILABLE],
    ):
        file.with_name(file.name + suffix).write_bytes(b"old")
    assert asked(["-m", "kedis.native"], sources).strip() == "native path"
    asked(words, sources, CC="/bin/false")
    assert not list(sources.rglob(f"*{suffix}"))
    said = "python path: the C compiler (/bin/false) failed when Kedis was installed"
    assert asked(["-m", "kedis.native"], sources).strip() == said


def test_without_a_compiler_the_reason_is_that(sources: Path) -> None:
    asked(["setup.py", "--quiet", "build_ext", "--inplace"], sources, CC="no-such-compiler")
    said = "python path: there was no C compiler (no-such-compiler) when Kedis was installed"
    assert asked(["-m", "kedis.native"], sources).strip() == said


def test_without_the_headers_the_reason_is_that(sources: Path) -> None:
    program = (
        "import runpy, sys, sysconfig\n"
        "paths = sysconfig.get_path\n"
        "sysconfig.get_path = lambda name: '/nowhere' if name == 'include' else paths(name)\n"
        "sys.argv = ['setup.py', '--quiet', 'build_ext', '--inplace']\n"
        "runpy.run_path('setup.py', run_name='__main__')\n"
    )
    asked(["-c", program], sources, CC="/bin/false")
    said = "python path: Python.h (package python3-dev) was missing when Kedis was installed"
    assert asked(["-m", "kedis.native"], sources).strip() == said


@pytest.mark.skipif(sys.platform != "linux", reason="two of them are for Linux")
def test_every_extension_is_named() -> None:
    assert sorted(native.EXTENSIONS) == sorted(
        path.stem for path in (ROOT / "kedis" / "native").glob("*.pyx")
    )


def test_where_nothing_was_built_the_reason_is_that(sources: Path) -> None:
    said = asked(["-m", "kedis.native"], sources).strip()
    assert said.startswith("python path: its extensions were not built for ")


def test_a_source_distribution_has_the_sources_and_nothing_built(sources: Path) -> None:
    built = sources / "build" / "temp" / "kedis" / "native"
    built.mkdir(parents=True)
    (built / "path.c").write_text("")
    (sources / "kedis" / "native" / "not_built.txt").write_text("of the machine that it was made on")
    asked(["setup.py", "--quiet", "sdist", "--formats", "gztar"], sources)
    (archive,) = (sources / "dist").glob("*.tar.gz")
    shutil.unpack_archive(archive, sources / "unpacked", filter="data")
    (top,) = (sources / "unpacked").iterdir()
    for package in ("native", "structures"):
        packed = {path.name for path in (top / "kedis" / package).iterdir()}
        kept = {path.name for path in (ROOT / "kedis" / package).iterdir() if path.suffix in SOURCES}
        assert packed == kept
    assert not list(top.rglob("*.c")) and (top / "setup.py").exists()


@pytest.mark.skipif(native.PATH == "python", reason="the native path is not there")
def test_the_stubs_say_what_is_there() -> None:
    pytest.importorskip("mypy", reason="mypy compares the stubs with the extensions")
    flags = ["--mypy-config-file", "pyproject.toml", "--ignore-missing-stub", "--ignore-disjoint-bases"]
    asked(["-m", "mypy.stubtest", *flags, *(f"kedis.native.{name}" for name in native.EXTENSIONS)])
