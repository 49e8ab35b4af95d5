"""Programs that know nothing of clusters, in front of one: caches, limits, Celery; and RQ in front of a single Redis.

What writes several keys in one transaction has to keep them in one slot, by a hash tag in its prefix; RQ has no prefix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import limits
import pytest
import redis
import rq
from django.conf import settings
from limits.storage import RedisStorage
from limits.strategies import (
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    RateLimiter,
    SlidingWindowCounterRateLimiter,
)
from rq.worker import SimpleWorker

from tests.applications import celery_jobs
from tests.applications.conftest import logging_as_it_was, signals_as_they_were
from tests.applications.test_job_queues import add, fail
from tests.oracle import Oracle
from tests.router.clusters import Cluster, until
from tests.router.doors import Door

if not settings.configured:
    settings.configure(USE_TZ=True)

from django.core.cache.backends.redis import RedisCache
from django_redis.cache import RedisCache as DjangoRedisCache

__all__ = ["logging_as_it_was", "signals_as_they_were"]
_SECONDS = 60


@pytest.fixture
def url(door: Door) -> str:
    return f"redis://127.0.0.1:{door.port}/0"


def test_django(url: str) -> None:
    """Django's own cache; its set_many is a transaction."""
    cache: Any = RedisCache(url, {"KEY_PREFIX": "{app}", "VERSION": 1})
    cache.set("a", {"x": 1}, timeout=30)
    assert cache.get("a") == {"x": 1}
    assert cache.add("b", 1)
    assert cache.incr("b", 5) == 6
    assert cache.set_many({"c": 1, "d": "two"}, timeout=60) == []
    assert cache.get_many(["c", "d", "e"]) == {"c": 1, "d": "two"}
    assert cache.get_or_set("e", lambda: 3) == 3
    cache.delete_many(["c", "d", "e"])
    assert cache.get_many(["c", "d"]) == {}
    cache.clear()
    assert cache.get("a") is None


def test_django_redis(url: str) -> None:
    cache: Any = DjangoRedisCache(url, {"KEY_PREFIX": "{app}", "VERSION": 1})
    cache.set("a", [1, 2], timeout=30)
    assert cache.get("a") == [1, 2]
    assert cache.ttl("a") > 0
    assert cache.incr("n", 1, ignore_key_check=True) == 1
    for number in range(30):
        cache.set(f"many:{number}", number)
    assert cache.get_many([f"many:{number}" for number in range(30)])["many:7"] == 7
    assert len(cache.keys("many:*")) == 30
    assert len(list(cache.iter_keys("many:*"))) == 30
    assert cache.delete_pattern("many:*") == 30
    assert cache.get("many:1") is None
    with cache.lock("lock", timeout=10):
        assert not cache.lock("lock", timeout=10).acquire(blocking=False)
    cache.delete_many(["a", "n"])
    cache.clear()


@pytest.mark.parametrize(
    "strategy", [FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter]
)
def test_limits(url: str, strategy: type[RateLimiter]) -> None:
    limiter = strategy(RedisStorage(url))
    limit = limits.parse("5/hour")
    for user in ("one", "another", "a third"):
        assert [limiter.hit(limit, user) for _ in range(7)] == [True] * 5 + [False] * 2
        assert limiter.get_window_stats(limit, user).remaining == 0
    limiter.clear(limit, "one")
    assert limiter.hit(limit, "one", cost=5)
    assert not limiter.hit(limit, "one")


def test_celery(url: str) -> None:
    """Its prefix puts everything into one slot."""
    prefix = {"global_keyprefix": "{celery}"}
    celery_jobs.work(url, broker_transport_options=prefix, result_backend_transport_options=prefix)


@pytest.fixture(scope="module")
def single_door() -> Iterator[Door]:
    """A router in front of one Redis."""
    server = Oracle()
    with Door(f"redis://127.0.0.1:{server.port}") as running:
        yield running
    server.close()


def test_rq(single_door: Door) -> None:
    """Its transactions are over many keys, which a single Redis has, and a cluster refuses."""
    connection = redis.Redis(port=single_door.port)
    queue = rq.Queue("jobs", connection=connection)
    jobs = [queue.enqueue(add, number, 1) for number in range(20)]
    failing = queue.enqueue(fail, retry=rq.Retry(max=2))
    dependent = queue.enqueue(add, 1, 1, depends_on=jobs[-1])
    SimpleWorker([queue], connection=connection).work(burst=True)
    assert [job.return_value(refresh=True) for job in jobs] == list(range(1, 21))
    assert dependent.return_value(refresh=True) == 2
    failing.refresh()
    assert failing.is_failed


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py(door: Door, nodes: Cluster, protocol: int) -> None:
    """Its pub/sub in a thread, its locks and its scripts, with both protocols."""
    client = door.client(protocol=protocol)
    heard: list[str] = []
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(news=lambda message: heard.append(message["data"]))
    thread = pubsub.run_in_thread(sleep_time=0.01, daemon=True)
    script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert [script(keys=[nodes.tag(shard)], args=[5]) for shard in range(3)] == [5, 5, 5]
    with client.lock("lock", timeout=10):
        assert not client.lock("lock", timeout=10).acquire(blocking=False)
    assert client.hset("hash", mapping={"f": "v"}) == 1
    assert client.hgetall("hash") == {"f": "v"}
    until(lambda: client.publish("news", "x") is not None and heard)
    thread.stop()
    thread.join(_SECONDS)
    client.close()
