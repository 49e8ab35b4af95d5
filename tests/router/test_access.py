"""Users and passwords at the router and towards the nodes; TLS on both sides."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.oracle import Oracle
from tests.ports import free_port
from tests.replication.sentinels import Node
from tests.router.clusters import Cluster, cluster, redis_program
from tests.router.doors import Door, complaint
from tests.tls.conftest import certificates
from tests.tls.servers import Certificates, flags_of

__all__ = ["certificates"]


@pytest.fixture(scope="module")
def guarded(shared_cluster: Cluster) -> Iterator[Door]:
    with Door(shared_cluster.url, "--requirepass", "secret") as running:
        yield running


def _authenticated(door: Door, *words: str) -> Any:
    wire = door.wire()
    assert wire.call("AUTH", *words) == b"OK"
    return wire


def test_a_password_of_the_router(guarded: Door, nodes: Cluster) -> None:
    wire = guarded.wire()
    assert wire.call("GET", "x") == "NOAUTH Authentication required."
    assert wire.call("AUTH", "wrong").startswith("WRONGPASS")
    assert wire.call("AUTH", "secret") == b"OK"
    assert wire.call("SET", "x", 1) == b"OK"
    wire.close()


def test_users_of_the_router(guarded: Door, nodes: Cluster) -> None:
    """Keys, commands and channels are allowed by the router; the nodes see one user."""
    root = _authenticated(guarded, "secret")
    assert (
        root.call("ACL", "SETUSER", "reader", "on", ">pass", "~mine:*", "&news", "+@read", "+subscribe")
        == b"OK"
    )
    root.call("MSET", "mine:1", "a", "mine:2", "b", "theirs", "c")
    wire = _authenticated(guarded, "reader", "pass")
    assert wire.call("MGET", "mine:1", "mine:2") == [b"a", b"b"]
    assert wire.call("GET", "theirs").startswith("NOPERM")
    assert wire.call("MGET", "mine:1", "theirs").startswith("NOPERM")
    assert wire.call("SET", "mine:1", "x").startswith("NOPERM")
    assert wire.call("EVAL", "return redis.call('get', KEYS[1])", 1, "mine:1").startswith("NOPERM")
    assert wire.call("FLUSHALL").startswith("NOPERM")
    assert wire.pipeline([("MULTI",), ("GET", "theirs"), ("EXEC",)])[1].startswith("NOPERM")
    assert wire.call("SUBSCRIBE", "other").startswith("NOPERM")
    assert wire.call("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
    wire.close()
    assert root.call("ACL", "DELUSER", "reader") == 1
    root.close()


def test_a_user_and_password_of_the_nodes(tmp_path: Path) -> None:
    settings = "user door on >s3cr:t@ ~* &* +@all\n"
    with cluster(tmp_path, replicas=0, settings=settings) as nodes:
        for node in nodes.nodes:
            node.call("ACL", "SETUSER", "default", "on", "resetpass", ">harness")
        with Door(f"redis://door:s3cr%3At%40@{nodes.addresses}") as door:
            for shard in range(3):
                assert door.call("SET", f"{nodes.tag(shard)}x", shard) == b"OK"
            assert "s3cr" not in door.output()
            assert b"s3cr" not in door.call("INFO")


def test_a_wrong_password_of_the_nodes(oracle: Oracle) -> None:
    oracle.call("CONFIG", "SET", "requirepass", "right")
    try:
        said = complaint(f"redis://:wrong@127.0.0.1:{oracle.port}")
        assert "AUTH was refused: WRONGPASS" in said and "wrong@" not in said
        with Door(f"redis://:right@127.0.0.1:{oracle.port}") as door:
            assert door.call("SET", "x", 1) == b"OK"
    finally:
        oracle.call("AUTH", "right")
        oracle.call("CONFIG", "SET", "requirepass", "")


class TlsOracle(Oracle):
    """A Redis with a TLS port, which wants a certificate of its clients."""

    def __init__(self, trusted: Certificates) -> None:
        self.tls_port = free_port()
        words = flags_of(trusted, tls_port=str(self.tls_port), tls_auth_clients="yes")
        super().__init__(*words)


@pytest.fixture(scope="module")
def tls_oracle(certificates: Certificates) -> Iterator[TlsOracle]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = TlsOracle(certificates)
    yield server
    server.close()


def upstream_flags(trusted: Certificates, authority: str | None = None) -> list[str]:
    words = ["--upstream-tls-ca-cert-file", authority or trusted.authority]
    words += ["--upstream-tls-cert-file", trusted.client.certificate]
    return [*words, "--upstream-tls-key-file", trusted.client.key]


def test_tls_on_both_sides(tls_oracle: TlsOracle, certificates: Certificates) -> None:
    port = free_port()
    own = flags_of(certificates, tls_port=str(port))
    upstream = f"rediss://127.0.0.1:{tls_oracle.tls_port}"
    with Door(upstream, *upstream_flags(certificates), *own) as door:
        client = redis.Redis(port=port, ssl=True, ssl_ca_certs=certificates.authority, decode_responses=True)
        with client.pipeline(transaction=False) as pipe:
            for number in range(500):
                pipe.set(f"key:{number}", "x" * 2000)
                pipe.get(f"key:{number}")
            assert pipe.execute() == [True, "x" * 2000] * 500
        value = "y" * 3_000_000
        client.set("large", value)
        assert client.get("large") == value
        assert door.call("GET", "key:1") == b"x" * 2000
        with client.pipeline() as pipe:
            pipe.watch("key:1")
            pipe.multi()
            pipe.incr("n")
            assert pipe.execute() == [1]
        assert client.blpop("nothing", 0.05) is None
        client.close()


def test_a_node_that_is_not_trusted(tls_oracle: TlsOracle, certificates: Certificates) -> None:
    upstream = f"rediss://127.0.0.1:{tls_oracle.tls_port}"
    said = complaint(upstream, *upstream_flags(certificates, certificates.strangers))
    assert "certificate verify failed" in said


def test_a_sentinel_by_tls(tls_oracle: TlsOracle, certificates: Certificates, tmp_path: Path) -> None:
    """Sentinel and server, both by TLS; it tells the port with TLS as its own watch goes by TLS."""
    port, tls_port = free_port(), free_port()
    words = flags_of(certificates, tls_port=str(tls_port), tls_replication="yes")
    lines = [f"{words[at][2:]} {words[at + 1]}" for at in range(0, len(words), 2)]
    lines += [
        f"port {port}",
        "bind 127.0.0.1",
        f"sentinel monitor group 127.0.0.1 {tls_oracle.tls_port} 1",
        "",
    ]
    sentinel = Node(
        [redis_program()], port, tmp_path / "sentinel", "\n".join(lines), "sentinel", ["--sentinel"]
    )
    sentinel.start()
    try:
        upstream = f"rediss+sentinel://127.0.0.1:{tls_port}/group"
        with Door(upstream, *upstream_flags(certificates), metrics=False) as door:
            assert door.call("SET", "by sentinel", 1) == b"OK"
            assert tls_oracle.call("GET", "by sentinel") == b"1"
            assert b"router_mode:sentinel" in door.call("INFO", "router")
        said = complaint(f"rediss+sentinel://127.0.0.1:{port}/group", *upstream_flags(certificates))
        assert f"127.0.0.1:{port}: it does not speak TLS" in said
    finally:
        sentinel.kill()


def test_tls_to_a_node_without(oracle: Oracle, certificates: Certificates) -> None:
    said = complaint(f"rediss://127.0.0.1:{oracle.port}", *upstream_flags(certificates))
    assert f"127.0.0.1:{oracle.port}: it does not speak TLS" in said


def test_no_tls_to_a_node_with(tls_oracle: TlsOracle) -> None:
    for password in ("", "secret@"):
        said = complaint(f"redis://{password}127.0.0.1:{tls_oracle.tls_port}")
        assert f"127.0.0.1:{tls_oracle.tls_port}: it speaks TLS: write rediss://" in said


def test_a_cluster_by_tls(certificates: Certificates, tmp_path: Path) -> None:
    """Nodes tell one another, and the router, their TLS ports."""
    words = flags_of(certificates, tls_cluster="yes")
    lines = "".join(f"{words[n][2:]} {words[n + 1]}\n" for n in range(0, len(words), 2))
    with cluster(tmp_path, replicas=0, settings=lines) as nodes:
        ports = {node: free_port() for node in nodes.nodes}
        for node, port in ports.items():
            assert node.call("CONFIG", "SET", "cluster-announce-tls-port", port, "tls-port", port) == b"OK"
        nodes.settle()
        first = ports[nodes.nodes[0]]
        with Door(f"rediss://127.0.0.1:{first}", *upstream_flags(certificates)) as door:
            for shard in range(3):
                assert door.call("SET", f"{nodes.tag(shard)}x", shard) == b"OK"
            assert door.call("DBSIZE") == 3
            assert {labels["shard"] for labels, _ in door.metrics()["kedis_router_up"]} == {
                f"127.0.0.1:{port}" for port in ports.values()
            }
