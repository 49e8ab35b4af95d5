"""Half of the keys deleted: what stays of the process, where an empty server and the account are what must stay?

    python ops/bench/given_back.py                      a million strings, Redis and Kedis
    python ops/bench/given_back.py --keys 300000 --only kedis

Deleted are keys in the order in which they came, and at random. Resident memory is read when it has been the same for
ten seconds, then once more after MEMORY PURGE. Deletions at random leave every place of small objects half full, so
these rows come without and with active defragmentation, from 10 MB of fragmentation on.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence

import redis
from against_redis import Running, describe_machine, server

BATCH = 1000
VALUE = b"v" * 32
SETTINGS = ("--appendonly", "no")
DEFRAGMENTED = ("--activedefrag", "yes", "--active-defrag-ignore-bytes", "10mb")
CASES: list[tuple[str, bool, Sequence[str]]] = [
    ("in order", False, ()),
    ("at random", True, ()),
    ("at random, activedefrag", True, DEFRAGMENTED),
]
#: Memory that changes by less than this share within :data:`QUIET_SECONDS` has settled, if it had time to change.
SETTLED, QUIET_SECONDS, MOST_SECONDS = 0.002, 10.0, 120.0
DEFRAGMENTED_SECONDS = 60.0


def settled(running: Running, after: float = 0.0) -> int:
    """The resident bytes when they do not change any more, not before ``after`` seconds, or after two minutes."""
    time.sleep(after)
    deadline = time.monotonic() + MOST_SECONDS
    before = 0
    while True:
        resident: int = running.resident_bytes()
        if abs(resident - before) <= SETTLED * resident or time.monotonic() > deadline:
            return resident
        before = resident
        time.sleep(QUIET_SECONDS)


def measure(running: Running, keys: int, shuffled: bool, after: float) -> str:
    """Fill, delete half, and wait; the cells of a row."""
    with redis.Redis(port=running.port) as client:
        client.ping()
        empty = running.resident_bytes()
        for begin in range(0, keys, BATCH):
            client.mset({f"key:{number:07d}": VALUE for number in range(begin, min(begin + BATCH, keys))})
        full = settled(running)
        numbers = list(range(keys))
        if shuffled:
            random.Random(1).shuffle(numbers)
        for begin in range(0, keys // 2, BATCH):
            client.delete(*(f"key:{number:07d}" for number in numbers[begin : begin + BATCH]))
        cells = [f"{empty / 1e6:.0f}", f"{full / 1e6:.0f}"]
        for purge in (False, True):
            if purge:
                client.memory_purge()
            resident = settled(running, 0.0 if purge else after)
            must_stay = empty + int(client.info("memory")["used_memory"])
            cells += [f"{resident / 1e6:.0f}", f"{resident / must_stay:.2f}"]
        return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("redis", "kedis", "python"), action="append")
    arguments = parser.parse_args()
    print(describe_machine())
    print(f"\n{arguments.keys:,} strings; MB resident; shares of an empty server and the account\n")
    print("| server | deleted | empty | full | half | share | after MEMORY PURGE | share |")
    print("|---|---|---|---|---|---|---|---|")
    for title, shuffled, settings in CASES:
        for name in arguments.only or ("redis", "kedis"):
            flags = (*SETTINGS, *settings) if name != "redis" else SETTINGS
            if name == "redis" and settings:
                continue  # what Debian builds has no active defragmentation
            with server(name, flags) as running:
                after = DEFRAGMENTED_SECONDS if settings else 0.0
                cells = measure(running, arguments.keys, shuffled, after)
                print(f"| {name} | {title} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
