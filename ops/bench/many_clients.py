"""Many clients that wait: blocked ones, whose time runs out or whom a push serves, and subscribers.

    python ops/bench/many_clients.py                    everything, as Markdown
    python ops/bench/many_clients.py --only fan-out

Pinned like ops/bench/against_redis.py, whose parts it uses.  The other side is one Python process on the other core,
the same for both servers.
"""

from __future__ import annotations

import argparse
import os
import resource
import select
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from against_redis import LOAD_CORE, Running, describe_machine, server

from kedis.resp.replies import encode_command

T = TypeVar("T")
NOTHING_ON_DISK = ("--appendonly", "no")


def encode(*words: object) -> bytes:
    return encode_command([str(word).encode() for word in words])


class Crowd:
    """``count`` connections to ``running``, and one more that acts."""

    def __init__(self, running: Running, count: int) -> None:
        self.actor = self._connect(running)
        self.members = [self._connect(running) for _ in range(count)]
        self.poller = select.epoll()
        for member in self.members:
            self.poller.register(member, select.EPOLLIN)
        self.by_fd = {member.fileno(): index for index, member in enumerate(self.members)}

    def _connect(self, running: Running) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", running.port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self.poller.close()
        for each in (self.actor, *self.members):
            each.close()

    def act(self, *words: object) -> bytes:
        self.actor.sendall(encode(*words))
        return self.actor.recv(65536)

    def wait_for(self, field: str, count: int) -> None:
        """Until INFO tells that so many are ``field``."""
        line = f"{field}:{count}\r\n".encode()
        while line not in self.act("INFO", "clients"):
            time.sleep(0.01)


def lateness(running: Running, count: int) -> list[float]:
    """Seconds after its time was up that each of ``count`` blocked clients heard of it."""
    with Crowd(running, count) as crowd:
        due = []
        for index, member in enumerate(crowd.members):
            seconds = 2 + index / count
            due.append(time.perf_counter() + seconds)
            member.sendall(encode("BLPOP", f"nothing:{index}", f"{seconds:.6f}"))
            crowd.act("PING")  # the time runs from when the server has read it
        late = []
        while len(late) < count:
            for fd, _ in crowd.poller.poll():
                crowd.members[crowd.by_fd[fd]].recv(100)
                late.append(time.perf_counter() - due[crowd.by_fd[fd]])
        return late


def push_seconds(running: Running, count: int, pushes: int = 3000) -> float:
    """Median time of a push that serves one of ``count`` clients blocked on keys of their own."""
    with Crowd(running, count) as crowd:
        for index, member in enumerate(crowd.members):
            member.sendall(encode("BLPOP", f"queue:{index}", 0))
        crowd.wait_for("blocked_clients", count)
        found = []
        for number in range(pushes):
            index = number * 7919 % count
            began = time.perf_counter()
            crowd.act("RPUSH", f"queue:{index}", "x")
            found.append(time.perf_counter() - began)
            crowd.members[index].recv(100)
            crowd.members[index].sendall(encode("BLPOP", f"queue:{index}", 0))
            crowd.wait_for("blocked_clients", count) if number % 500 == 0 else None
        return statistics.median(found)


def deliveries_per_second(running: Running, count: int, messages: int = 100) -> float:
    """Messages that ``count`` subscribers of one channel have received a second."""
    with Crowd(running, count) as crowd:
        for member in crowd.members:
            member.sendall(encode("SUBSCRIBE", "news"))
            while not member.recv(200).endswith(b":1\r\n"):
                pass
        payload = "x" * 32
        expected = messages * count * len(encode("message", "news", payload))
        began = time.perf_counter()
        crowd.actor.sendall(encode("PUBLISH", "news", payload) * messages)
        while expected > 0:
            for fd, _ in crowd.poller.poll():
                expected -= len(os.read(fd, 65536))
        return messages * count / (time.perf_counter() - began)


def bench_blocking(scale: float) -> None:
    print("\n### Blocked clients\n\n| figure | Redis | Kedis | aim |\n|---|---|---|---|")
    late = both(lambda running: lateness(running, 1000))
    row("1,000 blocked: time is up, told after, median, ms", [statistics.median(each) * 1e3 for each in late])
    row("1,000 blocked: time is up, told after, at most, ms", [max(each) * 1e3 for each in late], "20")
    for count in (1, 100, 10_000):
        times = both(lambda running, count=count: push_seconds(running, count, int(3000 * scale)))  # type: ignore[misc]
        row(f"a push that serves one of {count:,}, each on its key, us", [each * 1e6 for each in times])


def bench_fan_out(scale: float) -> None:
    print("\n### Publish to many\n\n| figure | Redis | Kedis | ratio |\n|---|---|---|---|")
    for count in (1, 10, 100, 1000):
        rates = both(
            lambda running, count=count: statistics.median(  # type: ignore[misc]
                deliveries_per_second(running, count, max(int(100_000 * scale) // count, 100))
                for _ in range(3)
            )
        )
        row(f"messages received a second, {count:,} subscribers", rates, f"{rates[1] / rates[0]:.2f}")


def both(measure: Callable[[Running], T]) -> list[T]:
    """What ``measure`` finds on Redis and on Kedis."""
    found = []
    for name in ("redis", "kedis"):
        with server(name, (*NOTHING_ON_DISK, "--maxclients", "12000")) as running:
            found.append(measure(running))
    return found


def row(title: str, values: Sequence[float], last: str = "") -> None:
    print(
        f"| {title} | "
        + " | ".join(f"{value:,.2f}" if value < 100 else f"{value:,.0f}" for value in values)
        + f" | {last} |"
    )


PARTS = {"blocking": bench_blocking, "fan-out": bench_fan_out}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--quick", action="store_true", help="a fifth of the pushes and messages")
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 25_000 and soft < 12_000:
        parser.error(f"needs 12,000 open files, and the limit is {soft} (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 25_000)), hard))
    print(describe_machine())
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    for name, bench in PARTS.items():
        if arguments.only in (None, name):
            bench(0.2 if arguments.quick else 1.0)


if __name__ == "__main__":
    main()
