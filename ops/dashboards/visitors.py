"""An ordinary, healthy load: a web site whose visitors come in waves, and a worker that takes its jobs."""

from __future__ import annotations

import contextlib
import math
import random
import threading
import time
from collections.abc import Iterator

import redis

_USERS = 5_000
_PROCESSES = 6


@contextlib.contextmanager
def visited(port: int) -> Iterator[None]:
    """The load, on the server at ``port``."""
    with redis.Redis(port=port) as client:
        client.rpush("numbers", *random.sample(range(100_000), 3000))
    threads: list[_User | _Worker] = [*(_User(port, number) for number in range(_PROCESSES)), _Worker(port)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.ended.set()
        for thread in threads:
            thread.join()


class _User(threading.Thread):
    """A process of a web site: sessions, counters, a leaderboard, a queue.  Its load rises and falls in waves."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(daemon=True)
        self._client = redis.Redis(port=port, client_name=f"web-{number}")
        self._random = random.Random(number)
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.02 * (1.3 + math.sin(time.monotonic() / 20))):
            self._visit()

    def _visit(self) -> None:
        client, user = self._client, int(self._random.paretovariate(0.7)) % _USERS
        if client.get(f"session:{user}") is None:
            client.set(
                f"session:{user}", "x" * self._random.randint(100, 3000), ex=self._random.randint(20, 400)
            )
        client.incr("visits")
        client.hincrby(f"user:{user}", "pages")
        client.zincrby("board", 1, f"user:{user}")
        if self._random.random() < 0.3:
            client.zrange("board", 0, 9, desc=True, withscores=True)
            client.lpush("jobs", f"mail:{user}")
        if self._random.random() < 0.005:
            client.sort("numbers", alpha=True)


class _Worker(threading.Thread):
    """Takes the jobs of the queue."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._client = redis.Redis(port=port, client_name="worker")
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            self._client.blpop(["jobs"], timeout=1)
