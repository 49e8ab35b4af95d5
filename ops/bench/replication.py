"""Replication beside real Redis: what a replica costs its master, how fast one follows, and full synchronisations.

    python ops/bench/replication.py            everything, as Markdown, in about five minutes and at most ten
    python ops/bench/replication.py --quick    a tenth of the keys and requests, once each: in a minute

Masters stand on one core; replicas, and the load, on the other, so that rates say little and the processor time of the
process in question is what counts. It is that of all its threads, user and system, but not of the child that writes a
snapshot. Times of a synchronisation go by the clock, while nobody else asks for anything: a PING of the master all the
time takes half of its core from the child that writes the snapshot, so waits are those of another one. Medians of
``--repeats``; of waits the least, since a slow moment of the machine is no stall of the server. What is not done within
``--minutes`` is left out, and said to be.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import redis
from against_redis import LOAD_CORE, Load, Running, describe_machine, run_load, server
from stalls import client_of, longest_ping, processor_ms

MILLION = 1_000_000
FLAGS = ("--appendonly", "no", "--repl-diskless-sync-delay", "0")
NAMES = ("redis", "kedis")
PATIENCE_SECONDS = 60.0
#: What is asked: throughput with a replica over that without, the rate of applying over Redis's, and the time of a
#: full synchronisation over that from Redis to Redis.
ASKED_OF_MASTER, ASKED_OF_REPLICA, ASKED_OF_COPY = 0.85, 0.7, 2.5
#: And the longest wait of another client, and the time to come back with a partial one, in ms.
ASKED_OF_WAIT, ASKED_OF_RETURN = 50, 100


_connections: dict[Running, redis.Redis] = {}


def told(running: Running) -> dict[str, Any]:
    """INFO's sections of replication and statistics, by a connection that stays: a program for each takes too long."""
    if running not in _connections:
        _connections[running] = redis.Redis(port=running.port)
    connection = _connections[running]
    return {**connection.info("replication"), **connection.info("stats")}


class Late(Exception):
    """Something has not come about in time."""


def until(condition: Callable[[], bool], what: str, every: float = 0.002) -> None:
    """Wait for ``condition``, which is asked about after ``every`` so many seconds. Raises Late."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise Late(f"{what}: not within {PATIENCE_SECONDS:.0f} s")
        time.sleep(every)


def is_linked(replica: Running) -> bool:
    return told(replica).get("master_link_status") == "up"


def follow(replica: Running, master: Running) -> None:
    """Make ``replica`` one of ``master``, and return when it has everything."""
    replica.call("replicaof", "127.0.0.1", str(master.port))
    # Rarely: two INFO each time, which 500 times a second took half as long as the loading of a Kedis.
    until(partial(is_linked, replica), "a full synchronisation", 0.02)


def catch_up(replica: Running, master: Running) -> None:
    until(
        lambda: told(replica).get("slave_repl_offset") == told(master)["master_repl_offset"],
        "applying the stream",
    )


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


def rows(out_of_time: Callable[[], bool], made: Iterator[Callable[[], str]]) -> None:
    """Print the rows of a table; why, where one cannot be made."""
    for row in made:
        if out_of_time():
            print("\n(left out: the rest, for lack of time)", flush=True)
            return
        try:
            print(row(), flush=True)
        except Late as late:
            print(f"| {late} |", flush=True)


def cost_of_a_replica(repeats: int, scale: float) -> Iterator[Callable[[], str]]:
    print(
        "\n### What a replica costs its master: us for each SET, 50 clients, one Redis as replica\n\n"
        "| pipeline | Redis alone | with it | ratio | Kedis alone | with it | ratio | asked |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for pipeline, requests in ((1, 200_000), (16, 1_000_000)):
        load = Load("SET", ["-r", "100000", "-t", "set"], int(requests * scale), pipeline)
        yield partial(_cost_row, load, repeats)


def _cost_row(load: Load, repeats: int) -> str:
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
    return f"| {load.pipeline} | {' | '.join(columns)} | ≥ {ASKED_OF_MASTER} |"


def applying(repeats: int, scale: float) -> Iterator[Callable[[], str]]:
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
        yield partial(
            _applying_row, Load(command, ["-r", "100000", *words], int(500_000 * scale), 16), repeats
        )


def _applying_row(load: Load, repeats: int) -> str:
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
    return f"| {load.title} | {theirs:.2f} | {ours:.2f} | {theirs / ours:.2f} | ≥ {ASKED_OF_REPLICA} |"


def copying(repeats: int, scale: float) -> Iterator[Callable[[], str]]:
    count = int(MILLION * scale)
    print(
        f"\n### Full synchronisation of {count:,} strings of 100 bytes, and coming back after a cut\n\n"
        "| from | to | s | over Redis to Redis | asked | longest PING of the master, ms | asked "
        "| back after a cut, ms | asked |\n|---|---|---|---|---|---|---|---|---|"
    )
    base: list[float] = []
    for source in NAMES:
        for target in NAMES:
            yield partial(_copying_row, source, target, count, repeats, base)


def _copying_row(source: str, target: str, count: int, repeats: int, base: list[float]) -> str:
    """The row of one pair; the first row of all adds its time to ``base``."""
    times, waits, returns = [], [], []
    with server(source, FLAGS) as master:
        with client_of(master) as client:
            client.run_all([b"SET", b"key:%012d" % number, b"x" * 100] for number in range(count))
        for _ in range(repeats):
            with on_load_core(target) as replica:
                began = time.monotonic()
                follow(replica, master)
                times.append(time.monotonic() - began)
                if replica.call("dbsize") != str(count):
                    raise Late("the replica lacks keys")
                returns.append(come_back(replica, master))
            with on_load_core(target) as another:
                waits.append(longest_ping(master, partial(follow, another, master)))
    took = statistics.median(times)
    if not base:
        base.append(took)
    figures = f"{took:.1f} | {took / base[0]:.2f} | ≤ {ASKED_OF_COPY} | {min(waits):.1f} | ≤ {ASKED_OF_WAIT}"
    return f"| {source} | {target} | {figures} | {min(returns):.0f} | ≤ {ASKED_OF_RETURN} |"


def come_back(replica: Running, master: Running) -> float:
    """Milliseconds until the link is up again after the master has closed it. Raises Late."""
    before = told(master)
    told(replica)  # both connections are there
    master.call("client", "kill", "type", "replica")
    began = time.monotonic()
    until(lambda: bool(told(master)["sync_partial_ok"] > before["sync_partial_ok"]), "coming back")
    until(partial(is_linked, replica), "coming back")
    took = (time.monotonic() - began) * 1000
    if told(master)["sync_full"] != before["sync_full"]:
        raise Late("it took another full synchronisation")
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the keys and requests, once each")
    parser.add_argument("--repeats", type=int, default=3, help="of which the median is taken")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which no row is begun")
    parser.add_argument("--only", choices=("cost", "applying", "copying"), action="append")
    arguments = parser.parse_args()
    repeats, scale = (1, 0.1) if arguments.quick else (arguments.repeats, 1.0)
    ends_at = time.monotonic() + 60 * arguments.minutes
    print(describe_machine())
    for name, part in {"cost": cost_of_a_replica, "applying": applying, "copying": copying}.items():
        if not arguments.only or name in arguments.only:
            rows(lambda: time.monotonic() > ends_at, part(repeats, scale))
    return 0


if __name__ == "__main__":
    sys.exit(main())
