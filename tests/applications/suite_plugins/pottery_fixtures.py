"""The fixtures of pottery's tests, which its source distribution lacks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import redis as redis_py
import redis.asyncio as asyncio_redis

URL = "redis://127.0.0.1:6379/"


@pytest.fixture
def redis_url() -> str:
    """The database of the tests."""
    return f"{URL}15"


@pytest.fixture
def redis() -> Iterator[redis_py.Redis]:
    """A client of an empty database."""
    client = redis_py.Redis.from_url(f"{URL}15", socket_timeout=30)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
async def aioredis() -> AsyncIterator[asyncio_redis.Redis]:
    """The same with asyncio."""
    client = asyncio_redis.Redis.from_url(f"{URL}15", socket_timeout=30)
    await client.flushdb()
    yield client
    await client.flushdb()
    await client.aclose()
