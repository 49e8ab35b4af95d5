"""The stock prometheus-redis-exporter works on Kedis, and tells what Kedis itself tells under the same names."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import kedis
from tests.ports import free_port

PROGRAM = "prometheus-redis-exporter"
#: About the exporter itself.
ITS_OWN = re.compile(r"redis_(exporter_|last_key_groups_scrape|target_scrape_request)")
#: What the scrape by the exporter itself changes.
MOVING = re.compile(
    r"redis_(commands_processed_total|connected_clients|cpu_|net_|total_(reads|writes)_processed|memory_|mem_"
    r"|allocator_|uptime|process_id|start_time|latest_fork)"
)
#: What falls with the clock between the exporter's look and the test's own (seconds).
AGEING = 'redis_db_avg_ttl_seconds{db="db0"}'


def samples(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if line.startswith("redis_"))
    return {name: float(value) for name, _, value in pairs}


def fill(server: kedis.Server) -> None:
    with server.client() as client:
        client.mset({f"key:{number}": number for number in range(100)})
        for number in range(40):
            client.expire(f"key:{number}", 1000)
            client.get(f"key:{number}")
        client.get("missing")
        client.lpush("list", 1)
        for _ in range(3):
            with pytest.raises(Exception, match="WRONGTYPE"):
                client.get("list")
        client.execute_command("CONFIG", "SET", "maxmemory", "100mb")
        client.config_set("slowlog-log-slower-than", 1_000_000)


@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")
def test_exporter_and_kedis_agree_value_by_value() -> None:
    own_port = free_port()
    with kedis.Server(port=0, metrics_port=own_port) as server:
        fill(server)
        deadline = time.monotonic() + 20
        while not samples(own_port)[AGEING]:  # until the expiry cycle has looked
            assert time.monotonic() < deadline
            time.sleep(0.02)
        theirs, mine = both(server.port, own_port)
    assert theirs["redis_up"] == 1
    expected = {name: value for name, value in theirs.items() if not ITS_OWN.match(name)}
    assert set(expected) <= set(mine)
    assert len(expected) > 150
    assert mine[AGEING] == pytest.approx(expected.pop(AGEING), abs=20)
    compared = {name: value for name, value in expected.items() if not MOVING.match(name)}
    assert len(compared) > 100
    # INFO gives whole microseconds.
    assert {name: mine[name] for name in compared} == pytest.approx(compared, abs=1e-6)
    for name in set(expected) - set(compared):
        assert mine[name] == pytest.approx(expected[name], rel=0.9, abs=1_000_000), name
    assert mine['redis_errors_total{err="WRONGTYPE"}'] == 3
    assert mine['redis_db_keys_expiring{db="db0"}'] == 40


@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")
def test_they_agree_on_a_replica_with_replicas() -> None:
    """What they say of the link to a master, and of replicas."""
    own_port = free_port()
    with (
        kedis.Server(repl_diskless_sync_delay="0") as first,
        kedis.Server(
            metrics_port=own_port, replicaof=f"127.0.0.1 {first.port}", repl_diskless_sync_delay="0"
        ) as middle,
        kedis.Server(replicaof=f"127.0.0.1 {middle.port}"),
        middle.client() as client,
    ):
        deadline = time.monotonic() + 60
        while client.info("replication").get("slave0", {}).get("state") != "online":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        theirs, mine = both(middle.port, own_port)
    link = {name for name in theirs if re.match(r"redis_(master_|slave_|connected_slave|repl)", name)}
    assert len(link) >= 15
    assert link <= set(mine)
    for name in link:
        assert mine[name] == pytest.approx(theirs[name], abs=1_000), name


def both(server_port: int, own_port: int) -> tuple[dict[str, float], dict[str, float]]:
    """What the exporter says of the server, and right after it what the server says at ``own_port``."""
    port = free_port()
    words = ["-redis.addr", f"redis://127.0.0.1:{server_port}", "-include-system-metrics"]
    exporter = subprocess.Popen(
        [PROGRAM, *words, "-web.listen-address", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL
    )
    try:
        return wait_for(port), samples(own_port)
    finally:
        exporter.kill()
        exporter.wait()


def wait_for(port: int) -> dict[str, float]:
    deadline = time.monotonic() + 20
    while True:
        try:
            return samples(port)
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
