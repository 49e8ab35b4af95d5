"""What a router may stand before: Redis and Valkey Clusters, a single server, a Sentinel group; and what it refuses."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kedis.config import Config, ConfigError
from kedis.router.router_app import RouterApp
from kedis.server.start_error import StartError
from tests.oracle import Oracle
from tests.ports import free_port
from tests.replication.masters import until
from tests.replication.sentinels import NAME, watched
from tests.router.clusters import Cluster, cluster, long, slot_of
from tests.router.doors import Door, complaint
from tests.router.load import Load
from tests.wire.kedis_process import KedisProcess


@long
def test_valkey(tmp_path: Path) -> None:
    """A Valkey Cluster, whose master is killed with -9 under load."""
    with cluster(tmp_path, "valkey") as nodes, Door(nodes.url, "--upstream-timeout-ms", "1000") as door:
        tags = [nodes.tag(shard) for shard in range(3)]
        assert door.call("MSET", *(word for tag in tags for word in (f"{tag}x", 1))) == b"OK"
        assert door.call("DBSIZE") == 3
        nodes.hasty()
        with Load(door.port, tags, losses=True) as load:
            victim = nodes.owner(tags[0])
            victim.kill()
            nodes.await_failover(victim)
            load.goes_on()
        load.check(nodes.call)


@pytest.mark.parametrize("path", ["native", "python"])
def test_a_single_redis(oracle: Oracle, path: str) -> None:
    """All its databases, and commands over any keys, as by itself."""
    oracle.call("FLUSHALL")
    with Door(f"redis://127.0.0.1:{oracle.port}", path=path) as door:
        wire = door.wire()
        assert wire.pipeline([("MULTI",), ("SET", "a", 1), ("SET", "b", 2), ("EXEC",)])[-1] == [b"OK", b"OK"]
        assert wire.call("RENAME", "a", "c") == b"OK"
        assert wire.call("SINTERSTORE", "x", "y", "z") == 0
        assert wire.call("SELECT", 5) == b"OK"
        assert wire.call("SET", "in five", 1) == b"OK"
        other = door.wire()
        assert other.call("EXISTS", "in five") == 0
        assert wire.call("DBSIZE") == 1
        assert sorted(other.call("KEYS", "*")) == [b"b", b"c"]
        wire.close()
        other.close()
    oracle.call("FLUSHALL")


def test_a_single_kedis() -> None:
    """A Kedis is a server like any other."""
    with KedisProcess() as server, Door(f"redis://127.0.0.1:{server.address[1]}") as door:
        client = door.client()
        client.mset({"a": "1", "b": "2"})
        assert client.mget("a", "b", "c") == ["1", "2", None]
        assert client.eval("return redis.call('incr', KEYS[1])", 1, "a") == 2
        with Load(door.port, ["{x}"], clients=2) as load:
            load.goes_on()
        assert not load.errors
        load.check(lambda _, *words: _call(server, *words))
        client.close()


def _call(server: KedisProcess, *words: str) -> object:
    return server.redis().execute_command(*words, NEVER_DECODE=True)


@long
def test_a_sentinel_group(tmp_path: Path) -> None:
    """The router follows the Sentinels to another master."""
    with watched(tmp_path, ["redis", "redis"]) as watch:
        addresses = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in watch.sentinels)
        with Door(f"redis+sentinel://{addresses}/{NAME}", "--upstream-timeout-ms", "1000") as door:
            assert door.call("SET", "x", 1) == b"OK"
            watch.nodes[0].call("WAIT", 1, 60_000)
            former = watch.master
            with Load(door.port, ["{x}"], losses=True) as load:
                former.kill()
                watch.another_master(former)
                load.goes_on()
            load.check(lambda _, *words: watch.master.call(*words))
            assert door.call("GET", "x") == b"1"


def test_reads_from_replicas(nodes: Cluster) -> None:
    """With prefer-replica the replicas are asked, and masters alone are written to."""
    tag = nodes.tag(0)
    with Door(nodes.url, "--upstream-read-from", "prefer-replica") as door:
        assert door.call("SET", f"{tag}x", 1) == b"OK"
        # A node lists a replica once it has heard of data there.
        until(lambda: door.call("INFO", "router").count(b"replicas=1,") == 3)
        until(lambda: door.call("GET", f"{tag}x") == b"1")
        replica = next(
            node for node in nodes.nodes if node.info().get("master_port") == str(nodes.owner(tag).known)
        )
        before = _gets(nodes, tag)
        for _ in range(50):
            assert door.call("GET", f"{tag}x") == b"1"
        assert _gets(nodes, tag) == before
        assert "cmdstat_get" in replica.info("commandstats")
        for number in range(20):
            assert door.call("SET", f"{tag}x", number) == b"OK"


def test_a_replica_that_was_lost_is_read_from_again(nodes: Cluster) -> None:
    """Its connection was cut, and nothing is sent to those that are not up: the router itself looks after it."""
    tag = nodes.tag(0)
    replica = next(
        node for node in nodes.nodes if node.info().get("master_port") == str(nodes.owner(tag).known)
    )

    def read() -> bool:
        before = replica.info("commandstats").get("cmdstat_get")
        door.call("GET", f"{tag}x")
        return replica.info("commandstats").get("cmdstat_get") != before

    with Door(nodes.url, "--upstream-read-from", "prefer-replica") as door:
        door.call("SET", f"{tag}x", 1)
        for _ in range(2):
            until(read)
            replica.cut_clients()


def _gets(nodes: Cluster, tag: str) -> str:
    """How often the master of a slot has been asked for a value."""
    found = nodes.owner(slot_of(tag)).info("commandstats").get("cmdstat_get", "calls=0,")
    return found.partition(",")[0]


#: Settings, and what the message must name.
UNUSABLE = [
    (["--upstream", "http://localhost"], "upstream"),
    (["--upstream", "redis://"], "upstream"),
    (["--upstream", "redis://host:99999"], "upstream"),
    (["--upstream", "redis+sentinel://127.0.0.1:26379"], "upstream"),
    (["--upstream", "redis://127.0.0.1:1", "--upstream-connections", "0"], "upstream-connections"),
    (["--upstream", "redis://127.0.0.1:1", "--upstream-read-from", "anyone"], "upstream-read-from"),
    (["--upstream", "redis://127.0.0.1:1", "--upstream-retry-ms", "soon"], "upstream-retry-ms"),
    (["--upstream", "redis://127.0.0.1:1", "--appendonly", "yes"], "appendonly"),
    (["--upstream", "redis://127.0.0.1:1", "--replicaof", "127.0.0.1 1"], "replicaof"),
    (
        ["--upstream", "rediss://127.0.0.1:1", "--upstream-tls-ca-cert-file", "/no/such"],
        "upstream-tls-ca-cert-file",
    ),
]


@pytest.mark.parametrize(
    ("flags", "name"), UNUSABLE, ids=lambda each: str(each) if isinstance(each, str) else ""
)
def test_unusable_settings_are_refused_by_name(flags: list[str], name: str) -> None:
    with pytest.raises((ConfigError, StartError), match=name):
        RouterApp(Config.from_command_line(flags))


def test_no_server_at_the_start(tmp_path: Path) -> None:
    """Where nothing answers, the start fails in bounded time and says what was tried."""
    port = free_port()
    words = [sys.executable, "-m", "kedis", "--port", str(free_port()), "--metrics-port", "no"]
    words += ["--upstream", f"redis://127.0.0.1:{port}"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"kedis-server: cannot reach the upstream redis://127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_name_that_is_none() -> None:
    assert "no-such-host.invalid:6380" in complaint("redis://no-such-host.invalid:6380")


def test_a_stop_while_the_upstream_is_waited_for() -> None:
    """A node that accepts and says nothing: the start is given up at once, in order."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "timed out" in complaint(f"redis://127.0.0.1:{silent.getsockname()[1]}")


def test_nodes_that_are_asked_nothing_are_up(door: Door, nodes: Cluster) -> None:
    """A router that no client has used yet knows whether its shards are there."""
    with Door(nodes.url) as fresh:
        until(lambda: fresh.call("INFO", "router").count(b",up=1,") == 3)


def test_a_blocked_client_that_leaves_disturbs_nothing(nodes: Cluster) -> None:
    """Its connection to the node is closed, which is no fault of the node: nothing is said, nothing asked again."""
    with Door(nodes.url, "--metrics-port", "no", metrics=False) as door:
        for _ in range(3):
            wire = door.wire()
            wire.send_all(("BLPOP", "queue", 0))
            until(lambda: nodes.owner("queue").info("clients")["blocked_clients"] == "1")
            wire.close()
            until(lambda: nodes.owner("queue").info("clients")["blocked_clients"] == "0")
        assert "closed" not in door.output()
