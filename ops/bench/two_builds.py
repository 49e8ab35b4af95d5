"""Processor time per request of two source trees of Kedis, run in turn: is a change slower than what was before it?

    python ops/bench/two_builds.py OLD NEW [--rounds 5] [--only SET,GET] [--pure]
    python ops/bench/two_builds.py 4f60941^ . --pure --only collections

OLD and NEW are folders that hold ``kedis/``, or commits, which are taken out of git without being built. ``--pure`` has
both take the Python path. The second form compares that path with what it was before packed forms and compiled
structures came.

Requests are parsed, run and recorded in one process, without sockets: a request over the network costs 8 us of kernel
time in both builds, so that a ratio here is the upper limit of the ratio there. Prints the median of both in us, the
speed of NEW as a share of OLD's, and that of the best rounds. Time is that of the process, and the builds alternate,
so that other work on the machine matters little.

The rows "of 10" and "of 100" go round a thousand collections of so many elements, which keep their size: what a
request adds or takes away is undone before the next round, outside the time.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

REQUESTS = 40_000
KEYS = [b"key:%06d" % number for number in range(10_000)]
PIPELINES = (1, 16)


def encode(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@dataclass
class Row:
    """What is measured.

    Attributes:
        requests: one after another, again and again.
        setup: runs before the time.
        undo: runs after each round through ``requests``, outside the time.
    """

    requests: list[bytes]
    setup: list[bytes] = field(default_factory=list)
    undo: list[bytes] = field(default_factory=list)


def collections(size: int) -> dict[str, Row]:
    """The rows on small collections of ``size`` elements."""
    names = KEYS[:1000]
    words = [b"member:%d" % number for number in range(size)]
    pairs = [word for number in range(size) for word in (b"field:%d" % number, b"value%d" % number)]
    scored = [word for number in range(size) for word in (b"%d" % number, b"member:%d" % number)]
    hashes = [encode(b"HSET", b"h" + name, *pairs) for name in names]
    lists = [encode(b"RPUSH", b"l" + name, *words) for name in names]
    sets = [encode(b"SADD", b"s" + name, *words) for name in names]
    sorted_sets = [encode(b"ZADD", b"z" + name, *scored) for name in names]
    middle = b"%d" % (size // 2)

    def of(command: bytes, kind: bytes, *rest: bytes) -> list[bytes]:
        return [encode(command, kind + name, *rest) for name in names]

    rows = {
        "HSET": Row(of(b"HSET", b"h", b"field:" + middle, b"another"), hashes),
        "HGET": Row(of(b"HGET", b"h", b"field:" + middle), hashes),
        "HGETALL": Row(of(b"HGETALL", b"h"), hashes),
        "LPUSH": Row(of(b"LPUSH", b"l", b"item"), lists, of(b"LPOP", b"l")),
        "LPOP": Row(of(b"LPOP", b"l"), lists, of(b"RPUSH", b"l", b"item")),
        "SADD": Row(of(b"SADD", b"s", b"another"), sets, of(b"SREM", b"s", b"another")),
        "SISMEMBER": Row(of(b"SISMEMBER", b"s", b"member:" + middle), sets),
        "ZADD": Row(
            of(b"ZADD", b"z", b"1.5", b"member:" + middle),
            sorted_sets,
            of(b"ZADD", b"z", middle, b"member:" + middle),
        ),
        "ZRANGE": Row(of(b"ZRANGE", b"z", b"0", b"-1"), sorted_sets),
    }
    return {f"{name} of {size}": row for name, row in rows.items()}


ROWS: dict[str, Row] = {
    "SET": Row([encode(b"SET", key, b"x" * 20) for key in KEYS]),
    "GET": Row([encode(b"GET", key) for key in KEYS]),
    "INCR": Row([encode(b"INCR", b"n:" + key) for key in KEYS]),
    "LPUSH": Row([encode(b"LPUSH", b"list", b"v")]),
    "LPOP": Row([encode(b"LPOP", b"list")]),
    "SADD": Row([encode(b"SADD", b"set", key) for key in KEYS]),
    "HSET": Row([encode(b"HSET", b"hash", key, b"v") for key in KEYS]),
    "ZADD": Row([encode(b"ZADD", b"zset", b"%d" % number, key) for number, key in enumerate(KEYS)]),
    "LRANGE": Row([encode(b"LRANGE", b"list", b"0", b"99")]),
    "MGET": Row([encode(b"MGET", *KEYS[:10])]),
    "MULTI": Row([encode(b"MULTI") + encode(b"SET", b"a", b"b") + encode(b"GET", b"a") + encode(b"EXEC")]),
}
COLLECTIONS = collections(10) | collections(100)


def chosen_rows(only: str) -> dict[str, Row]:
    """The rows of that name; ``collections`` stands for all on small ones, and nothing for every row."""
    every = ROWS | COLLECTIONS
    names = set(filter(None, only.split(",")))
    if "collections" in names:
        names |= set(COLLECTIONS)
    return {name: row for name, row in every.items() if not names or name in names}


class Carrier:
    """The transport of the client, and the sink that its changes go to: both drop everything."""

    kind = "tcp"
    fd = -1

    def close(self) -> None: ...

    def wants_send(self) -> None: ...

    def feed(self, pieces: Any) -> None: ...

    def lost(self) -> None: ...


def _recording(engine: Any) -> Callable[[], Any]:
    """Have changes recorded; returns what ends a turn. Trees from before the propagation stream have a journal."""
    if hasattr(engine, "propagation"):
        engine.propagation.add_sink(Carrier())
        flush: Callable[[], Any] = engine.propagation.flush
        return flush
    engine.journal = importlib.import_module("kedis.persistence.journal").Journal(lambda: 0.0)
    take: Callable[[], Any] = engine.journal.take
    return take


def measure(rows: dict[str, Row]) -> None:
    """Print row, pipeline and microseconds a request, for the tree that is on the path."""
    importlib.import_module("kedis.commands").load_all()
    engine = importlib.import_module("kedis.engine.engine").Engine()
    importlib.import_module("kedis.observability.observer").Observer(engine)
    client = importlib.import_module("kedis.engine.client").Client(engine, Carrier(), in_parts=True)
    parser = importlib.import_module("kedis.resp.requests").RequestParser()
    end_turn = _recording(engine)

    def run(wires: list[bytes]) -> float:
        began = time.process_time()
        for wire in wires:
            engine.run(client, parser.feed(wire))
            client.out.clear()
            end_turn()
        return time.process_time() - began

    for name, row in rows.items():
        for depth in PIPELINES:
            run([encode(b"FLUSHALL"), *row.setup])
            requests = row.requests * max(1, 1000 // len(row.requests))
            wires = [b"".join(requests[begin : begin + depth]) for begin in range(0, len(requests), depth)]
            took, rounds = 0.0, max(1, REQUESTS // len(requests))
            for _ in range(rounds):
                took += run(wires)
                run(row.undo)
            print(name, depth, took / rounds / len(requests) * 1e6, sep="\t", flush=True)


@contextlib.contextmanager
def tree(name: str) -> Iterator[str]:
    """The folder of that name, or one with the ``kedis/`` of that commit."""
    if (Path(name) / "kedis").is_dir():
        yield str(Path(name).resolve())
        return
    packed = subprocess.run(["git", "archive", name, "kedis"], capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        yield folder


def compare(trees: list[str], rounds: int, only: str, pure: bool) -> None:
    """Measure both in turn, and print the table."""
    found: dict[tuple[str, str], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for done in range(rounds):
        print(f"round {done + 1} of {rounds}", file=sys.stderr)
        for side, folder in enumerate(trees):
            words = [sys.executable, os.path.abspath(__file__), "--measure", "--only", only]
            environment = {**os.environ, "PYTHONPATH": folder, "PYTHONSAFEPATH": "1"}
            if pure:
                environment["KEDIS_PURE"] = "1"
            shown = subprocess.run(
                words, env=environment, stdout=subprocess.PIPE, text=True, check=True
            ).stdout
            for line in shown.splitlines():
                name, depth, value = line.split("\t")
                found[name, depth][side].append(float(value))
    print(f"{'row':16} {'pipeline':>8} {'old us':>7} {'new us':>7} {'speed':>6} {'best':>6}")
    for (name, depth), (old, new) in found.items():
        medians = statistics.median(old), statistics.median(new)
        speed, best = medians[0] / medians[1], min(old) / min(new)
        print(f"{name:16} {depth:>8} {medians[0]:7.2f} {medians[1]:7.2f} {speed:6.2f} {best:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trees", nargs="*", metavar="OLD NEW")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", default="", help="rows, separated by commas; collections: all on small ones"
    )
    parser.add_argument("--pure", action="store_true", help="both on the Python path")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(chosen_rows(chosen.only))
        return
    if len(chosen.trees) != 2:
        parser.error("two folders or commits are needed")
    with tree(chosen.trees[0]) as old, tree(chosen.trees[1]) as new:
        compare([old, new], chosen.rounds, chosen.only, chosen.pure)


if __name__ == "__main__":
    main()
