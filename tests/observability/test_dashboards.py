"""The dashboards: current, whole, and every expression gives data when a real Prometheus is asked it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import kedis
from ops.dashboards.boards import BOARDS
from ops.dashboards.demo import Prometheus, locust_load, mixed_load
from ops.dashboards.expressions import Expression, expressions
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
LOCUST = importlib.util.find_spec("locust") is not None
#: Annotations say when something begins, alerts that something is wrong, runbooks ask what: mostly they are silent.
#: The first two are provoked in test_alerts_in_life.py. A router is looked at in tests/router/test_dashboard.py.
SILENT = ("annotation ", "alert ", "runbook ", "Time until a certificate ends", "Kedis / Router")


def test_the_files_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops.dashboards", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board.uid))
def test_every_panel_is_described(board: Any) -> None:
    file = json.loads((ROOT / "grafana" / "dashboards" / f"{board.uid}.json").read_text())
    panels = [panel for panel in file["panels"] if panel["type"] != "row"]
    assert [panel["title"] for panel in panels] == [panel.title for panel in board.panels()]
    for panel in panels:
        assert panel["description"].endswith(".")
        assert panel["type"] == "heatmap" or panel["fieldConfig"]["defaults"]["unit"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert file["links"][0]["tags"] == ["kedis"]
    assert {variable["name"] for variable in file["templating"]["list"]} >= {"datasource", "instance"}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board.uid))
def test_every_board_has_a_picture_of_moderate_size(board: Any) -> None:
    assert 10_000 < (ROOT / "docs" / "images" / f"{board.uid}.png").stat().st_size < 200_000


# -- with a real Prometheus -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    settings = {"appendonly": "yes", "dir": str(folder / "kedis"), "appendfsync": "always"}
    settings |= {"maxmemory": "2mb", "maxmemory_policy": "allkeys-lru", "slowlog_log_slower_than": "50"}
    other = free_port()
    with (
        kedis.Server(port=0, metrics_port=port, repl_diskless_sync_delay="0", **settings) as server,
        kedis.Server(port=0, metrics_port=other, replicaof=f"127.0.0.1 {server.port}"),
    ):
        stop = threading.Event()
        load = threading.Thread(target=mixed_load, args=(server, stop))
        load.start()
        locust = free_port()
        prometheus = Prometheus(
            folder,
            f"127.0.0.1:{port}",
            free_port(),
            locust=f"127.0.0.1:{locust}",
            replica=f"127.0.0.1:{other}",
        )
        try:
            with locust_load(server.url, locust, users=8) if LOCUST else contextlib.nullcontext():
                yield prometheus
        finally:
            prometheus.stop()
            stop.set()
            load.join(30)


def rules() -> Iterator[Expression]:
    for path in (ROOT / "ops" / "prometheus" / "rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                kind = "alert" if "alert" in rule else "rule"
                yield Expression(f"{kind} {rule.get('alert') or rule['record']}", rule["expr"])


def runbooks() -> Iterator[Expression]:
    text = (ROOT / "ops" / "runbooks.md").read_text()
    for number, expr in enumerate(
        re.findall(r"`([^`\n]*\b(?:kedis_[a-z]|redis_[a-z]|instance\w*:|up\{)[^`\n]*)`", text)
    ):
        yield Expression(f"runbook {number}", expr)


EVERY = [*rules(), *runbooks(), *(found for path in FILES for found in expressions(path, "10s"))]


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.25)
    return True


@pytest.fixture(scope="module")
def warm(observed: Prometheus) -> Prometheus:
    """Once every rule has been evaluated, and the slowest number to come has moved."""

    def is_warm() -> bool:
        with contextlib.suppress(OSError):
            evicted = observed.samples("sum(rate(kedis_evicted_keys_total[10s])) > 0")
            return bool(evicted) and bool(observed.samples("instance:kedis_hits:ratio_rate5m"))
        return False

    assert until(is_warm, 60)
    return observed


@pytest.mark.parametrize("expression", EVERY, ids=lambda expression: str(expression.place))
def test_every_expression_is_understood_and_gives_data(warm: Prometheus, expression: Expression) -> None:
    warm.samples(expression.expr)
    if any(word in expression.place for word in SILENT):
        return
    if "locust_" in expression.expr and not LOCUST:
        pytest.skip("locust is not installed")

    def gives_numbers() -> bool:
        return any(sample["value"][1] != "NaN" for sample in warm.samples(expression.expr))

    assert until(gives_numbers, 20), expression.expr


def test_the_server_is_seen_as_it_is(warm: Prometheus) -> None:
    # Twice a second, with as much time for an answer: on a busy machine one may come late.
    assert until(lambda: [sample["value"][1] for sample in warm.samples('up{job="kedis"}')] == ["1", "1"], 20)
    assert warm.samples("kedis_ready == 1")
    rewrites = warm.samples("kedis_aof_rewrites_total")
    assert until(lambda: bool(warm.samples("kedis_aof_rewrites_total > 0")), 20), rewrites
    assert not warm.samples(
        'ALERTS{alertstate="firing",alertname=~"KedisDown|KedisInternalErrors|KedisWritesRefused"}'
    )
