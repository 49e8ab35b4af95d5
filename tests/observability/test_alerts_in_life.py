"""Every alert fires on a server that is really ill in that way, as a real Prometheus with the shipped rules sees it.

How long an alert waits, and when it stays silent, is in promtool's tests; here it fires at once.  Beforehand the server
is well, and none may fire that is not about the machine's speed.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

import kedis
from kedis.commands import load_all
from kedis.engine import table
from kedis.engine.table import COMMANDS
from kedis.persistence.append_file import AppendFile
from kedis.server import group_commit
from ops.dashboards.build import ANNOTATIONS
from ops.dashboards.demo import ROOT, Prometheus
from ops.dashboards.expressions import filled_in
from tests.ports import free_port
from tests.replication.reluctant import Reluctant

ALERTS = [
    rule["alert"]
    for rule in yaml.safe_load((ROOT / "ops" / "prometheus" / "rules" / "alerts.yml").read_text())["groups"][
        0
    ]["rules"]
]
#: One compares with an hour ago, one needs hundreds of megabytes, one TLS; promtool's tests have them all.
TOO_MUCH_FOR_A_TEST = {"KedisEvictingWhileHitRatioFalls", "KedisMemoryFragmented", "KedisCertificateEnds"}
#: Of a router, see tests/router/test_dashboard.py.
TOO_MUCH_FOR_A_TEST |= {name for name in ALERTS if name.startswith("KedisRouter")}
#: On a machine that others use, too, and in the process of the tests, these may fire of themselves, and rightly.
OF_THE_MACHINE = {"KedisLatencyBudgetBurnsFast", "KedisLatencyBudgetBurnsSlowly", "KedisEventLoopLags"}
OF_THE_MACHINE |= {"KedisMemoryFragmented"}
PATIENCE_SECONDS = 60.0
MAXCLIENTS = 20


@dataclass
class Ward:
    """A server, somebody who watches it, and a client."""

    server: kedis.Server
    metrics_port: int
    prometheus: Prometheus
    client: redis.Redis
    folder: Path
    patch: pytest.MonkeyPatch

    def marked(self, name: str) -> bool:
        """Whether the dashboards' annotation of this name marks any moment."""
        (expr,) = [filled_in(expr, "10s") for title, expr, _ in ANNOTATIONS if title == name]
        return bool(self.prometheus.courses(expr, time.time() - 120, time.time(), 0.5))

    def firing(self) -> set[str]:
        """The alerts that fire, or have fired, and the annotations that mark something."""
        with contextlib.suppress(OSError):  # Prometheus is starting
            marks = {f"annotation {name}" for name, _, _ in ANNOTATIONS if self.marked(name)}
            samples = self.prometheus.samples(
                'max by (alertname) (max_over_time(ALERTS{alertstate="firing"}[1h]))'
            )
            return {sample["metric"]["alertname"] for sample in samples} | marks
        return set()

    def fires(self, names: set[str]) -> bool:
        return names <= self.firing()

    def until(self, condition: Callable[[], Any], meanwhile: Callable[[], Any] = lambda: None) -> bool:
        """Whether ``condition`` comes true before patience ends."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                return False
            meanwhile()
            time.sleep(0.1)
        return True


def fail(*_: object) -> None:
    raise RuntimeError("for the test of the alert")


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("ward")
    port = free_port()
    settings = {
        "appendonly": "yes",
        "dir": str(folder / "kept"),  # not "data": that is where Prometheus keeps its own
        "save": "3600 1000000",
    }
    settings |= {"maxclients": MAXCLIENTS, "enable_debug_command": "yes"}
    load_all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "_spare", [])  # copies of the table that other servers gave back, and will take
        patch.setattr(COMMANDS[b"lastsave"], "function", fail)  # each server has a copy of the table
        server = kedis.Server(port=0, metrics_port=port, **settings).start()
        prometheus = Prometheus(folder, f"127.0.0.1:{port}", free_port(), patient=False)
        watched = Ward(server, port, prometheus, server.client(), folder, patch)
        try:
            yield watched
        finally:
            prometheus.stop()
            watched.server.stop()


def check_that_nothing_fires_while_all_is_well(ward: Ward) -> None:
    def use() -> None:
        ward.client.set("key", "value", px=10)
        ward.client.get("key")

    def seen() -> bool:
        with contextlib.suppress(OSError):
            return bool(
                ward.prometheus.samples("count_over_time(instance:kedis_slow_requests:ratio_rate6h[1m]) > 4")
            )
        return False

    assert ward.until(seen, use)
    assert not [name for name in ward.firing() - OF_THE_MACHINE if not name.startswith("annotation")]


def errors(ward: Ward) -> Callable[[], Any]:
    def wrong() -> None:
        for _ in range(100):
            with contextlib.suppress(redis.ResponseError):
                ward.client.execute_command("INCR", "text")

    ward.client.set("text", "no number")
    return wrong


def faults(ward: Ward) -> Callable[[], Any]:
    def call() -> None:
        with contextlib.suppress(redis.ResponseError):
            ward.client.execute_command("LASTSAVE")

    return call


def crowd(ward: Ward) -> Callable[[], Any]:
    friends = [ward.server.client(retry=Retry(NoBackoff(), 0)) for _ in range(MAXCLIENTS + 5)]

    def knock() -> None:
        for friend in friends:
            with contextlib.suppress(redis.ConnectionError):
                friend.ping()

    return knock


def full(ward: Ward) -> Callable[[], Any]:
    ward.client.config_set("maxmemory", int(ward.client.info("memory")["used_memory"] * 1.02))
    return lambda: None


def evicting(ward: Ward) -> Callable[[], Any]:
    ward.client.config_set("maxmemory-policy", "allkeys-random")
    return lambda: ward.client.set(f"key:{time.monotonic()}", "x" * 1000)


def rewriting(ward: Ward) -> Callable[[], Any]:
    def rewrite() -> None:
        with contextlib.suppress(redis.ResponseError):  # the last one is not over
            ward.client.bgrewriteaof()

    return rewrite


def many_deaths(ward: Ward) -> Callable[[], Any]:
    """More die than the cycle can bury; it is stopped in the midst of it, so that the scene can be looked at."""
    ward.client.config_set("maxmemory", 0)

    def bury() -> None:
        ward.client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        for start in range(0, 100_000, 10_000):
            pipe = ward.client.pipeline(transaction=False)
            for number in range(start, start + 10_000):
                pipe.set(number, "", px=1)
            pipe.execute()
        ward.client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "1")
        while ward.client.info("stats")["expired_stale_perc"] < 30 and ward.client.dbsize() > 5000:
            pass
        ward.client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")

    def bury_once_seen() -> None:
        if not ward.prometheus.samples("kedis_expire_dead_ratio > 0.25"):
            bury()

    return bury_once_seen


def slow_disk(ward: Ward) -> Callable[[], Any]:
    ward.client.config_set("appendfsync", "always")
    ward.patch.setattr(group_commit, "_SLOW_SYNC_SECONDS", 0.05)
    ward.patch.setattr(AppendFile, "sync", lambda _: time.sleep(0.3))
    return lambda: ward.client.set("key", "value")


def slow_commands(ward: Ward) -> Callable[[], Any]:
    ward.patch.undo()
    ward.client.config_set("appendfsync", "everysec")
    return lambda: ward.client.execute_command("DEBUG", "SLEEP", "0.3")


def bad_replica(ward: Ward) -> Callable[[], Any]:
    """One that comes for everything again and again, while another never says how far it is, and then goes."""
    ward.client.config_set("maxclients", 10 * MAXCLIENTS)  # the crowd may be there yet
    ward.client.config_set("repl-diskless-sync-delay", 0)
    silent = Reluctant(ward.server.port, confirms=False)
    began = time.monotonic()

    def trouble() -> None:
        if not ward.prometheus.samples("increase(kedis_replica_synchronisations_total[30m]) > 3"):
            Reluctant(ward.server.port).close()
        ward.client.set("large", "x" * 300_000)
        ward.client.publish("channel", "y" * 300_000)
        if time.monotonic() - began > 3 and "KedisReplicaLags" in ward.firing():
            silent.close()

    return trouble


def no_master(ward: Ward) -> Callable[[], Any]:
    ward.client.replicaof("127.0.0.1", free_port())
    return lambda: None


def lost_folder(ward: Ward) -> Callable[[], Any]:
    (ward.folder / "kept").rename(ward.folder / "lost")

    def save() -> None:
        for command in ("BGREWRITEAOF", "BGSAVE"):
            with contextlib.suppress(redis.ResponseError):
                ward.client.execute_command(command)

    return save


def gone(ward: Ward) -> Callable[[], Any]:
    (ward.folder / "lost").rename(ward.folder / "kept")
    ward.server.stop()
    return lambda: None


def started_again(ward: Ward) -> Callable[[], Any]:
    ward.server = kedis.Server(port=0, metrics_port=ward.metrics_port).start()
    return lambda: None


#: What is done, in this order, and the alerts, and marks on the dashboards, that come of it.
ILLNESSES: list[tuple[Callable[[Ward], Callable[[], Any]], set[str]]] = [
    (slow_disk, {"KedisFsyncSlow", "KedisFsyncDelayed"}),
    (slow_commands, {"KedisLatencyBudgetBurnsFast", "KedisLatencyBudgetBurnsSlowly", "KedisEventLoopLags"}),
    (errors, {"KedisErrorRate"}),
    (faults, {"KedisInternalErrors"}),
    (crowd, {"KedisConnectionsRejected", "KedisClientsNearLimit"}),
    (full, {"KedisMemoryNearLimit"}),
    (evicting, {"annotation Eviction begins"}),
    (rewriting, {"annotation Rewrite"}),
    (many_deaths, {"KedisExpiryFallsBehind"}),
    (bad_replica, {"KedisReplicaLags", "KedisReplicaLost", "KedisFullSynchronisationsRepeat"}),
    (lost_folder, {"KedisSnapshotFailed", "KedisRewriteFails", "KedisWritesRefused", "KedisNotReady"}),
    (no_master, {"KedisMasterLinkDown"}),
    (gone, {"KedisDown"}),
    (started_again, {"annotation Start"}),
]


def test_every_alert_has_its_illness() -> None:
    marks = {f"annotation {name}" for name, _, _ in ANNOTATIONS}
    assert set().union(*(names for _, names in ILLNESSES)) | TOO_MUCH_FOR_A_TEST == {*ALERTS, *marks}


@pytest.mark.timeout(60 * len(ILLNESSES))
def test_each_illness_is_noticed(ward: Ward) -> None:
    """One test, for what an illness leaves behind is where the next one begins."""
    check_that_nothing_fires_while_all_is_well(ward)
    for illness, names in ILLNESSES:
        meanwhile = illness(ward)
        assert ward.until(partial(ward.fires, names), meanwhile), (illness.__name__, names - ward.firing())
