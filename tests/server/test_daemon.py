"""daemonize, pidfile and supervised on a server process, and the signals that Redis ignores."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from kedis.server.daemon import DEFAULT_PID_FILE, PidFile, supervisor
from tests.ports import free_port
from tests.wire.kedis_process import KedisProcess

IGNORED = (signal.SIGHUP, signal.SIGALRM, signal.SIGPIPE)
#: Of the signals that have no other meaning to either server.
HARMLESS_TO_LOOK_AT = (
    *IGNORED,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGQUIT,
    signal.SIGVTALRM,
    signal.SIGPROF,
)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def running(words: list[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process that ends with the context, whatever happened in it."""
    with subprocess.Popen(words, **options) as process:
        try:
            yield process
        finally:
            process.kill()


class Started:
    """``kedis-server --daemonize yes`` in ``folder``, and the process that it left behind."""

    def __init__(
        self, folder: Path, *flags: str, port: int = 0, environment: dict[str, str] | None = None
    ) -> None:
        self.port = port or free_port()
        words = [
            sys.executable,
            "-m",
            "kedis",
            "--port",
            str(self.port),
            "--metrics-port",
            "no",
            "--dir",
            "data",
        ]
        self.command = subprocess.run(
            [*words, "--daemonize", "yes", "--logfile", "log", *flags],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,  # to the end of what holds the pipes: the daemon must not
            text=True,
            timeout=60,
        )
        self.client = redis.Redis(port=self.port, decode_responses=True)

    def end(self) -> None:
        self.client.shutdown()
        self.client.close()


@pytest.fixture
def kedis_process() -> Iterator[KedisProcess]:
    with KedisProcess() as server:
        yield server


# -- daemonize and pidfile --------------------------------------------------------------------------------


def test_a_daemon_serves_in_a_session_of_its_own(tmp_path: Path) -> None:
    started = Started(tmp_path, "--pidfile", "pid")
    assert (started.command.returncode, started.command.stdout, started.command.stderr) == (0, "", "")
    assert started.client.ping(), "the command has ended, so the port is open"
    pid = int((tmp_path / "pid").read_text())
    assert (tmp_path / "pid").read_text() == f"{pid}\n"
    assert pid == started.client.info("server")["process_id"]
    assert os.getsid(pid) == pid
    assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)} == {os.devnull}
    started.end()
    until(lambda: not os.path.exists(f"/proc/{pid}"))
    assert not (tmp_path / "pid").exists()
    assert "bye" in (tmp_path / "log").read_text()


def test_a_daemon_keeps_its_data(tmp_path: Path) -> None:
    for number in range(2):
        started = Started(tmp_path, "--pidfile", "pid")
        until(lambda client=started.client: is_ready(client))  # type: ignore[misc]
        assert started.client.incr("starts") == number + 1
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, signal.SIGTERM)
        until(lambda pid=pid: not os.path.exists(f"/proc/{pid}"))  # type: ignore[misc]
        started.client.close()


def is_ready(client: redis.Redis) -> bool:
    return int(client.info("persistence")["loading"]) == 0


def test_a_daemon_that_cannot_start_says_so_and_leaves_the_pid_file_of_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (tmp_path / "pid").write_text("1\n")
        port = taken.getsockname()[1]
        started = Started(tmp_path, "--pidfile", "pid", port=port)
    assert started.command.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in started.command.stderr
    assert (tmp_path / "pid").read_text() == "1\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root writes to /var/run")
def test_a_daemon_without_a_pidfile_has_redis_s(tmp_path: Path) -> None:
    if os.path.exists(DEFAULT_PID_FILE):
        pytest.skip(f"somebody else's {DEFAULT_PID_FILE} is there")
    started = Started(tmp_path)
    assert started.client.config_get("pidfile") == {"pidfile": DEFAULT_PID_FILE}
    assert Path(DEFAULT_PID_FILE).read_text() == f"{started.client.info('server')['process_id']}\n"
    started.end()
    until(lambda: not os.path.exists(DEFAULT_PID_FILE))


