"""What honest clients lose beside attackers, and what idle ones cost, as docs/operate/limits.md says it.

The attackers and the table are those of ops/bench/fairness.py and ops/bench/attacks.py.
"""

from __future__ import annotations

import ast
import contextlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kedis import native
from tests.end_to_end.attack import processor_seconds, read_lines, until
from tests.wire.kedis_process import PING, KedisProcess

ROOT = Path(__file__).parent.parent.parent
BENCH = ROOT / "ops" / "bench"
PAGE = ROOT / "docs" / "operate" / "limits.md"
#: What the server may do before it answers, in seconds of processor time, 99 times of 100, on the machine that
#: docs/operate/limits.md names; more on the Python path.
P99_SECONDS = 0.020 if native.PATH == "native" else 0.040
#: What :func:`_count` takes on that machine, in seconds.
_COUNT_SECONDS = 0.0006
_ANSWERS = 60
_ROUNDS = 5
_IDLE = 2000
_IDLE_BYTES = 12 * 1024


def names_in(script: str, variable: str) -> list[str]:
    """The keys of a dictionary that a script defines."""
    for node in ast.parse((BENCH / script).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == variable:
            assert isinstance(node.value, ast.Dict)
            return [ast.literal_eval(key) for key in node.value.keys if key is not None]
    raise AssertionError(f"{script} defines no {variable}")


STREAMS = names_in("fairness.py", "STREAMS")


@pytest.fixture(scope="module")
def server() -> Iterator[KedisProcess]:
    process = KedisProcess()
    yield process
    process.close()


@pytest.mark.parametrize("kind", STREAMS)
def test_beside_two_endless_senders(server: KedisProcess, kind: str) -> None:
    """The best of some rounds counts: what the server does while the bystander himself is kept waiting is not his."""
    words = [sys.executable, str(BENCH / "fairness.py"), "--attack", kind, str(server.address[1]), "2"]
    before = int(_info(server, "total_net_input_bytes"))
    attackers = subprocess.Popen(words)
    found = []
    try:
        until(lambda: int(_info(server, "total_net_input_bytes")) - before > 200_000)
        for _ in range(_ROUNDS):
            allowed = P99_SECONDS * max(1.0, _count() / _COUNT_SECONDS)
            found.append((_p99(server), allowed))
            if found[-1][0] <= allowed:
                return
    finally:
        attackers.kill()
        attackers.wait()
    pytest.fail(f"p99 of a PING in each round, and what was allowed: {found}")


def _count() -> float:
    """What a fixed piece of work takes here and now, in seconds of processor time: more on a slow machine."""
    taken = []
    for _ in range(21):
        begun = time.thread_time()
        for _ in range(50_000):
            pass
        taken.append(time.thread_time() - begun)
    return sorted(taken)[len(taken) // 2]


def _p99(server: KedisProcess) -> float:
    waits = []
    with server.connect() as bystander:
        bystander.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(_ANSWERS):
            begun = processor_seconds(server)
            bystander.sendall(PING)
            assert bystander.recv(100) == b"+PONG\r\n"
            waits.append(processor_seconds(server) - begun)
            time.sleep(0.001)
    return sorted(waits)[_ANSWERS * 99 // 100 - 1]


def _info(server: KedisProcess, name: str) -> str:
    found = re.search(rf"^{name}:(.*)$", server.run(b"INFO everything").decode(), re.MULTILINE)
    assert found is not None
    return found[1].strip()


def test_idle_connections_are_small(server: KedisProcess) -> None:
    with contextlib.ExitStack() as stack:
        before = server.resident_bytes()
        for _ in range(_IDLE):
            client = stack.enter_context(server.connect())
            client.sendall(PING)
            read_lines(client, 1)
        assert server.resident_bytes() - before <= _IDLE * _IDLE_BYTES


def test_the_table_has_every_attack() -> None:
    titles = re.findall(r"Attack\(\"([^\"]+)\"", (BENCH / "attacks.py").read_text())
    titles += [f"endless {kind}" for kind in STREAMS]
    rows = re.findall(r"^\| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    assert set(titles) <= set(rows)
