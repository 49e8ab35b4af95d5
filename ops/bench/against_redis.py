"""Kedis beside real Redis: the same load, the same core, in the same run.

Each server is pinned to one core and redis-benchmark to another.  The runs of the two servers alternate, so that a
slow moment of the machine strikes both; the table shows the median of each and the ratio of the medians.

    python ops/bench/against_redis.py                       everything, as Markdown
    python ops/bench/against_redis.py --only basic --quick  a first look
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kedis import native

SERVER_CORE, LOAD_CORE = "0", "1"
SORTED_SET_SIZES = (1_000, 100_000, 1_000_000)
MILLION = 1_000_000


@dataclass(frozen=True)
class Running:
    """A server under test."""

    name: str
    port: int
    pid: int

    def call(self, *words: str) -> str:
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def resident_bytes(self) -> int:
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGESIZE")


@dataclass(frozen=True)
class Load:
    """One line of the table: what redis-benchmark is to send."""

    title: str
    arguments: Sequence[str]
    requests: int
    pipeline: int = 1
    aim: float = 0.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> list[str]:
    """The words that start ``redis``, ``kedis``, or ``python``, which is Kedis without its native path."""
    if name == "redis":
        return ["redis-server", "--save", "", "--aof-use-rdb-preamble", "no"]
    words = [sys.executable, "-m", "kedis", "--save", "", "--metrics-port", "no"]
    return ["env", "KEDIS_PURE=1", *words] if name == "python" else words


def contenders() -> list[str]:
    """The servers to compare: both paths of Kedis where there are two."""
    return ["redis", "kedis", *["python"] * (native.PATH == "native")]


@contextlib.contextmanager
def server(name: str, durability: Sequence[str]) -> Iterator[Running]:
    """Start Redis or Kedis on a free port, pinned to the server core, in a folder of its own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *program(name), "--port", str(port), "--dir", folder, *durability],
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        try:
            running = Running(name, port, process.pid)
            wait_until_ready(running)
            yield running
        finally:
            process.terminate()
            process.wait()


def wait_until_ready(running: Running) -> None:
    for _ in range(200):
        with contextlib.suppress(subprocess.CalledProcessError):
            if running.call("ping") == "PONG":
                return
        time.sleep(0.05)
    raise SystemExit(f"{running.name} did not start")


