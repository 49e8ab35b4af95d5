"""CONFIG REWRITE, CONFIG RESETSTAT and SHUTDOWN on a server process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

import kedis
from kedis.config import Config
from kedis.engine.engine import Engine
from tests.ports import free_port


class Process:
    """``kedis-server`` with a configuration file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "kedis.conf"
        self.port = free_port()
        self.file.write_text(f'# mine\nport {self.port}\nappendonly no\nsave ""\nmetrics-port no\n')
        command = [sys.executable, "-m", "kedis", str(self.file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.client = redis.Redis(port=self.port)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.end()
                    raise
                time.sleep(0.05)

    def end(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.end()


def test_rewrite_writes_the_file(running: Process) -> None:
    running.client.config_set("hz", 25)
    running.client.config_set("slowlog-max-len", 7)
    assert running.client.config_rewrite()
    lines = running.file.read_text().splitlines()
    assert lines[:2] == ["# mine", f"port {running.port}"]
    assert "hz 25" in lines and "slowlog-max-len 7" in lines
    assert running.client.info("server")["config_file"] == str(running.file)


def test_rewrite_writes_the_users(running: Process) -> None:
    running.client.config_rewrite()
    assert "user" not in running.file.read_text(), "the default user is as it is without a line"
    running.client.acl_setuser("bob", enabled=True, passwords=["+secret"], commands=["+@all"], keys=["a*"])
    running.client.config_rewrite()
    text = running.file.read_text()
    assert "secret" not in text
    read_again = Engine(Config.from_command_line([str(running.file)])).users
    named = [line.decode().replace(" sanitize-payload", "") for line in read_again.lines()]
    assert named == [line.replace(" sanitize-payload", "") for line in running.client.acl_list()]
    running.client.acl_deluser("bob")
    running.client.config_rewrite()
    assert "bob" not in running.file.read_text()


def test_a_file_that_cannot_be_written(running: Process) -> None:
    running.file.unlink()
    running.file.parent.rmdir()
    with pytest.raises(redis.ResponseError, match="Rewriting config file: No such file or directory"):
        running.client.config_rewrite()
    assert running.client.ping()


def test_shutdown_ends_the_process(running: Process) -> None:
    running.client.shutdown(nosave=True)
    assert running.process.wait(timeout=10) == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", running.port), timeout=1)


def test_shutdown_ends_a_server_in_a_thread() -> None:
    with kedis.Server(port=0) as server:
        server.client().shutdown()
        deadline = time.monotonic() + 10
        with pytest.raises(OSError):
            while time.monotonic() < deadline:
                socket.create_connection((server.host, server.port), timeout=1).close()


def test_rewrite_without_a_file() -> None:
    with (
        kedis.Server(port=0) as server,
        server.client() as client,
        pytest.raises(redis.ResponseError, match="The server is running without a config file"),
    ):
        client.config_rewrite()
