"""A Kedis that is the master of real Redis replicas, a load of every kind, and the comparison of both."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

import kedis
from tests.oracle import Oracle

#: What a busy machine may take for a step that usually takes a fraction of a second.
PATIENCE_SECONDS = 60

_LOCK = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  redis.call('incr', KEYS[2]) return redis.call('del', KEYS[1])
end
redis.call('set', KEYS[1], ARGV[1]) return redis.call('rpush', KEYS[3], ARGV[1])
"""
_LIBRARY = """#!lua name=mylib
redis.register_function('put', function(keys, args) return redis.call('set', keys[1], args[1]) end)
"""


@contextmanager
def master(**settings: Any) -> Iterator[kedis.Server]:
    """A Kedis whose replicas need not wait, with DEBUG, and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="master-") as folder:
        defaults = {
            "repl_diskless_sync_delay": "0",
            "enable_debug_command": "yes",
            "appendonly": "no",
            "save": "",
            "dir": folder,
        }
        with kedis.Server(**{**defaults, **settings}) as server:
            yield server


def eventually(condition: Callable[[], Any], what: str) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def follow(replica: Oracle, port: int) -> None:
    """Make ``replica`` follow the master at ``port``, and wait until the link is up."""
    assert replica.call("REPLICAOF", "127.0.0.1", port) == b"OK"
    eventually(lambda: link_is_up(replica), "the link is up")


def info_of(replica: Oracle) -> dict[str, str]:
    """INFO replication."""
    text = replica.call("INFO", "replication").decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def link_is_up(replica: Oracle) -> bool:
    """Whether it has the data of its master and follows."""
    return info_of(replica).get("master_link_status") == "up"


def assert_equal(client: redis.Redis, *replicas: Oracle) -> None:
    """Wait until every replica has all that the master has; then data and offsets are the same."""
    assert client.execute_command("WAIT", len(replicas), PATIENCE_SECONDS * 1000) == len(replicas)
    offset = client.info("replication")["master_repl_offset"]
    for replica in replicas:
        # A key that is due may be deleted late.
        eventually(
            lambda replica=replica: (
                replica.call("DEBUG", "DIGEST") == client.execute_command("DEBUG", "DIGEST")
            ),
            "equal data",
        )
        assert int(info_of(replica)["master_repl_offset"]) >= offset


def mixed_load(client: redis.Redis, rounds: int, prefix: str = "") -> None:
    """Writes of every type, with times to live, scripts, a function, transactions, blocking and several databases."""
    client.function_load(_LIBRARY, replace=True)
    lock = client.register_script(_LOCK)
    names = {
        kind: f"{prefix}{kind}" for kind in ("string", "list", "set", "hash", "zset", "stream", "hll", "geo")
    }
    for number in range(rounds):
        client.set(f"{prefix}k{number}", "v" * (number % 100), px=3_600_000 if number % 3 else None)
        client.set(f"{prefix}gone{number}", "x", px=1)
        client.incrbyfloat(names["string"], 0.5)
        client.rpush(names["list"], *range(number % 7 + 1))
        client.sadd(names["set"], number, f"m{number}")
        client.spop(names["set"])
        client.hset(names["hash"], mapping={f"f{number}": "v", "n": str(number)})
        client.zadd(names["zset"], {f"m{number % 50}": number})
        client.xadd(names["stream"], {"n": str(number)}, maxlen=50)
        client.pfadd(names["hll"], number)
        client.geoadd(names["geo"], (13.3, 38.1, f"place{number}"))
        client.fcall("put", 1, f"{prefix}called{number % 5}", number)
        lock(keys=[f"{prefix}lock", f"{prefix}count", f"{prefix}log"], args=["token"])
        with client.pipeline() as unit:
            unit.incr(f"{prefix}counter").expire(f"{prefix}counter", 1000).lpop(names["list"]).get(
                f"{prefix}k1"
            )
            unit.execute()
        client.copy(f"{prefix}k{number}", f"{prefix}copy", replace=True)
        client.move(f"{prefix}gone{number}", 3)
    client.xgroup_create(names["stream"], "group", id="0", mkstream=True)
    client.xreadgroup("group", "reader", {names["stream"]: ">"}, count=5)
    client.set(f"{prefix}large", b"x" * 300_000)
    client.setrange(f"{prefix}large", 10, "y" * 70_000)
