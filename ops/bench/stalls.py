"""How long others wait for one large command: Kedis beside real Redis.

    python ops/bench/stalls.py                          everything, as Markdown, in about ten minutes
    python ops/bench/stalls.py --quick                  a tenth of the elements, a sixteenth of the bytes
    python ops/bench/stalls.py --only strings sort

One client sends a large command and reads the reply as fast as it comes, while another sends one PING after
the other.  The longest wait of a PING is what everybody else sees of the command: the least of several runs counts,
so that a slow moment of the machine is not taken for a stall of the server.  Processor time is that of the server
for the command alone, sending included.

Servers are pinned like in ops/bench/against_redis.py.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from against_redis import Running, describe_machine, server

from kedis.resp.replies import encode_command

FLAGS = ("--appendonly", "no", "--save", "", "--enable-debug-command", "yes")
Words = Sequence[bytes]
Commands = Iterable[Words]
#: Elements of a command that fills a container.
BATCH = 2000
_DONE = b"+PONG\r\n"


@dataclass(frozen=True)
class Case:
    """A command to measure, and what is to be done before each of its runs."""

    title: str
    words: Words
    prepare: Sequence[Words] = ()


@dataclass(frozen=True)
class Group:
    """Data, and the commands that are measured on them."""

    fill: Callable[[], Commands]
    cases: Sequence[Case]


@dataclass(frozen=True)
class Figure:
    """What one server took: the longest wait of a PING and the processor time, in milliseconds."""

    wait_ms: float
    processor_ms: float


# -- clients ----------------------------------------------------------------------------------------------


class Client:
    """Sends commands and reads replies without looking at them."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._buffer = bytearray(1 << 20)

    def close(self) -> None:
        self._sock.close()

    def run(self, words: Words) -> bytes:
        """Send one command and read until it is answered; returns how the reply begins."""
        self._sock.sendall(encode_command(words) + b"PING\r\n")
        return self._read_replies()

    def _read_replies(self) -> bytes:
        """Read up to the reply to the PING that was sent last."""
        first = tail = b""
        while tail != _DONE:
            size = self._sock.recv_into(self._buffer)
            if not size:
                raise SystemExit("the server closed the connection")
            first = first or bytes(self._buffer[:80])
            tail = (tail + self._buffer[max(size - len(_DONE), 0) : size])[-len(_DONE) :]
        return first

    def run_all(self, commands: Commands) -> None:
        """Run many commands, some at a time."""
        commands = iter(commands)
        while some := list(itertools.islice(commands, 50)):
            self._sock.sendall(b"".join(map(encode_command, some)) + b"PING\r\n")
            self._read_replies()


@contextlib.contextmanager
def client_of(running: Running) -> Iterator[Client]:
    client = Client(running.port)
    try:
        yield client
    finally:
        client.close()


