"""redis-cli in its several modes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pexpect
import pytest
import redis

import kedis

pytestmark = pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-cli is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[kedis.Server]:
    with kedis.Server(port=0) as running:
        yield running


@pytest.fixture
def client(server: kedis.Server) -> Iterator[redis.Redis]:
    with server.client() as connected:
        connected.flushall()
        connected.mset({f"text:{number}": "x" * number for number in range(1, 101)})
        connected.rpush("list", *range(500))
        connected.sadd("set", *range(20))
        connected.hset("hash", mapping={str(number): "v" for number in range(30)})
        connected.zadd("scores", {str(number): number for number in range(40)})
        yield connected


def run(server: kedis.Server, *words: str, feed: str = "") -> str:
    done = subprocess.run(
        ["redis-cli", "-p", str(server.port), *words], input=feed, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done
    assert done.stderr == ""
    return done.stdout


@pytest.mark.usefixtures("client")
def test_biggest_keys(server: kedis.Server) -> None:
    shown = run(server, "--bigkeys")
    assert """Biggest string found '"text:100"' has 100 bytes""" in shown
    assert """Biggest   list found '"list"' has 500 items""" in shown
    assert "1 zsets with 40 members" in shown
    shown = run(server, "--memkeys")
    assert re.search(r"""Biggest +list found '"list"' has \d{4,} bytes""", shown)


@pytest.mark.usefixtures("client")
def test_scan_and_pipe(server: kedis.Server, client: redis.Redis) -> None:
    assert len(run(server, "--scan", "--pattern", "text:*").split()) == 100
    script = "".join(f"SET bulk:{number} {number}\r\n" for number in range(20_000))
    assert "errors: 0, replies: 20000" in run(server, "--pipe", feed=script)
    assert client.get("bulk:19999") == b"19999"


@pytest.mark.usefixtures("client")
def test_figures(server: kedis.Server) -> None:
    least, most, average, count = run(server, "--latency", "-i", "0.1").split()
    assert 0 <= float(least) <= float(average) <= float(most)
    assert int(count) > 0


def test_monitor(server: kedis.Server, client: redis.Redis) -> None:
    with subprocess.Popen(
        ["redis-cli", "-p", str(server.port), "monitor"], stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "OK\n"
        client.execute_command("SET", "a b", "\x00\n")
        line = watching.stdout.readline()
        watching.terminate()
    assert re.fullmatch(r'\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "SET" "a b" "\\x00\\n"\n', line)


def test_hints_come_from_the_server(server: kedis.Server) -> None:
    """redis-cli asks for them with COMMAND DOCS when it talks to a terminal."""
    child = pexpect.spawn(
        "redis-cli", ["-p", str(server.port)], encoding="utf-8", timeout=20, dimensions=(24, 100)
    )
    child.expect(r"> ")
    child.send("zadd ")
    child.expect(r"key \[NX\|XX\] \[GT\|LT\] \[CH\] \[INCR\] score member")
    child.send("\x15help lmove\r")
    child.expect(r"source destination LEFT\|RIGHT LEFT\|RIGHT")
    child.send("\x15quit\r")
    child.expect(pexpect.EOF)


@pytest.mark.usefixtures("client")
def test_stat(server: kedis.Server) -> None:
    words = ["-p", str(server.port), "--stat", "-i", "0.05"]
    child = pexpect.spawn("redis-cli", words, encoding="utf-8", timeout=20)
    child.expect("keys +mem +clients +blocked +requests +connections")
    child.expect(r"104 +[0-9.]+[KM] +\d+ +0 +\d+ \(\+0\)")
    child.expect(r"104 +[0-9.]+[KM] +\d+ +0 +\d+ \(\+1\)")
    child.close(force=True)
