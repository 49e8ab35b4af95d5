"""A cluster for all tests of a process, and the router before it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.router.clusters import Cluster, cluster
from tests.router.doors import Door

#: What is the same program on the Python path: nothing of it is about the order, the framing or the bounds of requests.
_PATHLESS = {
    "test_access",
    "test_applications",
    "test_dashboard",
    "test_endings",
    "test_moving_page",
    "test_programs",
    "test_scan",
    "test_upstreams",
}


def _is_left(item: pytest.Item) -> bool:
    """Whether a test of this folder is for ``make test-router``, or for the native path, alone."""
    if item.path.parent != Path(__file__).parent:
        return False
    if item.get_closest_marker("long") is not None:
        return True
    if os.environ.get("KEDIS_PURE") is None:
        return False
    # A door that is asked for on the native path would be a second one on the other.
    chosen = getattr(item, "callspec", None)
    return item.path.stem in _PATHLESS or (chosen is not None and "native" in chosen.params.values())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what takes long to ``make test-router``, and to the native path what does not depend on it."""
    left = set() if "KEDIS_ROUTER_LONG" in os.environ else {item for item in items if _is_left(item)}
    if left:
        config.hook.pytest_deselected(items=list(left))
        items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three masters of Redis 7.0 and their replicas; whoever harms it heals it."""
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def shared_door(shared_cluster: Cluster) -> Iterator[Door]:
    with Door(shared_cluster.url) as running:
        yield running


@pytest.fixture
def nodes(shared_cluster: Cluster) -> Cluster:
    """The shared cluster, emptied."""
    shared_cluster.empty()
    return shared_cluster


@pytest.fixture
def door(nodes: Cluster, shared_door: Door) -> Door:
    """The router before the shared cluster, which is empty."""
    return shared_door
