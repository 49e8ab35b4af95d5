"""What the metrics cost: the commands while a server is scraped, the scrape itself, and whoever waits beside it.

    python ops/bench/metrics.py           everything, as Markdown
    python ops/bench/metrics.py --quick   a look

The server is pinned to one core and the load to the other, as in ops/bench/against_redis.py.  Throughput with the
endpoint off and with it on, scraped every second, is measured in alternating runs of two servers.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator

from against_redis import (
    LOAD_CORE,
    SERVER_CORE,
    Load,
    Running,
    describe_machine,
    free_port,
    run_load,
    wait_until_ready,
)

from kedis.commands import load_all
from kedis.engine.table import every_command
from kedis.resp.replies import encode_command

CLIENTS = 10_000
SCRAPES = 20


@contextlib.contextmanager
def kedis(metrics_port: int) -> Iterator[Running]:
    """A server pinned to its core; ``metrics_port`` 0 turns the endpoint off."""
    port = free_port()
    words = [
        "--port",
        str(port),
        "--appendonly",
        "no",
        "--save",
        "",
        "--metrics-port",
        str(metrics_port or "no"),
    ]
    words += ["--maxclients", str(2 * CLIENTS)]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, sys.executable, "-m", "kedis", *words, "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            running = Running("kedis", port, process.pid)
            wait_until_ready(running)
            yield running
        finally:
            process.terminate()
            process.wait()


def scrape(port: int) -> int:
    """Bytes of one scrape, compressed as Prometheus asks for it."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return len(answer.read())


@contextlib.contextmanager
def scraped_every_second(port: int) -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(1):
            scrape(port)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def bench_throughput(repeats: int, scale: float) -> None:
    print("\n### Throughput with the endpoint off, and on and scraped every second\n")
    print("| load | off, requests/s | on, requests/s | ratio | aim |\n|---|---|---|---|---|")
    port = free_port()
    with kedis(0) as off, kedis(port) as on, scraped_every_second(port):
        for load in (
            Load("SET", ["-r", "100000", "-t", "set"], int(200_000 * scale)),
            Load("GET, pipeline 16", ["-r", "100000", "-t", "get"], int(1_000_000 * scale), 16),
        ):
            rates: dict[int, list[float]] = {off.port: [], on.port: []}
            for _ in range(repeats):
                for running in (off, on):
                    rates[running.port].append(run_load(running, load))
            without, beside = (statistics.median(found) for found in rates.values())
            print(
                f"| {load.title} | {without:,.0f} | {beside:,.0f} | {beside / without:.3f} | 0.97 |",
                flush=True,
            )


def use_every_command(running: Running) -> None:
    """Call everything once, mostly in vain, so that every series exists."""
    load_all()
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        for row in every_command():
            if row.function is None or row.name in (
                "shutdown",
                "debug",
                "monitor",
                "quit",
                "reset",
                "migrate",
            ):
                continue
            sock.sendall(encode_command(row.name.encode().split(b"|")))
            sock.recv(1 << 20)


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ping(sock: socket.socket) -> float:
    """Seconds that one PING took."""
    began = time.perf_counter()
    sock.sendall(b"PING\r\n")
    sock.recv(64)
    return time.perf_counter() - began


def pings_beside_a_scrape(sock: socket.socket, port: int) -> list[float]:
    """How long each PING took from asking for a scrape until its last byte; no other process is busy meanwhile."""
    took: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as scraper:
        scraper.sendall(b"GET /metrics HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
        scraper.setblocking(False)
        while True:
            took.append(ping(sock))
            with contextlib.suppress(BlockingIOError):
                if not scraper.recv(1 << 20):
                    return took


def longest_pings(running: Running, port: int) -> tuple[list[float], list[float]]:
    """The longest PING of as many moments without a scrape as beside one, in turn, each as long as the other."""
    without: list[float] = []
    beside: list[float] = []
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(SCRAPES):
            took = pings_beside_a_scrape(sock, port)
            beside.append(max(took))
            until = time.perf_counter() + sum(took)
            longest = 0.0
            while time.perf_counter() < until:
                longest = max(longest, ping(sock))
            without.append(longest)
    return without, beside


def bench_scrape(clients: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, clients + 1000), hard))
    clients = min(clients, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500)
    port = free_port()
    with kedis(port) as running, contextlib.ExitStack() as stack:
        use_every_command(running)
        for _ in range(clients):
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        size = scrape(port)
        without, beside = longest_pings(running, port)
        used = cpu_seconds(running.pid)
        for _ in range(SCRAPES):
            scrape(port)
        each = (cpu_seconds(running.pid) - used) / SCRAPES
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(f"\n### A scrape, all commands used, {clients:,} clients connected\n")
    print("| figure | value | aim |\n|---|---|---|")
    print(f"| size, compressed | {size / 1000:,.0f} kB | |")
    print(f"| processor time | {1000 * each:.0f} ms | |")
    print(f"| share of a core at one every 5 s | {each / 5:.2%} | 1 % |")
    for title, longest, aim in (("without a scrape", without, ""), ("beside a scrape", beside, "5 ms")):
        figures = f"{1000 * statistics.median(longest):.1f} ms, {1000 * max(longest):.1f} ms"
        print(f"| longest PING {title}, median and worst of {SCRAPES} | {figures} | {aim} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("throughput", "scrape"), help="one part instead of both")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    options = parser.parse_args()
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    print(describe_machine())
    if options.only in (None, "throughput"):
        bench_throughput(3 if options.quick else 7, 0.3 if options.quick else 1)
    if options.only in (None, "scrape"):
        bench_scrape(1_000 if options.quick else CLIENTS)


if __name__ == "__main__":
    main()
