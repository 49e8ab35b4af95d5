"""Programs that work on streams: taskiq's broker, streaq, docket, RQ's results, walrus.

Each with a worker of its own in this process; what each does with entries that nobody acknowledged, too.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import docket
import pytest
import redis
import rq
import taskiq
import walrus
from rq.results import Result
from rq.worker import SimpleWorker
from streaq import Worker as StreaqWorker
from streaq.types import StreaqRetry
from taskiq.api import run_receiver_task
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

_SECONDS = 60


@pytest.fixture
def connection(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        yield client


async def eventually(condition: Any) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


# -- taskiq -----------------------------------------------------------------------------------------------


def taskiq_broker(url: str, name: str) -> RedisStreamBroker:
    broker = RedisStreamBroker(url, queue_name="tasks", consumer_name=name, xread_block=200, idle_timeout=1)
    return broker.with_result_backend(RedisAsyncResultBackend(url))


@asynccontextmanager
async def receiving(broker: taskiq.AsyncBroker) -> Any:
    """A worker of ``broker`` in this process."""
    work = asyncio.create_task(run_receiver_task(broker))
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def test_taskiq(url: str, connection: redis.Redis) -> None:
    async def run() -> None:
        broker = taskiq_broker(url, "worker")

        @broker.task(task_name="square")
        async def square(number: int) -> int:
            return number * number

        @broker.task(task_name="fail")
        async def fail() -> None:
            raise ValueError("on purpose")

        await broker.startup()
        async with receiving(broker):
            tasks = [await square.kiq(number) for number in range(50)]
            failing = await fail.kiq()
            results = [await task.wait_result(timeout=_SECONDS) for task in tasks]
            assert [result.return_value for result in results] == [number * number for number in range(50)]
            assert (await failing.wait_result(timeout=_SECONDS)).is_err
            await eventually(lambda: connection.xpending("tasks", "taskiq")["pending"] == 0)
        await broker.shutdown()
        assert connection.xlen("tasks") == 51

    asyncio.run(run())


def test_taskiq_takes_over_what_a_lost_worker_did_not_acknowledge(url: str, connection: redis.Redis) -> None:
    async def run() -> None:
        broker = taskiq_broker(url, "heir")

        @broker.task(task_name="double")
        async def double(number: int) -> int:
            return 2 * number

        await broker.startup()
        task = await double.kiq(21)
        (found,) = connection.xreadgroup("taskiq", "lost", {"tasks": ">"})
        assert len(found[1]) == 1
        await asyncio.sleep(0.01)
        async with receiving(broker):
            await double.kiq(1)  # the broker looks for what is left when it has got something
            assert (await task.wait_result(timeout=_SECONDS)).return_value == 42
        await broker.shutdown()

    asyncio.run(run())


# -- streaq -----------------------------------------------------------------------------------------------


def test_streaq(url: str, connection: redis.Redis) -> None:
    worker = StreaqWorker(redis_url=url, queue_name="q", priorities=["low", "high"], handle_signals=False)
    tried: list[int] = []

    @worker.task
    async def square(number: int) -> int:
        return number * number

    @worker.task(max_tries=3)
    async def flaky() -> int:
        tried.append(len(tried))
        if len(tried) < 3:
            raise StreaqRetry("again", delay=0.01)
        return len(tried)

    async def run() -> None:
        async with anyio.create_task_group() as group:
            await group.start(worker.run_async)
            tasks = [await square.enqueue(number).start(priority="high") for number in range(30)]
            later = await square.enqueue(9).start(delay=0.05)
            chain = await square.enqueue(2).then(square)
            retried = await flaky.enqueue()
            assert [(await task.result(_SECONDS)).result for task in tasks] == [
                number * number for number in range(30)
            ]
            assert (await later.result(_SECONDS)).result == 81
            assert (await chain.result(_SECONDS)).result == 16
            assert (await retried.result(_SECONDS)).result == 3
            group.cancel_scope.cancel()

    asyncio.run(run())
    assert tried == [0, 1, 2]
    groups = [group for key in connection.scan_iter(_type="stream") for group in connection.xinfo_groups(key)]
    assert len(groups) == 2
    assert all(group["pending"] == 0 for group in groups)


# -- docket -----------------------------------------------------------------------------------------------


def test_docket(url: str) -> None:
    done: list[Any] = []

    async def note(what: str) -> str:
        done.append(what)
        return what.upper()

    async def flaky(retry: docket.Retry = docket.Retry(attempts=3)) -> None:  # noqa: B008 - as docket has it
        done.append(retry.attempt)
        if retry.attempt < 3:
            raise ValueError("on purpose")

    async def run() -> None:
        async with docket.Docket(name="d", url=url) as board:
            board.register(note)
            now = datetime.now(UTC)
            await board.add(note, when=now + timedelta(milliseconds=80))("later")
            first = await board.add(note, key="once")("first")
            await board.add(note, key="once")("the same key: ignored")
            await board.add(note, when=now + timedelta(seconds=900), key="never")("cancelled")
            await board.cancel("never")
            await board.add(flaky)()
            async with docket.Worker(
                board,
                minimum_check_interval=timedelta(milliseconds=20),
                scheduling_resolution=timedelta(milliseconds=20),
            ) as worker:
                await worker.run_until_finished()
            assert await first.get_result() == "FIRST"

    asyncio.run(run())
    assert sorted(map(str, done)) == ["1", "2", "3", "first", "later"]


def test_docket_delivers_again_what_a_lost_worker_held(url: str) -> None:
    connection = redis.Redis.from_url(url)
    done: list[str] = []

    async def note(what: str) -> None:
        done.append(what)

    async def run() -> None:
        async with docket.Docket(name="d", url=url) as board:
            await board.add(note)("held")
            group = board.worker_group_name
            connection.xgroup_create(board.stream_key, group, id="0")
            ((_, held),) = connection.xreadgroup(group, "lost", {board.stream_key: ">"})
            assert len(held) == 1
            async with docket.Worker(
                board,
                minimum_check_interval=timedelta(milliseconds=20),
                redelivery_timeout=timedelta(milliseconds=100),
            ) as worker:
                await worker.run_until_finished()

    asyncio.run(run())
    assert done == ["held"]


# -- RQ ---------------------------------------------------------------------------------------------------


def add(one: int, other: int) -> int:
    return one + other


def fail() -> None:
    raise ValueError("on purpose")


def test_results_of_rq(url: str) -> None:
    connection = redis.Redis.from_url(url)
    queue = rq.Queue("jobs", connection=connection)
    job = queue.enqueue(add, 1, 2)
    failing = queue.enqueue(fail, retry=rq.Retry(max=2))
    heard: list[Any] = []
    waiting = threading.Thread(target=lambda: heard.append(job.latest_result(timeout=_SECONDS)))
    waiting.start()
    while not connection.info("clients")["blocked_clients"]:
        time.sleep(0.01)
    worker = SimpleWorker([queue], connection=connection)
    worker.work(burst=True)
    waiting.join(_SECONDS)
    assert heard[0].return_value == 3
    for _ in range(12):
        queue.enqueue_job(job)
        worker.work(burst=True)
    assert connection.type(Result.get_key(job.id)) == b"stream"
    found = [result.return_value for result in job.results()]
    assert found == [3] * 13, "RQ keeps ten, approximately, and a node has a hundred"
    (failure, *_) = failing.results()
    assert failure.type is Result.Type.FAILED
    assert "on purpose" in failure.exc_string


# -- walrus -----------------------------------------------------------------------------------------------


def test_a_stream_of_walrus(url: str) -> None:
    database = walrus.Database.from_url(url)
    stream = database.Stream("log")
    ids = [stream.add({"n": number}, id=f"{number}-1") for number in range(1, 11)]
    assert len(stream) == 10
    assert [each for each, _ in stream["3-1":"5-1"]] == ids[2:5]
    assert stream[ids[0]] == (ids[0], {b"n": b"1"})
    del stream["3-1", "4-1"]
    assert stream.trim(5, approximate=False) == 3
    assert [each for each, _ in stream.read(last_id="8-1")] == ids[8:]
    assert stream.info()["length"] == 5
    assert database.Stream("log").range(count=1) == [(ids[5], {b"n": b"6"})]


def test_a_consumer_group_of_walrus(url: str) -> None:
    database = walrus.Database.from_url(url)
    series = database.time_series("readers", ["one", "two"])
    series.create()
    series.set_id("$")
    moment = datetime(2030, 1, 2, 3, 4, 5)
    for number in range(5):
        series.one.add({"n": f"one{number}"}, id=moment + timedelta(seconds=2 * number))
        series.two.add({"n": f"two{number}"}, id=moment + timedelta(seconds=2 * number + 1))
    found = series.read(count=3)
    assert [each.data["n"] for each in found] == ["one0", "two0", "one1", "two1", "one2", "two2"]
    assert series.one.ack(*[each for each in found if each.stream == "one"]) == 3
    assert [(consumer, times) for _, consumer, _, times in series.two.pending()] == [("readers.c1", 1)] * 3
    other = series.consumer("other")
    (claimed,) = other.two.claim(found[1], min_idle_time=0)
    assert (claimed.data, claimed.timestamp) == ({"n": "two0"}, moment + timedelta(seconds=1))
    assert len(series.read()) == 4
    assert series.read(block=1) == []
