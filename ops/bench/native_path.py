"""The native path and the Python path beside Redis: throughput, and processor time per request.

Each server is pinned to one core and the load to another; runs alternate, and the table shows medians, the ratio of
requests a second to Redis's, and the ratio of the server's processor time (user and system) per request.

    python ops/bench/native_path.py                       everything, as Markdown
    python ops/bench/native_path.py --only unpipelined    one part
    python ops/bench/native_path.py --quick               a tenth of the requests, one run of each
    python ops/bench/native_path.py --steps               what a request costs inside the process, step by step
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from against_redis import LOAD_CORE, Running, describe_machine, server

EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
COMMANDS = ("set", "get", "incr", "lpush", "lpop", "sadd", "hset", "zadd")
PIPELINED = ("set", "get", "incr", "lpush", "lpop", "sadd")
SUBSCRIBERS = 1000


@dataclass
class Row:
    """One line of a table: the load, and what is asked of the ratio of throughput."""

    title: str
    arguments: list[str]
    requests: int
    clients: int = 50
    pipeline: int = 1
    asked: float = 1.0
    prepare: Callable[[Running], object] | None = None


@dataclass
class Measured:
    """The rates in requests a second, and processor microseconds a request, of one server."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def cost(self) -> float:
        return statistics.median(self.costs)


def processor_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def run(running: Running, row: Row) -> tuple[float, float]:
    """One run of redis-benchmark: requests a second, and processor microseconds a request."""
    words = [
        "-p",
        str(running.port),
        "-c",
        str(row.clients),
        "-P",
        str(row.pipeline),
        "-n",
        str(row.requests),
    ]
    before = processor_seconds(running.pid)
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "redis-benchmark", "-q", *words, *row.arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    cost = (processor_seconds(running.pid) - before) / row.requests * 1e6
    found = re.findall(r"([\d.]+) requests per second", done.stdout)
    if not found:
        raise SystemExit(f"redis-benchmark gave no rate: {done.stdout[-200:]} {done.stderr[-200:]}")
    return float(found[-1]), cost


