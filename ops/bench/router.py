"""The router beside a direct client of its node, and beside twemproxy: what a door to a cluster costs.

    python ops/bench/router.py                  median of five runs of each, as Markdown: six minutes
    python ops/bench/router.py --quick          a first look
    python ops/bench/router.py --only idle      one part

The node (a cluster of one master of real Redis) and the load share a core; the router has the other one to itself.  A
direct client is the same load on the same core without the router.  The runs of all take turns, so that a slow moment
of the machine strikes each.  twemproxy takes part where Debian's package ``nutcracker`` is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from against_redis import Running, describe_machine, free_port, wait_until_ready
from native_path import processor_seconds

NODE_CORE, ROUTER_CORE = "0", "1"
IDLE_CLIENTS = 5_000
#: Asked of Kedis: shares of a direct client's requests, microseconds that are added, bytes an idle client.
SHARE, PIPELINED_SHARE, ADDED_US, IDLE_BYTES = 0.45, 0.40, 150, 30 * 1024
_TWEMPROXY = """router:
  listen: 127.0.0.1:{port}
  redis: true
  hash: crc16
  distribution: ketama
  timeout: 10000
  servers:
   - 127.0.0.1:{node}:1
"""


@dataclass(frozen=True)
class Load:
    """What redis-benchmark sends, and how many; ``aim`` is the share of a direct client's that is asked for."""

    title: str
    command: str
    connections: int
    pipeline: int
    requests: int
    aim: float


@dataclass(frozen=True)
class Run:
    """One run: requests a second, the median latency, and processor time a request of node and router."""

    rate: float
    median_us: float
    node_us: float
    router_us: float


def loads(scale: float) -> list[Load]:
    found = []
    for command in ("get", "set"):
        found.append(Load(f"{command.upper()}, 50 connections", command, 50, 1, int(100_000 * scale), SHARE))
        title = f"{command.upper()}, 50 connections, pipeline 16"
        found.append(Load(title, command, 50, 16, int(600_000 * scale), PIPELINED_SHARE))
    return found


def latency_loads(scale: float) -> list[Load]:
    return [
        Load(f"{name.upper()}, 10 connections", name, 10, 1, int(50_000 * scale), 0)
        for name in ("get", "set")
    ]


