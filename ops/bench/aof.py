"""The append-only file beside Redis's: throughput by policy, readers beside writers, loading, and rewriting.

    python ops/bench/aof.py                      everything, as Markdown
    python ops/bench/aof.py --only rates --quick

Pinned and alternating like ops/bench/against_redis.py, whose parts it uses.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from against_redis import (
    LOAD_CORE,
    SERVER_CORE,
    Load,
    Running,
    all_servers,
    compare,
    describe_machine,
    free_port,
    print_head,
    program,
    ratios,
)

KEYS = 1_000_000


@contextlib.contextmanager
def server(name: str, folder: str, *flags: str) -> Iterator[Running]:
    """A server on a folder that outlives it; given when it has loaded."""
    port = free_port()
    words = ["taskset", "-c", SERVER_CORE, *program(name), "--appendonly", "yes"]
    words += ["--port", str(port), "--dir", folder, *flags]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        running = Running(name, port, process.pid)
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(subprocess.CalledProcessError):
                if running.call("exists", "x") in ("0", "1"):
                    break
            if time.monotonic() > deadline:
                raise SystemExit(f"{name} did not start")
            time.sleep(0.02)
        yield running
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def pair(*flags: str) -> Iterator[tuple[Running, Running]]:
    """Redis and Kedis, each in a new folder."""
    with (
        tempfile.TemporaryDirectory() as theirs,
        tempfile.TemporaryDirectory() as ours,
        server("redis", theirs, *flags) as redis,
        server("kedis", ours, *flags) as kedis,
    ):
        yield redis, kedis


def bench_rates(repeats: int, scale: float) -> None:
    """SET under each policy."""
    print_head("SET, 32-byte values", "policy | connections | pipeline")
    lines = [
        ("everysec", 10, 1, 60_000, 0.9),
        ("everysec", 50, 1, 60_000, 0.9),
        ("everysec", 50, 16, 300_000, 0.45),
        ("always", 10, 1, 15_000, 1.0),
        ("always", 50, 1, 30_000, 1.0),
    ]
    for policy, clients, pipeline, requests, aim in lines:
        load = Load("", ["-r", "100000", "-d", "32", "-t", "set"], int(requests * scale), pipeline)
        with all_servers("--appendonly", "yes", "--appendfsync", policy) as servers:
            rates = compare(servers, load, repeats, clients)
        print(f"| {policy} | {clients} | {pipeline} | {ratios(rates)} | {aim} |", flush=True)


def bench_readers(repeats: int) -> None:
    """GET latency of one client while ten write under always."""
    print("\n### GET beside 10 writers, appendfsync always\n")
    print("| server | median, us | p99, us |\n|---|---|---|")
    latencies: dict[str, list[float]] = {"redis": [], "kedis": []}
    with pair("--appendfsync", "always") as servers:
        for _ in range(repeats):
            for running in servers:
                words = [
                    "redis-benchmark",
                    "-p",
                    str(running.port),
                    "-c",
                    "10",
                    "-n",
                    "1000000",
                    "-t",
                    "set",
                    "-q",
                ]
                writers = subprocess.Popen(
                    ["taskset", "-c", LOAD_CORE, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                time.sleep(0.5)
                latencies[running.name] += probe(running.port, b"GET nothing\r\n", 1.5)
                writers.terminate()
                writers.wait()
    for name, values in latencies.items():
        quantiles = statistics.quantiles(values, n=100)
        print(f"| {name} | {quantiles[49] * 1e6:,.0f} | {quantiles[98] * 1e6:,.0f} |")


def probe(port: int, request: bytes, seconds: float) -> list[float]:
    """Round trips of one client, one after the other."""
    found = []
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        until = time.monotonic() + seconds
        while (began := time.perf_counter()) and time.monotonic() < until:
            client.sendall(request)
            client.recv(4096)
            found.append(time.perf_counter() - began)
    return found


def fill(running: Running, keys: int) -> None:
    """SET with 16-byte keys and 32-byte values."""
    lines = "".join(f"SET key:{number:012d} {number:032d}\r\n" for number in range(keys))
    subprocess.run(
        ["redis-cli", "-p", str(running.port), "--pipe"],
        input=lines,
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def bench_loading() -> None:
    """Each loads its own file of a million SETs; the time to start an empty folder is taken off."""
    print("\n### Loading 1,000,000 SET\n\n| server | seconds | commands/s |\n|---|---|---|")
    for name in ("redis", "kedis"):
        with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            with server(name, empty):
                start = time.monotonic() - began
            with server(name, folder, "--auto-aof-rewrite-percentage", "0") as running:
                fill(running, KEYS)
            began = time.monotonic()
            with server(name, folder):
                seconds = time.monotonic() - began - start
            print(f"| {name} | {seconds:.2f} | {KEYS / seconds:,.0f} |")


def resident(pid: int) -> int:
    """Proportional memory of a process and its children, in bytes."""
    pids = [pid]
    with contextlib.suppress(OSError):
        pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    total = 0
    for each in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def bench_rewrite() -> None:
    """BGREWRITEAOF at a million keys under a steady load of one writer; the stall is its longest round trip."""
    print("\n### Rewriting 1,000,000 keys\n")
    print("| server | seconds | longest wait of a writer, ms | memory before, MB | at most, MB | ratio |")
    print("|---|---|---|---|---|---|")
    for name in ("redis", "kedis"):
        with tempfile.TemporaryDirectory() as folder, server(name, folder) as running:
            fill(running, KEYS)
            time.sleep(2)
            before = peak = resident(running.pid)
            latencies: list[float] = []
            writer = threading.Thread(
                target=lambda running=running, latencies=latencies: latencies.extend(
                    probe(running.port, b"INCR counter\r\n", 12)
                )
            )
            writer.start()
            time.sleep(1)
            began = time.monotonic()
            running.call("bgrewriteaof")
            while "aof_rewrite_in_progress:1" in running.call("info", "persistence"):
                peak = max(peak, resident(running.pid))
                time.sleep(0.1)
            seconds = time.monotonic() - began
            writer.join()
            print(
                f"| {name} | {seconds:.1f} | {max(latencies) * 1e3:.1f} | {before / 1e6:.0f} | {peak / 1e6:.0f} "
                f"| {peak / before:.2f} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--only", choices=("rates", "readers", "loading", "rewrite"), help="one part instead of all"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each server for each line (default 3)"
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of the requests")
    options = parser.parse_args()
    print(f"{describe_machine()}; server on core {SERVER_CORE}, load on core {LOAD_CORE}")
    if options.only in (None, "rates"):
        bench_rates(options.repeats, 0.2 if options.quick else 1.0)
    if options.only in (None, "readers"):
        bench_readers(options.repeats)
    if options.only in (None, "loading"):
        bench_loading()
    if options.only in (None, "rewrite"):
        bench_rewrite()


if __name__ == "__main__":
    main()
