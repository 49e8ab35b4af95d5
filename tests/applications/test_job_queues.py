"""RQ, dramatiq and Celery with workers of their own: jobs, retries, schedules, results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
import redis
import rq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as LimiterBackend
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from rq.exceptions import DuplicateJobError
from rq.rate_limit import RateLimit, RateLimitRegistry
from rq.worker import SimpleWorker

from tests.applications import celery_jobs

_SECONDS = 60


def eventually(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# -- RQ ---------------------------------------------------------------------------------------------------


def add(one: int, other: int) -> int:
    return one + other


def fail() -> None:
    raise ValueError("on purpose")


@pytest.fixture
def connection(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def test_rq(connection: redis.Redis) -> None:
    queue = rq.Queue("jobs", connection=connection)
    jobs = [queue.enqueue(add, number, 1) for number in range(20)]
    failing = queue.enqueue(fail, retry=rq.Retry(max=2))
    dependent = queue.enqueue(add, 1, 1, depends_on=jobs[-1])
    unique = queue.enqueue(add, 5, 5, job_id="only-once")
    worker = SimpleWorker([queue], connection=connection)
    worker.work(burst=True)
    assert [job.return_value(refresh=True) for job in jobs] == list(range(1, 21))
    assert dependent.return_value(refresh=True) == 2
    assert unique.return_value(refresh=True) == 10
    failing.refresh()
    assert failing.is_failed
    assert len(rq.registry.FailedJobRegistry(queue=queue)) == 1


def test_rq_scheduled(connection: redis.Redis) -> None:
    queue = rq.Queue("jobs", connection=connection)
    job = queue.enqueue_in(timedelta(milliseconds=10), add, 2, 3)
    assert len(queue) == 0
    time.sleep(0.05)
    scheduler = rq.scheduler.RQScheduler([queue], connection=connection, interval=1)
    scheduler.acquire_locks()

    def due() -> bool:
        scheduler.enqueue_scheduled_jobs()
        return len(queue) == 1

    eventually(due)
    scheduler.release_locks()
    SimpleWorker([queue], connection=connection).work(burst=True)
    assert job.return_value(refresh=True) == 5


def test_rq_unique_jobs(connection: redis.Redis) -> None:
    """A job whose id is taken is refused, by a script, whether it waits or is scheduled."""
    queue = rq.Queue("jobs", connection=connection)
    job = queue.enqueue(add, 1, 2, job_id="once", unique=True)
    with pytest.raises(DuplicateJobError):
        queue.enqueue(add, 3, 4, job_id="once", unique=True)
    queue.enqueue_in(timedelta(hours=1), add, 5, 6, job_id="later", unique=True)
    with pytest.raises(DuplicateJobError):
        queue.enqueue_in(timedelta(hours=1), add, 7, 8, job_id="later", unique=True)
    assert len(queue) == 1
    SimpleWorker([queue], connection=connection).work(burst=True)
    assert job.return_value(refresh=True) == 3
    assert len(queue.scheduled_job_registry) == 1


def test_rq_rate_limits(connection: redis.Redis) -> None:
    """Jobs of one limit are let through by a script: two at a time, the others as those end."""
    queue = rq.Queue("jobs", connection=connection)
    limit = RateLimit("few", concurrency=2)
    jobs = [queue.enqueue(add, number, 1, rate_limit=limit) for number in range(5)]
    registry = RateLimitRegistry("few", connection)
    assert (registry.get_allowed_job_count(), registry.get_rate_limited_job_count()) == (2, 3)
    SimpleWorker([queue], connection=connection).work(burst=True)
    assert [job.return_value(refresh=True) for job in jobs] == [1, 2, 3, 4, 5]
    assert (registry.get_allowed_job_count(), registry.get_rate_limited_job_count()) == (0, 0)


# -- dramatiq ---------------------------------------------------------------------------------------------


@pytest.fixture
def broker(url: str) -> Iterator[RedisBroker]:
    broker = RedisBroker(url=url)
    broker.add_middleware(Results(backend=RedisBackend(url=url)))
    dramatiq.set_broker(broker)
    yield broker
    broker.close()


def test_dramatiq(broker: RedisBroker, url: str) -> None:
    attempts: list[int] = []
    limit = ConcurrentRateLimiter(LimiterBackend(url=url), "one-at-a-time", limit=1)

    @dramatiq.actor(store_results=True, broker=broker)
    def double(number: int) -> int:
        return 2 * number

    @dramatiq.actor(max_retries=3, min_backoff=1, max_backoff=10, broker=broker)
    def fragile() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise ValueError("not yet")

    worker = dramatiq.Worker(broker, worker_timeout=100)
    worker.start()
    try:
        messages = [double.send(number) for number in range(50)]
        assert [message.get_result(block=True, timeout=_SECONDS * 1000) for message in messages] == [
            2 * number for number in range(50)
        ]
        fragile.send()
        eventually(lambda: len(attempts) == 3)
        delayed = double.send_with_options(args=(21,), delay=50)
        assert delayed.get_result(block=True, timeout=_SECONDS * 1000) == 42
        with limit.acquire(raise_on_failure=False) as acquired:
            assert acquired
            with limit.acquire(raise_on_failure=False) as again:
                assert not again
        broker.join(double.queue_name, timeout=_SECONDS * 1000)
    finally:
        worker.stop()


# -- Celery -----------------------------------------------------------------------------------------------


def test_celery(url: str) -> None:
    celery_jobs.work(url)
    assert threading.active_count() < 100
