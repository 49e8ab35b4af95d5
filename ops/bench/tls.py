"""TLS beside real Redis's: requests a second and processor time with 50 connections, and bytes of an idle one.

python ops/bench/tls.py                   median of three runs of each, as Markdown
python ops/bench/tls.py --quick           a first look
"""

from __future__ import annotations

import argparse
import contextlib
import re
import socket
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from against_redis import LOAD_CORE, Running, contenders, free_port, server
from native_path import processor_seconds

from kedis.server.made_certificates import Authority

KINDS = {
    "GET": ["-t", "get"],
    "SET": ["-t", "set"],
    "GET, pipeline 16": ["-t", "get", "-P", "16"],
    "GET of 10 KB": ["-t", "get", "-d", "10000"],
}
CONNECTIONS = 50
IDLE = 2_000
#: Asked of Kedis: this share of Redis's requests a second, and at most so many bytes an idle connection.
SHARE, IDLE_BYTES = 0.6, 40 * 1024


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[tuple[str, list[tuple[Running, int]]]]:
    """The authority's certificate, and each server with its TLS port."""
    authority = Authority(folder)
    issued = authority.issue("server")
    trust = ["--tls-ca-cert-file", authority.certificate, "--tls-auth-clients", "no"]
    own = ["--tls-cert-file", issued.certificate, "--tls-key-file", issued.key]
    with contextlib.ExitStack() as stack:
        found = []
        for name in contenders():
            port = free_port()
            words = ["--tls-port", str(port), *own, *trust, "--appendonly", "no"]
            found.append((stack.enter_context(server(name, words)), port))
        yield authority.certificate, found


def load(running: Running, port: int, authority: str, kind: str, requests: int) -> tuple[float, float]:
    """One run of redis-benchmark: requests a second, and processor microseconds of the server for each."""
    words = ["-p", str(port), "--tls", "--cacert", authority, "-c", str(CONNECTIONS), "-n", str(requests)]
    before = processor_seconds(running.pid)
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "redis-benchmark", "-q", *words, *KINDS[kind]],
        capture_output=True,
        text=True,
        check=True,
    )
    cost = (processor_seconds(running.pid) - before) / requests * 1e6
    return float(re.findall(r"([\d.]+) requests per second", done.stdout)[-1]), cost


def idle_bytes(running: Running, port: int, authority: str) -> float:
    """Memory that the server takes for one more connection that has asked once and waits."""
    context = ssl.create_default_context(cafile=authority)
    ping = b"*1\r\n$4\r\nPING\r\n"
    clients = []
    with contextlib.ExitStack() as stack:
        for number in range(IDLE + 100):
            if number == 100:  # what the first connections bring about once is not counted
                time.sleep(0.5)
                before = running.resident_bytes()
            plain = socket.create_connection(("127.0.0.1", port), 60)
            client = stack.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
            client.sendall(ping)
            client.recv(100)
            clients.append(client)
        time.sleep(0.5)
        return (running.resident_bytes() - before) / IDLE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short run of each")
    options = parser.parse_args()
    requests, rounds = (20_000, 1) if options.quick else (200_000, 3)
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as (authority, found):
        names = [running.name for running, _ in found]
        print(f"TLS, {CONNECTIONS} connections; asked of Kedis: {SHARE} of Redis's requests a second\n")
        print("| | " + " | ".join(f"{name}: requests/s, us" for name in names) + " | kedis / redis |")
        print("|---|" + "---|" * (len(names) + 1))
        for kind in KINDS:
            runs: dict[str, list[tuple[float, float]]] = {}
            for _ in range(rounds):
                for running, port in found:
                    runs.setdefault(running.name, []).append(load(running, port, authority, kind, requests))
            rates = {name: statistics.median(rate for rate, _ in each) for name, each in runs.items()}
            costs = {name: statistics.median(cost for _, cost in each) for name, each in runs.items()}
            cells = [f"{rates[name]:,.0f}, {costs[name]:.1f}" for name in names]
            print(
                f"| {kind} | " + " | ".join(cells) + f" | {rates['kedis'] / rates['redis']:.2f} |", flush=True
            )
        print(f"\nBytes of an idle connection, of {IDLE:,}; asked of Kedis: {IDLE_BYTES:,} at most\n")
        print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
        print("| " + " | ".join(f"{idle_bytes(*each, authority):,.0f}" for each in found) + " |")


if __name__ == "__main__":
    main()
