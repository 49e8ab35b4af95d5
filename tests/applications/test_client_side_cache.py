"""redis-py's cache in the client, which Kedis tells what has changed.

redis-py wants a server that calls itself Redis 7.4 for it, although 6.0 has all that it uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import redis
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection

import kedis


@pytest.fixture
def caching(server: kedis.Server, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr(CacheProxyConnection, "MIN_ALLOWED_VERSION", "7.0.0")
    client = redis.Redis(
        host=server.host, port=server.port, protocol=3, cache_config=CacheConfig(), decode_responses=True
    )
    yield client
    client.close()


@pytest.fixture
def calls(server: kedis.Server) -> Iterator[Callable[[], int]]:
    """How often GET has been called."""
    with server.client() as client:
        yield lambda: client.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"]


def changed_in(caching: redis.Redis, key: str, expected: str | None) -> None:
    """The client hears of a change by the time it asks for anything."""
    deadline = time.monotonic() + 20
    while caching.get(key) != expected:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_cached_is_not_asked_for_until_it_changes(
    server: kedis.Server, caching: redis.Redis, calls: Callable[[], int]
) -> None:
    with server.client() as other:
        other.set("a", 1)
        assert caching.get("a") == "1"
        before = calls()
        assert [caching.get("a") for _ in range(100)] == ["1"] * 100
        assert calls() == before
        other.set("a", 2)
        changed_in(caching, "a", "2")
        other.set("a", 3, px=30)
        changed_in(caching, "a", None)
        other.set("a", 4)
        changed_in(caching, "a", "4")
        other.flushall()
        changed_in(caching, "a", None)


def test_eviction_is_told_as_well(server: kedis.Server, caching: redis.Redis) -> None:
    with server.client() as other:
        other.set("a", "x" * 1000)
        changed_in(caching, "a", "x" * 1000)
        other.config_set("maxmemory-policy", "allkeys-random")
        other.config_set("maxmemory", 1)
        changed_in(caching, "a", None)
        other.config_set("maxmemory", 0)
        other.config_set("maxmemory-policy", "noeviction")
