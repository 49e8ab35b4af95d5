"""``kedis.aconnect``: redis-py's client for asyncio on the engine in the process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

import kedis
from tests.embedded.programs import PATIENCE_SECONDS, run_program

Test = Callable[..., Awaitable[None]]


def in_a_loop(test: Test) -> Callable[..., None]:
    """Run ``test(store, …)`` with a new store that decodes, in debug mode: nothing may be left unawaited."""

    @wraps(test)
    def run(**fixtures: Any) -> None:
        async def main() -> None:
            async with kedis.aconnect(decode_responses=True) as store:
                await asyncio.wait_for(test(store, **fixtures), PATIENCE_SECONDS)

        asyncio.run(main(), debug=True)

    # pytest asks for the fixtures, which are the arguments but the first.
    import inspect

    parameters = list(inspect.signature(test).parameters.values())[1:]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


async def blocked(store: Any, count: int = 1) -> None:
    while (await store.info("clients"))["blocked_clients"] != count:
        await asyncio.sleep(0.001)


@in_a_loop
async def test_it_is_a_client_of_redis_py(store: Any) -> None:
    assert isinstance(store, redis.asyncio.Redis)
    assert await store.set("a", 1) is True
    assert await store.incr("a") == 2
    assert await store.hset("h", mapping={"x": 1}) == 1
    assert await store.hgetall("h") == {"x": "1"}
    assert [key async for key in store.scan_iter()] == ["a", "h"]
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        await store.lpush("a", 1)
    assert await store.eval("return redis.call('get', KEYS[1])", 1, "a") == "2"
    assert repr(store) == "<Kedis store in memory, database 0, asyncio>"


@in_a_loop
async def test_commands_do_not_pass_redis_py_s_protocol(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.ping()
    monkeypatch.setattr(type(await store.connection_pool.get_connection()), "read_response", None)
    await store.connection_pool.release(next(iter(store.connection_pool._in_use_connections)))
    await store.set("a", 1)
    assert await store.get("a") == "1"
    assert await store.pipeline(transaction=False).incr("a").execute() == [2]
    assert await store.pipeline().incr("a").execute() == [3]


def test_awaited_or_not(tmp_path: Path) -> None:
    async def main() -> None:
        store = await kedis.aconnect(tmp_path / "data")
        assert await store.incr("n") == 1
        await store.aclose()
        with pytest.raises(redis.ConnectionError, match="closed"):
            await store.get("n")
        one = await kedis.aconnect(tmp_path / "data", single_connection_client=True)
        assert await one.incr("n") == 2
        async with one.client() as other:
            assert await other.incr("n") == 3
        await one.aclose()

    asyncio.run(main())


def test_one_store_in_loops_and_threads() -> None:
    """Sync and async clients may share a store; an async client may be used in one loop after the other."""
    with kedis.connect() as sync:
        client = kedis.aconnect(store=sync)

        async def main() -> None:
            assert await client.incr("n")

        for _ in range(3):
            asyncio.run(main())
        threads = [threading.Thread(target=asyncio.run, args=(_count(sync),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sync.get("n") == b"403"


async def _count(sync: Any) -> None:
    store = kedis.aconnect(store=sync)
    for _ in range(100):
        await store.incr("n")
    await store.aclose()


@pytest.mark.parametrize("transaction", [True, False])
@in_a_loop
async def test_pipelines(store: Any, transaction: bool) -> None:
    pipe = store.pipeline(transaction=transaction)
    pipe.set("a", 1).incr("a").lpush("a", 1).get("a").blpop("none", timeout=0.01 if not transaction else 1)
    replies = await pipe.execute(raise_on_error=False)
    assert replies[:2] == [True, 2]
    assert isinstance(replies[2], redis.ResponseError)
    assert replies[3:] == ["2", None]
    with pytest.raises(redis.ResponseError, match="Command # 1"):
        await store.pipeline(transaction=transaction).lpush("a", 1).execute()
    async with store.pipeline(transaction=transaction) as pipe:
        await pipe.watch("a")
        await store.incr("a")
        pipe.multi()
        pipe.incr("a")
        if transaction:
            with pytest.raises(redis.WatchError):
                await pipe.execute()

    async def add_one(pipe: Any) -> None:
        value = int(await pipe.get("a"))
        pipe.multi()
        pipe.set("a", value + 1)

    before = int(await store.get("a"))
    assert await store.transaction(add_one, "a") == [True]
    assert int(await store.get("a")) == before + 1


@in_a_loop
async def test_a_thousand_tasks_wait_without_a_thread(store: Any) -> None:
    threads = threading.active_count()
    tasks = [asyncio.create_task(store.blpop(f"list:{number}", timeout=0)) for number in range(1000)]
    await blocked(store, 1000)
    assert threading.active_count() == threads
    before = time.process_time()
    await asyncio.sleep(1)
    assert time.process_time() - before < 0.5  # one timer for all of them
    for number in reversed(range(1000)):
        await store.rpush(f"list:{number}", number)
    assert await asyncio.gather(*tasks) == [(f"list:{number}", str(number)) for number in range(1000)]


TAKING: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "BLPOP": (
        lambda store: store.blpop(["none", "k"]),
        lambda store: store.rpush("k", "a", "b"),
        lambda store: store.lrange("k", 0, -1),
    ),
    "BRPOP": (
        lambda store: store.brpop("k"),
        lambda store: store.rpush("k", "a", "b"),
        lambda store: store.lrange("k", 0, -1),
    ),
    "BLMPOP left": (
        lambda store: store.blmpop(0, 2, "none", "k", direction="LEFT", count=2),
        lambda store: store.rpush("k", "a", "b", "c"),
        lambda store: store.lrange("k", 0, -1),
    ),
    "BLMPOP right": (
        lambda store: store.blmpop(0, 1, "k", direction="RIGHT", count=2),
        lambda store: store.rpush("k", "a", "b", "c"),
        lambda store: store.lrange("k", 0, -1),
    ),
    "BZPOPMIN": (
        lambda store: store.bzpopmin("k"),
        lambda store: store.zadd("k", {"a": 0.1, "b": 2}),
        lambda store: store.zrange("k", 0, -1, withscores=True),
    ),
    "BZMPOP": (
        lambda store: store.bzmpop(0, 1, ["k"], max=True, count=2),
        lambda store: store.zadd("k", {"a": 0.1, "b": 2, "c": float("inf")}),
        lambda store: store.zrange("k", 0, -1, withscores=True),
    ),
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", TAKING)
@pytest.mark.parametrize("moment", ["before", "served", "timed out"])
def test_a_cancelled_wait_takes_nothing(name: str, moment: str, protocol: int) -> None:
    """Neither before an element comes, nor in the moment in which it has been taken but not yet read."""
    take, give, look = TAKING[name]

    async def main() -> None:
        async with kedis.aconnect(decode_responses=True, protocol=protocol, db=3) as store:
            await give(store)
            expected = await look(store)
            await store.delete("k")
            task = asyncio.create_task(take(store))
            await blocked(store)
            if moment == "served":
                await give(store)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            if moment != "served":
                await give(store)
            assert await look(store) == expected
            assert (await store.info("clients"))["blocked_clients"] == 0
            # The next one gets it.
            assert await asyncio.wait_for(take(store), PATIENCE_SECONDS)

    asyncio.run(main())


@in_a_loop
async def test_what_is_put_back_is_for_the_next_who_waits(store: Any) -> None:
    first, second = (asyncio.create_task(store.blpop("k", timeout=0)) for _ in range(2))
    await blocked(store, 2)
    await store.rpush("k", "a")
    first.cancel()
    assert await asyncio.wait_for(second, PATIENCE_SECONDS) == ("k", "a")


@in_a_loop
async def test_what_a_user_has_taken_who_may_not_push_is_put_back(store: Any) -> None:
    await store.acl_setuser("bob", enabled=True, nopass=True, commands=["+blpop"], keys=["k"])
    bob = kedis.aconnect(
        store=store, username="bob", password="x", protocol=2, lib_name=None, lib_version=None
    )
    task = asyncio.create_task(bob.blpop("k", timeout=0))
    await blocked(store)
    await store.rpush("k", "a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bob.aclose()
    assert await store.lrange("k", 0, -1) == ["a"]


@in_a_loop
async def test_nothing_is_put_back_that_has_been_read(store: Any) -> None:
    task = asyncio.create_task(store.blpop("k", timeout=0))
    await blocked(store)
    await store.rpush("k", "a")
    assert await task == ("k", "a")
    await store.connection_pool.disconnect()
    assert await store.llen("k") == 0


@in_a_loop
async def test_timeouts(store: Any) -> None:
    began = time.monotonic()
    assert await store.blpop("none", timeout=0.05) is None
    assert (
        await asyncio.gather(*(store.bzpopmin("none", timeout=0.05 * n) for n in range(1, 4))) == [None] * 3
    )
    assert await store.xread({"none": "$"}, block=50) in ([], {})
    assert time.monotonic() - began >= 0.25
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await store.blpop("none", timeout=0)
    await store.client_pause(50)
    assert await store.incr("n") == 1


@in_a_loop
async def test_pub_sub(store: Any) -> None:
    async with store.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe("news")
        await pubsub.psubscribe("__keyevent*")
        assert await pubsub.get_message(timeout=0.01) is None
        assert await pubsub.get_message(timeout=0.01) is None
        waiting = asyncio.create_task(pubsub.get_message(timeout=PATIENCE_SECONDS))
        await asyncio.sleep(0)
        await store.publish("news", "task")
        assert (await waiting)["data"] == "task"
        with kedis.connect(store=store) as sync:
            thread = threading.Timer(0.01, sync.publish, ("news", "thread"))
            thread.start()
            assert (await pubsub.get_message(timeout=PATIENCE_SECONDS))["data"] == "thread"
            thread.join()
        await store.config_set("notify-keyspace-events", "Ex")
        await store.set("a", 1, px=20)  # and nobody looks at it
        assert (await pubsub.get_message(timeout=PATIENCE_SECONDS))["data"] == "a"
        await store.pipeline(transaction=False).publish("news", 1).publish("news", 2).execute()
        heard = []
        async for message in pubsub.listen():
            heard.append(message["data"])
            if len(heard) == 2:
                break
        assert heard == ["1", "2"]


@in_a_loop
async def test_a_thread_serves_a_task(store: Any) -> None:
    with kedis.connect(store=store) as sync:
        task = asyncio.create_task(store.brpoplpush("a", "b", timeout=0))
        await blocked(store)
        thread = threading.Thread(target=sync.lpush, args=("a", "x"))
        thread.start()
        assert await task == "x"
        thread.join()


@in_a_loop
async def test_a_lock(store: Any) -> None:
    held = []

    async def work(number: int) -> None:
        async with store.lock("lock", timeout=60, sleep=0.001):
            held.append(number)
            await asyncio.sleep(0)
            assert held.pop() == number
            assert not held

    await asyncio.gather(*map(work, range(5)))


@in_a_loop
async def test_a_closed_store_wakes_who_waits(store: Any) -> None:
    task = asyncio.create_task(store.blpop("k", timeout=0))
    await blocked(store)
    store.embedded.close()
    with pytest.raises(redis.ConnectionError):
        await task


def test_a_forked_child() -> None:
    program = """
        import asyncio, os, kedis
        async def main():
            store = kedis.aconnect(decode_responses=True)
            await store.set("a", 1)
            task = asyncio.create_task(store.blpop("list", timeout=0))
            await asyncio.sleep(0)
            return store, task
        loop = asyncio.new_event_loop()
        store, task = loop.run_until_complete(main())
        if not os.fork():
            async def child():
                try:
                    await store.get("a")
                except kedis.ForkedError:
                    print("refused")
                async with store.fork() as own:
                    print(await own.get("a"), flush=True)
            asyncio.run(child())
            os._exit(0)
        os.wait()
        print(loop.run_until_complete(store.get("a")), flush=True)
        os._exit(0)
    """
    assert run_program(program) == ["refused", "1", "1"]


def test_options() -> None:
    with pytest.raises(TypeError, match=r"kedis\.aconnect\(\) opens a store"):
        kedis.aconnect(host="x")
    with pytest.raises(ValueError, match="takes a folder"):
        kedis.aconnect("redis://x")

    async def main() -> None:
        async with kedis.aconnect(requirepass="x", maxmemory="1gb", health_check_interval=1) as store:
            assert await store.ping()
            assert await store.set("a", b"\xff")

    asyncio.run(main())