def run_harder(running: Running, row: Row) -> tuple[float, float]:
    """One run of kedis-benchmark, likewise."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        words = [
            "-p",
            str(running.port),
            "-c",
            str(row.clients),
            "-n",
            str(row.requests),
            "--json",
            str(report),
        ]
        subprocess.run(
            [
                "taskset",
                "-c",
                LOAD_CORE,
                sys.executable,
                "-m",
                "kedis.cli.benchmark.main",
                *words,
                *row.arguments,
            ],
            capture_output=True,
            check=True,
        )
        found = json.loads(report.read_text())["rows"][0]
    return found["throughput"], found["server_cpu_us"]


Load = Callable[[Running, Row], tuple[float, float]]


@contextlib.contextmanager
def servers(names: Sequence[str], flags: Sequence[str]) -> Iterator[list[Running]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server(name, flags)) for name in names]


def head(title: str, names: Sequence[str]) -> None:
    columns = ["load", "redis: requests/s", "us each"]
    for name in names[1:]:
        columns += [f"{name}: requests/s", "ratio", "us each", "cpu ratio"]
    columns.append("asked")
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)


def measure(running: Sequence[Running], row: Row, repeats: int, load: Load = run) -> None:
    """Run one row on all servers in turn, and print it."""
    figures = {each.name: Measured() for each in running}
    for each in running:
        if row.prepare is not None:
            row.prepare(each)
    for _ in range(repeats):
        for each in running:
            rate, cost = load(each, row)
            figures[each.name].rates.append(rate)
            figures[each.name].costs.append(cost)
    redis, *others = figures.values()
    cells = [f"{redis.rate:,.0f}", f"{redis.cost:.2f}"]
    for other in others:
        cells += [
            f"{other.rate:,.0f}",
            f"{other.rate / redis.rate:.2f}",
            f"{other.cost:.2f}",
            f"{other.cost / redis.cost:.2f}",
        ]
    print(f"| {row.title} | {' | '.join(cells)} | {row.asked} |", flush=True)


def usual(names: Sequence[str], scale: float, clients: int, pipeline: int, asked: float) -> list[Row]:
    requests = int((100_000 if pipeline == 1 else 500_000) * scale * (0.4 if clients < 10 else 1))
    return [
        Row(name.upper(), ["-r", "100000", "-t", name], requests, clients, pipeline, asked) for name in names
    ]


def part_unpipelined(names: Sequence[str], scale: float, repeats: int) -> None:
    for clients, asked in ((50, 1.0), (10, 1.0), (1, 0.95)):
        head(f"{clients} connections, appendfsync everysec", names)
        with servers(names, EVERYSEC) as running:
            for row in usual(COMMANDS if clients == 50 else ("set", "get", "hset"), scale, clients, 1, asked):
                measure(running, row, repeats)


def part_pipelined(names: Sequence[str], scale: float, repeats: int) -> None:
    head("50 connections, pipeline 16, appendfsync everysec", names)
    with servers(names, EVERYSEC) as running:
        for row in usual(PIPELINED, scale, 50, 16, 1.2):
            measure(running, row, repeats)
        many = int(200_000 * scale)
        measure(running, Row("HSET", ["-r", "100000", "-t", "hset"], 2 * many, 50, 16), repeats)
        measure(running, Row("MSET of 10", ["-r", "100000", "-t", "mset"], many, 50, 16), repeats)
        measure(running, Row("LRANGE of 100", ["-t", "lrange_100"], many // 2, 50, 16), repeats)
        for size in (1_000, 100_000, 1_000_000):
            key = f"zset:{size}"
            for each in running:
                fill_sorted_set(each, key, size)
            member = "member:__rand_int__"
            update = ["-r", str(size), "zadd", key, "__rand_int__", member]
            measure(running, Row(f"ZADD update, {size:,} members", update, many, 50, 16), repeats)
            rank = ["-r", str(size), "zrank", key, member]
            measure(running, Row(f"ZRANK, {size:,} members", rank, many, 50, 16), repeats)


def fill_sorted_set(running: Running, key: str, size: int) -> None:
    lines = "".join(f"ZADD {key} {at} member:{at:012d}\r\n" for at in range(size))
    subprocess.run(
        ["redis-cli", "-p", str(running.port), "--pipe"],
        input=lines,
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def part_conditions(names: Sequence[str], scale: float, repeats: int) -> None:
    """What differs from redis-benchmark's usual conditions, each once, unpipelined and pipelined."""
    conditions: list[tuple[str, tuple[str, ...], list[str], Callable[[str], list[str]]]] = [
        ("requirepass", ("--requirepass", "secret"), ["-a", "secret"], lambda name: ["-t", name]),
        (
            "maxmemory allkeys-lru",
            ("--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"),
            [],
            lambda name: ["-t", name],
        ),
        ("RESP3", (), ["-3"], lambda name: ["-t", name]),
        ("SELECT 1", (), ["--dbnum", "1"], lambda name: ["-t", name]),
        ("1 KB values", (), ["-d", "1024"], lambda name: ["-t", name]),
        (
            "a TTL on each key",
            (),
            [],
            lambda name: (
                ["set", "key:__rand_int__", "xxx", "EX", "1000"]
                if name == "set"
                else ["get", "key:__rand_int__"]
            ),
        ),
    ]
    head("Other conditions, 50 connections, appendfsync everysec", names)
    for title, flags, options, words in conditions:
        os.environ.pop("REDISCLI_AUTH", None)
        if title == "requirepass":
            os.environ["REDISCLI_AUTH"] = "secret"
        with servers(names, (*EVERYSEC, *flags)) as running:
            for name in ("set", "get"):
                for pipeline, asked in ((1, 1.0), (16, 1.2)):
                    requests = int((100_000 if pipeline == 1 else 400_000) * scale)
                    arguments = [*options, "-r", "100000", *words(name)]
                    row = Row(
                        f"{title}: {name.upper()}, pipeline {pipeline}",
                        arguments,
                        requests,
                        50,
                        pipeline,
                        asked,
                    )
                    measure(running, row, repeats)


def part_always(names: Sequence[str], scale: float, repeats: int) -> None:
    head("appendfsync always", names)
    with servers(names, ALWAYS) as running:
        for clients, asked in ((10, 1.3), (50, 1.1)):
            row = Row(
                f"SET, {clients} connections",
                ["-r", "100000", "-t", "set"],
                int(60_000 * scale),
                clients,
                1,
                asked,
            )
            measure(running, row, repeats)


def part_harder(names: Sequence[str], scale: float, repeats: int) -> None:
    head("kedis-benchmark as the load, nothing on disk", names)
    with servers(names, ("--appendonly", "no")) as running:
        for clients in (10, 50):
            for name, ratio in (("SET", "1:0"), ("GET", "0:1")):
                requests = int(100_000 * scale)
                row = Row(f"{name}, {clients} connections", ["--ratio", ratio], requests, clients)
                measure(running, row, repeats, run_harder)


def part_publish(names: Sequence[str], scale: float, repeats: int) -> None:
    head(f"PUBLISH to {SUBSCRIBERS:,} subscribers (deliveries)", names)
    with servers(names, ("--appendonly", "no")) as running:
        figures = {each.name: Measured() for each in running}
        for _ in range(repeats):
            for each in running:
                rate, cost = publish(each, max(int(300 * scale), 20))
                figures[each.name].rates.append(rate)
                figures[each.name].costs.append(cost)
    redis, *others = figures.values()
    cells = [f"{redis.rate:,.0f}", f"{redis.cost:.2f}"]
    for other in others:
        cells += [f"{other.rate:,.0f}", f"{other.rate / redis.rate:.2f}", f"{other.cost:.2f}"]
        cells.append(f"{other.cost / redis.cost:.2f}")
    print(f"| PUBLISH | {' | '.join(cells)} | 1.0 |", flush=True)


