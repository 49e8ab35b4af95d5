"""What Celery does with a broker and its results: tasks, retries, delays, a chord, with a worker of its own."""

from __future__ import annotations

from typing import Any

import celery
from celery.contrib.testing.worker import start_worker

SECONDS = 60


def work(url: str, **settings: Any) -> None:
    """Run a worker on a broker, which keeps the results as well, and have it work on tasks of each kind.

    Its tasks are not shared: Celery gives shared ones to every application of the process, the first of a name stays.

    :param url: of the broker.
    :param settings: of Celery, beside what it takes to start in a test.
    :raises AssertionError: a result is not what the task gives.
    """
    app = celery.Celery("test", broker=url, backend=url, set_as_current=False)
    app.conf.update(broker_connection_retry_on_startup=True, task_default_queue="tests", **settings)
    attempts: list[int] = []

    @app.task(name="add", shared=False)
    def add_up(numbers: list[int]) -> int:
        return sum(numbers)

    @app.task(name="square", shared=False)
    def square(number: int) -> int:
        return number * number

    @app.task(name="fragile", bind=True, max_retries=5, shared=False)
    def fragile(self: Any) -> int:
        attempts.append(1)
        if len(attempts) < 3:
            raise self.retry(countdown=0.01)
        return len(attempts)

    with start_worker(app, perform_ping_check=False, pool="threads", concurrency=2):
        assert square.delay(7).get(timeout=SECONDS) == 49
        assert fragile.delay().get(timeout=SECONDS) == 3
        assert square.apply_async((3,), countdown=0.1).get(timeout=SECONDS) == 9
        chord = celery.chord([square.s(number) for number in range(10)])(add_up.s())
        assert chord.get(timeout=SECONDS) == sum(number * number for number in range(10))
