"""Commands that block in a store without a server: another thread brings what is waited for."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import redis

import kedis


@pytest.fixture
def store() -> Iterator[redis.Redis]:
    with kedis.connect() as connected:
        yield connected


def in_thread(call: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return thread, results


def await_blocked(store: redis.Redis, count: int) -> None:
    """Until ``count`` clients are blocked, which takes the threads a moment."""
    pause = threading.Event()
    for _ in range(2000):
        if store.info("clients")["blocked_clients"] == count:
            return
        pause.wait(0.005)
    raise TimeoutError("the clients do not block")


def test_what_another_thread_pushes(store: redis.Redis) -> None:
    first = in_thread(lambda: store.blpop(["a", "b"]))
    await_blocked(store, 1)
    second = in_thread(lambda: store.blmove("b", "c", 0))
    await_blocked(store, 2)
    store.rpush("b", "x", "y")
    for thread, _ in (first, second):
        thread.join(20)
    assert first[1] == [(b"b", b"x")]
    assert second[1] == [b"y"]
    assert store.lrange("c", 0, -1) == [b"y"]


def test_a_pipeline_goes_on_behind_the_command_that_blocked(store: redis.Redis) -> None:
    def run() -> object:
        with store.pipeline(transaction=False) as pipe:
            pipe.set("before", 1).blpop("list").set("after", 2).brpop("list").echo("end")
            return pipe.execute()

    thread, results = in_thread(run)
    await_blocked(store, 1)
    assert (store.get("before"), store.get("after")) == (b"1", None)
    store.rpush("list", "x")
    await_blocked(store, 1)
    assert store.get("after") == b"2"
    store.rpush("list", "y")
    thread.join(20)
    assert results == [[True, (b"list", b"x"), True, (b"list", b"y"), b"end"]]


def test_the_time_is_up(store: redis.Redis) -> None:
    assert store.blpop(["list"], timeout=0.01) is None
    assert store.bzpopmin("z", timeout=0.01) is None


def test_the_socket_timeout_of_the_client() -> None:
    with kedis.connect(socket_timeout=0.01) as store, pytest.raises(redis.TimeoutError):
        store.execute_command("BLPOP", "list", 100)


ALONE = """
import kedis
with kedis.connect() as store:
    print(store.blpop(["list"], timeout=0))
"""


def test_nobody_else_is_there_to_end_a_wait_without_end() -> None:
    """In a process of its own, where no other thread lives."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "None\n"