# -- the servers ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def started(name: str, core: str, words: Sequence[str], port: int, folder: str) -> Iterator[Running]:
    """A program on a core; it has ended with the block."""
    process = subprocess.Popen(
        ["taskset", "-c", core, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    try:
        running = Running(name, port, process.pid)
        if name == "twemproxy":  # which knows PING of late versions alone
            _wait_for_port(port)
        else:
            wait_until_ready(running)
        yield running
    finally:
        process.terminate()
        process.wait()


def _wait_for_port(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit("twemproxy did not start")


@contextlib.contextmanager
def node(folder: str) -> Iterator[Running]:
    """A cluster of one: a Redis that has all slots."""
    port, bus = free_port(), free_port()
    words = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder]
    words += ["--cluster-enabled", "yes", "--cluster-port", str(bus), "--maxclients", "12000"]
    with started("node", NODE_CORE, words, port, folder) as running:
        running.call("cluster", "addslotsrange", "0", "16383")
        while "cluster_state:ok" not in running.call("cluster", "info"):
            time.sleep(0.05)
        yield running


def routers(folder: str, target: Running) -> list[tuple[str, list[str], int]]:
    """Name, command line and port of Kedis, of its Python path where that is another, and of twemproxy."""
    found = []
    for name, prefix in (("kedis", []), ("python", ["env", "KEDIS_PURE=1"])):
        port = free_port()
        words = [*prefix, sys.executable, "-m", "kedis", "--port", str(port), "--metrics-port", "no"]
        words += ["--maxclients", "12000", "--upstream", f"redis://127.0.0.1:{target.port}"]
        found.append((name, words, port))
    program = shutil.which("nutcracker") or shutil.which("nutcracker", path="/usr/sbin")
    if program is not None:
        port = free_port()
        settings = Path(folder) / "nutcracker.yml"
        settings.write_text(_TWEMPROXY.format(port=port, node=target.port))
        words = [program, "-c", str(settings), "-s", str(free_port()), "-m", "16384"]
        found.append(("twemproxy", words, port))
    return found


@contextlib.contextmanager
def everything(names: Sequence[str]) -> Iterator[tuple[Running, list[Running]]]:
    """The node, and those of the routers that are named or all."""
    with tempfile.TemporaryDirectory() as folder, node(folder) as target, contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(started(name, ROUTER_CORE, words, port, folder))
            for name, words, port in routers(folder, target)
            if name in names
        ]
        yield target, running


# -- measuring ------------------------------------------------------------------------------------------------


def run(door: Running, target: Running, load: Load) -> Run:
    """One run of redis-benchmark on the node's core, by way of ``door``, which may be the node itself."""
    words = ["-p", str(door.port), "-c", str(load.connections), "-n", str(load.requests)]
    words += ["-P", str(load.pipeline), "-r", "100000", "-d", "32", "-t", load.command, "--csv"]
    before = processor_seconds(target.pid), processor_seconds(door.pid)
    done = subprocess.run(
        ["taskset", "-c", NODE_CORE, "redis-benchmark", *words], capture_output=True, text=True, check=True
    )
    spent = [
        (processor_seconds(each.pid) - since) / load.requests * 1e6
        for each, since in zip((target, door), before, strict=True)
    ]
    row = list(csv.DictReader(io.StringIO(done.stdout)))[-1]
    rate, median = float(row["rps"]), float(row["p50_latency_ms"]) * 1e3
    return Run(rate, median, spent[0], 0.0 if door is target else spent[1])


def medians(runs: Sequence[Run]) -> Run:
    """The median of each figure by itself."""
    names = ("rate", "median_us", "node_us", "router_us")
    return Run(**{name: statistics.median(getattr(each, name) for each in runs) for name in names})


def measure(target: Running, doors: Sequence[Running], load: Load, repeats: int) -> list[Run]:
    """Medians of runs in turn: the node's own first, then each door's."""
    found: list[list[Run]] = [[] for _ in range(1 + len(doors))]
    for _ in range(repeats):
        for runs, door in zip(found, (target, *doors), strict=True):
            runs.append(run(door, target, load))
    return [medians(runs) for runs in found]


def bench_throughput(names: Sequence[str], repeats: int, scale: float) -> None:
    """Requests a second, each door's beside the node's own."""
    with everything(names) as (target, doors):
        columns = [f"{door.name}: requests/s, share, its us a request" for door in doors]
        print("\n### Requests a second\n")
        print(f"| load | direct: requests/s, node's us | {' | '.join(columns)} | aim |")
        print("|---|" + "---|" * (len(columns) + 2))
        for load in loads(scale):
            direct, *routed = measure(target, doors, load, repeats)
            cells = [
                f"{each.rate:,.0f}, **{each.rate / direct.rate:.2f}**, {each.router_us:.1f}"
                for each in routed
            ]
            start = f"| {load.title} | {direct.rate:,.0f}, {direct.node_us:.1f} | "
            print(start + " | ".join(cells) + f" | {load.aim:.2f} |", flush=True)


def bench_latency(names: Sequence[str], repeats: int, scale: float) -> None:
    """The median latency that each door adds."""
    with everything(names) as (target, doors):
        columns = [f"{door.name}: p50, added" for door in doors]
        print("\n### Latency, us\n")
        print(f"| load | direct: p50 | {' | '.join(columns)} | aim: added |")
        print("|---|" + "---|" * (len(columns) + 2))
        for load in latency_loads(scale):
            direct, *routed = measure(target, doors, load, repeats)
            cells = [
                f"{each.median_us:,.0f}, **{each.median_us - direct.median_us:,.0f}**" for each in routed
            ]
            print(
                f"| {load.title} | {direct.median_us:,.0f} | {' | '.join(cells)} | {ADDED_US} |", flush=True
            )


def idle_bytes(door: Running, count: int) -> float:
    """Memory that a door takes for one more client that has asked once and waits."""
    request = b"*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n"
    with contextlib.ExitStack() as stack:
        for number in range(count + 100):
            if number == 100:  # what the first connections bring about once is not counted
                time.sleep(0.5)
                before = door.resident_bytes()
            client = stack.enter_context(socket.create_connection(("127.0.0.1", door.port), 60))
            client.sendall(request)
            client.recv(100)
        time.sleep(0.5)
        return (door.resident_bytes() - before) / count


def bench_idle(names: Sequence[str], repeats: int, scale: float) -> None:
    """Resident memory of idle clients; what the kernel keeps for their sockets is the same for all."""
    count = max(500, int(IDLE_CLIENTS * scale))
    print(f"\n### An idle client of {count:,}, bytes; asked of Kedis: {IDLE_BYTES:,} at most\n")
    with everything(names) as (_, doors):
        print("| " + " | ".join(door.name for door in doors) + " |\n|" + "---|" * len(doors))
        print("| " + " | ".join(f"{idle_bytes(door, count):,.0f}" for door in doors) + " |", flush=True)


PARTS: dict[str, Callable[[Sequence[str], int, float], None]] = {
    "throughput": bench_throughput,
    "latency": bench_latency,
    "idle": bench_idle,
}
NAMES = ("kedis", "python", "twemproxy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--doors", nargs="+", choices=NAMES, default=["kedis", "twemproxy"])
    parser.add_argument("--repeats", type=int, default=5, help="runs of each for each line (default 5)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the requests and clients, one run")
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two cores are needed: one for node and load, one for the router")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 20_000)), hard))
    repeats, scale = (1, 0.2) if options.quick else (options.repeats, 1.0)
    print(f"{describe_machine()}; node and load on core {NODE_CORE}, router on core {ROUTER_CORE}")
    for name, bench in PARTS.items():
        if options.only in (None, name):
            bench(options.doors, repeats, scale)


if __name__ == "__main__":
    main()
