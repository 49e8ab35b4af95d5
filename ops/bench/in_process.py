"""``kedis.connect()`` beside other stores in a Python process: calls a second of its own processor time, Markdown.

    pip install --group stores && python ops/bench/in_process.py        2 minutes

``sent`` is redis-py's own client on the same connections: every command is packed, parsed and sent through the engine
socket, as before direct calls. Of burner-redis, which is for asyncio, the calls are awaited one after the other. All
take part in each of five rounds; a figure is the median of its rounds, a ratio that of the ratios within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import redis

import kedis

#: A call of a loop, by the number of its turn.
CALLS: dict[str, Callable[[Any, int], Any]] = {
    "SET": lambda store, turn: store.set(f"key:{turn % 1000}", "value"),
    "GET": lambda store, turn: store.get(f"key:{turn % 1000}"),
    "INCR": lambda store, turn: store.incr("counter"),
    "HSET": lambda store, turn: store.hset("hash", f"field:{turn % 100}", "value"),
    "ZADD": lambda store, turn: store.zadd("board", {f"player:{turn % 1000}": turn}),
}
PIPELINES = {"pipeline of 100 SET": False, "the same in MULTI/EXEC": True}
ROUNDS = 5


def run_pipeline(store: Any, transaction: bool) -> None:
    pipe = store.pipeline(transaction=transaction)
    for number in range(100):
        pipe.set(f"key:{number}", "value")
    pipe.execute()


def rates(store: Any, count: int) -> dict[str, float]:
    """Calls a second of each kind; pipelines count as 100."""
    found = {}
    for name, call in CALLS.items():
        with Stopwatch() as watch:
            for turn in range(count):
                call(store, turn)
        found[name] = count / watch.seconds
    for name, transaction in PIPELINES.items():
        with Stopwatch() as watch:
            for _ in range(count // 100):
                run_pipeline(store, transaction)
        found[name] = count / watch.seconds
    return found


async def awaited_rates(store: Any, count: int) -> dict[str, float]:
    """The same of a store for asyncio, for the calls that it has."""
    found = {}
    for name, call in CALLS.items():
        if not hasattr(store, name.lower()):
            continue
        with Stopwatch() as watch:
            for turn in range(count):
                await call(store, turn)
        found[name] = count / watch.seconds
    return found


class Stopwatch:
    """Processor time of the process within the block; the collector has run before."""

    def __enter__(self) -> Stopwatch:
        gc.collect()
        self._began = time.process_time()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.seconds = time.process_time() - self._began


def of_kedis(count: int, sent: bool = False) -> dict[str, float]:
    with kedis.connect() as store:
        return rates(redis.Redis(connection_pool=store.connection_pool) if sent else store, count)


def of_fakeredis(count: int) -> dict[str, float]:
    import fakeredis

    return rates(fakeredis.FakeRedis(), count)


def of_burner_redis(count: int) -> dict[str, float]:
    import burner_redis

    async def run() -> dict[str, float]:
        return await awaited_rates(burner_redis.BurnerRedis(), count)

    return asyncio.run(run())


STORES: dict[str, Callable[[int], dict[str, float]]] = {
    "Kedis": of_kedis,
    "sent": lambda count: of_kedis(count // 4, sent=True),
    "fakeredis": lambda count: of_fakeredis(count // 8),
    "burner-redis": of_burner_redis,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=40_000, help="of each kind and round (default: 40000)")
    options = parser.parse_args()
    found = [{name: measure(options.calls) for name, measure in STORES.items()} for _ in range(ROUNDS)]
    print(
        f"Thousands of calls a second of processor time, redis-py {version('redis')}, "
        f"fakeredis {version('fakeredis')}, burner-redis {version('burner-redis')}\n"
    )
    others = [name for name in STORES if name != "Kedis"]
    print("| | " + " | ".join(STORES) + " | " + " | ".join(f"over {name}" for name in others) + " |")
    print("|---" * (len(STORES) + len(others) + 1) + "|")
    for kind in (*CALLS, *PIPELINES):
        cells = [_median([each[name].get(kind) for each in found], 1000, 0) for name in STORES]
        for name in others:
            ratios = [
                each["Kedis"][kind] / each[name][kind] if kind in each[name] else None for each in found
            ]
            cells.append(_median(ratios, 1, 2))
        print(f"| {kind} | " + " | ".join(cells) + " |")


def _median(figures: list[float | None], unit: int, digits: int) -> str:
    known = [figure for figure in figures if figure is not None]
    return f"{statistics.median(known) / unit:.{digits}f}" if known else "-"


if __name__ == "__main__":
    main()
