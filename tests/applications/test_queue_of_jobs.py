"""Jobs as RQ keeps them: a hash for each, ids in lists that are moved from, registries by time, heartbeats.

RQ itself asks for scripts and streams, which Kedis does not have.
"""

from __future__ import annotations

import threading
import time

import redis


class Worker(threading.Thread):
    """Takes jobs until it is told to stop by a message."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(daemon=True)
        self.redis = redis.Redis.from_url(url, decode_responses=True)
        self.worker_name = name
        self.orders = self.redis.pubsub(ignore_subscribe_messages=True)
        self.orders.subscribe("orders")
        self.stopped = False

    def run(self) -> None:
        while not self.stopped:
            job = self.redis.blmove("queue", f"working:{self.worker_name}", 0.2, "RIGHT", "LEFT")
            if job is not None:
                self.work(job)
            while (message := self.orders.get_message()) is not None:
                self.stopped = self.stopped or message["data"] == "stop"
        self.orders.close()
        self.redis.close()

    def work(self, job: str) -> None:
        now = time.time()
        with self.redis.pipeline() as pipe:
            pipe.hset(f"job:{job}", mapping={"status": "started", "worker": self.worker_name})
            pipe.zadd("started", {job: now + 60})
            pipe.set(f"worker:{self.worker_name}", "busy", ex=60)
            pipe.execute()
        number = int(self.redis.hget(f"job:{job}", "number") or 0)
        with self.redis.pipeline() as pipe:
            pipe.hset(f"job:{job}", mapping={"status": "finished", "result": str(number * number)})
            pipe.expire(f"job:{job}", 500)
            pipe.zrem("started", job)
            pipe.zadd("finished", {job: now + 500})
            pipe.lrem(f"working:{self.worker_name}", 1, job)
            pipe.publish("finished", job)
            pipe.execute()


def test_every_job_is_done_once(url: str) -> None:
    client = redis.Redis.from_url(url, decode_responses=True)
    finished = client.pubsub(ignore_subscribe_messages=True)
    finished.subscribe("finished")
    workers = [Worker(url, f"w{number}") for number in range(4)]
    for worker in workers:
        worker.start()
    count = 300
    for number in range(count):
        with client.pipeline() as pipe:
            pipe.hset(f"job:{number}", mapping={"status": "queued", "number": number})
            pipe.lpush("queue", number)
            pipe.execute()
    told: list[str] = []
    deadline = time.monotonic() + 60
    while len(told) < count:
        message = finished.get_message(timeout=1)
        if message is not None:
            told.append(message["data"])
        assert time.monotonic() < deadline
    assert sorted(map(int, told)) == list(range(count))
    assert client.publish("orders", "stop") == len(workers)
    for worker in workers:
        worker.join(20)
        assert not worker.is_alive()
    assert client.zcard("finished") == count
    assert client.zcard("started") == client.llen("queue") == 0
    assert [client.hget(f"job:{number}", "result") for number in range(count)] == [
        str(number * number) for number in range(count)
    ]
    assert len({client.hget(f"job:{number}", "worker") for number in range(count)}) > 1
    finished.close()


def test_jobs_of_a_worker_that_died_are_taken_over(url: str) -> None:
    client = redis.Redis.from_url(url, decode_responses=True)
    client.lpush("queue", "1", "2")
    assert client.lmove("queue", "working:dead", "RIGHT", "LEFT") == "1"
    client.zadd("started", {"1": time.time() - 1})
    for job in client.zrange("started", "-inf", time.time(), byscore=True):
        with client.pipeline() as pipe:
            pipe.watch("working:dead")
            assert job in pipe.lrange("working:dead", 0, -1)
            pipe.multi()
            pipe.lrem("working:dead", 1, job)
            pipe.rpush("queue", job)
            pipe.zrem("started", job)
            pipe.execute()
    assert client.lrange("queue", 0, -1) == ["2", "1"]
    assert not client.exists("working:dead", "started")
