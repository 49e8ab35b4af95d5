"""Replication beside real Redis: what a replica costs its master, how fast one follows, and full synchronisations.

    python ops/bench/replication.py            everything, as Markdown, in about four minutes
    python ops/bench/replication.py --quick    a tenth of the keys and requests

Masters stand on one core; replicas, and the load, on the other, so that rates say little and the processor time of the
process in question is what counts. It is that of all its threads, user and system, but not of the child that writes a
snapshot. Times of a synchronisation go by the clock. Medians of ``--repeats``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

from against_redis import LOAD_CORE, Load, Running, describe_machine, run_load, server
from stalls import client_of, longest_ping, processor_ms

MILLION = 1_000_000
FLAGS = ("--appendonly", "no", "--repl-diskless-sync-delay", "0")
NAMES = ("redis", "kedis")
PATIENCE_SECONDS = 120.0
#: What is asked: throughput with a replica over that without, the rate of applying over Redis's, and the time of a
#: full synchronisation over that from Redis to Redis.
ASKED_OF_MASTER, ASKED_OF_REPLICA, ASKED_OF_COPY = 0.85, 0.7, 2.5


def field(running: Running, name: str) -> str:
    """A field of INFO; empty where it is missing."""
    for line in running.call("info", "everything").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value
    return ""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("a replica did not come to what its master has")
        time.sleep(0.002)


def follow(replica: Running, master: Running) -> None:
    """Make ``replica`` one of ``master``, and return when it has everything."""
    replica.call("replicaof", "127.0.0.1", str(master.port))
    until(lambda: field(replica, "master_link_status") == "up")


def catch_up(replica: Running, master: Running) -> None:
    until(lambda: field(replica, "slave_repl_offset") == field(master, "master_repl_offset"))


@contextlib.contextmanager
def on_load_core(name: str) -> Iterator[Running]:
    """A server on the core of the load."""
    with server(name, FLAGS) as running:
        for task in os.listdir(f"/proc/{running.pid}/task"):
            os.sched_setaffinity(int(task), {int(LOAD_CORE)})
        yield running


def us_each(running: Running, load: Load) -> float:
    """Microseconds of the server's processor time for each request."""
    before = processor_ms(running)
    run_load(running, load)
    return (processor_ms(running) - before) * 1000 / load.requests


def cost_of_a_replica(repeats: int, scale: float) -> None:
    print(
        "\n### What a replica costs its master: us for each SET, 50 clients, one Redis as replica\n\n"
        "| pipeline | Redis alone | with it | ratio | Kedis alone | with it | ratio | asked |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for pipeline, requests in ((1, 200_000), (16, 1_000_000)):
        load = Load("SET", ["-r", "100000", "-t", "set"], int(requests * scale), pipeline)
        columns: list[str] = []
        for name in NAMES:
            with server(name, FLAGS) as master, on_load_core("redis") as replica:
                alone = statistics.median(us_each(master, load) for _ in range(repeats))
                follow(replica, master)
                accompanied: list[float] = []
                for _ in range(repeats):
                    accompanied.append(us_each(master, load))
                    catch_up(replica, master)
            with_it = statistics.median(accompanied)
            columns += [f"{alone:.2f}", f"{with_it:.2f}", f"{alone / with_it:.2f}"]
        print(f"| {pipeline} | {' | '.join(columns)} | ≥ {ASKED_OF_MASTER} |", flush=True)


def applying(repeats: int, scale: float) -> None:
    print(
        "\n### Following: us of a replica's processor time for each command of a Redis master\n\n"
        "| command | Redis | Kedis | Redis's time over Kedis's | asked |\n|---|---|---|---|---|"
    )
    for command, words in (
        ("SET", ["-t", "set"]),
        ("INCR", ["-t", "incr"]),
        ("LPUSH", ["-t", "lpush"]),
        ("HSET", ["-t", "hset"]),
        ("ZADD", ["-t", "zadd"]),
    ):
        load = Load(command, ["-r", "100000", *words], int(500_000 * scale), 16)
        found: list[float] = []
        for name in NAMES:
            with server("redis", FLAGS) as master, on_load_core(name) as replica:
                follow(replica, master)
                times: list[float] = []
                for _ in range(repeats):
                    before = processor_ms(replica)
                    run_load(master, load)
                    catch_up(replica, master)
                    times.append((processor_ms(replica) - before) * 1000 / load.requests)
            found.append(statistics.median(times))
        theirs, ours = found
        print(
            f"| {command} | {theirs:.2f} | {ours:.2f} | {theirs / ours:.2f} | ≥ {ASKED_OF_REPLICA} |",
            flush=True,
        )


def copying(repeats: int, scale: float) -> None:
    count = int(MILLION * scale)
    print(
        f"\n### Full synchronisation of {count:,} strings of 100 bytes, and coming back after a cut\n\n"
        "| from | to | s | over Redis to Redis | asked | longest PING of the master, ms | back after a cut, ms |\n"
        "|---|---|---|---|---|---|---|"
    )
    base = 0.0
    for source in NAMES:
        for target in NAMES:
            with server(source, FLAGS) as master:
                with client_of(master) as client:
                    client.run_all([b"SET", b"key:%012d" % number, b"x" * 100] for number in range(count))
                times, waits = [], []
                for _ in range(repeats):
                    with on_load_core(target) as replica:
                        began = time.monotonic()
                        waits.append(longest_ping(master, partial(follow, replica, master)))
                        times.append(time.monotonic() - began)
                        assert replica.call("dbsize") == str(count)
                        back = come_back(replica, master)
            took = statistics.median(times)
            base = base or took
            figures = f"{took:.1f} | {took / base:.2f} | ≤ {ASKED_OF_COPY} | {min(waits):.1f} | {back:.0f}"
            print(f"| {source} | {target} | {figures} |", flush=True)


def come_back(replica: Running, master: Running) -> float:
    """Milliseconds until the link is up again after the master has closed it; without another full synchronisation."""
    full = field(master, "sync_full")
    master.call("client", "kill", "type", "replica")
    began = time.monotonic()
    until(lambda: field(master, "sync_partial_ok") not in ("", "0"))
    until(lambda: field(replica, "master_link_status") == "up")
    took = (time.monotonic() - began) * 1000
    assert field(master, "sync_full") == full
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the keys and requests")
    parser.add_argument("--repeats", type=int, default=3, help="of which the median is taken")
    parser.add_argument("--only", choices=("cost", "applying", "copying"), action="append")
    arguments = parser.parse_args()
    parts = {"cost": cost_of_a_replica, "applying": applying, "copying": copying}
    print(describe_machine())
    for name, part in parts.items():
        if not arguments.only or name in arguments.only:
            part(arguments.repeats, 0.1 if arguments.quick else 1.0)


if __name__ == "__main__":
    main()
