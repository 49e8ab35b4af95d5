"""What the metrics, and /readyz, say of a replica and of its master."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import kedis
from tests.ports import free_port
from tests.replication.masters import Raw, until


class Watched:
    """A server with its metrics."""

    def __init__(self, **settings: Any) -> None:
        self.metrics_port = free_port()
        defaults = {"repl_diskless_sync_delay": "0", "metrics_port": self.metrics_port}
        self.server = kedis.Server(**{**defaults, **settings}).start()

    def samples(self) -> dict[tuple[str, ...], float]:
        """Values by name and labels' values, sorted by the labels."""
        text = self.page("metrics")[1]
        return {
            (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def page(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/{path}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture
def pair() -> Iterator[tuple[Watched, Watched]]:
    master = Watched()
    replica = Watched(replicaof=f"127.0.0.1 {master.server.port}", replica_serve_stale_data="no")
    yield master, replica
    replica.server.stop()
    master.server.stop()


def test_both_ends_of_a_link(pair: tuple[Watched, Watched]) -> None:
    master, replica = pair
    place = ("127.0.0.1", str(master.server.port))
    until(lambda: replica.samples()[("kedis_master_link_up",)] == 1)
    with master.server.client() as client:
        client.set("key", "x" * 1000)
        client.execute_command("WAIT", 1, 60_000)
        until(lambda: replica.samples()[("redis_slave_repl_offset", *place)] >= 1000)
    of_replica, of_master = replica.samples(), master.samples()
    assert of_replica[("redis_master_link_up", *place)] == 1
    assert of_replica[("redis_master_sync_in_progress", *place)] == 0
    assert 0 <= of_replica[("redis_master_last_io_seconds_ago", *place)] < 60
    assert of_replica[("kedis_master_silent_seconds",)] >= 0
    assert of_replica[("redis_slave_info", *place, "1")] == 1
    assert of_replica[("redis_slave_priority",)] == 100
    assert of_replica[("kedis_master_unapplied_bytes",)] == 0
    assert of_replica[("kedis_master_synchronisations_total", "full")] == 1
    assert of_replica[("kedis_master_synchronisations_total", "partial")] == 0
    assert of_replica[("kedis_master_received_bytes_total",)] > 1000
    assert of_master[("kedis_replicas_online",)] == 1
    assert of_master[("kedis_replica_synchronisations_total", "full")] == 1
    assert of_master[("kedis_replication_backlog_bytes",)] > 1000
    assert not [
        name
        for name in of_master
        if name[0].startswith(("kedis_master_link", "redis_master_link", "redis_slave_repl"))
    ]
    with master.server.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
    until(lambda: replica.samples()[("kedis_master_synchronisations_total", "partial")] == 1)
    assert master.samples()[("kedis_replica_synchronisations_total", "partial")] == 1


def test_a_replica_that_refuses_old_data_is_not_ready_without_a_link(pair: tuple[Watched, Watched]) -> None:
    master, replica = pair
    until(lambda: replica.page("readyz") == (200, "ready\n"))
    master.server.stop()
    until(lambda: replica.samples()[("kedis_master_link_up",)] == 0)
    status, text = replica.page("readyz")
    assert status == 503
    assert "no link to the master" in text
    assert replica.samples()[("kedis_ready",)] == 0
    connection = Raw(replica.server.port)
    assert connection.call("CONFIG", "SET", "replica-serve-stale-data", "yes") == b"OK"
    assert replica.page("readyz") == (200, "ready\n")
    connection.call("CONFIG", "SET", "replica-serve-stale-data", "no")
    connection.call("REPLICAOF", "NO", "ONE")
    assert replica.page("readyz") == (200, "ready\n")
    connection.close()