def test_a_pid_file_in_the_foreground(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with KedisProcess("--pidfile", str(path)) as server:
        assert path.read_text() == f"{server.process.pid}\n"
        server.process.terminate()
        assert server.process.wait(60) == 0
        assert not path.exists()
    with KedisProcess() as server, server.redis() as client:
        assert client.config_get("pidfile") == {"pidfile": ""}


def test_a_pid_file_that_cannot_be_written_is_logged(tmp_path: Path) -> None:
    with KedisProcess("--pidfile", f"{tmp_path}/nowhere/pid") as server:
        assert f"failed to write the pid file {tmp_path}/nowhere/pid: No such file" in server.output()


def test_a_pid_file_that_was_not_written_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text("another's")
    PidFile(f"{tmp_path}/pid").remove()
    assert (tmp_path / "pid").exists()


def test_a_pid_file_that_another_server_has_taken_over_stays(tmp_path: Path) -> None:
    own = PidFile(f"{tmp_path}/pid")
    own.write()
    (tmp_path / "pid").write_text("1\n")
    own.remove()
    assert (tmp_path / "pid").read_text() == "1\n"


def test_nothing_that_a_fork_would_spoil_is_there_before_it() -> None:
    """What ``kedis-server`` has imported and read by then has made no event loop and no thread."""
    program = """
import os, sys, threading
import kedis.cli.server as server
from gevent._hub_local import get_hub_if_exists
def fork():
    assert get_hub_if_exists() is None and threading.active_count() == 1
    os._exit(77)
os.fork = fork
server.main(["--daemonize", "yes", "--port", "0"])
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 77


# -- supervised -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "environment", "found"),
    [
        ("auto", {}, "no"),
        ("auto", {"NOTIFY_SOCKET": "/x"}, "systemd"),
        ("auto", {"UPSTART_JOB": "x"}, "upstart"),
        ("no", {"NOTIFY_SOCKET": "/x", "UPSTART_JOB": "x"}, "no"),
        ("systemd", {"NOTIFY_SOCKET": "/x", "UPSTART_JOB": "x"}, "systemd"),
        ("upstart", {"NOTIFY_SOCKET": "/x"}, "no"),
        ("systemd", {}, "no"),
    ],
)
def test_supervisors(
    wanted: str, environment: dict[str, str], found: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert supervisor(wanted, environment) == found
    assert ("supervision requested, but" in caplog.text) == (
        found == "no" and wanted in ("systemd", "upstart")
    )


@pytest.mark.parametrize(("wanted", "found"), [("systemd", "systemd"), ("auto", "systemd"), ("no", "no")])
def test_what_is_supervised_stays_in_the_foreground(tmp_path: Path, wanted: str, found: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{tmp_path}/notify")
        manager.settimeout(60)
        words = [sys.executable, "-m", "kedis", "--port", str(port := free_port()), "--metrics-port", "no"]
        words += ["--daemonize", "yes", "--supervised", wanted, "--pidfile", "pid", "--logfile", "log"]
        environment = {**os.environ, "NOTIFY_SOCKET": f"{tmp_path}/notify"}
        with running(words, cwd=tmp_path, env=environment) as command:
            if found == "systemd":
                assert manager.recv(1000).startswith(b"READY=1\n")
            else:
                assert command.wait(60) == 0
            client = redis.Redis(port=port, decode_responses=True)
            figures = client.info("server")
            assert (figures["process_supervised"], figures["process_id"] == command.pid) == (
                found,
                found == "systemd",
            )
            assert int((tmp_path / "pid").read_text()) == figures["process_id"]
            until(lambda: is_ready(client))
            client.shutdown()
            client.close()
            command.wait(60)
        until(lambda: not (tmp_path / "pid").exists())
        if found == "no":
            manager.setblocking(False)
            with pytest.raises(BlockingIOError):
                manager.recv(1000)


def test_upstart_is_told_by_stopping(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "kedis", "--port", "0", "--metrics-port", "no", "--supervised", "upstart"]
    environment = {**os.environ, "UPSTART_JOB": "kedis"}
    with running(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        _, status = os.waitpid(server.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        server.send_signal(signal.SIGCONT)
        assert any("ready to accept" in line.lower() for line in server.stdout)
        server.terminate()
        server.stdout.read()


# -- signals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", IGNORED, ids=lambda number: number.name)
def test_a_signal_that_redis_ignores_does_not_end_the_server(
    number: signal.Signals, kedis_process: KedisProcess
) -> None:
    kedis_process.process.send_signal(number)
    assert kedis_process.run(b"SET key value") == b"+OK\r\n"
    kedis_process.process.send_signal(number)
    assert kedis_process.run(b"GET key") == b"$5\r\nvalue\r\n"


def test_the_ignored_signals_are_redis_s(oracle: object, kedis_process: KedisProcess) -> None:
    redis_pid = oracle.process.pid  # type: ignore[attr-defined]
    assert disposition(kedis_process.process.pid) == disposition(redis_pid)


def disposition(pid: int) -> dict[str, str]:
    """What becomes of each signal that is sent to a process."""
    with open(f"/proc/{pid}/status") as file:
        masks = {line[:6]: int(line[7:], 16) for line in file if line.startswith(("SigIgn", "SigCgt"))}
    found = {}
    for number in (*HARMLESS_TO_LOOK_AT, signal.SIGTERM, signal.SIGINT):
        bit = 1 << number - 1
        found[number.name] = (
            "ignored" if masks["SigIgn"] & bit else "handled" if masks["SigCgt"] & bit else "ends it"
        )
    return found
