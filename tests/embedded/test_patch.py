"""``kedis.patch``: clients that a program makes itself, on stores in the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

import kedis

#: Made before any patch, as modules of programs do.
EARLY = redis.Redis(port=1, decode_responses=True)
EARLY_POOL = redis.BlockingConnectionPool.from_url("redis://:secret@localhost:1/3")


@pytest.fixture
def patch() -> Iterator[kedis.patch]:
    with kedis.patch() as patch:
        yield patch


def test_clients_however_they_are_made(patch: Any) -> None:
    EARLY.set("a", 1)
    for client in (
        redis.Redis(port=1),
        redis.StrictRedis("127.0.0.1", 1, password="wrong"),
        redis.from_url("redis://user:password@localhost:1"),
        redis.Redis(connection_pool=redis.ConnectionPool(port=1)),
        redis.Redis(port=1, ssl=True),
        redis.Redis(port=1, protocol=3, single_connection_client=True),
        patch.client(port=1),
    ):
        assert client.get("a") == b"1"
        client.close()
    other = redis.Redis(connection_pool=EARLY_POOL)
    assert other.get("a") is None
    other.set("b", 1)
    assert patch.client(port=1, db=3).get("b") == b"1"


def test_addresses_are_stores(patch: Any) -> None:
    redis.Redis("one").set("a", 1)
    assert redis.Redis("two").get("a") is None
    assert redis.Redis("one", 6380).get("a") is None
    assert redis.Redis(unix_socket_path="/nowhere").get("a") is None
    assert redis.from_url("unix:///nowhere").set("a", 2)
    assert redis.Redis(unix_socket_path="/nowhere").get("a") == b"2"


def test_everything_but_the_network_is_redis_py(patch: Any) -> None:
    client = redis.Redis(port=1, decode_responses=True)
    with client.pipeline() as pipe:
        assert pipe.set("a", 1).incr("a").execute() == [True, 2]
    with client.lock("lock", timeout=10):
        assert client.exists("lock")
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("news")
    assert pubsub.get_message(timeout=0.01) is None
    timer = threading.Timer(0.01, client.publish, ("news", "x"))
    timer.start()
    assert pubsub.get_message(timeout=60)["data"] == "x"
    timer.join()
    assert client.blpop("none", timeout=0.01) is None
    assert client.eval("return 1", 0) == 1


def test_asyncio(patch: Any) -> None:
    async def main() -> None:
        client = redis.asyncio.from_url("redis://:secret@localhost:1", decode_responses=True)
        await client.set("a", 1)
        assert await client.pipeline().incr("a").execute() == [2]
        task = asyncio.create_task(client.blpop("list", timeout=60))
        await asyncio.sleep(0.01)
        await redis.asyncio.Redis(port=1).rpush("list", "x")
        assert await task == ("list", "x")
        assert await patch.aclient(port=1).get("a") == b"2"
        await client.aclose()

    asyncio.run(main())
    assert redis.Redis(port=1).get("a") == b"2"


def test_it_begins_and_ends() -> None:
    with pytest.raises(redis.ConnectionError):
        EARLY.ping()
    patch = kedis.patch(maxmemory="1mb")
    for _ in range(2):
        patch.start()
        assert EARLY.get("a") is None
        EARLY.set("a", 1)
        assert EARLY.config_get("maxmemory")["maxmemory"] == "1048576"
        with pytest.raises(RuntimeError, match="already"):
            kedis.patch().start()
        patch.clear()
        assert EARLY.get("a") is None
        patch.stop()
        patch.stop()
        with pytest.raises(redis.ConnectionError):
            EARLY.ping()


def test_a_real_server_beside_it() -> None:
    """Connections of before stay with their server."""
    with kedis.Server() as server, server.client() as client:
        client.set("a", "real")
        with kedis.patch():
            assert client.get("a") == b"real"
            with server.client() as other:
                assert other.get("a") is None
        with server.client() as other:
            assert other.get("a") == b"real"


@kedis.patch()
def test_as_a_decorator() -> None:
    assert redis.Redis(port=1).set("a", 1)


def test_a_setting_that_does_not_exist() -> None:
    with pytest.raises(Exception, match="did you mean maxmemory"):
        kedis.patch(maxmemry=1)
