"""Churn: does the process keep the limit that its account keeps?

    python ops/bench/churn.py                     20 minutes, Redis and Kedis
    python ops/bench/churn.py --seconds 60 --only kedis

Six clients write all types mixed, values of 1 to 2,000 bytes, times to live of 50 ms to 20 s, trim lists, and connect
anew every few thousand commands; maxmemory 60mb, allkeys-lru, AOF on. Printed are the account and the resident memory
over time, and the slope of the resident memory in the last half; then what FLUSHALL leaves.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import redis
from against_redis import LOAD_CORE, Running, describe_machine, server

CLIENTS, KEYS = 6, 200_000
BATCH, BATCHES_A_CONNECTION = 50, 100
LIMIT = 60 << 20
SETTINGS = ("--maxmemory", str(LIMIT), "--maxmemory-policy", "allkeys-lru", "--appendonly", "yes")
SAMPLES = 40
EMPTY_WITHIN_SECONDS = 10
NOISE = os.urandom(1 << 16)


@dataclass
class Churned:
    """What a run has measured; bytes, and seconds since its begin.

    Attributes:
        empty: resident bytes before the load.
        samples: (seconds, used_memory, resident bytes).
        flushed: resident bytes some seconds after FLUSHALL.
        commands: number of commands that have run.
    """

    empty: int = 0
    flushed: int = 0
    commands: int = 0
    samples: list[tuple[float, int, int]] = field(default_factory=list)

    def slope(self) -> float:
        """Growth of the resident memory over the last half of the run, as a share of it."""
        half = self.samples[len(self.samples) // 2 :]
        slope = statistics.linear_regression([at for at, _, _ in half], [rss for _, _, rss in half]).slope
        return slope * (half[-1][0] - half[0][0]) / statistics.mean(rss for _, _, rss in half)


def _word(rng: random.Random, longest: int) -> bytes:
    size = int(longest ** rng.random())  # more small than large ones
    at = rng.randrange(len(NOISE) - size)
    return NOISE[at : at + size]


def command(rng: random.Random) -> Sequence[object]:
    """A random command."""
    kind = rng.randrange(10)
    name = b"%d:%d" % (kind, rng.randrange(KEYS // 10))
    small = rng.randrange(100)
    if kind < 3:
        value = _word(rng, 2000)
        if rng.random() < 0.5:
            return ("SET", name, value, "PX", int(50 * 400 ** rng.random()))
        return ("SET", name, value)
    if kind < 5:
        return ("HSET", name, b"field:%d" % small, _word(rng, 200), b"n", small)
    if kind < 7:
        if rng.random() < 0.2:
            return ("LTRIM", name, 0, small)
        return ("LPUSH" if small & 1 else "RPUSH", name, _word(rng, 2000), _word(rng, 50))
    if kind == 7:
        return ("SADD", name, small * 1000 if rng.random() < 0.7 else _word(rng, 100))
    if kind == 8:
        return ("ZADD", name, rng.random() * 1000, b"member:%d" % small)
    return (("INCR", name), ("APPEND", b"a" + name, _word(rng, 500)), ("PEXPIRE", name, 50 + small * 200))[
        small % 3
    ]


def churn(port: int, ended: threading.Event, seed: int, counted: Callable[[int], None]) -> None:
    """Send commands until ``ended``, on connections that come and go."""
    rng = random.Random(seed)
    while not ended.is_set():
        with redis.Redis(port=port) as client:
            for _ in range(rng.randrange(1, BATCHES_A_CONNECTION)):
                pipe = client.pipeline(transaction=False)
                for _ in range(rng.randrange(1, BATCH)):
                    pipe.execute_command(*command(rng))
                counted(len(pipe.execute(raise_on_error=False)))
                if ended.is_set():
                    return


def run(running: Running, seconds: float) -> Churned:
    """Churn for so long, then empty the server."""
    found = Churned()
    client = redis.Redis(port=running.port)
    client.ping()
    found.empty = running.resident_bytes()
    ended = threading.Event()

    def count(commands: int) -> None:
        found.commands += commands

    threads = [
        threading.Thread(target=churn, args=(running.port, ended, seed, count)) for seed in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    for sample in range(SAMPLES):
        time.sleep(max(0.0, began + (sample + 1) * seconds / SAMPLES - time.monotonic()))
        used = client.info("memory")["used_memory"]
        found.samples.append((time.monotonic() - began, used, running.resident_bytes()))
    ended.set()
    for thread in threads:
        thread.join()
    client.flushall()
    time.sleep(EMPTY_WITHIN_SECONDS)
    found.flushed = running.resident_bytes()
    client.close()
    return found


def report(name: str, found: Churned) -> None:
    """One row for each tenth of the run, and the figures in the end."""
    for at, used, resident in found.samples[3::4]:
        print(f"| {name} | {at:,.0f} | {used / 1e6:.1f} | {resident / 1e6:.1f} |", flush=True)
    _, used, resident = found.samples[-1]
    print(
        f"\n{name}: {found.commands:,} commands; empty {found.empty / 1e6:.1f} MB, in the end {resident / 1e6:.1f}"
        f" ({(resident - 45e6) / used:.2f} x used_memory + 45 MB), slope over the last half"
        f" {found.slope():+.1%}, {EMPTY_WITHIN_SECONDS} s after FLUSHALL {found.flushed / 1e6:.1f} MB\n",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=1200.0, help="of the churn")
    parser.add_argument("--only", choices=("redis", "kedis", "python"), action="append")
    arguments = parser.parse_args()
    print(describe_machine())
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {int(LOAD_CORE)})
    print("\n| server | seconds | used_memory, MB | resident, MB |\n|---|---|---|---|")
    for name in arguments.only or ("redis", "kedis"):
        with server(name, SETTINGS) as running:
            report(name, run(running, arguments.seconds))


if __name__ == "__main__":
    main()