def _ping(port: int, control: Connection) -> None:
    """Send one PING after the other until told to stop; tell the longest wait in seconds."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    longest = 0.0
    control.send(0.0)
    while not control.poll():
        began = time.perf_counter()
        sock.sendall(b"PING\r\n")
        sock.recv(64)
        longest = max(longest, time.perf_counter() - began)
    control.send(longest)


def longest_ping(running: Running, command: Callable[[], object]) -> float:
    """The longest wait of a PING beside ``command``, in milliseconds."""
    ours, theirs = multiprocessing.Pipe()
    pinger = multiprocessing.Process(target=_ping, args=(running.port, theirs))
    pinger.start()
    ours.recv()
    time.sleep(0.02)
    command()
    time.sleep(0.02)
    ours.send(None)
    longest: float = ours.recv()
    pinger.join()
    return longest * 1e3


def processor_ms(running: Running) -> float:
    """What all threads of the server have run for, in milliseconds."""
    tasks = Path(f"/proc/{running.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


def measure(running: Running, client: Client, case: Case, repeats: int) -> Figure:
    """Run ``case`` once by itself and then beside a PING as often as asked for."""
    client.run_all(case.prepare)
    before = processor_ms(running)
    beginning = client.run(case.words)
    spent = processor_ms(running) - before
    if beginning.startswith(b"-"):
        raise SystemExit(f"{running.name}: {case.title}: {beginning!r}")
    waits = []
    for _ in range(repeats):
        client.run_all(case.prepare)
        waits.append(longest_ping(running, lambda: client.run(case.words)))
    return Figure(min(waits), spent)


# -- what is measured -------------------------------------------------------------------------------------


def batched(words: Iterable[bytes], *head: bytes, size: int = BATCH) -> Commands:
    """Commands that begin with ``head`` and take some of ``words`` each."""
    words = iter(words)
    while some := list(itertools.islice(words, size)):
        yield [*head, *some]


def string_of(key: bytes, size: int, piece: int = 1 << 20) -> Commands:
    """A string of random bytes, set as a whole."""
    yield [b"SET", key, (random.Random(1).randbytes(piece) * (size // piece + 1))[:size]]


def scores_of(count: int) -> Iterator[tuple[bytes, bytes]]:
    rng = random.Random(2)
    return ((b"%.17g" % rng.random(), b"member:%d" % number) for number in range(count))


def strings(whole: int) -> Group:
    size = whole - 64  # no string may be longer than 512 MB, and some cases append

    def fill() -> Commands:
        yield from string_of(b"big", size)
        yield from string_of(b"other", size)
        yield [b"SETRANGE", b"changed", b"%d" % (size - 1), b"x"]

    mb = f"{whole >> 20} MB"
    middle = b"%d" % (size // 2)
    return Group(
        fill,
        [
            Case(f"GET of {mb}", [b"GET", b"big"]),
            Case(f"GET of {mb}, changed in place", [b"GET", b"changed"]),
            Case(f"GETRANGE of half of {mb}", [b"GETRANGE", b"big", b"0", middle]),
            Case(f"BITCOUNT of {mb}", [b"BITCOUNT", b"big"]),
            Case(f"BITPOS of {mb} of zeros", [b"BITPOS", b"changed", b"1"]),
            Case(f"BITOP NOT of {mb}", [b"BITOP", b"NOT", b"to", b"big"]),
            Case(f"BITOP XOR of two of {mb}", [b"BITOP", b"XOR", b"to", b"big", b"other"]),
            Case(f"APPEND to {mb}", [b"APPEND", b"to", b"x"], [[b"COPY", b"big", b"to", b"REPLACE"]]),
            Case(
                f"SETRANGE in {mb}", [b"SETRANGE", b"to", b"9", b"x"], [[b"COPY", b"big", b"to", b"REPLACE"]]
            ),
            Case(f"SETRANGE in {mb} again", [b"SETRANGE", b"to", b"9", b"x"]),
            Case(f"COPY of {mb}", [b"COPY", b"big", b"to", b"REPLACE"]),
            Case(f"DEL of {mb}", [b"DEL", b"to"], [[b"COPY", b"big", b"to", b"REPLACE"]]),
        ],
    )


def lists(count: int) -> Group:
    def fill() -> Commands:
        yield from batched((b"element:%d" % number for number in range(count)), b"RPUSH", b"list")

    one = f"{count:,}"
    copied = [[b"COPY", b"list", b"to", b"REPLACE"]]
    middle = b"element:%d" % (count // 2)
    return Group(
        fill,
        [
            Case(f"LRANGE of {one}", [b"LRANGE", b"list", b"0", b"-1"]),
            Case(f"COPY of a list of {one}", [b"COPY", b"list", b"to", b"REPLACE"]),
            Case(f"LINSERT in the middle of {one}", [b"LINSERT", b"to", b"BEFORE", middle, b"x"], copied),
            Case(f"LREM in {one}", [b"LREM", b"to", b"0", b"element:77"], copied),
            Case(f"LSET in the middle of {one}", [b"LSET", b"list", b"%d" % (count // 2), middle]),
            Case(f"LPOS at the end of {one}", [b"LPOS", b"list", b"element:%d" % (count - 1)]),
            Case(f"LTRIM of {one} to half", [b"LTRIM", b"to", b"0", b"%d" % (count // 2)], copied),
            Case(f"LPOP of all {one}", [b"LPOP", b"to", b"%d" % count], copied),
            Case(f"DEL of a list of {one}", [b"DEL", b"to"], copied),
            Case(f"OBJECT ENCODING of a list of {one}", [b"OBJECT", b"ENCODING", b"list"]),
        ],
    )


def hashes(count: int) -> Group:
    def fill() -> Commands:
        pairs = (word for number in range(count) for word in (b"field:%d" % number, b"value:%d" % number))
        return batched(pairs, b"HSET", b"hash")

    one = f"{count:,}"
    copied = [[b"COPY", b"hash", b"to", b"REPLACE"]]
    return Group(
        fill,
        [
            Case(f"HGETALL of {one}", [b"HGETALL", b"hash"]),
            Case(f"HKEYS of {one}", [b"HKEYS", b"hash"]),
            Case(f"HVALS of {one}", [b"HVALS", b"hash"]),
            Case(f"HSCAN of {one} at once", [b"HSCAN", b"hash", b"0", b"COUNT", b"%d" % (2 * count)]),
            Case(f"COPY of a hash of {one}", [b"COPY", b"hash", b"to", b"REPLACE"]),
            Case(f"DUMP of a hash of {one}", [b"DUMP", b"hash"]),
            Case(f"DEL of a hash of {one}", [b"DEL", b"to"], copied),
        ],
    )


def sets(count: int) -> Group:
    def fill() -> Commands:
        yield from batched((b"member:%d" % number for number in range(count)), b"SADD", b"set")
        half = range(count // 2, count // 2 + count)
        yield from batched((b"member:%d" % number for number in half), b"SADD", b"other")

    one = f"{count:,}"
    return Group(
        fill,
        [
            Case(f"SMEMBERS of {one}", [b"SMEMBERS", b"set"]),
            Case(f"SUNION of two sets of {one}", [b"SUNION", b"set", b"other"]),
            Case(f"SINTER of two sets of {one}", [b"SINTER", b"set", b"other"]),
            Case(f"SDIFF of two sets of {one}", [b"SDIFF", b"set", b"other"]),
            Case(f"SUNIONSTORE of two sets of {one}", [b"SUNIONSTORE", b"to", b"set", b"other"]),
            Case(f"SRANDMEMBER {one}", [b"SRANDMEMBER", b"set", b"%d" % count]),
            Case(f"COPY of a set of {one}", [b"COPY", b"set", b"to", b"REPLACE"]),
            Case(f"SORT of a set of {one}, ALPHA", [b"SORT", b"set", b"ALPHA"]),
            Case(f"DEBUG DIGEST-VALUE of a set of {one}", [b"DEBUG", b"DIGEST-VALUE", b"set"]),
        ],
    )


def sorted_sets(count: int) -> Group:
    def fill() -> Commands:
        pairs = (word for pair in scores_of(count) for word in pair)
        yield from batched(pairs, b"ZADD", b"scores")
        whole = (word for number in range(count) for word in (b"%d" % number, b"member:%d" % number))
        yield from batched(whole, b"ZADD", b"whole")

    one = f"{count:,}"
    both = [b"2", b"scores", b"whole"]
    copied = [[b"COPY", b"scores", b"to", b"REPLACE"]]
    return Group(
        fill,
        [
            Case(f"ZRANGE of {one}", [b"ZRANGE", b"scores", b"0", b"-1"]),
            Case(f"ZRANGE WITHSCORES of {one}", [b"ZRANGE", b"scores", b"0", b"-1", b"WITHSCORES"]),
            Case(f"ZRANGE WITHSCORES of {one} whole", [b"ZRANGE", b"whole", b"0", b"-1", b"WITHSCORES"]),
            Case(
                f"ZREVRANGEBYSCORE WITHSCORES of {one}",
                [b"ZREVRANGEBYSCORE", b"scores", b"+inf", b"-inf", b"WITHSCORES"],
            ),
            Case(f"ZRANGESTORE of {one}", [b"ZRANGESTORE", b"to", b"scores", b"0", b"-1"]),
            Case(f"ZUNION of two of {one}", [b"ZUNION", *both]),
            Case(f"ZINTER WITHSCORES of two of {one}", [b"ZINTER", *both, b"WITHSCORES"]),
            Case(f"ZPOPMIN of all {one}", [b"ZPOPMIN", b"to", b"%d" % count], copied),
            Case(f"COPY of a sorted set of {one}", [b"COPY", b"scores", b"to", b"REPLACE"]),
            Case(f"DUMP of a sorted set of {one}", [b"DUMP", b"scores"]),
        ],
    )


def dumps(count: int, size: int) -> Group:
    """A string and a list of about the same bytes, dumped and restored."""
    rng = random.Random(3)
    element = max(size // count, 1)

    def fill() -> Commands:
        yield [b"SET", b"text", random.Random(4).randbytes(size)]
        yield from batched((rng.randbytes(element) for _ in range(count)), b"RPUSH", b"list", size=500)

    mb = f"{size / 1e6:.0f} MB"
    return Group(
        fill,
        [
            Case(f"DUMP of a string of {mb}", [b"DUMP", b"text"]),
            Case(f"DUMP of a list of {count:,}, {mb}", [b"DUMP", b"list"]),
            Case(f"RESTORE of a string of {mb}", [b"RESTORE", b"to", b"0", string_payload(size), b"REPLACE"]),
            Case(
                f"RESTORE of a list of {mb}", [b"RESTORE", b"to", b"0", list_payload(count, size), b"REPLACE"]
            ),
        ],
    )


def string_payload(size: int) -> bytes:
    """What DUMP gives for a string."""
    from kedis.rdb.payload import dump

    return bytes(dump(random.Random(4).randbytes(size)))


def list_payload(count: int, size: int) -> bytes:
    """What DUMP gives for a list."""
    from kedis.rdb.payload import dump
    from kedis.structures.lists import List

    rng = random.Random(3)
    return bytes(dump(List([rng.randbytes(size // count) for _ in range(count)])))


def sorting(count: int) -> Group:
    def fill() -> Commands:
        rng = random.Random(5)
        weights = rng.sample(range(10 * count), count)
        yield from batched((b"%d" % number for number in range(count)), b"RPUSH", b"list")
        pairs = (word for number in range(count) for word in (b"weight_%d" % number, b"%d" % weights[number]))
        yield from batched(pairs, b"MSET")

    one = f"{count:,}"
    return Group(
        fill,
        [
            Case(f"SORT of {one}", [b"SORT", b"list", b"DESC"]),
            Case(f"SORT BY a pattern of {one}", [b"SORT", b"list", b"BY", b"weight_*"]),
            Case(
                f"SORT BY and GET a pattern of {one}",
                [b"SORT", b"list", b"BY", b"weight_*", b"GET", b"weight_*"],
            ),
            Case(
                f"SORT BY a pattern of {one}, LIMIT 10",
                [b"SORT", b"list", b"BY", b"weight_*", b"LIMIT", b"0", b"10"],
            ),
            Case(f"SORT STORE of {one}", [b"SORT", b"list", b"DESC", b"STORE", b"to"]),
            Case(f"KEYS * of {one}", [b"KEYS", b"*"]),
            Case(f"KEYS with a pattern of {one}", [b"KEYS", b"w*7"]),
            Case(f"DEBUG DIGEST of {one} keys", [b"DEBUG", b"DIGEST"]),
        ],
    )


def geo(count: int) -> Group:
    def fill() -> Commands:
        rng = random.Random(6)
        places = (
            word
            for number in range(count)
            for word in (b"%.6f" % rng.uniform(0, 10), b"%.6f" % rng.uniform(40, 50), b"place:%d" % number)
        )
        return batched(places, b"GEOADD", b"geo", size=1998)

    search = [b"GEOSEARCH", b"geo", b"FROMLONLAT", b"5", b"45", b"BYRADIUS", b"5000", b"km"]
    return Group(
        fill,
        [
            Case(f"GEOSEARCH of {count:,}", search),
            Case(f"GEOSEARCH WITHCOORD of {count:,}", [*search, b"WITHCOORD"]),
        ],
    )


def hyperloglogs() -> Group:
    rng = random.Random(7)
    elements = [b"element:%d" % rng.randrange(10**9) for _ in range(5000)]
    return Group(
        list,
        [
            Case("PFADD of 5,000 new", [b"PFADD", b"hll", *elements], [[b"DEL", b"hll"]]),
            Case("PFADD of 5,000 known", [b"PFADD", b"hll", *elements]),
            Case("PFADD of 1,000 new", [b"PFADD", b"hll", *elements[:1000]], [[b"DEL", b"hll"]]),
        ],
    )


def longest_common(size: int) -> Group:
    def fill() -> Commands:
        rng = random.Random(8)
        for key in (b"a", b"b"):
            yield [b"SET", key, bytes(rng.choices(b"abcd", k=size))]

    return Group(fill, [Case(f"LCS of two of {size:,} bytes", [b"LCS", b"a", b"b"])])


def groups(scale: float) -> dict[str, Callable[[], Group]]:
    count = int(1_000_000 * scale)
    size = (512 if scale == 1 else 32) << 20
    return {
        "strings": lambda: strings(size),
        "lists": lambda: lists(count),
        "hashes": lambda: hashes(count),
        "sets": lambda: sets(count),
        "sorted_sets": lambda: sorted_sets(count),
        "dumps": lambda: dumps(count, int(78_000_000 * scale)),
        "sort": lambda: sorting(count),
        "geo": lambda: geo(count),
        "hyperloglog": hyperloglogs,
        "lcs": lambda: longest_common(int(10_000 * scale**0.5)),
    }


def compare(group: Group, repeats: int) -> list[list[Figure]]:
    """The figures of each case: Kedis, Redis."""
    columns = []
    for name in ("kedis", "redis"):
        with server(name, FLAGS) as running, client_of(running) as client:
            client.run_all(group.fill())
            columns.append([measure(running, client, case, repeats) for case in group.cases])
    return [list(row) for row in zip(*columns, strict=True)]


def print_rows(group: Group, rows: Sequence[Sequence[Figure]]) -> None:
    for case, (kedis, redis) in zip(group.cases, rows, strict=True):
        print(
            f"| {case.title} | {kedis.wait_ms:,.1f} | {redis.wait_ms:,.1f} | {kedis.wait_ms / redis.wait_ms:.1f} "
            f"| {kedis.processor_ms:,.0f} | {redis.processor_ms:,.0f} "
            f"| {kedis.processor_ms / max(redis.processor_ms, 0.001):.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="less data and fewer runs")
    parser.add_argument(
        "--only", nargs="+", choices=groups(1), metavar="PART", help=f"of {', '.join(groups(1))}"
    )
    parser.add_argument("--repeats", type=int, default=0, help="runs beside a PING")
    options = parser.parse_args()
    print(f"\n### Longest wait of another client beside one command\n\n{describe_machine()}\n")
    print("| command | Kedis, ms | Redis, ms | ratio | Kedis, processor ms | Redis, processor ms | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name, build in groups(0.1 if options.quick else 1).items():
        if not options.only or name in options.only:
            group = build()
            print_rows(group, compare(group, options.repeats or (2 if options.quick else 3)))


if __name__ == "__main__":
    main()
