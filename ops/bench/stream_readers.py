"""Readers that wait for streams beside real Redis: memory of each, what an XADD costs, who is woken.

    python ops/bench/stream_readers.py                  10,000 readers, as Markdown
    python ops/bench/stream_readers.py --readers 1000

Pinned like ops/bench/against_redis.py.  Memory is what the server grew by when connected clients began to wait.  An
XADD's cost is the server's processor time from the request to the last answer, the readers' new requests not included.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from against_redis import LOAD_CORE, Running, describe_machine, server
from many_clients import Crowd, encode
from streams import NOTHING_ON_DISK, processor_seconds

READERS = 10_000
#: The server has read the requests of so many when it answers a later one.
_FEW = 50
Request = Callable[[int], Sequence[object]]


@dataclass(frozen=True)
class Waiting:
    """How readers wait.

    Attributes:
        request: what the reader of a number sends.
        add_to: the stream that an entry is added to.
        woken: how many readers an entry concerns, of so many.
    """

    title: str
    request: Request
    add_to: str
    woken: Callable[[int], int]


def read(key: str, *, group: str = "") -> Sequence[object]:
    """XREAD, or XREADGROUP where there is a group, that waits for ever."""
    if group:
        return ("XREADGROUP", "GROUP", group, "c", "BLOCK", 0, "STREAMS", key, ">")
    return ("XREAD", "BLOCK", 0, "STREAMS", key, "$")


WAYS = (
    Waiting("XREAD, a stream for each", lambda number: read(f"s:{number}"), "s:7", lambda _: 1),
    Waiting("XREAD, one stream", lambda _: read("s"), "s", lambda count: count),
    Waiting(
        "XREADGROUP, a stream for each", lambda number: read(f"s:{number}", group="g"), "s:7", lambda _: 1
    ),
    Waiting(
        "XREADGROUP, one stream, a group for each",
        lambda number: read("s", group=f"g:{number}"),
        "s",
        lambda count: count,
    ),
    Waiting("XREADGROUP, one stream and group", lambda _: read("s", group="g"), "s", lambda _: 1),
)


@dataclass(frozen=True)
class Figures:
    """Bytes a reader; milliseconds on the clock and microseconds of processor of an XADD until all are answered."""

    memory: float
    answered_ms: float
    processor_us: float


def begin(crowd: Crowd, way: Waiting, members: Sequence[int]) -> None:
    """Have ``members`` wait."""
    for number in members:
        crowd.members[number].sendall(encode(*way.request(number)))
    if len(members) > _FEW:
        crowd.wait_for("blocked_clients", len(crowd.members))
    crowd.act("PING")


def measure(running: Running, way: Waiting, count: int, rounds: int) -> Figures:
    """Figures of ``count`` readers; an answer to a reader that the entry does not concern is a fault."""
    with Crowd(running, count) as crowd:
        for number in range(count):
            words = way.request(number)
            if words[0] == "XREADGROUP":
                crowd.act("XGROUP", "CREATE", words[-2], words[2], "$", "MKSTREAM")
        crowd.act("PING")
        before = running.resident_bytes()
        begin(crowd, way, range(count))
        grown = running.resident_bytes() - before
        seconds, used = [], []
        for _ in range(rounds):
            spent, began = processor_seconds(running), time.perf_counter()
            crowd.actor.sendall(encode("XADD", way.add_to, "*", "field", "value"))
            answered = collect(crowd, way.woken(count))
            seconds.append(time.perf_counter() - began)
            crowd.actor.recv(100)
            used.append(processor_seconds(running) - spent)
            begin(crowd, way, answered)
        assert not crowd.poller.poll(0), "a reader was answered that nothing concerned"
    return Figures(grown / count, statistics.median(seconds) * 1e3, sum(used) / rounds * 1e6)


def collect(crowd: Crowd, expected: int) -> list[int]:
    """The readers that were answered, when so many were."""
    answered: list[int] = []
    while len(answered) < expected:
        for fd, _ in crowd.poller.poll():
            number = crowd.by_fd[fd]
            assert crowd.members[number].recv(4096).endswith(b"value\r\n")
            answered.append(number)
    return answered


def fresh(name: str, way: Waiting, count: int, rounds: int) -> Figures:
    with server(name, (*NOTHING_ON_DISK, "--maxclients", "12000")) as running:
        return measure(running, way, count, rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--readers", type=int, default=READERS, help="how many wait (default 10,000)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the readers")
    options = parser.parse_args()
    count = options.readers // 5 if options.quick else options.readers
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 2000:
        parser.error(f"needs {count + 2000} open files, and the limit is {hard} (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 25_000)), hard))
    print(describe_machine())
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    print(f"\n### {count:,} readers that wait\n")
    print("| way | figure | Redis | Kedis | ratio |\n|---|---|---|---|---|")
    for way in WAYS:
        few = way.woken(count) == 1
        rounds = 300 if few else 10
        found = [fresh(name, way, count, rounds) for name in ("redis", "kedis")]
        row(way.title, "bytes a reader", [each.memory for each in found])
        row("", "XADD until all are answered, ms", [each.answered_ms for each in found])
        row("", "processor for it, us", [each.processor_us for each in found])
        if few:
            alone = [fresh(name, way, 8, rounds) for name in ("redis", "kedis")]
            row("", "the same of 8 readers, ms", [each.answered_ms for each in alone])


def row(way: str, title: str, values: Sequence[float]) -> None:
    theirs, ours = values
    cells = [f"{value:,.3f}" if value < 10 else f"{value:,.0f}" for value in values]
    ratio = f"{ours / theirs:.2f}" if theirs else "not measurable"
    print(f"| {way} | {title} | {' | '.join(cells)} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
