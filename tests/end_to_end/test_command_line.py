"""Starting and stopping ``kedis-server`` as its users do: what is wrong is said in plain words, without a traceback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.wire.kedis_process import KedisProcess

QUIET = ("--port", "0", "--appendonly", "no", "--save", "", "--metrics-port", "no")


def start(*flags: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the server until it ends by itself."""
    words = [sys.executable, "-m", "kedis", *flags]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=30)


def refused(*flags: str, folder: Path) -> str:
    """What the server says that does not start."""
    ended = start(*flags, folder=folder)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.stderr.startswith("kedis-server: ")
    return ended.stderr


@pytest.mark.parametrize(
    ("flags", "what", "remedy"),
    [
        (("--prot", "1"), "there is no setting named prot", "did you mean port?"),
        (("--port", "x"), "--port x", "port takes an integer from 0 to 65535"),
        (("--port", "70000"), "between 0 and 65535", "the default is 6379"),
        (("--maxmemory", "10xb"), "argument must be a memory value", "such as 1048576, 100mb or 1gb"),
        (("--maxmemory-policy", "lru"), "one of the following", "the default is noeviction"),
        (("--port",), "wrong number of arguments", "port takes an integer"),
        (("missing.conf",), "cannot read the file missing.conf: No such file", "a readable file"),
    ],
)
def test_bad_flags(flags: tuple[str, ...], what: str, remedy: str, tmp_path: Path) -> None:
    said = refused(*flags, folder=tmp_path)
    assert what in said
    assert remedy in said
    assert not list(tmp_path.iterdir()), "nothing is written before everything is known to be right"


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("port 7000\nfoo bar\n", "bad.conf, line 2: foo bar", "there is no setting named foo"),
        ('\n\nbind "1.2\n', "bad.conf, line 3", "unbalanced quotes"),
        ("maxclients -1\n", "bad.conf, line 1", "maxclients takes an integer"),
    ],
)
def test_bad_files(text: str, place: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "bad.conf").write_text(text)
    said = refused("bad.conf", folder=tmp_path)
    assert place in said
    assert what in said


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(*QUIET, "--port", str(port), folder=tmp_path)
    assert said == f"kedis-server: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_folders_and_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused("--port", "0", "--metrics-port", "no", "--dir", "file/data", folder=tmp_path)
    assert "cannot use the folder" in said
    assert "Not a directory" in said
    said = refused(*QUIET, "--logfile", "nowhere/log", folder=tmp_path)
    assert "cannot write the log file nowhere/log: No such file or directory" in said
    said = refused(*QUIET, "--unixsocket", "nowhere/socket", folder=tmp_path)
    assert "cannot listen on unix socket nowhere/socket: No such file or directory" in said


def test_a_damaged_file_is_named_with_the_place(tmp_path: Path) -> None:
    flags = ("--port", "0", "--metrics-port", "no", "--dir", "data")
    folder = tmp_path / "data" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    damaged = folder / "appendonly.aof.1.incr.aof"
    damaged.write_bytes(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\nrubbish\r\n*1\r\n$4\r\nPING\r\n")
    said = refused(*flags, folder=tmp_path)
    assert "appendonly.aof.1.incr.aof" in said
    assert "23" in said
    assert damaged.read_bytes().count(b"rubbish") == 1


def test_help_and_version(tmp_path: Path) -> None:
    for flag, expected in (
        ("--help", "usage: kedis-server"),
        ("--version", "kedis-server "),
        ("--help-settings", "appendfsync"),
    ):
        ended = start(flag, folder=tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert expected in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(number: signal.Signals) -> None:
    server = KedisProcess()
    try:
        server.process.send_signal(number)
        assert server.process.wait(10) == 0
        assert server.output().endswith("bye\n")
    finally:
        server.close()


def test_the_log_goes_on_in_a_new_file_once_the_old_one_was_renamed(tmp_path: Path) -> None:
    with KedisProcess("--logfile", f"{tmp_path}/log") as server:
        (tmp_path / "log").rename(tmp_path / "log.1")
        server.process.terminate()
        assert server.process.wait(60) == 0
    assert (tmp_path / "log").read_text().endswith("bye\n")
    assert "bye" not in (tmp_path / "log.1").read_text()


def test_the_level_of_the_log_is_changed_while_the_server_runs() -> None:
    with KedisProcess() as server:
        assert server.run(b"CONFIG SET loglevel warning") == b"+OK\r\n"
        server.process.terminate()
        assert server.process.wait(60) == 0
        assert "bye" not in server.output()


def test_settings_without_effect_are_named_in_the_log_with_the_reason() -> None:
    with KedisProcess("--io-threads", "4", "--list-compress-depth", "0") as server:
        assert server.run(b"CONFIG SET list-compress-depth 3") == b"+OK\r\n"
        server.process.terminate()
        assert server.process.wait(60) == 0
        told = [line.partition("WARNING ")[2] for line in server.output().splitlines() if "no effect" in line]
    assert told == [
        "io-threads 4 has no effect: one thread serves all clients",
        "list-compress-depth was changed, which has no effect: lists are not compressed in memory",
    ]


def test_a_configuration_from_standard_input() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"maxclients 77\n")
    os.close(writer)
    process = subprocess.Popen(
        [sys.executable, "-m", "kedis", "-", *QUIET],
        stdin=reader,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(reader)
    assert process.stdout is not None
    try:
        line = next(line for line in process.stdout if "Ready to accept connections" in line)
        port = int(line.partition("on port ")[2].split()[0])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"CONFIG GET maxclients\r\n")
            assert client.recv(100).endswith(b"\r\n77\r\n")
    finally:
        process.terminate()
        process.communicate()
