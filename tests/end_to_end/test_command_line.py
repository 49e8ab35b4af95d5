"""Starting and stopping ``kedis-server`` as its users do: what is wrong is said in plain words, without a traceback."""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import syslog
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from kedis.cli.server import _set_up_logging as set_up_logging
from kedis.config import Config
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
        (("--port", "x"), "command line: 'port \"x\"'", "port takes an integer from 0 to 65535"),
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
    assert said.startswith(
        f"kedis-server: cannot listen on 127.0.0.1 port {port}: Address already in use\n  "
    )
    assert "choose another port with --port PORT" in said


def test_an_address_that_the_machine_does_not_have(tmp_path: Path) -> None:
    said = refused(*QUIET, "--bind", "192.0.2.1", folder=tmp_path)
    assert "Cannot assign requested address" in said and "--bind ADDRESS" in said


def test_a_folder_in_use(tmp_path: Path) -> None:
    with KedisProcess("--dir", f"{tmp_path}/data", "--appendonly", "yes"):
        said = refused("--port", "0", "--metrics-port", "no", "--dir", "data", folder=tmp_path)
    assert f"another server is using the folder {tmp_path}/data" in said and "--dir FOLDER" in said


@pytest.fixture
def metrics_ports() -> Iterator[tuple[int, int]]:
    """Two ports side by side, of which the first is taken."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            first = taken.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                socket.create_server(("127.0.0.1", first + 1)).close()
                yield first, first + 1
                return


def test_a_metrics_port_that_was_asked_for_and_is_taken(
    tmp_path: Path, metrics_ports: tuple[int, int]
) -> None:
    said = refused(*QUIET[:-2], "--metrics-port", str(metrics_ports[0]), folder=tmp_path)
    assert "Address already in use" in said and "choose another port with --metrics-port PORT" in said


def test_a_second_server_has_its_metrics_on_the_next_free_port(metrics_ports: tuple[int, int]) -> None:
    taken, free = metrics_ports
    program = (
        "import sys\n"
        "from kedis.cli.server import main\n"
        "from kedis.config.settings import DEFAULTS, SETTINGS_BY_NAME\n"
        f"SETTINGS_BY_NAME['metrics-port'].default = DEFAULTS['metrics_port'] = {taken}\n"
        # What KedisProcess gives is taken away: the setting is not given.
        "at = sys.argv.index('--metrics-port')\n"
        "sys.exit(main(sys.argv[1:at] + sys.argv[at + 2:]))\n"
    )
    with KedisProcess(program=("-c", program)) as server:
        body = urllib.request.urlopen(f"http://127.0.0.1:{free}/metrics", timeout=60).read()
        assert b"redis_up 1" in body or b"kedis_" in body
        assert f"port {taken} is taken, so the metrics are at port {free}" in server.output()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("-p", "7000"), "--port PORT"),
        (("-a", "x"), "--requirepass"),
        (("-s", "x"), "--unixsocket"),
        (("-c", "x"), "FILE"),
    ],
)
def test_options_of_clients(words: tuple[str, ...], meant: str, tmp_path: Path) -> None:
    assert meant in refused(*words, folder=tmp_path).splitlines()[-1]


def test_the_unix_socket_is_removed_at_the_end_unless_it_is_another_server_s(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    first = KedisProcess("--unixsocket", str(path))
    second = KedisProcess("--unixsocket", str(path))
    first.close()
    with redis.Redis(unix_socket_path=str(path)) as client:
        assert client.info("server")["process_id"] == second.process.pid
    second.close()
    assert not path.exists()
    refused(*QUIET, "--unixsocket", str(path), "--bind", "192.0.2.1", folder=tmp_path)
    assert not path.exists()


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
        assert server.output().endswith("bye bye...\n")
    finally:
        server.close()


def test_the_log_goes_on_in_a_new_file_once_the_old_one_was_renamed(tmp_path: Path) -> None:
    with KedisProcess("--logfile", f"{tmp_path}/log") as server:
        (tmp_path / "log").rename(tmp_path / "log.1")
        server.process.terminate()
        assert server.process.wait(60) == 0
    assert (tmp_path / "log").read_text().endswith("bye bye...\n")
    assert "bye" not in (tmp_path / "log.1").read_text()


def test_a_log_that_cannot_be_written_does_not_disturb_the_server(tmp_path: Path) -> None:
    """Its folder is renamed, then there again: the file is opened anew, and what was lost is said once."""
    folder = tmp_path / "logs"
    folder.mkdir()
    with KedisProcess("--logfile", f"{folder}/log") as server:
        folder.rename(tmp_path / "moved")
        for depth in (b"1", b"2", b"3"):
            assert server.run(b"CONFIG SET list-compress-depth " + depth) == b"+OK\r\n"
        assert server.output() == (
            f"kedis-server: cannot write the log to {folder}/log: No such file or directory\n"
        )
        folder.mkdir()
        server.process.terminate()
        assert server.process.wait(60) == 0
    assert (folder / "log").read_text().endswith("bye bye...\n")


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not installed")
@pytest.mark.parametrize("option", ["create", "nocreate", "copytruncate"])
def test_logrotate(option: str, tmp_path: Path) -> None:
    """Debian's settings for Redis's log, without a signal to the server or a restart."""
    log = tmp_path / "server.log"
    rotation = tmp_path / "rotation"
    rotation.write_text(
        f"{log} {{\n weekly\n missingok\n rotate 12\n compress\n delaycompress\n {option}\n}}\n"
    )
    rotation.chmod(0o644)
    with KedisProcess("--logfile", str(log)) as server:
        for number in (1, 2):
            words = ["logrotate", "--force", "--state", tmp_path / "state", rotation]
            subprocess.run(words, check=True, timeout=60)
            assert server.run(b"CONFIG SET list-compress-depth %d" % number) == b"+OK\r\n"
            assert log.read_text().count("list-compress-depth") == 1
    assert log.read_text().endswith("bye bye...\n")
    assert "Ready to accept" in gzip.decompress((tmp_path / "server.log.2.gz").read_bytes()).decode()
    assert (tmp_path / "server.log.1").read_text().count("list-compress-depth") == 1


def test_files_that_only_their_user_may_read(tmp_path: Path) -> None:
    flags = ["--umask", "077", "--logfile", f"{tmp_path}/log", "--pidfile", f"{tmp_path}/pid"]
    with KedisProcess(*flags, "--dir", f"{tmp_path}/data", "--appendonly", "yes") as server:
        for line in (b"SET k v", b"SAVE", b"BGREWRITEAOF"):
            assert server.run(line).startswith(b"+")
        server.process.terminate()
        assert server.process.wait(60) == 0
    names = {path.name.partition(".")[0] for path in tmp_path.rglob("*")}
    assert {"log", "data", "appendonlydir", "appendonly", "dump"} <= names
    assert not [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077]


def test_the_log_goes_to_syslog_as_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[tuple[object, ...]] = []
    written: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *words: opened.append(words))
    monkeypatch.setattr(syslog, "syslog", lambda *words: written.append(words))
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    words = {
        "syslog-enabled": "yes",
        "syslog-ident": "cache",
        "syslog-facility": "local3",
        "loglevel": "debug",
    }
    set_up_logging(Config(words))
    for level in (logging.WARNING, logging.INFO, logging.DEBUG):
        logging.getLogger("kedis").log(level, "level %d", level)
    assert opened == [("cache", syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_LOCAL3)]
    assert written == [
        (syslog.LOG_WARNING, "level 30"),
        (syslog.LOG_NOTICE, "level 20"),
        (syslog.LOG_DEBUG, "level 10"),
    ]
    assert "level 20" in capsys.readouterr().out
    set_up_logging(Config())
    assert len(opened) == 1 and len(root.handlers) == 1


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
