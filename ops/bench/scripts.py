"""Scripts: processor time a request of Kedis and of real Redis, in turns, and the memory of many scripts.

The ratio is the median of Redis's over the median of Kedis's, as in all tables of Kedis.

``python ops/bench/scripts.py [--requests N]``; both servers keep nothing, and redis-benchmark sends.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

import redis

_RELEASE = (
    "local token = redis.call('get', KEYS[1]) if not token or token ~= ARGV[1] then return 0 end "
    "redis.call('set', KEYS[1], ARGV[1]) return 1"
)
_WORKLOADS = [
    ("release of a lock", _RELEASE, ("k", "v"), 50, 1.0),
    ("100 redis.call('incr')", "for i = 1, 100 do redis.call('incr', KEYS[1]) end", ("n",), 1, 0.1),
    (
        "a loop of a million steps",
        "local x = 0 for i = 1, 1000000 do x = x + i end return x",
        ("n",),
        1,
        0.002,
    ),
]
_SCRIPTS = 10_000
_ROUNDS = 5


def processor_seconds(pid: int) -> float:
    """What the process has used, user and system."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory of the process that is in RAM."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Server:
    """A server under test on ``port``."""

    def __init__(self, name: str, words: list[str], port: int) -> None:
        self.name = name
        self.port = port
        self.process = subprocess.Popen([*words, "--port", str(port)], stdout=subprocess.DEVNULL)
        self.client = redis.Redis(port=port)
        while True:
            try:
                self.client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.05)

    def microseconds(self, script: str, words: tuple[str, ...], clients: int, requests: int) -> float:
        """Processor time of one EVALSHA."""
        self.client.set("k", "v")
        digest = self.client.script_load(script)
        before = processor_seconds(self.process.pid)
        command = ["redis-benchmark", "-p", str(self.port), "-n", str(requests), "-c", str(clients), "-q"]
        subprocess.run([*command, "EVALSHA", digest, "1", *words], stdout=subprocess.DEVNULL, check=True)
        return (processor_seconds(self.process.pid) - before) / requests * 1e6

    def megabytes(self) -> tuple[float, float]:
        """Growth by many different scripts, and what is left of it after SCRIPT FLUSH."""
        before = resident_bytes(self.process.pid)
        for number in range(_SCRIPTS):
            self.client.eval(f"return {number}", 0)
        grown = resident_bytes(self.process.pid) - before
        self.client.script_flush()
        return grown / 1e6, (resident_bytes(self.process.pid) - before) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=50_000, help="of the first workload (50,000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        none = ["--dir", folder, "--save", "", "--appendonly", "no"]
        servers = [
            Server("Kedis", [sys.executable, "-m", "kedis", "--metrics-port", "no", *none], 24_011),
            Server("Redis", ["redis-server", *none], 24_012),
        ]
        try:
            for title, script, words, clients, share in _WORKLOADS:
                requests = max(int(options.requests * share), 50)
                rounds = [
                    [server.microseconds(script, words, clients, requests) for server in servers]
                    for _ in range(_ROUNDS)
                ]
                kedis, other = (median(times) for times in zip(*rounds, strict=True))
                print(f"{title}: Kedis {kedis:.1f} us, Redis {other:.1f} us, ratio {other / kedis:.2f}")
            for server in servers:
                grown, left = server.megabytes()
                print(f"{server.name}: {_SCRIPTS} scripts {grown:.1f} MB, after SCRIPT FLUSH {left:.1f} MB")
        finally:
            for server in servers:
                server.process.terminate()
                server.process.wait()


if __name__ == "__main__":
    main()
