"""Programs that know nothing of clusters, through the router: command lines, benchmarks, INFO, COMMAND, metrics."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest

from kedis.commands import load_all
from kedis.engine.table import every_command
from tests.replication.masters import until
from tests.router.clusters import Cluster
from tests.router.doors import Door


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_kedis_cli(door: Door, nodes: Cluster) -> None:
    words = [sys.executable, "-m", "kedis.cli.client.main", "-p", str(door.port)]
    assert run(*words, "SET", "a", "1").strip() == "OK"
    assert run(*words, "MGET", "a", "b").split() == ["1"] or "1" in run(*words, "MGET", "a", "b")
    assert "router_shards:3" in run(*words, "INFO", "router")


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-cli is not installed")
def test_redis_cli(door: Door, nodes: Cluster) -> None:
    words = ["redis-cli", "-p", str(door.port)]
    assert run(*words, "MSET", "a", "1", "b", "2").strip() == "OK"
    assert run(*words, "--scan").split().sort() is None
    assert sorted(run(*words, "--scan").split()) == ["a", "b"]
    assert "keys" in run(*words, "--bigkeys", "-i", "0")


def test_info_keyspace_is_the_sum_of_the_shards(door: Door, nodes: Cluster) -> None:
    client = door.client()
    for number in range(300):
        client.set(f"key:{number}", 1, px=10_000_000 if number % 3 == 0 else None)
    found = until(lambda: (each := client.info("keyspace").get("db0")) and each["keys"] == 300 and each)
    assert found["expires"] == 100
    # A node that has just started to look for expired keys knows no average yet.
    assert 0 <= found["avg_ttl"] <= 10_000_000
    assert door.total("redis_db_keys", db="db0") == door.total("kedis_db_keys", db="db0") == 300
    assert door.total("redis_db_keys_expiring", db="db0") == 100
    client.flushall()
    until(lambda: client.info("keyspace") == {})


def test_kedis_benchmark(door: Door, nodes: Cluster) -> None:
    words = [sys.executable, "-m", "kedis.cli.benchmark.main", "-p", str(door.port), "-c", "10", "-n", "3000"]
    (row,) = json.loads(run(*words, "--json", "-"))["rows"]
    assert row["throughput"] > 0
    assert nodes.keys()


@pytest.mark.skipif(shutil.which("redis-benchmark") is None, reason="redis-benchmark is not installed")
def test_redis_benchmark(door: Door, nodes: Cluster) -> None:
    printed = run(
        *(
            "redis-benchmark",
            "-p",
            str(door.port),
            "-c",
            "10",
            "-n",
            "2000",
            "-r",
            "1000",
            "-P",
            "8",
            "--csv",
        ),
        *("-t", "set,get,incr,lpush,rpop,sadd,hset,zadd,mset"),
    )
    assert len(printed.splitlines()) == 10, printed


def sections(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            found[line[2:]] = {}
        elif ":" in line:
            found[list(found)[-1]].update([line.split(":", 1)])
    return found


def test_info(door: Door, nodes: Cluster) -> None:
    told = sections(door.call("INFO", "router").decode())["Router"]
    assert told["router_mode"] == "cluster"
    assert told["router_shards"] == "3"
    assert str(nodes.nodes[0].known) in told["router_upstream"]
    text = door.call("INFO").decode()
    for node in nodes.masters:
        assert f"127.0.0.1:{node.known}" in text
    assert sections(text)["Server"]["tcp_port"] == str(door.port)
    assert int(sections(text)["Clients"]["connected_clients"]) >= 1


def test_command_is_true(door: Door) -> None:
    """COMMAND names what the router does, and no command that it only refuses is missing from what it says."""
    load_all()
    names = {name.decode() for name in door.call("COMMAND", "LIST")}
    assert {"get", "set", "mget", "eval", "subscribe", "ssubscribe", "scan", "multi"} <= names
    assert names <= {row.name for row in every_command()}
    assert door.call("COMMAND", "COUNT") == len({name.partition("|")[0] for name in names})
    assert door.call("COMMAND", "GETKEYS", "MSET", "a", 1, "b", 2) == [b"a", b"b"]


def test_commands_are_counted(door: Door, nodes: Cluster) -> None:
    """Histograms of every command, and of every shard."""

    def calls(name: str) -> float:
        return door.total("kedis_commands_total", cmd=name)

    before = {name: calls(name) for name in ("get", "mset", "blpop")}
    of_shards = door.total("kedis_router_shard_seconds_count")
    for _ in range(20):
        door.call("GET", "x")
    door.call("MSET", *(word for shard in range(3) for word in (f"{nodes.tag(shard)}x", 1)))
    door.call("BLPOP", "x", 0.01)
    assert {name: calls(name) - before[name] for name in before} == {"get": 20, "mset": 1, "blpop": 1}
    assert door.total("kedis_router_shard_seconds_count") - of_shards >= 24
    buckets = door.metrics()["kedis_command_duration_seconds_bucket"]
    assert any(labels["cmd"] == "get" and value for labels, value in buckets)
    figures: dict[str, list[Any]] = {
        name: [labels for labels, _ in samples] for name, samples in door.metrics().items()
    }
    shards = {f"127.0.0.1:{node.known}" for node in nodes.masters}
    assert {labels["shard"] for labels in figures["kedis_router_up"]} == shards
    for name in ("kedis_router_in_flight", "kedis_router_shard_seconds_count"):
        assert {labels["shard"] for labels in figures[name]} >= shards, name
    assert {labels["kind"] for labels in figures["kedis_router_connections"]} == {"shared", "own"}
    assert door.total("kedis_router_shards") == 3
    until(lambda: door.total("kedis_router_in_flight") == 0)  # the topology is asked for at times
    assert {"kedis_router_redirects_total", "kedis_router_retries_total"} <= figures.keys()


def test_slow_requests_are_in_the_slow_log(door: Door, nodes: Cluster) -> None:
    door.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
    try:
        door.call("GET", "slow")
        assert [b"GET", b"slow"] in [entry[3] for entry in door.call("SLOWLOG", "GET", 10)]
    finally:
        door.call("CONFIG", "SET", "slowlog-log-slower-than", 10_000)
