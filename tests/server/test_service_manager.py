"""systemd is told when the server is ready, and when it begins to end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from kedis.server.service_manager import MoreTime, notify


def _listen(address: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(address)
    listening.settimeout(20)
    return listening


def test_without_a_manager_nothing_is_sent() -> None:
    assert notify("READY=1", environment={}) is False


def test_lines_are_one_datagram(tmp_path: Path) -> None:
    with _listen(f"{tmp_path}/notify") as manager:
        assert notify("READY=1", "STATUS=here", environment={"NOTIFY_SOCKET": f"{tmp_path}/notify"})
        assert manager.recv(1000) == b"READY=1\nSTATUS=here"


def test_an_abstract_name(tmp_path: Path) -> None:
    name = str(tmp_path)
    with _listen("\0" + name) as manager:
        assert notify("STOPPING=1", environment={"NOTIFY_SOCKET": "@" + name})
        assert manager.recv(1000) == b"STOPPING=1"


def test_a_manager_that_is_gone_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert notify("READY=1", environment={"NOTIFY_SOCKET": f"{tmp_path}/nobody"}) is False
    assert "cannot tell the service manager READY=1" in caplog.text


def test_more_time_is_asked_for_while_it_loads() -> None:
    sent: list[tuple[str, ...]] = []
    asked = Event()

    def send(*lines: str) -> None:
        sent.append(lines)
        if len(sent) == 3:
            asked.set()

    with MoreTime(send, interval=0.001):
        assert asked.wait(60)
    count = len(sent)
    gevent.sleep(0.02)
    assert len(sent) == count, "and no longer"
    assert sent[0] == ("STATUS=loading the data", "EXTEND_TIMEOUT_USEC=60000000")


def test_the_server_is_ready_when_it_serves_and_tells_that_it_ends(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "kedis",
        "--port",
        "0",
        "--metrics-port",
        "no",
        "--dir",
        f"{tmp_path}/data",
    ]
    with _listen(f"{tmp_path}/notify") as manager:
        server = subprocess.Popen(
            words, env={"NOTIFY_SOCKET": f"{tmp_path}/notify"}, cwd=Path.cwd(), stdout=subprocess.DEVNULL
        )
        try:
            ready = manager.recv(1000).decode()
            assert ready.startswith("READY=1\nSTATUS=serving on port ")
            port = int(ready.rpartition(" ")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"PING\r\n")
                assert client.recv(100) == b"+PONG\r\n"
            server.send_signal(signal.SIGTERM)
            assert manager.recv(1000) == b"STOPPING=1"
            assert server.wait(timeout=20) == 0
        finally:
            server.kill()
            server.wait()
