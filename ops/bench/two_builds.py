"""Processor time per request of two source trees of Kedis, run in turn: is a change slower than what was before it?

    python ops/bench/two_builds.py OLD NEW [--rounds 5] [--only SET,GET]

OLD and NEW are folders that hold ``kedis/``, for example ``git worktree add ../old COMMIT``. Requests are parsed, run
and recorded in one process, without sockets: a request over the network costs 8 us of kernel time in both builds, so
that a ratio here is the upper limit of the ratio there. Prints the median of both in us, their ratio, and that of the
best rounds. Time is that of the process, and the builds alternate, so that other work on the machine matters little.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

REQUESTS = 40_000
KEYS = [b"key:%06d" % number for number in range(10_000)]
PIPELINES = (1, 16)


def encode(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


ROWS: dict[str, list[bytes]] = {
    "SET": [encode(b"SET", key, b"x" * 20) for key in KEYS],
    "GET": [encode(b"GET", key) for key in KEYS],
    "INCR": [encode(b"INCR", b"n:" + key) for key in KEYS],
    "LPUSH": [encode(b"LPUSH", b"list", b"v")],
    "LPOP": [encode(b"LPOP", b"list")],
    "SADD": [encode(b"SADD", b"set", key) for key in KEYS],
    "HSET": [encode(b"HSET", b"hash", key, b"v") for key in KEYS],
    "ZADD": [encode(b"ZADD", b"zset", b"%d" % number, key) for number, key in enumerate(KEYS)],
    "LRANGE": [encode(b"LRANGE", b"list", b"0", b"99")],
    "MGET": [encode(b"MGET", *KEYS[:10])],
    "MULTI": [encode(b"MULTI") + encode(b"SET", b"a", b"b") + encode(b"GET", b"a") + encode(b"EXEC")],
}


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


def measure(only: set[str]) -> None:
    """Print row, pipeline and microseconds a request, for the tree that is on the path."""
    importlib.import_module("kedis.commands").load_all()
    engine = importlib.import_module("kedis.engine.engine").Engine()
    importlib.import_module("kedis.observability.observer").Observer(engine)
    client = importlib.import_module("kedis.engine.client").Client(engine, Carrier(), in_parts=True)
    parser = importlib.import_module("kedis.resp.requests").RequestParser()
    end_turn = _recording(engine)
    for name, requests in ROWS.items():
        if only and name not in only:
            continue
        for depth in PIPELINES:
            wires = [
                b"".join(requests[at % len(requests)] for at in range(begin, begin + depth))
                for begin in range(0, REQUESTS, depth)
            ]
            began = time.process_time()
            for wire in wires:
                engine.run(client, parser.feed(wire))
                client.out.clear()
                end_turn()
            print(name, depth, (time.process_time() - began) / REQUESTS * 1e6, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trees", nargs="*", metavar="OLD NEW")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="rows, separated by commas")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    only = set(filter(None, chosen.only.split(",")))
    if chosen.measure:
        measure(only)
        return
    if len(chosen.trees) != 2:
        parser.error("two folders are needed")
    found: dict[tuple[str, str], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for done in range(chosen.rounds):
        print(f"round {done + 1} of {chosen.rounds}", file=sys.stderr)
        for side, tree in enumerate(chosen.trees):
            words = [sys.executable, os.path.abspath(__file__), "--measure", "--only", chosen.only]
            environment = {**os.environ, "PYTHONPATH": os.path.abspath(tree), "PYTHONSAFEPATH": "1"}
            shown = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
            for line in shown.splitlines():
                name, depth, value = line.split()
                found[name, depth][side].append(float(value))
    print(f"{'row':8} {'pipeline':>8} {'old us':>7} {'new us':>7} {'ratio':>6} {'best':>6}")
    for (name, depth), (old, new) in found.items():
        medians = statistics.median(old), statistics.median(new)
        best = min(new) / min(old)
        print(
            f"{name:8} {depth:>8} {medians[0]:7.2f} {medians[1]:7.2f} {medians[1] / medians[0]:6.3f} {best:6.3f}"
        )


if __name__ == "__main__":
    main()
