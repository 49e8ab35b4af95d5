"""huey: tasks through a list, results through a hash, retries, results waited for, the schedule and locks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from huey import RedisHuey
from huey.consumer import Consumer
from huey.exceptions import TaskException


@pytest.fixture
def huey(url: str) -> RedisHuey:
    return RedisHuey("test", url=url, results=True, notify_result=True)


@pytest.fixture
def working(huey: RedisHuey) -> Iterator[None]:
    """Two workers of huey's own."""
    consumer = Consumer(huey, workers=2, periodic=False)
    threads = [thread for _, thread in consumer.worker_threads]
    for thread in threads:
        thread.start()
    yield
    consumer.stop_flag.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.usefixtures("working")
def test_tasks_are_done_and_their_results_fetched(huey: RedisHuey) -> None:
    @huey.task()
    def add(one: int, other: int) -> int:
        return one + other

    results = [add(number, 1) for number in range(200)]
    assert [result.get(blocking=True, timeout=20) for result in results] == list(range(1, 201))
    assert len(huey) == 0
    pipeline: Any = add.s(1, 2).then(add, 10).then(add, 100)
    assert huey.enqueue(pipeline).get(blocking=True, timeout=20) == [3, 13, 113]


@pytest.mark.usefixtures("working")
def test_a_task_that_fails_is_tried_again(huey: RedisHuey) -> None:
    failures = [2]
    done = threading.Event()

    @huey.task(retries=5)
    def fragile() -> None:
        if failures[0]:
            failures[0] -= 1
            raise ValueError("not yet")
        done.set()

    with pytest.raises(TaskException, match="not yet"):
        fragile().get(blocking=True, timeout=20)
    assert done.wait(20)
    assert failures == [0]


@pytest.mark.usefixtures("working")
def test_locks_and_revoked_tasks(huey: RedisHuey) -> None:
    ran: list[str] = []

    @huey.task()
    def note(word: str) -> str:
        with huey.lock_task("only one"):
            ran.append(word)
        return word

    task: Callable[..., Any] = note.s("revoked")
    huey.revoke(task)
    huey.enqueue(task)
    assert note("after").get(blocking=True, timeout=20) == "after"
    assert ran == ["after"]


def test_the_schedule(huey: RedisHuey) -> None:
    """Its reader takes what is due by a script."""

    @huey.task()
    def add(one: int, other: int) -> int:
        return one + other

    result = add.schedule((1, 2), delay=0.01)
    later = add.schedule((1, 2), delay=3600)
    consumer = Consumer(huey, workers=1, periodic=False, scheduler_interval=1)
    threads = [thread for _, thread in consumer.worker_threads]
    scheduler = consumer._create_process(consumer._create_scheduler(), "scheduler")
    for thread in [*threads, scheduler]:
        thread.start()
    assert result.get(blocking=True, timeout=60) == 3
    deadline = time.monotonic() + 60
    while (
        huey.scheduled_count() != 1 and time.monotonic() < deadline
    ):  # the worker has yet to put the other there
        time.sleep(0.05)
    consumer.stop_flag.set()
    for thread in [*threads, scheduler]:
        thread.join(60)
    assert huey.scheduled_count() == 1
    later.revoke()


def test_a_lock(huey: RedisHuey) -> None:
    with huey.lock_task("lock"):
        assert huey.is_locked("lock")
    assert not huey.is_locked("lock")
