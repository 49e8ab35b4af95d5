"""docs/operate/moving-from-redis.md does what it says: its commands are run from top to bottom, on real servers.

The page speaks of the usual port and of Redis's usual folder; here both are others.  A server that it starts in the
background is waited for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.persistence.server import Kedis, Wire
from tests.ports import free_port

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "moving-from-redis.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
KEYS = 250

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


class Place:
    """A folder with Redis's data and Kedis's, and the port at which one of the two is running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "redis").mkdir()
        self.port = free_port()

    def run(self, script: str) -> str:
        """Run a block of the page, to the end of its last command.  Returns what it printed."""
        cli = f"redis-cli -p {self.port}"
        ready = f"until {cli} EXISTS x | grep -qx 0; do sleep 0.02; done"
        for pattern, replacement in (
            (r"\bredis-cli\b", cli),
            (r"^redis-server\b", f"redis-server --save '' --port {self.port}"),
            (r"^kedis-server\b", f"kedis-server --metrics-port no --port {self.port}"),
            (r"/var/lib/redis", str(self.folder / "redis")),
            (r"&(\s*#.*)?$", f">>log 2>&1 &\n{ready}"),
        ):
            script = re.sub(pattern, replacement, script, flags=re.MULTILINE)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def settle(self) -> None:
        """Wait for the append-only file that was just turned on: Redis does not end before."""
        wire = self.wire()
        deadline = time.monotonic() + 20
        while b"aof_rewrite_in_progress:0" not in wire.call("INFO", "persistence"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        wire.close()

    def wire(self) -> Wire:
        return Wire(self.port)

    def end(self) -> None:
        """End the server that is there; one that is busy with its files refuses at first."""
        deadline = time.monotonic() + 60
        while True:
            words = ["redis-cli", "-p", str(self.port), "SHUTDOWN", "NOSAVE"]
            if b"Could not connect" in subprocess.run(words, capture_output=True).stderr:
                return
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def is_kedis(self) -> bool:
        wire = self.wire()
        text: bytes = wire.call("INFO", "server")
        wire.close()
        return b"kedis" in text


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    try:
        fill(place)
        yield place
    finally:
        place.end()


def fill(place: Place) -> None:
    place.run("redis-server --appendonly yes --dir /var/lib/redis &")
    wire = place.wire()
    wire.pipeline([("SET", f"user:{number}", number) for number in range(KEYS)])
    wire.pipeline(
        [("RPUSH", "list", *range(500)), ("ZADD", "scores", 1, "a", 2.5, "b"), ("SADD", "set", 1, 2)]
    )
    wire.pipeline([("SELECT", 3), ("HSET", "hash", "a", 1), ("PEXPIRE", "hash", 10_000_000), ("SELECT", 0)])
    wire.close()


def content(place: Place) -> list[object]:
    """What the servers have in common, whatever they allow."""
    wire = place.wire()
    found = [wire.call("DBSIZE"), wire.call("LRANGE", "list", 0, -1), wire.call("GET", "user:7")]
    found += [wire.call("ZRANGE", "scores", 0, -1, "WITHSCORES"), sorted(wire.call("SMEMBERS", "set"))]
    wire.call("SELECT", 3)
    found += [wire.call("HGETALL", "hash"), wire.call("PEXPIRETIME", "hash")]
    wire.close()
    return found


def test_there_and_back_with_snapshots_and_with_the_append_only_folder(place: Place) -> None:
    from_redis, to_redis, folder_from_redis, folder_to_redis, _ = BLOCKS
    expected = content(place)
    for there, back in ((from_redis, to_redis), (folder_from_redis, folder_to_redis)):
        for block, kedis in ((there, True), (back, False)):
            place.run(block)
            place.settle()
            assert place.is_kedis() == kedis
            assert content(place) == expected


def test_key_by_key(place: Place, tmp_path: Path) -> None:
    kedis = Kedis(tmp_path / "kedis", "--appendonly", "no")
    copies, moves = BLOCKS[-1].replace("kedis.example 7000", f"127.0.0.1 {kedis.port}").strip().splitlines()
    place.run(copies)
    assert kedis.call("MGET", "user:1", "user:2", "user:3") == [b"1", b"2", None]
    place.run(moves)
    assert kedis.call("DBSIZE") == KEYS
    wire = place.wire()
    assert wire.call("KEYS", "user:*") == []
    assert wire.call("EXISTS", "list") == 1
    wire.close()
    kedis.kill()
