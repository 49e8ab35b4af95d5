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
from kedis.commands.table import every_command

CLIENTS = 10_000
SCRAPES = 20


@contextlib.contextmanager
def kedis(metrics_port: int) -> Iterator[Running]:
    """A server pinned to its core; ``metrics_port`` 0 turns the endpoint off."""
    port = free_port()
    words = ["--port", str(port), "--appendonly", "no", "--metrics-port", str(metrics_port or "no")]
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
            words = row.name.encode().split(b"|")
            sock.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))
            sock.recv(1 << 20)


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pings(port: int, stop: threading.Event, took: list[float]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not stop.is_set():
            began = time.perf_counter()
            sock.sendall(b"PING\r\n")
            sock.recv(64)
            took.append(time.perf_counter() - began)


def longest_ping(running: Running, scrapes: int, port: int) -> float:
    """The longest of pings that go on for as long as ``scrapes`` take in another process (or 2 s without)."""
    took: list[float] = []
    stop = threading.Event()
    thread = threading.Thread(target=pings, args=(running.port, stop, took))
    thread.start()
    if scrapes:
        code = (
            "import sys,urllib.request as u\n"
            "for _ in range(int(sys.argv[2])): u.urlopen('http://127.0.0.1:'+sys.argv[1]+'/metrics').read()"
        )
        subprocess.run(
            ["taskset", "-c", LOAD_CORE, sys.executable, "-c", code, str(port), str(scrapes)], check=True
        )
    else:
        time.sleep(2)
    stop.set()
    thread.join()
    return max(took)


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
        before = longest_ping(running, 0, port)
        beside = longest_ping(running, SCRAPES, port)
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
    print(f"| longest PING without a scrape | {1000 * before:.1f} ms | |")
    print(f"| longest PING beside {SCRAPES} scrapes | {1000 * beside:.1f} ms | 5 ms |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    quick = parser.parse_args().quick
    print(describe_machine())
    bench_throughput(3 if quick else 7, 0.3 if quick else 1)
    bench_scrape(1_000 if quick else CLIENTS)


if __name__ == "__main__":
    main()
