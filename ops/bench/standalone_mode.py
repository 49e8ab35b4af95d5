"""How long the steps of kedis-cli's standalone mode take, against a Redis that this starts (and ends).

    python ops/bench/standalone_mode.py [KEYS]

KEYS keys (200,000), nine tenths strings and one tenth small hashes; a tenth of the keys is written again alone.
"""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kedis.cli.client.link import LinkLost, ServerLink
from kedis.cli.client.standalone import server_snapshot
from kedis.cli.client.standalone.divergence import Divergence
from kedis.cli.client.standalone.home import Home
from kedis.cli.client.standalone.reconcile import Reconciliation
from kedis.cli.client.standalone.standalone_link import StandaloneLink
from kedis.cli.client.standalone.terminal import Console
from kedis.cli.client.standalone.timefmt import now_ms
from kedis.cli.client.target import Target

Result = TypeVar("Result")
_BATCH = 10_000
_START_SECONDS = 10


def main(keys: int) -> None:
    """Run all steps and print a line for each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["redis-server", "--port", str(port), "--save", ""]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            server = _connect(port)
            _fill(server, keys)
            _measure(server, Home(Path(folder) / "home"), keys)
        finally:
            process.kill()
            process.wait()


def _connect(port: int) -> ServerLink:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return ServerLink(Target(port=port), 2, 60)
        except LinkLost:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _fill(server: ServerLink, keys: int) -> None:
    for start in range(0, keys, _BATCH):
        server.send_many(
            [
                [b"SET", b"key:%09d" % number, b"x" * 32]
                if number % 10
                else [b"HSET", b"key:%09d" % number, b"f", b"v", b"g", b"w"]
                for number in range(start, min(keys, start + _BATCH))
            ]
        )


def _measure(server: ServerLink, home: Home, keys: int) -> None:
    taken = _timed("snapshot", lambda: server_snapshot.take(server, home, "redis", Console()))
    home.lock()
    home.begin("redis", taken, now_ms())
    alone = _timed("begin from it", lambda: StandaloneLink(home, "redis"))
    divergence = Divergence(alone.alone, lambda: alone.keyspace)
    _timed("status, the first time", divergence.counts)
    _timed("status, again", divergence.counts)
    writes = [[b"SET", b"key:%09d" % (number * 10 + 1), b"y"] for number in range(keys // 10)]
    _timed(f"{len(writes)} writes, each synced", lambda: [alone.send(words) for words in writes])
    reconciliation = Reconciliation(server, divergence, Console())
    _timed("compare them with the server", reconciliation.compare)
    _timed("push them", lambda: reconciliation.push(reconciliation.differences))
    alone.close()


def _timed(name: str, step: Callable[[], Result]) -> Result:
    begun = time.perf_counter()
    result = step()
    seconds = time.perf_counter() - begun
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:<30} {seconds:6.2f} s  (at most {megabytes:.0f} MB so far)")
    return result


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
