"""Locks whose release is a script: redis-py's, python-redis-lock's, pottery's, Celery's and huey's kind of mutex."""

from __future__ import annotations

import threading
import time

import pottery
import pytest
import redis
import redis_lock
from redis.exceptions import LockError, LockNotOwnedError


@pytest.fixture
def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def test_redis_py(client: redis.Redis) -> None:
    lock = client.lock("lock", timeout=30)
    other = client.lock("lock", timeout=30)
    assert lock.acquire(blocking=False)
    assert not other.acquire(blocking=False)
    assert lock.owned() and lock.locked()
    assert lock.extend(30)
    assert 30_000 < client.pttl("lock") <= 60_000
    assert lock.extend(50, replace_ttl=True)
    assert 30_000 < client.pttl("lock") <= 50_000
    assert lock.reacquire()
    assert client.pttl("lock") <= 30_000
    lock.release()
    assert client.get("lock") is None
    with pytest.raises(LockError):
        lock.release()


def test_redis_py_of_another(client: redis.Redis) -> None:
    lock = client.lock("lock", timeout=30)
    lock.acquire()
    client.set("lock", "stolen")
    for act in (lock.reacquire, lambda: lock.extend(5), lock.release):
        with pytest.raises(LockNotOwnedError):
            act()
    assert client.get("lock") == b"stolen"


def test_redis_py_with_eight_threads(client: redis.Redis) -> None:
    def work() -> None:
        for _ in range(20):
            with client.lock("lock", timeout=60, sleep=0.001):
                value = int(client.get("n") or 0)
                client.set("n", value + 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert client.get("n") == b"160"
    assert not client.exists("lock")


def test_python_redis_lock(client: redis.Redis) -> None:
    lock = redis_lock.Lock(client, "lock", expire=30, id="me")
    assert lock.acquire(blocking=False)
    other = redis_lock.Lock(client, "lock", expire=30)
    assert not other.acquire(blocking=False)
    assert lock.get_owner_id() == "me"
    lock.extend(60)
    assert client.ttl("lock:lock") > 30
    lock.release()
    assert other.acquire(timeout=30)
    with pytest.raises(redis_lock.NotAcquired):
        lock.release()
    other.release()
    lock.acquire()
    redis_lock.reset_all(client)
    assert other.acquire(blocking=False)


def test_python_redis_lock_wakes_who_waits(client: redis.Redis) -> None:
    holder = redis_lock.Lock(client, "lock", expire=60)
    holder.acquire()
    woken = threading.Event()

    def wait() -> None:
        with redis_lock.Lock(client, "lock", expire=60):
            woken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.1)
    assert not woken.is_set()
    holder.release()
    assert woken.wait(30)
    waiting.join(30)


def test_pottery(client: redis.Redis) -> None:
    lock = pottery.Redlock(key="lock", masters={client}, auto_release_time=60)
    assert lock.acquire(blocking=False)
    assert not pottery.Redlock(key="lock", masters={client}, auto_release_time=60).acquire(blocking=False)
    assert 0 < lock.locked() <= 60
    lock.extend()
    lock.release()
    ids = pottery.NextID(key="ids", masters={client})
    assert [next(ids) for _ in range(5)] == [1, 2, 3, 4, 5]
    counts = pottery.RedisCounter(redis=client, key="counts")
    counts.update("abca")
    assert dict(counts) == {"a": 2, "b": 1, "c": 1}
