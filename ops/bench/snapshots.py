"""Snapshots beside Redis's: saving, loading, also under eviction policies, a save beside a writer, two forms of a base.

    python ops/bench/snapshots.py                       everything, as Markdown
    python ops/bench/snapshots.py --only files --quick

Pinned like ops/bench/against_redis.py; uses parts of ops/bench/aof.py.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from against_redis import LOAD_CORE, SERVER_CORE, Running, describe_machine
from aof import probe, server
from fairness import processor_clock

SNAPSHOTS_ONLY = ("--appendonly", "no", "--rdbcompression", "no")


def strings(count: int) -> Iterator[str]:
    """16-byte keys, 32-byte values."""
    return (f"SET key:{number:012d} {number:032d}" for number in range(count))


def hashes(count: int) -> Iterator[str]:
    """Of ten fields."""
    fields = " ".join(f"field:{number} value:{number}" for number in range(10))
    return (f"HSET key:{number:012d} {fields}" for number in range(count))


def small_containers(count: int) -> Iterator[str]:
    """Hashes, lists, sets and sorted sets of ten elements, in turn."""
    numbers = range(10)
    fields = " ".join(f"field:{number} value:{number}" for number in numbers)
    elements = " ".join(f"element:{number}" for number in numbers)
    members = " ".join(map(str, numbers))
    scores = " ".join(f"{number}.5 member:{number}" for number in numbers)
    kinds = (f"HSET %s {fields}", f"RPUSH %s {elements}", f"SADD %s {members}", f"ZADD %s {scores}")
    return (kinds[number % 4] % f"key:{number:012d}" for number in range(count))


def large_containers(count: int) -> Iterator[str]:
    """A hash, a set and a sorted set that share the elements."""
    for number in range(count // 3):
        yield f"HSET hash field:{number} {number:032d}"
        yield f"SADD set member:{number}"
        yield f"ZADD scores {number}.25 member:{number}"


CONTENTS: dict[str, Callable[[int], Iterator[str]]] = {
    "strings": strings,
    "small containers": small_containers,
    "large containers": large_containers,
}


def fill(running: Running, lines: Iterator[str]) -> None:
    subprocess.run(
        ["taskset", "-c", LOAD_CORE, "redis-cli", "-p", str(running.port), "--pipe"],
        input="\r\n".join(lines) + "\r\n",
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def started(name: str, folder: str, *flags: str) -> float:
    """How long a server takes from its start until it has loaded."""
    began = time.monotonic()
    with server(name, folder, *flags) as running:
        seconds = time.monotonic() - began
        running.call("config", "set", "save", "")
    return seconds


def bench_files(count: int) -> None:
    """SAVE, and loading at the start; the time to start an empty folder is taken off."""
    print(f"\n### A snapshot of {count:,} SET, or as many small containers, or elements\n")
    print("| data | server | file, MB | SAVE, s | a second | loading, s | a second |")
    print("|---|---|---|---|---|---|---|")
    for title, lines in CONTENTS.items():
        for name in ("redis", "kedis"):
            with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as folder:
                idle = started(name, empty, *SNAPSHOTS_ONLY)
                with server(name, folder, *SNAPSHOTS_ONLY) as running:
                    fill(running, lines(count))
                    began = time.monotonic()
                    running.call("save")
                    saving = time.monotonic() - began
                size = (Path(folder) / "dump.rdb").stat().st_size / 1e6
                loading = started(name, folder, *SNAPSHOTS_ONLY) - idle
            print(
                f"| {title} | {name} | {size:.0f} | {saving:.2f} | {count / saving:,.0f} "
                f"| {loading:.2f} | {count / loading:,.0f} |",
                flush=True,
            )


def bench_background(count: int) -> None:
    """BGSAVE beside a client that writes without a pause, one request after the other."""
    print(f"\n### BGSAVE of {count:,} strings beside a writer\n")
    print("| server | seconds | longest wait, ms | 99.9 % wait less than, ms | without BGSAVE, ms |")
    print("|---|---|---|---|---|")
    for name in ("redis", "kedis"):
        with tempfile.TemporaryDirectory() as folder, server(name, folder, *SNAPSHOTS_ONLY) as running:
            fill(running, strings(count))
            usual = max(probe(running.port, b"INCR counter\r\n", 5))
            waits: list[float] = []
            ended = threading.Event()
            writer = threading.Thread(target=_write_until, args=(running.port, ended, waits))
            writer.start()
            began = time.monotonic()
            running.call("bgsave")
            while "rdb_bgsave_in_progress:1" in running.call("info", "persistence"):
                time.sleep(0.1)
            seconds = time.monotonic() - began
            ended.set()
            writer.join()
            waits.sort()
            print(
                f"| {name} | {seconds:.1f} | {waits[-1] * 1e3:.1f} | {waits[int(len(waits) * 0.999)] * 1e3:.1f} "
                f"| {usual * 1e3:.1f} |",
                flush=True,
            )


def _write_until(port: int, ended: threading.Event, waits: list[float]) -> None:
    while not ended.is_set():
        waits += probe(port, b"INCR counter\r\n", 0.2)


def bench_bases(count: int) -> None:
    """A base of an append-only file, as commands and as a snapshot: to rewrite, and to load."""
    print(f"\n### Kedis: the base of an append-only file, {count:,}\n")
    print("| data | form | file, MB | rewriting, s | loading, s |\n|---|---|---|---|---|")
    for title, lines in CONTENTS.items():
        for form, flag in (("commands", "no"), ("snapshot", "yes")):
            flags = ("--aof-use-rdb-preamble", flag, "--auto-aof-rewrite-percentage", "0")
            with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as folder:
                idle = started("kedis", empty)
                with server("kedis", folder, *flags) as running:
                    fill(running, lines(count))
                    began = time.monotonic()
                    running.call("bgrewriteaof")
                    while "aof_rewrite_in_progress:1" in running.call("info", "persistence"):
                        time.sleep(0.05)
                    rewriting = time.monotonic() - began
                base = next((Path(folder) / "appendonlydir").glob("*.base.*"))
                size = base.stat().st_size / 1e6
                loading = started("kedis", folder, *flags) - idle
            print(f"| {title} | {form} | {size:.0f} | {rewriting:.2f} | {loading:.2f} |", flush=True)


def bench_policies(count: int) -> None:
    """Loading small hashes, by eviction policy: those that track accesses read them for each key."""
    print(f"\n### Loading {count:,} hashes of ten fields, seconds of processor time, least of three\n")
    print("| maxmemory-policy | Redis | Kedis | Redis / Kedis |\n|---|---|---|---|")
    for policy in ("noeviction", "allkeys-lru", "allkeys-lfu"):
        flags = (*SNAPSHOTS_ONLY, "--maxmemory", "4gb", "--maxmemory-policy", policy)
        ours, theirs = (_loading_time(name, count, flags) for name in ("kedis", "redis"))
        print(f"| {policy} | {theirs:.2f} | {ours:.2f} | {theirs / ours:.2f} |", flush=True)


def _loading_time(name: str, count: int, flags: Sequence[str]) -> float:
    """What loading takes of the processor: of a start with the file, less that of one without."""
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as folder:
        with server(name, empty, *flags) as running:
            idle = time.clock_gettime(processor_clock(running.pid))
        with server(name, folder, *flags) as running:
            fill(running, hashes(count))
            running.call("save")
        taken = []
        for _ in range(3):
            with server(name, folder, *flags) as running:
                taken.append(time.clock_gettime(processor_clock(running.pid)) - idle)
                assert running.call("dbsize") == str(count)
                running.call("config", "set", "save", "")
    return min(taken)


PARTS = {
    "files": bench_files,
    "background": bench_background,
    "bases": bench_bases,
    "policies": bench_policies,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--quick", action="store_true", help="a tenth of the keys")
    options = parser.parse_args()
    print(f"{describe_machine()}; server on core {SERVER_CORE}, load on core {LOAD_CORE}")
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(100_000 if options.quick else 1_000_000)


if __name__ == "__main__":
    main()
