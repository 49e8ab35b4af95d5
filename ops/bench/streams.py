"""Streams beside real Redis: what a request costs, memory, loading, and what length does to reads.

    python ops/bench/streams.py                           everything, as Markdown
    python ops/bench/streams.py --only requests --quick   a first look
    python ops/bench/streams.py --only length --entries 10000000

Pinned and alternating like ops/bench/against_redis.py, whose parts it uses.  A ratio is what Redis needs divided by
what Kedis needs, so more is better: of the server's processor time, user and system, and of the time on the clock,
which on a busy machine says less.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hiredis
import redis
from against_redis import (
    LOAD_CORE,
    Load,
    Running,
    all_servers,
    contenders,
    describe_machine,
    run_load,
    server,
)
from aof import server as server_on_folder

from kedis.resp.replies import encode_command

NOTHING_ON_DISK = ("--appendonly", "no")
FIELDS = ("f1", "v1", "f2", "v2")
#: Entries of the stream that is read, and of a long one.
SHORT, MILLION = 10_000, 1_000_000
_AT_ONCE = 1000
#: Connections of a load, as redis-benchmark has.
CLIENTS = 50


@dataclass(frozen=True)
class Cost:
    """Of one request or entry: microseconds of the server's processor, and on the clock."""

    processor: float
    clock: float


def processor_seconds(running: Running) -> float:
    """What the server has used, user and system."""
    fields = Path(f"/proc/{running.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost_of(running: Running, work: Callable[[], object], units: int) -> Cost:
    """What ``work`` costs, divided by ``units``."""
    used, began = processor_seconds(running), time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    return Cost((processor_seconds(running) - used) / units * 1e6, seconds / units * 1e6)


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(each.processor for each in costs), statistics.median(each.clock for each in costs)
    )


# -- the table --------------------------------------------------------------------------------------------


def print_head(title: str, what: str) -> None:
    names = [name.capitalize() for name in contenders()]
    columns = [what, *(f"{name}, us" for name in names)]
    for name in names[1:]:
        columns += [f"{name}: ratio", "by the clock"]
    print(f"\n### {title}\n\n| {' | '.join(columns)} | aim |\n|{'---|' * (len(columns) + 1)}")


def print_row(title: str, costs: Sequence[Cost], aim: float) -> None:
    theirs, *others = costs
    cells = [f"{each.processor:.2f}" for each in costs]
    for each in others:
        cells += [f"{theirs.processor / each.processor:.2f}", f"{theirs.clock / each.clock:.2f}"]
    print(f"| {title} | {' | '.join(cells)} | {aim:.2f} |", flush=True)


# -- requests ---------------------------------------------------------------------------------------------


def fill(running: Running, key: str, entries: int) -> None:
    """Add entries of 2 small fields with ids of their own, a few in each millisecond."""
    with redis.Redis(port=running.port) as client, client.pipeline(transaction=False) as pipe:
        for number in range(entries):
            pipe.execute_command("XADD", key, entry_id(number), "f1", f"v{number}", "f2", number)
            if number % _AT_ONCE == _AT_ONCE - 1:
                pipe.execute()
        pipe.execute()


def entry_id(number: int) -> str:
    return f"{1_700_000_000_000 + number // 3}-{number % 3}"


def by_load(load: Load) -> Callable[[Running], Cost]:
    """What a request of redis-benchmark costs."""

    def measure(running: Running) -> Cost:
        running.call("del", "added")
        return cost_of(running, lambda: run_load(running, load), load.requests)

    return measure


def exchange(crowd: Sequence[socket.socket], requests: Sequence[bytes]) -> list[Any]:
    """A request for each connection, all sent before the first reply is read; the replies."""
    for member, request in zip(crowd, requests, strict=True):
        member.sendall(request)
    replies = []
    for member in crowd:
        reader = hiredis.Reader()
        while (reply := reader.gets()) is False:
            reader.feed(member.recv(1 << 16))
        replies.append(reply)
    return replies


def group_calls(rounds: int) -> Callable[[Running], Cost]:
    """XREADGROUP of 10 entries and XACK of them, on each of 50 connections; the cost of both together."""

    def measure(running: Running) -> Cost:
        with redis.Redis(port=running.port) as client, contextlib.ExitStack() as stack:
            client.delete("work")
            fill(running, "work", 10 * CLIENTS * rounds)
            client.xgroup_create("work", "g", "0")
            address = ("127.0.0.1", running.port)
            crowd = [stack.enter_context(socket.create_connection(address)) for _ in range(CLIENTS)]
            words = [b"XREADGROUP", b"GROUP", b"g", b"c", b"COUNT", b"10", b"STREAMS", b"work", b">"]
            read = [encode_command(words)] * CLIENTS

            def work() -> None:
                for _ in range(rounds):
                    found = exchange(crowd, read)
                    ids = [[each[0] for each in entries] for ((_, entries),) in found]
                    exchange(crowd, [encode_command([b"XACK", b"work", b"g", *each]) for each in ids])

            cost = cost_of(running, work, rounds * CLIENTS)
            assert client.xpending("work", "g")["pending"] == 0
            return cost

    return measure


