"""The images' programs, and the images' steps in a plain virtual environment."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from packaging.requirements import Requirement

from kedis import native, structures
from ops.container import health, load, passwords, serve
from ops.sbom import bill, locked
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = (ROOT / "ops" / "Dockerfile").read_text().replace("\\\n", " ")
CONSTRAINTS = ROOT / "ops" / "container" / "constraints.txt"
ODD = "a b\"c'd\\e\x01 é # %"


def words_of(instruction: str, stage: str = "kedis") -> list[str]:
    """The words of such an instruction of a stage of the Dockerfile."""
    text = re.split(r"^FROM ", DOCKERFILE.partition(f" AS {stage}\n")[2], flags=re.MULTILINE)[0]
    (words,) = re.findall(rf"^{instruction} (?:.*CMD )?(\[.*\])$", text, re.MULTILINE)
    found: list[str] = json.loads(words)
    return found


@contextmanager
def running(words: list[str], **variables: str) -> Iterator[tuple[int, int, int]]:
    """Start a server on free ports; gives its port, that of its metrics, and the number of its process."""
    words = [*words, "--port", "0", "--metrics-port", "0"]
    process = subprocess.Popen(
        words, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        log = ""
        while "Ready to accept connections" not in log:
            line = process.stdout.readline()
            assert line, log
            log += line
        port, metrics_port = re.search(r"on port (\d+)", log), re.search(r"http://.*:(\d+)/", log)
        assert port and metrics_port, log
        yield int(port[1]), int(metrics_port[1]), process.pid
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


# -- passwords --------------------------------------------------------------------------------------------


def test_a_password_is_random_and_kept(tmp_path: Path) -> None:
    words = [f"kedis=KEDIS_PASSWORD={tmp_path}/one", f"grafana=GRAFANA_PASSWORD={tmp_path}/two", "make"]
    assert passwords.main(words, {"KEDIS_PASSWORD": ""}) == 0
    first = [(tmp_path / name).read_text() for name in ("one", "two")]
    assert first[0] != first[1] and min(map(len, first)) >= 32
    assert (tmp_path / "one").stat().st_mode & 0o027 == 0
    assert passwords.main(words, {}) == 0
    assert [(tmp_path / name).read_text() for name in ("one", "two")] == first


def test_a_given_password_wins_and_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    word = f"kedis=KEDIS_PASSWORD={tmp_path}/one"
    passwords.main([word, "make"], {})
    assert passwords.main([word, "show"], {"KEDIS_PASSWORD": ODD}) == 0
    assert capsys.readouterr().out == f"kedis: {ODD}\n"
    assert (tmp_path / "one").read_text() == ODD


def test_an_action_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert passwords.main(["tell"], {}) == 2
    assert "make" in capsys.readouterr().err


def test_the_load_test_gets_the_password_in_its_url() -> None:
    assert load.url("", "kedis:6379") == "redis://kedis:6379"
    url = load.url(ODD, "kedis:6379")
    pool = redis.ConnectionPool.from_url(url)
    assert pool.connection_kwargs["password"] == ODD and pool.connection_kwargs["host"] == "kedis"


def test_the_load_test_works_on_a_server_with_a_password(tmp_path: Path) -> None:
    if importlib.util.find_spec("locust") is None:
        pytest.skip("locust is not installed")
    password, report = tmp_path / "password", tmp_path / "report"
    password.write_text(ODD.replace("\x01", ""))
    words = [sys.executable, str(ROOT / "ops" / "container" / "load.py"), *words_of("CMD", "load")]
    words += [
        "--headless",
        "--users",
        "2",
        "--run-time",
        "1s",
        "--csv",
        str(report),
        "--exit-code-on-error",
        "1",
    ]
    server = [sys.executable, "ops/container/serve.py", "--dir", str(tmp_path)]
    with running(server, KEDIS_PASSWORD_FILE=str(password)) as (port, _, _):
        variables = {"KEDIS_HOST": f"127.0.0.1:{port}", "KEDIS_PASSWORD_FILE": str(password)}
        done = subprocess.run(
            words, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    total = report.with_name("report_stats.csv").read_text().splitlines()[-1].split(",")
    assert total[1] == "Aggregated" and int(total[2]) > 0 and int(total[3]) == 0


def test_a_missing_password_file_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "ops/container/serve.py"],
        cwd=ROOT,
        env={**os.environ, "KEDIS_PASSWORD_FILE": "/nowhere/password"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "no password: [Errno 2]" in done.stderr


@pytest.mark.parametrize("how", ["KEDIS_PASSWORD", "KEDIS_PASSWORD_FILE"])
def test_the_server_has_the_password_and_nobody_sees_it(tmp_path: Path, how: str) -> None:
    file = tmp_path / "password"
    file.write_text(ODD)
    variables = {how: ODD.replace("\x01", "") if how == "KEDIS_PASSWORD" else str(file)}
    password = serve.password_of(variables)
    words = [sys.executable, "ops/container/serve.py", "--dir", str(tmp_path)]
    with running(words, **variables) as (port, metrics_port, process):
        assert redis.Redis(port=port, password=password).ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        assert health.trouble(port, metrics_port) == ""
        assert b"a b" not in Path(f"/proc/{process}/cmdline").read_bytes()


# -- health -----------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_unhealthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert health.main([str(free_port()), str(free_port())]) == 1
    assert "refused" in capsys.readouterr().out


def test_a_port_that_answers_something_else_is_unhealthy(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "kedis", "--dir", str(tmp_path)]
    with running(words) as (port, metrics_port, _):
        assert health.trouble(port, metrics_port) == ""
        assert health.trouble(metrics_port, metrics_port).startswith("PING was answered")
        assert health.trouble(port, port)


# -- the image's steps ------------------------------------------------------------------------------------


def test_everything_in_the_image_is_pinned_within_what_the_project_allows() -> None:
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if not line.startswith("#")]
    pinned = dict(line.lower().replace("_", "-").split("==") for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["cli"], *extras["load"]]:
        requirement = Requirement(text)
        assert pinned[requirement.name.lower().replace("_", "-")] in requirement.specifier, text
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert all(re.search(r":\d+\.\d+\.\d+-", stage) for stage in stages if ":" in stage)


def test_what_is_downloaded_has_a_known_digest() -> None:
    """Whatever is installed is locked, with digests, in the versions of the constraints; nothing else is fetched."""
    installs = re.findall(r"^RUN python -m pip (.* (?:install|wheel) .*)$", DOCKERFILE, re.MULTILINE)
    assert len(installs) == 5
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if not line.startswith("#")]
    pairs = [line.split("==") for line in lines]
    pinned = {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in pairs}
    for name in ("kedis", "load"):
        for package, version, digests in locked(CONSTRAINTS.parent / f"locked-{name}.txt"):
            assert pinned.get(package, version) == version
            assert digests
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    tools = {package: version for package, version, _ in locked(CONSTRAINTS.parent / "locked-build.txt")}
    for requirement in map(Requirement, build):
        assert tools[requirement.name] in requirement.specifier


def test_the_bill_of_materials_is_what_is_locked() -> None:
    found = bill()
    names = {component["name"] for component in found["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["cli"]]
    assert {Requirement(text).name.lower().replace("_", "-") for text in wanted} <= names
    assert "cffi" not in names, "which is for Windows alone"
    assert found == bill(), "the same list gives the same document"
    (dependency,) = found["dependencies"]
    assert dependency["dependsOn"] == sorted(component["purl"] for component in found["components"])


def test_the_image_runs_as_nobody_special() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    base = DOCKERFILE.partition("AS base")[2]
    assert "USER" in base.partition("FROM")[0]
    assert DOCKERFILE.count("FROM base AS") == 2


def test_what_is_copied_exists_and_is_let_through() -> None:
    let_through = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists() and source in let_through, source


@pytest.mark.skipif(structures.PURE, reason="it installs a server of its own, the same on both paths")
@pytest.mark.timeout(1500)  # a build is 50 s of processor time, which a busy machine gives late
def test_the_steps_of_the_image_give_a_server(tmp_path: Path) -> None:
    """Each RUN of the stage ``build`` but for the folders; then what the image would start, and its check."""
    source, target = tmp_path / "src", tmp_path / "kedis"
    steps = DOCKERFILE.partition("AS build\n")[2].partition("\nFROM ")[0]
    for line in re.findall(r"^COPY (.*)$", steps, re.MULTILINE):
        *sources, place = line.split()
        for name in sources:
            destination = source / (name if place == "./" else place)
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, destination, ignore=shutil.ignore_patterns("__pycache__", "*.so")
                )
            else:
                destination.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, destination)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    for step in re.findall(r"^RUN (.*)$", steps, re.MULTILINE):
        step = step.replace("/opt/kedis", str(target)).replace("--no-cache-dir ", "--retries 1 --timeout 10 ")
        done = subprocess.run(
            step, shell=True, cwd=source, env=environment, capture_output=True, text=True, timeout=1200
        )
        if "pip" in step and re.search(r"NewConnectionError|ConnectTimeout|name resolution", done.stderr):
            pytest.skip("the packages cannot be reached")
        assert done.returncode == 0, f"{step}\n{done.stderr[-3000:]}"

    words = [word.replace("/opt/kedis", str(target)) for word in [*words_of("ENTRYPOINT"), *words_of("CMD")]]
    words = [word.replace("/data", str(tmp_path / "data")) for word in words]
    check = [word.replace("/opt/kedis", str(target)) for word in words_of("HEALTHCHECK")]
    with running(words, KEDIS_PASSWORD="secret") as (port, metrics_port, _):
        ports = [str(port), str(metrics_port)]
        built = shutil.which(os.environ.get("CC", "cc")) is not None
        path = "native" if built and not native.PURE else "python"
        assert redis.Redis(port=port, password="secret").info("server")["kedis_path"] == path
        done = subprocess.run([*check, *ports], cwd=tmp_path, capture_output=True, text=True, timeout=20)
        assert (done.returncode, done.stdout) == (0, "well\n")
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"GET key\r\n")
            assert stranger.recv(100).startswith(b"-NOAUTH")
        info = subprocess.run(
            [target / "bin" / "kedis-cli", "-p", str(port), "ping"],
            env={**environment, "REDISCLI_AUTH": "secret"},
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert info.stdout.strip() == "PONG", info.stderr
    done = subprocess.run([*check, *ports], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
