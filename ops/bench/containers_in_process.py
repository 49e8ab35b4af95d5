"""Cost of commands on hashes, sets and sorted sets by size, in nanoseconds of CPU time per call and without a socket.

What is measured is everything between a request's bytes and its reply's: on the native path its ``feed``, with
KEDIS_PURE=1 the parser and the engine in Python. Members and scores are drawn in advance.

python ops/bench/containers_in_process.py --sizes 1000 100000 1000000
"""

from __future__ import annotations

import argparse
import gc
import random
from collections.abc import Callable, Iterator
from time import process_time_ns, time_ns

from kedis import native
from kedis.commands import load_all
from kedis.engine.client import Client
from kedis.engine.engine import Engine
from kedis.engine.transport import NullTransport
from kedis.observability.observer import Observer
from kedis.resp.requests import RequestParser

Requests = list[bytes]
Send = Callable[[bytes], object]


def request(*words: bytes) -> bytes:
    """A request as it travels."""
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def name(number: int) -> bytes:
    """A member or field, as redis-benchmark names one."""
    return b"element:%012d" % number


def server() -> tuple[Client, Send]:
    """A client of a new engine, and what runs one request for it and drops the reply."""
    load_all()
    engine = Engine()
    Observer(engine)
    client = Client(engine, NullTransport(), trusted=True)
    engine.connect(client)
    if native.PATH == "native":
        from kedis.native.path import Path, Peer  # type: ignore[import-not-found]

        path, peer = Path(engine), Peer()
        peer.client = client
        feed, drop = path.feed, peer.drop_buffers_here

        def send(data: bytes) -> None:
            rest, outcome = feed(peer, data, 1 << 40, time_ns())
            assert outcome == "end", (outcome, rest)
            if peer.output_bytes_here > 1 << 20:
                drop()

        return client, send
    parser = RequestParser(max_bulk_length=1 << 29)
    out = client.out

    def run(data: bytes) -> None:
        engine.run(client, parser.feed(data))
        out.clear()

    return client, run


def fill(send: Send, command: bytes, size: int) -> None:
    """``size`` members of one key, in random order."""
    rng = random.Random(size)
    numbers = list(range(size))
    rng.shuffle(numbers)
    for start in range(0, size, 100):
        words = [command, b"key"]
        for number in numbers[start : start + 100]:
            if command == b"ZADD":
                words.append(b"%d" % rng.randrange(10**9))
            words.append(name(number))
            if command == b"HSET":
                words.append(b"value")
        send(request(*words))


def cases(size: int, operations: int) -> Iterator[tuple[str, bytes, Requests]]:
    """What is measured: its name, the command that fills the key, the requests in the order in which they run."""
    rng = random.Random(size + 1)
    old = [name(rng.randrange(size)) for _ in range(operations)]
    new = [b"new:%012d" % number for number in range(operations)]
    scores = [b"%d" % rng.randrange(10**9) for _ in range(operations)]
    floats = [b"%.3f" % (rng.random() * 10**9) for _ in range(operations)]

    def each(command: bytes, *columns: list[bytes]) -> Requests:
        return [request(command, b"key", *words) for words in zip(*columns, strict=True)]

    yield "PING", b"ZADD", [request(b"PING")] * operations
    yield "ZADD other score", b"ZADD", each(b"ZADD", scores, old)
    yield "ZADD decimal score", b"ZADD", each(b"ZADD", floats, old)
    yield "ZADD same score", b"ZADD", each(b"ZADD", [b"7"] * operations, old[:1] * operations)
    yield "ZINCRBY", b"ZADD", each(b"ZINCRBY", [b"5"] * operations, old)
    yield "ZRANK", b"ZADD", each(b"ZRANK", old)
    yield "ZREVRANK", b"ZADD", each(b"ZREVRANK", old)
    yield "ZSCORE", b"ZADD", each(b"ZSCORE", old)
    starts = [rng.randrange(max(1, size - 10)) for _ in range(operations)]
    yield (
        "ZRANGE of 10",
        b"ZADD",
        each(b"ZRANGE", [b"%d" % at for at in starts], [b"%d" % (at + 9) for at in starts]),
    )
    yield "ZADD new", b"ZADD", each(b"ZADD", scores, new)
    yield "ZREM", b"ZADD", each(b"ZREM", rng.sample(new, operations))
    yield "SADD known", b"SADD", each(b"SADD", old)
    yield "SADD new", b"SADD", each(b"SADD", new)
    yield "SREM", b"SADD", each(b"SREM", rng.sample(new, operations))
    yield "SPOP", b"SADD", [request(b"SPOP", b"key")] * (min(operations, size) // 2)
    yield "HSET known", b"HSET", each(b"HSET", old, scores)
    yield "HSET new", b"HSET", each(b"HSET", new, scores)
    yield "HDEL", b"HSET", each(b"HDEL", rng.sample(new, operations))


def best_ns(send: Send, requests: Requests, parts: int, pipeline: int) -> float:
    """Mean time of a request, in the fastest of so many equal parts."""
    together = [
        b"".join(requests[start : start + pipeline])
        for start in range(0, len(requests) - pipeline + 1, pipeline)
    ]
    step = max(1, len(together) // parts)
    best = float("inf")
    for start in range(0, len(together) - step + 1, step):
        part = together[start : start + step]
        begin = process_time_ns()
        for data in part:
            send(data)
        best = min(best, (process_time_ns() - begin) / (step * pipeline))
    return best


def main() -> None:
    """Parse the options, measure, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000], metavar="N")
    parser.add_argument("--operations", type=int, default=50_000, metavar="N", help="calls per figure")
    parser.add_argument("--parts", type=int, default=5, metavar="N", help="take the best of so many parts")
    parser.add_argument("--pipeline", type=int, default=16, metavar="N", help="requests that come together")
    parser.add_argument("--only", default="", metavar="COMMAND", help="the commands that begin so")
    options = parser.parse_args()
    rows: dict[str, list[float]] = {}
    for size in options.sizes:
        filled = b""
        for case, command, requests in cases(size, options.operations):
            if not case.startswith(options.only):
                continue
            if command != filled:
                _, send = server()
                fill(send, command, size)
                filled = command
                gc.collect()
                gc.freeze()
            rows.setdefault(case, []).append(best_ns(send, requests, options.parts, options.pipeline))
    print(f"{'ns per call, ' + native.PATH:<24}" + "".join(f"{size:>12,}" for size in options.sizes))
    for case, figures in rows.items():
        print(f"{case:<24}" + "".join(f"{figure:>12,.0f}" for figure in figures))


if __name__ == "__main__":
    main()
