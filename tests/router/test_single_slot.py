"""The differential suite's scripts, all keys in one slot, through the router: the replies of a plain Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.differential import streams
from tests.oracle import Oracle
from tests.router.clusters import Cluster
from tests.router.doors import Door
from tests.router.single_slot import Comparison, draw

SCRIPTS = int(os.environ.get("KEDIS_EXAMPLES", "60"))


@pytest.fixture(scope="module")
def comparison(shared_cluster: Cluster, shared_door: Door) -> Iterator[Comparison]:
    shared_cluster.empty()
    oracle = Oracle()
    servers = [*shared_cluster.masters, oracle]
    pairs = [word for name, value in streams.NODES.items() for word in (name, value)]
    for server in servers:
        server.call("CONFIG", "SET", *pairs)
        # So that keys with a moment in the past go when a command meets them, on both sides.
        server.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    made = Comparison(shared_door.port, oracle.port)
    yield made
    made.close()
    oracle.close()
    for server in shared_cluster.masters:
        server.call("CONFIG", "SET", "stream-node-max-entries", 100, "stream-node-max-bytes", 4096)
        server.call("DEBUG", "SET-ACTIVE-EXPIRE", 1)


@pytest.mark.parametrize("part", range(4))
def test_replies_are_those_of_a_plain_redis(comparison: Comparison, part: int) -> None:
    for seed in range(part, SCRIPTS, 4):
        try:
            comparison.run(draw(seed))
        except AssertionError as error:
            pytest.fail(f"seed {seed}: {error}")
