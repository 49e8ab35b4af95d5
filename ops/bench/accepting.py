"""Processor time that a server takes for a client that comes and goes: Kedis beside real Redis, in the same run.

python ops/bench/accepting.py                       20,000 connections of each kind, as Markdown
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import time

from against_redis import LOAD_CORE, Running, contenders, server
from fairness import processor_clock

REQUESTS = {"connect, close": b"", "connect, PING, close": b"*1\r\n$4\r\nPING\r\n"}


def microseconds_each(running: Running, request: bytes, count: int) -> float:
    clock = processor_clock(running.pid)
    begun = time.clock_gettime(clock)
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            if request:
                client.sendall(request)
                client.recv(100)
    time.sleep(0.3)
    return (time.clock_gettime(clock) - begun) / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--connections", type=int, default=20_000, help="of each kind (default: 20000)")
    options = parser.parse_args()
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    found: dict[tuple[str, str], list[float]] = {}
    rounds = 4
    for _ in range(rounds):
        for name in contenders():
            with server(name, ["--appendonly", "no"]) as running:
                time.sleep(0.5)
                for kind, request in REQUESTS.items():
                    each = microseconds_each(running, request, options.connections // rounds)
                    found.setdefault((kind, name), []).append(each)
    print("Microseconds of processor time for each connection\n")
    print("| | " + " | ".join(contenders()) + " |")
    print("|---|" + "---|" * len(contenders()))
    for kind in REQUESTS:
        cells = [f"{statistics.median(found[kind, name]):.0f}" for name in contenders()]
        print(f"| {kind} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
