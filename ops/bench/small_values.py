"""Resident bytes a key: 50,000 of each kind of small value, beside Redis in the same run, and what the account says.

python ops/bench/small_values.py                as Markdown
python ops/bench/small_values.py --count 20000
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Sequence

import redis
from against_redis import LOAD_CORE, describe_machine, server

NOTHING_ON_DISK = ("--appendonly", "no")
ITEMS = range(10)
Make = Callable[[int], Sequence[object]]

#: What is loaded, and the ratio to Redis that is asked for.
KINDS: dict[str, tuple[Make, float]] = {
    "hash of 10 short fields": (
        lambda number: (
            "HSET",
            f"key:{number:06d}",
            *[word for at in ITEMS for word in (f"field:{at}", f"value{at}")],
        ),
        1.6,
    ),
    "list of 10 short items": (
        lambda number: ("RPUSH", f"key:{number:06d}", *[f"item:{number + at:08d}" for at in ITEMS]),
        1.6,
    ),
    "sorted set of 10": (
        lambda number: (
            "ZADD",
            f"key:{number:06d}",
            *[word for at in ITEMS for word in (number + at, f"member:{at}")],
        ),
        1.8,
    ),
    "set of 10 integers": (
        lambda number: ("SADD", f"key:{number:06d}", *[number % 1000 + 7 * at for at in ITEMS]),
        2.0,
    ),
    "set of 10 strings": (
        lambda number: ("SADD", f"key:{number:06d}", *[f"member:{number + at:06d}" for at in ITEMS]),
        1.0,
    ),
    "short string": (lambda number: ("SET", f"key:{number:06d}", f"v{number % 1000}"), 1.8),
    "string of 20 bytes with a TTL": (
        lambda number: ("SET", f"key:{number:06d}", f"{number:020d}"[::-1].replace("0", "x"), "EX", 100_000),
        1.6,
    ),
    "string of 200 bytes": (lambda number: ("SET", f"key:{number:06d}", "x" * 200), 1.2),
}


def bytes_a_key(name: str, make: Make, count: int) -> tuple[float, float]:
    """Growth of the resident memory, and of used_memory."""
    with server(name, NOTHING_ON_DISK) as running:
        client = redis.Redis(port=running.port)
        for number in range(200):  # what is made once
            client.execute_command(*make(number))
        client.flushall()
        resident, used = running.resident_bytes(), client.info("memory")["used_memory"]
        for start in range(0, count, 500):
            pipe = client.pipeline(transaction=False)
            for number in range(start, start + 500):
                pipe.execute_command(*make(number))
            pipe.execute()
        grown = running.resident_bytes() - resident, client.info("memory")["used_memory"] - used
        return grown[0] / count, grown[1] / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--count", type=int, default=50_000, help="keys of each kind")
    arguments = parser.parse_args()
    print(describe_machine())
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {int(LOAD_CORE)})
    print(
        f"\n| {arguments.count:,} of each, resident bytes a key | Kedis | Redis | ratio | asked | account / resident |"
    )
    print("|---|---|---|---|---|---|")
    for title, (make, asked) in KINDS.items():
        ours, account = bytes_a_key("kedis", make, arguments.count)
        theirs, _ = bytes_a_key("redis", make, arguments.count)
        print(
            f"| {title} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} | ≤ {asked} | {account / ours:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
