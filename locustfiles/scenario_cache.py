"""*cache*: reads of which few keys get most (Zipf), and a miss is filled from the slow thing behind.

The value of a key is made from its name, so that each answer can be checked.
"""

from __future__ import annotations

import hashlib

import redis
from locust import task

from kedis.cli.benchmark.distributions import zipf
from locustfiles.kedis_user import KedisUser

KEYS = 10_000
TTL_SECONDS = 60


def value_of(key: str) -> bytes:
    """What the slow thing behind the cache would give."""
    return hashlib.blake2b(key.encode(), digest_size=32).hexdigest().encode()


class CacheUser(KedisUser):
    """Reads, and now and then a change behind the cache that makes the copy in it invalid."""

    def on_start(self) -> None:
        super().on_start()
        self._draw = zipf(KEYS, 0.99, self.random)

    @classmethod
    def prepare(cls, client: redis.Redis) -> None:
        for start in range(0, KEYS, 1000):
            client.delete(*[f"cache:{number}" for number in range(start, start + 1000)])

    @task(20)
    def read(self) -> None:
        key = f"cache:{self._draw()}"
        found = self.client.get(key)
        if found is None:
            self.client.set(key, value_of(key), ex=TTL_SECONDS)
        else:
            self.check(found == value_of(key), "cache: another value than was stored", found)

    @task(2)
    def read_several(self) -> None:
        keys = [f"cache:{self._draw()}" for _ in range(5)]
        for key, found in zip(keys, self.client.mget(keys), strict=True):
            self.check(found in (None, value_of(key)), "cache: another value than was stored", found)

    @task(1)
    def invalidate(self) -> None:
        removed = self.client.delete(f"cache:{self._draw()}")
        self.check(removed in (0, 1), "cache: DEL of one key", removed)
