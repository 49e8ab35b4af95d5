"""The programs with standard streams that are closed, full, or left by their reader: one line or none, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from kedis.version import VERSION

PROGRAMS = {
    "kedis-cli": "kedis.cli.client.main",
    "kedis-server": "kedis.cli.server",
    "kedis-benchmark": "kedis.cli.benchmark.main",
    "kedis-check-aof": "kedis.cli.check_aof",
    "kedis-check-rdb": "kedis.cli.check_rdb",
}
each_program = pytest.mark.parametrize("module", PROGRAMS.values(), ids=PROGRAMS.keys())


def shell(
    module: str, words: str, redirection: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """A program's main() with Python's own reports at the end of the process, by a shell that redirects it."""
    program = f"import sys; from {module} import main; sys.exit(main())"
    command = f'exec "$0" -c "$1" {words} {redirection}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, program], input=stdin, capture_output=True, timeout=60
    )


@each_program
@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&- <&-"])
def test_closed_from_the_start(module: str, redirection: str) -> None:
    ended = shell(module, "--help", redirection)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(
    "module", sorted(set(PROGRAMS.values()) - {"kedis.cli.benchmark.main"})
)  # argparse passes over it
def test_full(module: str) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    ended = shell(module, "--help", ">/dev/full")
    assert ended.returncode == 1
    assert ended.stderr.count(b"\n") == 1 and b"cannot write: No space left on device" in ended.stderr


@each_program
def test_left_by_its_reader(module: str) -> None:
    program = f"import sys; from {module} import main; sys.exit(main(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_reply_that_cannot_be_written(kedis_port: int) -> None:
    ended = shell("kedis.cli.client.main", f"-p {kedis_port} PING", ">/dev/full")
    assert (ended.returncode, ended.stderr) == (1, b"kedis-cli: cannot write: No space left on device\n")
    ended = shell("kedis.cli.client.main", f"-p {kedis_port} PING", ">&-")
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_password_from_a_pipe_is_read_without_a_question_or_a_warning(kedis_port: int) -> None:
    words = f"-p {kedis_port} --askpass"
    ended = shell("kedis.cli.client.main", f"{words} PING", "", b"wrong\n")
    assert b"AUTH failed" in ended.stderr and ended.stderr.count(b"\n") == 1
    ended = shell("kedis.cli.client.main", words, "", b"wrong\nECHO after\n")
    assert ended.stdout == b"after\n"


def test_a_daemon_whose_streams_are_closed_serves(tmp_path: Path) -> None:
    """The numbers 0 to 2 are not those of its files and sockets, which becoming a daemon would replace."""
    words = "--port 0 --metrics-port no --daemonize yes --appendonly no --save ''"
    files = " ".join(f"--{name} {tmp_path}/{name}" for name in ("dir", "logfile", "pidfile", "unixsocket"))
    ended = shell("kedis.cli.server", f"{words} {files}", ">&- 2>&- <&-")
    assert ended.returncode == 0
    with redis.Redis(unix_socket_path=f"{tmp_path}/unixsocket") as client:
        assert client.ping()
        pid = int((tmp_path / "pidfile").read_text())
        client.shutdown(nosave=True)
    deadline = time.monotonic() + 60
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "Ready to accept" in (tmp_path / "logfile").read_text()


@each_program
def test_each_tells_its_version(module: str) -> None:
    ended = shell(module, "--version", "")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert VERSION.encode() in ended.stdout and ended.stdout.count(b"\n") == 1
