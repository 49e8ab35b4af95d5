"""*queue*: jobs in a list; workers wait for one, do it, and say that it is done.  No job may be lost or done twice.

A worker moves its job to a second list while it has it (BLMOVE), so that the jobs put in are at any moment those that
wait, those in hand, and those done.  Putting in and finishing count on the server in the same transaction.
"""

from __future__ import annotations

import hashlib
import uuid

import redis
from locust import task

from locustfiles.kedis_user import KedisUser

WAITING, IN_HAND, COUNTS = "queue:waiting", "queue:in-hand", "queue:counts"
WAIT_SECONDS = 1


def seal(name: str) -> str:
    """What a job carries so that a damaged one is known."""
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()


class QueueUser(KedisUser):
    """Puts jobs in and does jobs, as many of the one as of the other."""

    @classmethod
    def prepare(cls, client: redis.Redis) -> None:
        client.delete(WAITING, IN_HAND, COUNTS)

    @task
    def put_in(self) -> None:
        name = str(uuid.uuid4())
        pipe = self.client.pipeline(transaction=True)
        pipe.lpush(WAITING, f"{name} {seal(name)}")
        pipe.hincrby(COUNTS, "put in", 1)
        length, _ = pipe.execute()
        self.check(length >= 1, "queue: length after a push", length)

    @task
    def work(self) -> None:
        job = self.client.blmove(WAITING, IN_HAND, WAIT_SECONDS, "RIGHT", "LEFT")
        if job is None:
            return
        name, _, sealed = job.decode("ascii", "replace").partition(" ")
        self.check(sealed == seal(name), "queue: a job as it was put in", job)
        pipe = self.client.pipeline(transaction=True)
        pipe.lrem(IN_HAND, 1, job)
        pipe.hincrby(COUNTS, "done", 1)
        removed, _ = pipe.execute()
        self.check(removed == 1, "queue: a job done once", removed)

    @classmethod
    def check_at_end(cls, client: redis.Redis) -> str:
        put_in, done = (int(count or 0) for count in client.hmget(COUNTS, "put in", "done"))
        waiting, in_hand = client.llen(WAITING), client.llen(IN_HAND)
        if put_in != done + waiting + in_hand:
            return f"{put_in} jobs put in, but {done} done, {waiting} waiting and {in_hand} in hand"
        return ""