def publish(running: Running, messages: int) -> tuple[float, float]:
    """Deliveries a second, and processor microseconds for each."""
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    address = ("127.0.0.1", running.port)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(socket.create_connection(address)) for _ in range(SUBSCRIBERS)]
        for reader in readers:
            reader.sendall(b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n")
        for reader in readers:
            reader.recv(1000)
            reader.setblocking(False)
        publisher = stack.enter_context(socket.create_connection(address))
        wanted = len(b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n") * SUBSCRIBERS * messages
        received = 0
        before, began = processor_seconds(running.pid), time.perf_counter()
        for number in range(messages):
            publisher.sendall(b"*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$5\r\nhello\r\n")
            publisher.recv(100)
            if number % 20 == 19:
                received += drain(readers)
        while received < wanted:
            received += drain(readers)
        seconds = time.perf_counter() - began
        cost = processor_seconds(running.pid) - before
    deliveries = SUBSCRIBERS * messages
    return deliveries / seconds, cost / deliveries * 1e6


def drain(readers: Sequence[socket.socket]) -> int:
    received = 0
    for reader in readers:
        with contextlib.suppress(BlockingIOError):
            received += len(reader.recv(65536))
    return received


# -- inside the process -----------------------------------------------------------------------------------


def encoded(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def print_steps() -> None:
    """Nanoseconds of processor time a request, without the kernel: both paths on the same bytes."""
    from kedis.commands import load_all
    from kedis.engine.client import Client
    from kedis.engine.engine import Engine
    from kedis.engine.transport import NullTransport
    from kedis.native.path import Path as NativePath
    from kedis.native.path import Peer
    from kedis.resp.requests import RequestParser

    class Sink:
        def feed(self, pieces: Sequence[bytes]) -> None: ...

        def lost(self) -> None: ...

    load_all()
    key = b"key:000000000012"
    steps = [
        ("PING: parse, find the row, reply, measure", encoded(b"PING"), False),
        ("GET of a missing key: and look it up", encoded(b"GET", b"nothing:here"), False),
        ("GET: and copy the value", encoded(b"GET", key), False),
        ("SET: store, keep the account", encoded(b"SET", key, b"x" * 32), False),
        ("SET with a journal: and record it", encoded(b"SET", key, b"x" * 32), True),
        ("TYPE: through its handler", encoded(b"TYPE", key), False),
    ]
    print(
        "\n### Inside the process, ns a request (pipeline of 16)\n\n| request | native | Python |\n|---|---|---|"
    )
    for title, request, recorded in steps:
        costs = []
        for natively in (True, False):
            engine = Engine()
            client = Client(engine, NullTransport(), in_parts=True)
            if recorded:
                engine.propagation.add_sink(Sink())
            engine.run(client, [[b"SET", key, b"x" * 32]])
            peer, path, parser = Peer(), NativePath(engine), RequestParser()
            peer.client = client
            data = request * 16
            best = 1e9
            for _ in range(5):
                began = time.process_time()
                for _ in range(2000):
                    if natively:
                        path.feed(peer, data, 1 << 60, 0)
                        peer.drop_buffers_here()
                    else:
                        engine.run(client, parser.feed(data))
                        b"".join(client.out)  # type: ignore[arg-type]
                    client.out.clear()
                    engine.propagation.entries.clear()
                best = min(best, time.process_time() - began)
            costs.append(best / 2000 / 16 * 1e9)
        print(f"| {title} | {costs[0]:.0f} | {costs[1]:.0f} |", flush=True)


PARTS: dict[str, Callable[[Sequence[str], float, int], None]] = {
    "unpipelined": part_unpipelined,
    "pipelined": part_pipelined,
    "conditions": part_conditions,
    "always": part_always,
    "harder": part_harder,
    "publish": part_publish,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="some parts instead of all")
    parser.add_argument(
        "--repeats", type=int, default=5, help="runs of each server for each line (default 5)"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests, one run of each")
    parser.add_argument("--steps", action="store_true", help="the steps inside the process alone")
    parser.add_argument("--python", action="store_true", help="the Python path as a third server")
    options = parser.parse_args()
    print(describe_machine())
    if options.steps:
        print_steps()
        return
    names = ["redis", "kedis", *["python"] * options.python]
    for part in options.only or PARTS:
        PARTS[part](names, 0.1 if options.quick else 1.0, 1 if options.quick else options.repeats)


if __name__ == "__main__":
    main()
