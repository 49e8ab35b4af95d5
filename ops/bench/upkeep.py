"""How long others wait while the server keeps house with a million keys: Kedis beside real Redis.

    python ops/bench/upkeep.py            everything, as Markdown, in about three minutes
    python ops/bench/upkeep.py --quick    a tenth of the keys

One client sends one PING after the other while keys expire, memory is made free, the append-only file is rewritten, or
everything is forgotten (what a reading of the metrics costs: ops/bench/metrics.py). The longest wait is what everybody
sees of that work; the least of several runs counts, as in ops/bench/stalls.py, whose parts this uses.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

from against_redis import Running, describe_machine, server
from stalls import Client, Commands, client_of, longest_ping

#: How long the keys take to expire, in seconds, and how long eviction is looked at.
EXPIRY_SECONDS = 5
EVICTION_SECONDS = 3
VALUE = b"x" * 32


@dataclass(frozen=True)
class Work:
    """Something that the server does beside its clients, after ``prepare``."""

    title: str
    prepare: Callable[[Running, Client, int], None]
    run: Callable[[Running, Client, int], None]


def field(running: Running, name: str) -> str:
    """A field of INFO."""
    lines = running.call("info", "everything").splitlines()
    return next(line.partition(":")[2] for line in lines if line.startswith(f"{name}:"))


def strings(count: int) -> Commands:
    return ([b"SET", b"key:%012d" % number, VALUE] for number in range(count))


def fill(running: Running, client: Client, count: int) -> None:
    client.run([b"FLUSHALL"])
    client.run_all(strings(count))


def fill_with_expiry(running: Running, client: Client, count: int) -> None:
    """Keys that are due one after the other, from about the end of the filling on."""
    client.run([b"FLUSHALL"])
    began_ms = time.time_ns() // 1_000_000 + count // 60  # it takes longer than that
    client.run_all(
        [
            b"SET",
            b"key:%012d" % number,
            VALUE,
            b"PXAT",
            b"%d" % (began_ms + number * EXPIRY_SECONDS * 1000 // count),
        ]
        for number in range(count)
    )


def wait_for_expiry(running: Running, client: Client, count: int) -> None:
    deadline = time.monotonic() + 60
    while running.call("dbsize") != "0" and time.monotonic() < deadline:
        time.sleep(0.2)


def evict(running: Running, client: Client, count: int) -> None:
    """Writes at the limit: each new key makes an old one go."""
    limit = int(field(running, "used_memory")) * 8 // 10
    running.call("config", "set", "maxmemory-policy", "allkeys-lru")
    running.call("config", "set", "maxmemory", str(limit))
    deadline = time.monotonic() + EVICTION_SECONDS
    number = 0
    while time.monotonic() < deadline:
        client.run([b"SET", b"new:%012d" % number, VALUE])
        number += 1
    running.call("config", "set", "maxmemory", "0")


def rewrite(running: Running, client: Client, count: int) -> None:
    client.run([b"BGREWRITEAOF"])
    while True:
        time.sleep(0.1)
        if field(running, "aof_rewrite_in_progress") == field(running, "aof_rewrite_scheduled") == "0":
            return


def flush(running: Running, client: Client, count: int) -> None:
    client.run([b"FLUSHALL", b"ASYNC"])
    time.sleep(1)


WORKS = [
    Work(f"keys expire, all within {EXPIRY_SECONDS} s", fill_with_expiry, wait_for_expiry),
    Work("a fifth of the memory is made free, then a key for each new one", fill, evict),
    Work("BGREWRITEAOF", fill, rewrite),
    Work("FLUSHALL ASYNC", fill, flush),
]


def least_wait(running: Running, client: Client, work: Work, count: int, repeats: int) -> float:
    waits = []
    for _ in range(repeats):
        work.prepare(running, client, count)
        waits.append(longest_ping(running, lambda: work.run(running, client, count)))
    return min(waits)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the keys, one run")
    options = parser.parse_args()
    count, repeats = (100_000, 1) if options.quick else (1_000_000, 3)
    print(f"\n### Longest wait of a PING beside upkeep, {count:,} keys\n\n{describe_machine()}\n")
    print("| work | Kedis, ms | Redis, ms |\n|---|---|---|")
    flags = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
    columns = []
    for name in ("kedis", "redis"):
        with server(name, flags) as running, client_of(running) as client:
            columns.append([least_wait(running, client, work, count, repeats) for work in WORKS])
    for work, kedis, redis in zip(WORKS, *columns, strict=True):
        print(f"| {work.title} | {kedis:.1f} | {redis:.1f} |", flush=True)


if __name__ == "__main__":
    main()