def run_load(running: Running, load: Load, clients: int = 50) -> float:
    """Requests per second, as redis-benchmark measures them."""
    done = subprocess.run(
        [
            "taskset",
            "-c",
            LOAD_CORE,
            "redis-benchmark",
            "--csv",
            "-p",
            str(running.port),
            "-c",
            str(clients),
            "-n",
            str(load.requests),
            "-P",
            str(load.pipeline),
            *load.arguments,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = list(csv.reader(io.StringIO(done.stdout)))
    return float(rows[-1][1])


def compare(servers: Sequence[Running], load: Load, repeats: int, clients: int = 50) -> list[float]:
    """Medians of alternating runs, in the order of the servers."""
    rates: dict[str, list[float]] = {running.name: [] for running in servers}
    for _ in range(repeats):
        for running in servers:
            rates[running.name].append(run_load(running, load, clients))
    return [statistics.median(found) for found in rates.values()]


@contextlib.contextmanager
def all_servers(*flags: str) -> Iterator[list[Running]]:
    """All that are to be compared, Redis first."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server(name, flags)) for name in contenders()]


def basic_loads(scale: float) -> list[Load]:
    names = ("set", "get", "incr", "lpush", "lpop", "sadd", "hset", "zadd")
    small = [Load(name.upper(), ["-r", "100000", "-t", name], int(50_000 * scale), aim=0.9) for name in names]
    deep = [
        Load(f"{name.upper()}, pipeline 16", ["-r", "100000", "-t", name], int(240_000 * scale), 16, 0.45)
        for name in names
    ]
    return small + deep


def print_row(load: Load, rates: Sequence[float]) -> None:
    aim = f"{load.aim:.2f}" if load.aim else ""
    print(f"| {load.title} | {ratios(rates)} | {aim} |", flush=True)


def ratios(rates: Sequence[float]) -> str:
    """The cells for what Redis and the others reach: a rate, and for all but Redis its ratio to Redis's."""
    redis, *others = rates
    return " | ".join([f"{redis:,.0f}", *(f"{rate:,.0f} | {rate / redis:.2f}" for rate in others)])


def print_head(title: str, what: str = "load") -> None:
    names = {"kedis": "Kedis", "python": "Kedis, Python path"}
    columns = [*what.split(" | "), "Redis, requests/s"]
    for name in contenders()[1:]:
        columns += [f"{names[name]}, requests/s", "ratio"]
    columns.append("aim")
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")


def bench_basic(repeats: int, scale: float) -> None:
    """The usual commands, 50 connections, nothing written to disk."""
    print_head("50 connections, nothing on disk")
    with all_servers("--appendonly", "no") as servers:
        for load in basic_loads(scale):
            print_row(load, compare(servers, load, repeats))


def bench_sorted_sets(repeats: int, scale: float) -> None:
    """ZADD of random scores to members that are there, and ZRANK, at growing sizes."""
    print_head("Sorted sets, pipeline 16")
    cost: dict[str, dict[int, float]] = {"ZADD update": {}, "ZRANK": {}}
    with all_servers("--appendonly", "no") as servers:
        for size in SORTED_SET_SIZES:
            key = f"zset:{size}"
            for running in servers:
                fill_sorted_set(running, key, size)
            commands = {
                "ZADD update": ["zadd", key, "__rand_int__", "member:__rand_int__"],
                "ZRANK": ["zrank", key, "member:__rand_int__"],
            }
            for name, words in commands.items():
                load = Load(
                    f"{name}, {size:,} members", ["-r", str(size), *words], int(200_000 * scale), 16, 0.5
                )
                rates = compare(servers, load, repeats)
                cost[name][size] = 1e6 / rates[1]
                print_row(load, rates)
    small, large = SORTED_SET_SIZES[0], SORTED_SET_SIZES[-1]
    for name, by_size in cost.items():
        growth = by_size[large] / by_size[small]
        print(f"\n{name}: a call at {large:,} members costs {growth:.1f} x one at {small:,} (aim: at most 4)")


def fill_sorted_set(running: Running, key: str, size: int) -> None:
    """Every member that redis-benchmark's 12-digit random numbers can name, by mass insertion."""
    lines = "".join(f"ZADD {key} {position} member:{position:012d}\r\n" for position in range(size))
    subprocess.run(
        ["redis-cli", "-p", str(running.port), "--pipe"],
        input=lines,
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def bench_memory() -> None:
    """A million string keys: 16-byte key, 32-byte value."""
    print("\n### Memory: a million strings (16-byte key, 32-byte value)\n")
    print("| server | resident bytes a key |\n|---|---|")
    per_key: dict[str, float] = {}
    lines = "".join(f"SET key:{number:012d} {number:032d}\r\n" for number in range(MILLION))
    for name in ("redis", "kedis"):
        with server(name, ("--appendonly", "no")) as running:
            before = running.resident_bytes()
            subprocess.run(
                ["redis-cli", "-p", str(running.port), "--pipe"],
                input=lines,
                text=True,
                stdout=subprocess.DEVNULL,
                check=True,
            )
            per_key[name] = (running.resident_bytes() - before) / MILLION
        print(f"| {name} | {per_key[name]:.0f} |", flush=True)
    print(f"\nratio {per_key['kedis'] / per_key['redis']:.2f} (aim: at most 1.70)")


def describe_machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    version = redis.split("v=")[1].split()[0]
    return f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}; Redis {version}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=("basic", "sorted-sets", "memory"), help="one part instead of all")
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each server for each line (default 3)"
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of the requests")
    options = parser.parse_args()
    for tool in ("redis-server", "redis-benchmark", "redis-cli", "taskset"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is needed for this benchmark and is not installed")
    scale = 0.2 if options.quick else 1.0
    print(f"{describe_machine()}; server on core {SERVER_CORE}, load on core {LOAD_CORE}")
    if options.only in (None, "basic"):
        bench_basic(options.repeats, scale)
    if options.only in (None, "sorted-sets"):
        bench_sorted_sets(options.repeats, scale)
    if options.only in (None, "memory"):
        bench_memory()


if __name__ == "__main__":
    main()
