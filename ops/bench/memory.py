"""Memory: is the account true, are the right keys evicted, and does anybody have to wait for it?

    python ops/bench/memory.py                     everything, as Markdown
    python ops/bench/memory.py --only ratios --quick

Servers are pinned like in ops/bench/against_redis.py, whose parts it uses.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import os
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

import redis
from account_cost import bench_cost, engine_client
from against_redis import LOAD_CORE, Running, describe_machine, server

from kedis.commands import load_all
from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.observability.process_memory import resident_bytes

NOTHING_ON_DISK = ("--appendonly", "no")
KEYS, REQUESTS, SHARE, SKEW = 200_000, 1_000_000, 0.2, 0.99
BATCH = 50
VALUE = b"v" * 100


def client_of(running: Running) -> redis.Redis:
    return redis.Redis(port=running.port)


def pipelined(client: redis.Redis, commands: Iterable[Sequence[object]], size: int = 500) -> None:
    commands = iter(commands)
    while batch := list(itertools.islice(commands, size)):
        pipe = client.pipeline(transaction=False)
        for words in batch:
            pipe.execute_command(*words)
        pipe.execute()


# -- the account ------------------------------------------------------------------------------------------

Commands = Iterator[Sequence[object]]


def small_strings(count: int) -> Commands:
    return (("SET", f"key:{number:012d}", f"{number:032d}") for number in range(count))


def large_strings(count: int) -> Commands:
    return (("SET", f"key:{number:012d}", os.urandom(512).hex()) for number in range(count))


def hashes(count: int) -> Commands:
    for number in range(count):
        fields = [
            f"{name}:{number % 97}" for field in range(10) for name in (f"field{field}", f"value{number}")
        ]
        yield ("HSET", f"key:{number:012d}", *fields)


def lists(count: int) -> Commands:
    return (
        ("RPUSH", f"key:{number:012d}", *[f"element:{number}:{place}" for place in range(1000)])
        for number in range(count)
    )


def sorted_sets(count: int) -> Commands:
    for number in range(count):
        scored = [word for place in range(1000) for word in (place * 1.5, f"member:{number}:{place}")]
        yield ("ZADD", f"key:{number:012d}", *scored)


KINDS: dict[str, tuple[Callable[[int], Commands], int]] = {
    "strings of 32 bytes": (small_strings, 1_400_000),
    "strings of 1 KB": (large_strings, 260_000),
    "hashes of 10 fields": (hashes, 140_000),
    "lists of 1,000": (lists, 4_000),
    "sorted sets of 1,000": (sorted_sets, 1_500),
}


def bench_account(scale: float) -> None:
    """Growth of used_memory beside growth of the resident size, filled and after half was deleted."""
    print("\n### The account\n")
    print(
        "| data | used_memory, MB | resident, MB | ratio | after half is deleted: used | resident | ratio |"
    )
    print("|---|---|---|---|---|---|---|")
    for title, (fill, count) in KINDS.items():
        count = int(count * scale)
        with server("kedis", NOTHING_ON_DISK) as running:
            client = client_of(running)
            start = running.resident_bytes()
            pipelined(client, fill(count), 500 if count > 10_000 else 5)
            full = figures(client, running, start)
            # In the order of their keys, as they came: every other one would leave no page wholly free.
            pipelined(client, (("DEL", f"key:{number:012d}") for number in range(count // 2)))
            client.execute_command("MEMORY", "PURGE")
            half = figures(client, running, start)
        print(f"| {title} | {row_of(full)} | {row_of(half)} |", flush=True)


def figures(client: redis.Redis, running: Running, start: int) -> tuple[float, float]:
    return client.info("memory")["used_memory"] / 1e6, (running.resident_bytes() - start) / 1e6


def row_of(pair: tuple[float, float]) -> str:
    used, resident = pair
    return f"{used:,.0f} | {resident:,.0f} | {used / resident:.2f}"


# -- the ratio of hits ------------------------------------------------------------------------------------


def zipf_trace(requests: int, seed: int = 1) -> list[int]:
    """Numbers of keys, the n-th most frequent in proportion to n to the power of -0.99."""
    rng = random.Random(seed)
    weights = list(itertools.accumulate(1 / (rank + 1) ** SKEW for rank in range(KEYS)))
    names = list(range(KEYS))
    rng.shuffle(names)
    return [names[bisect.bisect(weights, rng.random() * weights[-1])] for _ in range(requests)]


def with_scan(trace: list[int]) -> list[int]:
    """The trace with 200,000 keys in its middle that nobody asks for again."""
    middle = len(trace) // 2
    return trace[:middle] + list(range(KEYS, KEYS + KEYS)) + trace[middle:]


def exact_lru(trace: list[int], capacity: int) -> float:
    """The ratio that an exact LRU of so many keys has."""
    held: OrderedDict[int, None] = OrderedDict()
    hits = asked = 0
    for number in trace:
        asked += number < KEYS
        if number in held:
            hits += 1
            held.move_to_end(number)
            continue
        held[number] = None
        if len(held) > capacity:
            held.popitem(last=False)
    return hits / asked


def ratio_of(running: Running, trace: list[int], policy: str, capacity: int) -> tuple[float, int]:
    """The ratio of hits of a look-aside cache, and how many keys it held in the end.

    The limit is what ``capacity`` keys need, found by filling.
    """
    client = client_of(running)
    client.flushall()
    client.config_set("maxmemory", 0)
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory-samples", 10)
    pipelined(client, (("SET", f"key:{number:06d}", VALUE) for number in range(capacity)))
    limit = client.info("memory")["used_memory"]
    client.flushall()
    client.config_set("maxmemory", limit)
    hits = asked = 0
    for begin in range(0, len(trace), BATCH):
        numbers = trace[begin : begin + BATCH]
        pipe = client.pipeline(transaction=False)
        for number in numbers:
            pipe.get(f"key:{number:06d}")
        missed = []
        for number, value in zip(numbers, pipe.execute(), strict=True):
            asked += number < KEYS
            if value is None:
                missed.append(number)
            else:
                hits += 1
        pipelined(client, (("SET", f"key:{number:06d}", VALUE) for number in missed))
    return hits / asked, client.dbsize()


def bench_ratios(scale: float) -> None:
    capacity = int(KEYS * SHARE)
    trace = zipf_trace(int(REQUESTS * scale))
    scanned = with_scan(trace)
    print(f"\n### Hits: Zipf({SKEW}), {len(trace):,} requests for {KEYS:,} keys, room for {capacity:,}\n")
    print("| trace | policy | Redis | Kedis | exact LRU |\n|---|---|---|---|---|")
    for title, requests in (("plain", trace), ("with a scan", scanned)):
        exact = exact_lru(requests, capacity)
        for policy in ("allkeys-lru", "allkeys-lfu"):
            found = [measured(name, requests, policy, capacity) for name in ("redis", "kedis")]
            print(f"| {title} | {policy} | " + " | ".join(found) + f" | {exact:.4f} |", flush=True)


def measured(name: str, trace: list[int], policy: str, capacity: int) -> str:
    with server(name, NOTHING_ON_DISK) as running:
        ratio, held = ratio_of(running, trace, policy, capacity)
    return f"{ratio:.4f} ({held:,} keys)"


def bench_curve(scale: float) -> None:
    """Hits against memory, drawn."""
    trace = zipf_trace(int(REQUESTS * scale / 4))
    print("\n### Hits against room for keys, allkeys-lru\n\n```")
    with server("kedis", NOTHING_ON_DISK) as running:
        for percent in (1, 2, 5, 10, 20, 40, 80):
            capacity = KEYS * percent // 100
            ratio, _ = ratio_of(running, trace, "allkeys-lru", capacity)
            print(f"{percent:3d} % of the keys  {ratio:.3f}  {'#' * round(ratio * 60)}", flush=True)
    print("```")


# -- waiting ----------------------------------------------------------------------------------------------


class Pinger:
    """Round trips of PING, one after the other, while something else goes on."""

    def __init__(self, running: Running) -> None:
        self.worst = 0.0
        self._client = client_of(running)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.perf_counter()
            self._client.ping()
            self.worst = max(self.worst, time.perf_counter() - began)

    def __enter__(self) -> Pinger:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def bench_stalls(scale: float) -> None:
    """The longest PING while memory is made free."""
    print("\n### The longest PING meanwhile\n\n| what goes on | Redis, ms | Kedis, ms |\n|---|---|---|")
    count = int(1_000_000 * scale)
    found: dict[str, list[float]] = {}
    for name in ("redis", "kedis"):
        with server(name, NOTHING_ON_DISK) as running:
            client = client_of(running)
            pipelined(client, small_strings(count))
            client.config_set("maxmemory-policy", "allkeys-lru")
            limit = client.info("memory")["used_memory"] // 2
            with Pinger(running) as pinger:
                client.config_set("maxmemory", limit)
                while client.info("memory")["used_memory"] > limit * 1.001:
                    time.sleep(0.05)
            found.setdefault(f"maxmemory halved at {count:,} keys", []).append(pinger.worst)
            client.config_set("maxmemory", 0)
            fields = (word for number in range(count) for word in (f"field:{number}", number))
            while batch := list(itertools.islice(fields, 2000)):
                client.execute_command("HSET", "hash", *batch)
            for title, words in (
                (f"UNLINK of a hash of {count:,}", ("UNLINK", "hash")),
                ("FLUSHALL ASYNC", ("FLUSHALL", "ASYNC")),
            ):
                with Pinger(running) as pinger:
                    client.execute_command(*words)
                    while client.info("memory")["lazyfree_pending_objects"]:
                        time.sleep(0.05)
                found.setdefault(title, []).append(pinger.worst)
    for title, worst in found.items():
        print(f"| {title} | " + " | ".join(f"{seconds * 1e3:.1f}" for seconds in worst) + " |", flush=True)


# -- churn ------------------------------------------------------------------------------------------------


def bench_churn(scale: float) -> None:
    """Resident memory while keys of all kinds come and go for a day's worth of operations, in this process."""
    operations, keys = int(20_000_000 * scale), 20_000
    load_all()
    engine = Engine(Config({"appendonly": "no"}))
    client = engine_client(engine)
    rng = random.Random(3)
    names = [b"key:%d" % number for number in range(keys)]
    words: list[Callable[[bytes, bytes], list[bytes]]] = [
        lambda key, word: [b"SET", key, word],
        lambda key, word: [b"DEL", key],
        lambda key, word: [b"HSET", key, word, word],
        lambda key, word: [b"RPUSH", key, word],
        lambda key, word: [b"ZADD", key, b"1", word],
        lambda key, word: [b"SADD", key, word],
        lambda key, word: [b"UNLINK", key],
        lambda key, word: [b"PEXPIRE", key, b"50"],
    ]
    print("\n### Churn\n\n| operations | keys | used_memory, MB | resident, MB |\n|---|---|---|---|")
    for step in range(10):
        for _ in range(operations // 10 // 100):
            batch = [
                rng.choice(words)(rng.choice(names), b"word:%d" % rng.randrange(1000)) for _ in range(100)
            ]
            engine.run(client, batch)
            client.out.clear()
        used = engine.keyspace.used / 1e6
        held = len(engine.keyspace.databases[0])
        print(
            f"| {operations // 10 * (step + 1):,} | {held:,} | {used:.1f} | {resident_bytes() / 1e6:.1f} |",
            flush=True,
        )


PARTS = {
    "cost": bench_cost,
    "account": bench_account,
    "ratios": bench_ratios,
    "curve": bench_curve,
    "stalls": bench_stalls,
    "churn": bench_churn,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--quick", action="store_true", help="a fifth of everything")
    arguments = parser.parse_args()
    print(describe_machine())
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    for name, bench in PARTS.items():
        if arguments.only in (None, name):
            bench(0.2 if arguments.quick else 1.0)


if __name__ == "__main__":
    main()