def bench_requests(repeats: int, scale: float) -> None:
    """The requests of the hot paths."""
    print_head("Requests, 50 connections, nothing on disk", "request")
    add, many, few = ["xadd", "added", "*", *FIELDS], int(100_000 * scale), int(20_000 * scale)
    trimmed = ["xadd", "added", "MAXLEN", "~", "10000", "*", *FIELDS]
    middle = entry_id(SHORT // 2)
    rows: list[tuple[str, Callable[[Running], Cost], float]] = [
        ("XADD of 2 fields", by_load(Load("", add, many)), 1.0),
        ("XADD, pipeline 16", by_load(Load("", add, 4 * many, 16)), 0.6),
        ("XADD MAXLEN ~ 10000", by_load(Load("", trimmed, many)), 0.6),
        ("XRANGE of 100", by_load(Load("", ["xrange", "read", middle, "+", "COUNT", "100"], few)), 0.6),
        ("XREVRANGE of 10", by_load(Load("", ["xrevrange", "read", "+", "-", "COUNT", "10"], few)), 0.6),
        ("XREAD of 10", by_load(Load("", ["xread", "COUNT", "10", "STREAMS", "read", middle], few)), 0.6),
        ("XREADGROUP of 10, then XACK", group_calls(few // 2 // CLIENTS), 0.7),
    ]
    with all_servers(*NOTHING_ON_DISK) as servers:
        for running in servers:
            fill(running, "read", SHORT)
        for title, measure, aim in rows:
            costs: list[list[Cost]] = [[] for _ in servers]
            for _ in range(repeats):
                for running, found in zip(servers, costs, strict=True):
                    found.append(measure(running))
            print_row(title, [median(found) for found in costs], aim)


# -- memory and loading -----------------------------------------------------------------------------------


def bench_memory(_repeats: int, scale: float) -> None:
    """A stream of a million entries of 2 small fields."""
    entries = int(MILLION * scale)
    print(f"\n### Memory of {entries:,} entries of 2 small fields\n")
    print("| server | MB | ratio | aim at most |\n|---|---|---|---|")
    first = 0.0
    for name in contenders():
        with server(name, NOTHING_ON_DISK) as running:
            before = running.resident_bytes()
            fill(running, "s", entries)
            grown = (running.resident_bytes() - before) / 1e6
        first = first or grown
        print(f"| {name} | {grown:.1f} | {grown / first:.2f} | 2.5 |", flush=True)


def write_journal(folder: Path, entries: int) -> None:
    """An AOF of as many XADD."""
    file = folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    file.parent.mkdir()
    (file.parent / "appendonly.aof.manifest").write_text(f"file {file.name} seq 1 type i\n")
    with file.open("wb") as out:
        out.write(encode_command([b"SELECT", b"0"]))
        for number in range(entries):
            words = ["XADD", "s", entry_id(number), "f1", f"v{number}", "f2", str(number)]
            out.write(encode_command([word.encode() for word in words]))


def loading(name: str, entries: int) -> Cost:
    """What the load of an entry costs; the start with an empty folder is taken off."""
    found = []
    for count in (0, entries):
        with tempfile.TemporaryDirectory() as folder:
            write_journal(Path(folder), count)
            began = time.perf_counter()
            with server_on_folder(name, folder, "--auto-aof-rewrite-percentage", "0") as running:
                found.append(Cost(processor_seconds(running), time.perf_counter() - began))
                assert running.call("xlen", "s") == str(count)
    start, whole = found
    return Cost(
        (whole.processor - start.processor) / entries * 1e6, (whole.clock - start.clock) / entries * 1e6
    )


def bench_loading(_repeats: int, scale: float) -> None:
    """An AOF of a million XADD of 2 small fields."""
    entries = int(MILLION * scale)
    print_head(f"Loading an AOF of {entries:,} XADD", "")
    print_row("an entry", [loading(name, entries) for name in contenders()], 0.4)


# -- length -----------------------------------------------------------------------------------------------


def bench_length(repeats: int, scale: float, entries: int) -> None:
    """Reads of a short stream and of a long one, on the same server."""
    print(f"\n### Reads of {SHORT:,} entries and of {entries:,}\n")
    print("| request | short, us | long, us | ratio | aim at most |\n|---|---|---|---|---|")
    with server(contenders()[-1], NOTHING_ON_DISK) as running:
        fill(running, "short", SHORT)
        fill(running, "long", entries)
        requests = int(20_000 * scale)
        for title, words in (
            ("XRANGE of 10", lambda key, size: ["xrange", key, entry_id(size // 2), "+", "COUNT", "10"]),
            ("XREAD of 10", lambda key, size: ["xread", "COUNT", "10", "STREAMS", key, entry_id(size // 2)]),
        ):
            costs = []
            for key, size in (("short", SHORT), ("long", entries)):
                measure = by_load(Load("", words(key, size), requests))
                costs.append(median([measure(running) for _ in range(repeats)]).processor)
            print(
                f"| {title} | {costs[0]:.2f} | {costs[1]:.2f} | {costs[1] / costs[0]:.2f} | 1.5 |", flush=True
            )


def main() -> None:
    """Measure and print."""
    parts = ("requests", "memory", "loading", "length")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--only", choices=parts, help="one part instead of all")
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each server for each line (default 3)"
    )
    parser.add_argument("--entries", type=int, default=MILLION, help="of the long stream (default 1,000,000)")
    parser.add_argument("--quick", action="store_true", help="a fifth of everything")
    options = parser.parse_args()
    scale = 0.2 if options.quick else 1.0
    print(describe_machine())
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    if options.only in (None, "requests"):
        bench_requests(options.repeats, scale)
    if options.only in (None, "memory"):
        bench_memory(options.repeats, scale)
    if options.only in (None, "loading"):
        bench_loading(options.repeats, scale)
    if options.only in (None, "length"):
        bench_length(options.repeats, scale, int(options.entries * scale))


if __name__ == "__main__":
    main()
