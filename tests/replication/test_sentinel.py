"""Redis's Sentinel watches Kedis, alone and beside Redis: it finds all, changes masters, and clients follow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.replication.masters import until
from tests.replication.sentinels import NAME, Node, Watch, Writer, watched


@pytest.fixture(scope="module", params=["kedis kedis redis"])
def watch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    with watched(tmp_path_factory.mktemp("watch"), request.param.split(), gate=True) as running:
        yield running


@pytest.fixture
def settled(watch: Watch) -> Watch:
    """All is well before each test."""
    for node in watch.nodes:
        if not node.is_running:
            node.start()
    watch.settle()
    return watch


def test_all_are_found(settled: Watch) -> None:
    """Everything that a Sentinel learns from INFO, and by messages through the servers."""
    master = settled.master
    (found,) = settled.described("MASTER")
    assert (found["flags"], found["num-slaves"], found["num-other-sentinels"]) == ("master", "2", "2")
    assert found["runid"] == master.info("server")["run_id"]
    # A server is known by the port of its own, or by that of the gate.
    rows = {settled.known[int(row["port"])]: row for row in settled.described("REPLICAS")}
    assert rows.keys() == set(settled.replicas)
    # What INFO says is asked for every ten seconds.
    until(lambda: {row["slave-priority"] for row in settled.described("REPLICAS")} == {"100"})
    for node, row in rows.items():
        assert row["runid"] == node.info("server")["run_id"]
        assert settled.known[int(row["master-port"])] is master
    assert {int(row["port"]) for row in settled.described("SENTINELS")} == {
        sentinel.port for sentinel in settled.sentinels[1:]
    }
    # An error as long as it holds another Sentinel for down.
    until(lambda: "OK 3 usable Sentinels" in str(settled.sentinels[0].call("SENTINEL", "CKQUORUM", NAME)))
    client = settled.client()
    assert settled.known[client.discover_master(NAME)[1]] is master
    assert {settled.known[port] for _, port in client.discover_slaves(NAME)} == rows.keys()


def test_cut_network(settled: Watch) -> None:
    """Nobody reaches the master, which lives on; when the network is back it is a replica without what it alone had."""
    assert settled.gate is not None
    first = settled.nodes[0]
    if settled.master is not first:
        settled.promote(first)
    with Writer(settled, 2) as writer:
        writer.goes_on()
        settled.gate.cut()
        master = settled.another_master(first)
        first.call("SET", "alone", 1)
        settled.gate.heal()
        settled.settle()
        writer.goes_on()
    assert not writer.lost(master)
    until(lambda: first.call("EXISTS", "alone") == 0)


@pytest.mark.parametrize("kind", ["redis", "kedis"])
def test_failover_by_hand(settled: Watch, kind: str) -> None:
    """SENTINEL FAILOVER from a Kedis to a Redis, and back."""
    if settled.master.kind == kind:
        settled.promote(next(node for node in settled.replicas if node.kind != kind))
    master = next(node for node in settled.replicas if node.kind == kind)
    with Writer(settled, 2) as writer:
        writer.goes_on()
        settled.promote(master)
        writer.goes_on()
    assert not writer.lost(master)
    _is_kept(settled, master)


def test_failover_after_kill(settled: Watch) -> None:
    """The master dies under load, and comes back as a replica."""
    former = settled.master
    with Writer(settled, 2) as writer:
        writer.goes_on()
        former.kill()
        master = settled.another_master(former)
        former.start()
        settled.settle()
        writer.goes_on()
    assert not writer.lost(master)
    _is_kept(settled, master)


def test_everything_starts_again(settled: Watch) -> None:
    """What Sentinel told the servers is in their files, and what it knows itself is in its own."""
    master = settled.master
    master.call("SET", "before", 1)
    for node in (*settled.sentinels, *settled.nodes):
        node.kill()
    for node in settled.nodes:
        node.start()
        assert (node.info()["role"] == "master") is (node is master)
    for sentinel in settled.sentinels:
        settled.start_sentinel(sentinel)
    settled.settle()
    assert settled.master is master


def _is_kept(watch: Watch, master: Node) -> None:
    """CONFIG REWRITE, which Sentinel sent, has the present master in every file."""
    for node in watch.nodes:
        lines = [line.split() for line in node.file.read_text().splitlines() if line.startswith("replicaof")]
        if node is master:
            assert not lines
        else:
            ((_, host, port),) = lines
            assert host == "127.0.0.1"
            assert watch.known[int(port)] is master
