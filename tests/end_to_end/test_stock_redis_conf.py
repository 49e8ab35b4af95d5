"""Redis's configuration as Debian ships it starts Kedis, which then keeps what Redis would keep."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

STOCK = Path("/etc/redis/redis.conf")


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """A copy in which nothing is changed but the port and where files are."""
    if not STOCK.exists():
        pytest.skip("Debian's redis-server is not installed")
    text = STOCK.read_text()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name, value in (
        ("port", port),
        ("dir", tmp_path),
        ("pidfile", tmp_path / "pid"),
        ("logfile", tmp_path / "log"),
    ):
        text, count = re.subn(rf"(?m)^{name} .*$", f"{name} {value}", text)
        assert count == 1, name
    assert re.search("(?m)^appendonly no$", text) and not re.search("(?m)^save ", text), "what this is about"
    assert re.search("(?m)^daemonize yes$", text)
    (tmp_path / "redis.conf").write_text(text)
    return tmp_path / "redis.conf"


def start(stock: Path) -> tuple[redis.Redis, int]:
    """A client of the server, which is a daemon and has loaded its data; and the server's process."""
    words = [sys.executable, "-m", "kedis", str(stock), "--metrics-port", "no"]
    assert subprocess.run(words, cwd=stock.parent, timeout=60).returncode == 0
    port = int(re.findall(r"(?m)^port (\d+)$", stock.read_text())[0])
    client = redis.Redis(port=port, decode_responses=True)
    wait(lambda: int(client.info("persistence")["loading"]) == 0)
    return client, int((stock.parent / "pid").read_text())


def wait(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("end", ["SHUTDOWN", "SIGTERM"])
def test_data_outlive_a_restart(stock: Path, end: str) -> None:
    client, pid = start(stock)
    assert client.config_get("save") == {"save": "3600 1 300 100 60 10000"}
    assert client.set("key", "value") and client.rpush("list", *range(1000)) == 1000
    if end == "SHUTDOWN":
        client.shutdown()
    else:
        os.kill(pid, signal.SIGTERM)
    wait(lambda: not os.path.exists(f"/proc/{pid}"))
    log = (stock.parent / "log").read_text()
    assert "no data will be kept" not in log
    assert "no effect" not in log, "all that it sets and Kedis does not do is Redis's default"
    client, pid = start(stock)
    assert client.get("key") == "value" and client.llen("list") == 1000
    client.shutdown(nosave=True)
    client.close()
    wait(lambda: not os.path.exists(f"/proc/{pid}"))


def test_a_rewritten_copy_still_keeps_the_data(stock: Path) -> None:
    client, pid = start(stock)
    client.config_set("maxmemory", "1gb")
    client.config_rewrite()
    client.set("key", "value")
    client.shutdown()
    wait(lambda: not os.path.exists(f"/proc/{pid}"))
    client, pid = start(stock)
    assert client.get("key") == "value"
    client.shutdown()
    wait(lambda: not os.path.exists(f"/proc/{pid}"))
