"""The dashboard Router and the router's alerts, by a real Prometheus that watches a router before a real cluster."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ops.dashboards.demo import ROOT, Prometheus
from ops.dashboards.expressions import expressions
from tests.ports import free_port
from tests.router.clusters import Cluster, long, patiently, slot_of
from tests.router.doors import Door
from tests.router.load import Load

BOARD = ROOT / "grafana" / "dashboards" / "kedis-router.json"
RULES = yaml.safe_load((ROOT / "ops" / "prometheus" / "rules" / "alerts.yml").read_text())["groups"][0][
    "rules"
]
#: The numbers of requests in flight that fire the alert are too many for a test; promtool's has it.
ALERTS = {rule["alert"] for rule in RULES if rule["alert"].startswith("KedisRouter")} - {
    "KedisRouterInFlightGrows"
}


@pytest.fixture(scope="module")
def watched(
    shared_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Door, Prometheus]]:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with Door(shared_cluster.url, "--upstream-timeout-ms", "1000", "--upstream-retry-ms", "300") as door:
        prometheus = Prometheus(folder, f"127.0.0.1:{door.metrics_port}", free_port(), patient=False)
        yield door, prometheus
        prometheus.stop()


def firing(prometheus: Prometheus) -> set[str]:
    with contextlib.suppress(OSError):
        samples = prometheus.samples('max by (alertname) (max_over_time(ALERTS{alertstate="firing"}[1h]))')
        return {sample["metric"]["alertname"] for sample in samples}
    return set()


def numbers(prometheus: Prometheus, expr: str) -> bool:
    return any(sample["value"][1] != "NaN" for sample in prometheus.samples(expr))


@long
def test_every_expression_gives_data_and_alerts_fire(
    nodes: Cluster, watched: tuple[Door, Prometheus]
) -> None:
    door, prometheus = watched
    tags = [nodes.tag(shard) for shard in range(3)]
    slot, home = slot_of(tags[0]), nodes.owner(tags[0])
    missing = {e.place: e.expr for e in expressions(BOARD, "10s") if "annotation " not in e.place}

    def seen() -> bool:
        for place in [place for place, expr in missing.items() if numbers(prometheus, expr)]:
            del missing[place]
        return not missing

    try:
        with Load(door.port, tags, losses=True) as load:
            patiently(seen, lambda: f"no data: {missing}")
            assert not ALERTS & firing(prometheus), "fires while all is well"
            # A slot that hangs between two nodes, and a node that is gone.
            nodes.begin_move(slot, nodes.owner(tags[1]))
            nodes.owner(tags[2]).kill()
            patiently(lambda: firing(prometheus) >= ALERTS, lambda: str(ALERTS - firing(prometheus)))
        assert not load.wrong, load.wrong[:3]
    finally:
        nodes.heal()
        for node in nodes.masters:
            node.call("CLUSTER", "SETSLOT", slot, "STABLE")
            node.call("FLUSHALL")
        assert nodes.owner(slot) is home
